"""Which rule brings an operator of an old operator set into the hub.

Most steps of an operator's history only widen it: the same node means the same later on.  Those that do not have a
rule, registered for the nodes *below* the version that made the change; it says the old meaning in hub operators."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import onnx

from ....errors import Unsupported
from ....hub.opset import OPSET, schema, split, unheld
from ....ir.graph import Graph, Node
from ....ir.rules import Builder
from ....ir.tensor import Tensor
from ..schemas import since

Rule = Callable[..., Any]
_BELOW: dict[str, dict[int, Rule]] = {}


def below(version: int, *ops: str) -> Callable[[Rule], Rule]:
    """A decorator: the rule for nodes of these operators whose form is older than ``version`` of their domain."""
    def register(rule: Rule) -> Rule:
        for op in ops:
            if version in _BELOW.setdefault(op, {}):
                raise ValueError(f"two rules for {op} below {version}")
            _BELOW[op][version] = rule
        return rule
    return register


def rule_for(op: str, form: int) -> Rule | None:
    """The registered rule for ``op`` in the form it got in version ``form``: the one of the nearest change after it."""
    later = sorted(v for v in _BELOW.get(op, ()) if v > form)
    return _BELOW[op][later[0]] if later else None


def covered(op: str) -> tuple[int, ...]:
    """The versions whose changes of ``op`` have a rule."""
    return tuple(sorted(_BELOW.get(op, ())))


@cache
def _kinds(op: str, version: int) -> Mapping[str, tuple[type, bool]]:
    """The Python type of each attribute of an operator, and whether it is a tuple of them."""
    domain, name = split(op)
    try:
        found = onnx.defs.get_schema(name, version, domain)
    except onnx.defs.SchemaError:
        return {}
    names = {"INT": int, "FLOAT": float, "STRING": str, "TENSOR": Tensor, "SPARSE_TENSOR": Tensor, "GRAPH": Graph}
    kinds = {k: str(a.type).rpartition(".")[2] for k, a in found.attributes.items()}
    return {k: (names[kind.removesuffix("S")], kind.endswith("S")) for k, kind in kinds.items()
            if kind.removesuffix("S") in names}


def check_attributes(node: Node, version: int) -> None:
    """Raises ``Unsupported`` if an attribute is of another kind than the schema in ``version`` says."""
    kinds = _kinds(node.op, version)
    for name, value in node.attrs.items():
        if name in kinds:
            kind, many = kinds[name]
            if not (isinstance(value, tuple) and all(isinstance(v, kind) for v in value) if many else
                    isinstance(value, kind)):
                raise Unsupported(f"attribute '{name}' is of another kind than the schema says")


def refuse(reason: str) -> Rule:
    def refused(op: Builder, *inputs: Any, **attrs: Any) -> Any:
        raise Unsupported(reason)
    return refused


def find(op: str, version: int) -> Rule:
    """The rule for ``op`` in a file that imports ``version`` of its domain; one that refuses if there can't be any."""
    domain, name = split(op)
    if version > OPSET[domain]:
        return refuse(f"operator set {version} of '{domain or 'ai.onnx'}' is newer than the newest known, "
                      f"{OPSET[domain]}")
    if why := unheld(op):
        return refuse(f"{why} are not supported yet")
    form = since(domain, name, version)
    rule = rule_for(op, form)
    if rule is not None:
        return rule
    if not form:
        return refuse(f"operator set {version} of '{domain or 'ai.onnx'}' has no such operator")
    if schema(op) is None or (onnx.defs.get_schema(name, version, domain).deprecated and domain == ""):
        return refuse(f"deprecated in operator set {version}")
    return same


def same(op: Builder, *inputs: Any, **attrs: Any) -> Any:
    """The node as it is: what it says means the same in the hub's operator set."""
    node = op.node
    assert node is not None
    least, most, required, needed = _demands(node.op)
    if not least <= len(inputs) - attrs.get("captures", 0) <= most or any(inputs[k] is None for k in needed):
        raise Unsupported(f"{len(inputs)} inputs where {least} to {most} are allowed, or a required one is missing")
    for name in required:
        if name not in attrs:
            raise Unsupported(f"the attribute '{name}' is missing")
    return op.add(node.op, *inputs, outputs=len(node.outputs), **attrs)


@cache
def _demands(op: str) -> tuple[int, int, tuple[str, ...], tuple[int, ...]]:
    s = schema(op)
    assert s is not None
    single = onnx.defs.OpSchema.FormalParameterOption.Single
    return (s.min_input, s.max_input, tuple(k for k, a in s.attributes.items() if a.required),
            tuple(k for k, i in enumerate(s.inputs) if i.option == single and k < s.min_input))
