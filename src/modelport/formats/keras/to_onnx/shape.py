"""Layers and operations that move elements: reshaping, padding, joining, cutting."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .common import I32, axis_of, cast, dims, first, flip, i64, ints, number, promote, rank, room, tensor, to_onnx


@to_onnx("Flatten")
def flatten(op: Builder, x: Value, *, data_format: str = "channels_last") -> Any:
    n = rank(x)
    if first(data_format) and n > 2:
        x = op.Transpose(x, perm=[0, *range(2, n), 1])
    return op.Reshape(x, ints([0, -1] if n > 1 else [-1, 1]))


@to_onnx("Reshape")
def reshape_layer(op: Builder, x: Value, *, target_shape: Any) -> Any:
    target = [int(d) for d in target_shape]
    if any(d == 0 for d in target) or target.count(-1) > 1 or any(d < -1 for d in target):
        raise Unsupported(f"target_shape {target}")
    if (kept := _kept(op, x, target)) is not None:
        return kept
    if -1 in target or all(isinstance(d, int) for d in (x.shape or (None,))[1:]):
        return op.Reshape(x, ints([0, *target]))
    return op.Reshape(x, ints([-1, *target]))


def _kept(op: Builder, x: Value, target: Sequence[int]) -> Any:
    """A mean over an image that is given back axes of one: the same mean with its axes kept, so that no layout is
    decided here."""
    node = x.node
    if node is None or node.op != "ReduceMean" or node.attrs.get("keepdims", 1) or node.inputs[0] is None \
            or node.inputs[1] is None or node.inputs[1].data is None:
        return None
    image, axes = node.inputs[0], node.inputs[1].numpy().tolist()
    wanted = [1 if a in axes else (image.shape or ())[a] for a in range(1, rank(image))]
    return op.ReduceMean(image, ints(axes), keepdims=1) if wanted == list(target) else None


@to_onnx("Permute")
def permute(op: Builder, x: Value, *, dims: Any) -> Any:
    return op.Transpose(x, perm=[0, *(int(d) for d in dims)])


@to_onnx("RepeatVector")
def repeat_vector(op: Builder, x: Value, *, n: int) -> Any:
    if rank(x) != 2:
        raise Unsupported(f"an input of {rank(x)} dimensions")
    return op.Tile(op.Unsqueeze(x, ints([1])), ints([1, n, 1]))


@to_onnx("Concatenate", "ops.concatenate", "ops.hstack", "ops.vstack")
def concatenate(op: Builder, *xs: Value, axis: int | None = None) -> Any:
    assert op.node is not None
    default = {"Concatenate": -1, "ops.hstack": 1, "ops.vstack": 0, "ops.concatenate": 0}[op.node.op]
    if op.node.op == "ops.hstack" and any(rank(x) == 1 for x in xs):
        default = 0
    if op.node.op == "ops.vstack" and any(rank(x) < 2 for x in xs):
        raise Unsupported("vstack of vectors")
    values = promote(op, *xs)
    return op.Concat(*values, axis=axis_of(values[0], default if axis is None else axis))


@to_onnx("ops.stack")
def stack(op: Builder, *xs: Value, axis: int = 0) -> Any:
    values = promote(op, *xs)
    at = axis_of(values[0], axis, 1)
    return op.Concat(*(op.Unsqueeze(x, ints([at])) for x in values), axis=at)


@to_onnx("ops.append")
def append(op: Builder, a: Value, b: Value, *, axis: Any = None) -> Any:
    a, b = promote(op, a, b)
    if axis is None:
        return op.Concat(op.Reshape(a, ints([-1])), op.Reshape(b, ints([-1])), axis=0)
    return op.Concat(a, b, axis=axis_of(a, axis))


# -- cropping and padding


def _pairs(value: Any, n: int, what: str) -> list[tuple[int, int]]:
    """Two numbers for each axis, from one number, one for each axis, or pairs."""
    if isinstance(value, int):
        return [(value, value)] * n
    if isinstance(value, (list, tuple)):
        if n == 1 and len(value) == 2 and all(isinstance(v, int) for v in value):
            return [(value[0], value[1])]
        if n == 2 and len(value) == 4 and all(isinstance(v, int) for v in value):  # Keras 1
            return [(value[0], value[1]), (value[2], value[3])]
        if len(value) == n:
            return [(v, v) if isinstance(v, int) else (int(v[0]), int(v[1])) for v in value]
    raise Unsupported(f"{what} {value!r}")


@to_onnx("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D")
def zero_padding(op: Builder, x: Value, *, padding: Any = 1, data_format: str = "channels_last") -> Any:
    n = rank(x) - 2
    pairs = _pairs(padding, n, "padding")
    start = 2 if first(data_format) else 1
    pads = [p[0] for p in pairs] + [p[1] for p in pairs]
    return op.Pad(x, ints(pads), number(x, 0), ints(range(start, start + n)))


@to_onnx("Cropping1D", "Cropping2D", "Cropping3D")
def cropping(op: Builder, x: Value, *, cropping: Any, data_format: str = "channels_last") -> Any:
    n = rank(x) - 2
    pairs = _pairs(cropping, n, "cropping")
    start = 2 if first(data_format) else 1
    axes = list(range(start, start + n))
    begins, ends = [p[0] for p in pairs], [-p[1] if p[1] else np.iinfo(np.int64).max for p in pairs]
    return op.Slice(x, ints(begins), ints(ends), ints(axes))


@to_onnx("ops.pad")
def pad(op: Builder, x: Value, fill: Value | None = None, *, pad_width: Any, mode: str = "constant") -> Any:
    n = rank(x)
    pairs = pad_width if isinstance(pad_width, (list, tuple)) else [[pad_width] * 2]
    if pairs and isinstance(pairs[0], int):
        pairs = [list(pairs)]
    if len(pairs) == 1 and n > 1:
        pairs = list(pairs) * n
    if len(pairs) != n or any(not isinstance(v, int) for p in pairs for v in p):
        raise Unsupported(f"pad_width {pad_width!r}")
    kind = str(mode).lower()
    if kind == "symmetric":
        for axis, (a, b) in enumerate(pairs):
            if a or b:
                size = dims(x, [axis])[0]
                x = op.Gather(x, np.pad(np.arange(size, dtype=np.int64), (a, b), mode="symmetric"), axis=axis)
        return x
    if kind not in ("constant", "reflect", "edge"):
        raise Unsupported(f"padding mode {mode}")
    pads = ints([p[0] for p in pairs] + [p[1] for p in pairs])
    if kind == "constant":
        return op.Pad(x, pads, number(x, 0) if fill is None else cast(op, fill, x.dtype))
    return op.Pad(x, pads, mode=kind)


# -- operations


@to_onnx("ops.reshape")
def reshape(op: Builder, x: Value, computed: Value | None = None, *, newshape: Any = ()) -> Any:
    if computed is not None:
        return op.Reshape(x, i64(op, computed), allowzero=1)
    parts = list(newshape) if isinstance(newshape, (list, tuple)) else [newshape]
    if any(d is not None and not isinstance(d, int) for d in parts):
        raise Unsupported(f"newshape {parts}")
    known = [-1 if d is None else d for d in parts]
    if known.count(-1) == 2 and parts[0] in (None, -1):  # the batch was not known when it was written
        known[0] = 0
    if known.count(-1) > 1:
        raise Unsupported(f"newshape {parts}")
    return op.Reshape(x, ints(known))


@to_onnx("ops.pack")
def pack(op: Builder, *parts: Value) -> Any:
    """Numbers as one list."""
    return op.Concat(*(op.Reshape(i64(op, p), ints([1])) for p in parts), axis=0)


@to_onnx("ops.transpose")
def transpose(op: Builder, x: Value, *, axes: Any = None) -> Any:
    n = rank(x)
    return op.Transpose(x, perm=list(reversed(range(n))) if axes is None else [axis_of(x, a) for a in axes])


@to_onnx("ops.swapaxes")
def swapaxes(op: Builder, x: Value, *, axis1: int, axis2: int) -> Any:
    perm = list(range(rank(x)))
    i, j = axis_of(x, axis1), axis_of(x, axis2)
    perm[i], perm[j] = perm[j], perm[i]
    return op.Transpose(x, perm=perm)


@to_onnx("ops.moveaxis")
def moveaxis(op: Builder, x: Value, *, source: Any, destination: Any) -> Any:
    old, new = ([axis_of(x, a) for a in (v if isinstance(v, (list, tuple)) else [v])] for v in (source, destination))
    perm = [a for a in range(rank(x)) if a not in old]
    for to, a in sorted(zip(new, old, strict=True)):
        perm.insert(to, a)
    return op.Transpose(x, perm=perm)


@to_onnx("ops.expand_dims")
def expand_dims(op: Builder, x: Value, *, axis: Any) -> Any:
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    return op.Unsqueeze(tensor(op, x), ints([axis_of(x, a, len(axes)) for a in axes]))


@to_onnx("ops.squeeze")
def squeeze(op: Builder, x: Value, *, axis: Any = None) -> Any:
    if axis is None:
        axis = [k for k, d in enumerate(dims(x)) if d == 1]
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    return op.Squeeze(x, ints([axis_of(x, a) for a in axes])) if axes else op.Identity(x)


@to_onnx("ops.ravel")
def ravel(op: Builder, x: Value) -> Any:
    return op.Reshape(x, ints([-1]))


@to_onnx("ops.tile")
def tile(op: Builder, x: Value, computed: Value | None = None, *, repeats: Any = ()) -> Any:
    if computed is not None:
        return op.Tile(x, i64(op, computed))
    times = [repeats] if isinstance(repeats, int) else list(repeats)
    if any(not isinstance(t, int) for t in times):
        raise Unsupported("repeats that are computed")
    if len(times) > rank(x):
        x = op.Unsqueeze(x, ints(range(len(times) - rank(x))))
    return op.Tile(x, ints([1] * (rank(x) - len(times)) + times))


@to_onnx("ops.repeat")
def repeat(op: Builder, x: Value, *, repeats: Any, axis: Any = None) -> Any:
    """Each element several times in a row."""
    if axis is None:
        x, axis = op.Reshape(x, ints([-1])), 0
    at = axis_of(x, axis)
    if isinstance(repeats, (list, tuple)) and len(repeats) == 1:
        repeats = repeats[0]
    if isinstance(repeats, (list, tuple)):
        size = dims(x, [at])[0]
        room(sum(r for r in repeats if isinstance(r, int)))
        if len(repeats) != size:
            raise Unsupported(f"{len(repeats)} repeats for {size} elements")
        return op.Gather(x, np.repeat(np.arange(size), repeats).astype(np.int64), axis=at)
    if not isinstance(repeats, int):
        raise Unsupported("repeats that are computed")
    known = (x.shape or ())[at]
    if isinstance(known, int):
        room(known, repeats)
        return op.Gather(x, np.repeat(np.arange(known, dtype=np.int64), repeats), axis=at)
    n = rank(x)
    wide = op.Tile(op.Unsqueeze(x, ints([at + 1])), ints([repeats if k == at + 1 else 1 for k in range(n + 1)]))
    head = [op.Shape(x, start=0, end=at)] if at else []
    tail = [op.Shape(x, start=at + 1)] if at + 1 < n else []
    return op.Reshape(wide, op.Concat(*head, ints([-1]), *tail, axis=0) if head or tail else ints([-1]))


@to_onnx("ops.flip", "ops.fliplr", "ops.flipud")
def flip_operation(op: Builder, x: Value, *, axis: Any = None) -> Any:
    assert op.node is not None
    axis = {"ops.fliplr": 1, "ops.flipud": 0}.get(op.node.op, axis)
    axes = range(rank(x)) if axis is None else axis if isinstance(axis, (list, tuple)) else [axis]
    for a in axes:
        x = flip(op, x, axis_of(x, a))
    return op.Identity(x)


@to_onnx("ops.roll")
def roll(op: Builder, x: Value, *, shift: Any, axis: Any = None) -> Any:
    if axis is None:
        flat = op.Reshape(x, ints([-1]))
        return op.Reshape(_rolled(op, flat, shift, 0), op.Shape(x))
    shifts = shift if isinstance(shift, (list, tuple)) else [shift]
    axes = axis if isinstance(axis, (list, tuple)) else [axis]
    if len(shifts) != len(axes):
        raise Unsupported(f"{len(shifts)} shifts along {len(axes)} axes")
    for s, a in zip(shifts, axes, strict=True):
        x = _rolled(op, x, s, axis_of(x, a))
    return x


def _rolled(op: Builder, x: Value, shift: Any, axis: int) -> Any:
    size = dims(x, [axis])[0]
    if not isinstance(shift, int) or not size:
        raise Unsupported(f"shift {shift!r}")
    k = -shift % size
    if not k:
        return x
    big = np.iinfo(np.int64).max
    return op.Concat(op.Slice(x, ints([k]), ints([big]), ints([axis])),
                     op.Slice(x, ints([0]), ints([k]), ints([axis])), axis=axis)


@to_onnx("ops.split", "ops.tf_split", "ops.unstack")
def split(op: Builder, x: Value, *, indices_or_sections: Any = None, axis: int = 0, num_or_size_splits: Any = None,
          num: Any = None) -> Any:
    """Pieces: so many equal ones, cut at places (Keras), of given sizes (TensorFlow), or single elements."""
    assert op.node is not None
    at = axis_of(x, axis)
    if op.node.op == "ops.unstack":
        size = dims(x, [at])[0]
        room(size, 4096)
        parts = _parts(op, x, at, [1] * size)
        return [op.Squeeze(p, ints([at])) for p in parts]
    if op.node.op == "ops.tf_split":
        sizes = num_or_size_splits
        if isinstance(sizes, int):
            sizes = _equal(dims(x, [at])[0], sizes)
        if sizes.count(-1) == 1:
            sizes = [s if s != -1 else dims(x, [at])[0] - sum(sizes) - 1 for s in sizes]
        return _parts(op, x, at, sizes)
    total = dims(x, [at])[0]
    if isinstance(indices_or_sections, int):
        return _parts(op, x, at, _equal(total, indices_or_sections))
    places = [min(total, p + total if p < 0 else p) for p in indices_or_sections]
    return _parts(op, x, at, [b - a for a, b in zip([0, *places], [*places, total], strict=True)])


def _equal(total: int, n: int) -> list[int]:
    room(n, 4096)
    if n < 1 or total % n:
        raise Unsupported(f"{total} elements in {n} equal parts")
    return [total // n] * n


def _parts(op: Builder, x: Value, axis: int, sizes: Sequence[int]) -> Any:
    if any(not isinstance(s, int) or s < 0 for s in sizes):
        raise Unsupported(f"parts of the sizes {list(sizes)}")
    if len(sizes) == 1:
        return [op.Identity(x)]
    return list(op.add("Split", x, ints(sizes), axis=axis, outputs=len(sizes)))


@to_onnx("ops.broadcast_to")
def broadcast_to(op: Builder, x: Value, computed: Value | None = None, *, shape: Any = ()) -> Any:
    if computed is not None:
        return op.Expand(x, i64(op, computed))
    if any(not isinstance(d, int) and d is not None for d in shape):
        raise Unsupported(f"shape {shape!r}")
    return op.Expand(x, ints([1 if d is None else d for d in shape]))


@to_onnx("ops.shape")
def shape_of(op: Builder, x: Value) -> Any:
    return cast(op, op.Shape(x), I32)


@to_onnx("ops.size")
def size_of(op: Builder, x: Value) -> Any:
    return cast(op, op.Size(x), I32)


@to_onnx("ops.tril", "ops.triu")
def triangle(op: Builder, x: Value, *, k: int = 0) -> Any:
    assert op.node is not None
    return op.Trilu(x, np.int64(k), upper=int(op.node.op == "ops.triu"))


@to_onnx("TimeDistributed.fold")
def fold(op: Builder, x: Value) -> Any:
    """The steps of every sequence as examples of their own."""
    n = rank(x)
    if n < 2:
        raise Unsupported(f"an input of {n} dimensions")
    return op.Reshape(x, op.Concat(ints([-1]), op.Shape(x, start=2), axis=0) if n > 2 else ints([-1]))


@to_onnx("TimeDistributed.unfold")
def unfold(op: Builder, y: Value, x: Value) -> Any:
    steps = (x.shape or ())[1]
    if isinstance(steps, int):
        return op.Reshape(y, op.Concat(ints([-1, steps]), op.Shape(y, start=1), axis=0))
    return op.Reshape(y, op.Concat(op.Shape(x, start=0, end=2), op.Shape(y, start=1), axis=0))


