"""What is done to each feature by itself, as scalers."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....codecs.pickle import Record
from ....errors import Unsupported
from ....ir.graph import Node, Value
from ....ir.tensor import Array
from .common import Chain, number, other
from .table import estimator


@dataclass(frozen=True)
class _Step:
    op: str
    by: Any
    node: Node


def scalers(chain: Chain, x: Value) -> tuple[list[Record], Value]:
    """The scalers that come first, and the value after them."""
    shape = x.shape
    if shape is None or len(shape) != 2 or not isinstance(shape[1], int):
        raise Unsupported("rows of an unknown number of features")
    count, steps = shape[1], []
    v = x
    while (node := chain.next(v)) is not None:
        if node.op in ("Cast", "Identity") and node.outputs[0].dtype == x.dtype:
            v = node.outputs[0]
            continue
        step = _step(node, v, count)
        if step is None:
            break
        steps.append(step)
        v = node.outputs[0]
    return _grouped(steps, count), v


def _step(node: Node, v: Value, count: int) -> _Step | None:
    if node.op == "Clip" and node.inputs[0] is v:
        low, high = (number(node.inputs[k]) if len(node.inputs) > k else None for k in (1, 2))
        return None if low is None or high is None or low >= high else _Step("Clip", (low, high), node)
    if node.op not in ("Sub", "Add", "Mul", "Div") or len(node.inputs) != 2:
        return None
    found = other(node, v)
    if found is None or (node.op in ("Sub", "Div") and not found[1]):
        return None
    by = found[0]
    if by.size not in (1, count) or any(d != 1 for d in by.shape[:-1]):
        return None
    by = np.broadcast_to(by.astype(np.float64).ravel(), (count,)).copy()
    return None if not np.isfinite(by).all() or (node.op == "Div" and not by.all()) else _Step(node.op, by, node)


def _grouped(steps: list[_Step], count: int) -> list[Record]:
    made, k = [], 0
    while k < len(steps):
        ops = [s.op for s in steps[k:k + 3]]
        if ops[0] in ("Sub", "Div"):
            both = ops[:2] == ["Sub", "Div"]
            mean = steps[k].by if ops[0] == "Sub" else None
            scale = steps[k + both].by if both or ops[0] == "Div" else None
            made.append(standard(mean, scale, count))
            k += 1 + both
            continue
        scale, low, used = np.ones(count), np.zeros(count), 0
        limits = None
        for op in ("Mul", "Add", "Clip"):
            if k + used < len(steps) and steps[k + used].op == op:
                by = steps[k + used].by
                scale, low, limits = (by, low, limits) if op == "Mul" else (scale, by, limits) if op == "Add" else \
                    (scale, low, by)
                used += 1
        if not scale.all():
            raise Unsupported("features that are multiplied by zero", steps[k].node)
        made.append(ranged(scale, low, limits, count))
        k += used
    return made


def standard(mean: Array | None, scale: Array | None, count: int) -> Record:
    return estimator("StandardScaler", with_mean=mean is not None, with_std=scale is not None, n_features_in_=count,
                     n_samples_seen_=1, mean_=np.zeros(count) if mean is None else mean,
                     var_=None if scale is None else scale ** 2, scale_=scale)


def ranged(scale: Array, low: Array, limits: tuple[float, float] | None, count: int) -> Record:
    ends = limits or (0.0, 1.0)
    least, most = (ends[0] - low) / scale, (ends[1] - low) / scale
    return estimator("MinMaxScaler", feature_range=ends, clip=limits is not None, n_features_in_=count,
                     n_samples_seen_=1, scale_=scale, min_=low, data_min_=least, data_max_=most,
                     data_range_=most - least)
