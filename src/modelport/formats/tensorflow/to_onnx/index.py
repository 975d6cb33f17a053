"""Gathering, scattering, diagonals, tables, sparse tensors.  Source: tensorflow/core/kernels of the same names."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, static
from ....ir.tensor import Tensor
from ....ir.types import STRING, DType
from ...tflite.to_onnx import index as lite
from ...tflite.to_onnx import reduce as lite_reduce
from .common import BOOL, I64, cast, dims, i64, ints, known, name_of, one, rank, scalar, to_onnx, vector


@to_onnx("Gather", "GatherV2")
def gather(op: Builder, x: Value, index: Value, axis: Value | None = None, *, validate_indices: bool = True,
           batch_dims: int = 0) -> Any:
    at = 0 if axis is None else scalar(axis, "the axis")
    if batch_dims == 0 and x.rank is None and at >= 0:
        return op.Gather(x, i64(op, index), axis=at)
    return lite.gather(op, x, index, axis=at, batch_dims=batch_dims)


@to_onnx("GatherNd")
def gather_nd(op: Builder, x: Value, index: Value, *, bad_indices_policy: str = "") -> Any:
    return op.GatherND(x, i64(op, index))


@to_onnx("ScatterNd")
def scatter_nd(op: Builder, index: Value, updates: Value, shape: Value, *, bad_indices_policy: str = "") -> Any:
    if updates.dtype in (STRING, BOOL):
        raise Unsupported(f"sums of {updates.dtype}")
    zeros = op.Expand(one(updates, 0), vector(op, shape))
    return op.ScatterND(zeros, i64(op, index), updates, reduction="add")


@to_onnx("TensorScatterUpdate", "TensorScatterAdd", "TensorScatterSub", "TensorScatterMul", "TensorScatterMin",
         "TensorScatterMax", "TensorScatterDiv", "ScatterNdNonAliasingAdd")
def tensor_scatter(op: Builder, x: Value, index: Value, updates: Value, *, bad_indices_policy: str = "") -> Any:
    kind = name_of(op).removeprefix("TensorScatter").removeprefix("ScatterNdNonAliasing")
    if kind == "Div":
        if x.dtype.kind != "f":
            raise Unsupported(f"a division of {x.dtype}")
        updates, kind = op.Reciprocal(updates), "Mul"
    if kind == "Sub":
        updates, kind = op.Neg(updates), "Add"
    how = {"Update": None, "Add": "add", "Mul": "mul", "Min": "min", "Max": "max"}[kind]
    at = i64(op, index)
    if updates.rank is not None and x.rank is not None and at.shape is not None and at.rank and \
            isinstance(at.shape[-1], int) and updates.rank < at.rank - 1 + x.rank - at.shape[-1]:
        updates = op.Expand(updates, op.Concat(op.Shape(at, end=-1), op.Shape(x, start=at.shape[-1]), axis=0))
    return op.ScatterND(x, at, updates, reduction=how)


@to_onnx("TensorStridedSliceUpdate")
def strided_slice_update(op: Builder, x: Value, begin: Value, end: Value, strides: Value, value: Value, *,
                         begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0, new_axis_mask: int = 0,
                         shrink_axis_mask: int = 0) -> Any:
    shape = dims(x)
    from ..interpret.arrays import _where
    first, last, step = (np.asarray(known(v, "a slice")) for v in (begin, end, strides))
    where = _where(np.zeros(0), first, last, step, begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)
    chosen = np.stack(np.unravel_index(np.arange(int(np.prod(shape))), shape), -1).reshape(*shape, len(shape))[where]
    target = op.Expand(value, ints(chosen.shape[:-1]))
    return op.ScatterND(x, constant(chosen, I64), target)


@to_onnx("OneHot")
def one_hot(op: Builder, index: Value, depth: Value, on: Value, off: Value, *, axis: int = -1) -> Any:
    return lite.one_hot(op, index, depth, on, off, axis=axis)


@to_onnx("Where")
def where_(op: Builder, condition: Value) -> Any:
    if condition.dtype == BOOL or condition.dtype.kind != "f":
        return lite_reduce.where(op, condition)
    return lite_reduce.where(op, op.Not(op.Equal(condition, one(condition, 0))))


@to_onnx("MatrixDiag", "BatchMatrixDiag", "Diag")
def matrix_diag(op: Builder, x: Value) -> Any:
    if name_of(op) == "Diag" and rank(x) != 1:
        shape = dims(x)
        n = int(np.prod(shape))
        flat = op.Reshape(x, ints([n]))
        made = op.Where(constant(np.eye(n, dtype=bool)), op.Unsqueeze(flat, ints([-1])), one(x, 0))
        return op.Reshape(made, ints([*shape, *shape]))
    return lite_reduce.matrix_diag(op, x)


@to_onnx("MatrixDiagPart", "BatchMatrixDiagPart", "DiagPart")
def matrix_diag_part(op: Builder, x: Value) -> Any:
    if name_of(op) == "DiagPart":
        shape = dims(x)
        half = shape[:len(shape) // 2]
        n = int(np.prod(half))
        flat = op.Reshape(x, ints([n * n]))
        return op.Reshape(op.Gather(flat, ints(np.arange(n) * (n + 1)), axis=0), ints(half))
    return _band(op, x, 0, 0, None, "RIGHT_LEFT")


def _band(op: Builder, x: Value, low: int, high: int, padding: Value | None, align: str) -> Any:
    """Diagonals of matrices as rows, by the places that the interpreter finds for a matrix of numbers."""
    if rank(x) == 2 and low == high == 0 and padding is None and not x.type.static:
        least = op.ReduceMin(op.Shape(x), keepdims=0)
        index = op.Unsqueeze(op.Range(constant(0, I64), least, constant(1, I64)), ints([1]))
        return op.GatherND(x, op.Concat(index, index, axis=1))
    rows, columns = dims(x, [rank(x) - 2, rank(x) - 1])
    from ..interpret.arrays import matrix_diag_part_v3
    place = np.arange(rows * columns).reshape(rows, columns)
    at = matrix_diag_part_v3(place, np.array([low, high]), np.array(-1), align=align)
    flat = op.Reshape(x, op.Concat(op.Shape(x, end=-2), ints([rows * columns]), axis=0)) if rank(x) > 2 else \
        op.Reshape(x, ints([rows * columns]))
    made = op.Gather(flat, constant(np.maximum(at, 0), I64), axis=-1)
    if (at < 0).any():
        fill = one(x, 0) if padding is None else padding
        made = op.Where(constant(at < 0), fill, made)
    return made


@to_onnx("MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diag_part_v3(op: Builder, x: Value, k: Value, padding: Value, *, align: str = "RIGHT_LEFT") -> Any:
    ends = known(k, "the diagonals")
    return _band(op, x, ends[0], ends[-1], padding, align if name_of(op).endswith("3") else "LEFT_LEFT")


@to_onnx("MatrixSetDiag", "BatchMatrixSetDiag")
def matrix_set_diag(op: Builder, x: Value, diagonal: Value) -> Any:
    return lite_reduce.matrix_set_diag(op, x, diagonal)


@to_onnx("MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag_v3(op: Builder, x: Value, diagonal: Value, k: Value, *, align: str = "RIGHT_LEFT") -> Any:
    ends = known(k, "the diagonals")
    rows, columns = dims(x, [rank(x) - 2, rank(x) - 1])
    from ..interpret.arrays import matrix_set_diag_v3
    packed = dims(diagonal, range(rank(x) - 2, rank(diagonal)), "the diagonal")
    n = int(np.prod(packed))
    how = align if name_of(op).endswith("3") else "LEFT_LEFT"
    at = matrix_set_diag_v3(np.full((rows, columns), -1), np.arange(n).reshape(packed), np.array(ends), align=how)
    flat = op.Reshape(diagonal, op.Concat(op.Shape(x, end=-2), ints([n]), axis=0)) if rank(x) > 2 else \
        op.Reshape(diagonal, ints([n]))
    return op.Where(constant(at < 0), x, op.Gather(flat, constant(np.maximum(at, 0), I64), axis=-1))


@to_onnx("MatrixDiagV2", "MatrixDiagV3")
def matrix_diag_v3(op: Builder, diagonal: Value, k: Value, rows: Value, columns: Value, padding: Value, *,
                   align: str = "RIGHT_LEFT") -> Any:
    ends = known(k, "the diagonals")
    from ..interpret.arrays import matrix_diag_v3 as laid_out
    single = ends[0] == ends[-1]
    packed = dims(diagonal, range(rank(diagonal) - (1 if single else 2), rank(diagonal)), "the diagonal")
    n = int(np.prod(packed))
    how = align if name_of(op).endswith("3") else "LEFT_LEFT"
    at = laid_out(np.arange(n).reshape(packed), np.array(ends), np.array(scalar(rows, "the rows")),
                  np.array(scalar(columns, "the columns")), np.array(-1), align=how)
    lead = rank(diagonal) - len(packed)
    flat = op.Reshape(diagonal, op.Concat(op.Shape(diagonal, end=lead), ints([n]), axis=0)) if lead else \
        op.Reshape(diagonal, ints([n]))
    made = op.Gather(flat, constant(np.maximum(at, 0), I64), axis=-1)
    return op.Where(constant(at < 0), padding, made)


@to_onnx("SparseToDense")
def sparse_to_dense(op: Builder, index: Value, shape: Value, values: Value, default: Value, *,
                    validate_indices: bool = True) -> Any:
    return lite.sparse_to_dense(op, index, shape, values, default)


@to_onnx("SparseTensorDenseAdd")
def sparse_dense_add(op: Builder, index: Value, values: Value, shape: Value, dense: Value) -> Any:
    return op.ScatterND(dense, i64(op, index), values, reduction="add")


@to_onnx("SparseTensorDenseMatMul")
def sparse_dense_matmul(op: Builder, index: Value, values: Value, shape: Value, b: Value, *, adjoint_a: bool = False,
                        adjoint_b: bool = False) -> Any:
    dense = op.ScatterND(op.Expand(one(values, 0), i64(op, shape)), i64(op, index), values, reduction="add")
    return op.MatMul(op.Transpose(dense, perm=[1, 0]) if adjoint_a else dense,
                     op.Transpose(b, perm=[1, 0]) if adjoint_b else b)


@to_onnx("DynamicPartition")
def dynamic_partition(op: Builder, x: Value, parts: Value, *, num_partitions: int) -> Any:
    n = rank(parts)
    flat = op.Reshape(parts, ints([-1])) if n != 1 else parts
    rows = op.Reshape(x, op.Concat(ints([-1]), op.Shape(x, start=n), axis=0)) if n != 1 else x
    outs = []
    for k in range(num_partitions):
        where = op.Squeeze(op.NonZero(op.Equal(flat, one(flat, k))), ints([0]))
        outs.append(op.Gather(rows, where, axis=0))
    return tuple(outs)


@to_onnx("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(op: Builder, *values: Value) -> Any:
    n = len(values) // 2
    index = [op.Reshape(i64(op, v), ints([-1])) for v in values[:n]]
    lead = rank(values[0], "the indices")
    rest = op.Shape(values[n], start=lead)
    data = [op.Reshape(d, op.Concat(ints([-1]), op.Shape(d, start=rank(i, "the indices")), axis=0))
            for i, d in zip(values[:n], values[n:], strict=True)]
    every = op.Concat(*index, axis=0) if n > 1 else index[0]
    rows = op.Concat(*data, axis=0) if n > 1 else data[0]
    count = op.Add(op.ReduceMax(every, ints([0]), keepdims=1), ints([1]))
    start = constant(np.array("", object)) if rows.dtype == STRING else one(rows, 0)
    return op.ScatterND(op.Expand(start, op.Concat(count, rest, axis=0)), op.Unsqueeze(every, ints([1])), rows)


@to_onnx("SparseReshape")
def sparse_reshape(op: Builder, index: Value, shape: Value, new: Value) -> Any:
    wanted = i64(op, new)
    total = op.ReduceProd(i64(op, shape), keepdims=0)
    rest = op.Neg(op.ReduceProd(wanted, keepdims=0))  # of -1 and the known sizes
    missing = op.Equal(wanted, constant(-1, I64))
    sizes = op.Where(missing, op.Div(total, op.Where(op.Equal(rest, constant(0, I64)), constant(1, I64), rest)), wanted)

    def steps(s: Value) -> Any:
        n = dims(s, what="a shape")[0]
        later = [op.ReduceProd(op.Slice(s, ints([k + 1]), ints([n]), ints([0])), keepdims=1) for k in range(n - 1)]
        return op.Concat(*later, ints([1]), axis=0)
    flat = op.ReduceSum(op.Mul(i64(op, index), steps(i64(op, shape))), ints([1]), keepdims=1)
    return op.Mod(op.Div(flat, steps(sizes)), sizes), sizes


@to_onnx("SparseFillEmptyRows")
def sparse_fill_empty_rows(op: Builder, index: Value, values: Value, shape: Value, default: Value) -> Any:
    """Rows without an element get the default one; the result is in the order of rows."""
    count = op.Slice(i64(op, shape), ints([0]), ints([1]), ints([0]))
    width = dims(index, [1])[0]
    row = op.Squeeze(op.Slice(index, ints([0]), ints([1]), ints([1])), ints([1]))
    has = op.ScatterND(op.Expand(constant(0, I64), count), op.Unsqueeze(row, ints([1])),
                       op.Expand(constant(1, I64), op.Shape(row)), reduction="add")
    lacks = op.Equal(has, constant(0, I64))
    missing = op.Transpose(op.NonZero(lacks), perm=[1, 0])
    more = op.Pad(missing, ints([0, 0, 0, width - 1])) if width > 1 else missing
    every = op.Concat(index, more, axis=0)
    filled = op.Concat(values, op.Expand(default, op.Shape(missing, end=1)), axis=0)
    # a stable sort by row: by the row times the number of elements plus the place
    n = op.Shape(every, end=1)
    key = op.Add(op.Mul(op.Squeeze(op.Slice(every, ints([0]), ints([1]), ints([1])), ints([1])), n),
                 op.Range(constant(0, I64), op.Squeeze(n, ints([0])), constant(1, I64)))
    _, order = op.add("TopK", key, n, axis=0, largest=0, outputs=2)
    place = op.ScatterElements(op.Expand(constant(0, I64), n), order,
                               op.Range(constant(0, I64), op.Squeeze(n, ints([0])), constant(1, I64)), axis=0)
    return (op.Gather(every, order, axis=0), op.Gather(filled, order, axis=0), lacks,
            op.Slice(place, ints([0]), op.Shape(index, end=1), ints([0])))


@to_onnx("LookupTableFindV2")
def lookup(op: Builder, keys: Value, values: Value, x: Value, default: Value) -> Any:
    if keys.data is None or values.data is None:
        raise Unsupported("a table that is not filled with constants when the model is loaded")
    if default.type.size != 1:
        raise Unsupported(f"a default of {default.type}")
    if keys.type.size == 0:
        return op.Expand(op.Reshape(default, ints([])), op.Shape(x))
    out = values.dtype

    def able(dtype: DType) -> DType:
        return I64 if dtype.kind in "iub" else dtype
    if able(keys.dtype).name not in ("int64", "object", "float32") or able(out).name not in (
            "int64", "object", "float32"):
        raise Unsupported(f"a table of {keys.dtype} to {out}")
    k, v = keys.data.numpy().reshape(-1), values.data.numpy().reshape(-1)
    made = op.ml.LabelEncoder(
        cast(op, x, able(x.dtype)), keys_tensor=Tensor(k.astype(able(keys.dtype))),
        values_tensor=Tensor(v.astype(able(out))),
        default_tensor=Tensor(static(default, "the default").reshape(1).astype(able(out))))
    return cast(op, made, out) if out != STRING else made
