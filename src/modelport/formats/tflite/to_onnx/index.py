"""Gathering, scattering and choosing.  Source: tensorflow/lite/kernels/gather.cc, scatter_nd.cc, select.cc, ..."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.tensor import Tensor
from ...reading import axis_of, cast, dims, i64, ints, rank, where
from .common import to_onnx

I64 = np.dtype(np.int64)


@to_onnx("HASHTABLE_FIND")
def hashtable_find(op: Builder, handle: Value | None, x: Value, default: Value, *, keys: Tensor | None = None,
                   values: Tensor | None = None) -> Any:
    """A table of constants, filled when the model is loaded."""
    if keys is None or values is None:
        raise Unsupported("a table that is not filled with constants when the model is loaded")
    if keys.type.dtype != x.dtype or values.type.dtype != default.dtype or default.type.size != 1:
        raise Unsupported(f"a table of {keys.type} to {values.type}")
    return op.ml.LabelEncoder(x, keys_tensor=keys, values_tensor=values,
                              default_tensor=Tensor(static(default, "the default").reshape(1)))


@to_onnx("GATHER")
def gather(op: Builder, x: Value, indices: Value, *, axis: int = 0, batch_dims: int = 0) -> Any:
    at = axis_of(x, axis)
    if batch_dims == 0:
        return op.Gather(x, indices if indices.dtype.name in ("int32", "int64") else i64(op, indices), axis=at)
    batch = batch_dims if batch_dims >= 0 else batch_dims + rank(indices)
    if not 0 <= batch <= min(at, rank(indices)):
        raise Unsupported(f"axis {axis} before the {batch_dims} batch dimensions")
    n, m = rank(x), rank(indices)
    perm = [*range(batch), at, *(k for k in range(batch, n) if k != at)]
    y = op.GatherND(x if perm == sorted(perm) else op.Transpose(x, perm=perm),
                    op.Unsqueeze(i64(op, indices), ints([-1])), batch_dims=batch)
    between = at - batch  # dimensions between the batch and the axis: they belong in front of the indices'
    order = [*range(batch), *range(m, m + between), *range(batch, m), *range(m + between, n + m - batch - 1)]
    return y if order == sorted(order) else op.Transpose(y, perm=order)


@to_onnx("GATHER_ND")
def gather_nd(op: Builder, x: Value, indices: Value) -> Any:
    return op.GatherND(x, i64(op, indices))


@to_onnx("EMBEDDING_LOOKUP")
def embedding_lookup(op: Builder, ids: Value, table: Value) -> Any:
    return op.Gather(table, ids, axis=0)


@to_onnx("SCATTER_ND")
def scatter_nd(op: Builder, indices: Value, updates: Value, shape: Value) -> Any:
    zeros = op.Expand(constant(0, updates.dtype), i64(op, shape))
    return op.ScatterND(zeros, i64(op, indices), updates, reduction="add")


@to_onnx("SPARSE_TO_DENSE")
def sparse_to_dense(op: Builder, indices: Value, shape: Value, values: Value, default: Value, *,
                    validate_indices: bool = False) -> Any:
    at = i64(op, indices)
    at = op.Reshape(at, ints([-1, 1])) if rank(at) < 2 else at
    count = op.Slice(op.Shape(at), ints([0]), ints([1]))
    return op.ScatterND(op.Expand(default, i64(op, shape)), at, op.Expand(values, count))


@to_onnx("DYNAMIC_UPDATE_SLICE")
def dynamic_update_slice(op: Builder, x: Value, update: Value, start: Value) -> Any:
    size = dims(update, what="the update")
    if not size:
        return update
    # the kernel moves a slice that would stick out back inside
    room = op.Sub(op.Shape(x), ints(size))
    first = op.Min(op.Max(i64(op, start), ints([0] * len(size))), room)
    grid = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij"), axis=-1)
    return op.ScatterND(x, op.Add(constant(grid, I64), first), update)


@to_onnx("SELECT")
def select(op: Builder, condition: Value, x: Value, y: Value) -> Any:
    if rank(condition) == 1 and rank(x) > 1:  # a vector chooses rows
        condition = op.Unsqueeze(condition, ints(range(1, rank(x))))
    return where(op, condition, x, y)


@to_onnx("SELECT_V2")
def select_v2(op: Builder, condition: Value, x: Value, y: Value) -> Any:
    return where(op, condition, x, y)


@to_onnx("ONE_HOT")
def one_hot(op: Builder, indices: Value, depth: Value, on: Value, off: Value, *, axis: int = 0) -> Any:
    n = op.Reshape(i64(op, depth), ints([1]))
    at = i64(op, indices)
    # a negative index is no position here; ONNX would count it from the end
    at = op.Where(op.Less(at, constant(0, I64)), op.Squeeze(n, ints([0])), at)
    hot = op.OneHot(at, n, constant(np.asarray([0, 1], np.float32)), axis=axis_of(indices, axis, 1))
    return where(op, cast(op, hot, np.dtype(np.bool_)), on, off)
