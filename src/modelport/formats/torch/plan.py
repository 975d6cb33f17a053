"""What every writer of PyTorch's files has to decide about a raw graph: the names of its values and of its weights, and
which of them are trained."""
from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ...ir.graph import Graph, Node, Value
from ...ir.types import is_float
from .raw import In, is_number

_LONG = 40
_BUILTINS = frozenset(dir(builtins)) - {"input"} | frozenset("""
torch nn F self math functools operator os sys Path load_file Tensor Module Model load forward annotate training
Group weights inputs device aten prim ops uninitialized CONSTANTS
""".split())
"""Names that generated code uses, or that mean something in it; torch.fx gives none of Python's own to a node."""
_STATISTICS = frozenset({"running_mean", "running_var"})
_WEIGHTS = frozenset({"weight", "bias", "params"})


def identifier(text: str, fallback: str = "x") -> str:
    """A name of Python made of any text: letters, digits and underscores of ASCII, no keyword."""
    made = re.sub(r"[^A-Za-z0-9]+", "_", text).strip("_")[:_LONG].strip("_")
    if not made:
        return fallback
    if made[0].isdigit():
        made = f"{fallback}_{made}"
    return f"{made}_" if keyword.iskeyword(made) or keyword.issoftkeyword(made) or made in _BUILTINS else made


class Names:
    """Identifiers, each given once."""

    def __init__(self, taken: Sequence[str] = ()) -> None:
        self._next = dict.fromkeys(taken, 1)

    def new(self, hint: str, fallback: str = "x") -> str:
        base = identifier(hint, fallback)
        name = base
        while name in self._next:
            name = f"{base}_{self._next[base]}"
            self._next[base] += 1
        self._next[name] = 1
        return name


def module_path(origin: str) -> str:
    """The module that a node was made in, as far as its name tells: "/layer1/layer1.0/conv1/Conv" is "layer1.0.conv1".

    Names with dots are paths already."""
    origin = origin.split(";")[-1]
    if "/" not in origin:
        return _clean(origin) if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", origin) else ""
    path = ""
    for part in [p for p in origin.split("/") if p][:-1]:
        path = part if path and part.startswith(path.rpartition(".")[2] + ".") and "." not in path else \
            f"{path}.{part}" if path else part
    return _clean(path)


def _clean(path: str) -> str:
    """A path whose parts are letters, digits and underscores."""
    parts = [re.sub(r"\W+", "_", p, flags=re.ASCII).strip("_") for p in path.split(".")]
    return ".".join(p for p in parts if p)[:120]


@dataclass
class Weight:
    """A constant tensor of the model by its own dotted name; ``trained``: whether it is a parameter."""

    value: Value
    path: str
    trained: bool


@dataclass
class Plan:
    """The weights of a graph, those of its bodies too, and the names of everything."""

    graph: Graph
    weights: list[Weight] = field(default_factory=list)
    paths: Mapping[Value, Weight] = field(default_factory=dict)
    inputs: Mapping[Value, str] = field(default_factory=dict)

    def outputs(self) -> Iterator[tuple[str, Value]]:
        yield from self.graph.outputs.items()


def plan(graph: Graph) -> Plan:
    """Names for the weights: their own where that is a dotted path, else that of the layer that reads them."""
    found: dict[Value, Weight] = {}
    taken: set[str] = set()
    for node, argument, value in _reads(graph):
        if value.data is None or value in found:
            continue
        path = _path(value, node, argument, taken)
        taken.add(path)
        found[value] = Weight(value, path, _trained(value, node, argument))
    for value in graph.outputs.values():
        if value.data is not None and value not in found:
            path = _free(identifier(value.name, "constant"), taken)
            taken.add(path)
            found[value] = Weight(value, path, False)
    names = Names()
    inputs = {v: names.new(k, "input") for k, v in graph.inputs.items()}
    return Plan(graph, list(found.values()), found, inputs)


def _reads(graph: Graph) -> Iterator[tuple[Node | None, str, Value]]:
    for node in graph.nodes:
        places: dict[int, str] = {}
        for k, a in node.attrs.items():
            for x in (a if isinstance(a, tuple) else (a,)):
                if isinstance(x, In):
                    places.setdefault(x.place, k)
        for place, v in enumerate(node.inputs):
            if v is not None:
                yield node, places.get(place, ""), v
        for body in node.bodies.values():
            yield from _reads(body)
            for v in body.outputs.values():
                yield None, "", v


def _path(value: Value, node: Node | None, argument: str, taken: set[str]) -> str:
    own = value.name
    if re.fullmatch(r"[A-Za-z_]\w*(\.\w+)*", own, re.ASCII) and len(own) < 120 and not own.startswith("val_"):
        return _free(own, taken)
    where = module_path(node.label) if node is not None else ""
    what = argument if argument in _WEIGHTS | _STATISTICS else "constant"
    return _free(f"{where}.{what}" if where else identifier(own, what), taken)


def _free(path: str, taken: set[str]) -> str:
    """A path that is no other one, nor the beginning of one, nor beneath one."""
    parts = [f"{p}_" if keyword.iskeyword(p) or p in ("training", "forward") else p for p in path.split(".")]
    path, k = ".".join(parts), 1
    if any(path.startswith(t + ".") for t in taken):
        path = path.replace(".", "_")
    base = path
    while any(path == t or t.startswith(path + ".") or path.startswith(t + ".") for t in taken):
        path = f"{base}_{k}"
        k += 1
    return path


def _trained(value: Value, node: Node | None, argument: str) -> bool:
    """Weights, biases, and what the data is multiplied with or added to as a vector; not statistics, masks, tables."""
    if node is None or not is_float(value.dtype) or not value.type.size or value.dtype.name.startswith("float8"):
        return False
    if argument in _WEIGHTS:
        return True
    name = node.op.split(".")[1]
    vector = name in ("mul", "add") and value.type.size > 1 and sum(d != 1 for d in value.shape or ()) == 1
    return name == "matmul" or (name == "index" and value.rank == 2) or vector


class Scope:
    """The names of the values of one block."""

    def __init__(self, names: Names) -> None:
        self.names, self.of = names, dict[Value, str]()

    def add(self, value: Value, hint: str, fallback: str = "x") -> str:
        self.of[value] = self.names.new(hint, fallback)
        return self.of[value]

    def result(self, node: Node, k: int) -> str:
        """The name of a result: the value's own, if it is short, else the operator's."""
        v = node.outputs[k]
        op = node.op.split(".")[1]
        if node.op == "aten.sym_size.int" and (x := node.inputs[0]) is not None and x.shape is not None:
            size = x.shape[node.attrs["dim"]]
            return self.add(v, size if isinstance(size, str) and size.isidentifier() else "size", "size")
        hint = v.name if v.name and len(v.name) <= _LONG and not is_number(v) else op
        return self.add(v, hint, op)
