"""What a TorchScript archive holds: a tree of objects, constants, and the code of their classes as syntax trees.

Sources: torch/csrc/jit/serialization (export_module.cpp, import.cpp, python_print.cpp)."""
from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from ....codecs.pickle import Name, Record
from ....errors import CorruptFile, Unsupported, printable
from ....ir.types import Type
from ..packed import boxed, unpacked
from ..storage import Records, Storage

_PACKED = ("__torch__.torch.classes.quantized.", "__torch__.torch.classes.rnn.")
"""Classes of C++ that hold the weights of quantized layers."""


class Obj:
    """An object of a class of the archive: its attributes, which its methods may set."""

    def __init__(self, kind: str, attributes: dict[str, Any]) -> None:
        self.kind, self.attributes = kind, attributes


class Archive:
    """The classes, functions and objects of an archive."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._files: dict[str, dict[str, ast.stmt]] = {}
        self._objects: dict[int, Any] = {}
        folder = "constants" if any(n.startswith("constants/") for n in records.names) else "data"
        self.constants = [self.settled(c) for c in _listed(records.unpickled("constants.pkl", folder).root)] \
            if "constants.pkl" in records else []
        root = self.settled(records.unpickled("data.pkl", "data").root)
        if not isinstance(root, Obj):
            raise CorruptFile("a TorchScript archive without a module", path=records.path)
        self.root = root
        self.examples = list(_examples(records.unpickled("traced_inputs.pkl", "traced_inputs").root)) \
            if "traced_inputs.pkl" in records else []

    def settled(self, x: Any, name: str = "", depth: int = 0) -> Any:
        """An object of the pickle as the interpreter wants it; tensors are boxes, named by their path."""
        if depth > 200:
            raise CorruptFile("objects that are nested more than 200 deep")
        if id(x) in self._objects:
            return self._objects[id(x)][0]
        made: Any = x
        if isinstance(x, Record):
            made = self._record(x, name, depth)
        elif isinstance(x, list):
            made = [self.settled(v, f"{name}.{k}", depth + 1) for k, v in enumerate(x)]
        elif isinstance(x, tuple):
            made = tuple(self.settled(v, f"{name}.{k}", depth + 1) for k, v in enumerate(x))
        elif isinstance(x, dict):
            made = {k: self.settled(v, f"{name}.{k}", depth + 1) for k, v in x.items()}
        if isinstance(x, (Record, list, dict)):
            self._objects[id(x)] = made, x  # x is kept, so that its id stays its own
        return made

    def _record(self, x: Record, name: str, depth: int) -> Any:
        tensor = boxed(x, name.removeprefix("."))
        if tensor is not None:
            return tensor
        path = x.path
        if path.startswith("torch.jit._pickle.") and x.args:
            return self.settled(x.args[0], name, depth + 1)
        if not isinstance(x.of, Name):
            raise Unsupported(f"an object of {printable(path, 80)}")
        state = x.state if x.state is not None else x.args
        if path.startswith(_PACKED):
            return unpacked(path, self.settled(state, name, depth + 1))
        made = Obj(path, {})
        self._objects[id(x)] = made, x
        if isinstance(state, dict):
            for k, v in state.items():
                made.attributes[str(k)] = self.settled(v, f"{name}.{k}", depth + 1)
        else:  # of a class of C++, such as weights that were packed, or for a method __setstate__
            made.attributes["state"] = self.settled(state, name, depth + 1)
        return made

    def restoring(self) -> list[Obj]:
        """The objects whose class says by a method ``__setstate__`` what becomes of the state they were saved with."""
        return [o for o, _ in self._objects.values() if isinstance(o, Obj) and set(o.attributes) == {"state"}
                and self.method(o.kind, "__setstate__") is not None]

    def objects(self) -> list[tuple[str, Obj]]:
        """The root and all that is beneath it, each by its path."""
        found, seen = list[tuple[str, Obj]](), set[int]()
        stack: list[tuple[str, Obj]] = [("", self.root)]
        while stack:
            name, o = stack.pop()
            if id(o) not in seen:
                seen.add(id(o))
                found.append((name, o))
                stack += [(f"{name}.{k}".removeprefix("."), v) for k, v in o.attributes.items() if isinstance(v, Obj)]
        return found

    def defined(self, path: str) -> ast.stmt | None:
        """The class or function of a dotted name, "__torch__.a.Net"; ``None`` if the archive has none."""
        module, _, name = path.rpartition(".")
        if module not in self._files:
            record = f"code/{module.replace('.', '/')}.py"
            found: dict[str, ast.stmt] = {}
            if record in self._records:
                for s in parsed(self._records.text(record)).body:
                    if isinstance(s, (ast.FunctionDef, ast.ClassDef)):
                        found[s.name] = s
            self._files[module] = found
        return self._files[module].get(name)

    def method(self, kind: str, name: str) -> ast.FunctionDef | None:
        cls = self.defined(kind)
        for s in cls.body if isinstance(cls, ast.ClassDef) else ():
            if isinstance(s, ast.FunctionDef) and s.name == name:
                return s
        return None


def _examples(x: Any, depth: int = 0) -> Iterator[Type]:
    """The types of the tensors that "forward" was traced with, in order; their elements were not kept."""
    if isinstance(x, Record) and len(x.args) >= 4 and isinstance(x.args[0], Storage):
        yield Type(x.args[0].dtype, tuple(int(n) for n in x.args[2]))
    elif isinstance(x, Record) and x.args and depth < 9:
        yield from _examples(x.args[0], depth + 1)
    elif isinstance(x, dict) and depth < 9:
        yield from _examples(x.get("forward", list(x.values())), depth + 1)
    elif isinstance(x, (list, tuple)) and depth < 9:
        for v in x:
            yield from _examples(v, depth + 1)


def _listed(x: Any) -> list[Any]:
    return list(x) if isinstance(x, (list, tuple)) else []


def parsed(source: str) -> ast.Module:
    """The syntax tree of a file of an archive.  PyTorch before 1.6 put parameters without defaults after such with
    them, which is no Python: the missing ones are filled in."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        pass
    lines = re.sub(r"^op_version_set = \d+\n", "", source).splitlines()
    try:
        return ast.parse("\n".join(_defaulted(lines)))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise CorruptFile(f"code that is no TorchScript: {printable(e, 100)}") from None


def _defaulted(lines: list[str]) -> list[str]:
    out: list[str] = []
    head: list[str] | None = None
    for line in lines:
        if head is None and re.match(r"\s*def ", line):
            head = []
        if head is None:
            out.append(line)
            continue
        head.append(line)
        if "->" in line and line.rstrip().endswith(":"):
            seen = False
            for k, text in enumerate(head):
                if "=" in text.split(") ->")[0]:
                    seen = True
                elif seen:
                    head[k] = re.sub(r"(,|\) ->.*)$", r"=None\1", text, count=1)
            out += head
            head = None
    return out + (head or [])
