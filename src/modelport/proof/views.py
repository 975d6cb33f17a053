"""Models with their values in sight: the same file or graph with more outputs."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from .. import registry
from ..errors import ModelportError, RuntimeFailed
from ..ir.graph import Graph, Value
from ..ir.tensor import Array
from ..ir.types import Type
from ..runtimes import Session
from .precision import precision
from .sides import Runners, Side, attempt, match, options_of

PREFIX = "value/"
"""Outputs added to a model to look inside have this before the value's name."""


@dataclass(eq=False)
class View:
    """A model with its values in sight: ``run`` delivers the outputs, and values by their names."""

    title: str
    graph: Graph
    session: Any
    raw: Graph | None = None

    def run(self, arrays: Mapping[str, Array]) -> dict[str, Array] | ModelportError:
        names, _ = match({k: v.type for k, v in self.graph.inputs.items()}, self.session.inputs, "input")
        made = attempt(self.session, {n: as_type(a, self.session.inputs[n]) for n, a in (
            (names[k], a) for k, a in arrays.items())})
        if isinstance(made, ModelportError):
            return made
        out = {k.removeprefix(PREFIX): self._real(k.removeprefix(PREFIX), a) for k, a in made.items()}
        ends = {k: t for k, t in self.session.outputs.items() if not k.startswith(PREFIX)}
        extra = len(ends) - len(self.graph.outputs)
        ends = dict(list(ends.items())[:len(ends) - extra]) if extra > 0 else ends
        pairs, _ = match({k: v.type for k, v in self.graph.outputs.items()}, ends, "output")
        out.update({"output " + k: made[n] for k, n in pairs.items() if n in made})
        return out

    def _real(self, name: str, array: Array) -> Array:
        """The array as the hub has it: real numbers for quantized ones, a last axis of two for complex ones."""
        if array.dtype.kind == "c" and name in self._types and self._types[name].dtype.kind != "c":
            array = np.stack([array.real, array.imag], -1)
        quant = self._quants.get(name)
        if quant is None:
            return array
        shape = [1] * array.ndim
        if quant.axis is not None:
            shape[quant.axis] = -1
        scale, zero = (np.asarray(q).reshape(shape if quant.axis is not None else ())
                       for q in (quant.scale, quant.zero_point))
        return np.asarray(((array.astype(np.float64) - zero) * scale).astype(np.float32))

    @cached_property
    def _types(self) -> dict[str, Value]:
        return named(self.graph)

    @cached_property
    def _quants(self) -> dict[str, Any]:
        if self.raw is None:
            return {}
        return {o.name: o.type.quant for n in self.raw.nodes for o in n.outputs if o.type.quant is not None}


def as_type(array: Array, type: Type) -> Array:
    """Integers in those that a runtime has, where they are the same numbers there."""
    if array.dtype.kind not in "iu" or type.dtype.kind != "i":
        return array
    made = array.astype(type.dtype)
    return made if (made == array).all() else array


def named(graph: Graph) -> dict[str, Value]:
    """The values of a graph's nodes whose name is theirs alone."""
    found: dict[str, Value] = {}
    twice: set[str] = set()
    for node in graph.nodes:
        for o in node.outputs:
            if o.name and (o.name in found or o.name in graph.inputs):
                twice.add(o.name)
            elif o.name:
                found[o.name] = o
    return {k: v for k, v in found.items() if k not in twice}


def exposed(graph: Graph, names: Sequence[str]) -> Graph:
    """The graph with the values of these names as further outputs."""
    values = named(graph)
    return graph.with_(outputs={**graph.outputs, **{PREFIX + n: values[n] for n in names if n in values}})


_SHOWN = {"keras": "keras", "tensorflow": "graphdef", "tfjs": "tfjs", "torch": "torch",
          "torch-source": "torch"}
"""The runtimes that deliver the values in between by name, by the format of a file."""


def native(s: Side, names: Sequence[str], runners: Runners) -> View:
    """A file in its own runtime with the named values in sight; :class:`RuntimeFailed` if that shows none."""
    if s.path is None:
        raise RuntimeFailed("a graph in memory has no runtime of its own")
    if s.format == "onnx":
        return View("source", s.graph, onnx_session(s, names, runners), s.raw)
    if registry.named(s.format).runtime == "tflite":
        wanted = {"like": [*s.graph.inputs, *s.graph.outputs], "tensors": list(names)}
        kernels = "reference" if precision(s.graph) == "int8" else "plain"
        try:
            session = runners.open("tflite", s.path, kernels=kernels, **wanted)
        except RuntimeFailed:  # the reference kernels lack some operators
            session = runners.open("tflite", s.path, kernels="plain", **wanted)
        return View("source", s.graph, session, s.raw)
    if s.format in _SHOWN and s.raw is not None:
        # calls of PyTorch are one node of the raw graph, and values of the hub have their names
        inside = {n for n in named(s.graph if s.format.startswith("torch") else s.raw) if n not in s.raw.outputs}
        wanted = {"tensors": [n for n in names if n in inside], **options_of(s)}
        if s.format == "torch-source":
            module: Any = registry.named(s.format).load()
            wanted["places"] = module.places(s.raw)
        session = runners.open(_SHOWN[s.format], s.path, **wanted)
        return View("source", s.graph, session, s.raw)
    raise RuntimeFailed(f"the runtime of {s.format} files shows no values")


def onnx_session(s: Side, names: Sequence[str], runners: Runners) -> Session:
    """An .onnx with more outputs, in ONNX Runtime; the types of the new outputs are left to it."""
    import onnx
    assert s.path is not None
    model = onnx.load(str(s.path))
    have = {o.name for o in model.graph.output}
    made = {o for node in model.graph.node for o in node.output if o}
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n in made and n not in have)
    path = runners.folder / f"exposed{len(list(runners.folder.iterdir()))}.onnx"
    onnx.save(model, str(path), save_as_external_data=model.ByteSize() > 1 << 30)
    return runners.open("onnxruntime", path)
