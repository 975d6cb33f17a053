"""Other sizes for the inputs: static where they were dynamic, another number, or a batch that becomes dynamic."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import Unsupported, UnsupportedModel, UsageError, printable
from ..hub import infer, shapes, symbols
from ..hub.opset import NHWC
from ..ir.graph import Graph, Made, Node, Value, constant, rebuild
from ..ir.types import Dim, Shape, Type

Wanted = Mapping[str, "tuple[int | str, ...]"]


def with_dimensions(graph: Graph, wanted: Wanted, batch: int | str | None = None) -> Graph:
    """The graph with inputs of other shapes, every type inferred anew.

    ``wanted`` maps input names to whole shapes; ``batch`` is the new first dimension of every other input, a number
    or a name that makes it dynamic.  Where a constant shape inside the model has the old size baked in, it is made to
    follow; where that can't be done surely, :class:`UnsupportedModel` names the node."""
    for name in wanted:
        if name not in graph.inputs:
            raise UsageError(f"the model has no input '{printable(name)}'",
                             hint=f"its inputs: {', '.join(map(printable, graph.inputs))}")
    if batch is not None and not _says(batch):
        raise UsageError("the batch must be a positive number or a name")
    inputs = {k: Value(Type(v.dtype, _shape(k, v.shape, wanted.get(k), batch)), v.name)
              for k, v in graph.inputs.items()}
    # a symbol that got a number has it wherever it stands, in the hints of other inputs too
    known = {old: new for k, v in graph.inputs.items() for old, new in zip(v.shape or (), inputs[k].shape or (),
                                                                         strict=False)
             if isinstance(old, str) and isinstance(new, int)}
    for k, v in inputs.items():
        if v.shape is not None and k not in wanted:
            v.type = v.type.with_shape(tuple(known.get(d, d) if isinstance(d, str) else d for d in v.shape))
    return reinfer(graph, inputs)


def _shape(name: str, old: Shape, new: tuple[int | str, ...] | None, batch: int | str | None) -> Shape:
    if new is None:
        return old if batch is None or not old else (batch, *old[1:])
    if not isinstance(new, Sequence) or isinstance(new, str):
        raise UsageError(f"the shape of '{printable(name)}' must be a list of numbers and names")
    if old is not None and len(old) != len(new):
        raise UsageError(f"input '{printable(name)}' has {len(old)} dimensions, the shape given has {len(new)}")
    new = tuple(int(d) if isinstance(d, np.integer) else d for d in new)
    if not all(d is None or _says(d) for d in new):
        raise UsageError(f"dimensions of '{printable(name)}' must be positive numbers or names")
    return new


def _says(d: Any) -> bool:
    """Whether a dimension is a number of elements, or a name and no number in quotes."""
    if isinstance(d, int) and not isinstance(d, bool):
        return d > 0
    return isinstance(d, str) and d[:1].isidentifier()


def reinfer(graph: Graph, inputs: Mapping[str, Value]) -> Graph:
    """The graph on other inputs, every node made anew so that its types follow from them."""
    problems: list[Unsupported] = []
    op = infer.builder()
    olds = iter(graph.nodes)

    def rule(node: Node) -> Made:
        old = next(olds)
        if problems:
            return None
        try:
            return _made(op.at(node), node, old)
        except Unsupported as e:
            problems.append(Unsupported(f"the new sizes do not fit: {e.reason}", old))
            return None

    result = rebuild(graph, rule, inputs, bodies=False, keep_types=False)
    if problems:
        raise UnsupportedModel(problems, "the same model on inputs of other sizes")
    return result


def _made(op: Any, node: Node, old: Node) -> Made:
    attrs = dict(node.attrs)
    captures = attrs.get("captures", 0)
    for key, body in node.bodies.items():
        outer = node.inputs[len(node.inputs) - captures:] if captures else node.inputs[1:] if node.op == "If" else ()
        own = list(body.inputs.items())
        kept = own[:len(own) - len(outer)]
        new = dict(kept)
        for (name, value), given in zip(own[len(kept):], outer, strict=True):
            new[name] = value if given is None or given.type == value.type else Value(given.type, value.name)
        if any(new[k] is not v for k, v in own):
            attrs[key] = reinfer(body, new)
    ins = list(node.inputs)
    if node.op in ("Reshape", "Expand") and ins[1] is not None and ins[1].data is not None:
        ins[1] = _follow(node, old)
    _fits(node)
    return op.add(node.op, *ins, outputs=len(node.outputs), **attrs)


_CHANNELS = {"Conv": (1, 1), "ConvTranspose": (1, 0), "QLinearConv": (3, 1), "ConvInteger": (1, 1), "LSTM": (1, 2),
             "GRU": (1, 2), "RNN": (1, 2), "BatchNormalization": (1, 0), "InstanceNormalization": (1, 0)}
"""Which input, along which of its axes, says how many channels an operator takes; ONNX's inference does not look."""


def _fits(node: Node) -> None:
    """Refuses an input of other channels than the weights have."""
    name = node.op.removeprefix(NHWC)
    if name not in _CHANNELS:
        return
    place, axis = _CHANNELS[name]
    x, w = node.inputs[0], node.inputs[place]
    if x is None or w is None or x.shape is None or w.shape is None:
        return
    takes = w.shape[axis]
    has = x.shape[-1 if name != node.op or axis == 2 else 1]
    group = node.attrs.get("group", 1) if axis == 1 else 1
    if isinstance(takes, int) and isinstance(has, int) and takes * group != has:
        raise Unsupported(f"it takes {takes * group} channels, the input has {has}")


def _follow(node: Node, old: Node) -> Value:
    """The constant shape of a Reshape or Expand, its baked-in sizes brought up to date."""
    x, was, target = node.inputs[0], old.inputs[0], node.inputs[1]
    assert x is not None and was is not None and target is not None
    want = [int(d) for d in target.numpy()]
    if x.shape == was.shape or x.shape is None or was.shape is None:
        return target
    if node.op == "Expand":
        lead = len(want) - len(x.shape)
        out: list[Dim] = list(want)
        for k, (a, b) in enumerate(zip(was.shape, x.shape, strict=True)):
            if a != b and want[lead + k] == a and a != 1:
                out[lead + k] = 1  # keeps the size that the input has
        return target if out == want else constant(np.array(out, np.int64))
    if -1 in want and 0 not in want:
        return _reshape_target(node, x.shape, was.shape, want, target)
    if not any(d > 0 for d in want):
        return target
    return _reshape_target(node, x.shape, was.shape, want, target)


def _reshape_target(node: Node, now: tuple[Dim, ...], was: tuple[Dim, ...], want: list[int], target: Value) -> Value:
    """Which entry of a Reshape's constant shape is the one that changed: sizes in front follow the input's."""
    total, before = symbols.product(now), symbols.product(was)
    fixed = symbols.product(d for k, d in enumerate(want) if d > 0)
    copied = symbols.product(now[k] for k, d in enumerate(want) if d == 0)
    rest = symbols.exact_div(total, symbols.mul(fixed, copied))
    if -1 not in want and rest == 1:
        return target
    for k, (a, b) in enumerate(zip(was, now, strict=False)):
        if a != b and k < len(want) and want[k] == a and was[:k] == tuple(want[:k]):
            out = list(want)
            out[k] = 0  # the size of the input's own axis
            return constant(np.array(out, np.int64))
    # the changed axis was merged with others: a product in front that scales by the same factor
    if -1 not in want and isinstance(before, int):
        for k, d in enumerate(want):
            if (d > 1 and symbols.exact_div(symbols.mul(total, d), before) is not None) or (d == 1 and k == 0):
                out = list(want)
                out[k] = -1
                if shapes.elements(target) is not None and sum(1 for e in want if e == d) == 1:
                    return constant(np.array(out, np.int64))
    if -1 in want and rest is not None:
        return target
    raise Unsupported(f"its shape {want} has the old size baked in")
