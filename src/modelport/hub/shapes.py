"""Symbolic shapes: what is known of shapes, and of the integers that shapes are computed from, before run time.

ONNX's inference knows one node at a time and only numbers.  Here the elements of small integer values are followed, as
numbers or symbolic expressions, through Shape, Gather, Concat, Slice, arithmetic and the like (:func:`note_elements`),
and give the shapes of Reshape, Expand, Slice, Resize, ... (:func:`refine`), so that a dynamic batch or sequence stays
one named symbol from the model's inputs to its outputs."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..ir.graph import Element, Node, Value
from ..ir.types import Dim, Type, merge
from . import symbols
from .agnostic import NARY, REDUCE

Elements = tuple[Element, ...]
MOST = 256
"""Values of more elements are not followed: they are data, not shapes."""


def elements(value: Value | None) -> Elements | None:
    """The known elements of ``value`` in row-major order, or ``None`` if it is not followed."""
    if value is None:
        return None
    if value.elements is None and value.data is not None:
        size = value.type.size
        if size is not None and size <= MOST and value.dtype.kind in "iubf" and value.dtype.itemsize <= 8:
            array = value.numpy().ravel()
            if value.dtype.kind == "f":
                if not all(float(x).is_integer() for x in array):
                    return None
            value.elements = tuple(int(x) for x in array)
    return value.elements


def note_elements(node: Node) -> None:
    """Records on the node's outputs what is known of their elements."""
    rule = _ELEMENTS.get(node.op)
    if rule is None:
        return
    out = node.outputs[0]
    made = rule(node)
    if made is None:
        return
    many = [made] if not isinstance(made, list) else made
    for out, got in zip(node.outputs, many, strict=False):
        size = out.type.size
        if got is not None and len(got) <= MOST and (size is None or size == len(got)) \
                and any(e is not None for e in got):
            out.elements = tuple(got)


def _shape(node: Node) -> Elements | None:
    x = node.inputs[0]
    if x is None or x.shape is None:
        return None
    return tuple(x.shape[node.attrs.get("start", 0):node.attrs.get("end", None)])


def _size(node: Node) -> Elements | None:
    x = node.inputs[0]
    return None if x is None or x.shape is None else (symbols.product(x.shape),)


def _same(node: Node) -> Elements | None:
    return elements(node.inputs[0])


def _cast(node: Node) -> Elements | None:
    kind = node.outputs[0].dtype.kind
    got = elements(node.inputs[0])
    if kind == "b" and got is not None:
        return tuple(None if e is None else _truth(e) for e in got)
    return got if kind in "iuf" else None


def _truth(e: Element) -> Element:
    return int(bool(e)) if isinstance(e, int) else 1 if symbols.positive_constant(e) else None


def _gather(node: Node) -> Elements | None:
    data, index = elements(node.inputs[0]), elements(node.inputs[1])
    x = node.inputs[0]
    if data is None or index is None or x is None or x.rank != 1:
        return None
    if not all(isinstance(i, int) and -len(data) <= i < len(data) for i in index):
        return None
    return tuple(data[i] for i in index if isinstance(i, int))


def _concat(node: Node) -> Elements | None:
    if any(v is None or v.rank != 1 for v in node.inputs):
        return None
    out: list[Element] = []
    for v in node.inputs:
        part = elements(v)
        if part is None:
            assert v is not None and v.shape is not None
            if not isinstance(v.shape[0], int) or v.shape[0] > MOST:
                return None
            part = (None,) * v.shape[0]
        out.extend(part)
    return tuple(out)


def _integers(value: Value | None) -> list[int] | None:
    got = elements(value)
    return None if got is None or not all(isinstance(e, int) for e in got) else [e for e in got if isinstance(e, int)]


def _slice(node: Node) -> Elements | None:
    x = node.inputs[0]
    data = elements(x)
    if data is None or x is None or x.rank != 1:
        return None
    start, end = _integers(node.inputs[1]), _integers(node.inputs[2])
    step = _integers(node.inputs[4]) if len(node.inputs) > 4 and node.inputs[4] is not None else [1]
    if not (start and end and step) or not step[0]:
        return None
    n = len(data)
    a, b = start[0], end[0]
    if step[0] > 0:
        return tuple(data[a:b:step[0]])
    a = min(max(a + n, 0) if a < 0 else a, n - 1)
    b = b + n if -n <= b < 0 else b
    return tuple(data[k] for k in range(a, max(b, -1), step[0]))


def _broadcast(node: Node) -> tuple[Elements, Elements] | None:
    a, b = elements(node.inputs[0]), elements(node.inputs[1])
    if a is None or b is None or node.outputs[0].rank is None or node.outputs[0].rank > 1:
        return None
    n = max(len(a), len(b)) if min(len(a), len(b)) else 0
    if len(a) not in (1, n) or len(b) not in (1, n):
        return None
    return (a * n if len(a) == 1 else a), (b * n if len(b) == 1 else b)


def _binary(f: Callable[[Element, Element], Element]) -> Callable[[Node], Elements | None]:
    def rule(node: Node) -> Elements | None:
        if len(node.inputs) != 2:
            return None
        both = _broadcast(node)
        return None if both is None else tuple(f(a, b) for a, b in zip(*both, strict=True))
    return rule


def _div(node: Node) -> Elements | None:
    both = _broadcast(node)
    if both is None:
        return None
    whole = node.outputs[0].dtype.kind in "iu"
    def one(a: Element, b: Element) -> Element:
        if isinstance(a, int) and isinstance(b, int):  # ONNX truncates; the two agree where neither is negative
            return None if b == 0 or (not whole and a % b) or a < 0 or b < 0 else a // b
        return symbols.floor_div(a, b) if whole and symbols.nonnegative(a) else symbols.exact_div(a, b)
    return tuple(one(a, b) for a, b in zip(*both, strict=True))


def _mod(a: Element, b: Element) -> Element:
    if isinstance(a, int) and isinstance(b, int):
        return a % b if b > 0 and a >= 0 else None
    return 0 if symbols.exact_div(a, b) is not None else None


def _equal(a: Element, b: Element) -> Element:
    if a is None or b is None:
        return None
    if a == b:
        return 1
    difference = symbols.sub(a, b)
    if isinstance(difference, int):
        return 0
    # sizes are never negative, so a size is no negative number
    return 0 if symbols.positive_constant(difference) or symbols.positive_constant(symbols.sub(b, a)) else None


def _max(a: Element, b: Element) -> Element:
    difference = symbols.sub(a, b)
    if symbols.nonnegative(difference):
        return a
    return b if symbols.nonnegative(symbols.sub(b, a)) else None


def _min(a: Element, b: Element) -> Element:
    difference = symbols.sub(a, b)
    if symbols.nonnegative(difference):
        return b
    return a if symbols.nonnegative(symbols.sub(b, a)) else None


def _compare(sure: Callable[[Element], bool],
             never: Callable[[Element], bool]) -> Callable[[Element, Element], Element]:
    def rule(a: Element, b: Element) -> Element:
        return 1 if sure(symbols.sub(a, b)) else 0 if never(symbols.sub(b, a)) else None
    return rule


def _where(node: Node) -> Elements | None:
    cond, a, b = (elements(v) for v in node.inputs)
    if cond is None or a is None or b is None or node.outputs[0].rank is None or node.outputs[0].rank > 1:
        return None
    n = max(len(cond), len(a), len(b))
    if any(len(e) not in (1, n) for e in (cond, a, b)):
        return None
    cond, a, b = (e * n if len(e) == 1 else e for e in (cond, a, b))
    return tuple(x if c == 1 else y if c == 0 else x if x == y else None for c, x, y in zip(cond, a, b, strict=True))


def _filled(node: Node) -> Elements | None:
    size = node.outputs[0].type.size
    if size is None or size > MOST:
        return None
    value = node.attrs.get("value")
    fill = 0 if value is None else value.numpy().ravel()[0]
    return (int(fill),) * size if float(fill).is_integer() else None


def _expand(node: Node) -> Elements | None:
    got, size = elements(node.inputs[0]), node.outputs[0].type.size
    return got * size if got is not None and len(got) == 1 and size is not None and size <= MOST else \
        got if got is not None and size == len(got) else None


def _range(node: Node) -> Elements | None:
    ends = [_integers(v) for v in node.inputs]
    if any(e is None or len(e) != 1 for e in ends):
        return None
    a, b, c = (e[0] for e in ends if e is not None)
    return tuple(range(a, b, c)) if c and len(range(a, b, c)) <= MOST else None


def _split(node: Node) -> list[Elements] | None:
    got, x = elements(node.inputs[0]), node.inputs[0]
    if got is None or x is None or x.rank != 1:
        return None
    out, at = [], 0
    for o in node.outputs:
        if o.shape is None or not isinstance(o.shape[0], int):
            return None
        out.append(got[at:at + o.shape[0]])
        at += o.shape[0]
    return out


def _reduce_prod(node: Node) -> Elements | None:
    got, x = elements(node.inputs[0]), node.inputs[0]
    return None if got is None or x is None or x.rank != 1 else (symbols.product(got),)


def _not(node: Node) -> Elements | None:
    got = elements(node.inputs[0])
    return None if got is None else tuple(1 - e if isinstance(e, int) else None for e in got)


def _neg(node: Node) -> Elements | None:
    got = elements(node.inputs[0])
    return None if got is None else tuple(symbols.mul(e, -1) for e in got)


_ELEMENTS: dict[str, Callable[[Node], Any]] = {
    "Shape": _shape, "Size": _size, "Gather": _gather, "Concat": _concat, "Slice": _slice, "Div": _div,
    "Where": _where, "ConstantOfShape": _filled, "Expand": _expand, "Range": _range, "Split": _split,
    "ReduceProd": _reduce_prod, "Neg": _neg, "Cast": _cast, "Not": _not,
    **dict.fromkeys(("Identity", "Squeeze", "Unsqueeze", "Reshape", "Floor", "Ceil", "Round", "Flatten"), _same),
    "Add": _binary(symbols.add), "Sub": _binary(symbols.sub), "Mul": _binary(symbols.mul), "Mod": _binary(_mod),
    "Equal": _binary(_equal), "Max": _binary(_max), "Min": _binary(_min),
    "Greater": _binary(_compare(symbols.positive_constant, symbols.nonnegative)),
    "Less": _binary(lambda a, b: _compare(symbols.positive_constant, symbols.nonnegative)(b, a)),
    "GreaterOrEqual": _binary(_compare(symbols.nonnegative, symbols.positive_constant)),
    "LessOrEqual": _binary(lambda a, b: _compare(symbols.nonnegative, symbols.positive_constant)(b, a)),
}


def refine(op: str, here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any],
           types: tuple[Type, ...]) -> tuple[Type, ...]:
    """``types``, the gaps of the first output's shape filled where elements or symbols say more than ONNX's inference.

    ``here`` are the types of the inputs as the ONNX operator sees them (channels first for a twin)."""
    rule = _SHAPES.get(op)
    if rule is None or (types[0].shape is not None and None not in types[0].shape):
        return types
    dims = rule(here, inputs, attrs)
    if dims is None:
        return types
    shape = tuple(d if not isinstance(d, int) or d >= 0 else None for d in dims)
    return (merge(types[0], Type(types[0].dtype, shape)), *types[1:])


def _reshape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    want, x = elements(inputs[1]), here[0]
    if want is None or x is None:
        return None
    out: list[Dim] = [x.shape[k] if e == 0 and not attrs.get("allowzero", 0) and x.shape is not None and
                      k < len(x.shape) else e for k, e in enumerate(want)]
    open_ = [k for k, d in enumerate(out) if d == -1 or d is None]
    if len(open_) == 1 and x.shape is not None:
        rest = symbols.product(d for k, d in enumerate(out) if k != open_[0])
        got = symbols.exact_div(symbols.product(x.shape), rest)
        # an element that is not known may be any size: only -1 is surely "what is left", else it must fit anyway
        out[open_[0]] = got
    return tuple(None if d == -1 else d for d in out)


def _expand_shape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    want, x = elements(inputs[1]), here[0]
    if want is None or x is None or x.shape is None:
        return None
    n = max(len(want), len(x.shape))
    a = (1,) * (n - len(x.shape)) + x.shape
    b = (1,) * (n - len(want)) + want
    return tuple(symbols.broadcast(d, e) for d, e in zip(a, b, strict=True))


def _broadcast_shape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    """Multidirectional broadcasting (ONNX's Broadcasting.md), where ONNX's inference gives up on two symbols."""
    all_dims = [t.shape for t in here if t is not None and t.shape is not None]
    if len(all_dims) != len(here):
        return None
    rank = max(map(len, all_dims))
    out: list[Element] = [1] * rank
    for dims in all_dims:
        out = [symbols.broadcast(a, b) for a, b in zip(out, (1,) * (rank - len(dims)) + dims, strict=True)]
    return tuple(out)


def _from_elements(index: int) -> Callable[..., Any]:
    def rule(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
        return elements(inputs[index])
    return rule


def _concat_shape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    shapes = [t.shape for t in here if t is not None]
    if not shapes or any(s is None or len(s) != len(shapes[0] or ()) for s in shapes):
        return None
    rank = len(shapes[0] or ())
    axis = attrs["axis"] % rank if rank else 0
    total: Element = 0
    for s in shapes:
        total = symbols.add(total, s[axis] if s is not None else None)
    out: list[Dim] = []
    for k in range(rank):
        dims = [s[k] for s in shapes if s is not None]
        out.append(total if k == axis else next((d for d in dims if isinstance(d, int)),
                                                next((d for d in dims if d is not None), None)))
    return tuple(out)


def _slice_shape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    x = here[0]
    starts, ends = elements(inputs[1]), elements(inputs[2])
    if x is None or x.shape is None:
        return None
    axes = _integers(inputs[3]) if len(inputs) > 3 and inputs[3] is not None else \
        None if starts is None else list(range(len(starts)))
    if axes is None:
        return None
    unknown = (None,) * len(axes)  # the other axes keep their sizes
    starts, ends = starts or unknown, ends or unknown
    steps = (elements(inputs[4]) or unknown) if len(inputs) > 4 and inputs[4] is not None else (1,) * len(axes)
    out = list(x.shape)
    for a, b, axis, step in zip(starts, ends, axes, steps, strict=True):
        axis %= len(out)
        out[axis] = _sliced(out[axis], a, b, step)
    return tuple(out)


def _sliced(dim: Dim, a: Element, b: Element, step: Element) -> Dim:
    """The size of ``range(dim)[a:b:step]`` where it is sure for every value of the symbols."""
    if dim is None or a is None or b is None or not isinstance(step, int) or step < 1:
        return dim if step == -1 and a == -1 and isinstance(b, int) and b < -(1 << 30) else None
    first = a if symbols.nonnegative(a) else symbols.add(dim, a)
    last: Element = dim if isinstance(b, int) and b >= (1 << 31) - 1 else b if symbols.nonnegative(b) \
        else symbols.add(dim, b)
    if last != dim and not symbols.nonnegative(symbols.sub(dim, last)):  # the end may lie beyond the axis
        return symbols.at_most(dim, last) if isinstance(dim, int) and first == 0 and step == 1 \
            and symbols.nonnegative(last) else None
    if not symbols.surely_size(first) or not symbols.surely_size(last):
        return None
    size = symbols.sub(last, first)
    if not symbols.surely_size(size):
        return None
    return size if step == 1 else symbols.floor_div(symbols.add(size, step - 1), step)


def _pad_shape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    x = here[0]
    if x is None or x.shape is None:
        return None
    axes = _integers(inputs[3]) if len(inputs) > 3 and inputs[3] is not None else list(range(len(x.shape)))
    if axes is None:
        return None
    pads = elements(inputs[1]) or (None,) * (2 * len(axes))  # the other axes keep their sizes
    out = list(x.shape)
    for k, axis in enumerate(axes):
        out[axis % len(out)] = symbols.add(out[axis % len(out)], symbols.add(pads[k], pads[k + len(axes)]))
    return tuple(out)


def _tile_shape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    x, repeats = here[0], elements(inputs[1])
    if x is None or x.shape is None or repeats is None or len(repeats) != len(x.shape):
        return None
    return tuple(symbols.mul(d, r) for d, r in zip(x.shape, repeats, strict=True))


def _range_shape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    a, b, c = (elements(v) for v in inputs)
    if a is None or b is None or c is None or c[0] != 1:
        return None
    size = symbols.sub(b[0], a[0])
    return (size,) if symbols.nonnegative(size) else None


def _resize_shape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    x = here[0]
    if x is None or x.shape is None:
        return None
    axes = [a % len(x.shape) for a in attrs.get("axes", range(len(x.shape)))]
    out = list(x.shape)
    if len(inputs) > 3 and inputs[3] is not None:
        sizes = elements(inputs[3])
        if sizes is None or attrs.get("keep_aspect_ratio_policy", "stretch") != "stretch":
            return None
        for axis, size in zip(axes, sizes, strict=True):
            out[axis] = size
        return tuple(out)
    scales = None if len(inputs) < 3 else elements(inputs[2])
    if scales is None:
        return None
    for axis, scale in zip(axes, scales, strict=True):
        out[axis] = symbols.mul(out[axis], scale)
    return tuple(out)


def _window(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    """Conv and pooling over symbolic sizes (ONNX operators Conv and MaxPool, "output_spatial_shape")."""
    x = here[0]
    if x is None or x.shape is None:
        return None
    space = len(x.shape) - 2
    w = here[1] if len(here) > 1 else None
    kernel = attrs.get("kernel_shape") or (w.shape[2:] if w is not None and w.shape is not None else None)
    if kernel is None or attrs.get("ceil_mode", 0):
        return None
    strides, dilations = attrs.get("strides") or (1,) * space, attrs.get("dilations") or (1,) * space
    pads, auto = attrs.get("pads") or (0,) * (2 * space), attrs.get("auto_pad", "NOTSET")
    channels: Dim = x.shape[1] if w is None else None if w.shape is None else w.shape[0]
    out: list[Dim] = [x.shape[0], channels]
    for k in range(space):
        size, s = x.shape[2 + k], strides[k]
        length = kernel[k]
        extent = (length - 1) * dilations[k] + 1 if isinstance(length, int) else None
        if auto.startswith("SAME"):
            out.append(symbols.floor_div(symbols.add(size, s - 1), s))
        elif extent is not None:
            both = pads[k] + pads[k + space] if auto == "NOTSET" else 0
            out.append(symbols.add(symbols.floor_div(symbols.add(size, both - extent), s), 1))
        else:
            out.append(None)
    return tuple(out)


def _flatten_shape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    x = here[0]
    if x is None or x.shape is None:
        return None
    axis = attrs.get("axis", 1)
    axis = axis if axis >= 0 else axis + len(x.shape)
    return symbols.product(x.shape[:axis]), symbols.product(x.shape[axis:])


def _blocks(up: bool) -> Callable[..., Any]:
    def rule(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
        x, b = here[0], attrs["blocksize"]
        if x is None or x.shape is None:
            return None
        n, c, h, w = x.shape
        if up:
            return n, symbols.exact_div(c, b * b), symbols.mul(h, b), symbols.mul(w, b)
        return n, symbols.mul(c, b * b), symbols.floor_div(h, b), symbols.floor_div(w, b)
    return rule


def _reduced_shape(here: Sequence[Type | None], inputs: Sequence[Value | None], attrs: Mapping[str, Any]) -> Any:
    """Along axes that are only known at run time: so much is known that the rank is."""
    x, axes = here[0], inputs[1] if len(inputs) > 1 else None
    if x is None or x.shape is None or axes is None or axes.rank != 1 or axes.shape is None:
        return None
    length = axes.shape[0]
    if length == 0:
        if attrs.get("noop_with_empty_axes", 0):
            return x.shape
        return (1,) * len(x.shape) if attrs.get("keepdims", 1) else ()
    if attrs.get("keepdims", 1):
        return (None,) * len(x.shape)
    return (None,) * (len(x.shape) - length) if isinstance(length, int) else None


_SHAPES: dict[str, Callable[..., Any]] = {
    "Reshape": _reshape, "Expand": _expand_shape, "ConstantOfShape": _from_elements(0), "Concat": _concat_shape,
    "Slice": _slice_shape, "Pad": _pad_shape, "Tile": _tile_shape, "Range": _range_shape, "Resize": _resize_shape,
    "Conv": _window, "MaxPool": _window, "AveragePool": _window, "LpPool": _window, "Flatten": _flatten_shape,
    **dict.fromkeys(NARY, _broadcast_shape), **dict.fromkeys(REDUCE, _reduced_shape),
    "DepthToSpace": _blocks(True), "SpaceToDepth": _blocks(False),
    **dict.fromkeys(("GroupNormalization", "MeanVarianceNormalization"), lambda here, inputs, attrs: here[0].shape),
}


def known(value: Value | None) -> np.ndarray[Any, Any] | None:
    """``value`` as an array if every element is a known number (constant or computed from static shapes), else None."""
    if value is None:
        return None
    if value.data is not None:
        return value.numpy()
    got = _integers(value)
    if got is None or not value.type.static:
        return None
    return np.array(got, value.dtype).reshape([d for d in value.shape or () if isinstance(d, int)])
