"""Shapes, parts and indices."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import Dim, Type
from .common import BOOL, F32, I32, Ints, array, call, dims, from_onnx, known, rank, reshape, transpose
from .conv import padded


@from_onnx("Identity")
def identity(k: Builder, x: Value) -> Any:
    return x


@from_onnx("Reshape", "Flatten", "Squeeze", "Unsqueeze")
def reshape_(k: Builder, x: Value, _: Value | None = None, *, allowzero: int = 0, axis: int = 1) -> Any:
    out = k.out.shape
    if out is None or any(d is None for d in out):
        raise Unsupported("a shape that is computed at run time")
    assert k.node is not None
    x = _unmoved(x)
    pool = x.node
    if pool is not None and pool.op.startswith("Global") and pool.attrs.get("keepdims") and x.shape is not None \
            and out == (x.shape[0], x.shape[-1]):
        return k.add(pool.op, *pool.inputs, **{**pool.attrs, "keepdims": False}, type=k.out)
    if k.node.op in ("Squeeze", "Unsqueeze") and sum(not isinstance(d, int) for d in out) > 1:
        return _axes(k, x)
    if k.node.op == "Flatten" and axis == 1 and rank(x) > 1 and x.dtype == F32:
        return k.Flatten(x, data_format="channels_last", type=k.out)
    return reshape(k, x, out) if x.shape != out else x


def _unmoved(x: Value) -> Value:
    """A value before its axes of length one were moved, which a change of shape does not see."""
    while x.node is not None and x.op in ("Permute", "ops.transpose") and (before := x.node.inputs[0]) is not None:
        perm = x.node.attrs.get("axes") or (0, *x.node.attrs["dims"])
        wide = [p for p in perm if before.shape is None or before.shape[p] != 1]
        if wide != sorted(wide):
            break
        x = before
    return x


def _axes(k: Builder, x: Value) -> Any:
    """Axes of length one, one after the other."""
    assert k.node is not None
    axes = known(k.node.inputs[1], "the axes") if len(k.node.inputs) > 1 else [
        a for a, d in enumerate(x.shape or ()) if d == 1]
    if k.node.op == "Squeeze":
        return call(k, "squeeze", x, axis=tuple(a % rank(x) for a in axes), type=k.out)
    whole = rank(x) + len(axes)
    for a in sorted(a % whole for a in axes):
        x = call(k, "expand_dims", x, axis=a)
    return x


@from_onnx("Transpose")
def transpose_(k: Builder, x: Value, *, perm: Ints = ()) -> Any:
    return transpose(k, x, perm or tuple(reversed(range(rank(x)))))


@from_onnx("Concat")
def concat(k: Builder, *values: Value, axis: int) -> Any:
    n = rank(values[0])
    if len(values) == 1:
        return values[0]
    if n > 1 and all(v.data is None and v.dtype == F32 for v in values) and axis % n:
        return k.Concatenate(*values, axis=axis % n - n if axis % n == n - 1 else axis % n, type=k.out)
    return call(k, "concatenate", *values, axis=axis % n, type=k.out)


def _part(k: Builder, x: Value, slices: list[slice], type: Type) -> Value:
    made: Value = call(k, "get_item", x, key=tuple(slices), type=type)
    return made


@from_onnx("Slice")
def slice_(k: Builder, x: Value, starts: Value, ends: Value, axes: Value | None = None,
           steps: Value | None = None) -> Any:
    first, last = known(starts, "the starts"), known(ends, "the ends")
    where = known(axes, "the axes") if axes is not None else list(range(len(first)))
    step = known(steps, "the steps") if steps is not None else [1] * len(first)
    keys = [slice(None)] * rank(x)
    for a, b, e, s in zip(where, first, last, step, strict=True):
        if s < 0:
            if s != -1 or b not in (-1, np.iinfo(np.int64).max, np.iinfo(np.int32).max) or e > -(1 << 30):
                raise Unsupported("a part of a value backwards")
            x = call(k, "flip", x, axis=a % rank(x), type=Type(x.dtype, x.shape))
            continue
        keys[a % rank(x)] = slice(b or None, None if e >= 1 << 30 else e, None if s == 1 else s)
    return _part(k, x, keys, k.out) if any(key != slice(None) for key in keys) else x


@from_onnx("Split")
def split(k: Builder, x: Value, sizes: Value | None = None, *, axis: int = 0, num_outputs: int = 0) -> Any:
    assert k.node is not None
    axis %= rank(x)
    outs = k.node.outputs
    found = known(sizes, "the sizes") if sizes is not None else [
        d for o in outs if o.shape is not None and isinstance(d := o.shape[axis], int)]
    if len(found) != len(outs):
        raise Unsupported("parts whose sizes are not known")
    ends = np.cumsum([0, *found]).tolist()
    parts = []
    for a, b, o in zip(ends, ends[1:], outs, strict=False):
        keys = [slice(None)] * rank(x)
        keys[axis] = slice(a or None, b)
        parts.append(_part(k, x, keys, o.type))
    return tuple(parts)


@from_onnx("Gather")
def gather(k: Builder, x: Value, index: Value, *, axis: int = 0) -> Any:
    axis %= rank(x)
    if x.data is not None and x.dtype == F32 and x.rank == 2 and axis == 0 and index.data is None and min(dims(x)):
        rows, width = dims(x)
        return k.Embedding(_counted(k, index, rows), x, input_dim=rows, output_dim=width, mask_zero=False, type=k.out)
    length = None if x.shape is None else x.shape[axis]
    if index.data is not None:
        at = index.numpy()
        if at.size and at.min() < 0:
            if not isinstance(length, int):
                raise Unsupported("indices from the end of an axis whose length is not known")
            at = np.where(at < 0, at + length, at)
        if at.ndim == 0:
            keys: list[Any] = [slice(None)] * rank(x)
            keys[axis] = slice(int(at), int(at) + 1)
            part = _part(k, x, keys, Type(x.dtype, None))
            return call(k, "squeeze", part, axis=axis, type=k.out)
        return call(k, "take", x, constant(at.astype(np.int32)), axis=axis, type=k.out)
    return call(k, "take", x, _counted(k, index, length), axis=axis, type=k.out)


def _counted(k: Builder, index: Value, length: Dim, at: int = 1) -> Value:
    """Indices that ONNX lets count from the end, from the start; the node has them as its input ``at``."""
    asked = k.node.inputs[at] if k.node is not None else None
    if asked is not None and ranges.of(asked)[0] >= 0:
        return index
    if not isinstance(length, int):
        raise Unsupported("indices into an axis whose length is not known")
    behind = call(k, "add", index, constant(length, index.dtype))
    made: Value = call(k, "where", call(k, "less", index, constant(0, index.dtype)), behind, index,
                       type=Type(index.dtype, index.shape))
    return made


@from_onnx("GatherElements")
def gather_elements(k: Builder, x: Value, index: Value, *, axis: int = 0) -> Any:
    axis %= rank(x)
    length = None if x.shape is None else x.shape[axis]
    if not isinstance(length, int) or x.shape is None or index.shape is None or any(
            a != b for n, (a, b) in enumerate(zip(x.shape, index.shape, strict=True)) if n != axis):
        raise Unsupported("indices that do not take every row, or into an axis whose length is not known")
    return call(k, "take_along_axis", x, _counted(k, index, length), axis=axis, type=k.out)


@from_onnx("ScatterND")
def scatter_nd(k: Builder, x: Value, index: Value, updates: Value, *, reduction: str = "none") -> Any:
    width = (index.shape or (None,))[-1]
    sizes = (x.shape or ())[:width] if isinstance(width, int) else ()
    if reduction != "none" or not sizes or not all(isinstance(d, int) for d in sizes) or x.data is not None:
        raise Unsupported(f"reduction '{reduction}', or axes whose lengths are not known")
    behind = call(k, "add", index, constant(np.array(sizes, index.dtype)))
    at = call(k, "where", call(k, "less", index, constant(0, index.dtype)), behind, index,
              type=Type(index.dtype, index.shape)) if index.data is None else constant(
        np.where(index.numpy() < 0, index.numpy() + np.array(sizes), index.numpy()))
    return call(k, "scatter_update", x, at, updates, type=k.out)


@from_onnx("Expand")
def expand(k: Builder, x: Value, shape: Value) -> Any:
    out = k.out.shape
    if out is None or not k.out.static:
        raise Unsupported("a shape that is computed at run time")
    return call(k, "broadcast_to", x, shape=tuple(out), type=k.out) if x.shape != out else x


@from_onnx("Tile")
def tile(k: Builder, x: Value, repeats: Value) -> Any:
    return call(k, "tile", x, repeats=tuple(known(repeats, "the repeats")), type=k.out)


_MODES = {"constant": "constant", "reflect": "reflect"}


@from_onnx("Pad")
def pad(k: Builder, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *,
        mode: str = "constant") -> Any:
    amounts = known(pads, "the pads")
    where = known(axes, "the axes") if axes is not None else list(range(rank(x)))
    n = len(where)
    pairs = [(0, 0)] * rank(x)
    for a, low, high in zip(where, amounts[:n], amounts[n:], strict=True):
        pairs[a % rank(x)] = (low, high)
    if mode not in _MODES or min(p for pair in pairs for p in pair) < 0 or x.dtype == BOOL:
        raise Unsupported(f"mode {mode}, or negative pads")
    if mode == "reflect":
        if any(not isinstance(d, int) or max(p) >= d for p, d in zip(pairs, x.shape or (), strict=True) if any(p)):
            raise Unsupported("reflection beyond the value")
        return call(k, "pad", x, pad_width=tuple(pairs), mode="reflect", type=k.out)
    fill = array(value, "the value of the pads").reshape(()) if value is not None else np.zeros((), x.dtype)
    if x.dtype == F32 and fill == 0 and rank(x) in (3, 4, 5) and not any(pairs[0]) and not any(pairs[-1]):
        return padded(k, x, tuple(pairs[1:-1]))
    return call(k, "pad", x, constant(np.asarray(fill, x.dtype)), pad_width=tuple(pairs), mode="constant", type=k.out)


@from_onnx("OneHot")
def one_hot(k: Builder, index: Value, depth: Value, values: Value, *, axis: int = -1) -> Any:
    n = known(depth, "the depth")[0]
    off, on = array(values, "the values").reshape(2)
    if n < 1:
        raise Unsupported("no classes")
    last = rank(index)
    if axis not in (-1, last) and axis >= 0 and axis >= last:
        raise Unsupported("an axis beyond the indices")
    axis = -1 if axis == last else axis
    hot = call(k, "one_hot", _counted(k, call(k, "cast", index, dtype="int32"), n, 0), num_classes=n,
               axis=axis, dtype="bool", type=Type(BOOL, k.out.shape))
    return call(k, "where", hot, constant(on, values.dtype), constant(off, values.dtype), type=k.out)


@from_onnx("TopK")
def top_k(k: Builder, x: Value, count: Value, *, axis: int = -1, largest: int = 1, sorted: int = 1) -> Any:
    assert k.node is not None
    if axis % rank(x) != rank(x) - 1 or not largest or x.dtype == BOOL:
        raise Unsupported("the smallest, or on another axis than the last")
    shape = k.node.outputs[0].shape
    values, index = call(k, "top_k", x, k=known(count, "k")[0], sorted=True, outputs=2,
                         type=[Type(x.dtype, shape), Type(I32, shape)])
    return values, call(k, "cast", index, dtype="int64", type=k.node.outputs[1].type)


@from_onnx("Trilu")
def trilu(k: Builder, x: Value, offset: Value | None = None, *, upper: int = 1) -> Any:
    if x.dtype == BOOL:
        raise Unsupported("booleans")
    at = known(offset, "the diagonal")[0] if offset is not None else 0
    return call(k, "triu" if upper else "tril", x, k=at, type=k.out)


@from_onnx("nhwc.Resize")
def resize(k: Builder, x: Value, roi: Value | None = None, scales: Value | None = None, sizes: Value | None = None, *,
           mode: str = "nearest", coordinate_transformation_mode: str = "half_pixel", nearest_mode: str =
           "round_prefer_floor", antialias: int = 0, axes: Ints = (), cubic_coeff_a: float = -0.75,
           exclude_outside: int = 0, extrapolation_value: float = 0.0,
           keep_aspect_ratio_policy: str = "stretch") -> Any:
    """Whole factors, which every backend repeats or interpolates alike."""
    assert x.shape is not None
    out = k.out.shape
    n = rank(x) - 2
    pairs = [] if out is None else [(a, b) for a, b in zip(x.shape[1:-1], out[1:-1], strict=True)]
    if n != 2 or x.dtype != F32 or antialias or not pairs or not all(
            isinstance(a, int) and isinstance(b, int) and a and b and b % a == 0 for a, b in pairs):
        raise Unsupported("a factor that is not whole")
    factors = tuple(b // a for a, b in pairs if isinstance(a, int) and isinstance(b, int))
    stated = [float(s) for s in array(scales).reshape(-1)] if scales is not None and scales.data is not None \
        and scales.numpy().size else []
    if stated and any(s not in (1.0, *map(float, factors)) for s in stated):
        raise Unsupported("factors that are not those of the sizes")
    repeats = mode == "nearest" and (
        (coordinate_transformation_mode == "asymmetric" and nearest_mode == "floor")
        or (coordinate_transformation_mode == "half_pixel" and nearest_mode.startswith("round_prefer")
        and all(f in (1, 2) or f % 2 for f in factors)))
    if repeats:
        return k.UpSampling2D(x, size=factors, interpolation="nearest", data_format="channels_last", type=k.out)
    if mode == "linear" and coordinate_transformation_mode == "half_pixel":
        return k.UpSampling2D(x, size=factors, interpolation="bilinear", data_format="channels_last", type=k.out)
    raise Unsupported(f"mode {mode} with {coordinate_transformation_mode} coordinates")
