"""One model of one operator a case, with inputs that hurt: the reader's conformance suite for TensorFlow Lite.

A case is a line ``add(name, OP, inputs, attributes, outputs)``.  Inputs are arrays: ``given(...)`` makes one that the
model takes at run time, anything else is a constant."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from modelport.ir import Graph, Node, Quant, Tensor, Type, Value

RNG = np.random.default_rng(20)
F32, F16, I8, U8, I16, I32, I64, BOOL = map(np.dtype, ("f4", "f2", "i1", "u1", "i2", "i4", "i8", "?"))
INT4 = np.dtype(ml_dtypes.int4)


@dataclass
class Given:
    """An input of the model: its value in this case, its quantization, and which dimensions are dynamic."""

    array: np.ndarray
    quant: Quant | None = None
    dynamic: tuple[int, ...] = ()


@dataclass
class Case:
    name: str
    graph: Graph
    feeds: dict[str, np.ndarray]
    versions: dict[str, int]


CASES: dict[str, Case] = {}


def given(array: Any, dtype: Any = None, quant: Quant | None = None, dynamic: Sequence[int] = ()) -> Given:
    return Given(np.asarray(array, dtype), quant, tuple(dynamic))


def f(*shape: int, low: float = -3, high: float = 3, dynamic: Sequence[int] = ()) -> Given:
    return given(RNG.uniform(low, high, shape), F32, dynamic=dynamic)


def i(*shape: int, low: int = -9, high: int = 10, dtype: Any = I32) -> Given:
    return given(RNG.integers(low, high, shape), dtype)


def b(*shape: int) -> Given:
    return given(RNG.integers(0, 2, shape), BOOL)


def scale(s: Any, zero: Any = 0, axis: int | None = None) -> Quant:
    return Quant(np.asarray(s, np.float32), np.asarray(zero, np.int64), axis)


def q(*shape: int, s: float = 0.05, zero: int = 3, dtype: Any = I8, dynamic: Sequence[int] = ()) -> Given:
    info = np.iinfo(dtype)
    return given(RNG.integers(info.min, info.max + 1, shape), dtype, scale(s, zero), dynamic)


def k(array: Any, dtype: Any = I32) -> np.ndarray:
    return np.asarray(array, dtype)


def w(*shape: int, s: float = 0.5) -> np.ndarray:
    return RNG.normal(0, s, shape).astype(F32)


@dataclass
class Weight:
    array: np.ndarray
    quant: Quant


def qw(*shape: int, axis: int | None = None, s: float = 0.02, zero: int = 0, dtype: Any = I8, low: int = -127) -> Weight:
    info = ml_dtypes.iinfo(dtype)
    low = max(low, int(info.min)) if info.min < 0 else 0
    stored = RNG.integers(low, int(info.max) + 1, shape).astype(dtype)
    scales = s if axis is None else RNG.uniform(s / 2, s * 2, shape[axis])
    return Weight(stored, scale(scales, zero if axis is None else np.zeros(shape[axis]), axis))


def qb(n: int, x: Given, weight: Weight, dtype: Any = I32) -> Weight:
    s = float(x.quant.scale) * weight.quant.scale
    return Weight(RNG.integers(-2000, 2000, n).astype(dtype), Quant(np.float32(s), np.zeros(np.shape(s), np.int64),
                                                                   None if np.ndim(s) == 0 else 0))


def out(dtype: Any = F32, quant: Quant | None = None) -> Type:
    return Type(np.dtype(dtype), None, quant)


def qout(s: float = 0.1, zero: int = -5, dtype: Any = I8) -> Type:
    return out(dtype, scale(s, zero))


def add(name: str, op: str, inputs: Sequence[Any], attrs: Mapping[str, Any] | None = None,
        outputs: Type | Sequence[Type] | None = None, version: int = 1, states: int = 0,
        then: tuple[str, Type] | None = None) -> None:
    """Adds the case ``OP/name``; the last ``states`` outputs are variables that the operator updates.

    ``then`` is an operator and its type that takes the first output."""
    feeds: dict[str, np.ndarray] = {}
    graph_inputs: dict[str, Value] = {}
    values: list[Value | None] = []
    for number, x in enumerate(inputs):
        if x is None:
            values.append(None)
        elif isinstance(x, Given):
            key = f"in{number}"
            shape = tuple(None if axis in x.dynamic else d for axis, d in enumerate(x.array.shape))
            values.append(Value(Type(x.array.dtype, shape, x.quant), key))
            graph_inputs[key], feeds[key] = values[-1], x.array
        else:
            array, quant = (x.array, x.quant) if isinstance(x, Weight) else (np.asarray(x), None)
            type = Type(array.dtype, array.shape, quant)
            values.append(Value(type, f"const{number}", data=Tensor(array, type)))
    types = [out()] if outputs is None else [outputs] if isinstance(outputs, Type) else list(outputs)
    node = Node(op, values, dict(attrs or {}), types, [f"out{n}" + (":next" if n >= len(types) - states else "") for n in range(len(types))])
    if then is not None:
        node = Node(then[0], node.outputs[:1], {}, [then[1]], ["then0"])
    full = f"{op}/{name}" if name else op
    assert full not in CASES, full
    CASES[full] = Case(full, Graph(graph_inputs, {o.name: o for o in node.outputs if not o.name.endswith(":next")}),
                       feeds, {op: version})
