"""Calls modules: the rule of each class, and what every module has, such as hooks."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....codecs.pickle import Name, Record
from ....errors import LimitExceeded, Unsupported, printable
from ..machine import Box, Machine
from ..values import Sym
from .tree import Module

Rule = Callable[..., Any]
_DEEPEST = 100


class Forward(dict[str, Rule]):
    """The public name of a class ("torch.nn.Conv2d") -> what its ``forward`` computes: ``f(run, m, *inputs)``."""

    def __call__(self, *names: str) -> Callable[[Rule], Rule]:
        def register(rule: Rule) -> Rule:
            for name in names:
                if name in self:
                    raise ValueError(f"two translations of {name}")
                self[name] = rule
            return rule
        return register


forward = Forward()


class Run:
    """One run of a tree of modules: ``run(m, x)`` calls a module, ``run.call("relu", x)`` an operator of ATen."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.label = ""
        self.depth = 0
        self.training = False

    def __call__(self, m: Any, *args: Any, **kwargs: Any) -> Any:
        if not isinstance(m, Module):
            if isinstance(m, (Name, Record)):
                return self.function(m, *args)
            raise Unsupported(f"a {type(m).__name__} is called as a module")
        outside, self.label = self.label, m.path or self.label
        self.depth += 1
        if self.depth > _DEEPEST:
            raise LimitExceeded(f"modules that call each other more than {_DEEPEST} deep")
        try:
            if m.attributes.get("training") is True:
                self.training = True
            for hook in m.hooks:
                hooked(self, m, hook)
            return self.rule(m)(self, m, *args, **kwargs)
        except Unsupported as e:
            e.node = e.node or m.node
            raise
        finally:
            self.label = outside
            self.depth -= 1

    def rule(self, m: Module) -> Rule:
        """What computes a module, or :class:`Unsupported` with the ways out."""
        if "forward" in m.attributes:
            raise Unsupported("a forward method that was put into the module itself", m.node)
        found = forward.get(m.kind) or forward.get(m.cls)
        if found is not None:
            return found
        if m.source:
            from .source import by_source
            return by_source
        raise Unsupported(f"the code of {printable(m.cls, 120)} is not in the file", m.node)

    def call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return self.machine.call(name, args, kwargs, label=self.label)

    def sequence(self, m: Module, x: Any) -> Any:
        """All parts of a module one after the other."""
        for part in m.parts():
            x = self(part, x)
        return x

    def function(self, f: Any, *args: Any) -> Any:
        """A function that a module has as an attribute, such as torch.nn.functional.relu."""
        if isinstance(f, Module):
            return self(f, *args)
        path = str(f) if isinstance(f, Name) else f.path if isinstance(f, Record) else ""
        module, _, name = path.rpartition(".")
        spaces = ("torch", "torch.nn.functional", "torch._C._nn", "torch._C._VariableFunctions", "torch.functional")
        if module in spaces and self.machine.table.rule(name) and not args[1:]:
            return self.call(name, *args)
        raise Unsupported(f"the function {printable(path or type(f).__name__, 80)}")

    def size(self, x: Box, axis: int) -> int | Sym:
        found: int | Sym = self.call("size", x, axis)
        return found

    def rank(self, x: Any) -> int:
        n = x.value.rank if isinstance(x, Box) else None
        if n is None:
            raise Unsupported("a tensor whose number of axes is not known")
        return int(n)


def hooked(run: Run, m: Module, hook: Any) -> None:
    """A hook that computes a weight anew before each call; any other can't be carried out."""
    path = hook.path if isinstance(hook, Record) else str(hook)
    state = hook.state if isinstance(hook, Record) and isinstance(hook.state, dict) else {}
    name = state.get("name")
    if path == "torch.nn.utils.weight_norm.WeightNorm" and isinstance(name, str):
        dim = state.get("dim", 0)
        m.tensors[name] = run.call("_weight_norm", getattr(m, f"{name}_v"), getattr(m, f"{name}_g"),
                                   -1 if dim is None else dim)
        m.attributes.pop(name, None)
    elif path == "torch.nn.utils.spectral_norm.SpectralNorm" and isinstance(name, str):
        weight, axis = getattr(m, f"{name}_orig"), int(state.get("dim", 0))
        rows = weight
        if axis:
            n = run.rank(weight)
            rows = run.call("permute", rows, [axis, *[a for a in range(n) if a != axis]])
        rows = run.call("flatten", rows, 1)
        sigma = run.call("dot", getattr(m, f"{name}_u"), run.call("mv", rows, getattr(m, f"{name}_v")))
        m.tensors[name] = run.call("div", weight, sigma)
        m.attributes.pop(name, None)
    else:
        raise Unsupported(f"a hook, {printable(path, 80)}", m.node)
