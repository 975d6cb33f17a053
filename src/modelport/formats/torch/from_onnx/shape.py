"""Moving elements: reshaping, transposing, joining, cutting."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import ranges
from ....ir.graph import Value, constant
from ....ir.rules import static
from ....ir.tensor import Tensor
from ....ir.types import Type
from ...writing import known, own_sizes
from ..raw import dim, expression, ints, number, size, sizes, stack, tensor
from .common import (
    BOOL,
    I64,
    INTS,
    At,
    cast,
    computed,
    from_onnx,
    held,
    permute,
    plain,
    rank,
    reshape,
    scalar,
)

ALL = frozenset({BOOL})


@from_onnx("Reshape")
def reshape_(at: At, x: Value, shape: Value, *, allowzero: int = 0) -> Any:
    """The shape that is known of the result, one size left open; else what the shape says."""
    out = at.out.shape
    if out is not None and sum(not isinstance(d, int) for d in out) <= 1 and (0 not in out or at.out.static):
        return reshape(at, x, [d if isinstance(d, int) else -1 for d in out], at.out)
    said = ints(at, shape, x)
    if not allowzero:
        if any(not isinstance(d, int) for d in said) and not _sure(shape):
            own = sizes(at, x)
            if shape.data is None and any(e is None for e in shape.elements or [None]):
                said = _zeros_kept(at, shape, own)
        else:
            said = [size(at, x, k) if isinstance(d, int) and d == 0 else d for k, d in enumerate(said)]
    if -1 not in [d for d in said if isinstance(d, int)] and sum(not isinstance(d, int) for d in said) == 1 \
            and _sure(shape) and 0 not in [d for d in said if isinstance(d, int)]:
        said = [d if isinstance(d, int) else -1 for d in said]
    return at("reshape", x, said, type=at.out)


def _sure(shape: Value) -> bool:
    """Whether every element is known, and none of them is zero."""
    return shape.elements is not None and all(e is not None and e != 0 for e in shape.elements)


def _zeros_kept(at: At, shape: Value, own: Sequence[Any]) -> list[Any]:
    """A shape that is computed, with the sizes of the input where it is zero."""
    n = shape.shape[0] if shape.shape is not None else None
    assert isinstance(n, int)
    old = stack(at, [*own[:n], *[0] * (n - len(own))])
    zero = at("eq.Scalar", shape, 0, type=Type(BOOL, (n,)))
    return ints(at, at("where.self", zero, old, shape, type=Type(I64, (n,))))


@from_onnx("Flatten")
def flatten(at: At, x: Value, *, axis: int = 1) -> Any:
    n = rank(x)
    if axis == 1 and n >= 2:
        return at("flatten.using_ints", x, 1, -1, type=at.out)
    out = at.out.shape
    if out is not None and sum(not isinstance(d, int) for d in out) <= 1 and 0 not in out:
        return reshape(at, x, [d if isinstance(d, int) else -1 for d in out], at.out)
    first: Any = 1
    for k in range(axis % n if axis < 0 else axis):
        first = number(at, "mul", first, size(at, x, k))
    rest: Any = 1
    for k in range(axis % n if axis < 0 else axis, n):
        rest = number(at, "mul", rest, size(at, x, k))
    return at("reshape", x, [first, rest], type=at.out)


@from_onnx("Squeeze")
def squeeze(at: At, x: Value, axes: Value | None = None) -> Any:
    n = rank(x)
    if axes is None:
        if x.shape is None or not x.type.static:
            raise Unsupported("which axes have one element is only known at run time")
        which = [k for k, d in enumerate(x.shape) if d == 1]
    else:
        which = [a % n for a in known(axes, "the axes")]
    if x.data is not None:
        return reshape(at, x, [d for k, d in enumerate(x.shape or ()) if k not in which])
    if not which:
        return x
    if any((x.shape or ())[a] != 1 for a in which):  # PyTorch leaves an axis that is not known to be of one
        shape = list(x.shape or ())
        for a in sorted(which, reverse=True):
            del shape[a]
            x = at("select.int", x, a, 0, type=Type(x.dtype, tuple(shape)))
        return x
    return at("squeeze.dim", x, which[0], type=at.out) if len(which) == 1 else \
        at("squeeze.dims", x, which, type=at.out)


@from_onnx("Unsqueeze")
def unsqueeze(at: At, x: Value, axes: Value) -> Any:
    which = known(axes, "the axes")
    n = rank(x) + len(which)
    shape = list(x.shape or ())
    for a in sorted(a % n for a in which):
        shape.insert(a, 1)
        x = reshape(at, x, shape) if x.data is not None else at.unsqueeze(x, a, type=Type(x.dtype, tuple(shape)))
    return x


@from_onnx("Transpose")
def transpose_(at: At, x: Value, *, perm: Sequence[int] = ()) -> Any:
    return permute(at, x, list(perm) or list(range(rank(x)))[::-1])


@from_onnx("Concat")
def concat(at: At, *values: Value, axis: int) -> Any:
    """An empty list of one axis adds nothing in PyTorch, whatever the others are."""
    return values[0] if len(values) == 1 else at.cat(list(values), axis % rank(values[0]), type=at.out)


@from_onnx("Split")
def split(at: At, x: Value, parts: Value | None = None, *, axis: int = 0, num_outputs: int = 0) -> Any:
    assert at.node is not None
    axis %= rank(x)
    outs = [Type(x.dtype, o.shape) for o in at.node.outputs]
    lengths: Sequence[Any] = ints(at, parts, x) if parts is not None else \
        [o.shape[axis] if o.shape is not None else None for o in outs]
    if any(n is None or isinstance(n, str) for n in lengths):
        raise Unsupported("parts of a length that is only known at run time")
    return x if len(outs) == 1 else at("split_with_sizes", x, lengths, axis, type=outs)


@from_onnx("Shape")
def shape_of(at: At, x: Value, *, start: int = 0, end: int | None = None) -> Any:
    return stack(at, sizes(at, x)[slice(start, end)])


@from_onnx("Size")
def size_of(at: At, x: Value) -> Any:
    total: Any = 1
    for d in sizes(at, x):
        total = number(at, "mul", total, d)
    return tensor(at, total)


@from_onnx("Expand")
def expand(at: At, x: Value, shape: Value) -> Any:
    """An axis of one in the shape leaves that of the input, which PyTorch says by -1."""
    taken = own_sizes(x, shape)
    if taken is not None and x.shape is not None:
        said = ints(at, shape, x)
        said = [1] * (len(taken) - len(said)) + said
        new = len(taken) - len(x.shape)
        return at.expand(x, [-1 if own and k >= new else d for k, (own, d) in enumerate(zip(taken, said, strict=True))],
                         type=at.out)
    out = at.out.shape
    wanted = None if out is None else [dim(at, d, x, shape) for d in out]
    if wanted is not None and None not in wanted:
        return at.expand(x, wanted, type=at.out)
    if shape.shape is None or len(shape.shape) != 1 or not isinstance(shape.shape[0], int):
        raise Unsupported("a rank that is only known at run time")
    ones = at.full(ints(at, shape, x), 1, dtype=BOOL,
                   type=Type(BOOL, (None,) * shape.shape[0]))
    held([x])  # broadcast by a condition that is always true
    return at("where.self", ones, x, x, type=at.out)


@from_onnx("Tile")
def tile(at: At, x: Value, repeats: Value) -> Any:
    return at.repeat(x, ints(at, repeats, x), type=at.out)


@from_onnx("ConstantOfShape")
def constant_of_shape(at: At, shape: Value, *, value: Tensor | None = None) -> Any:
    fill = np.zeros(1, np.float32) if value is None else value.numpy()
    if fill.dtype.kind == "V" or (fill.dtype.kind == "f" and not np.isfinite(fill).all()):
        return at.expand(constant(fill.reshape(())), ints(at, shape), type=at.out)
    number = plain(fill.reshape(()))
    return at.full(ints(at, shape), int(number) if isinstance(number, bool) else number, dtype=at.out.dtype,
                   type=at.out)


@from_onnx("Range")
def range_(at: At, start: Value, limit: Value, delta: Value, *, stash_type: int = 1) -> Any:
    """Of integers."""
    held([start, limit, delta], INTS)
    a, b, c = (ints(at, reshape(at, v, ()) if v.shape != () and v.data is None else v, start, limit)[0]
               for v in (start, limit, delta))
    if isinstance(c, int) and c:  # the kernel refuses to go the wrong way
        low = ranges.of(limit)[0]
        if not (isinstance(a, int) and c > 0 and low >= a) and not (isinstance(a, int) and isinstance(b, int)):
            b = at("torch.sym_max" if c > 0 else "torch.sym_min", a, b, type=Type(I64, ()))
        elif isinstance(b, int) and isinstance(a, int) and (b - a) * c < 0:
            b = a
    return at("arange.start_step", a, b, c, dtype=at.out.dtype, type=at.out)


@from_onnx("Slice")
def slice_(at: At, x: Value, starts: Value, ends: Value, axes: Value | None = None,
           steps: Value | None = None) -> Any:
    n = rank(x)
    if starts.shape is None or not isinstance(starts.shape[0], int):
        raise Unsupported("a number of axes that is only known at run time")
    which = [a % n for a in known(axes, "the axes")] if axes is not None else list(range(starts.shape[0]))
    by = [1] * len(which) if steps is None else known(steps, "the steps")
    first, last = ints(at, starts, x), ints(at, ends, x)
    assert x.shape is not None
    for k, (axis, a, b, step) in enumerate(zip(which, first, last, by, strict=True)):
        d = x.shape[axis]
        out = at.out.shape[axis] if at.out.shape is not None else None
        final = k == len(which) - 1
        shape = tuple(out if j == axis else s for j, s in enumerate(x.shape))
        type = at.out if final else Type(x.dtype, shape)
        if step > 0:
            x = at("slice.Tensor", x, axis, a, b, step, type=type)
            continue
        if not isinstance(a, int) or not isinstance(b, int):
            raise Unsupported("backwards between places that are only known at run time")
        x = _backwards(at, x, axis, d, a, b, step, type)
    return x


def _backwards(at: At, x: Value, axis: int, d: Any, a: int, b: int, step: int, type: Type) -> Value:
    """The elements in the other order, of which every so many are taken."""
    turned = at.flip(x, [axis], type=x.type)
    if isinstance(d, int):
        first, last, _ = slice(a, b if b >= -d else None, step).indices(d)
        made: Value = at("slice.Tensor", turned, axis, d - 1 - first, d - 1 - last, -step, type=type)
        return made
    far = 1 << 31
    if (a != -1 and a < far - 1) or b > -far + 1:
        if a >= 0 or (b >= 0 and b < far):
            raise Unsupported("backwards between places counted from the front of an unknown size")
    begin = 0 if a >= 0 else -a - 1
    end = (1 << 63) - 1 if b < -far + 1 else -b - 1
    made = at("slice.Tensor", turned, axis, begin, end, -step, type=type)
    return made  # noqa: RET504


@from_onnx("Pad")
def pad(at: At, x: Value, pads: Value, value: Value | None = None, axes: Value | None = None, *,
        mode: str = "constant") -> Any:
    n = rank(x)
    if pads.shape is None or not isinstance(pads.shape[0], int):
        raise Unsupported("a number of axes that is only known at run time")
    m = pads.shape[0] // 2
    which = [a % n for a in known(axes, "the axes")] if axes is not None else list(range(m))
    amounts = ints(at, pads, x)
    pairs: dict[int, tuple[Any, Any]] = {a: (amounts[k], amounts[k + m]) for k, a in enumerate(which)}
    first = min((a for a, p in pairs.items() if p != (0, 0)), default=None)
    if first is None:
        return x
    flat = [p for a in range(n - 1, first - 1, -1) for p in pairs.get(a, (0, 0))]
    if mode == "constant":
        fill = 0 if value is None else scalar(value)
        if fill is None:
            raise Unsupported("a fill that is only known at run time")
        return at.constant_pad_nd(x, flat, float(fill) if x.dtype.kind in "fV" else fill, type=at.out)
    spatial = len(flat) // 2
    sure = all(isinstance(p, int) and p >= 0 for p in flat)
    if mode not in ("reflect", "edge") or not sure or x.dtype.kind != "f" or n not in (spatial + 1, spatial + 2) \
            or spatial > 3:
        raise Unsupported(f"mode '{mode}' here")
    lengths = (x.shape or ())[-spatial:]
    if mode == "reflect" and any(not isinstance(d, int) or max(pairs.get(n - spatial + k, (0, 0))) >= d
                                 for k, d in enumerate(lengths)):
        raise Unsupported("pads that are not known to be below the size")
    if 0 in lengths:
        raise Unsupported("of nothing")
    return at.pad(x, flat, {"reflect": "reflect", "edge": "replicate"}[mode], type=at.out)


@from_onnx("DepthToSpace")
def depth_to_space(at: At, x: Value, *, blocksize: int, mode: str = "DCR") -> Any:
    b = blocksize
    if mode == "CRD":
        return at.pixel_shuffle(x, b, type=at.out)
    n, c, h, w = sizes(at, x)
    t = reshape(at, x, [n, b, b, number(at, "floordiv", c, b * b), h, w])
    t = permute(at, t, [0, 3, 4, 1, 5, 2])
    return at.reshape(t, [n, number(at, "floordiv", c, b * b), number(at, "mul", h, b), number(at, "mul", w, b)],
                      type=at.out)


@from_onnx("SpaceToDepth")
def space_to_depth(at: At, x: Value, *, blocksize: int, mode: str = "DCR") -> Any:
    b = blocksize
    n, c, h, w = sizes(at, x)
    small = [number(at, "floordiv", h, b), number(at, "floordiv", w, b)]
    t = reshape(at, x, [n, c, small[0], b, small[1], b])
    t = permute(at, t, [0, 3, 5, 1, 2, 4] if mode == "DCR" else [0, 1, 3, 5, 2, 4])
    return at.reshape(t, [n, number(at, "mul", c, b * b), *small], type=at.out)


@from_onnx("Trilu")
def trilu(at: At, x: Value, k: Value | None = None, *, upper: int = 1) -> Any:
    diagonal = 0 if k is None else ints(at, k if k.data is not None else reshape(at, k, ()))[0]
    return at("triu" if upper else "tril", x, diagonal, type=at.out)


__all__ = ["ALL", "cast", "computed", "expression", "static"]
