"""Sizes and the order of axes; parts of tensors, and tensors put together."""
from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import transposed
from ..machine import aten
from ..values import (
    Sym,
    axes_of,
    axis_of,
    ints,
    known,
    promoted,
    rank,
    size,
    tensor,
    whole,
    wholes,
)


@aten("view", "reshape", "_unsafe_view", "view_copy", "_reshape_alias", "_reshape_copy")
def view(op: Builder, self: Value, size: Any, stride: Any = None) -> Any:
    if not isinstance(size, (list, tuple)):
        raise Unsupported("a view of another element type")
    wanted = [known(s) for s in size]
    if self.shape is not None and all(isinstance(s, int) and s >= 0 for s in wanted) and list(self.shape) == wanted:
        return self
    if any(isinstance(s, Sym) for s in wanted) and sum(isinstance(s, Sym) for s in wanted) == 1 and \
            all(isinstance(s, Sym) or s > 0 for s in wanted):
        return op.Reshape(self, np.array([-1 if isinstance(s, Sym) else s for s in wanted]))
    shape = ints(op, wanted)
    return op.Reshape(self, shape, allowzero=1 if 0 in [s for s in wanted if isinstance(s, int)] else None)


@aten("view_as", "reshape_as")
def view_as(op: Builder, self: Value, other: Value) -> Any:
    return op.Reshape(self, op.Shape(other))


@aten("flatten", "flatten.using_ints")
def flatten(op: Builder, self: Value, start_dim: int = 0, end_dim: int = -1) -> Any:
    n = rank(self)
    if n == 0:
        return op.Reshape(self, np.array([1]))
    first, last = axis_of(self, start_dim), axis_of(self, end_dim)
    if first == last:
        return self
    if first == 1 and last == n - 1:
        return op.Flatten(self, axis=1)
    rest = [size(op, self, a) for a in range(last + 1, n)]
    return op.Reshape(self, ints(op, [*[0] * first, -1, *rest]))


@aten("unflatten", "unflatten.int")
def unflatten(op: Builder, self: Value, dim: int, sizes: Any) -> Any:
    axis = axis_of(self, dim)
    return view(op, self, [*(size(op, self, a) for a in range(axis)), *sizes,
                           *(size(op, self, a) for a in range(axis + 1, rank(self)))])


@aten("ravel")
def ravel(op: Builder, self: Value) -> Any:
    return op.Reshape(self, np.array([-1]))


@aten("unsqueeze", "unsqueeze_copy")
def unsqueeze(op: Builder, self: Value, dim: int) -> Any:
    return op.Unsqueeze(self, np.array([axis_of(self, dim, 1)]))


@aten("squeeze", "squeeze.dim", "squeeze.dims", "squeeze_copy")
def squeeze(op: Builder, self: Value, dim: Any = None) -> Any:
    """Axes of one; others stay, so which are has to be known.  A size that has a name is taken to be another: so does
    torch.export, which would have made it one."""
    axes = [a for a in axes_of(self, dim) if a < rank(self)]
    shape = self.shape or ()
    found = [a for a in axes if shape[a] == 1]
    if dim is None and any(shape[a] is None for a in axes):
        raise Unsupported("squeeze of all axes of one, where sizes are known at run time only")
    if dim is None and not all(isinstance(shape[a], int) for a in axes):
        op.note("info", "squeeze() keeps axes whose size is dynamic, also when it is one")
    return op.Squeeze(self, np.array(found)) if found else self


@aten("transpose", "transpose.int", "swapaxes", "swapdims", "transpose_copy")
def transpose(op: Builder, self: Value, dim0: int, dim1: int) -> Any:
    perm = list(range(rank(self)))
    if not perm:
        return self
    a, b = axis_of(self, dim0), axis_of(self, dim1)
    perm[a], perm[b] = perm[b], perm[a]
    return self if a == b else transposed(op, self, perm)


@aten("permute", "permute_copy")
def permute(op: Builder, self: Value, dims: Any) -> Any:
    perm = [axis_of(self, d) for d in dims]
    return self if perm == list(range(rank(self))) else transposed(op, self, perm)


@aten("t", "numpy_T", "T", "t_copy")
def t(op: Builder, self: Value) -> Any:
    return self if rank(self) < 2 else transposed(op, self, list(range(rank(self)))[::-1])


@aten("mT", "matrix_H", "adjoint")
def m_t(op: Builder, self: Value) -> Any:
    return transpose(op, self, -1, -2)


@aten("movedim", "movedim.int", "moveaxis", "movedim.intlist")
def movedim(op: Builder, self: Value, source: Any, destination: Any) -> Any:
    a, b = axes_of(self, source), axes_of(self, destination)
    perm = [d for d in range(rank(self)) if d not in a]
    for to, of in sorted(zip(b, a, strict=True)):
        perm.insert(to, of)
    return transposed(op, self, perm)


@aten("expand", "expand_copy", "broadcast_to")
def expand(op: Builder, self: Value, size: Any, implicit: bool = False) -> Any:
    wanted = [known(s) for s in size]
    if self.shape is not None and list(self.shape) == [self.shape[k - len(wanted)] if s == -1 else s
                                                       for k, s in enumerate(wanted)][-len(self.shape) or None:] \
            and len(wanted) == len(self.shape):
        return self
    return op.Expand(self, ints(op, [1 if isinstance(s, int) and s == -1 else s for s in wanted]))


@aten("expand_as")
def expand_as(op: Builder, self: Value, other: Value) -> Any:
    return op.Expand(self, op.Shape(other))


@aten("repeat")
def repeat(op: Builder, self: Value, repeats: Any) -> Any:
    extra = len(repeats) - rank(self)
    x = op.Unsqueeze(self, np.arange(extra)) if extra else self
    return op.Tile(x, ints(op, repeats))


@aten("tile")
def tile(op: Builder, self: Value, dims: Any) -> Any:
    return repeat(op, self, [1] * (rank(self) - len(dims)) + list(dims))


@aten("repeat_interleave", "repeat_interleave.self_int")
def repeat_interleave(op: Builder, self: Value, repeats: Any = None, dim: Any = None, output_size: Any = None) -> Any:
    if isinstance(repeats, Value) and repeats.rank and repeats.data is None:
        raise Unsupported("repeat_interleave by counts that are known at run time only")
    x = op.Reshape(self, np.array([-1])) if dim is None else self
    axis = 0 if dim is None else axis_of(x, dim)
    if isinstance(repeats, Value):
        counts = repeats.numpy().ravel()
        n = size(op, x, axis)
        if len(counts) == 1 and isinstance(n, int):
            counts = np.repeat(counts, n)
        return op.Gather(x, np.repeat(np.arange(len(counts)), counts), axis=axis)
    wide = op.Unsqueeze(x, np.array([axis + 1]))
    shape = [1] * (rank(x) + 1)
    wide = op.Expand(wide, ints(op, [*shape[:axis + 1], repeats, *shape[axis + 2:]]))
    return op.Reshape(wide, ints(op, [*(size(op, x, a) for a in range(axis)), -1,
                                      *(size(op, x, a) for a in range(axis + 1, rank(x)))]))


@aten("select", "select.int", "select_copy")
def select(op: Builder, self: Value, dim: int, index: Any) -> Any:
    index = known(index)
    at = tensor(op, index, np.dtype(np.int64))
    return op.Gather(self, at, axis=axis_of(self, dim))


@aten("slice", "slice.Tensor", "slice_copy")
def slice_(op: Builder, self: Value, dim: int = 0, start: Any = None, end: Any = None, step: Any = 1) -> Any:
    axis = axis_of(self, dim)
    start, end = known(0 if start is None else start), known(np.iinfo(np.int64).max if end is None else end)
    n = (self.shape or ())[axis]
    if isinstance(start, int) and start == 0 and isinstance(end, int) and step == 1 and \
            (end >= np.iinfo(np.int32).max or (isinstance(n, int) and end >= n)):
        return self
    return op.Slice(self, ints(op, [start]), ints(op, [end]), np.array([axis]), ints(op, [step]))


@aten("narrow", "narrow_copy")
def narrow(op: Builder, self: Value, dim: int, start: Any, length: Any) -> Any:
    return slice_(op, self, dim, start, aten["py.add"](op, start, length))


@aten("unbind", "unbind.int", "unbind_copy")
def unbind(op: Builder, self: Value, dim: int = 0) -> Any:
    axis = axis_of(self, dim)
    n = whole(size(op, self, axis), "the number of parts")
    return [op.Gather(self, np.asarray(k), axis=axis) for k in range(n)]


@aten("split", "split.Tensor", "unsafe_split", "split.sizes", "split_with_sizes", "unsafe_split_with_sizes",
      "split_copy", "split_with_sizes_copy")
def split(op: Builder, self: Value, split_size: Any = None, dim: int = 0, split_sizes: Any = None) -> Any:
    wanted = split_sizes if split_size is None else split_size
    axis = axis_of(self, dim)
    if not isinstance(wanted, (list, tuple)):
        n, each = whole(size(op, self, axis), "the size to split"), whole(wanted, "the size of parts")
        wanted = [min(each, n - k) for k in range(0, n, each)] or [0]
    return _parts(op, self, list(wanted), axis)


def _parts(op: Builder, x: Value, wanted: list[Any], axis: int) -> list[Value]:
    if len(wanted) == 1:
        return [x]
    return list(op.add("Split", x, ints(op, wanted), outputs=len(wanted), axis=axis))


@aten("chunk", "unsafe_chunk")
def chunk(op: Builder, self: Value, chunks: int, dim: int = 0) -> Any:
    axis = axis_of(self, dim)
    n = size(op, self, axis)
    if isinstance(n, Sym):
        raise Unsupported("chunk of a size that is known at run time only: it may give fewer parts")
    each = max(1, -(-n // chunks))
    return _parts(op, self, [min(each, n - k) for k in range(0, n, each)] or [0], axis)


@aten("tensor_split", "tensor_split.sections", "tensor_split.indices")
def tensor_split(op: Builder, self: Value, sections: Any = None, dim: int = 0, indices: Any = None) -> Any:
    """So many parts, the first ones longer by one if need be; or parts that begin at some places."""
    axis = axis_of(self, dim)
    n = whole(size(op, self, axis), "the size to split")
    places = sections if indices is None else indices
    if isinstance(places, (list, tuple)):
        cuts = [0, *(min(max(k + n if k < 0 else k, 0), n) for k in map(whole, places)), n]
        return [op.Slice(self, np.array([a]), np.array([b]), np.array([axis]))
                for a, b in pairwise(cuts)]
    return _parts(op, self, [n // places + (k < n % places) for k in range(places)], axis)


@aten("hsplit", "vsplit", "dsplit", "hsplit.array", "vsplit.array", "dsplit.array")
def named_split(op: Builder, self: Value, sections: Any = None, indices: Any = None) -> Any:
    name = "" if op.node is None else op.node.op
    axis = 2 if "dsplit" in name else 0 if "vsplit" in name or rank(self) == 1 else 1
    return tensor_split(op, self, sections if indices is None else indices, axis)


@aten("cat", "concat", "concatenate")
def cat(op: Builder, tensors: Sequence[Value], dim: int = 0) -> Any:
    kept = [x for x in tensors if x.shape != (0,)]  # a vector of nothing joins anything
    made = promoted(op, *(kept or tensors))
    return op.Concat(*made, axis=axis_of(made[0], dim)) if len(made) > 1 else op.Identity(made[0])


@aten("stack")
def stack(op: Builder, tensors: Sequence[Value], dim: int = 0) -> Any:
    made = promoted(op, *tensors)
    axis = axis_of(made[0], dim, 1)
    return op.Concat(*(op.Unsqueeze(x, np.array([axis])) for x in made), axis=axis)


@aten("hstack", "column_stack")
def hstack(op: Builder, tensors: Sequence[Value]) -> Any:
    return cat(op, tensors, 0 if rank(tensors[0]) == 1 else 1)


@aten("vstack")
def vstack(op: Builder, tensors: Sequence[Value]) -> Any:
    return cat(op, [op.Unsqueeze(x, np.array([0])) if rank(x) == 1 else x for x in tensors], 0)


@aten("flip", "fliplr", "flipud")
def flip(op: Builder, self: Value, dims: Any) -> Any:
    axes = axes_of(self, dims)
    if not axes:
        return op.Identity(self)
    low = np.iinfo(np.int64).min
    return op.Slice(self, np.full(len(axes), -1), np.full(len(axes), low), np.array(axes), np.full(len(axes), -1))


@aten("roll")
def roll(op: Builder, self: Value, shifts: Any, dims: Any = ()) -> Any:
    """The last ``shift`` elements go before the others."""
    shifts = shifts if isinstance(shifts, list) else [shifts]
    dims = dims if isinstance(dims, list) else [dims] if isinstance(dims, int) else list(dims)
    if not dims:
        return op.Reshape(roll(op, op.Reshape(self, np.array([-1])), shifts, [0]), op.Shape(self))
    x = self
    for shift, dim in zip(shifts, dims, strict=True):
        axis = axis_of(x, dim)
        n, by = size(op, x, axis), known(shift)
        if isinstance(by, Sym) or (isinstance(n, Sym) and by == 0):
            raise Unsupported("roll by a number that is known at run time only")
        if isinstance(n, int):
            by = by % n if n else 0
            if by == 0:
                continue
            parts = [(n - by, n), (0, n - by)]
        else:
            parts = [(-by, np.iinfo(np.int64).max), (0, -by)]
        x = op.Concat(*(op.Slice(x, np.array([a]), np.array([b]), np.array([axis])) for a, b in parts), axis=axis)
    return op.Identity(x) if x is self else x


@aten("pad", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "replication_pad1d",
      "replication_pad2d", "replication_pad3d", "_pad_circular")
def pad(op: Builder, self: Value, pad: Any, mode: Any = None, value: Any = None) -> Any:
    """Pairs from the last axis on; ``mode`` comes from the operator's own name where it has one."""
    node = op.node
    name = "" if node is None else node.op
    if not isinstance(mode, str):
        value, mode = mode if mode is not None else value, "reflect" if "reflection" in name else \
            "replicate" if "replication" in name else "circular" if "circular" in name else "constant"
    count, n = len(pad) // 2, rank(self)
    # of all axes: ONNX Runtime moves transpositions through a Pad of some, and forgets which (1.31)
    pads = ints(op, [*[0] * (n - count), *pad[0::2][::-1], *[0] * (n - count), *pad[1::2][::-1]])
    onnx = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    if mode not in onnx:
        raise Unsupported(f"padding by '{mode}'")
    fill = tensor(op, 0 if value is None else value, self.dtype) if mode == "constant" else None
    return op.Pad(self, pads, fill, mode=onnx[mode])


@aten("tril")
def tril(op: Builder, self: Value, diagonal: Any = 0) -> Any:
    return op.Trilu(self, tensor(op, diagonal, np.dtype(np.int64)), upper=0)


@aten("triu")
def triu(op: Builder, self: Value, diagonal: Any = 0) -> Any:
    return op.Trilu(self, tensor(op, diagonal, np.dtype(np.int64)), upper=1)


@aten("meshgrid", "meshgrid.indexing")
def meshgrid(op: Builder, tensors: Sequence[Value], indexing: str = "ij") -> Any:
    vectors = [op.Reshape(x, np.array([-1])) for x in tensors]
    swap = indexing == "xy" and len(vectors) > 1
    order = [1, 0, *range(2, len(vectors))] if swap else list(range(len(vectors)))
    shape = op.Concat(*(op.Shape(vectors[k]) for k in order), axis=0)
    place = {k: axis for axis, k in enumerate(order)}
    return [op.Expand(op.Reshape(v, np.array([-1 if a == place[k] else 1 for a in range(len(vectors))])), shape)
            for k, v in enumerate(vectors)]


@aten("pixel_shuffle")
def pixel_shuffle(op: Builder, self: Value, upscale_factor: int) -> Any:
    return _images(op, self, lambda x: op.DepthToSpace(x, blocksize=upscale_factor, mode="CRD"))


@aten("pixel_unshuffle")
def pixel_unshuffle(op: Builder, self: Value, downscale_factor: int) -> Any:
    """(..., c, h r, w r) to (..., c r r, h, w): within a channel, as DepthToSpace's CRD undoes it."""
    r = downscale_factor

    def made(x: Value) -> Any:
        c, h, w = (size(op, x, a) for a in (1, 2, 3))
        if not all(isinstance(d, int) for d in (c, h, w)):
            raise Unsupported("pixel_unshuffle of sizes that are known at run time only")
        y = op.Reshape(x, ints(op, [0, c, int(h) // r, r, int(w) // r, r]))  # type: ignore[arg-type]
        y = op.Transpose(y, perm=[0, 1, 3, 5, 2, 4])
        return op.Reshape(y, ints(op, [0, int(c) * r * r, int(h) // r, int(w) // r]))  # type: ignore[arg-type]
    return _images(op, self, made)


def _images(op: Builder, x: Value, made: Any) -> Any:
    """What makes (n, c, h, w) of such, on any number of axes before the last three."""
    n = rank(x)
    if n == 4:
        return made(x)
    if n == 3:
        return op.Squeeze(made(op.Unsqueeze(x, np.array([0]))), np.array([0]))
    flat = op.Reshape(x, ints(op, [-1, *(size(op, x, a) for a in range(n - 3, n))]))
    y = made(flat)
    return op.Reshape(y, ints(op, [*(size(op, x, a) for a in range(n - 3)), *(size(op, y, a) for a in range(1, 4))]))


@aten("channel_shuffle", "native_channel_shuffle")
def channel_shuffle(op: Builder, self: Value, groups: int) -> Any:
    rest = [size(op, self, a) for a in range(2, rank(self))]
    count = whole(size(op, self, 1), "the number of channels")
    y = op.Reshape(self, ints(op, [0, groups, count // groups, *rest]))
    y = op.Transpose(y, perm=[0, 2, 1, *range(3, rank(self) + 1)])
    return op.Reshape(y, ints(op, [0, count, *rest]))


@aten("one_hot")
def one_hot(op: Builder, self: Value, num_classes: int = -1) -> Any:
    if num_classes == -1:
        raise Unsupported("one_hot without a number of classes")
    return op.OneHot(self, np.asarray(num_classes), np.array([0, 1]), axis=-1)


@aten("diff")
def diff(op: Builder, self: Value, n: int = 1, dim: int = -1, prepend: Value | None = None,
         append: Value | None = None) -> Any:
    x = self
    if prepend is not None or append is not None:
        x = op.Concat(*[v for v in (prepend, x, append) if v is not None], axis=axis_of(x, dim))
    axis = axis_of(x, dim)
    for _ in range(n):
        last = np.iinfo(np.int64).max
        ahead = op.Slice(x, np.array([1]), np.array([last]), np.array([axis]))
        behind = op.Slice(x, np.array([0]), np.array([-1]), np.array([axis]))
        x = op.Xor(ahead, behind) if x.dtype == np.bool_ else op.Sub(ahead, behind)
    return x


@aten("broadcast_tensors")
def broadcast_tensors(op: Builder, tensors: Sequence[Value]) -> Any:
    total = op.Expand(np.int64(0), op.Shape(tensors[0]))
    for x in tensors[1:]:  # of zeros, so that nothing of the elements counts
        total = op.Add(total, op.Expand(np.int64(0), op.Shape(x)))
    shape = op.Shape(total)
    return [op.Expand(x, shape) for x in tensors]


@aten("unfold")
def unfold(op: Builder, self: Value, dimension: int, size: int, step: int) -> Any:
    """Windows along one axis; their elements become the last axis."""
    axis = axis_of(self, dimension)
    n: Any = (self.shape or ())[axis]
    n = n if isinstance(n, int) else Sym(op.Squeeze(op.Shape(self, start=axis, end=axis + 1), np.array([0])))
    y = op.Gather(self, _windows(op, n, whole(size), 1, step), axis=axis)  # ..., elements, windows, ...
    last = rank(self)
    perm = [a for a in range(last + 1) if a != axis] + [axis]
    return op.Transpose(y, perm=perm)


@aten("im2col")
def im2col(op: Builder, self: Value, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> Any:
    """(n, c, h, w) to (n, c kh kw, windows)."""
    alone = rank(self) == 3
    x = op.Unsqueeze(self, np.array([0])) if alone else self
    (kh, kw), (dh, dw), (ph, pw), (sh, sw) = (wholes(v, 2) for v in (kernel_size, dilation, padding, stride))
    if ph or pw:
        x = op.Pad(x, np.array([0, 0, ph, pw, 0, 0, ph, pw]), np.asarray(0, x.dtype))
    rows, columns = (_windows(op, size(op, x, a), k, d, s) for a, k, d, s in ((2, kh, dh, sh), (3, kw, dw, sw)))
    y = op.Gather(op.Gather(x, rows, axis=2), columns, axis=4)  # n, c, kh, oh, kw, ow
    y = op.Transpose(y, perm=[0, 1, 2, 4, 3, 5])
    y = op.Reshape(y, ints(op, [0, aten["py.mul"](op, size(op, x, 1), kh * kw), -1]))
    return op.Squeeze(y, np.array([0])) if alone else y


def _windows(op: Builder, n: int | Sym, kernel: int, dilation: int, stride: int) -> Any:
    """Where each element of each window is along an axis: (kernel, windows)."""
    reach, within = dilation * (kernel - 1), dilation * np.arange(kernel)[:, None]
    if isinstance(n, int):
        return np.arange(0, n - reach, stride)[None] + within
    return op.Add(op.Range(np.int64(0), op.Sub(n.value, np.int64(reach)), np.int64(stride)), within)


@aten("diagonal", "linalg_diagonal", "diagonal_copy")
def diagonal(op: Builder, self: Value, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    a, b = axis_of(self, dim1), axis_of(self, dim2)
    down, right = max(0, -offset), max(0, offset)
    n, m = (aten["py.sub"](op, size(op, self, d), by) for d, by in ((a, down), (b, right)))
    length = aten["py.max"](op, aten["py.min"](op, n, m), 0)
    turns = np.arange(length) if isinstance(length, int) else op.Range(np.int64(0), length.value, np.int64(1))
    rest = [d for d in range(rank(self)) if d not in (a, b)]
    x = op.Transpose(self, perm=[a, b, *rest])
    places = np.stack([turns + down, turns + right], 1) if isinstance(length, int) else \
        op.Add(op.Unsqueeze(turns, np.array([1])), np.array([[down, right]]))
    y = op.GatherND(x, places)
    return op.Transpose(y, perm=[*range(1, len(rest) + 1), 0]) if rest else y
