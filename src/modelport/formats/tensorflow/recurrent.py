"""Recurrent layers among loops, recognised by what their body computes, not by how it is written.

The body of a loop is run by the interpreter on random sequences and states; a cell of :mod:`.cells` whose weights are
among the body's constants and that computes the same next states is what the loop is.  Then the loop becomes one node,
``recurrent.LSTM``, ``recurrent.GRU`` or ``recurrent.RNN``.  Masks are tried with all steps on, and with all off."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np

from ...ir.graph import Graph, Made, Node, Value, constant, rebuild
from ...ir.tensor import Array
from ...ir.types import Type
from .attributes import element_of
from .cells import Cell, Weights, activations, candidates, fits, step
from .interpret import Refused, TensorList, call
from .loops import _none, _single

F32, I32, BOOL = np.dtype(np.float32), np.dtype(np.int32), np.dtype(np.bool_)
_BATCH, _STEPS = 3, 2
_LARGEST = 1 << 24  # elements of the constants of a body that is probed


def recognised(raw: Graph) -> Graph:
    """The graph with its recurrent layers as nodes."""
    if not any(n.op == "While" for n in raw.walk()):
        return raw

    def rule(node: Node) -> Made:
        if node.op != "While":
            return None
        try:
            with np.errstate(all="ignore"):
                return _Probe(node).result()
        except (Refused, ValueError, TypeError, IndexError, KeyError, AttributeError, StopIteration):
            return None  # it is no layer; the loop stays a loop
    return rebuild(raw, rule)


@dataclass
class _Found:
    cell: Cell
    hidden: int
    carry: int | None


class _Probe:
    """One loop: its states by kind, and what the body makes of random ones."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.body: Graph = node.attrs["body"]
        self.cond: Graph = node.attrs["cond"]
        self.ins, self.outs = list(self.body.inputs.values()), list(self.body.outputs.values())
        fixed = {k for k, v in enumerate(self.ins) if self.outs[k] is v}
        lists = [k for k, v in enumerate(self.ins) if element_of(v.dtype) is not None]
        self.read = [k for k in lists if k in fixed and element_of(self.ins[k].dtype) == F32]
        self.masks = [k for k in lists if k in fixed and element_of(self.ins[k].dtype) == BOOL]
        self.written = [k for k in lists if k not in fixed]
        self.states = [k for k, v in enumerate(self.ins) if k not in fixed and v.dtype == F32]
        self.counters = [k for k, v in enumerate(self.ins) if k not in fixed and v.dtype.kind == "i" and k not in lists]
        self.fixed = sorted(fixed - set(lists))
        self.random = np.random.default_rng(0)

    def result(self) -> Made:
        if len(self.read) != 1 or len(self.masks) > 1 or len(self.written) > 1 or not self.states:
            return None
        if len(lists_of(self.ins)) != len(self.read) + len(self.masks) + len(self.written):
            return None
        if not all(self._counts(k) for k in self.counters) or not self._runs_over_all():
            return None
        if not all(self._fitting(j) for j in self.written):
            return None
        found = self._cell()
        return None if found is None else self._replaced(found)

    # ------------------------------------------------------------------------------------------- the loop

    def _counts(self, k: int) -> bool:
        start, after = self.node.inputs[k], self.outs[k]
        if start is None or start.data is None or int(start.numpy().reshape(())) != 0 or after.node is None:
            return False
        a, b = after.node.inputs[:2] if len(after.node.inputs) == 2 else (None, None)
        other = b if a is self.ins[k] else a if b is self.ins[k] else None
        return after.op in ("Add", "AddV2") and other is not None and other.data is not None and int(
            other.numpy().reshape(())) == 1

    def _source(self, k: int) -> Value | None:
        """The tensor whose rows are the elements of a list."""
        v = self.node.inputs[k]
        if v is None or v.node is None:
            return None
        if v.op == "TensorListFromTensor":
            return v.node.inputs[0]
        if v.op == "TensorListScatterIntoExistingList" and _counting(v.node.inputs[2]):
            return v.node.inputs[1]
        return None

    def _runs_over_all(self) -> bool:
        """Whether every comparison of the condition is of a counter with the length of the sequence."""
        asked = list(self.cond.inputs.values())
        source = self._source(self.read[0])
        if source is None:
            return False

        def holds(v: Value | None) -> bool:
            if v is None or v.node is None:
                return False
            if v.op == "LogicalAnd":
                return all(holds(i) for i in v.node.inputs)
            if v.op != "Less":
                return False
            a, b = v.node.inputs
            if a not in [asked[k] for k in self.counters]:
                return False
            outer = self.node.inputs[asked.index(b)] if b in asked else b
            return _is_length(outer, source)
        return holds(next(iter(self.cond.outputs.values())))

    def _fitting(self, j: int) -> bool:
        """Whether a written list is as long as the sequence, or made for the one element that is written again and
        again."""
        start, write, x = self.node.inputs[j], self.outs[j].node, self._source(self.read[0])
        if start is None or start.op not in ("TensorListReserve", "EmptyTensorList") or start.node is None or \
                write is None or write.op not in ("TensorListSetItem", "TensorListPushBack") or x is None or \
                write.inputs[0] is not self.ins[j]:
            return False
        if write.op == "TensorListPushBack" or write.attrs.get("resize_if_index_out_of_bounds"):
            return _none(start) and (write.op == "TensorListPushBack" or write.inputs[1] in self._counting_values())
        if write.inputs[1] in self._counting_values():
            return _is_length(start.node.inputs[1], x)
        index = write.inputs[1]
        return _single(start) and index is not None and index.data is not None and int(index.numpy().reshape(())) == 0

    def _counting_values(self) -> list[Value]:
        return [self.ins[k] for k in self.counters]

    # ------------------------------------------------------------------------------------------- probing

    def _constants(self) -> list[Array]:
        found = [v for v in self.body.constants if v.dtype == F32]
        if sum(v.type.size or 0 for v in found) > _LARGEST:
            raise Refused("too large to probe")
        arrays = [v.numpy() for v in found]
        for node in self.body.nodes:  # parts of weights that are cut at run time
            if node.op in ("StridedSlice", "Unpack", "Split", "SplitV", "Slice", "Reshape", "Squeeze", "Transpose") \
                    and node.inputs and all(v is not None and v.data is not None for v in node.inputs):
                from .interpret import evaluate
                arrays += [m for m in evaluate(node.op, [v.numpy() for v in node.inputs if v is not None], node.attrs,
                                               len(node.outputs)) if m.dtype == F32]
        return arrays

    def _given(self, features: int, units: int, on: bool, scale: float, k: int) -> list[Any]:
        """Random values for the states of the loop at step 0."""
        out: list[Any] = []
        for j, v in enumerate(self.ins):
            element = element_of(v.dtype)
            if j in self.read:
                out.append(TensorList([self._draw(_BATCH, features, scale=scale) for _ in range(_STEPS)], F32, None))
            elif j in self.masks:
                source = self._source(j)
                tail = (1,) if source is not None and source.shape is not None and len(source.shape) == 3 else ()
                shapes = [(_BATCH, *tail), (_BATCH, 1)]
                out.append(TensorList([np.full(shapes[k], on)] * _STEPS, BOOL, None))
            elif element is not None:
                out.append(TensorList([None] * _STEPS, element, None))
            elif j in self.states:
                out.append(self._draw(_BATCH, units, scale=scale))
            elif j in self.counters:
                out.append(np.zeros((), v.dtype))
            else:
                outer = self.node.inputs[j]
                if outer is not None and outer.data is not None:
                    out.append(outer.numpy())
                elif v.dtype.kind == "i":
                    out.append(np.array(_STEPS, v.dtype))
                elif v.dtype == F32 and _zero(outer):  # what a masked step gives
                    out.append(np.zeros((_BATCH, units), F32))
                else:
                    raise Refused("a value that flows in from outside")
        return out

    def _draw(self, *shape: int, scale: float) -> Array:
        return (self.random.standard_normal(shape) * scale).astype(F32)

    def _cell(self) -> _Found | None:
        tried: dict[tuple[int, int], Any] = {}
        for weights in candidates(self._constants()):
            units, features = weights.r.shape[1], weights.w.shape[1]
            if (features, units) not in tried:
                tried[features, units] = self._runs(features, units)
            runs = tried[features, units]
            if not runs:
                continue
            for functions in activations(weights.kind):
                cell = Cell(weights, functions)
                for pair in self._assignments(weights):
                    if all(self._same(cell, pair, given, after) for given, after in runs):
                        return _Found(cell, pair[0], pair[1] if len(pair) > 1 else None)
        return None

    def _runs(self, features: int, units: int) -> list[tuple[list[Any], list[Any]]]:
        """What the body makes of two draws, a small and a large one, with every step on."""
        for k in range(2 if self.masks else 1):
            out = []
            try:
                for scale in (0.5, 2.0):
                    given = self._given(features, units, True, scale, k)
                    out.append((given, call(self.body, given)))
                self.mask_form = k
                return out
            except (Refused, ValueError, TypeError, IndexError):
                continue
        return []

    def _assignments(self, weights: Weights) -> Iterator[tuple[int, ...]]:
        return permutations(self.states, 2 if weights.kind == "LSTM" else 1)

    def _same(self, cell: Cell, pair: Sequence[int], given: list[Any], after: list[Any]) -> bool:
        x = given[self.read[0]].items[0]
        made = step(cell, x, [given[k] for k in pair])
        if not fits(made, [after[k] for k in pair]):
            return False
        others = [k for k in self.states if k not in pair]  # the previous output, which a mask repeats
        return all(fits(made[:1], [after[k]]) for k in others) and self._writes(made[0], after)

    def _writes(self, output: Array, after: list[Any]) -> bool:
        return all(fits([after[k].items[-1 if self.outs[k].op == "TensorListPushBack" else 0]], [output])
                   for k in self.written)

    # ----------------------------------------------------------------------------------------- the result

    def _masked(self, found: _Found) -> str | None:
        """What a masked step gives: ``zero``, ``state`` or ``previous``; ``None`` if no layer has such a mask."""
        weights = found.cell.weights
        given = self._given(weights.w.shape[1], weights.r.shape[1], False, 1.0, self.mask_form)
        after = call(self.body, given)
        kept = [found.hidden] + ([] if found.carry is None else [found.carry])
        if not all(np.array_equal(after[k], given[k]) for k in kept):
            return None
        others = [k for k in self.states if k not in kept]
        if not all(np.array_equal(after[k], given[k]) or not after[k].any() for k in others):
            return None
        for k in self.written:
            item = after[k].items[-1 if self.outs[k].op == "TensorListPushBack" else 0]
            if not item.any():
                return "zero"
            if any(np.array_equal(item, given[j]) for j in others):
                return "previous"
            return "state" if np.array_equal(item, given[found.hidden]) else None
        return "state"

    def _replaced(self, found: _Found) -> Made:
        how = self._masked(found) if self.masks else ""
        if how is None:
            return None
        node, k = self.node, found.cell.weights
        others = [j for j in self.states if j not in (found.hidden, found.carry)]
        if how == "previous" and not all(_zero(node.inputs[j]) for j in others):
            return None
        x = self._source(self.read[0])
        mask = self._source(self.masks[0]) if self.masks else None
        if x is None or (self.masks and mask is None):
            return None
        starts = [node.inputs[found.hidden]] + ([] if found.carry is None else [node.inputs[found.carry]])
        attrs: dict[str, Any] = {
            "w": k.w, "r": k.r, "b": np.concatenate([k.wb, k.rb]), "reset_after": k.reset_after,
            "functions": found.cell.functions, "masked": how or ""}
        made = Node(f"recurrent.{k.kind}", [x, *starts, *([mask] if mask is not None else [])], attrs,
                    [Type(F32, (None, None, k.r.shape[1])), *[Type(F32, (None, k.r.shape[1]))] * len(starts)],
                    ["", *[node.outputs[j].name for j in (found.hidden, found.carry) if j is not None]], node.name,
                    node.origin)
        sequence, *last = made.outputs
        results: list[Value] = []
        for j, v in enumerate(node.inputs):
            assert v is not None
            if j == found.hidden:
                results.append(last[0])
            elif j == found.carry:
                results.append(last[1])
            elif j in others:
                results.append(self._tail(sequence))
            elif j in self.written:
                results.append(self._listed(j, sequence))
            elif j in self.counters:
                results.append(_length(x, node.outputs[j].type, node))
            else:
                results.append(v)
        return results

    def _listed(self, j: int, sequence: Value) -> Value:
        """The list that the loop wrote: all outputs, or only the last one."""
        write = self.outs[j].node
        assert write is not None
        index = write.inputs[1]
        if write.op == "TensorListSetItem" and index is not None and index.data is not None:
            begin, end, stride = constant([-1], I32), constant([0], I32), constant([1], I32)
            sequence = Node("StridedSlice", [sequence, begin, end, stride], {"end_mask": 1},
                            [Type(F32, (None, None, None))], [""], self.node.name).outputs[0]
        return Node("TensorListFromTensor", [sequence, constant(-1, I32)], {}, [self.node.outputs[j].type],
                    [self.node.outputs[j].name], self.node.name).outputs[0]

    def _tail(self, sequence: Value) -> Value:
        return Node("StridedSlice", [sequence, constant([-1], I32), constant([0], I32), constant([1], I32)],
                    {"shrink_axis_mask": 1}, [Type(F32, None)], [""], self.node.name).outputs[0]


def lists_of(values: Sequence[Value]) -> list[int]:
    return [k for k, v in enumerate(values) if element_of(v.dtype) is not None]


def _zero(v: Value | None) -> bool:
    """Whether every element is zero, as far as the graph shows."""
    if v is None:
        return False
    if v.data is not None:
        return not v.numpy().any()
    if v.op == "ZerosLike":
        return True
    if v.op in ("Fill", "Tile", "BroadcastTo", "Reshape", "ExpandDims") and v.node is not None:
        return _zero(v.node.inputs[1 if v.op == "Fill" else 0])
    return False


def _length(x: Value, type: Type, node: Node) -> Value:
    shape = Node("Shape", [x], {}, [Type(I32, (None,))], [""], node.name).outputs[0]
    return Node("StridedSlice", [shape, constant([0], I32), constant([1], I32), constant([1], I32)],
                {"shrink_axis_mask": 1}, [Type(I32, ())], [""], node.name).outputs[0]


def _counting(index: Value | None) -> bool:
    """Whether indices are 0, 1, 2, ..."""
    if index is None:
        return False
    if index.data is not None:
        return bool((index.numpy() == np.arange(index.type.size or 0)).all())
    if index.op != "Range" or index.node is None:
        return False
    start, _, delta = index.node.inputs
    return all(v is not None and v.data is not None and int(v.numpy()) == n for v, n in ((start, 0), (delta, 1)))


def _is_length(v: Value | None, x: Value) -> bool:
    """Whether a number is the size of the first axis of ``x``."""
    for _ in range(16):
        if v is None:
            return False
        if v.data is not None:
            return x.shape is not None and bool(x.shape) and x.shape[0] == int(v.numpy().reshape(-1)[0])
        node = v.node
        if node is None:
            return False
        if node.op in ("Maximum", "Minimum"):
            return all(_is_length(i, x) for i in node.inputs)
        if node.op in ("Max", "Min", "Cast", "Reshape", "Identity"):  # of a single number
            v = node.inputs[0]
            continue
        if node.op == "TensorListLength":
            source = node.inputs[0]
            return source is not None and source.node is not None and source.node.inputs[0] is x
        if node.op != "StridedSlice":
            return False
        shape, begin, end, _ = node.inputs
        if shape is None or shape.op != "Shape" or shape.node is None or begin is None or begin.data is None or \
                end is None or end.data is None or node.attrs.get("shrink_axis_mask") != 1:
            return False
        return _axis_of(shape.node.inputs[0], x, int(begin.numpy().reshape(-1)[0]))
    return False


def _axis_of(y: Value | None, x: Value | None, axis: int) -> bool:
    """Whether axis ``axis`` of ``y`` is as long as the first of ``x``: the same value, or one is the other turned."""
    for _ in range(8):
        if y is None or x is None:
            return False
        if y is x:
            return axis == 0
        node = x.node
        if node is None:
            return False
        if node.op in ("ReverseV2", "Identity"):
            x = node.inputs[0]
        elif node.op == "Transpose" and node.inputs[1] is not None and node.inputs[1].data is not None:
            perm = [int(p) for p in node.inputs[1].numpy()]
            return node.inputs[0] is y and axis == perm[0]
        else:
            return False
    return False
