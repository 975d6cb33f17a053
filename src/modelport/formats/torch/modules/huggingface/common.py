"""What rules of architectures share: the configuration, the weights by their names, layers."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .....errors import Unsupported, printable
from .....ir.graph import Value
from .....ir.tensor import Tensor
from .....ir.types import Type
from ...machine import Box
from ..run import Run

F32 = np.dtype(np.float32)
I64 = np.dtype(np.int64)


class Config:
    """A configuration: ``c.hidden_size`` is a field, by any of its names."""

    def __init__(self, said: Mapping[str, Any]) -> None:
        self.said = said
        self.type = str(said.get("model_type", ""))
        names = said.get("architectures")
        self.cls = str(names[0]) if isinstance(names, list) and names else ""

    def __getattr__(self, name: str) -> Any:
        if name not in self.said:
            raise Unsupported(f"a configuration without '{printable(name, 40)}'")
        return self.said[name]

    def get(self, name: str, default: Any = None) -> Any:
        found = self.said.get(name, default)
        return default if found is None else found

    def only(self, **wanted: Any) -> None:
        """Refuses fields that are there with another value."""
        for name, value in wanted.items():
            if self.get(name, value) != value:
                raise Unsupported(f"the field {name}={printable(self.said[name], 40)} of the configuration")


@dataclass(frozen=True)
class Architecture:
    """What a model type computes, and the names and types of its inputs by the configuration."""

    forward: Callable[..., Any]
    names: Callable[[Config], list[str]]
    inputs: Callable[[Config], list[Type]]


ARCHITECTURES: dict[str, Architecture] = {}


def architecture(*types: str, names: Callable[[Config], list[str]], inputs: Callable[[Config], list[Type]]
                 ) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Registers ``f(run, config, weights, *inputs)`` for model types; it answers with a dictionary of outputs."""
    def register(f: Callable[..., Any]) -> Callable[..., Any]:
        for t in types:
            ARCHITECTURES[t] = Architecture(f, names, inputs)
        return f
    return register


_IGNORED = (".position_ids", ".attn.bias", ".attn.masked_bias", "rotary_emb.inv_freq", "num_batches_tracked")
"""Buffers that older versions wrote; what they hold is computed."""


class Weights:
    """The tensors of a state dict: ``w("encoder.layer.0")`` are those below a name, ``w["weight"]`` is one, computed
    with in float32."""

    def __init__(self, found: Mapping[str, Tensor], prefix: str = "", root: Weights | None = None) -> None:
        self._found, self._prefix = found, prefix
        self._root = root if root is not None else self
        if root is None:
            self.run: Run | None = None
            self.used: set[str] = set()
            self._boxes: dict[str, Box] = {}

    def __call__(self, name: str) -> Weights:
        return Weights(self._found, f"{self._prefix}{name}.", self._root)

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._found

    def has(self, start: str) -> bool:
        """Whether there are weights below a name."""
        return any(k.startswith(f"{self._prefix}{start}.") for k in self._found)

    @property
    def name(self) -> str:
        return self._prefix.removesuffix(".")

    def __getitem__(self, name: str) -> Box:
        full = self._prefix + name
        root = self._root
        root.used.add(full)
        if full not in root._boxes:
            if full not in self._found:
                raise Unsupported(f"there is no weight '{printable(full, 100)}', which the architecture has")
            t = self._found[full]
            box = Box(Value(t.type, full, data=t))
            assert root.run is not None
            root._boxes[full] = root.run.call("to", box, F32) if t.type.dtype != F32 else box
        return root._boxes[full]

    def get(self, name: str, default: Box | None = None) -> Box | None:
        if name in self:
            return self[name]
        return default

    def ignore(self, *starts: str) -> None:
        """Says that weights below these names have no part in what is computed."""
        self._root.used |= {k for k in self._found if k.startswith(starts)}

    def complete(self) -> None:
        """Refuses weights that nobody asked for."""
        rest = [k for k in self._found if k not in self.used and not k.endswith(_IGNORED)]
        if rest:
            raise Unsupported(f"{len(rest)} weights that the architecture does not have, the first is "
                              f"'{printable(rest[0], 100)}'")


def linear(run: Run, w: Weights, x: Any) -> Any:
    run.label = w.name
    return run.call("linear", x, w["weight"], w.get("bias"))


def layer_norm(run: Run, w: Weights, x: Any, eps: float) -> Any:
    run.label = w.name
    return run.call("layer_norm", x, [int(w["weight"].value.shape[0])], w["weight"], w["bias"], eps)  # type: ignore


_ACTS: dict[str, tuple[str, dict[str, Any]]] = {
    "gelu": ("gelu", {}), "gelu_new": ("gelu", {"approximate": "tanh"}), "gelu_fast": ("gelu", {"approximate": "tanh"}),
    "gelu_pytorch_tanh": ("gelu", {"approximate": "tanh"}), "relu": ("relu", {}), "silu": ("silu", {}),
    "swish": ("silu", {}), "tanh": ("tanh", {}), "sigmoid": ("sigmoid", {})}


def act(run: Run, name: str, x: Any) -> Any:
    if name not in _ACTS:
        raise Unsupported(f"the activation {printable(name, 40)}")
    operator, kwargs = _ACTS[name]
    return run.call(operator, x, **kwargs)


def heads(run: Run, x: Any, count: int) -> Any:
    """[batch, sequence, width] as [batch, heads, sequence, width of a head]."""
    return run.call("transpose", run.call("unflatten", x, 2, [count, -1]), 1, 2)


def attend(run: Run, q: Any, k: Any, v: Any, scale: float, bias: Any = None) -> Any:
    """Attention of [batch, heads, sequence, width], joined to [batch, sequence, width]."""
    scores = run.call("mul", run.call("matmul", q, run.call("transpose", k, 2, 3)), scale)
    if bias is not None:
        scores = run.call("add", scores, bias)
    y = run.call("matmul", run.call("softmax", scores, -1), v)
    return run.call("flatten", run.call("transpose", y, 1, 2), 2)


def padding(run: Run, mask: Any) -> Any:
    """What is added to scores where ``mask`` of [batch, keys] is 0."""
    hidden = run.call("eq", run.call("unsqueeze", run.call("unsqueeze", mask, 1), 1), 0)
    return run.call("where", hidden, float(np.finfo(np.float32).min), 0.0)


def causal(run: Run, mask: Any, x: Any) -> Any:
    """What is added to scores where a key is behind the query, or masked."""
    n = run.size(x, 1)
    places = run.call("arange", n)
    later = run.call("gt", run.call("unsqueeze", places, 0), run.call("unsqueeze", places, 1))
    hidden = run.call("eq", run.call("unsqueeze", run.call("unsqueeze", mask, 1), 1), 0)
    return run.call("where", run.call("logical_or", later, hidden), float(np.finfo(np.float32).min), 0.0)


def ids(count: int) -> list[Type]:
    return [Type(I64, ("batch", "sequence"))] * count
