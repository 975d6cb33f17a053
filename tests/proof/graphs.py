"""Small hub graphs for tests: ``graph(function, x=("N", 4))`` calls ``function(op, x)``."""
from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from modelport.hub.infer import builder
from modelport.ir.graph import Graph, Value
from modelport.ir.types import STRING, Type

Make = Callable[..., Any]
IMAGE = ("N", 3, 8, 8)
ROWS = ("N", 6)
STEPS = ("N", 5, 4)


def graph(make: Make, **inputs: Any) -> Graph:
    """A hub graph; an input is a shape (float32) or a pair of element type and shape."""
    values = {}
    for name, spec in inputs.items():
        dtype, shape = spec if isinstance(spec[0], (type, np.dtype)) and len(spec) == 2 else (np.float32, spec)
        values[name] = Value(Type(STRING if dtype is str else np.dtype(dtype), tuple(shape)), name)
    made = make(builder(), *values.values())
    outs = made if isinstance(made, tuple) else (made,)
    return Graph(values, {f"out{k}" if k else "out": v for k, v in enumerate(outs)})


def w(*shape: int, scale: float = 0.5, seed: int = 0) -> np.ndarray[Any, Any]:
    """Weights: the same for the same shape and seed."""
    rng = np.random.default_rng([zlib.crc32(repr(shape).encode()), seed])
    return (rng.standard_normal(shape) * scale).astype(np.float32)
