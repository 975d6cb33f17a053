"""A model as Python: a class derived from nn.Module in a .py file, its weights in safetensors beside it.

Nothing of a file becomes code: names are made of letters, digits and underscores, texts stand as Python repeats them,
and the operators are those of the writer's own table."""
from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...codecs import safetensors
from ...codecs.atomic import WriteFailed
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Tensor
from ...ir.types import Type, dtype_name
from .layers import Layer, layers
from .plan import Names, Scope, identifier, plan
from .pt2_writer import named
from .raw import In, is_number
from .spelling import Spelling
from .tree import Tree

_WIDTH = 110


def write(raw: Graph, path: Path) -> None:
    """Writes ``path`` (a .py file) and the weights beside it, in a file of the same stem.

    Raises :class:`WriteFailed`, and :class:`Unsupported` for weights of a type that safetensors lack."""
    weights = path.with_suffix(".safetensors")
    source = Source(raw, weights.name)
    text = source.text()
    try:
        safetensors.write(weights, source.tensors, {"format": "pt"})
        path.write_text(text, encoding="utf-8")
    except OSError as e:
        raise WriteFailed(f"cannot write {path}: {e.strerror or e}") from e


def places(raw: Graph) -> dict[str, str]:
    """The variables of ``forward`` that hold tensors at its end, by the names that a program gives the same tensors:
    those of the hub graph that the calls are read back as (:mod:`.readback`)."""
    source = Source(raw, "")
    source.text()
    said = named(raw)
    return {said[v]: source.scope.of[v] for node in raw.nodes for v in node.outputs
            if v in said and v in source.scope.of and not is_number(v)}


class Source:
    """The text of a module, and the tensors of its state dict."""

    def __init__(self, raw: Graph, weights: str) -> None:
        self.graph, self.weights = raw, weights
        self.plan = plan(raw)
        self.layers = layers(self.plan)
        self.tensors: dict[str, Tensor] = {}
        self.tree = Tree()
        names = Names(("torch", "nn", "F", "self", "device"))
        self.scope = Scope(names)
        self.spell = Spelling(self)
        self.device = False
        inside = {v for layer in self.layers.values() for v in layer.tensors.values()}
        self.where = {node: self._layer(layer) for node, layer in self.layers.items()}
        self.loose: dict[Value, str] = {}
        for w in self.plan.weights:
            if w.value in inside:
                continue
            path = self.tree.free(w.path)
            assert w.value.data is not None
            self.tensors[path] = w.value.data
            kind, shape = w.value.dtype, list(w.value.shape or ())
            empty = f"torch.empty({shape}{', dtype=torch.' + kind.name if kind != np.float32 else ''})"
            self.tree.add(path, f"nn.Parameter({empty})" if w.trained else empty)
            self.loose[w.value] = path

    def _layer(self, layer: Layer) -> str:
        """Puts a layer into the tree; its path there."""
        path = self.tree.free(layer.path)
        self.tree.add(path, layer.make)
        for name, v in layer.tensors.items():
            assert v.data is not None
            self.tensors[f"{path}.{name}"] = v.data
        if layer.make.startswith("nn.BatchNorm"):
            self.tensors[f"{path}.num_batches_tracked"] = Tensor(np.zeros((), np.int64))
        return path

    def reference(self, v: Value) -> str:
        """How a value is named in the code."""
        if v.data is not None:
            return f"self.{self.tree.access(self.loose[v])}"
        return self.scope.of[v]

    def text(self) -> str:
        """The whole file."""
        arguments = []
        for k, v in self.graph.inputs.items():
            arguments.append(self.scope.add(v, k, "input"))
        body = self.block(self.graph, "        ")
        results = [self.reference(v) for v in self.graph.outputs.values()]
        if len(results) == 1:
            body.append(f"        return {results[0]}")
        else:
            pairs = [f"{_text(k)}: {r}" for k, r in zip(self.graph.outputs, results, strict=True)]
            body += ["        return {", *(f"            {p}," for p in pairs), "        }"]
        if self.device and arguments:
            body.insert(0, f"        device = {arguments[0]}.device")
        head = ['"""A model converted by modelport.', ""]
        head += [f"Input {a}: {_type(v.type)}" for a, v in zip(arguments, self.graph.inputs.values(), strict=True)]
        head += [f"Output {_plain(k)}: {_type(v.type)}" for k, v in self.graph.outputs.items()]
        head += ["", f"load() makes the model and reads its weights from {_plain(self.weights)} beside this file.",
                 '"""', "from pathlib import Path", "", "import torch", "import torch.nn.functional as F",
                 "from safetensors.torch import load_file", "from torch import nn", "", ""]
        head = [line for line in head if "functional" not in line or any("F." in b for b in body)]
        made = self.tree.lines()
        if self.tree.grouped:
            head += _GROUP
        head += ["class Model(nn.Module):", '    """The layers, under the names that the source gives them."""', "",
                 "    def __init__(self):", "        super().__init__()", *made, "",
                 f"    def forward({', '.join(['self', *arguments])}):", *body, "", "",
                 *_LOAD(repr(self.weights)), ""]
        return "\n".join(head)

    def block(self, graph: Graph, indent: str) -> list[str]:
        """The lines of a graph or body."""
        out: list[str] = []
        for node in graph.nodes:
            if self._silent(graph, node):
                continue
            out += self.statement(node, indent)
        return out

    def _silent(self, graph: Graph, node: Node) -> bool:
        """Whether only layers that need no first state read a node."""
        return node.op == "aten.full.default" and all(
            user in self.layers and node.outputs[0] not in self.layers[user].called
            for user in graph.nodes if node.outputs[0] in user.inputs) and node.outputs[0] not in graph.outputs.values()

    def statement(self, node: Node, indent: str) -> list[str]:
        """The lines of one call."""
        if node.op == "higher_order.cond":
            return self._branches(node, indent)
        if node.op == "higher_order.while_loop":
            return self._loop(node, indent)
        layer = self.layers.get(node)
        if layer is not None:
            called = ", ".join(self.reference(v) for v in layer.called[:1])
            if len(layer.called) > 1:
                first = [self.reference(v) for v in layer.called[1:]]
                called += f", {first[0]}" if len(first) == 1 else f", ({', '.join(first)})"
            said = f"self.{self.tree.access(self.where[node])}" + (f".weight[{called}]" if layer.indexed else
                                                                  f"({called})")
        else:
            said = self.spell(node)
        targets = [self.scope.result(node, k) for k in range(len(node.outputs))]
        left = ", ".join(targets)
        if layer is not None and len(targets) == 3:
            left = f"{targets[0]}, ({targets[1]}, {targets[2]})"
        elif len(targets) == 1 and node.op.endswith((".split_with_sizes.default", ".unbind.int")):
            left += ","
        line = f"{indent}{left} = {said}"
        result = node.outputs[0]
        return [line if is_number(result) else _commented(line, result.type)]

    def _branches(self, node: Node, indent: str) -> list[str]:
        """An if: what a branch makes is given the names of the results at its end."""
        condition = node.inputs[0]
        assert condition is not None
        targets = [self.scope.result(node, k) for k in range(len(node.outputs))]
        out = [f"{indent}if {self.reference(condition)}:"]
        for k, body in enumerate(node.bodies.values()):
            if k:
                out.append(f"{indent}else:")
            for formal, v in zip(body.inputs.values(), node.inputs[1:], strict=True):
                assert v is not None
                self._alias(formal, v)
            out += self.block(body, indent + "    ")
            out.append(f"{indent}    {_together(targets, [self.reference(v) for v in body.outputs.values()])}")
        return out

    def _alias(self, formal: Value, v: Value) -> None:
        self.scope.of[formal] = self.reference(v)

    def _loop(self, node: Node, indent: str) -> list[str]:
        """A while: what flows round has one name each, given anew at the end of a turn."""
        cond, body = node.bodies.values()
        targets = [self.scope.result(node, k) for k in range(len(node.outputs))]
        flow = [self.reference(v) for v in node.inputs if v is not None]
        out = [f"{indent}{_together(targets, flow)}", f"{indent}while True:"]
        for g in (cond, body):
            for formal, name in zip(g.inputs.values(), targets, strict=True):
                self.scope.of[formal] = name
        out += self.block(cond, indent + "    ")
        go = next(iter(cond.outputs.values()))
        out += [f"{indent}    if not {self.reference(go)}:", f"{indent}        break"]
        out += self.block(body, indent + "    ")
        out.append(f"{indent}    {_together(targets, [self.reference(v) for v in body.outputs.values()])}")
        return out


def _together(targets: Sequence[str], values: Sequence[str]) -> str:
    kept = [(t, v) for t, v in zip(targets, values, strict=True) if t != v]
    return f"{', '.join(t for t, _ in kept)} = {', '.join(v for _, v in kept)}" if kept else "pass"


def _commented(line: str, type: Type) -> str:
    """A line with the shape of its result, if that fits."""
    if type.shape is None:
        return line
    comment = f"  # [{', '.join(_plain('?' if d is None else str(d)) for d in type.shape)}]"
    return line + comment if len(line + comment) <= _WIDTH else line


def _plain(text: str) -> str:
    """Text that can stand in a comment or docstring."""
    return re.sub(r"[^ -!#-\[\]-~]", "?", text)[:80]


def _text(text: str) -> str:
    return ascii(text)


def _type(type: Type) -> str:
    shape = "?" if type.shape is None else ", ".join(_plain("?" if d is None else str(d)) for d in type.shape)
    return f"{dtype_name(type.dtype)}[{shape}]"


def _LOAD(name: str) -> list[str]:
    return ["def load(weights=None):",
            '    """The model with its weights, ready to run; model.train() makes it ready to train."""',
            "    model = Model()",
            f"    model.load_state_dict(load_file(weights or Path(__file__).with_name({name})))",
            "    return model.eval()", "", "", 'if __name__ == "__main__":', "    print(load())"]


_GROUP = ["class Group(nn.Module):", '    """Layers and tensors under names of their own."""', "",
          "    def __init__(self, /, **parts):", "        super().__init__()",
          "        for name, part in parts.items():",
          "            if isinstance(part, nn.Module):", "                self.add_module(name, part)",
          "            elif isinstance(part, nn.Parameter):", "                self.register_parameter(name, part)",
          "            else:", "                self.register_buffer(name, part)", "", ""]

__all__ = ["Any", "In", "Source", "identifier", "places", "write"]
