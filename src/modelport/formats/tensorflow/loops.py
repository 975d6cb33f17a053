"""Loops that collect a result of each turn in a list, said as loops that put their results side by side.

That is what ONNX's Loop does by itself, and it needs to know neither the shape of the elements nor their number.
Lists that are filled at once need not be made first."""
from __future__ import annotations

from typing import Any

import numpy as np

from ...ir.graph import Graph, Made, Node, Value, constant, rebuild
from ...ir.types import Type
from .attributes import element_of

I32 = np.dtype(np.int32)


def stacked(raw: Graph) -> Graph:
    """The graph with its collecting loops rewritten."""
    if not any(element_of(v.dtype) is not None for n in raw.walk() for v in n.outputs):
        return raw

    def rule(node: Node) -> Made:
        if node.op == "While":
            return _rewritten(node)
        first = node.inputs[0] if node.inputs else None
        if node.op == "TensorListScatterIntoExistingList" and first is not None and first.op == "TensorListReserve":
            assert first.node is not None
            shape, n = first.node.inputs
            return Node("TensorListScatterV2", [node.inputs[1], node.inputs[2], shape, n], node.attrs,
                        [node.outputs[0].type], [node.outputs[0].name], node.name, node.origin).outputs
        if node.op == "TensorListSetItem" and first is not None and first.op == "TensorListReserve" and not _shaped(
                first):
            assert first.node is not None
            like = Node("TensorListReserveLike", [first.node.inputs[1], node.inputs[2]], {}, [first.type],
                        [first.name], first.node.name, first.node.origin)
            return node.with_(inputs=[like.outputs[0], *node.inputs[1:]]).outputs
        return None
    return rebuild(raw, rule)


def _made_for(items: Value, count: int) -> bool:
    n = items.node.inputs[1] if items.node is not None and items.op == "TensorListReserve" else None
    return n is not None and n.data is not None and int(n.numpy().reshape(())) == count


def _single(items: Value) -> bool:
    """Whether a list is made for one element."""
    return _made_for(items, 1)


def _none(items: Value) -> bool:
    """Whether a list is made empty, to grow."""
    return items.op == "EmptyTensorList" or _made_for(items, 0)


def _shaped(items: Value) -> bool:
    return items.shape is not None and all(isinstance(d, int) for d in items.shape[1:])


def _counter(body: Graph, k: int) -> bool:
    """Whether state ``k`` grows by one each turn."""
    before, after = list(body.inputs.values())[k], list(body.outputs.values())[k]
    if after.op not in ("AddV2", "Add") or after.node is None:
        return False
    a, b = after.node.inputs
    if b is before:
        a, b = b, a
    return a is before and b is not None and b.data is not None and b.type.size == 1 and int(
        b.numpy().reshape(())) == 1


def _rewritten(node: Node) -> Made:
    body, cond = node.attrs["body"], node.attrs["cond"]
    ins, outs, asked = (list(g.values()) for g in (body.inputs, body.outputs, cond.inputs))
    found: dict[int, Value] = {}
    only_last: set[int] = set()
    for k, (v, after) in enumerate(zip(ins, outs, strict=True)):
        start = node.inputs[k]
        if element_of(v.dtype) is None or after.node is None or start is None or after.node.inputs[0] is not v \
                or body.uses[v] != 1 or body.uses[after] != 1 or cond.uses[asked[k]]:
            continue
        if after.op == "TensorListPushBack" and start.op == "EmptyTensorList":
            found[k] = after.node.inputs[1]
        elif after.op == "TensorListSetItem" and start.op in ("TensorListReserve", "EmptyTensorList"):
            index = after.node.inputs[1]
            c = next((j for j, w in enumerate(ins) if w is index), None)
            begin = None if c is None else node.inputs[c]
            grows = bool(after.node.attrs.get("resize_if_index_out_of_bounds"))
            if grows and not _none(start):
                continue  # as long as it was made, or longer
            if c is not None and _counter(body, c) and begin is not None and begin.data is not None \
                    and begin.type.size == 1 and int(begin.numpy().reshape(())) == 0:
                found[k] = after.node.inputs[2]
            elif index is not None and index.data is not None and _single(start) and int(
                    index.numpy().reshape(())) == 0:
                found[k] = after.node.inputs[2]
                only_last.add(k)
    if not found:
        return None
    kept = [k for k in range(len(ins)) if k not in found]
    items = [found[k] for k in found]
    inner = Graph({f"i{j}": ins[k] for j, k in enumerate(kept)},
                  {**{f"o{j}": outs[k] for j, k in enumerate(kept)}, **{f"s{j}": v for j, v in enumerate(items)}},
                  body.name)
    test = Graph({f"i{j}": asked[k] for j, k in enumerate(kept)}, cond.outputs, cond.name)
    types = [node.outputs[k].type for k in kept] + [
        Type(v.dtype, None if v.shape is None else (None, *v.shape)) for v in items]
    attrs: dict[str, Any] = {"cond": test, "body": inner, "stacked": len(items)}
    made = Node("WhileStacked", [node.inputs[k] for k in kept], attrs, types,
                [node.outputs[k].name for k in kept] + [""] * len(items), node.name, node.origin).outputs
    results: dict[int, Value] = dict(zip(kept, made, strict=False))
    for j, k in enumerate(found):
        start, collected = node.inputs[k], made[len(kept) + j]
        assert start is not None and start.node is not None
        listed = Node("TensorListFromTensor", [collected, constant(-1, I32)], {}, [node.outputs[k].type],
                      [node.outputs[k].name], node.name, node.origin).outputs[0]
        if k in only_last:
            listed = Node("TensorListKeepLast", [listed], {}, [node.outputs[k].type], [""], node.name,
                          node.origin).outputs[0]
        elif start.op == "TensorListReserve" and not _none(start) and not _whole(node, found, k):
            listed = Node("TensorListResize", [listed, start.node.inputs[1]], {}, [node.outputs[k].type], [""],
                          node.name, node.origin).outputs[0]
        results[k] = listed
    return [results[k] for k in range(len(ins))]


def _whole(node: Node, found: dict[int, Value], k: int) -> bool:
    """Whether the loop runs exactly as often as the list is long: its condition is that comparison alone."""
    cond = node.attrs["cond"]
    go = next(iter(cond.outputs.values()))
    start = node.inputs[k]
    if go.op != "Less" or go.node is None or start is None or start.node is None:
        return False
    asked = list(cond.inputs.values())
    a, b = go.node.inputs
    ins = list(node.attrs["body"].inputs.values())
    outs = list(node.attrs["body"].outputs.values())
    index = outs[k].node.inputs[1] if outs[k].node is not None else None
    c = next((j for j, w in enumerate(ins) if w is index), None)
    if c is None or a is not asked[c] or b is None:
        return False
    n = start.node.inputs[1]
    limit = next((node.inputs[j] for j, w in enumerate(asked) if w is b and outs[j] is ins[j]), b)
    return limit is n or (limit is not None and n is not None and limit.data is not None and n.data is not None
                          and int(limit.numpy().reshape(())) == int(n.numpy().reshape(())))
