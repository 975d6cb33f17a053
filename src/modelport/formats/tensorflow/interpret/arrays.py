"""Shapes, slices, gathering, scattering, joining, sorting."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.tensor import Array
from .table import OPS, Refused, bounded, op

I32, I64 = np.dtype(np.int32), np.dtype(np.int64)


@op("Shape")
def shape(x: Array, *, out_type: Any = I32) -> Any:
    return np.array(x.shape, out_type)


@op("ShapeN")
def shape_n(*xs: Array, out_type: Any = I32) -> Any:
    return tuple(np.array(x.shape, out_type) for x in xs)


@op("Size")
def size(x: Array, *, out_type: Any = I32) -> Any:
    return np.array(x.size, out_type)


@op("Rank")
def rank(x: Array) -> Any:
    return np.array(x.ndim, np.int32)


@op("Reshape")
def reshape(x: Array, s: Array) -> Any:
    return x.reshape([int(d) for d in s])


@op("Squeeze")
def squeeze(x: Array, *, squeeze_dims: Any = ()) -> Any:
    return np.squeeze(x, tuple(squeeze_dims) or None)


@op("ExpandDims")
def expand_dims(x: Array, axis: Array) -> Any:
    return np.expand_dims(x, int(np.reshape(axis, ())))


@op("Transpose")
def transpose(x: Array, perm: Array) -> Any:
    return x.transpose([int(p) for p in perm])


@op("ConjugateTranspose")
def conjugate_transpose(x: Array, perm: Array) -> Any:
    return np.conj(x.transpose([int(p) for p in perm]))


@op("Concat")
def concat(axis: Array, *xs: Array) -> Any:
    return np.concatenate(xs, int(axis))


@op("ConcatV2")
def concat_v2(*xs: Array) -> Any:
    return np.concatenate(xs[:-1], int(xs[-1])).astype(xs[0].dtype)


@op("ParallelConcat")
def parallel_concat(*xs: Array, shape: Any = None) -> Any:
    return np.concatenate(xs, 0)


@op("ConcatOffset")
def concat_offset(axis: Array, *shapes: Array) -> Any:
    outs, at = [], 0
    for s in shapes:
        o = np.zeros_like(s)
        o[int(axis)] = at
        at += int(s[int(axis)])
        outs.append(o)
    return tuple(outs)


@op("Pack", "ParallelStack")
def pack(*xs: Array, axis: int = 0, N: Any = None, shape: Any = None) -> Any:
    return np.stack(xs, axis)


@op("Unpack")
def unpack(x: Array, *, num: int, axis: int = 0) -> Any:
    return tuple(np.moveaxis(x, axis, 0))


@op("Split")
def split(axis: Array, x: Array, *, num_split: int) -> Any:
    return tuple(np.split(x, num_split, int(axis)))


@op("SplitV")
def split_v(x: Array, sizes: Array, axis: Array, *, num_split: int | None = None) -> Any:
    lengths = [int(s) for s in sizes]
    if -1 in lengths:
        lengths[lengths.index(-1)] = x.shape[int(axis)] - (sum(lengths) + 1)
    return tuple(np.split(x, np.cumsum(lengths)[:-1], int(axis)))


@op("Slice")
def slice_(x: Array, begin: Array, size: Array) -> Any:
    return x[tuple(slice(int(b), None if s == -1 else int(b) + int(s)) for b, s in zip(begin, size, strict=True))]


@op("StridedSlice")
def strided_slice(x: Array, begin: Array, end: Array, strides: Array, *, begin_mask: int = 0, end_mask: int = 0,
                  ellipsis_mask: int = 0, new_axis_mask: int = 0, shrink_axis_mask: int = 0) -> Any:
    return x[_where(x, begin, end, strides, begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)]


def _where(x: Array, begin: Array, end: Array, strides: Array, bm: int, em: int, el: int, na: int, sh: int) -> Any:
    out: list[Any] = []
    for k in range(len(begin)):
        bit = 1 << k
        if el & bit:
            out.append(Ellipsis)
        elif na & bit:
            out.append(None)
        elif sh & bit:
            out.append(int(begin[k]))
        else:
            out.append(slice(None if bm & bit else int(begin[k]), None if em & bit else int(end[k]), int(strides[k])))
    return tuple(out)


@op("TensorStridedSliceUpdate")
def strided_slice_update(x: Array, begin: Array, end: Array, strides: Array, value: Array, *, begin_mask: int = 0,
                         end_mask: int = 0, ellipsis_mask: int = 0, new_axis_mask: int = 0,
                         shrink_axis_mask: int = 0) -> Any:
    made = x.copy()
    made[_where(x, begin, end, strides, begin_mask, end_mask, ellipsis_mask, new_axis_mask, shrink_axis_mask)] = value
    return made


@op("Fill")
def fill(dims: Array, value: Array) -> Any:
    return np.full(bounded(dims, value.dtype.itemsize), value, value.dtype)


@op("Empty")
def empty(dims: Array, *, dtype: Any, init: bool = False) -> Any:
    return np.zeros(bounded(dims), dtype)


@op("Tile")
def tile(x: Array, multiples: Array) -> Any:
    bounded([d * int(m) for d, m in zip(x.shape, multiples, strict=True)], x.dtype.itemsize)
    return np.tile(x, [int(m) for m in multiples])


@op("BroadcastTo")
def broadcast_to(x: Array, s: Array) -> Any:
    return np.broadcast_to(x, bounded(s, x.dtype.itemsize))


@op("BroadcastArgs")
def broadcast_args(a: Array, b: Array) -> Any:
    return np.array(np.broadcast_shapes(tuple(map(int, a)), tuple(map(int, b))), a.dtype)


@op("Pad", "PadV2")
def pad(x: Array, paddings: Array, value: Array | None = None) -> Any:
    pairs = [(int(a), int(b)) for a, b in paddings]
    bounded([d + a + b for d, (a, b) in zip(x.shape, pairs, strict=True)], x.dtype.itemsize)
    return np.pad(x, pairs, constant_values=0 if value is None else value.reshape(()))


@op("MirrorPad")
def mirror_pad(x: Array, paddings: Array, *, mode: str) -> Any:
    return np.pad(x, [(int(a), int(b)) for a, b in paddings],
                  "reflect" if mode == "REFLECT" else "symmetric")


@op("Gather")
def gather(x: Array, i: Array, *, validate_indices: bool = True) -> Any:
    return x[_checked(i, x.shape[0])]


def _checked(i: Array, n: int) -> Array:
    if i.size and (i.min() < 0 or i.max() >= n):
        raise Refused(f"an index out of {n}")
    return i


@op("GatherV2")
def gather_v2(x: Array, i: Array, axis: Array, *, batch_dims: int = 0) -> Any:
    a = int(axis) % max(x.ndim, 1)
    b = batch_dims % (i.ndim + 1) if batch_dims < 0 else batch_dims
    _checked(i, x.shape[a])
    if b == 0:
        return np.take(x, i, a)
    lead = x.shape[:b]
    rows = [np.take(x[k], i[k], a - b) for k in np.ndindex(*lead)]
    return np.stack(rows).reshape(*lead, *rows[0].shape) if rows else np.take(x, i, a)


@op("GatherNd")
def gather_nd(x: Array, i: Array, *, bad_indices_policy: str = "") -> Any:
    for k in range(i.shape[-1]):
        _checked(i[..., k], x.shape[k])
    return x[tuple(np.moveaxis(i, -1, 0))] if i.shape[-1] else np.broadcast_to(x, i.shape[:-1] + x.shape)


@op("ScatterNd")
def scatter_nd(i: Array, updates: Array, s: Array, *, bad_indices_policy: str = "") -> Any:
    text = updates.dtype == object  # joined to nothing
    out = np.full(bounded(s, updates.dtype.itemsize), "" if text else 0, updates.dtype)
    np.add.at(out, tuple(np.moveaxis(i, -1, 0)), updates)
    return out


def _scattered(f: Any) -> Any:
    def rule(x: Array, i: Array, updates: Array, *, bad_indices_policy: str = "") -> Any:
        out = x.copy()
        at = tuple(np.moveaxis(i, -1, 0))
        if f is None:
            out[at] = updates
        else:
            f.at(out, at, updates)
        return out
    return rule


for _name, _f in {"Update": None, "Add": np.add, "Sub": np.subtract, "Mul": np.multiply, "Div": np.true_divide,
                  "Min": np.minimum, "Max": np.maximum}.items():
    OPS[f"TensorScatter{_name}"] = _scattered(_f)
OPS["ScatterNdNonAliasingAdd"] = _scattered(np.add)


@op("OneHot")
def one_hot(i: Array, depth: Array, on: Array, off: Array, *, axis: int = -1) -> Any:
    n = int(depth)
    bounded([*i.shape, n])
    hot = i[..., None] == np.arange(n)
    return np.moveaxis(np.where(hot, on, off), -1, axis)


@op("Where")
def where(x: Array) -> Any:
    return np.argwhere(x).astype(np.int64)


@op("ReverseV2")
def reverse(x: Array, axes: Array) -> Any:
    return np.flip(x, tuple(int(a) for a in axes))


@op("Reverse")
def reverse_v1(x: Array, dims: Array) -> Any:
    return np.flip(x, tuple(k for k, d in enumerate(dims) if d))


@op("DataFormatVecPermute")
def vec_permute(x: Array, *, src_format: str = "NHWC", dst_format: str = "NCHW") -> Any:
    if len(x) == len(src_format) - 2:
        src_format, dst_format = ("".join(c for c in v if c not in "NC") for v in (src_format, dst_format))
    return x[[src_format.index(c) for c in dst_format]]


@op("DataFormatDimMap")
def dim_map(x: Array, *, src_format: str = "NHWC", dst_format: str = "NCHW") -> Any:
    return np.array([dst_format.index(c) for c in src_format], x.dtype)[x]


@op("UnravelIndex")
def unravel(index: Array, sizes: Array) -> Any:
    return np.stack(np.unravel_index(index, tuple(sizes))).astype(index.dtype)


@op("ReverseSequence")
def reverse_sequence(x: Array, lengths: Array, *, seq_dim: int, batch_dim: int = 0) -> Any:
    y = np.moveaxis(x, (batch_dim, seq_dim), (0, 1)).copy()
    for k, n in enumerate(lengths):
        y[k, :n] = y[k, :n][::-1]
    return np.moveaxis(y, (0, 1), (batch_dim, seq_dim))


@op("Roll")
def roll(x: Array, shift: Array, axis: Array) -> Any:
    return np.roll(x, tuple(int(s) for s in np.ravel(shift)), tuple(int(a) for a in np.ravel(axis)))


@op("TopKV2", "TopK")
def top_k(x: Array, k: Array | None = None, *, sorted: bool = True, index_type: Any = I32, **more: Any) -> Any:
    n = int(more["k"] if k is None else k)
    order = np.argsort(-x if x.dtype.kind == "f" else x.max(initial=0) - x.astype(np.int64), axis=-1, kind="stable")
    order = order[..., :n]
    return np.take_along_axis(x, order, -1), order.astype(index_type)


@op("InTopKV2", "InTopK")
def in_top_k(predictions: Array, targets: Array, k: Array) -> Any:
    score = predictions[np.arange(len(targets)), targets]
    return ((predictions > score[:, None]).sum(-1) < int(k)) & np.isfinite(score)


@op("NthElement")
def nth_element(x: Array, n: Array, *, reverse: bool = False) -> Any:
    return np.sort(x, -1)[..., -1 - int(n) if reverse else int(n)]


@op("Unique", "UniqueV2", "UniqueWithCounts", "UniqueWithCountsV2")
def unique(x: Array, axis: Array | None = None, *, out_idx: Any = I32) -> Any:
    if axis is not None and np.size(axis) and (x.ndim != 1):
        raise Refused("unique rows")
    values, first, inverse, count = np.unique(x, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return values[order], place[inverse.ravel()].astype(out_idx), count[order].astype(out_idx)


@op("ListDiff")
def list_diff(x: Array, y: Array, *, out_idx: Any = I32) -> Any:
    keep = ~np.isin(x, y)
    return x[keep], np.flatnonzero(keep).astype(out_idx)


@op("InvertPermutation")
def invert_permutation(x: Array) -> Any:
    out = np.empty_like(x)
    out[x] = np.arange(len(x), dtype=x.dtype)
    return out


@op("SearchSorted", "LowerBound", "UpperBound")
def lower_bound(sequence: Array, values: Array, *, out_type: Any = I32) -> Any:
    return np.stack([np.searchsorted(s, v, "left") for s, v in zip(sequence, values, strict=True)]).astype(out_type)


@op("UpperBound")
def upper_bound(sequence: Array, values: Array, *, out_type: Any = I32) -> Any:
    return np.stack([np.searchsorted(s, v, "right") for s, v in zip(sequence, values, strict=True)]).astype(out_type)


def _segment(ids: Array, n: int, x: Array, f: Any, first: Any) -> Array:
    out = np.full((n, *x.shape[ids.ndim:]), first, x.dtype)
    keep = ids >= 0
    f.at(out, ids[keep], x[keep])
    return out


def _edges(x: Array) -> tuple[Any, Any]:
    info: Any = np.finfo(x.dtype) if x.dtype.kind == "f" else np.iinfo(x.dtype)
    return info.min, info.max


@op("UnsortedSegmentSum", "UnsortedSegmentMax", "UnsortedSegmentMin", "UnsortedSegmentProd")
def unsorted_segment_sum(x: Array, ids: Array, n: Array) -> Any:
    return _segment(ids, bounded([n])[0], x, np.add, 0)


OPS["UnsortedSegmentMax"] = lambda x, ids, n: _segment(ids, bounded([n])[0], x, np.maximum, _edges(x)[0])
OPS["UnsortedSegmentMin"] = lambda x, ids, n: _segment(ids, bounded([n])[0], x, np.minimum, _edges(x)[1])
OPS["UnsortedSegmentProd"] = lambda x, ids, n: _segment(ids, bounded([n])[0], x, np.multiply, 1)


def _many(ids: Array) -> int:
    return int(ids[-1]) + 1 if len(ids) else 0


def _only_present(f: Any, start: Any) -> Any:
    def rule(x: Array, ids: Array) -> Any:
        n = _many(ids)
        made = _segment(ids, n, x, f, start(x))
        made[np.bincount(ids, minlength=n)[:n] == 0] = 0
        return made
    return rule


OPS["SegmentSum"] = lambda x, ids: _segment(ids, _many(ids), x, np.add, 0)
OPS["SegmentProd"] = lambda x, ids: _segment(ids, _many(ids), x, np.multiply, 1)
OPS["SegmentMax"] = _only_present(np.maximum, lambda x: _edges(x)[0])
OPS["SegmentMin"] = _only_present(np.minimum, lambda x: _edges(x)[1])


@op("SegmentMean")
def segment_mean(x: Array, ids: Array) -> Any:
    n = _many(ids)
    count = np.bincount(ids, minlength=n)[:n].reshape((-1,) + (1,) * (x.ndim - 1))
    return (_segment(ids, n, x, np.add, 0) / np.maximum(count, 1)).astype(x.dtype)


@op("SparseSegmentSum", "SparseSegmentMean", "SparseSegmentSqrtN", "SparseSegmentSumWithNumSegments",
    "SparseSegmentMeanWithNumSegments", "SparseSegmentSqrtNWithNumSegments")
def sparse_segment_sum(x: Array, index: Array, ids: Array, n: Array | None = None, *, sparse_gradient: bool = False,
                       how: str = "sum") -> Any:
    count = _many(ids) if n is None else bounded([n])[0]
    rows = x[_checked(index, len(x))]
    total = _segment(ids, count, rows, np.add, 0)
    if how == "sum":
        return total
    many = np.maximum(np.bincount(ids, minlength=count)[:count], 1).reshape((-1,) + (1,) * (x.ndim - 1))
    return (total / (many if how == "mean" else np.sqrt(many))).astype(x.dtype)


for _suffix in ("", "WithNumSegments"):
    for _kind, _how in (("Mean", "mean"), ("SqrtN", "sqrtn")):
        OPS[f"SparseSegment{_kind}{_suffix}"] = (
            lambda how: lambda x, i, ids, n=None, *, sparse_gradient=False: sparse_segment_sum(
                x, i, ids, n, how=how))(_how)


@op("DynamicPartition")
def dynamic_partition(x: Array, parts: Array, *, num_partitions: int) -> Any:
    return tuple(x[parts == k] for k in range(num_partitions))


@op("DynamicStitch", "ParallelDynamicStitch")
def dynamic_stitch(*values: Array) -> Any:
    n = len(values) // 2
    indices, data = values[:n], values[n:]
    top = max((int(i.max()) for i in indices if i.size), default=-1) + 1
    rest = data[0].shape[indices[0].ndim:]
    out = np.zeros((bounded([top])[0], *rest), data[0].dtype)
    for i, d in zip(indices, data, strict=True):
        out[i.ravel()] = d.reshape(-1, *rest)
    return out


@op("SparseToDense")
def sparse_to_dense(i: Array, s: Array, values: Array, default: Array, *, validate_indices: bool = True) -> Any:
    out = np.full(bounded(s), default, values.dtype)
    at = i.reshape(-1, 1) if i.ndim < 2 else i
    out[tuple(at.T)] = values
    return out


@op("SparseTensorDenseAdd")
def sparse_dense_add(i: Array, values: Array, s: Array, dense: Array) -> Any:
    out = dense.copy()
    np.add.at(out, tuple(i.T), values)
    return out


@op("SparseTensorDenseMatMul")
def sparse_dense_matmul(i: Array, values: Array, s: Array, b: Array, *, adjoint_a: bool = False,
                        adjoint_b: bool = False) -> Any:
    a = np.zeros(bounded(s), values.dtype)
    np.add.at(a, tuple(i.T), values)
    return (a.T if adjoint_a else a) @ (b.T if adjoint_b else b)


@op("SparseReshape")
def sparse_reshape(i: Array, s: Array, new: Array) -> Any:
    wanted = [int(d) for d in new]
    total = int(np.prod(s))
    if -1 in wanted:
        k = wanted.index(-1)
        wanted[k] = total // -int(np.prod(wanted))
    flat = np.ravel_multi_index(tuple(i.T), tuple(int(d) for d in s)) if len(i) else np.zeros(0, np.int64)
    return np.stack(np.unravel_index(flat, wanted), -1).astype(np.int64).reshape(-1, len(wanted)), \
        np.array(wanted, np.int64)


@op("SparseFillEmptyRows")
def sparse_fill_empty_rows(i: Array, values: Array, s: Array, default: Array) -> Any:
    rows = int(s[0])
    missing = np.setdiff1d(np.arange(bounded([rows])[0]), i[:, 0])
    more = np.zeros((len(missing), i.shape[1]), np.int64)
    more[:, 0] = missing
    all_i = np.concatenate([i, more])
    order = np.argsort(all_i[:, 0], kind="stable")
    where_to = np.empty(len(order), np.int64)
    where_to[order] = np.arange(len(order))
    all_v = np.concatenate([values, np.full(len(missing), default, values.dtype)])
    empty_rows = np.zeros(rows, bool)
    empty_rows[missing] = True
    return all_i[order], all_v[order], empty_rows, where_to[:len(i)]


@op("MatrixDiag", "BatchMatrixDiag")
def matrix_diag(x: Array) -> Any:
    return x[..., None] * np.eye(x.shape[-1], dtype=x.dtype) if x.dtype.kind != "f" else np.where(
        np.eye(x.shape[-1], dtype=bool), x[..., None], np.zeros((), x.dtype))


@op("MatrixDiagPart", "BatchMatrixDiagPart")
def matrix_diag_part(x: Array) -> Any:
    return np.diagonal(x, axis1=-2, axis2=-1)


@op("Diag")
def diag(x: Array) -> Any:
    return np.diag(x.ravel()).reshape(x.shape + x.shape)


@op("DiagPart")
def diag_part(x: Array) -> Any:
    half = x.shape[:x.ndim // 2]
    return np.diag(x.reshape(int(np.prod(half)), -1)).reshape(half)


@op("MatrixSetDiag", "BatchMatrixSetDiag")
def matrix_set_diag(x: Array, d: Array) -> Any:
    out = x.copy()
    n = min(x.shape[-2:])
    out[..., np.arange(n), np.arange(n)] = d
    return out


def _diagonal(rows: int, columns: int, d: int) -> tuple[Array, Array]:
    n = min(rows + min(d, 0), columns - max(d, 0))
    return np.arange(n) + max(-d, 0), np.arange(n) + max(d, 0)


def _aligned(length: int, widest: int, d: int, align: str) -> int:
    """Where a diagonal begins in its row of the packed form."""
    left = align.split("_")[0 if d > 0 else 1] == "LEFT" if d != 0 else True
    return 0 if left else widest - length


@op("MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diag_part_v3(x: Array, k: Array, padding: Array, *, align: str = "RIGHT_LEFT") -> Any:
    low, high = (int(np.ravel(k)[0]), int(np.ravel(k)[-1]))
    rows, columns = x.shape[-2:]
    found = [(_diagonal(rows, columns, d), d) for d in range(high, low - 1, -1)]
    widest = max(len(i) for (i, _), _ in found)
    out = np.full((*x.shape[:-2], len(found), widest), padding, x.dtype)
    for m, ((i, j), d) in enumerate(found):
        at = _aligned(len(i), widest, d, align)
        out[..., m, at:at + len(i)] = x[..., i, j]
    return out[..., 0, :] if low == high else out


@op("MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag_v3(x: Array, d: Array, k: Array, *, align: str = "RIGHT_LEFT") -> Any:
    low, high = (int(np.ravel(k)[0]), int(np.ravel(k)[-1]))
    out = x.copy()
    packed = d[..., None, :] if low == high else d
    for m, which in enumerate(range(high, low - 1, -1)):
        i, j = _diagonal(x.shape[-2], x.shape[-1], which)
        at = _aligned(len(i), packed.shape[-1], which, align)
        out[..., i, j] = packed[..., m, at:at + len(i)]
    return out


@op("MatrixDiagV2", "MatrixDiagV3")
def matrix_diag_v3(d: Array, k: Array, rows: Array, columns: Array, padding: Array, *,
                   align: str = "RIGHT_LEFT") -> Any:
    low, high = (int(np.ravel(k)[0]), int(np.ravel(k)[-1]))
    packed = d[..., None, :] if low == high else d
    n = packed.shape[-1]
    r, c = int(rows), int(columns)
    if r == -1 and c == -1:
        r = c = n + max(abs(low) if low > 0 else 0, abs(high) if high < 0 else 0, -high if high < 0 else 0,
                        max(0, low))
        if low <= 0 <= high:
            r = c = n
    elif r == -1:
        r = n - min(high, 0)
    elif c == -1:
        c = n + max(low, 0)
    out = np.full((*packed.shape[:-2], *bounded([r, c])), padding, d.dtype)
    for m, which in enumerate(range(high, low - 1, -1)):
        i, j = _diagonal(r, c, which)
        at = _aligned(len(i), n, which, align)
        out[..., i, j] = packed[..., m, at:at + len(i)]
    return out


@op("MatrixBandPart", "BatchMatrixBandPart")
def matrix_band_part(x: Array, lower: Array, upper: Array) -> Any:
    i, j = np.indices(x.shape[-2:])
    keep = ((lower < 0) | (i - j <= lower)) & ((upper < 0) | (j - i <= upper))
    return np.where(keep, x, np.zeros((), x.dtype))


@op("Meshgrid")
def meshgrid(*xs: Array) -> Any:
    return tuple(np.meshgrid(*xs, indexing="ij"))
