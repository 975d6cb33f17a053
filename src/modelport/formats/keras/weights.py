"""Where the weights of a layer are: by path in today's files, by name in the older ones.

A *scope* is the weights of one layer or net.  ``model.weights.h5`` has them at paths made of class names
(``layers/dense_1/vars/0``), the .h5 of all generations as lists of names for each layer of the outermost net
(``dense_1/kernel:0``), in which those of a nested net are found by the names of its layers."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from ...codecs.hdf5 import Dataset, Group
from ...errors import CorruptFile, printable
from ...ir.graph import Value

Spec = Sequence[tuple[str, str]]
"""Weights that a layer must have: the part of the layer (a path, alternatives separated by ``|``) and the name."""


class Scope(Protocol):
    """The weights below one layer or net."""

    def layer(self, name: str, path: str, net: bool = False) -> Scope:
        """Those of a layer of this net: its name, its key among the paths, and whether it is a net itself."""

    def part(self, path: str, name: str) -> Scope:
        """Those of what a wrapper holds: at a path (or alternatives), in older files by a piece of the name."""

    def take(self, spec: Spec, where: str) -> list[Value]:
        """The weights that are asked for.  Raises :class:`CorruptFile` if they are not there."""

    def empty(self) -> bool:
        """Whether there are none."""


class Paths:
    """A scope of ``model.weights.h5``: one or several groups (of shards) at the same path."""

    def __init__(self, groups: Sequence[Group], cache: dict[tuple[int, str], Value] | None = None,
                 path: str = "") -> None:
        self.groups, self.path = groups, path
        self.cache: dict[tuple[int, str], Value] = {} if cache is None else cache

    def _at(self, path: str) -> Paths:
        below = [g for g in (top.group(path) for top in self.groups) if g is not None]
        return Paths(below, self.cache, f"{self.path}/{path}".lstrip("/"))

    def layer(self, name: str, path: str, net: bool = False) -> Paths:
        for top in ("layers", "_layer_checkpoint_dependencies"):  # the second in Keras 2.13
            if any(g.group(top) is not None for g in self.groups):
                return self._at(f"{top}/{path}")
        return Paths([], self.cache, f"{self.path}/layers/{path}".lstrip("/"))

    def part(self, path: str, name: str) -> Paths:
        for p in path.split("|"):
            if (found := self._at(p)).groups:
                return found
        return Paths([], self.cache, f"{self.path}/{path}".lstrip("/"))

    def empty(self) -> bool:
        return not any(True for g in self.groups for _ in g.datasets())

    def take(self, spec: Spec, where: str) -> list[Value]:
        count: dict[str, int] = {}
        out = []
        for part, name in spec:
            k = count[part] = count.get(part, -1) + 1
            here = self.part(part, "") if part else self
            found = None
            for g in here.groups:
                found = found or g.get(f"vars/{k}")
            if not isinstance(found, Dataset):
                raise CorruptFile(f"the file has no weight '{name}' of the layer '{printable(where)}' "
                                  f"({part or 'its own'} vars/{k})")
            out.append(self._value(found, f"{where}/{name}"))
        return out

    def _value(self, found: Dataset, name: str) -> Value:
        key = (id(found.file), found.name)
        if key not in self.cache:
            tensor = found.tensor()
            self.cache[key] = Value(tensor.type, name, data=tensor)
        return self.cache[key]


Named = tuple[str, Dataset]
_PREFIXES = re.compile(r"_\d+$")


class Names:
    """A scope of an older file: weights with their names, in order.  The outermost has a list for each layer."""

    def __init__(self, found: Sequence[Named], layers: Mapping[str, Sequence[Named]] | None = None,
                 cache: dict[str, Value] | None = None) -> None:
        self.found, self.layers = found, layers
        self.cache: dict[str, Value] = {} if cache is None else cache

    def layer(self, name: str, path: str, net: bool = False) -> Names:
        if self.layers is not None:
            return Names(self.layers.get(name, ()), None, self.cache)
        inside = [(n, d) for n, d in self.found if name in n.split("/")[:-1]]
        if net and not inside:  # Keras 2 names the weights of a nested model by its layers alone
            return self
        if not inside:  # Keras 1 joined the names
            inside = [(n, d) for n, d in self.found if n.rpartition("/")[2].startswith(f"{name}_")]
        return Names(inside, None, self.cache)

    def part(self, path: str, name: str) -> Names:
        if not name:
            return self
        inside = [(n, d) for n, d in self.found if any(p.startswith(name) for p in n.split("/"))]
        return Names(inside, None, self.cache)

    def half(self, second: bool) -> Names:
        """The first or the second half: the two directions of a layer, where their names do not tell."""
        n = len(self.found) // 2
        return Names(self.found[n:] if second else self.found[:n], None, self.cache)

    def empty(self) -> bool:
        return not self.found and not any((self.layers or {}).values())

    def take(self, spec: Spec, where: str) -> list[Value]:
        wanted = [name for _, name in spec]
        here = [_last(n) for n, _ in self.found]
        if set(here[len(wanted):]) & set(wanted):
            raise CorruptFile(f"the weights of the layer '{printable(where)}' are there twice: "
                              f"{printable(', '.join(n for n, _ in self.found))}")
        if len(here) >= len(wanted) and here[:len(wanted)] == wanted:
            chosen = list(self.found[:len(wanted)])
        elif len(set(here)) == len(here) and set(wanted) <= set(here):
            chosen = [self.found[here.index(name)] for name in wanted]
        elif len(here) == len(wanted):  # other names for the same: Keras 1, Theano
            chosen = list(self.found)
        else:
            raise CorruptFile(f"the layer '{printable(where)}' needs the weights {', '.join(wanted) or 'none'}, the "
                              f"file has {printable(', '.join(n for n, _ in self.found)) or 'none'}")
        return [self._value(dataset, f"{where}/{name}") for (_, dataset), name in zip(chosen, wanted, strict=True)]

    def _value(self, found: Dataset, name: str) -> Value:
        if found.name not in self.cache:
            tensor = found.tensor()
            self.cache[found.name] = Value(tensor.type, name, data=tensor)
        return self.cache[found.name]


def _last(name: str) -> str:
    """The last part of a weight's name without what TensorFlow appended: ``lstm/kernel_1:0`` is ``kernel``."""
    return _PREFIXES.sub("", name.rpartition("/")[2].partition(":")[0])


def strings(group: Group, name: str) -> list[str] | None:
    """A list of text in an attribute, which is cut into ``name0``, ``name1``, ... if it is long."""
    def texts(value: Any) -> list[str]:
        if isinstance(value, str):
            return [value]
        return [str(v) for v in value] if isinstance(value, Iterable) else []
    if name in group.attrs:
        return texts(group.attrs[name])
    out: list[str] = []
    k = 0
    while f"{name}{k}" in group.attrs:
        out += texts(group.attrs[f"{name}{k}"])
        k += 1
    return out if k else None


def by_names(group: Group) -> Names | None:
    """The scope of an older file's weights, or ``None`` if the group has no list of layers."""
    layers = strings(group, "layer_names")
    if layers is None:
        return None
    table: dict[str, list[Named]] = {}
    for layer in layers:
        here = group.group(layer)
        if here is None:
            raise CorruptFile(f"the weights of the layer '{printable(layer)}' are missing")
        table[layer] = []
        for name in strings(here, "weight_names") or ():
            found = here.get(name)
            if not isinstance(found, Dataset):
                raise CorruptFile(f"the weight '{printable(name)}' of the layer '{printable(layer)}' is missing")
            table[layer].append((name, found))
    return Names([n for t in table.values() for n in t], table)
