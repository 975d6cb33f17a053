"""Moving elements: reshaping, transposing, joining, cutting."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.tensor import Tensor
from ....ir.types import Type
from ...writing import INT32, known, own_sizes, rank
from .common import F32, I32, I64, NONE, carry, cast, from_onnx, i32, index, ints, reshape, together, transpose
from .index import scalar, sizes


@from_onnx("Identity")
def identity(tfl: Builder, x: Value) -> Any:
    return x


def _sizes(tfl: Builder, shape: Value) -> Value:
    """A shape as 32 bits, which hold every size that there is."""
    return i32(tfl, shape, "the shape") if shape.data is not None else index(tfl, shape)


@from_onnx("Reshape")
def reshape_(tfl: Builder, x: Value, shape: Value, *, allowzero: int = 0) -> Any:
    """The shape that is known of the result, one size left open; else what is computed at run time.

    A zero stands for the size of the input, unless ``allowzero``."""
    out = tfl.out.shape
    if out is not None and sum(not isinstance(d, int) for d in out) <= 1 and 0 not in out:
        return reshape(tfl, x, out)
    if shape.shape is None or not isinstance(shape.shape[0], int):
        raise Unsupported("a rank that is only known at run time")
    n, m = shape.shape[0], rank(x)
    want = _sizes(tfl, shape)
    zeros = None if want.data is None else want.numpy() == 0
    sure = shape.elements is not None and all(e is not None and e != 0 for e in shape.elements)
    if not allowzero and not sure and (zeros is None or zeros.any()):
        own = sizes(tfl, x, 0, min(n, m))
        if n > m:
            own = tfl.CONCATENATION(own, ints([0] * (n - m)), axis=0, **NONE)
        copied = tfl.EQUAL(want, constant(0, I32)) if zeros is None else constant(zeros)
        want = tfl.SELECT_V2(copied, own, want)
    return tfl.RESHAPE(x, want, type=tfl.out, **({} if want.data is None else {"new_shape": [*want.numpy()]}))


@from_onnx("Flatten")
def flatten(tfl: Builder, x: Value, *, axis: int = 1) -> Any:
    if tfl.out.shape is None:
        raise Unsupported("of a value of unknown rank")
    return reshape(tfl, x, tfl.out.shape)


@from_onnx("Squeeze", "Unsqueeze")
def squeeze(tfl: Builder, x: Value, axes: Value | None = None) -> Any:
    out = tfl.out.shape
    if out is None:
        raise Unsupported("of a value of unknown rank")
    if sum(not isinstance(d, int) for d in out) <= 1:
        return reshape(tfl, x, out)
    assert tfl.node is not None
    which = known(axes, "the axes")
    if tfl.node.op == "Squeeze":
        return tfl.SQUEEZE(x, squeeze_dims=[a % rank(x) for a in which])
    n = rank(x) + len(which)
    for a in sorted(a % n for a in which):
        x = tfl.EXPAND_DIMS(x, ints([a]))
    return x


@from_onnx("Transpose")
def transpose_(tfl: Builder, x: Value, *, perm: Sequence[int] = ()) -> Any:
    n = rank(x, 8)
    return transpose(tfl, x, list(perm) or list(range(n))[::-1])


@from_onnx("Concat")
def concat(tfl: Builder, *values: Value, axis: int) -> Any:
    same = together(tfl, values, "f4 i4 i8 ? i1 u1 i2")
    rank(same[0], 6)  # XNNPACK fails on more
    return same[0] if len(same) == 1 else tfl.CONCATENATION(*same, axis=axis % rank(same[0]),
                                                           fused_activation_function="NONE")


@from_onnx("Shape")
def shape_of(tfl: Builder, x: Value, *, start: int = 0, end: int | None = None) -> Any:
    n = rank(x)
    sizes = tfl.SHAPE(x, out_type="INT32")
    first, last, _ = slice(start, end).indices(n)
    if (first, last) == (0, n):
        return sizes
    return tfl.SLICE(sizes, ints([first]), ints([max(0, last - first)]))


@from_onnx("Size")
def size(tfl: Builder, x: Value) -> Any:
    rank(x)
    return tfl.REDUCE_PROD(tfl.SHAPE(x, out_type="INT32"), ints([0]), keep_dims=False)


@from_onnx("Expand")
def expand(tfl: Builder, x: Value, shape: Value) -> Any:
    """An axis of one in the shape leaves that of the input."""
    out = tfl.out
    if out.static:
        known_shape = ints([d for d in out.shape or () if isinstance(d, int)])
        return tfl.BROADCAST_TO(x, known_shape, type=Type(x.dtype, out.shape))
    if shape.shape is None or not isinstance(shape.shape[0], int):
        raise Unsupported("a rank that is only known at run time")
    m, n = shape.shape[0], rank(x)
    want, own = _sizes(tfl, shape), sizes(tfl, x, 0, n)
    want, own = _ahead(tfl, want, n - m), _ahead(tfl, own, m - n)
    taken = own_sizes(x, shape)
    if taken is not None and not any(taken):
        full = want
    elif own.data is not None and want.data is not None:
        full = constant(np.where(want.numpy() == 1, own.numpy(), want.numpy()).astype(I32))
    else:
        ones = tfl.EQUAL(want, constant(1, I32)) if taken is None else constant(np.array(taken))
        full = tfl.SELECT_V2(ones, own, want)
    return tfl.BROADCAST_TO(x, full, type=Type(x.dtype, out.shape))


def _ahead(tfl: Builder, shape: Value, ones: int) -> Value:
    """A shape with axes of one in front."""
    if ones <= 0:
        return shape
    if shape.data is not None:
        return constant(np.concatenate([np.ones(ones, I32), shape.numpy()]))
    made: Value = tfl.CONCATENATION(ints([1] * ones), shape, axis=0, **NONE)
    return made


@from_onnx("Tile")
def tile(tfl: Builder, x: Value, repeats: Value) -> Any:
    return tfl.TILE(x, index(tfl, repeats, "the repeats"), type=Type(x.dtype, tfl.out.shape))


@from_onnx("ConstantOfShape")
def constant_of_shape(tfl: Builder, shape: Value, *, value: Tensor | None = None) -> Any:
    fill = np.zeros(1, F32) if value is None else value.numpy()
    return tfl.FILL(_sizes(tfl, shape), constant(fill.reshape(()).astype(tfl.out.dtype)), type=tfl.out)


@from_onnx("Range")
def range_(tfl: Builder, start: Value, limit: Value, delta: Value, *, stash_type: int = 1) -> Any:
    """Of integers: the kernel adds up, and refuses to go the wrong way."""
    ends = [scalar(tfl, v) for v in together(tfl, [start, limit, delta], "i4 i8")]
    start, limit, delta = ends
    if delta.data is None:
        up = tfl.GREATER(delta, constant(0, delta.dtype))
        limit = tfl.SELECT_V2(up, tfl.MAXIMUM(start, limit), tfl.MINIMUM(start, limit))
    elif start.data is not None and delta.numpy() > 0 and ranges.of(limit)[0] >= int(start.numpy()):
        pass  # the way is right
    elif start.data is None or limit.data is None:
        limit = tfl.add("MAXIMUM" if delta.numpy() > 0 else "MINIMUM", start, limit)
    else:
        far = (max if delta.numpy() > 0 else min)(int(start.numpy()), int(limit.numpy()))
        limit = constant(far, start.dtype)
    return tfl.RANGE(start, limit, delta, type=Type(start.dtype, tfl.out.shape))


@from_onnx("Split")
def split(tfl: Builder, x: Value, parts: Value | None = None, *, axis: int = 0, num_outputs: int = 0) -> Any:
    assert tfl.node is not None
    axis %= rank(x, 6)  # XNNPACK fails on more
    outs = tfl.node.outputs
    x = carry(tfl, x, "f4 i4 i8 i1 u1 i2")
    types = [Type(x.dtype, o.shape) for o in outs]
    lengths = known(parts, "the lengths of the parts") if parts is not None else \
        [o.shape[axis] if o.shape is not None else None for o in outs]
    if any(not isinstance(n, int) for n in lengths):
        raise Unsupported("parts of a length that is only known at run time")
    if len(set(lengths)) == 1:
        return tfl.SPLIT(constant(axis, I32), x, num_splits=len(outs), outputs=len(outs), type=types)
    return tfl.SPLIT_V(x, ints([n for n in lengths if isinstance(n, int)]), constant(axis, I32), num_splits=len(outs),
                       outputs=len(outs), type=types)


def _end(tfl: Builder, v: Value) -> Value:
    """Starts, ends and steps as 32 bits: what is beyond lies beyond every tensor too."""
    if v.data is not None:
        return constant(np.clip(v.numpy(), -INT32[1], INT32[1]).astype(I32))
    if v.dtype == I64:
        v = tfl.MAXIMUM(constant(-INT32[1], I64), tfl.MINIMUM(constant(INT32[1], I64), v))
    return cast(tfl, v, I32)


@from_onnx("Slice")
def slice_(tfl: Builder, x: Value, starts: Value, ends: Value, axes: Value | None = None,
           steps: Value | None = None) -> Any:
    n = rank(x, 8)
    if starts.shape is None or not isinstance(starts.shape[0], int):
        raise Unsupported("a number of axes that is only known at run time")
    m = starts.shape[0]
    which = [a % n for a in known(axes, "the axes")] if axes is not None else list(range(m))
    first, last = _end(tfl, starts), _end(tfl, ends)
    step = ints([1] * m) if steps is None else _end(tfl, steps)
    if x.dtype == F32 and [v.data is not None and v.numpy().tolist() for v in (first, last, step)] \
            == [[-1], [-INT32[1]], [-1]]:  # rows are copied whole; STRIDED_SLICE goes element by element
        return tfl.REVERSE_V2(x, ints(which))
    begin_mask = end_mask = (1 << n) - 1
    for a in which:
        begin_mask &= ~(1 << a)
        end_mask &= ~(1 << a)
    if last.data is not None:
        for a, hi in zip(which, last.numpy(), strict=True):
            end_mask |= (1 << a) if hi == INT32[1] and step.data is not None and (step.numpy() > 0).all() else 0
    place = [which.index(a) if a in which else m for a in range(n)]
    begin, end, stride = (_spread(tfl, v, place, rest) for v, rest in ((first, 0), (last, 0), (step, 1)))
    if (step.data is None or (step.numpy() < 0).any()) and (first.data is None or (first.numpy() < -1).any()):
        begin = _within(tfl, begin, sizes(tfl, x, 0, n))
    return tfl.STRIDED_SLICE(x, begin, end, stride, begin_mask=begin_mask, end_mask=end_mask, ellipsis_mask=0,
                             new_axis_mask=0, shrink_axis_mask=0, offset=False, type=Type(x.dtype, tfl.out.shape))


def _within(tfl: Builder, begin: Value, own: Value) -> Value:
    """Where to begin, not before the first element: backwards the kernel would take none then, ONNX takes the first."""
    if own.data is not None and begin.data is not None:
        return constant(np.maximum(begin.numpy(), -own.numpy()))
    made: Value = tfl.MAXIMUM(begin, tfl.NEG(own) if own.data is None else constant(-own.numpy()))
    return made


def _spread(tfl: Builder, v: Value, place: Sequence[int], rest: int) -> Value:
    """For each axis the element at its place; ``rest`` behind the last one."""
    if v.data is not None:
        return constant(np.append(v.numpy(), rest)[list(place)].astype(I32))
    if v.shape == (len(place),) and list(place) == list(range(len(place))):
        return v
    m = v.shape[0] if v.shape is not None else None
    first = place.index(0) if 0 in place else 0
    made: Value
    if isinstance(m, int) and m and list(place) == [*[m] * first, *range(m), *[m] * (len(place) - first - m)]:
        parts = [ints([rest] * first), v, ints([rest] * (len(place) - first - m))]
        made = tfl.CONCATENATION(*(p for p in parts if p.type.size != 0), axis=0, **NONE)
        return made
    made = tfl.GATHER(tfl.CONCATENATION(v, ints([rest]), axis=0, **NONE), ints(place), axis=0, batch_dims=0)
    return made


def _mirror(tfl: Builder, x: Value, pads: Value, axes: Value | None, n: int) -> Any:
    """Reflected without the edge, once: the kernel wants pads below the size."""
    amounts, m = known(pads, "the pads"), len(known(pads, "the pads")) // 2
    which = [a % n for a in known(axes, "the axes")] if axes is not None else list(range(m))
    pairs = np.zeros((n, 2), I32)
    for k, a in enumerate(which):
        pairs[a] = amounts[k], amounts[k + m]
    x = carry(tfl, x, "f4 i4 i8")
    if any(not isinstance(d, int) or min(p) < 0 or max(p) >= d
           for d, p in zip(x.shape or (), pairs.tolist(), strict=True) if any(p)):
        raise Unsupported("pads that are negative, or not known to be below the size")
    return tfl.MIRROR_PAD(x, constant(pairs), mode="REFLECT", type=Type(x.dtype, tfl.out.shape))


@from_onnx("Pad")
def pad(tfl: Builder, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *,
        mode: str = "constant") -> Any:
    n = rank(x, 5)
    if mode == "reflect":
        return _mirror(tfl, x, pads, axes, n)
    if mode != "constant":
        raise Unsupported(f"mode '{mode}'")
    if pads.shape is None or not isinstance(pads.shape[0], int):
        raise Unsupported("a number of axes that is only known at run time")
    m = pads.shape[0] // 2
    which = [a % n for a in known(axes, "the axes")] if axes is not None else list(range(m))
    amounts = i32(tfl, pads, "the pads") if pads.data is not None else index(tfl, pads)
    if amounts.data is not None and (amounts.numpy() < 0).any():
        raise Unsupported("negative pads")
    place = [which.index(a) if a in which else 2 * m for a in range(n)]
    pairs = [p for k in place for p in (k, k + m if k < 2 * m else k)]
    both = reshape(tfl, _spread(tfl, amounts, pairs, 0), (n, 2))
    x = carry(tfl, x, "f4 i4 i8 i1 u1 i2 ?")
    if value is None:
        return tfl.PAD(x, both, type=Type(x.dtype, tfl.out.shape))
    fill = scalar(tfl, cast(tfl, value, x.dtype))
    if x.type.quant is not None and fill.data is not None:  # the kernel wants it stored as the input is
        fill = Value(Type(x.dtype, fill.shape, x.type.quant), fill.name, data=fill.data)
    return tfl.PADV2(x, both, fill, type=Type(x.dtype, tfl.out.shape))
