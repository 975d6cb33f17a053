"""TorchScript archives (.pt), as torch.jit.save writes them (version 10, torch 1.12 and newer), without PyTorch.

Source: torch/csrc/jit/serialization (python_print, export_module), docs of TorchScript's language."""
from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...codecs.atomic import WriteFailed
from ...errors import Unsupported, UnsupportedModel
from ...ir.graph import Graph, Node, Value
from .elements import to_c10
from .plan import Names, Scope, plan
from .pt2_writer import Records
from .raw import In, positional
from .storage_writer import Pickle

_NUMBERS = {"_operator.add": "torch.add", "_operator.sub": "torch.sub", "_operator.mul": "torch.mul",
            "_operator.floordiv": "torch.floordiv", "torch.sym_max": "ops.prim.max", "torch.sym_min": "ops.prim.min"}


def write(raw: Graph, path: Path) -> None:
    """Writes an archive of one module, its weights attributes of it."""
    script = _Script(raw)
    code = script.text()
    try:
        with open(path, "wb") as f:
            records = Records(f)
            pickle = Pickle()
            pickle.name("__torch__", "Model")
            pickle.data += b")\x81}("
            for k, w in enumerate(script.plan.weights):
                pickle.text(script.attributes[w.value])
                pickle.tensor(k, w.value.type, w.trained)
            pickle.text("training")
            pickle.data += b"\x89ub"
            records.add("data.pkl", pickle.end())
            for k, w in enumerate(script.plan.weights):
                assert w.value.data is not None
                records.add(f"data/{k}", w.value.data)
            records.add("code/__torch__.py", code)
            records.add("constants.pkl", b"\x80\x02).")
            records.add("version", "10\n")
            records.add("byteorder", "little")
            records.close()
    except OSError as e:
        raise WriteFailed(f"cannot write {path}: {e.strerror or e}") from e


class _Script:
    """The code of a module."""

    def __init__(self, raw: Graph) -> None:
        self.graph, self.plan = raw, plan(raw)
        names = Names(("self", "training", "torch", "ops", "Model"))
        self.attributes = {w.value: names.new(w.path.replace(".", "_"), "weight") for w in self.plan.weights}
        self.scope = Scope(Names(("self", "torch", "ops")))

    def text(self) -> str:
        trained = [self.attributes[w.value] for w in self.plan.weights if w.trained]
        others = [self.attributes[w.value] for w in self.plan.weights if not w.trained]
        out = ["class Model(Module):", f"  __parameters__ = [{_listed(trained)}]",
               f"  __buffers__ = [{_listed(others)}]", *(f"  {n} : Tensor" for n in self.attributes.values()),
               "  training : bool"]
        arguments = [f"{self.scope.add(v, k, 'input')}: Tensor" for k, v in self.graph.inputs.items()]
        single = len(self.graph.outputs) == 1
        head = ",\n    ".join(["self: __torch__.Model", *arguments])
        out.append(f"  def forward({head}) -> {'Tensor' if single else 'Dict[str, Tensor]'}:")
        out += self.block(self.graph, "    ")
        results = [self.reference(v) for v in self.graph.outputs.values()]
        pairs = ", ".join(f"{json.dumps(k)}: {r}" for k, r in zip(self.graph.outputs, results, strict=True))
        out.append(f"    return {results[0] if single else '{' + pairs + '}'}")
        return "\n".join(out) + "\n"

    def reference(self, v: Value) -> str:
        return f"self.{self.attributes[v]}" if v.data is not None else self.scope.of[v]

    def block(self, graph: Graph, indent: str) -> list[str]:
        out: list[str] = []
        for node in graph.nodes:
            if node.op == "higher_order.cond":
                out += self._branches(node, indent)
            elif node.op == "higher_order.while_loop":
                out += self._loop(node, indent)
            else:
                out += self._call(node, indent)
        return out

    def _call(self, node: Node, indent: str) -> list[str]:
        by_place, by_name = positional(node)
        args = [self.value(node, v) for v in by_place.values()]
        targets = [self.scope.result(node, k) for k in range(len(node.outputs))]
        name = node.op.split(".")[1]
        if node.op in _NUMBERS:
            said = f"{_NUMBERS[node.op]}({', '.join(args)})"
        elif node.op == "aten.sym_size.int":
            said = f"torch.size({', '.join(args)})"
        elif node.op == "aten.view.dtype":  # an element type is a number, which it takes for a size
            raise UnsupportedModel([Unsupported("the bits of another element type", node)], "TorchScript")
        elif node.op == "aten.item.default":
            said = f"int({args[0]})"
        elif node.op in ("aten.squeeze.dims", "aten.any.dims", "aten.all.dims"):
            said = args[0]  # older versions know one axis only
            for a in sorted(node.attrs["dim"], reverse=True):
                said = f"torch.{name}({', '.join([said, str(a), *args[2:]])})"
        elif name in _YOUNG:
            said = _YOUNG[name](self, node)
        else:
            said = f"torch.{name}({', '.join([*args, *(f'{k}={self.value(node, v)}' for k, v in by_name.items())])})"
        left = targets[0] if len(targets) == 1 and name not in ("split_with_sizes", "unbind") else \
            f"{', '.join(targets)}, "
        return [f"{indent}{left} = {said}"]

    def value(self, node: Node, a: Any) -> str:
        """An argument in TorchScript."""
        if isinstance(a, In):
            v = node.inputs[a.place]
            assert v is not None
            return self.reference(v)
        if isinstance(a, (tuple, list)):
            if not a:
                return "annotate(List[int], [])"
            inner = f"[{', '.join(self.value(node, x) for x in a)}]"
            return f"annotate(List[Optional[Tensor]], {inner})" if node.op in (
                "aten.index.Tensor", "aten.index_put.default") else inner
        if isinstance(a, np.dtype):
            return str(to_c10(a))
        if isinstance(a, float):
            return repr(a) if math.isfinite(a) else f'float("{a}")'
        return json.dumps(a) if isinstance(a, str) else repr(a)

    def _branches(self, node: Node, indent: str) -> list[str]:
        condition = node.inputs[0]
        assert condition is not None
        targets = [self.scope.result(node, k) for k in range(len(node.outputs))]
        out = [f"{indent}if bool({self.reference(condition)}):"]
        for k, body in enumerate(node.bodies.values()):
            if k:
                out.append(f"{indent}else:")
            for formal, v in zip(body.inputs.values(), node.inputs[1:], strict=True):
                assert v is not None
                self.scope.of[formal] = self.reference(v)
            out += self.block(body, indent + "  ")
            out += self._together(targets, [self.reference(v) for v in body.outputs.values()], indent + "  ")
        return out

    def _loop(self, node: Node, indent: str) -> list[str]:
        cond, body = node.bodies.values()
        targets = [self.scope.result(node, k) for k in range(len(node.outputs))]
        out = self._together(targets, [self.reference(v) for v in node.inputs if v is not None], indent)
        go = self.scope.names.new("going")
        for g in (cond, body):
            for formal, name in zip(g.inputs.values(), targets, strict=True):
                self.scope.of[formal] = name
        out += self._goes(cond, go, indent)
        out.append(f"{indent}while {go}:")
        out += self.block(body, indent + "  ")
        out += self._together(targets, [self.reference(v) for v in body.outputs.values()], indent + "  ")
        return [*out, *self._goes(cond, go, indent + "  ")]

    def _goes(self, cond: Graph, go: str, indent: str) -> list[str]:
        return [*self.block(cond, indent), f"{indent}{go} = bool({self.reference(next(iter(cond.outputs.values())))})"]

    def _together(self, targets: Sequence[str], values: Sequence[str], indent: str) -> list[str]:
        """Several values under new names at once: a value may have the old name of another."""
        held = [self.scope.names.new("next") for _ in targets]
        return [*(f"{indent}{h} = {v}" for h, v in zip(held, values, strict=True)),
                *(f"{indent}{t} = {h}" for t, h in zip(targets, held, strict=True))]


def _attention(s: _Script, node: Node) -> str:
    """Attention in the operators that older versions have."""
    a = node.attrs
    q, k, v = (s.value(node, a[n]) for n in ("query", "key", "value"))
    x = node.inputs[a["query"].place]
    width = x.shape[-1] if x is not None and x.shape is not None else None
    scale = a.get("scale")
    if scale is None:
        if not isinstance(width, int):
            raise UnsupportedModel([Unsupported("heads of a size that is only known at run time", node)], "TorchScript")
        scale = 1 / math.sqrt(width)
    said = f"torch.mul(torch.matmul({q}, torch.transpose({k}, -2, -1)), {scale!r})"
    if a.get("attn_mask") is not None:
        said = f"torch.add({said}, {s.value(node, a['attn_mask'])})"
    return f"torch.matmul(torch.softmax({said}, -1), {v})"


def _rms_norm(s: _Script, node: Node) -> str:
    """The same, for the norm by the root of the mean square."""
    a = node.attrs
    x, weight = s.value(node, a["input"]), s.value(node, a["weight"])
    axes = [-k for k in range(len(a["normalized_shape"]), 0, -1)]
    mean = f"torch.mean(torch.mul({x}, {x}), {axes}, True)"
    return f"torch.mul(torch.mul({x}, torch.rsqrt(torch.add({mean}, {a['eps']!r}))), {weight})"


_YOUNG: dict[str, Callable[[_Script, Node], str]] = {"scaled_dot_product_attention": _attention, "rms_norm": _rms_norm}
"""Operators that torch 1.12 does not have yet."""


def _listed(names: Sequence[str]) -> str:
    return "".join(f'"{n}", ' for n in names)
