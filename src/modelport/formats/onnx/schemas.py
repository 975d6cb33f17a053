"""What ONNX's schemas say of operators, in the words of this project."""
from __future__ import annotations

from functools import cache
from typing import Any

import onnx

from ...hub.opset import split
from ...ir.types import STRING, DType


@cache
def type_name(dtype: DType) -> str:
    """An element type as schemas name tensors of it: ``tensor(float)``."""
    name = {"float32": "float", "float64": "double", "object": "string", "float8_e4m3fn": "float8e4m3fn",
            "float8_e4m3fnuz": "float8e4m3fnuz", "float8_e5m2": "float8e5m2", "float8_e5m2fnuz": "float8e5m2fnuz",
            "float8_e8m0fnu": "float8e8m0", "float4_e2m1fn": "float4e2m1", "float6_e2m3fn": "float6e2m3",
            "float6_e3m2fn": "float6e3m2"}.get(dtype.name, dtype.name)
    return "tensor(string)" if dtype == STRING else f"tensor({name})"


@cache
def schema_at(op: str, version: int) -> onnx.defs.OpSchema | None:
    """The schema of a hub operator in a version of its domain, or ``None`` where that has no such operator."""
    domain, name = split(op)
    try:
        found = onnx.defs.get_schema(name, version, domain)
    except onnx.defs.SchemaError:
        return None
    return None if found.deprecated else found


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


def since(domain: str, op: str, version: int) -> int:
    """The version in which an operator got the form it has in ``version`` of its domain; 0 if it is unknown there."""
    try:
        found: int = onnx.defs.get_schema(op, version, domain).since_version
        return found
    except onnx.defs.SchemaError:
        return 0
