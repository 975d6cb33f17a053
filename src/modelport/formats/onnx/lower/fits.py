"""Whether a hub node means the same, as it stands, in an older operator set."""
from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from ....hub.opset import schema
from ....ir.graph import Node
from ....ir.types import is_float
from ..schemas import default, schema_at, type_name

Attributes = dict[str, Any]


@cache
def _types(op: str, version: int) -> tuple[tuple[frozenset[str], ...], tuple[frozenset[str], ...]]:
    s = schema_at(op, version)
    assert s is not None
    return tuple(frozenset(i.types) for i in s.inputs), tuple(frozenset(o.types) for o in s.outputs)


@cache
def _differences(op: str, version: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Attributes that the older schema lacks, with the hub's defaults; those whose default differs, likewise."""
    new, old = schema(op), schema_at(op, version)
    assert new is not None
    assert old is not None
    lacking = {k: default(a) for k, a in new.attributes.items() if k not in old.attributes}
    changed = {k: default(a) for k, a in new.attributes.items()
               if k in old.attributes and default(old.attributes[k]) != default(a) and default(a) is not None}
    return lacking, changed


def _pad(node: Node, version: int) -> str:
    return "mode 'wrap'" if version < 19 and node.attrs.get("mode") == "wrap" else ""


def _resize(node: Node, version: int) -> str:
    how = node.attrs.get("coordinate_transformation_mode")
    return f"{how}" if version < 19 and how == "half_pixel_symmetric" else ""


def _scatter(node: Node, version: int) -> str:
    how = node.attrs.get("reduction", "none")
    return f"reduction '{how}'" if version < 18 and how in ("max", "min") else ""


def _grid_sample(node: Node, version: int) -> str:
    return "other names of modes" if version < 20 else ""


def _roi_align(node: Node, version: int) -> str:
    how = node.attrs.get("coordinate_transformation_mode", "half_pixel")
    return f"coordinate_transformation_mode '{how}'" if version < 16 and how != "output_half_pixel" else ""


def _split(node: Node, version: int) -> str:
    return "lengths that are not stated" if version < 18 and len(node.inputs) == 1 else ""


def _reduce(node: Node, version: int) -> str:
    return "axes" if version < 18 else ""


def _group_normalization(node: Node, version: int) -> str:
    return "a scale for each channel" if version < 21 else ""


def _mod(node: Node, version: int) -> str:
    return "fmod=0 of floats" if version < 28 and not node.attrs.get("fmod") and is_float(node.outputs[0].dtype) else ""


def _attention(node: Node, version: int) -> str:
    return "" if version >= 24 or len(node.inputs) <= 6 else "nonpad_kv_seqlen"


WORDS = {"Pad": _pad, "Resize": _resize, "ScatterElements": _scatter, "ScatterND": _scatter,
         "GridSample": _grid_sample, "RoiAlign": _roi_align, "Split": _split,
         "GroupNormalization": _group_normalization, "Attention": _attention, "Mod": _mod,
         **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                          "ReduceMin", "ReduceProd", "ReduceSumSquare"), _reduce)}
"""What schemas do not say: values of attributes, and meanings, that an older version did not know."""


def lacking(node: Node, version: int) -> str:
    """What no other arrangement of the node helps against: its operator or an element type is missing."""
    old = schema_at(node.op, version)
    if old is None:
        return "no such operator"
    ins, outs = _types(node.op, version)
    inputs = node.inputs[:min(old.max_input, len(node.inputs) - node.attrs.get("captures", 0))]
    for values, allowed in ((inputs, ins), (node.outputs, outs)):
        for k, v in enumerate(values):
            if v is not None and type_name(v.dtype) not in allowed[min(k, len(allowed) - 1)]:
                return f"element type {type_name(v.dtype)[7:-1]}"
    return ""


def misfit(node: Node, version: int) -> str | Attributes:
    """The node's attributes as the operator set ``version`` of its domain has them, or why it lacks the node."""
    if why := lacking(node, version):
        return why
    old = schema_at(node.op, version)
    assert old is not None
    inputs = len(node.inputs) - node.attrs.get("captures", 0)
    if inputs > old.max_input:
        return f"{inputs} inputs"
    return WORDS[node.op](node, version) or respelled(node.op, node.attrs, version) if node.op in WORDS else \
        respelled(node.op, node.attrs, version)


def respelled(op: str, attrs: Mapping[str, Any], version: int) -> str | Attributes:
    """Attributes without those that say nothing in an older version, and with the defaults that were others there."""
    missing, changed = _differences(op, version)
    out: Attributes = {}
    if not missing and not changed:
        return dict(attrs)
    for k, value in attrs.items():
        if k in missing:
            if missing[k] is None or value != missing[k]:
                return f"attribute {k}={value!r}" if isinstance(value, (int, float, str)) else f"attribute {k}"
        else:
            out[k] = value
    for k, value in changed.items():
        out.setdefault(k, value)
    return out
