"""Building raw TensorFlow nodes: the types of what the operators make, and what a dialect of them lacks.

Element types follow from the definitions (:mod:`.ops`); shapes are inferred where the rules of :mod:`.from_onnx` use a
value between two operators: the last operator of a rule takes the shape that the hub knows."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder
from ...ir.types import Dim, DType, Shape, Type
from ..writing import numbers
from .ops import DTYPE, REQUIRED, Argument, Definition, definition

Inputs = Sequence["Value | None"]
Attributes = Mapping[str, Any]


@dataclass(frozen=True)
class Dialect:
    """What a runtime of TensorFlow's operators knows: all of them and all element types where these are ``None``.

    ``precise`` says that doubles, and integers of every width, are computed as such."""

    name: str
    operators: frozenset[str] | None = None
    dtypes: frozenset[DType] | None = None

    def has(self, op: str) -> bool:
        return definition(op) is not None and (self.operators is None or op in self.operators)

    def holds(self, dtype: DType) -> bool:
        return self.dtypes is None or dtype in self.dtypes


TENSORFLOW = Dialect("TensorFlow")


class RawBuilder(Builder):
    """The builder of raw nodes; ``dialect`` says which there may be."""

    dialect: Dialect = TENSORFLOW

    def has(self, op: str) -> bool:
        return self.dialect.has(op)

    def add(self, op: str, *inputs: Any, outputs: int | None = None, type: Type | Sequence[Type] | None = None,
            **attrs: Any) -> Any:
        if not self.dialect.has(op):
            raise Unsupported(f"{self.dialect.name} has no operator {op}")
        return super().add(op, *inputs, outputs=outputs, type=type, **attrs)


def broadcast(*shapes: Shape) -> Shape:
    """The shape of an elementwise operator; what is not known, or only when it runs, is ``None``."""
    if any(s is None for s in shapes):
        return None
    known = [s for s in shapes if s is not None]
    out: list[Dim] = []
    for k in range(rank := max(map(len, known), default=0)):
        dims = [s[k - rank] for s in known if len(s) >= rank - k]
        dims = [d for d in dims if d != 1] or [1]
        sure = [d for d in dims if isinstance(d, int)]
        out.append(sure[0] if sure else dims[0] if all(d == dims[0] for d in dims) else None)
    return tuple(out)


def _length(v: Value | None) -> int | None:
    return v.shape[0] if v is not None and v.shape is not None and len(v.shape) == 1 and isinstance(v.shape[0], int) \
        else None


def _shape(v: Value | None) -> Shape:
    return None if v is None else v.shape


def _first(ins: Inputs, attrs: Attributes) -> Shape:
    return _shape(ins[0])


def _nary(ins: Inputs, attrs: Attributes) -> Shape:
    return broadcast(*(v.shape for v in ins if v is not None))


def _shaped(place: int) -> Callable[[Inputs, Attributes], Shape]:
    """Operators whose output has the shape that an input says."""
    def shape(ins: Inputs, attrs: Attributes) -> Shape:
        said = ins[place]
        dims, rank = numbers(said), _length(said)
        if dims is None:
            return None if rank is None else (None,) * rank
        if -1 in dims:
            x = ins[0]
            left = None if x is None else x.type.size
            rest = int(np.prod([d for d in dims if d != -1]))
            return tuple((None if left is None or not rest else left // rest) if d == -1 else d for d in dims)
        return tuple(dims)
    return shape


def _unknown_as(place: int) -> Callable[[Inputs, Attributes], Shape]:
    """As many axes as an input has, of unknown sizes."""
    def shape(ins: Inputs, attrs: Attributes) -> Shape:
        found = _shape(ins[place])
        return None if found is None else (None,) * len(found)
    return shape


def _transpose(ins: Inputs, attrs: Attributes) -> Shape:
    x, perm = _shape(ins[0]), numbers(ins[1])
    return None if perm is None or x is None else tuple(x[p] for p in perm)


def _pad(ins: Inputs, attrs: Attributes) -> Shape:
    x, pads = _shape(ins[0]), ins[1]
    if x is None or pads is None or pads.data is None:
        return None if x is None else (None,) * len(x)
    return tuple(d + int(a) + int(b) if isinstance(d, int) else d if not a and not b else None
                 for d, (a, b) in zip(x, pads.numpy().reshape(-1, 2), strict=True))


def _concat(ins: Inputs, attrs: Attributes) -> Shape:
    *values, at = ins
    shapes, axis = [_shape(v) for v in values], numbers(at)
    if axis is None or any(s is None for s in shapes):
        return None
    known = [s for s in shapes if s is not None]
    where = axis[0] % len(known[0])
    out = list(broadcast(*known) or ())
    lengths = [s[where] for s in known]
    out[where] = sum(d for d in lengths if isinstance(d, int)) if all(isinstance(d, int) for d in lengths) else None
    return tuple(out)


def _pack(ins: Inputs, attrs: Attributes) -> Shape:
    x = _shape(ins[0])
    if x is None:
        return None
    axis = attrs.get("axis", 0) % (len(x) + 1)
    return (*x[:axis], len(ins), *x[axis:])


def _gather(ins: Inputs, attrs: Attributes) -> Shape:
    x, index, at = _shape(ins[0]), _shape(ins[1]), numbers(ins[2])
    if x is None or index is None or at is None:
        return None
    axis, batch = at[0] % len(x), attrs.get("batch_dims", 0)
    return (*x[:axis], *index[batch:], *x[axis + 1:])


def _gather_nd(ins: Inputs, attrs: Attributes) -> Shape:
    x, index = _shape(ins[0]), _shape(ins[1])
    if x is None or index is None or not isinstance(index[-1], int):
        return None
    return (*index[:-1], *x[index[-1]:])


def _reduce(ins: Inputs, attrs: Attributes) -> Shape:
    x, axes = _shape(ins[0]), numbers(ins[1])
    if x is None or axes is None:
        return None
    gone = {a % len(x) for a in axes}
    if attrs.get("keep_dims"):
        return tuple(1 if k in gone else d for k, d in enumerate(x))
    return tuple(d for k, d in enumerate(x) if k not in gone)


def _slice(ins: Inputs, attrs: Attributes) -> Shape:
    x, begin, size = _shape(ins[0]), numbers(ins[1]), numbers(ins[2])
    if x is None or size is None:
        return None if x is None else (None,) * len(x)
    return tuple(s if s >= 0 else d - begin[k] if isinstance(d, int) and begin is not None else None
                 for k, (d, s) in enumerate(zip(x, size, strict=True)))


def _tile(ins: Inputs, attrs: Attributes) -> Shape:
    x, times = _shape(ins[0]), numbers(ins[1])
    if x is None or times is None:
        return None if x is None else (None,) * len(x)
    return tuple(d * t if isinstance(d, int) else d if t == 1 else None for d, t in zip(x, times, strict=True))


def _shape_of(ins: Inputs, attrs: Attributes) -> Shape:
    x = _shape(ins[0])
    return (None if x is None else len(x),)


def _expand_dims(ins: Inputs, attrs: Attributes) -> Shape:
    x, axis = _shape(ins[0]), numbers(ins[1])
    if x is None or axis is None:
        return None
    at = axis[0] % (len(x) + 1)
    return (*x[:at], 1, *x[at:])


def _squeeze(ins: Inputs, attrs: Attributes) -> Shape:
    x = _shape(ins[0])
    if x is None:
        return None
    gone = {a % len(x) for a in attrs["squeeze_dims"]}
    return tuple(d for k, d in enumerate(x) if k not in gone)


def _matmul(ins: Inputs, attrs: Attributes) -> Shape:
    a, b = _shape(ins[0]), _shape(ins[1])
    if a is None or b is None or len(a) < 2 or len(b) < 2:
        return None
    rows = a[-1] if attrs.get("adj_x") or attrs.get("transpose_a") else a[-2]
    columns = b[-2] if attrs.get("adj_y") or attrs.get("transpose_b") else b[-1]
    return (*(broadcast(a[:-2], b[:-2]) or ()), rows, columns)


def _range(ins: Inputs, attrs: Attributes) -> Shape:
    start, limit, step = (numbers(v) if v is not None and v.dtype.kind == "i" else None for v in ins)
    if start is not None and limit is not None and step is not None:
        return (len(range(start[0], limit[0], step[0])),)
    return (None,)


_SAME = ("Abs Acos Acosh Asin Asinh Atan Atanh BiasAdd Cast Ceil Cos Cosh Cumprod Cumsum Elu Erf Erfc Exp Expm1 Floor "
         "Identity Invert IsInf IsNan LRN LeakyRelu Log Log1p LogSoftmax LogicalNot Neg OnesLike Reciprocal Relu Relu6 "
         "ReverseSequence ReverseV2 Round Rsqrt Selu Sigmoid Sign Sin Sinh Softmax Softplus Softsign Sqrt Square Tan "
         "Tanh TensorScatterAdd TensorScatterMax TensorScatterMin TensorScatterUpdate ZerosLike StringLower "
         "StringUpper RegexFullMatch Complex Real Imag FFT IFFT MatrixBandPart").split()
_NARY = ("AddV2 Atan2 BitwiseAnd BitwiseOr BitwiseXor Div Equal FloorDiv FloorMod Greater GreaterEqual LeftShift Less "
         "LessEqual LogicalAnd LogicalOr Maximum Minimum Mod Mul NotEqual Pow RealDiv RightShift SelectV2 StringJoin "
         "Sub SquaredDifference TruncateDiv TruncateMod").split()
_SHAPES: dict[str, Callable[[Inputs, Attributes], Shape]] = {
    **dict.fromkeys(_SAME, _first), **dict.fromkeys(_NARY, _nary),
    **dict.fromkeys("Sum Mean Prod Max Min Any All ArgMax ArgMin".split(), _reduce),
    **dict.fromkeys(("Pad", "PadV2"), _pad), "MirrorPad": _unknown_as(0), "Reshape": _shaped(1),
    "BroadcastTo": _shaped(1), "Fill": _shaped(0), "ScatterNd": _shaped(2), "Transpose": _transpose,
    "ConcatV2": _concat, "Pack": _pack, "GatherV2": _gather, "GatherNd": _gather_nd, "Slice": _slice, "Tile": _tile,
    "Shape": _shape_of, "Size": lambda ins, attrs: (), "ExpandDims": _expand_dims, "Squeeze": _squeeze,
    "MatMul": _matmul, "BatchMatMulV2": _matmul, "Range": _range, "StridedSlice": _unknown_as(0),
}


def dtypes_of(d: Definition, ins: Inputs, attrs: Attributes, outputs: int) -> list[DType]:
    """The element types of the outputs of an operator."""
    given: dict[str, DType] = {}
    rest = list(ins)
    for a in d.inputs:
        many = 1 if not a.several else len(rest) - sum(not b.several for b in d.inputs[d.inputs.index(a) + 1:]) \
            if a.several != "*" else len(rest)
        for v in rest[:many]:
            if isinstance(a.type, str) and v is not None:
                given.setdefault(a.type, v.dtype)
        rest = rest[many:]
    out: list[DType] = []
    for a in d.outputs:
        out += [_dtype(a, d, given, attrs)] * (1 if not a.several else outputs)
    return out


def _dtype(a: Argument, d: Definition, given: Mapping[str, DType], attrs: Attributes) -> DType:
    if isinstance(a.type, int):
        return DTYPE[a.type]
    if a.type in attrs:
        return np.dtype(attrs[a.type])
    if a.type in given:
        return given[a.type]
    default = d.attributes[a.type].default
    if default is REQUIRED:
        raise ValueError(f"attribute {a.type} is missing")
    return DTYPE[default]


def infer(op: str, ins: Inputs, attrs: Attributes, outputs: int) -> tuple[Sequence[Type], Attributes]:
    """The types of the outputs of ``op``; where shapes are not inferred here their rank is not known."""
    d = definition(op)
    if d is None:
        raise ValueError(f"no definition of {op}")
    shape: Shape = None
    try:
        if op in _SHAPES and outputs == 1:
            shape = _SHAPES[op](ins, attrs)
        return [Type(t, shape) for t in dtypes_of(d, ins, attrs, outputs)], attrs
    except (IndexError, ZeroDivisionError) as e:
        raise Unsupported(f"{op} does not fit its inputs: {e}") from None


def builder() -> RawBuilder:
    """A fresh builder of raw nodes."""
    return RawBuilder(infer)
