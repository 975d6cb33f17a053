"""Moving elements: reshaping, transposing, joining, cutting."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.tensor import Tensor
from ....ir.types import Type
from ...writing import INT32, known, own_sizes, rank
from .common import (
    F32,
    I32,
    I64,
    TF,
    alike,
    cast,
    concat,
    from_onnx,
    i32,
    index,
    ints,
    reshape,
    scalar,
    sizes,
    together,
    transpose,
)


@from_onnx("Identity")
def identity(tf: TF, x: Value) -> Any:
    return x


@from_onnx("Reshape")
def reshape_(tf: TF, x: Value, shape: Value, *, allowzero: int = 0) -> Any:
    """The shape that is known of the result, one size left open; else what is computed at run time.

    A zero stands for the size of the input, unless ``allowzero``."""
    out = tf.out.shape
    if out is not None and sum(not isinstance(d, int) for d in out) <= 1 and 0 not in out:
        return reshape(tf, x, out)
    if out is not None and tf.out.static:
        return reshape(tf, x, out)
    if shape.shape is None or not isinstance(shape.shape[0], int):
        raise Unsupported("a rank that is only known at run time")
    n, m = shape.shape[0], rank(x)
    want = index(tf, shape)
    zeros = None if want.data is None else want.numpy() == 0
    sure = shape.elements is not None and all(e is not None and e != 0 for e in shape.elements)
    if not allowzero and not sure and (zeros is None or zeros.any()):
        own = concat(tf, [sizes(tf, x, 0, min(n, m)), ints([0] * max(0, n - m))])
        copied = tf.Equal(want, constant(0, want.dtype)) if zeros is None else constant(zeros)
        want = tf.SelectV2(copied, *alike(tf, [own, want]))
    return tf.Reshape(x, want, type=Type(x.dtype, out))


@from_onnx("Flatten")
def flatten(tf: TF, x: Value, *, axis: int = 1) -> Any:
    out = tf.out.shape
    if out is None:
        raise Unsupported("of a value of unknown rank")
    if sum(not isinstance(d, int) for d in out) <= 1:
        return reshape(tf, x, out)
    parts = [tf.Prod(sizes(tf, x, *ends), ints([0]), keep_dims=True) if ends[0] < ends[1] else ints([1])
             for ends in ((0, axis), (axis, rank(x)))]
    return tf.Reshape(x, concat(tf, parts), type=Type(x.dtype, out))


@from_onnx("Squeeze", "Unsqueeze")
def squeeze(tf: TF, x: Value, axes: Value | None = None) -> Any:
    out = tf.out.shape
    if out is None:
        raise Unsupported("of a value of unknown rank")
    if sum(not isinstance(d, int) for d in out) <= 1:
        return reshape(tf, x, out)
    assert tf.node is not None
    which = known(axes, "the axes")
    if tf.node.op == "Squeeze":
        return tf.Squeeze(x, squeeze_dims=[a % rank(x) for a in which])
    n = rank(x) + len(which)
    for a in sorted(a % n for a in which):
        x = tf.ExpandDims(x, constant(a, I32))
    return x


@from_onnx("Transpose")
def transpose_(tf: TF, x: Value, *, perm: Sequence[int] = ()) -> Any:
    return transpose(tf, x, list(perm) or list(range(rank(x)))[::-1])


@from_onnx("Concat")
def concat_(tf: TF, *values: Value, axis: int) -> Any:
    same = together(tf, values, "f4 f8 f2 bf i4 i8 u1 i1 i2 u2 u4 u8 ? O")
    return same[0] if len(same) == 1 else tf.ConcatV2(*same, constant(axis % rank(same[0]), I32))


@from_onnx("Shape")
def shape_of(tf: TF, x: Value, *, start: int = 0, end: int | None = None) -> Any:
    n = rank(x)
    first, last, _ = slice(start, end).indices(n)
    kind = I64 if tf.dialect.holds(I64) and tf.out.dtype == I64 else I32
    whole = tf.Shape(x, out_type=kind)
    return whole if (first, last) == (0, n) else tf.Slice(whole, ints([first]), ints([max(0, last - first)]))


@from_onnx("Size")
def size(tf: TF, x: Value) -> Any:
    kind = I64 if tf.dialect.holds(I64) and tf.out.dtype == I64 else I32
    return tf.Size(x, out_type=kind)


@from_onnx("Expand")
def expand(tf: TF, x: Value, shape: Value) -> Any:
    """An axis of one in the shape leaves that of the input."""
    out = tf.out
    if out.static:
        return tf.BroadcastTo(x, ints([d for d in out.shape or () if isinstance(d, int)]))
    if shape.shape is None or not isinstance(shape.shape[0], int):
        raise Unsupported("a rank that is only known at run time")
    m, n = shape.shape[0], rank(x)
    want, own = alike(tf, [index(tf, shape), sizes(tf, x, 0, n)])
    want, own = _ahead(tf, want, n - m), _ahead(tf, own, m - n)
    taken = own_sizes(x, shape)
    if taken is not None and not any(taken):
        full = want
    elif own.data is not None and want.data is not None:
        full = constant(np.where(want.numpy() == 1, own.numpy(), want.numpy()))
    else:
        ones = tf.Equal(want, constant(1, want.dtype)) if taken is None else constant(np.array(taken))
        full = tf.SelectV2(ones, own, want)
    return tf.BroadcastTo(x, full, type=Type(x.dtype, out.shape))


def _ahead(tf: TF, shape: Value, ones: int) -> Value:
    """A shape with axes of one in front."""
    return shape if ones <= 0 else concat(tf, [ints([1] * ones), shape])


@from_onnx("Tile")
def tile(tf: TF, x: Value, repeats: Value) -> Any:
    return tf.Tile(x, index(tf, repeats, "the repeats"), type=Type(x.dtype, tf.out.shape))


@from_onnx("ConstantOfShape")
def constant_of_shape(tf: TF, shape: Value, *, value: Tensor | None = None) -> Any:
    fill = np.zeros(1, F32) if value is None else value.numpy()
    return tf.Fill(index(tf, shape), constant(fill.reshape(()).astype(tf.out.dtype)), type=tf.out)


@from_onnx("Range")
def range_(tf: TF, start: Value, limit: Value, delta: Value, *, stash_type: int = 1) -> Any:
    """Of integers: the kernel adds up, and refuses to go the wrong way."""
    start, limit, delta = (scalar(tf, v) for v in together(tf, [start, limit, delta], "i4 i8"))
    if delta.data is None:
        up = tf.Greater(delta, constant(0, delta.dtype))
        limit = tf.SelectV2(up, tf.Maximum(start, limit), tf.Minimum(start, limit))
    elif start.data is not None and delta.numpy() > 0 and ranges.of(limit)[0] >= int(start.numpy()):
        pass  # the way is right
    elif start.data is None or limit.data is None:
        limit = tf.add("Maximum" if delta.numpy() > 0 else "Minimum", start, limit)
    else:
        far = (max if delta.numpy() > 0 else min)(int(start.numpy()), int(limit.numpy()))
        limit = constant(far, start.dtype)
    return tf.Range(start, limit, delta, type=Type(start.dtype, tf.out.shape))


@from_onnx("Split")
def split(tf: TF, x: Value, parts: Value | None = None, *, axis: int = 0, num_outputs: int = 0) -> Any:
    assert tf.node is not None
    axis %= rank(x)
    outs = tf.node.outputs
    types = [Type(x.dtype, o.shape) for o in outs]
    lengths: Sequence[Any] = known(parts, "the lengths of the parts") if parts is not None else \
        [o.shape[axis] if o.shape is not None else None for o in outs]
    if any(not isinstance(n, int) for n in lengths):
        raise Unsupported("parts of a length that is only known at run time")
    if len(lengths) == 1:
        return x
    if len(set(lengths)) == 1:
        return tf.Split(constant(axis, I32), x, num_split=len(outs), outputs=len(outs), type=types)
    return tf.SplitV(x, ints(lengths), constant(axis, I32), num_split=len(outs), outputs=len(outs), type=types)


def _end(tf: TF, v: Value) -> Value:
    """Starts, ends and steps: what is beyond 32 bits lies beyond every tensor too."""
    if v.data is not None:
        return constant(np.clip(v.numpy(), -INT32[1], INT32[1]).astype(I32))
    if v.dtype == I64 and not ranges.fits(v):
        v = tf.Maximum(tf.Minimum(v, constant(INT32[1], I64)), constant(-INT32[1], I64))
    return cast(tf, v, I32)


@from_onnx("Slice")
def slice_(tf: TF, x: Value, starts: Value, ends: Value, axes: Value | None = None, steps: Value | None = None) -> Any:
    n = rank(x)
    if starts.shape is None or not isinstance(starts.shape[0], int):
        raise Unsupported("a number of axes that is only known at run time")
    if n > 8:
        raise Unsupported(f"{n} axes; the kernel takes 8")
    m = starts.shape[0]
    which = [a % n for a in known(axes, "the axes")] if axes is not None else list(range(m))
    first, last = _end(tf, starts), _end(tf, ends)
    step = ints([1] * m) if steps is None else _end(tf, steps)
    begin_mask = end_mask = (1 << n) - 1
    for a in which:
        begin_mask &= ~(1 << a)
        end_mask &= ~(1 << a)
    if last.data is not None and step.data is not None:
        for a, hi, by in zip(which, last.numpy(), step.numpy(), strict=True):
            end_mask |= (1 << a) if (hi == INT32[1] and by > 0) or (hi <= -INT32[1] and by < 0) else 0
    place = [which.index(a) if a in which else m for a in range(n)]
    begin, end, stride = (_spread(tf, v, place, rest) for v, rest in ((first, 0), (last, 0), (step, 1)))
    if (step.data is None or (step.numpy() < 0).any()) and (first.data is None or (first.numpy() < -1).any()):
        begin = _within(tf, begin, sizes(tf, x, 0, n))
    return tf.StridedSlice(x, begin, end, stride, begin_mask=begin_mask, end_mask=end_mask,
                           type=Type(x.dtype, tf.out.shape))


def _within(tf: TF, begin: Value, own: Value) -> Value:
    """Where to begin, not before the first element: backwards the kernel would take none then, ONNX takes the first."""
    if own.data is not None and begin.data is not None:
        return constant(np.maximum(begin.numpy(), -own.numpy()))
    made: Value = tf.Maximum(begin, tf.Neg(own) if own.data is None else constant(-own.numpy()))
    return made


def _spread(tf: TF, v: Value, place: Sequence[int], rest: int) -> Value:
    """For each axis the element at its place; ``rest`` behind the last one."""
    if v.data is not None:
        return constant(np.append(v.numpy(), rest)[list(place)].astype(I32))
    if v.shape == (len(place),) and list(place) == list(range(len(place))):
        return v
    m = v.shape[0] if v.shape is not None else None
    first = place.index(0) if 0 in place else 0
    if isinstance(m, int) and m and list(place) == [*[m] * first, *range(m), *[m] * (len(place) - first - m)]:
        return concat(tf, [ints([rest] * first), v, ints([rest] * (len(place) - first - m))])
    made: Value = tf.GatherV2(concat(tf, [v, ints([rest])]), ints(place), constant(0, I32))
    return made


def _mirror(tf: TF, x: Value, pads: Value, axes: Value | None, n: int) -> Any:
    """Reflected without the edge, once: the kernel wants pads below the size."""
    amounts, m = known(pads, "the pads"), len(known(pads, "the pads")) // 2
    which = [a % n for a in known(axes, "the axes")] if axes is not None else list(range(m))
    pairs = np.zeros((n, 2), I32)
    for k, a in enumerate(which):
        pairs[a] = amounts[k], amounts[k + m]
    if any(not isinstance(d, int) or min(p) < 0 or max(p) >= d
           for d, p in zip(x.shape or (), pairs.tolist(), strict=True) if any(p)):
        raise Unsupported("pads that are negative, or not known to be below the size")
    return tf.MirrorPad(x, constant(pairs), mode="REFLECT", type=Type(x.dtype, tf.out.shape))


def _cut(tf: TF, x: Value, both: Value) -> tuple[Value, Value]:
    """``x`` without what negative pads take away, and the pads without them."""
    n = rank(x)
    cut = tf.Maximum(tf.Neg(both), constant(0, I32))
    first, last = (reshape(tf, tf.Slice(cut, ints([0, k]), ints([n, 1])), (n,)) for k in (0, 1))
    left = tf.Maximum(tf.Sub(sizes(tf, x, 0, n), tf.AddV2(first, last)), constant(0, I32))
    return tf.Slice(x, first, left, type=Type(x.dtype, (None,) * n)), tf.Maximum(both, constant(0, I32))


@from_onnx("Pad")
def pad(tf: TF, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *,
        mode: str = "constant") -> Any:
    n = rank(x, 5)
    if mode == "reflect":
        return _mirror(tf, x, pads, axes, n)
    if mode != "constant":
        raise Unsupported(f"mode '{mode}'")
    if pads.shape is None or not isinstance(pads.shape[0], int):
        raise Unsupported("a number of axes that is only known at run time")
    m = pads.shape[0] // 2
    which = [a % n for a in known(axes, "the axes")] if axes is not None else list(range(m))
    amounts = i32(tf, pads, "the pads")
    if amounts.data is not None and (amounts.numpy() < 0).any():
        raise Unsupported("negative pads")
    place = [which.index(a) if a in which else 2 * m for a in range(n)]
    pairs = [p for k in place for p in (k, k + m if k < 2 * m else k)]
    both = reshape(tf, _spread(tf, amounts, pairs, 0), (n, 2))
    if pads.data is None and ranges.of(pads)[0] < 0:
        x, both = _cut(tf, x, both)
    if value is None and x.dtype.kind != "O":
        return tf.Pad(x, both, type=Type(x.dtype, tf.out.shape))
    fill = constant(np.array("", object)) if value is None else scalar(tf, cast(tf, value, x.dtype))
    return tf.PadV2(x, both, fill, type=Type(x.dtype, tf.out.shape))
