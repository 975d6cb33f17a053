"""Between which bounds the elements of an integer value lie, as far as that follows from the graph alone.

Writers of formats with 32-bit integers narrow where the bounds prove that nothing is lost.  Sizes of tensors count as
32-bit numbers: no target that this is for holds a longer axis."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import numpy as np

from ..ir.graph import Node, Value
from . import symbols

Bounds = tuple[int, int]
INT32: Bounds = (-(1 << 31), (1 << 31) - 1)
COUNT: Bounds = (0, INT32[1])
_MOVES = frozenset(
    "Identity Reshape Transpose Squeeze Unsqueeze Flatten Slice Gather GatherElements GatherND Expand Tile Split "
    "Concat Reverse ReduceMax ReduceMin MaxPool GlobalMaxPool Compress DepthToSpace SpaceToDepth ReverseSequence Trilu "
    "Where Max Min ScatterElements ScatterND Pad Clip Range OneHot TopK".split())
_COUNTS = frozenset("Shape Size ArgMax ArgMin NonZero NonMaxSuppression".split())

_known: WeakKeyDictionary[Value, Bounds] = WeakKeyDictionary()


def fits(value: Value, bounds: Bounds = INT32) -> bool:
    """Whether every element of an integer value is proven to lie within ``bounds``."""
    low, high = of(value)
    return bounds[0] <= low and high <= bounds[1]


def state(value: Value, bounds: Bounds) -> None:
    """States the bounds of an input of a body, which the graph at hand does not tell: a loop's count of turns."""
    _known[value] = bounds


def of(value: Value) -> Bounds:
    """Bounds of the elements of an integer or boolean value."""
    stack = [value]
    while stack:
        v = stack[-1]
        if v in _known:
            stack.pop()
            continue
        needs = [] if v.node is None or v.data is not None else [
            u for u in _read(v.node, v) if u not in _known]
        if needs:
            stack += needs
        else:
            _known[v] = _bounds(v)
            stack.pop()
    return _known[value]


def _type_bounds(v: Value) -> Bounds:
    if v.dtype == np.bool_:
        return 0, 1
    if v.dtype.kind in "iu":
        info = np.iinfo(v.dtype)
        return int(info.min), int(info.max)
    return -(1 << 63), 1 << 64


def _read(node: Node, v: Value) -> list[Value]:
    """The inputs whose elements say something about those of the output ``v``."""
    if v.dtype.kind not in "iub" or node.op in _COUNTS:
        return []
    ins = [u for u in node.inputs if u is not None and u.dtype.kind in "iub"]
    name = node.op
    if name == "TopK":
        return ins[:1] if v is node.outputs[0] else []
    if name in ("Add", "Sub", "Mul", "Div", "Mod", "Neg", "Abs", "Cast", "CumSum", "ReduceSum", "Sum"):
        return ins if name in ("Add", "Sub", "Mul", "Div", "Mod", "Sum") else ins[:1]
    if name not in _MOVES:
        return []
    if name in ("Where", "Max", "Min", "Concat", "Clip", "Range"):
        return ins[1:] if name == "Where" else ins
    if name in ("ScatterElements", "ScatterND"):
        return [u for k, u in enumerate(node.inputs) if u is not None and k != 1]
    if name == "Pad":
        return [u for k, u in enumerate(node.inputs) if u is not None and k in (0, 2)]
    if name == "OneHot":
        return ins[-1:]
    return ins[:1]


def _bounds(v: Value) -> Bounds:
    if v.data is not None and v.dtype.kind in "iub":
        array = v.numpy()
        return (int(array.min()), int(array.max())) if array.size else (0, 0)
    whole = _type_bounds(v)
    if v.dtype.kind not in "iub":
        return whole
    if v.elements is not None and all(e is not None for e in v.elements):
        numbers = [e for e in v.elements if isinstance(e, int)]
        if len(numbers) == len(v.elements):
            return min(numbers, default=0), max(numbers, default=0)
        low, high = COUNT if all(map(symbols.nonnegative, v.elements)) else INT32
        return min([low, *numbers]), max([high, *numbers])  # symbols are sizes, numbers may be any
    if v.node is None:
        return whole
    found = _of_node(v.node, v)
    return whole if found is None or found[0] < whole[0] or found[1] > whole[1] else found


def _of_node(node: Node, v: Value) -> Bounds | None:
    name = node.op
    if name in _COUNTS or (name == "TopK" and v is not node.outputs[0]) or (
            name == "MaxPool" and v is not node.outputs[0]):
        return COUNT
    read = [_known[u] for u in _read(node, v)]
    if name == "Mod" and len(read) == 2 and not node.attrs.get("fmod", 0) and read[1][0] >= 0:
        return 0, max(read[1][1], 1) - 1  # of the sign of the divisor
    if name in _ARITHMETIC:
        return _ARITHMETIC[name](read) if read else None
    if name in ("CumSum", "ReduceSum"):  # at most as many terms as an axis, or all axes, can have
        low, high = read[0] if read else (0, 0)
        least = low if low > 0 and name == "CumSum" and not node.attrs.get("exclusive") else min(low, 0) * COUNT[1]
        return (least, max(high, 0) * COUNT[1]) if read else None
    if name in ("Max", "Min") and read:
        pick = max if name == "Max" else min
        return pick(low for low, _ in read), pick(high for _, high in read)
    if name == "Clip" and len(read) == len(node.inputs) == 3:
        (low, high), (least, _), (_, most) = read
        return min(max(low, least), most), max(min(high, most), least)
    if name in ("ScatterElements", "ScatterND") and node.attrs.get("reduction", "none") not in ("none", "max", "min"):
        return None
    if name == "Pad" and len(node.inputs) > 2 and node.inputs[2] is None:
        read.append((0, 0))
    if name == "Pad" and len(node.inputs) < 3:
        read.append((0, 0))
    if name in _MOVES and read:
        return min(low for low, _ in read), max(high for _, high in read)
    return None


def _times(read: Sequence[Bounds]) -> Bounds:
    low, high = read[0]
    for a, b in read[1:]:
        products = [low * a, low * b, high * a, high * b]
        low, high = min(products), max(products)
    return low, high


def _quotient(read: Sequence[Bounds]) -> Bounds | None:
    (low, high), (least, most) = read
    if least <= 0 <= most:
        return None
    reach = max(abs(low), abs(high)) // min(abs(least), abs(most))
    return (0 if low >= 0 and least > 0 else -reach), reach


def _remainder(read: Sequence[Bounds]) -> Bounds:
    reach = max(abs(read[1][0]), abs(read[1][1]), 1) - 1
    return (0 if read[0][0] >= 0 and read[1][0] > 0 else -reach), reach


_ARITHMETIC: dict[str, Callable[[Sequence[Bounds]], Bounds | None]] = {
    "Add": lambda r: (sum(low for low, _ in r), sum(high for _, high in r)),
    "Sum": lambda r: (sum(low for low, _ in r), sum(high for _, high in r)),
    "Sub": lambda r: (r[0][0] - r[1][1], r[0][1] - r[1][0]),
    "Mul": _times, "Div": _quotient, "Mod": _remainder,
    "Neg": lambda r: (-r[0][1], -r[0][0]),
    "Abs": lambda r: (0, max(abs(r[0][0]), abs(r[0][1]))),
    "Cast": lambda r: r[0],
}
