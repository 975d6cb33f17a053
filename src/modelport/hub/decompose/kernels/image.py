"""Images in the forms that the kernels have."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ..eager import i64
from .table import rules


def _channels(x: Value) -> int:
    if x.rank != 4 or x.shape is None or not isinstance(x.shape[1], int):
        raise Unsupported("channels only known at run time")
    return x.shape[1]


@rules("DepthToSpace")
def depth_to_space(op: Builder, x: Value, *, blocksize: int, mode: str = "DCR") -> Any:
    """Mode CRD: the channels in the order of the other mode first."""
    if mode != "CRD":
        raise Unsupported(f"element type {x.dtype}")
    order = np.arange(_channels(x)).reshape(-1, blocksize * blocksize).T.reshape(-1)
    return op.DepthToSpace(op.Gather(x, i64(*order), axis=1), blocksize=blocksize, mode="DCR")


@rules("SpaceToDepth")
def space_to_depth(op: Builder, x: Value, *, blocksize: int, mode: str = "DCR") -> Any:
    if mode != "CRD":
        raise Unsupported(f"element type {x.dtype}")
    order = np.arange(_channels(x) * blocksize * blocksize).reshape(blocksize * blocksize, -1).T.reshape(-1)
    return op.Gather(op.SpaceToDepth(x, blocksize=blocksize, mode="DCR"), i64(*order), axis=1)
