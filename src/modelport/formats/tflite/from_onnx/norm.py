"""Normalisation, channels last; all but one are made of simpler operators (:mod:`modelport.hub.decompose.norm`)."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ...writing import rank
from .common import carry, from_onnx


@from_onnx("nhwc.LRN")
def lrn(tfl: Builder, x: Value, *, size: int, alpha: float = 1e-4, beta: float = 0.75, bias: float = 1.0) -> Any:
    """The kernel's windows have a middle, and its alpha is not divided by their size."""
    if rank(x) != 4 or size % 2 == 0:
        raise Unsupported("not two spatial axes, or an even window")
    return tfl.LOCAL_RESPONSE_NORMALIZATION(carry(tfl, x, "f4"), radius=size // 2, bias=bias, alpha=alpha / size,
                                            beta=beta, type=tfl.out)
