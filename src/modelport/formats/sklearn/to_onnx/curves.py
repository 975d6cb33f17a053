"""Curves given by points: where a number falls among others, and what is between them."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ..methods import ints, like, real

FEW = 16
"""So many comparisons with each number are faster than looking for its place by halves."""


def below(op: Builder, x: Value, table: Array) -> Value:
    """(rows, features), int64: how many of ``table`` (points, features), ascending, are at most as great as each
    number.  Points that are NaN, at the end, count as none."""
    points, width = table.shape
    if points == 0:
        return real(op, op.Mul(x, like(x, 0)), np.int64)
    if points <= FEW:
        hits = op.GreaterOrEqual(op.Unsqueeze(x, ints(1)), like(x, table[None]))
        out: Value = op.ReduceSum(real(op, hits, np.int64), ints(1), keepdims=0)
        return out
    steps = points.bit_length()
    size = 1 << steps
    padded = np.full((size, width), np.nan)
    padded[:points] = table
    flat = like(x, padded.T.ravel())
    start = (np.arange(width) * size)[None].astype(np.int64)
    at: Any = op.Expand(np.zeros((1, 1), np.int64), op.Shape(x))
    for k in range(steps - 1, -1, -1):
        there = op.LessOrEqual(op.Gather(flat, op.Add(at, start + (1 << k) - 1), axis=0), x)
        at = op.Add(at, op.Mul(real(op, there, np.int64), np.int64(1 << k)))
    return real(op, at, np.int64)


def interpolated(op: Builder, x: Value, points: Array, values: Array) -> Value:
    """(rows, features): ``numpy.interp`` of each column: between ``points`` (points, features) the straight line
    through ``values`` (points, features) or (points), beyond them the value at the end."""
    width = points.shape[1]
    values = np.broadcast_to(values[:, None] if values.ndim == 1 else values, points.shape)
    rise, run = np.diff(values, axis=0), np.diff(points, axis=0)
    slope = np.zeros_like(points)
    slope[:-1] = np.where(run > 0, rise / np.where(run > 0, run, 1), 0)
    # below the first point as at it; from the last on as at that
    number = op.Max(op.Sub(below(op, x, points), np.int64(1)), np.int64(0))
    at = number if width == 1 else op.Add(op.Mul(number, np.int64(width)), np.arange(width, dtype=np.int64)[None])
    from_, base, steep = (op.Gather(like(x, np.ascontiguousarray(t).ravel()), at, axis=0) for t in
                          (points, values, slope))
    inside = op.Max(op.Sub(x, from_), like(x, 0))
    past = op.Equal(steep, like(x, 0))  # infinity times nothing
    out: Value = op.Add(base, op.Mul(steep, op.Where(past, like(x, 0), inside)))
    return op.Where(op.IsNaN(x), x, out)
