"""Calls of kernels as nodes: the tensors are inputs, everything else stands in the attribute ``arguments``."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import Unsupported
from ...ir.graph import Node, Value, constant
from ...ir.rules import Builder
from ...ir.types import Type
from .kernels import kernels


@dataclass(frozen=True)
class At:
    """An argument that is a tensor, by its place among the inputs."""

    input: int


class Calls(Builder):
    """``op.call("add.out", a, b, 1)``: arguments in the order of the schema, without the results."""

    def call(self, kernel: str, *arguments: Any, type: Type | Sequence[Type] | None = None) -> Any:
        """The result, or a tuple of them if several types are given; by default of the type of the node's output."""
        known = kernels()[f"aten::{kernel}"]
        if len(arguments) != len(known.arguments):
            raise ValueError(f"{kernel} takes {[n for n, _ in known.arguments]}")
        inputs: list[Value] = []
        said = tuple(self._said(a, inputs) for a in arguments)
        types = [self.out] if type is None else [type] if isinstance(type, Type) else list(type)
        for t in types:
            if not t.static:
                raise Unsupported(f"a tensor of {t}: memory is planned for sizes that are known")
        made = Node(known.name, inputs, {"arguments": said}, types,
                    origin="" if self.node is None else self.node.label)
        return made.outputs[0] if type is None or isinstance(type, Type) else made.outputs

    def _said(self, x: Any, inputs: list[Value]) -> Any:
        if isinstance(x, Value):
            inputs.append(x)
            return At(len(inputs) - 1)
        if isinstance(x, (list, tuple)):
            return tuple(self._said(v, inputs) for v in x)
        if x is None or isinstance(x, (bool, int, float, str)):
            return x
        return self._said(constant(x), inputs)
