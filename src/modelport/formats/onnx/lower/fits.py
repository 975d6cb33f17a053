"""Whether a hub node means the same, as it stands, in an older operator set."""
from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import onnx

from ....hub.opset import schema, split
from ....ir.graph import Node
from ....ir.types import STRING, DType

Attributes = dict[str, Any]


def type_name(dtype: DType) -> str:
    """An element type as schemas name tensors of it: ``tensor(float)``."""
    name = {"float32": "float", "float64": "double", "object": "string", "float8_e4m3fn": "float8e4m3fn",
            "float8_e4m3fnuz": "float8e4m3fnuz", "float8_e5m2": "float8e5m2", "float8_e5m2fnuz": "float8e5m2fnuz",
            "float8_e8m0fnu": "float8e8m0", "float4_e2m1fn": "float4e2m1", "float6_e2m3fn": "float6e2m3",
            "float6_e3m2fn": "float6e3m2"}.get(dtype.name, dtype.name)
    return "tensor(string)" if dtype == STRING else f"tensor({name})"


@lru_cache(maxsize=None)
def schema_at(op: str, version: int) -> onnx.defs.OpSchema | None:
    """The schema of a hub operator in a version of its domain, or ``None`` where that has no such operator."""
    domain, name = split(op)
    try:
        found = onnx.defs.get_schema(name, version, domain)
    except onnx.defs.SchemaError:
        return None
    return None if found.deprecated else found


@lru_cache(maxsize=None)
def _types(op: str, version: int) -> tuple[tuple[frozenset[str], ...], tuple[frozenset[str], ...]]:
    s = schema_at(op, version)
    assert s is not None
    return tuple(frozenset(i.types) for i in s.inputs), tuple(frozenset(o.types) for o in s.outputs)


def default(a: onnx.defs.OpSchema.Attribute) -> Any:
    """The default of an attribute as a Python value; ``None`` if it has none."""
    if not a.default_value.type:
        return None
    value = onnx.helper.get_attribute_value(a.default_value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, (list, tuple)):
        return tuple(v.decode() if isinstance(v, bytes) else v for v in value)
    return value


@lru_cache(maxsize=None)
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


def _attention(node: Node, version: int) -> str:
    return "" if version >= 24 or len(node.inputs) <= 6 else "nonpad_kv_seqlen"


WORDS = {"Pad": _pad, "Resize": _resize, "ScatterElements": _scatter, "ScatterND": _scatter,
         "GridSample": _grid_sample, "RoiAlign": _roi_align, "Split": _split,
         "GroupNormalization": _group_normalization, "Attention": _attention,
         **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
                          "ReduceMin", "ReduceProd", "ReduceSumSquare"), _reduce)}
"""What schemas do not say: values of attributes, and meanings, that an older version did not know."""


def misfit(node: Node, version: int) -> str | Attributes:
    """The node's attributes as the operator set ``version`` of its domain has them, or why it does not hold the node."""
    old = schema_at(node.op, version)
    if old is None:
        return "no such operator"
    ins, outs = _types(node.op, version)
    captures = node.attrs.get("captures", 0)
    inputs = node.inputs[:len(node.inputs) - captures]
    if len(inputs) > old.max_input:
        return f"{len(inputs)} inputs"
    for values, allowed in ((inputs, ins), (node.outputs, outs)):
        for k, v in enumerate(values):
            if v is not None and type_name(v.dtype) not in allowed[min(k, len(allowed) - 1)]:
                return f"element type {type_name(v.dtype)[7:-1]}"
    return WORDS[node.op](node, version) or respelled(node.op, node.attrs, version) if node.op in WORDS else \
        respelled(node.op, node.attrs, version)


def respelled(op: str, attrs: Mapping[str, Any], version: int) -> str | Attributes:
    """Attributes without those that say nothing in an older version, and with the defaults that were others there."""
    lacking, changed = _differences(op, version)
    out: Attributes = {}
    if not lacking and not changed:
        return dict(attrs)
    for k, value in attrs.items():
        if k in lacking:
            if lacking[k] is None or value != lacking[k]:
                return f"attribute {k}={value!r}" if isinstance(value, (int, float, str)) else f"attribute {k}"
        else:
            out[k] = value
    for k, value in changed.items():
        out.setdefault(k, value)
    return out
