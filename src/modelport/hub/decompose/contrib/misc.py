"""Older spellings of what ONNX has by now."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder, static
from .table import contrib, ints, like


@contrib("Pad")
def pad(op: Builder, x: Value, pads: Value, value: Value | None = None, *, mode: str = "constant") -> Any:
    return op.Pad(x, op.Reshape(pads, ints(-1)), None if value is None else op.Reshape(value, ints()), mode=mode)


@contrib("Range")
def range_(op: Builder, start: Value, limit: Value, delta: Value | None = None) -> Any:
    scalars = [op.Reshape(v, ints()) for v in (start, limit)]
    return op.Range(*scalars, like(1, start) if delta is None else op.Reshape(delta, ints()))


@contrib("Trilu")
def trilu(op: Builder, x: Value, k: Value | None = None, *, upper: int = 1) -> Any:
    return op.Trilu(x, k, upper=upper)


@contrib("GatherND")
def gather_nd(op: Builder, data: Value, indices: Value) -> Any:
    return op.GatherND(data, op.Cast(indices, to=7))


@contrib("ExpandDims")
def expand_dims(op: Builder, x: Value, axis: Value) -> Any:
    return op.Unsqueeze(x, static(axis, "the axis").astype(np.int64).reshape(1))


@contrib("TorchEmbedding")
def torch_embedding(op: Builder, weight: Value, indices: Value, padding: Value | None = None,
                    scale_by_frequency: Value | None = None) -> Any:
    return op.Gather(weight, indices)


@contrib("Unique")
def unique(op: Builder, x: Value) -> Any:
    """Elements in order of first appearance, where each input element went, and how often each occurs."""
    y, _, inverse, counts = op.Unique(x, sorted=0, outputs=4)
    return y, inverse, counts


@contrib("GridSample")
def grid_sample(op: Builder, x: Value, grid: Value, *, mode: str = "bilinear", padding_mode: str = "zeros",
                align_corners: int = 0) -> Any:
    modes = {"bilinear": "linear", "bicubic": "cubic", "nearest": "nearest"}
    return op.GridSample(x, grid, mode=modes[mode], padding_mode=padding_mode, align_corners=align_corners)


@contrib("CDist")
def cdist(op: Builder, a: Value, b: Value, *, metric: str = "sqeuclidean") -> Any:
    """Distances between the rows of two matrices, from their differences (no cancellation)."""
    if metric not in ("sqeuclidean", "euclidean"):
        raise Unsupported(f"metric '{metric}'")
    difference = op.Sub(op.Unsqueeze(a, ints(1)), op.Unsqueeze(b, ints(0)))
    square = op.ReduceSum(op.Mul(difference, difference), ints(2), keepdims=0)
    return square if metric == "sqeuclidean" else op.Sqrt(square)


@contrib("IsAllFinite")
def is_all_finite(op: Builder, *inputs: Value, isinf_only: int = 0, isnan_only: int = 0) -> Any:
    found = []
    for x in inputs:
        bad = op.IsInf(x) if isinf_only else op.IsNaN(x) if isnan_only else op.Or(op.IsInf(x), op.IsNaN(x))
        found.append(op.ReduceMax(op.Cast(bad, to=6), keepdims=0))
    return op.Equal(found[0] if len(found) == 1 else op.Max(*found), np.int32(0))


@contrib("ComplexMul")
def complex_mul(op: Builder, a: Value, b: Value) -> Any:
    return _complex(op, a, b, 1)


@contrib("ComplexMulConj")
def complex_mul_conj(op: Builder, a: Value, b: Value) -> Any:
    """``a`` times the conjugate of ``b``."""
    return _complex(op, a, b, -1)


def _complex(op: Builder, a: Value, b: Value, sign: int) -> Value:
    """The last axis holds the real and the imaginary part."""
    ar, ai = op.Split(a, axis=-1, num_outputs=2, outputs=2)
    br, bi = op.Split(b, axis=-1, num_outputs=2, outputs=2)
    if sign < 0:
        bi = op.Neg(bi)
    real = op.Sub(op.Mul(ar, br), op.Mul(ai, bi))
    return op.Concat(real, op.Add(op.Mul(ar, bi), op.Mul(ai, br)), axis=-1)


@contrib("RelativePositionBias")
def relative_position_bias(op: Builder, table: Value, query_length: Value, key_length: Value, *, max_distance: int,
                           is_bidirectional: int = 0) -> Any:
    """T5's bucketed biases, (1, heads, query, key) (Raffel et al. 2020, appendix on position embeddings)."""
    if table.shape is None or not isinstance(table.shape[0], int):
        raise Unsupported("a table of unknown size")
    buckets = table.shape[0]
    rows, columns = (op.Range(np.int64(0), op.Reshape(n, ints()), np.int64(1)) for n in (query_length, key_length))
    relative = op.Sub(op.Unsqueeze(columns, ints(0)), op.Unsqueeze(rows, ints(1)))
    if is_bidirectional:
        buckets //= 2
        offset = op.Mul(op.Cast(op.Greater(relative, np.int64(0)), to=7), np.int64(buckets))
        distance = op.Abs(relative)
    else:
        offset, distance = None, op.Max(op.Neg(relative), np.int64(0))
    exact = buckets // 2
    wide = op.Max(op.Cast(distance, to=1), np.float32(exact))  # below that the exact branch is taken
    steps = op.Mul(op.Div(op.Log(op.Div(wide, np.float32(exact))), np.float32(np.log(max_distance / exact))),
                   np.float32(buckets - exact))
    far = op.Min(op.Add(op.Cast(steps, to=7), np.int64(exact)), np.int64(buckets - 1))
    bucket = op.Where(op.Less(distance, np.int64(exact)), distance, far)
    bucket = bucket if offset is None else op.Add(bucket, offset)
    return op.Unsqueeze(op.Transpose(op.Gather(table, bucket), perm=[2, 0, 1]), ints(0))
