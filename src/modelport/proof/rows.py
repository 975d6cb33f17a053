"""What libraries of tables take and answer that graphs of tensors do not."""
from __future__ import annotations

import re

import numpy as np

from ..errors import ModelportError
from ..ir.tensor import Array
from ..ir.types import is_float
from .inputs import Feed

FLAT = frozenset(("sklearn",))
"""Formats of libraries that answer with (rows) where others have one column, (rows, 1)."""
LARGE = 1e30


def taken(feed: Feed, made: ModelportError) -> Array | None:
    """Which rows of a feed a library takes, which says that it takes none with a number that is not finite or is very
    large; ``None`` where that is not what it said, or no row is such."""
    arrays = list(feed.arrays.values())
    if not re.search("contains (NaN|infinity)", made.message) or len({a.shape[:1] for a in arrays}) > 1 or \
            not all(is_float(a.dtype) and a.ndim == 2 for a in arrays):
        return None
    kept = np.logical_and.reduce([(np.abs(a.astype(np.float64)) < LARGE).all(1) for a in arrays])
    return None if kept.all() else np.asarray(kept)
