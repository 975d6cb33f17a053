"""Attributes that a call of a model sets or writes to: what begins anew with each call, or is passed from call to call.

``--state explicit`` makes them inputs, ``state:NAME``, and outputs, ``state:NAME:next``."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...errors import Unsupported, UsageError, printable
from ...ir.graph import Value
from ...ir.rules import Builder
from ...ir.types import Type
from .machine import Box


def is_explicit(state: str) -> bool:
    """Whether ``--state`` asks for inputs and outputs."""
    if state not in ("reset", "explicit"):
        raise UsageError(f"state '{printable(state)}' is neither 'reset' nor 'explicit'")
    return state == "explicit"


def begins_anew(names: Iterable[str]) -> str:
    """The note where states are not explicit."""
    found = list(names)
    return (f"{', '.join(map(printable, found[:3]))} change{'s' * (len(found) == 1)} when the model is called in "
            "PyTorch; here every call begins with the values of the file (--state explicit makes them inputs and "
            "outputs)")


class State:
    """The attributes of objects as they are before a call.  ``holders`` are dictionaries of attributes by the paths of
    their objects; ``more`` are tensors besides, which a call may write to and is not asked about."""

    def __init__(self, holders: Sequence[tuple[str, dict[str, Any]]], more: Sequence[Any] = ()) -> None:
        self._first = [(name, held, dict(held)) for name, held in holders]
        self._begin = self._first
        self._boxes: dict[int, tuple[Box, tuple[Any, ...]]] = {}
        self._lists: dict[int, tuple[Any, Any]] = {}
        for _, _, attributes in self._first:
            self._keep(list(attributes.values()))
        self._keep(list(more))

    def _keep(self, xs: Iterable[Any]) -> None:
        for x in xs:
            if isinstance(x, Box):
                self._boxes[id(x)] = x, x.kept()
            elif isinstance(x, (list, dict)) and id(x) not in self._lists:
                self._lists[id(x)] = x, x.copy()
                self._keep(x.values() if isinstance(x, dict) else x)
            elif isinstance(x, tuple):
                self._keep(x)

    def _same(self, old: Any, new: Any) -> bool:
        """Whether an attribute is what it was, none of its tensors written to."""
        if old is not new:
            return False
        if isinstance(new, Box):
            return id(new) not in self._boxes or new.kept() == self._boxes[id(new)][1]
        if isinstance(new, (list, dict)):
            before: Any = self._lists[id(new)][1] if id(new) in self._lists else new
            if len(before) != len(new) or (isinstance(new, dict) and list(new) != list(before)):
                return False
            pairs = zip(before.values(), new.values(), strict=True) if isinstance(new, dict) else \
                zip(before, new, strict=True)
            return all(self._same(a, b) for a, b in pairs)
        return not isinstance(new, tuple) or all(self._same(v, v) for v in new)

    def changed(self) -> dict[str, Any]:
        """The attributes that a call set or wrote to, by their paths, with what they are after it; undoes that.  Those
        that are one tensor count once."""
        found: dict[str, Any] = {}
        seen = set[int]()
        for name, held, before in self._begin:
            for k, v in held.items():
                old = before.get(k)
                if self._same(old, v) or (isinstance(old, Box) and id(old) in seen):
                    continue
                seen.add(id(old))
                found[f"{name}.{k}".removeprefix(".")] = Box(v.value) if isinstance(v, Box) and v.known else v
        self._undo(self._begin)
        return found

    def _undo(self, to: Sequence[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
        for box, kept in self._boxes.values():
            box.restore(kept)
        for x, content in self._lists.values():
            x.clear()
            if isinstance(x, dict):
                x.update(content)
            else:
                x.extend(content)
        for _, held, attributes in to:
            held.clear()
            held.update(attributes)

    def explicit(self, changed: Mapping[str, Any]) -> dict[str, Value]:
        """Makes the tensors among what a call ``changed`` values that are given, and lets it find its numbers as that
        call left them: the values, by names of inputs."""
        states: dict[str, Value] = {}
        instead: dict[int, Box] = {}
        later: list[tuple[str, dict[str, Any], dict[str, Any]]] = []
        for name, held, before in self._first:
            attributes = dict(before)
            for k, old in before.items():
                full = f"{name}.{k}".removeprefix(".")
                if full not in changed:
                    continue
                new = changed[full]
                if isinstance(new, Box) and new.known and isinstance(new.value, Value):
                    given = Value(Type(new.value.dtype, new.value.shape), f"state:{full}")
                    states[given.name], attributes[k] = given, Box(given)
                    instead[id(old)] = attributes[k]
                elif isinstance(new, (bool, int, float, str)) or new is None:
                    attributes[k] = new
                else:
                    raise Unsupported(f"the attribute '{printable(full)}' changes from call to call, a "
                                      f"{type(new).__name__}")
            later.append((name, held, attributes))
        for _, _, attributes in later:
            attributes.update({k: instead[id(v)] for k, v in attributes.items() if id(v) in instead})
        self._begin = later
        self._keep(instead.values())
        self._undo(later)
        return states

    def original(self) -> None:
        """As it was in the file."""
        self._undo(self._first)


def following(op: Builder, outputs: Mapping[str, Value], states: Mapping[str, Value], after: Mapping[str, Any],
              values: Mapping[str, Value]) -> tuple[dict[str, Value], dict[str, Value]]:
    """The outputs and inputs of a call whose ``states`` were given, theirs among them; ``after`` is what it left of
    them."""
    more: dict[str, Value] = {}
    for name, v in states.items():
        last = after.get(name.removeprefix("state:"), Box(v))
        if not isinstance(last, Box) or (last.value.dtype, last.value.shape) != (v.dtype, v.shape):
            raise Unsupported(f"the attribute '{printable(name)}' changes its type or shape from call to call")
        more[f"{name}:next"] = op.Identity(last.value)
    if states:
        op.note("changed", f"{', '.join(states)} are inputs, and outputs with ':next'; begin with what the file holds, "
                           "or with zeros where that is empty")
    return {**outputs, **more}, {**values, **states}
