"""Elements by their place.  Source: aten/src/ATen/native/TensorAdvancedIndexing.cpp."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...reading import cast
from ..machine import aten
from ..values import BOOL, I64, axis_of, ints, known, rank, size, tensor, whole
from .math import number


@aten("embedding")
def embedding(op: Builder, weight: Value, indices: Value, padding_idx: Any = -1, scale_grad_by_freq: bool = False,
              sparse: bool = False) -> Any:
    return op.Gather(weight, indices, axis=0)


@aten("embedding_bag", "_embedding_bag", "_embedding_bag_forward_only")
def embedding_bag(op: Builder, weight: Value, indices: Value, offsets: Value | None = None,
                  scale_grad_by_freq: bool = False, mode: int = 0, sparse: bool = False,
                  per_sample_weights: Value | None = None, include_last_offset: bool = False,
                  padding_idx: Any = -1) -> Any:
    """Rows of a matrix added up (0), averaged (1) or their greatest (2), for each bag of indices from one offset to
    the next; an empty bag gets zeros."""
    if offsets is None or rank(indices) != 1:
        raise Unsupported("bags without offsets")
    if include_last_offset:
        offsets = op.Slice(offsets, np.array([0]), np.array([-1]), np.array([0]))
    indices, starts = cast(op, indices, I64), cast(op, offsets, I64)
    kept = None
    if padding_idx not in (None, -1):
        kept = op.Unsqueeze(op.Not(op.Equal(indices, np.int64(padding_idx))), np.array([-1]))
    rows = op.Gather(weight, indices, axis=0)
    if per_sample_weights is not None:
        rows = op.Mul(rows, op.Unsqueeze(per_sample_weights, np.array([-1])))
    places = op.Unsqueeze(op.Range(np.int64(0), op.Size(indices), np.int64(1)), np.array([-1]))
    begun = op.ReduceSum(cast(op, op.LessOrEqual(starts, places), I64), np.array([-1]), keepdims=1)
    bag = op.Sub(begun, np.int64(1))
    none = -np.inf if mode == 2 else 0
    if kept is not None:
        rows = op.Where(kept, rows, number(rows, none))
    shape = op.Concat(op.Shape(starts), op.Shape(weight, start=1), axis=0)
    made = op.ScatterND(op.Expand(number(rows, none), shape), bag, rows, reduction="max" if mode == 2 else "add")
    if mode:
        each = op.Expand(number(rows, 1), op.Shape(bag)) if kept is None else cast(op, kept, rows.dtype)
        empty = op.Expand(number(rows, 0), op.Unsqueeze(op.Size(starts), np.array([0])))
        count = op.Unsqueeze(op.ScatterND(empty, bag, op.Squeeze(each, np.array([-1])), reduction="add"),
                             np.array([-1]))
        made = op.Div(made, op.Max(count, number(rows, 1))) if mode == 1 else \
            op.Where(op.Equal(count, number(rows, 0)), number(rows, 0), made)
    return [made, None, None, None]


@aten("gather")
def gather(op: Builder, self: Value, dim: int, index: Value, sparse_grad: bool = False) -> Any:
    if not rank(self):
        return op.Expand(self, op.Shape(index))
    return op.GatherElements(_cut(op, self, index, dim), cast(op, index, I64), axis=axis_of(self, dim))


def _cut(op: Builder, x: Value, index: Value, dim: int) -> Value:
    """``x`` with no more than the sizes of ``index`` along the other axes, as GatherElements of ONNX wants it."""
    axis = axis_of(x, dim)
    a, b = x.shape or (), index.shape or ()
    axes = [k for k in range(rank(x)) if k != axis and a[k] != b[k]]
    if not axes:
        return x
    out: Value = op.Slice(x, np.zeros(len(axes), np.int64), op.Gather(op.Shape(index), np.array(axes), axis=0),
                          np.array(axes))
    return out


@aten("take_along_dim")
def take_along_dim(op: Builder, self: Value, indices: Value, dim: Any = None) -> Any:
    if dim is None:
        return op.Gather(op.Reshape(self, np.array([-1])), op.Reshape(indices, np.array([-1])), axis=0)
    return gather(op, self, dim, indices)


@aten("take")
def take(op: Builder, self: Value, index: Value) -> Any:
    return op.Gather(op.Reshape(self, np.array([-1])), index, axis=0)


@aten("index_select")
def index_select(op: Builder, self: Value, dim: int, index: Value) -> Any:
    if not rank(self):
        return self
    index = op.Reshape(index, np.array([1])) if not rank(index) else index
    return op.Gather(self, index, axis=axis_of(self, dim))


@aten("index", "index.Tensor", "_unsafe_index")
def index(op: Builder, self: Value, indices: Sequence[Value | None]) -> Any:
    """``x[i, :, j]``: as numpy does it.  A mask takes the places where it holds."""
    x, places = _places(op, self, indices)
    given = [k for k, i in enumerate(places) if i is not None]
    if len(given) == 1 and places[given[0]] is not None:
        return op.Gather(x, places[given[0]], axis=given[0])
    together = given == list(range(given[0], given[-1] + 1))
    rest = [k for k in range(rank(x)) if k not in given]
    perm = [*given, *rest]
    if perm != list(range(rank(x))):
        x = op.Transpose(x, perm=perm)
    at, count = _joined(op, [v for v in places if v is not None])
    y = op.GatherND(x, at)
    before = given[0] if together else 0
    if before:  # the axes of the indices stand where the first of them stood
        axes = list(range(rank(y)))
        y = op.Transpose(y, perm=[*axes[count:count + before], *axes[:count], *axes[count + before:]])
    return y


def _places(op: Builder, x: Value, indices: Sequence[Value | None]) -> tuple[Value, list[Value | None]]:
    """One index of integers for each axis of ``x`` that has one; a mask is those of the places where it holds."""
    found: list[Value | None] = []
    for i in indices:
        if i is not None and (i.dtype == BOOL or i.dtype == np.uint8):
            at = op.NonZero(cast(op, i, BOOL))
            found += [op.Squeeze(p, np.array([0])) for p in
                      (op.add("Split", at, outputs=rank(i), axis=0, num_outputs=rank(i)) if rank(i) > 1 else [at])]
        else:
            found.append(None if i is None else cast(op, i, I64))
    if all(i is None for i in found):
        raise Unsupported("an index of nothing")
    while found and found[-1] is None:
        found.pop()
    return x, found


def _joined(op: Builder, places: Sequence[Value]) -> tuple[Value, int]:
    """The indices of several axes as one, (..., axes), and how many axes they have together."""
    shapes = [p.shape for p in places]
    if any(s != shapes[0] or s is None for s in shapes):
        total = places[0]
        for p in places[1:]:
            total = op.Add(total, p)
        shape = op.Shape(total)
        places = [op.Expand(p, shape) for p in places]
    made: Value = op.Concat(*(op.Unsqueeze(p, np.array([-1])) for p in places), axis=-1)
    return made, rank(places[0])


@aten("index_put", "_unsafe_index_put", "_index_put_impl")
def index_put(op: Builder, self: Value, indices: Sequence[Value | None], values: Value, accumulate: bool = False,
              unsafe: bool = False) -> Any:
    if len(indices) == 1 and indices[0] is not None and indices[0].dtype == BOOL and not accumulate and \
            values.type.size == 1:
        mask = indices[0]
        if rank(mask) < rank(self):
            mask = op.Unsqueeze(mask, np.arange(rank(mask), rank(self)))
        return op.Where(mask, op.Reshape(tensor(op, values, self.dtype), np.array([], np.int64)), self)
    x, places = _places(op, self, indices)
    given = [k for k, i in enumerate(places) if i is not None]
    rest = [k for k in range(rank(x)) if k not in given]
    perm = [*given, *rest]
    moved = perm != list(range(rank(x)))
    if moved:
        x = op.Transpose(x, perm=perm)
    at, count = _joined(op, [v for v in places if v is not None])
    inner = op.Shape(x, start=len(given)) if rest else None
    shape = op.Shape(at, start=0, end=count)
    shape = op.Concat(shape, inner, axis=0) if inner is not None else shape
    new = tensor(op, values, self.dtype)
    before = given[0] if given == list(range(given[0], given[-1] + 1)) else 0
    if before and rank(new) > 0:
        wide = rank(x) - len(given) + count
        if rank(new) < wide:
            new = op.Unsqueeze(new, np.arange(wide - rank(new)))
        axes = list(range(wide))
        new = op.Transpose(new, perm=[*axes[before:before + count], *axes[:before], *axes[before + count:]])
    new = op.Expand(new, shape)
    y = op.ScatterND(x, at, new, reduction="add" if accumulate else "none")
    return op.Transpose(y, perm=[int(k) for k in np.argsort(perm)]) if moved else y


@aten("scatter", "scatter.src", "scatter.value", "scatter.reduce", "scatter_add", "scatter_reduce",
      "scatter_reduce.two")
def scatter(op: Builder, self: Value, dim: int, index: Value, src: Any = None, reduce: str | None = None,
            include_self: bool = True, value: Any = None) -> Any:
    node = op.node
    if node is not None and node.op.removeprefix("aten.").rstrip("_") == "scatter_add":
        reduce = "add"
    names = {None: "none", "add": "add", "sum": "add", "multiply": "mul", "prod": "mul", "amax": "max", "amin": "min"}
    if reduce not in names or not include_self:
        raise Unsupported(f"scatter by '{reduce}'" + ("" if include_self else " without what was there"))
    new = src if value is None else value
    if isinstance(new, Value) and rank(new):
        new = _cut_to(op, tensor(op, new, self.dtype), index)
    else:
        new = op.Expand(tensor(op, new, self.dtype), op.Shape(index))
    return op.ScatterElements(self, cast(op, index, I64), new, axis=axis_of(self, dim), reduction=names[reduce])


def _cut_to(op: Builder, x: Value, index: Value) -> Value:
    if x.shape == index.shape and x.type.static:
        return x
    n = rank(x)
    out: Value = op.Slice(x, np.zeros(n, np.int64), op.Shape(index), np.arange(n))
    return out


@aten("index_add")
def index_add(op: Builder, self: Value, dim: int, index: Value, source: Value, alpha: Any = 1) -> Any:
    return _along(op, self, dim, index, source if alpha == 1 else op.Mul(source, number(source, alpha)), "add")


@aten("index_copy")
def index_copy(op: Builder, self: Value, dim: int, index: Value, source: Value) -> Any:
    return _along(op, self, dim, index, source, "none")


@aten("index_fill", "index_fill.int_Scalar")
def index_fill(op: Builder, self: Value, dim: int, index: Value, value: Any) -> Any:
    axis = axis_of(self, dim)
    shape = [size(op, self, a) for a in range(rank(self))]
    shape[axis] = size(op, index, 0)
    return _along(op, self, dim, index, op.Expand(tensor(op, value, self.dtype), ints(op, shape)), "none")


def _along(op: Builder, x: Value, dim: int, index: Value, source: Value, reduction: str) -> Any:
    axis = axis_of(x, dim)
    at = op.Reshape(cast(op, index, I64), np.array([-1 if a == axis else 1 for a in range(rank(x))]))
    return op.ScatterElements(x, op.Expand(at, op.Shape(source)), source, axis=axis, reduction=reduction)


@aten("slice_scatter")
def slice_scatter(op: Builder, self: Value, src: Value, dim: int = 0, start: Any = None, end: Any = None,
                  step: int = 1) -> Any:
    axis = axis_of(self, dim)
    n = size(op, self, axis)
    if not isinstance(n, int) or not all(isinstance(known(v), (int, type(None))) for v in (start, end)):
        raise Unsupported("a write to a part whose size is known at run time only")
    at = np.arange(n)[slice(known(start), known(end), step)]
    if not len(at):
        return self
    return _along(op, self, axis, _constant(at), src, "none")


@aten("select_scatter")
def select_scatter(op: Builder, self: Value, src: Value, dim: int, index: Any) -> Any:
    axis = axis_of(self, dim)
    at = whole(index, "an index")
    n = size(op, self, axis)
    if isinstance(n, int):
        at %= n
    return _along(op, self, axis, _constant(np.array([at])), op.Unsqueeze(src, np.array([axis])), "none")


def _constant(a: Any) -> Value:
    from ....ir.graph import constant
    return constant(np.asarray(a, np.int64))


@aten("topk")
def topk(op: Builder, self: Value, k: Any, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    return list(op.add("TopK", self, ints(op, [k]), outputs=2, axis=axis_of(self, dim), largest=int(largest), sorted=1))


@aten("sort", "sort.stable", "msort")
def sort(op: Builder, self: Value, dim: int = -1, descending: bool = False, stable: Any = None) -> Any:
    """Equal elements keep their order, as TopK keeps it, and PyTorch's sort on the processor does."""
    axis = axis_of(self, dim)
    count = ints(op, [size(op, self, axis)])
    return list(op.add("TopK", self, count, outputs=2, axis=axis, largest=int(descending), sorted=1))


@aten("argsort", "argsort.stable")
def argsort(op: Builder, self: Value, dim: int = -1, descending: bool = False, stable: Any = None) -> Any:
    return sort(op, self, dim, descending)[1]


@aten("nonzero", "argwhere")
def nonzero(op: Builder, self: Value) -> Any:
    return op.Transpose(op.NonZero(self), perm=[1, 0])


@aten("masked_select")
def masked_select(op: Builder, self: Value, mask: Value) -> Any:
    shape = op.Shape(op.Where(mask, self, self))
    flat = np.array([-1])
    return op.Compress(op.Reshape(op.Expand(self, shape), flat), op.Reshape(op.Expand(mask, shape), flat), axis=0)
