"""The modules of a pickle: classes, hyper-parameters, weights and what they are made of.

Source: torch/nn/modules/module.py (``_parameters``, ``_buffers``, ``_modules`` and the rest of ``__dict__``)."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ....codecs.pickle import Record
from ....errors import CorruptFile, Unsupported, printable
from ....ir.graph import Node
from ....ir.tensor import Tensor
from ..machine import Box
from ..packed import boxed, unpacked
from ..storage import as_tensor

_HOOKS = ("_forward_hooks", "_forward_pre_hooks")
_HELD = ("_parameters", "_buffers", "_modules")
_DEEPEST = 200
_CONV = """in_channels out_channels kernel_size stride padding dilation transposed output_padding groups padding_mode
    weight bias scale zero_point training""".split()
"""What the state of a quantized convolution is, in order."""


class Module:
    """One module: ``m.stride`` is an attribute, a weight or a part of it, whatever version of PyTorch wrote it.

    ``kind`` is its class with the package's public name ("torch.nn.Conv2d"), ``cls`` the class as the file says it,
    ``source`` the text of the class where the file holds that."""

    def __init__(self, cls: str, path: str, source: str = "") -> None:
        self.cls, self.path, self.source = cls, path, source
        self.kind = public(cls)
        self.attributes: dict[str, Any] = {}
        self.tensors: dict[str, Box | Unsupported | None] = {}
        self.children: dict[str, Module | None] = {}
        self.hooks: list[Any] = []

    def __getattr__(self, name: str) -> Any:
        for place in (self.tensors, self.children, self.attributes):
            if name in place:
                found = place[name]
                if isinstance(found, Unsupported):
                    raise Unsupported(found.reason, self.node)
                return found
        raise Unsupported(f"{self.kind} without '{printable(name, 40)}'", self.node)

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute that older versions, or some uses of the class, do not have."""
        return getattr(self, name) if name in self else default

    def __contains__(self, name: str) -> bool:
        return name in self.tensors or name in self.children or name in self.attributes

    @property
    def node(self) -> Node:
        return Node(self.kind, (), {}, (), name=self.path)

    def walk(self) -> Iterator[Module]:
        """The module and all parts of it, each once."""
        stack, seen = [self], set[int]()
        while stack:
            m = stack.pop()
            if id(m) not in seen:
                seen.add(id(m))
                yield m
                stack += [c for c in reversed(m.children.values()) if c is not None]

    def parts(self) -> list[Module]:
        return [c for c in self.children.values() if c is not None]


def public(cls: str) -> str:
    """The name that users know: "torch.nn.Conv2d" of "torch.nn.modules.conv.Conv2d"."""
    last = cls.rpartition(".")[2]
    if cls.startswith("torch.nn.modules."):
        return f"torch.nn.{last}"
    if cls.startswith("torchvision."):
        return f"torchvision.{last}"
    space = cls.replace("torch.ao.", "torch.", 1)
    if space.startswith(("torch.nn.quantized.", "torch.nn.intrinsic.quantized.")):
        return f"torch.nn.quantized.{'dynamic.' * ('.dynamic.' in cls)}{last}"
    return f"torch.quantization.{last}" if space.startswith("torch.quantization.") else cls


def is_module(x: Any) -> bool:
    return isinstance(x, Record) and ((isinstance(x.state, dict) and "_modules" in x.state) or _is_graph(x)
                                      or _is_conv(x))


def _is_conv(x: Record) -> bool:
    """A quantized convolution, whose state is no dictionary."""
    return isinstance(x.state, tuple) and len(x.state) == len(_CONV) and ".quantized." in x.path and \
        public(x.path).startswith("torch.nn.quantized.")


def _of_conv(x: Record) -> dict[str, Any]:
    state = dict(zip(_CONV, x.state, strict=True))
    return {"_parameters": {n: state.pop(n) for n in ("weight", "bias")}, **state, "training": False}


def _is_graph(x: Record) -> bool:
    return x.path == "torch.fx.graph_module.reduce_graph_module" and bool(x.args) and isinstance(x.args[0], dict)


class Tree:
    """Makes modules of records; ``sources`` are the texts of classes by their dotted names."""

    def __init__(self, sources: dict[str, str]) -> None:
        self.sources = sources
        self._made: dict[int, tuple[Module, Record]] = {}

    def module(self, x: Record, path: str = "", depth: int = 0) -> Module:
        if id(x) in self._made:
            return self._made[id(x)][0]
        if depth > _DEEPEST:
            raise CorruptFile(f"modules that are nested more than {_DEEPEST} deep")
        cls, state, source = x.path, x.state, self.sources.get(x.path, "")
        if _is_graph(x):
            cls, state = "torch.fx.GraphModule", x.args[0]
            source = str(state.get("_code", ""))
        elif _is_conv(x):
            state = _of_conv(x)
        made = Module(cls, path, source)
        self._made[id(x)] = made, x
        for key, value in state.items():
            if key in ("_parameters", "_buffers") and isinstance(value, dict):
                for own, t in value.items():
                    made.tensors[str(own)] = _box(t, f"{path}.{own}".removeprefix("."))
            elif key == "_modules" and isinstance(value, dict):
                for own, child in value.items():
                    name = f"{path}.{own}".removeprefix(".")
                    if child is not None and not is_module(child):
                        raise CorruptFile(f"the module '{printable(name, 80)}' is none")
                    made.children[str(own)] = None if child is None else self.module(child, name, depth + 1)
            elif key in _HOOKS:
                made.hooks += list(value.values()) if isinstance(value, dict) else []
            else:
                made.attributes[str(key)] = self.settled(value, f"{path}.{key}".removeprefix("."), depth + 1)
        return made

    def settled(self, x: Any, path: str, depth: int) -> Any:
        """An attribute: tensors as boxes, modules as modules, sizes as tuples, other objects as their records."""
        if depth > _DEEPEST:
            raise CorruptFile(f"attributes that are nested more than {_DEEPEST} deep")
        if isinstance(x, Record):
            if is_module(x):
                return self.module(x, path, depth + 1)
            if x.path == "torch.Size" and x.args:
                return tuple(x.args[0])
            if (packed := _packed(x)) is not None:
                return unpacked(packed[1], self.settled(packed[0], path, depth + 1))
            return _box(x, path) if _tensor_like(x) else x
        if isinstance(x, list):
            return [self.settled(v, f"{path}.{k}", depth + 1) for k, v in enumerate(x)]
        if isinstance(x, tuple):
            return tuple(self.settled(v, f"{path}.{k}", depth + 1) for k, v in enumerate(x))
        if isinstance(x, dict):
            return {k: self.settled(v, f"{path}.{k}", depth + 1) for k, v in x.items()}
        return x


def _packed(x: Record) -> tuple[Any, str] | None:
    """The state of an object of C++, and its class."""
    state = x.state
    return state if x.path == "torch.ScriptObject" and isinstance(state, tuple) and len(state) == 2 and \
        isinstance(state[1], str) else None


def _tensor_like(x: Record) -> bool:
    return x.path.startswith(("torch._utils._rebuild_", "torch._tensor._rebuild_"))


def _box(x: Any, name: str) -> Box | Unsupported | None:
    if x is None:
        return None
    try:
        found = boxed(x, name)
    except Unsupported as e:
        return e
    return Unsupported(f"'{printable(name, 80)}' is no tensor") if found is None else found


def weights(root: Any, left: list[str] | None = None) -> dict[str, Tensor]:
    """The tensors of a state dict, or of what a checkpoint holds, by their paths; ``left`` gets the paths of those of a
    kind that is not known."""
    found: dict[str, Tensor] = {}
    stack: list[tuple[str, Any, int]] = [("", root, 0)]
    seen = set[int]()
    while stack:
        name, x, depth = stack.pop()
        if isinstance(x, (Record, dict, list)):
            if id(x) in seen and not (isinstance(x, Record) and _tensor_like(x)):
                continue
            seen.add(id(x))
        if depth > _DEEPEST:
            raise CorruptFile(f"objects that are nested more than {_DEEPEST} deep")
        if isinstance(x, Record):
            try:
                t = as_tensor(x)
            except Unsupported:
                if left is not None:
                    left.append(name)
                continue
            if t is not None:
                found[name] = t
            elif (packed := _packed(x)) is not None:
                stack += _named(name, enumerate(packed[0]) if isinstance(packed[0], tuple) else (), depth)
            elif _is_conv(x):
                stack += _named(name, _of_conv(x)["_parameters"].items(), depth)
            elif isinstance(x.state, dict):
                stack += _named(name, [(k, v) for k, v in x.state.items() if "_modules" not in x.state or k in _HELD],
                                depth)
            elif x.entries:
                stack += _named(name, x.entries.items(), depth)
        elif isinstance(x, dict):
            stack += _named(name, x.items(), depth)
        elif isinstance(x, (list, tuple)):
            stack += _named(name, enumerate(x), depth)
    return found


def _named(name: str, items: Any, depth: int) -> list[tuple[str, Any, int]]:
    return [(name if k in _HELD else f"{name}.{k}".removeprefix("."), v, depth + 1) for k, v in items][::-1]
