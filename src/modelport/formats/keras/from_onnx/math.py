"""Arithmetic, comparisons, products and reductions, as functions of ``keras.ops``; equal shapes as merging layers."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import NUMBER, Type, is_float
from .common import BOOL, F32, I32, call, cast, from_onnx, known, rank

_MERGED = {"Add": "Add", "Mul": "Multiply", "Sub": "Subtract", "Max": "Maximum", "Min": "Minimum"}
_BINARY = {"Add": "add", "Sub": "subtract", "Mul": "multiply", "Max": "maximum", "Min": "minimum", "And": "logical_and",
           "Or": "logical_or", "Xor": "logical_xor", "Equal": "equal", "Greater": "greater", "Less": "less",
           "GreaterOrEqual": "greater_equal", "LessOrEqual": "less_equal", "BitwiseAnd": "bitwise_and",
           "BitwiseOr": "bitwise_or", "BitwiseXor": "bitwise_xor"}
_UNARY = {"Neg": "negative", "Abs": "absolute", "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Floor": "floor",
          "Ceil": "ceil", "Round": "round", "Sin": "sin", "Cos": "cos", "Tan": "tan", "Asin": "arcsin",
          "Acos": "arccos", "Atan": "arctan",
          "Sinh": "sinh", "Cosh": "cosh", "Asinh": "arcsinh", "Acosh": "arccosh", "Atanh": "arctanh",
          "Erf": "erf", "Sign": "sign", "Reciprocal": "reciprocal", "Not": "logical_not", "IsNaN": "isnan",
          "BitwiseNot": "bitwise_not"}
_REAL = frozenset("Exp Log Sqrt Floor Ceil Round Sin Cos Tan Asin Acos Atan Sinh Cosh Asinh Acosh Atanh Erf Reciprocal "
                  "IsNaN Neg".split())


def _merging(name: str, values: tuple[Value, ...]) -> bool:
    """Whether a merging layer may take the values: computed real numbers of one rank and batch, and to be added not a
    vector along another axis than the last, unless all are of one shape."""
    ranks = {v.rank for v in values}
    if len(set(values)) != len(values) or len(values) < 2 or len(ranks) != 1 or not ranks.pop() or \
            (name == "Sub" and len(values) > 2):
        return False
    if not all(v.data is None and v.dtype == F32 and v.shape is not None and None not in v.shape for v in values):
        return False
    shapes = {v.shape for v in values}
    batches = {s[0] for s in shapes if s}
    return len(shapes) == 1 or (len(batches) == 1 and not (name == "Add" and any(map(_along, values))))


def scalar(x: Value, v: Value | None) -> float | None:
    """A single finite number, given beside ``x``."""
    if v is None or v.data is None or v.dtype != F32 or v.numpy().size != 1 or (v.rank or 0) > (x.rank or 0):
        return None
    number = float(v.numpy().reshape(()))
    return number if np.isfinite(number) else None


def _rescaled(k: Builder, name: str, values: tuple[Value, ...]) -> Value | None:
    """A product or a sum with one number: the layer, which rounds twice as the operators do."""
    if len(values) != 2 or any(v.dtype != F32 or not v.rank for v in values if v.data is None):
        return None
    a, b = values
    of_a, of_b = scalar(b, a), scalar(a, b)
    x, number = (a, of_b) if a.data is None else (b, of_a)
    if number is None:
        return None
    scale, offset = {"Mul": (number, 0.0), "Add": (1.0, number),
                     "Sub": (1.0, -number) if x is a else (-1.0, number)}[name]
    return k.Rescaling(x, scale=scale, offset=offset, type=k.out)


def _along(v: Value) -> bool:
    """Whether a value is a vector along another axis than the last: the backend of TensorFlow (keras 3.15,
    backend/tensorflow/numpy.py) adds such a second operand along the last axis, if the lengths are the same."""
    wide = [a for a, d in enumerate(v.shape or ()) if d != 1]
    return len(wide) == 1 and wide[0] != (v.rank or 0) - 1


@from_onnx(*_BINARY)
def binary(k: Builder, *values: Value) -> Any:
    assert k.node is not None
    name = k.node.op
    if name in _MERGED and _merging(name, values):
        return k.add(_MERGED[name], *values, type=k.out)
    layer = _rescaled(k, name, values) if name in ("Mul", "Add", "Sub") else None
    if layer is not None:
        return layer
    if name in ("Max", "Min", "Add", "Mul", "Sub") and values[0].dtype == BOOL:
        raise Unsupported("arithmetic of booleans")
    made = values[0]
    for v in values[1:]:
        pair = (v, made) if name == "Add" and _along(v) else (made, v)
        made = call(k, _BINARY[name], *pair, type=Type(k.out.dtype, None))
    return made if len(values) > 1 else call(k, "multiply", made, constant(1, made.dtype))


@from_onnx("Div")
def div(k: Builder, a: Value, b: Value) -> Any:
    if is_float(a.dtype):
        return call(k, "divide", a, b, type=k.out)
    if a.dtype.kind == "u":
        return call(k, "floor_divide", a, b, type=k.out)

    def of(name: str, v: Value) -> Value:
        return call(k, name, v) if v.data is None else constant(getattr(np, name)(v.numpy()), name=v.name)
    magnitude = call(k, "floor_divide", of("absolute", a), of("absolute", b))  # ONNX rounds toward zero
    return call(k, "multiply", magnitude, call(k, "multiply", of("sign", a), of("sign", b)), type=k.out)


@from_onnx("Mod")
def mod(k: Builder, a: Value, b: Value, *, fmod: int = 0) -> Any:
    if fmod or is_float(a.dtype):
        raise Unsupported("a remainder of real numbers, or with the sign of the dividend")
    return call(k, "mod", a, b, type=k.out)


@from_onnx("Pow")
def power(k: Builder, a: Value, b: Value) -> Any:
    if not is_float(a.dtype):
        raise Unsupported("a power of integers")
    if b.data is not None and b.numpy().size == 1 and float(b.numpy().reshape(())) == 2.0:
        return call(k, "square", a, type=k.out)
    return call(k, "power", a, cast(k, b, a.dtype), type=k.out)


@from_onnx(*_UNARY)
def unary(k: Builder, x: Value) -> Any:
    assert k.node is not None
    name = k.node.op
    if name in _REAL and not is_float(x.dtype) and not (name == "Neg" and x.dtype.kind == "i"):
        raise Unsupported(f"element type {x.dtype}")
    return call(k, _UNARY[name], x, type=k.out)


@from_onnx("BitShift")
def bit_shift(k: Builder, a: Value, b: Value, *, direction: str) -> Any:
    if a.dtype.kind != "u":
        raise Unsupported("a shift of signed integers")
    return call(k, "left_shift" if direction == "LEFT" else "right_shift", a, b, type=k.out)


@from_onnx("IsInf")
def is_inf(k: Builder, x: Value, *, detect_negative: int = 1, detect_positive: int = 1) -> Any:
    if not (detect_negative and detect_positive):
        raise Unsupported("infinity of one sign")
    return call(k, "isinf", x, type=k.out)


@from_onnx("Where")
def where(k: Builder, condition: Value, a: Value, b: Value) -> Any:
    return call(k, "where", condition, a, b, type=k.out)


@from_onnx("Clip")
def clip(k: Builder, x: Value, low: Value | None = None, high: Value | None = None) -> Any:
    top = scalar(x, high)
    if x.dtype == F32 and scalar(x, low) == 0 and top is not None and top >= 0:
        return k.ReLU(x, max_value=top, negative_slope=0.0, threshold=0.0, type=k.out)
    for bound, name in ((low, "maximum"), (high, "minimum")):
        if bound is not None:
            x = call(k, name, x, bound, type=k.out)
    return x if low is not None or high is not None else call(k, "add", x, constant(0, x.dtype), type=k.out)


_CASTS = frozenset("float16 bfloat16 float32 float64 int8 int16 int32 int64 uint8 uint16 uint32 bool".split())


@from_onnx("Cast")
def cast_(k: Builder, x: Value, *, to: int, saturate: int = 1, round_mode: str = "up") -> Any:
    dtype = next((d for d, n in NUMBER.items() if n == to), None)
    if dtype is None or dtype.name not in _CASTS or x.dtype.name not in _CASTS:
        raise Unsupported(f"a cast from {x.dtype} to {dtype}")
    return call(k, "cast", x, dtype=dtype.name, type=k.out)


_REDUCE = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "max", "ReduceMin": "min", "ReduceProd": "prod"}


@from_onnx(*_REDUCE)
def reduce(k: Builder, x: Value, axes: Value | None = None, *, keepdims: int = 1, noop_with_empty_axes: int = 0) -> Any:
    assert k.node is not None
    name = k.node.op
    along = known(axes, "the axes") if axes is not None else []
    if not along and noop_with_empty_axes:
        raise Unsupported("a reduction along no axis")
    if x.dtype == BOOL or (not is_float(x.dtype) and name == "ReduceMean"):
        raise Unsupported(f"element type {x.dtype}")
    if name in ("ReduceMax", "ReduceMin", "ReduceMean") and (x.shape is None or 0 in x.shape):
        raise Unsupported("of a value that may have no elements")
    axis: Any = tuple(a % rank(x) for a in along) or None
    n = rank(x) - 2
    if name in ("ReduceMean", "ReduceMax") and is_float(x.dtype) and n in (1, 2, 3) and axis and \
            sorted(axis) == list(range(1, n + 1)):
        kind = "Average" if name == "ReduceMean" else "Max"
        return k.add(f"Global{kind}Pooling{n}D", x, data_format="channels_last", keepdims=bool(keepdims), type=k.out)
    y = call(k, _REDUCE[name], x, axis=axis, keepdims=bool(keepdims), type=Type(k.out.dtype, k.out.shape))
    return y if is_float(x.dtype) or x.dtype.itemsize >= 8 else call(k, "cast", y, dtype=x.dtype.name, type=k.out)


@from_onnx("ArgMax", "ArgMin")
def arg(k: Builder, x: Value, *, axis: int = 0, keepdims: int = 1, select_last_index: int = 0) -> Any:
    assert k.node is not None
    if select_last_index or x.dtype == BOOL:
        raise Unsupported("the last of equal elements")
    y = call(k, k.node.op.lower(), x, axis=axis, keepdims=bool(keepdims), type=Type(I32, k.out.shape))
    return call(k, "cast", y, dtype="int64", type=k.out)


@from_onnx("CumSum")
def cumsum(k: Builder, x: Value, axis: Value, *, exclusive: int = 0, reverse: int = 0) -> Any:
    at = known(axis, "the axis")[0] % rank(x)
    if is_float(x.dtype) or x.dtype.itemsize >= 4:
        y = call(k, "flip", x, axis=at) if reverse else x
        y = call(k, "cumsum", y, axis=at)
        y = call(k, "flip", y, axis=at) if reverse else y
        return call(k, "subtract", y, x, type=k.out) if exclusive and not is_float(x.dtype) else _whole(k, y, exclusive)
    raise Unsupported(f"element type {x.dtype}")


def _whole(k: Builder, y: Value, exclusive: int) -> Value:
    if exclusive:
        raise Unsupported("an exclusive sum of real numbers")
    return y


@from_onnx("Einsum")
def einsum(k: Builder, *values: Value, equation: str) -> Any:
    if "..." in equation or not all(is_float(v.dtype) for v in values):
        raise Unsupported("an ellipsis, or integers")
    return call(k, "einsum", *values, subscripts=equation.replace(" ", ""), type=k.out)


@from_onnx("QuantizeLinear")
def quantize(k: Builder, x: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, block_size: int = 0,
             output_dtype: int = 0, precision: int = 0, saturate: int = 1) -> Any:
    """Rounded to the nearest even number of steps, as ONNX says; computed in the input's own precision."""
    s, z, dtype = steps(x, scale, zero, axis, block_size, k.out.dtype)
    info = np.iinfo(dtype)
    if x.dtype != F32 or precision or info.bits > 16:
        raise Unsupported(f"quantization of {x.dtype} to {dtype}")
    y = call(k, "add", call(k, "round", call(k, "divide", x, constant(s))), constant(z.astype(np.float32)))
    y = call(k, "clip", y, x_min=float(info.min), x_max=float(info.max))
    return call(k, "cast", y, dtype=dtype.name, type=k.out)


@from_onnx("DequantizeLinear")
def dequantize(k: Builder, q: Value, scale: Value, zero: Value | None = None, *, axis: int = 1, block_size: int = 0,
               output_dtype: int = 0) -> Any:
    s, z, _ = steps(q, scale, zero, axis, block_size, q.dtype)
    if k.out.dtype != F32 or q.dtype.name not in ("int8", "uint8", "int16", "uint16", "int32"):
        raise Unsupported(f"quantized {q.dtype}")
    y = call(k, "cast", call(k, "subtract", call(k, "cast", q, dtype="int32"), constant(z.astype(np.int32))),
             dtype="float32")
    return call(k, "multiply", y, constant(s), type=k.out)


def steps(x: Value, scale: Value, zero: Value | None, axis: int, block_size: int, dtype: Any) -> tuple[Any, Any, Any]:
    if scale.data is None or (zero is not None and zero.data is None) or block_size or scale.dtype != F32:
        raise Unsupported("a quantization that is computed, or in blocks")
    if np.dtype(dtype).kind not in "iu" or np.dtype(dtype).name not in np.sctypeDict:
        raise Unsupported(f"quantized {dtype}")
    s = scale.numpy()
    z = np.zeros(s.shape, np.int64) if zero is None else zero.numpy().astype(np.int64)
    if s.ndim:
        shape = [-1 if a == axis % rank(x) else 1 for a in range(rank(x))]
        s, z = s.reshape(shape if s.size > 1 else ()), z.reshape(shape if s.size > 1 else ())
    return s, z, np.dtype(dtype)
