"""Normalization."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from .activation import _short
from .common import FLOATS, At, from_onnx, held, rank, reshape


@from_onnx("BatchNormalization")
def batch_normalization(at: At, x: Value, scale: Value, bias: Value, mean: Value, var: Value, *,
                        epsilon: float = 1e-5, momentum: float = 0.9, training_mode: int = 0) -> Any:
    assert at.node is not None
    if training_mode or len(at.node.outputs) > 1:
        raise Unsupported("training")
    held([x, scale, bias, mean, var], FLOATS)
    if rank(x) < 2 or len({v.dtype for v in (scale, bias, mean, var)}) > 1 or scale.dtype != x.dtype:
        raise Unsupported("element types that differ, or no channels")
    share = _short(1 - _short(momentum))  # PyTorch's is that of what is new
    return at.batch_norm(x, scale, bias, mean, var, False, share, _short(epsilon), False, type=at.out)


@from_onnx("LayerNormalization")
def layer_normalization(at: At, x: Value, scale: Value | None = None, bias: Value | None = None, *, axis: int = -1,
                        epsilon: float = 1e-5, stash_type: int = 1) -> Any:
    assert at.node is not None
    held([x, scale, bias], FLOATS)
    if len(at.node.outputs) > 1:
        raise Unsupported("the mean and deviation")
    shape = _normalized(x, axis)
    if any(v is not None and (v.shape != tuple(shape) or v.dtype != x.dtype) for v in (scale, bias)):
        raise Unsupported("a scale that is broadcast")
    return at.layer_norm(x, shape, scale, bias, _short(epsilon), type=at.out)


def _normalized(x: Value, axis: int) -> list[int]:
    shape = [d for d in (x.shape or ())[axis % max(rank(x), 1):] if isinstance(d, int)]
    if len(shape) != rank(x) - axis % max(rank(x), 1) or not shape:
        raise Unsupported("sizes that are only known at run time")
    return shape


@from_onnx("RMSNormalization")
def rms_normalization(at: At, x: Value, scale: Value, *, axis: int = -1, epsilon: float = 1e-5,
                      stash_type: int = 1) -> Any:
    held([x, scale], FLOATS)
    shape = _normalized(x, axis)
    if scale.shape != tuple(shape) or scale.dtype != x.dtype or x.dtype.itemsize == 2:
        raise Unsupported("a scale that is broadcast, or of another type")
    return at.rms_norm(x, shape, scale, _short(epsilon), type=at.out)


@from_onnx("InstanceNormalization")
def instance_normalization(at: At, x: Value, scale: Value, bias: Value, *, epsilon: float = 1e-5) -> Any:
    """One element a channel has no deviation, which the kernel refuses."""
    held([x], FLOATS)
    if (any(d == 1 for d in (x.shape or ())[2:]) and all(d == 1 for d in (x.shape or ())[2:])) or rank(x) < 3:
        raise Unsupported("of one element")
    return at.instance_norm(x, scale, bias, None, None, True, 0.1, _short(epsilon), False, type=at.out)


@from_onnx("GroupNormalization")
def group_normalization(at: At, x: Value, scale: Value, bias: Value, *, num_groups: int, epsilon: float = 1e-5,
                        stash_type: int = 1) -> Any:
    held([x, scale, bias], FLOATS)
    if scale.dtype != x.dtype or scale.shape is None or x.shape is None or scale.shape != (x.shape[1],):
        raise Unsupported("a scale that is not one of channels")
    return at.group_norm(x, num_groups, scale, bias, _short(epsilon), False, type=at.out)


__all__ = ["constant", "np", "reshape"]
