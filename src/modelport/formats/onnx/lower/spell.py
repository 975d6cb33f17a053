"""Hub nodes in the words of an older operator set: the same operator, its inputs and attributes arranged otherwise.

A rule takes the node and answers with its inputs and attributes, or raises ``Unsupported``.  It serves every version
below the one it is registered for, down to the next such version."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub.infer import op
from ....hub.shapes import elements, known
from ....ir.graph import Node, Value, constant
from ....ir.rules import static
from ....ir.types import NUMBER
from .fits import respelled

Spelled = tuple[Sequence[Value | None], dict[str, Any]]
Rule = Callable[[Node, int], Spelled]
_BELOW: dict[str, dict[int, Rule]] = {}


def below(version: int, *ops: str) -> Callable[[Rule], Rule]:
    """A decorator: the rule for these operators in operator sets older than ``version``."""
    def register(rule: Rule) -> Rule:
        for name in ops:
            _BELOW.setdefault(name, {})[version] = rule
        return rule
    return register


def spelling(name: str, version: int) -> Rule | None:
    later = sorted(v for v in _BELOW.get(name, ()) if v > version)
    return _BELOW[name][later[0]] if later else None


def _kept(node: Node, version: int, without: Sequence[str] = ()) -> dict[str, Any]:
    got = respelled(node.op, {k: v for k, v in node.attrs.items() if k not in without}, version)
    if isinstance(got, str):
        raise Unsupported(got)
    return got


def _ints(v: Value | None, what: str) -> tuple[int, ...]:
    numbers = known(v)  # computed from static shapes is as good as constant
    return tuple(int(d) for d in (static(v, what) if numbers is None else numbers).reshape(-1))


@below(18, "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin",
       "ReduceProd", "ReduceSumSquare")
def reduce(node: Node, version: int) -> Spelled:
    axes = _ints(node.inputs[1], "the axes") if len(node.inputs) > 1 else ()
    if not axes and node.attrs.get("noop_with_empty_axes"):
        raise Unsupported("no axes, meaning none")
    attrs = _kept(node, version, ("noop_with_empty_axes",))
    return node.inputs[:1], {**attrs, "axes": axes} if axes else attrs


@below(18, "Split")
def split(node: Node, version: int) -> Spelled:
    """Equal parts, the last one smaller where they don't fit; where the length is unknown they must."""
    if len(node.inputs) > 1:
        return node.inputs, _kept(node, version)
    attrs = _kept(node, version, ("num_outputs",))
    x = node.inputs[0]
    shape = None if x is None else x.shape
    n = len(node.outputs)
    length = None if shape is None else shape[attrs.get("axis", 0)]
    if not isinstance(length, int):
        return node.inputs, attrs
    each = -(-length // n)
    parts = [each] * (n - 1) + [length - each * (n - 1)]
    return (x, constant(np.array(parts, np.int64))), attrs


@below(18, "Pad")
def pad(node: Node, version: int) -> Spelled:
    if node.attrs.get("mode") == "wrap":
        raise Unsupported("mode 'wrap'")
    return whole_pad(node), _kept(node, version)


def whole_pad(node: Node) -> Sequence[Value | None]:
    """The inputs of a Pad that says every axis."""
    if len(node.inputs) < 4 or node.inputs[3] is None:
        return node.inputs[:3]
    x = node.inputs[0]
    if x is None or x.rank is None:
        raise Unsupported("pads of some axes of a value of unknown rank")
    pads, axes = _ints(node.inputs[1], "the pads"), _ints(node.inputs[3], "the axes")
    full = np.zeros((2, x.rank), np.int64)
    full[:, [a % x.rank for a in axes]] = np.array(pads, np.int64).reshape(2, -1)
    return x, constant(full.reshape(-1)), node.inputs[2]


@below(19, "Pad")
def pad_18(node: Node, version: int) -> Spelled:
    if node.attrs.get("mode") == "wrap":
        raise Unsupported("mode 'wrap'")
    return node.inputs, _kept(node, version)


@below(18, "Resize")
def resize(node: Node, version: int) -> Spelled:
    if node.attrs.get("coordinate_transformation_mode") == "half_pixel_symmetric":
        raise Unsupported("half_pixel_symmetric")
    return whole_resize(node), _kept(node, version, ("axes",))


def whole_resize(node: Node) -> Sequence[Value | None]:
    """The inputs of a Resize that says every axis.  Where a length is not known beside sizes, these become scales, if
    they are exact in float32 (each is the quotient of two lengths), else the length is taken at run time."""
    axes = node.attrs.get("axes")
    if axes is None:
        return node.inputs
    x, roi, scales, sizes = (*node.inputs, None, None, None)[:4]
    if x is None or x.shape is None:
        raise Unsupported("some axes of a value of unknown rank")
    rank = len(x.shape)
    at = [a % rank for a in axes]
    if roi is not None:
        whole = np.concatenate([np.zeros(rank), np.ones(rank)]).reshape(2, rank).astype(roi.dtype)
        whole[:, at] = static(roi, "roi").reshape(2, -1)
        roi = constant(whole.reshape(-1))
    factors = np.ones(rank, np.float32)
    if scales is not None:
        factors[at] = static(scales, "the scales")
        return x, roi, constant(factors)
    if node.attrs.get("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Unsupported("an aspect ratio of some axes")
    given = dict(zip(at, _ints(sizes, "the sizes"), strict=True))
    lengths = [given.get(a, d) for a, d in enumerate(x.shape)]
    if all(isinstance(d, int) for d in lengths):
        return x, roi, None, constant(np.array(lengths, np.int64))
    before = [x.shape[a] for a in at]
    if all(isinstance(d, int) and d and Fraction(given[a], d) == Fraction(float(np.float32(given[a] / d)))
           for a, d in zip(at, before, strict=True)):
        factors[at] = [given[a] / d for a, d in zip(at, before, strict=True) if isinstance(d, int)]
        return x, roi, constant(factors)
    here = op.at(node)
    order = [a for a in range(rank) if a not in given] + at
    known_last = here.Concat(here.Gather(here.Shape(x), np.array(order[:-len(at)], np.int64)),
                             np.array([given[a] for a in at], np.int64), axis=0)
    return x, roi, None, here.Gather(known_last, np.argsort(order))


@below(14, "Reshape")
def reshape(node: Node, version: int) -> Spelled:
    """``allowzero`` says what a size of 0 means, so it can go where no size is 0.

    Exporters state it everywhere.  A size that is a symbol counts as one that is not 0: only a model that is fed an
    empty batch could tell the difference."""
    if node.attrs.get("allowzero"):
        sizes = elements(node.inputs[1])
        if sizes is None or None in sizes:
            raise Unsupported("allowzero=1, and sizes that are not known before run time")
        if 0 in sizes:
            raise Unsupported("a dimension of 0")
    return node.inputs, _kept(node, version, ("allowzero",))


@below(24, "Cast")
def cast(node: Node, version: int) -> Spelled:
    """``saturate`` and ``round_mode`` speak of small floats only."""
    return node.inputs, _kept(node, version, ("round_mode",) if version >= 19 else ("round_mode", "saturate"))


@below(21, "QuantizeLinear")
def quantize_linear(node: Node, version: int) -> Spelled:
    """The stored type was that of the zero point."""
    x, scale, zero = (*node.inputs, None)[:3]
    out = node.outputs[0].dtype
    if node.attrs.get("block_size"):
        raise Unsupported("blocks")
    attrs = _kept(node, version, ("output_dtype", "block_size", "precision", *(("saturate",) if version < 19 else ())))
    if node.attrs.get("precision"):
        raise Unsupported("a stated precision")
    if zero is None and out != np.uint8:
        if scale is None or scale.type.size is None:
            raise Unsupported("a zero point of unknown shape")
        zero = constant(np.zeros([d for d in scale.shape or () if isinstance(d, int)], out))
    return (x, scale, zero), attrs


@below(23, "DequantizeLinear")
def dequantize_linear(node: Node, version: int) -> Spelled:
    """The result had the type of the scale."""
    scale = node.inputs[1]
    if scale is None or node.attrs.get("output_dtype") not in (None, 0, NUMBER[scale.dtype]):
        raise Unsupported("a result of another type than the scale")
    return node.inputs, _kept(node, version, ("output_dtype",))


@below(19, "AveragePool")
@below(18, "LpPool")
def pool(node: Node, version: int) -> Spelled:
    if any(d != 1 for d in node.attrs.get("dilations", ())):
        raise Unsupported("dilations")
    return node.inputs, _kept(node, version, ("dilations",))


@below(20, "GridSample")
def grid_sample(node: Node, version: int) -> Spelled:
    """The modes were named for images."""
    x = node.inputs[0]
    if x is None or x.rank != 4:
        raise Unsupported("anything but images")
    mode = {"linear": "bilinear", "cubic": "bicubic", "nearest": "nearest"}[node.attrs.get("mode", "linear")]
    return node.inputs, {**_kept(node, version), "mode": mode}


@below(20, "DFT")
def dft(node: Node, version: int) -> Spelled:
    x = node.inputs[0]
    if len(node.inputs) > 2 and node.inputs[2] is not None:
        axis = int(static(node.inputs[2], "the axis").item())
    else:
        axis = -2
    if x is None or x.rank is None:
        raise Unsupported("an axis of a value of unknown rank")
    return node.inputs[:2], {**_kept(node, version), "axis": axis % x.rank}


@below(16, "RoiAlign")
def roi_align(node: Node, version: int) -> Spelled:
    if node.attrs.get("coordinate_transformation_mode") != "output_half_pixel":
        raise Unsupported("coordinate_transformation_mode 'half_pixel'")
    return node.inputs, _kept(node, version, ("coordinate_transformation_mode",))


@below(27, "Range")
def range_(node: Node, version: int) -> Spelled:
    """How half-precision ranges are computed was not stated."""
    if node.outputs[0].dtype.name in ("float16", "bfloat16"):
        raise Unsupported("the precision of half-precision ranges")
    return node.inputs, _kept(node, version, ("stash_type",))
