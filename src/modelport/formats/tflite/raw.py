"""Building raw TensorFlow Lite nodes: the types of what the operators make, as their kernels compute them.

Only what the rules of :mod:`.from_onnx` use between two operators needs a type here: the last operator of a rule
takes the shape that the hub knows."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder
from ...ir.types import Dim, DType, Shape, Type
from ..writing import numbers
from .tensors import DTYPES, NAMES

BOOL, F32, I32, I64 = map(np.dtype, ("?", "f4", "i4", "i8"))
Inputs = Sequence["Value | None"]
Attributes = Mapping[str, Any]


def broadcast(*shapes: Shape) -> Shape:
    """The shape of an elementwise operator; what is not known, or only when it runs, is ``None``."""
    if any(s is None for s in shapes):
        return None
    known = [s for s in shapes if s is not None]
    rank = max(map(len, known), default=0)
    out: list[Dim] = []
    for k in range(rank):
        dims = [s[k - rank] for s in known if len(s) >= rank - k]
        dims = [d for d in dims if d != 1] or [1]
        numbers = [d for d in dims if isinstance(d, int)]
        out.append(numbers[0] if numbers else dims[0] if all(d == dims[0] for d in dims) else None)
    return tuple(out)


def _first(ins: Inputs, attrs: Attributes) -> Type:
    x = ins[0]
    assert x is not None
    return Type(x.dtype, x.shape)


def _nary(ins: Inputs, attrs: Attributes) -> Type:
    values = [v for v in ins if v is not None]
    return Type(values[0].dtype, broadcast(*(v.shape for v in values)))


def _truth(ins: Inputs, attrs: Attributes) -> Type:
    return Type(BOOL, _nary(ins, attrs).shape)


def _cast(ins: Inputs, attrs: Attributes) -> Type:
    assert ins[0] is not None
    return Type(DTYPES[attrs["out_data_type"]], ins[0].shape)


def _length(v: Value | None) -> int | None:
    return v.shape[0] if v is not None and v.shape is not None and len(v.shape) == 1 and isinstance(v.shape[0], int) \
        else None


def _shaped(place: int) -> Callable[[Inputs, Attributes], Type]:
    """Operators whose output has the shape that an input says."""
    def infer(ins: Inputs, attrs: Attributes) -> Type:
        x, said = ins[0], ins[place]
        assert x is not None
        dims, rank = numbers(said), _length(said)
        if dims is None:
            return Type(x.dtype, None if rank is None else (None,) * rank)
        if -1 in dims:
            left = x.type.size
            rest = int(np.prod([d for d in dims if d != -1]))
            return Type(x.dtype, tuple((None if left is None or not rest else left // rest) if d == -1 else d
                                       for d in dims))
        return Type(x.dtype, tuple(dims))
    return infer


def _transpose(ins: Inputs, attrs: Attributes) -> Type:
    x, perm = ins[0], numbers(ins[1])
    assert x is not None
    return Type(x.dtype, None if perm is None or x.shape is None else tuple(x.shape[p] for p in perm))


def _pad(ins: Inputs, attrs: Attributes) -> Type:
    x, pads = ins[0], ins[1]
    assert x is not None and pads is not None
    if x.shape is None or pads.data is None:
        return Type(x.dtype, None if x.shape is None else (None,) * len(x.shape))
    return Type(x.dtype, tuple(d + int(a) + int(b) if isinstance(d, int) else d if not a and not b else None
                               for d, (a, b) in zip(x.shape, pads.numpy().reshape(-1, 2), strict=True)))


def _concat(ins: Inputs, attrs: Attributes) -> Type:
    values = [v for v in ins if v is not None]
    shapes = [v.shape for v in values if v.shape is not None]
    if len(shapes) != len(values):
        return Type(values[0].dtype, None)
    axis = attrs["axis"] % len(shapes[0])
    out = list(broadcast(*shapes) or ())
    lengths = [s[axis] for s in shapes]
    out[axis] = sum(d for d in lengths if isinstance(d, int)) if all(isinstance(d, int) for d in lengths) else None
    return Type(values[0].dtype, tuple(out))


def _pack(ins: Inputs, attrs: Attributes) -> Type:
    x = ins[0]
    assert x is not None
    if x.shape is None:
        return Type(x.dtype)
    axis = attrs["axis"] % (len(x.shape) + 1)
    return Type(x.dtype, (*x.shape[:axis], len(ins), *x.shape[axis:]))


def _gather(ins: Inputs, attrs: Attributes) -> Type:
    x, index = ins
    assert x is not None and index is not None
    if x.shape is None or index.shape is None:
        return Type(x.dtype)
    axis, batch = attrs["axis"] % len(x.shape), attrs.get("batch_dims", 0)
    return Type(x.dtype, (*x.shape[:axis], *index.shape[batch:], *x.shape[axis + 1:]))


def _gather_nd(ins: Inputs, attrs: Attributes) -> Type:
    x, index = ins
    assert x is not None and index is not None
    if x.shape is None or index.shape is None or not isinstance(index.shape[-1], int):
        return Type(x.dtype)
    return Type(x.dtype, (*index.shape[:-1], *x.shape[index.shape[-1]:]))


def _reduce(ins: Inputs, attrs: Attributes) -> Type:
    x, axes = ins[0], numbers(ins[1])
    assert x is not None
    if x.shape is None or axes is None:
        return Type(x.dtype)
    gone = {a % len(x.shape) for a in axes}
    if attrs.get("keep_dims"):
        return Type(x.dtype, tuple(1 if k in gone else d for k, d in enumerate(x.shape)))
    return Type(x.dtype, tuple(d for k, d in enumerate(x.shape) if k not in gone))


def _arg(ins: Inputs, attrs: Attributes) -> Type:
    return Type(DTYPES[attrs["output_type"]], _reduce(ins, {}).shape)


def _slice(ins: Inputs, attrs: Attributes) -> Type:
    x, begin, size = ins[0], numbers(ins[1]), numbers(ins[2])
    assert x is not None
    if x.shape is None or size is None:
        return Type(x.dtype, None if x.shape is None else (None,) * len(x.shape))
    return Type(x.dtype, tuple(s if s >= 0 else d - begin[k] if isinstance(d, int) and begin is not None else None
                               for k, (d, s) in enumerate(zip(x.shape, size, strict=True))))


def _tile(ins: Inputs, attrs: Attributes) -> Type:
    x, times = ins[0], numbers(ins[1])
    assert x is not None
    if x.shape is None or times is None:
        return Type(x.dtype, None if x.shape is None else (None,) * len(x.shape))
    return Type(x.dtype, tuple(d * t if isinstance(d, int) else d if t == 1 else None
                               for d, t in zip(x.shape, times, strict=True)))


def _shape_of(ins: Inputs, attrs: Attributes) -> Type:
    assert ins[0] is not None
    return Type(DTYPES[attrs["out_type"]], (ins[0].rank,))


def _expand_dims(ins: Inputs, attrs: Attributes) -> Type:
    x, axis = ins[0], numbers(ins[1])
    assert x is not None
    if x.shape is None or axis is None:
        return Type(x.dtype)
    at = axis[0] % (len(x.shape) + 1)
    return Type(x.dtype, (*x.shape[:at], 1, *x.shape[at:]))


def _squeeze(ins: Inputs, attrs: Attributes) -> Type:
    x = ins[0]
    assert x is not None
    if x.shape is None:
        return Type(x.dtype)
    gone = {a % len(x.shape) for a in attrs["squeeze_dims"]}
    return Type(x.dtype, tuple(d for k, d in enumerate(x.shape) if k not in gone))


def _batch_matmul(ins: Inputs, attrs: Attributes) -> Type:
    a, b = ins[0], ins[1]
    assert a is not None and b is not None
    if a.shape is None or b.shape is None or len(a.shape) < 2 or len(b.shape) < 2:
        return Type(a.dtype)
    rows = a.shape[-1] if attrs.get("adj_x") else a.shape[-2]
    columns = b.shape[-2] if attrs.get("adj_y") else b.shape[-1]
    ahead = broadcast(a.shape[:-2], b.shape[:-2]) or ()
    return Type(a.dtype, (*ahead, rows, columns))


def _fully_connected(ins: Inputs, attrs: Attributes) -> Type:
    x, w = ins[0], ins[1]
    assert x is not None and w is not None
    if x.shape is None or w.shape is None:
        return Type(x.dtype)
    if attrs.get("keep_num_dims"):
        return Type(x.dtype, (*x.shape[:-1], w.shape[0]))
    return Type(x.dtype, (x.shape[0] if len(x.shape) == 2 else None, w.shape[0]))


def _select(ins: Inputs, attrs: Attributes) -> Type:
    assert ins[1] is not None
    return Type(ins[1].dtype, _nary(ins, attrs).shape)


def _fill(ins: Inputs, attrs: Attributes) -> Type:
    assert ins[1] is not None
    dims = numbers(ins[0])
    rank = _length(ins[0])
    return Type(ins[1].dtype, tuple(dims) if dims is not None else None if rank is None else (None,) * rank)


def _range(ins: Inputs, attrs: Attributes) -> Type:
    assert ins[0] is not None
    ends = [numbers(v) for v in ins] if ins[0].dtype.kind == "i" else [None]
    if all(e is not None for e in ends):
        start, limit, step = (e[0] for e in ends if e is not None)
        return Type(ins[0].dtype, (len(range(start, limit, step)),))
    return Type(ins[0].dtype, (None,))


def _unknown(ins: Inputs, attrs: Attributes) -> Type:
    assert ins[0] is not None
    return Type(ins[0].dtype)


_UNARY = ("ABS CEIL COS ELU EXP FLOOR GELU HARD_SWISH L2_NORMALIZATION LEAKY_RELU LOG LOGICAL_NOT LOGISTIC LOG_SOFTMAX "
          "NEG RELU RELU6 RELU_0_TO_1 RELU_N1_TO_1 ROUND RSQRT SIGN SIN SOFTMAX SQRT SQUARE TANH ZEROS_LIKE CUMSUM "
          "REVERSE_V2 MIRROR_PAD LOCAL_RESPONSE_NORMALIZATION DYNAMIC_UPDATE_SLICE SCATTER_UPDATE FAKE_QUANT").split()
_NARY = ("ADD SUB MUL DIV MAXIMUM MINIMUM POW FLOOR_DIV FLOOR_MOD SQUARED_DIFFERENCE LOGICAL_AND LOGICAL_OR PRELU "
         "ATAN2 BITWISE_XOR RIGHT_SHIFT").split()
_TRUTH = "EQUAL NOT_EQUAL LESS LESS_EQUAL GREATER GREATER_EQUAL".split()
_REDUCTIONS = "SUM MEAN REDUCE_MAX REDUCE_MIN REDUCE_PROD REDUCE_ANY REDUCE_ALL".split()
_MOVES = frozenset("PAD PADV2 RESHAPE TRANSPOSE GATHER SLICE TILE EXPAND_DIMS SQUEEZE BROADCAST_TO REVERSE_V2".split())
"""Operators whose output is stored as their input is."""
_TYPES: dict[str, Callable[[Inputs, Attributes], Type]] = {
    **dict.fromkeys(_UNARY, _first), **dict.fromkeys(_NARY, _nary), **dict.fromkeys(_TRUTH, _truth),
    **dict.fromkeys(_REDUCTIONS, _reduce), **dict.fromkeys(("ARG_MAX", "ARG_MIN"), _arg),
    **dict.fromkeys(("PAD", "PADV2"), _pad), "CAST": _cast, "RESHAPE": _shaped(1), "BROADCAST_TO": _shaped(1),
    "TRANSPOSE": _transpose, "CONCATENATION": _concat, "PACK": _pack, "GATHER": _gather, "GATHER_ND": _gather_nd,
    "SLICE": _slice, "TILE": _tile, "SHAPE": _shape_of, "EXPAND_DIMS": _expand_dims, "SQUEEZE": _squeeze,
    "BATCH_MATMUL": _batch_matmul, "FULLY_CONNECTED": _fully_connected, "SELECT_V2": _select, "SELECT": _select,
    "FILL": _fill, "RANGE": _range, "STRIDED_SLICE": _unknown,
    "DEQUANTIZE": lambda ins, attrs: Type(F32, None if ins[0] is None else ins[0].shape),
}


def infer(op: str, ins: Inputs, attrs: Attributes, outputs: int) -> tuple[Sequence[Type], Attributes]:
    """The type of the only output of ``op``; operators that are not in the table need ``type=``."""
    if op not in _TYPES or outputs != 1:
        raise ValueError(f"{op} with {outputs} outputs needs its types stated")
    try:
        made = _TYPES[op](ins, attrs)
        if op in _MOVES and ins[0] is not None and ins[0].type.quant is not None:
            made = Type(made.dtype, made.shape, ins[0].type.quant)
        return [made], attrs
    except (IndexError, ZeroDivisionError) as e:
        raise Unsupported(f"{op} does not fit its inputs: {e}") from None


def type_name(dtype: DType) -> str:
    """The schema's name for an element type."""
    if dtype not in NAMES:
        raise Unsupported(f"TensorFlow Lite has no element type {dtype}")
    return NAMES[dtype]


def builder() -> Builder:
    """A fresh builder of raw nodes."""
    return Builder(infer)
