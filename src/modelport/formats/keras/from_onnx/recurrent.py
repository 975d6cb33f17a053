"""Recurrent layers: ONNX's gates and directions to those of Keras.

Source: keras/src/layers/rnn; the ONNX operators LSTM, GRU and RNN."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Graph, Made, Node, Value, constant, rebuild
from ....ir.rules import Builder
from ....ir.types import Type
from .common import array, call, floating, from_onnx

LAYER = "keras.Recurrent"
"""A recurrent layer of batches first, which ``..lower`` sees in an LSTM, GRU or RNN: outputs are the sequence ``[batch,
time, directions * units]`` and the last states ``[batch, units]``, of each direction."""
_GATES = {"LSTM": (0, 2, 3, 1), "GRU": (0, 1, 2), "RNN": (0,)}  # i o f c to i f c o; z r h stay
_ACTIVATIONS = {"Sigmoid": "sigmoid", "Tanh": "tanh", "Relu": "relu", "Softplus": "softplus", "Softsign": "softsign"}
KINDS = {"LSTM": "LSTM", "GRU": "GRU", "RNN": "SimpleRNN"}
STATES = {"LSTM": 2, "GRU": 1, "RNN": 1}
_PER_DIRECTION = {"LSTM": 3, "GRU": 2, "RNN": 1}
_USUAL = {"LSTM": ("Sigmoid", "Tanh", "Tanh"), "GRU": ("Sigmoid", "Tanh"), "RNN": ("Tanh",)}


@from_onnx(LAYER)
def recurrent(k: Builder, x: Value, w: Value, r: Value, b: Value | None = None, *states: Value | None, kind: str,
              direction: str, activations: tuple[str, ...] = (), linear_before_reset: int = 0) -> Any:
    """Delivers every step and the last states; :func:`narrowed` takes away what nobody reads."""
    assert k.node is not None
    floating(x, w, r)
    n = 2 if direction == "bidirectional" else 1
    per = _PER_DIRECTION[kind]
    named = [a.title() for a in activations][:per * n] or list(_USUAL[kind]) * n
    if named[:per] * n != named or any(a not in _ACTIVATIONS for a in named) or (
            kind == "LSTM" and named[1] != named[2]):
        raise Unsupported(f"activations {', '.join(named)}")
    given = [s for s in states if s is not None]
    if given and len(given) != STATES[kind] * n:
        raise Unsupported("some of the first states and not all")
    after = kind == "GRU" and bool(linear_before_reset)
    weights = [v for d in range(n) for v in _weights(kind, array(w)[d], array(r)[d], None if b is None else array(b)[d],
                                                      after)]
    units = array(r).shape[-1]
    config: dict[str, Any] = {"units": units, "activation": _ACTIVATIONS[named[per - 1]], "use_bias": b is not None,
                              "return_sequences": True, "return_state": True}
    if kind != "RNN":
        config["recurrent_activation"] = _ACTIVATIONS[named[0]]
    if kind == "GRU":
        config["reset_after"] = after
    types = [o.type for o in k.node.outputs]
    config.update(outputs=len(types), type=types, states=len(given))
    if n > 1:
        return k.add("Bidirectional", x, *weights, *given, kind=KINDS[kind], merge_mode="concat", **config)
    made = k.add(KINDS[kind], x, *weights, *given, go_backwards=direction == "reverse", **config)
    if direction == "reverse":  # the layer delivers the steps in the order that it took them
        return (call(k, "flip", made[0], axis=1, type=types[0]), *made[1:])
    return made


def narrowed(graph: Graph) -> Graph:
    """The raw graph with recurrent layers that deliver only what is read: the sequence, the last states, or both."""
    olds = iter(graph.nodes)

    def rule(node: Node) -> Made:
        old = next(olds)
        if node.op not in ("Bidirectional", *KINDS.values()):
            return None
        used = [bool(graph.uses[o]) for o in old.outputs]
        one = node.op != "Bidirectional" and not used[0] and not any(used[2:])  # the last output is the first state
        last, outs = any(used[1:]) and not one, node.outputs
        attrs = {**node.attrs, "return_sequences": used[0], "return_state": last}
        first = outs[0].type if used[0] or node.op == "Bidirectional" else outs[1].type
        kept = [first, *(o.type for o in outs[1:])] if last else [first]
        made = Node(node.op, node.inputs, attrs, kept, [o.name for o in outs[:len(kept)]], node.name, node.origin)
        if last:
            return made.outputs
        return (made.outputs[0],) if used[0] else (made.outputs[0], made.outputs[0])
    return rebuild(graph, rule, keep_types=False)


def _weights(kind: str, w: Any, r: Any, b: Any, after: bool) -> list[Value]:
    """Kernel, recurrent kernel and bias of one direction."""
    order = _GATES[kind]

    def gates(m: Any) -> Any:
        parts = np.split(m, len(order), axis=0)
        return np.concatenate([parts[g] for g in order], axis=0)
    out = [constant(np.ascontiguousarray(gates(m).T)) for m in (w, r)]
    if b is not None:
        wb, rb = (gates(m) for m in np.split(b, 2))
        if kind == "GRU" and after:
            out.append(constant(np.stack([wb, rb])))
        else:
            out.append(constant(wb + rb))
    return out


def sizes(x: Value, units: int, directions: int, states: int) -> list[Type]:
    """The types of a layer's outputs."""
    batch, time = (x.shape or (None, None))[:2]
    return [Type(x.dtype, (batch, time, units * directions)), *[Type(x.dtype, (batch, units))] * (states * directions)]
