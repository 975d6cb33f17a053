"""What bodies are told of shapes, and what loops need not stack."""
from __future__ import annotations

from typing import Any

import numpy as np

from modelport.hub import ranges
from modelport.hub.bodies import shaped, trimmed
from modelport.hub.infer import op
from modelport.ir.graph import Graph, Value
from modelport.ir.types import Type

F32, I64 = np.dtype(np.float32), np.dtype(np.int64)


def looped(x: Value, make: Any, captures: list[Value]) -> tuple[Graph, list[Value]]:
    """A loop of a value whose body states no shapes; ``make`` gives its next value and what is stacked."""
    turn, go, v = Value(Type(I64, ()), "turn"), Value(Type(np.dtype(bool), ()), "go"), Value(Type(F32), "v")
    inner = [Value(Type(c.dtype), c.name) for c in captures]
    after, *stacked = make(v, *inner)
    body = Graph({"turn": turn, "go": go, "v": v, **{c.name: c for c in inner}},
                 {"more": op.Identity(go), "after": after, **{f"s{k}": s for k, s in enumerate(stacked)}})
    outs = op.add("Loop", np.array(4, np.int64), None, x, *captures, body=body, outputs=1 + len(stacked),
                  captures=len(captures) or None)
    return body, list(outs)


def test_a_state_that_keeps_its_shape() -> None:
    x = Value(Type(F32, ("n", 3)), "x")
    _, outs = looped(x, lambda v: (op.Tanh(v), op.ReduceSum(v, keepdims=0)), [])
    made = shaped(Graph({"x": x}, {"y": outs[0], "s": outs[1]}))
    assert made.outputs["y"].shape == ("n", 3)
    assert made.outputs["s"].shape == (None,)
    loop = next(n for n in made.nodes if n.op == "Loop")
    assert list(loop.attrs["body"].inputs.values())[2].shape == ("n", 3)
    assert ranges.of(next(iter(loop.attrs["body"].inputs.values()))) == ranges.COUNT


def test_a_state_that_grows() -> None:
    x = Value(Type(F32, (2, 3)), "x")
    _, outs = looped(x, lambda v, c: (op.Concat(v, c, axis=0),), [x])
    made = shaped(Graph({"x": x}, {"y": outs[0]}))
    assert made.outputs["y"].shape == (None, 3)


def test_what_nobody_reads_is_not_stacked() -> None:
    x = Value(Type(F32, (2, 3)), "x")
    _, outs = looped(x, lambda v: (op.Tanh(v), op.Neg(v), op.Abs(v)), [])
    made = trimmed(Graph({"x": x}, {"y": outs[0], "s": outs[2]}))
    loop = next(n for n in made.nodes if n.op == "Loop")
    assert len(loop.outputs) == 2
    assert [v.op for v in loop.attrs["body"].outputs.values()] == ["Identity", "Tanh", "Abs"]
    assert made.outputs["s"] is loop.outputs[1]
    graph = Graph({"x": x}, dict(zip("ysz", outs, strict=True)))
    assert trimmed(graph) is graph
