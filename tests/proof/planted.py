"""A bug of the table planted in a network of about fifteen layers; every layer's values have names."""
from __future__ import annotations

from typing import Any

import numpy as np
from graphs import graph
from mutants import Mutant

from modelport.ir.graph import Graph, Value
from modelport.ir.types import is_float

BEFORE = ("Neg", "Neg", "Mul", "Mul", "Neg", "Neg", "Identity")
AFTER = ("Mul", "Neg", "Add", "Atan", "Mul", "Identity", "Neg")


def planted(mutant: Mutant) -> tuple[Graph, Graph]:
    """The network with the right and with the wrong layer; the layer's outputs are named ``bug0``, ``bug1``."""
    return tuple(_network(mutant, make) for make in (mutant.right, mutant.wrong))  # type: ignore[return-value]


def _network(mutant: Mutant, make: Any) -> Graph:
    def build(op: Any, *inputs: Value) -> Any:
        here = []
        for v in inputs:
            for k, layer in enumerate(BEFORE):
                v = _layer(op, v, layer, 2.0 if k == 2 else 0.5, f"{list(mutant.inputs)[len(here)]}.before{k}")
            here.append(v)
        made = make(op, *here)
        outs = made if isinstance(made, tuple) else (made,)
        ends = []
        for n, v in enumerate(outs):
            v.name = f"bug{n}"
            for k, layer in enumerate(AFTER):
                v = _layer(op, v, layer, 0.5, f"after{n}.{k}")
            ends.append(v)
        return tuple(ends)
    return graph(build, **mutant.inputs)


def _layer(op: Any, v: Value, layer: str, factor: float, name: str) -> Value:
    if is_float(v.dtype):
        c = np.asarray(factor, v.dtype)
        out = op.add(layer, v, c) if layer in ("Mul", "Add") else op.add(layer, v)
    elif v.dtype.kind == "i" and v.dtype.itemsize == 8:
        out = op.Neg(v) if layer == "Neg" else op.Add(v, np.array(0))
    else:
        out = op.Identity(v)
    out.name = name
    return out  # type: ignore[no-any-return]
