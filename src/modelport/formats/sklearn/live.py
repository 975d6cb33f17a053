"""Fitted objects in memory, by way of the bytes that pickling them makes."""
from __future__ import annotations

import pickle
from typing import Any

from ...codecs.limits import DEFAULT, Limits
from ...errors import UsageError
from ...ir.graph import Graph
from .container import load as load_bytes
from .interface import graph


def is_live(source: Any) -> bool:
    return hasattr(source, "predict") or hasattr(source, "transform") or hasattr(source, "steps")


def load(source: Any, limits: Limits = DEFAULT, **options: Any) -> Graph:
    """An estimator as a raw graph; the options are those of reading a file."""
    try:
        data = pickle.dumps(source, protocol=4)
    except Exception as e:  # what a class of the user's own raises
        raise UsageError(f"the {type(source).__name__} cannot be pickled: {e}") from None
    return graph(load_bytes(data, limits), **options)
