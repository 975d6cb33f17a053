"""A program of ``torch.export``: calls of operators, one after the other, read from the JSON of a .pt2 file.

Source: torch/_export/serde/schema.py (schema versions 1 to 8)."""
from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import CorruptFile, Unsupported, printable
from ...ir.tensor import Tensor
from ...ir.types import Dim, Type
from . import schema1
from .elements import of_export
from .symbols import dim


@dataclass(frozen=True)
class Ref:
    """A result of an earlier call, or an input, by its name."""

    name: str


@dataclass(frozen=True)
class Argument:
    """``name`` is the operator's own name for it; ``value`` a number, text, element type, :class:`Ref`,
    :class:`Block`, or a list of those."""

    name: str
    value: Any
    keyword: bool = False


@dataclass(frozen=True)
class Call:
    """``target`` is "aten.add.Tensor", or "_operator.mul"; ``results`` the names of what it makes (a list of names for
    a list, ``None`` for nothing); ``path`` the module it was called in, such as "layer1.0.conv2"."""

    target: str
    arguments: tuple[Argument, ...]
    results: tuple[str | list[str] | None, ...]
    name: str
    path: str


@dataclass(frozen=True, eq=False)
class Block:
    """Calls from ``inputs`` (names) to ``outputs`` (names, numbers, lists); the types of what they make, as stated."""

    inputs: tuple[str, ...]
    calls: tuple[Call, ...]
    outputs: tuple[Any, ...]
    types: Mapping[str, Type]
    single: bool = False

    def walk(self) -> Iterator[Call]:
        for call in self.calls:
            yield call
            for a in call.arguments:
                if isinstance(a.value, Block):
                    yield from a.value.walk()


@dataclass(frozen=True, eq=False)
class Program:
    """``constants``: parameters, buffers and other tensors by the name of their input, with their own name;
    ``inputs``: those of the user; ``outputs``: what each output of the block is to the caller, by a name, ``None`` for
    what is left out; ``kinds``: whether the caller gets it at all; ``mutated``: the places of outputs that a buffer or
    input has become, with its own name."""

    block: Block
    constants: Mapping[str, tuple[str, Tensor]]
    fixed: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str | None, ...]
    kinds: tuple[bool, ...] = ()
    mutated: Mapping[int, str] = field(default_factory=dict)
    ranges: Mapping[str, tuple[int | None, int | None]] = field(default_factory=dict)
    version: str = ""


Fetch = Callable[[str], Tensor | None]
"""The tensor of a parameter, buffer or constant by its own name."""


def parse(data: Mapping[str, Any], fetch: Fetch) -> Program:
    """The program that the JSON of a file holds.  Raises :class:`CorruptFile` or :class:`Unsupported`."""
    try:
        return _parsed(data, fetch)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, StopIteration) as e:
        raise CorruptFile(f"no program of torch.export: {type(e).__name__}: {printable(e, 100)}") from e


def _parsed(data: Mapping[str, Any], fetch: Fetch) -> Program:
    module = data["graph_module"]
    if schema1.is_old(module):
        module = schema1.modern(module)
    block = _block(module["graph"])
    signature = module["signature"]
    constants: dict[str, tuple[str, Tensor]] = {}
    fixed: dict[str, Any] = {}
    inputs = []
    for spec in signature["input_specs"]:
        kind, said = _only(spec)
        if kind in ("parameter", "buffer", "tensor_constant"):
            own = said[f"{kind}_name"]
            found = fetch(own)
            if found is None:
                raise CorruptFile(f"the tensor '{printable(own)}' is not in the file")
            constants[said["arg"]["name"]] = own, found
        elif kind == "user_input":
            value = _value(said["arg"])
            if isinstance(value, Ref):
                inputs.append(value.name)
        elif kind == "constant_input":
            fixed[said["name"]] = _value(said["value"])
        else:
            raise Unsupported(f"an input of the kind {printable(kind)}")
    outputs: list[str | None] = []
    mutated: dict[int, str] = {}
    kinds = [_only(spec) for spec in signature["output_specs"]]
    names = iter(_output_names(module, sum(kind == "user_output" for kind, _ in kinds)))
    for kind, said in kinds:
        if kind == "user_output":
            name = next(names)
            outputs.append(name if _is_value(said["arg"]) else None)
            continue
        if kind in ("buffer_mutation", "parameter_mutation", "user_input_mutation"):
            mutated[len(outputs)] = next((str(v) for k, v in said.items() if k.endswith("_name")), "")
        outputs.append(None)
    ranges = {}
    for name, r in (data.get("range_constraints") or {}).items():
        low, high = (r.get(k) for k in ("min_val", "max_val"))
        own = str(name).removeprefix("s_")  # as our writer names the sizes of inputs
        ranges[own] = (low if isinstance(low, int) else None, high if isinstance(high, int) else None)
    return Program(block, constants, fixed, tuple(inputs), tuple(outputs),
                   tuple(k == "user_output" for k, _ in kinds), mutated, ranges,
                   str(data.get("torch_version") or ""))


def _is_value(arg: Mapping[str, Any]) -> bool:
    """Whether an output is computed; others are numbers and texts that never change."""
    return isinstance(_value(arg), Ref)


def _only(said: Mapping[str, Any]) -> tuple[str, Any]:
    """The one field that a union has; other fields are null in old files."""
    return next((k, v) for k, v in said.items() if v is not None and k != "$type") if any(
        v is not None for v in said.values()) else next(iter(said.items()))


def _block(graph: Mapping[str, Any], depth: int = 0) -> Block:
    if depth > 30:
        raise CorruptFile("graphs that are nested more than 30 deep")
    types = {name: _type(meta) for name, meta in graph["tensor_values"].items()}
    calls = tuple(_call(node, depth) for node in graph["nodes"])
    inputs = tuple(v.name if isinstance(v := _value(a, depth), Ref) else "" for a in graph["inputs"])
    outputs = tuple(_value(a, depth) for a in graph["outputs"])
    return Block(inputs, calls, outputs, types, bool(graph.get("is_single_tensor_return")))


def _call(node: Mapping[str, Any], depth: int) -> Call:
    target = str(node["target"]).removeprefix("torch.ops.")
    arguments = tuple(Argument(a["name"], _value(a["arg"], depth), a.get("kind") == 2) for a in node["inputs"])
    results = tuple(_result(o) for o in node["outputs"])
    meta = node.get("metadata") or {}
    first = next((r for r in results if isinstance(r, str)), "")
    return Call(target, arguments, results, str(node.get("name") or first or target), _path(meta))


def _path(meta: Mapping[str, str]) -> str:
    """The innermost module: the stack is "key,path,class" joined by semicolons; paths may be code (L['self'].a)."""
    last = str(meta.get("nn_module_stack") or "").split(";")[-1].split(",")
    return last[1] if len(last) == 3 and "[" not in last[1] and not last[1].startswith("_empty_nn") else ""


def _result(said: Mapping[str, Any]) -> str | list[str] | None:
    value = _value(said)
    if isinstance(value, list):
        return [v.name if isinstance(v, Ref) else "" for v in value]
    return value.name if isinstance(value, Ref) else None


def _value(said: Mapping[str, Any], depth: int = 0) -> Any:
    kind, v = _only(said)
    if kind == "as_none":
        return None
    if kind in ("as_tensor", "as_custom_obj"):
        return Ref(v["name"])
    if kind == "as_tensors":
        return [Ref(t["name"]) for t in v]
    if kind in ("as_optional_tensors", "as_optional_tensor"):
        found = [Ref(t["as_tensor"]["name"]) if t.get("as_tensor") else None
                 for t in (v if isinstance(v, list) else [v])]
        return found if isinstance(v, list) else found[0]
    if kind == "as_nested_tensors":
        return [[Ref(t["name"]) for t in row] for row in v]
    if kind in ("as_int", "as_ints", "as_bool", "as_bools", "as_string", "as_strings", "as_int_lists"):
        return v
    if kind in ("as_float", "as_floats", "as_float_lists"):
        return _floats(v)
    if kind == "as_complex":
        return complex(_floats(v["real"]), _floats(v["imag"]))
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return _symbol(v)
    if kind in ("as_sym_ints", "as_sym_floats", "as_sym_bools"):
        return [_symbol(x) for x in v]
    if kind == "as_scalar_type":
        return of_export(v)
    if kind in ("as_memory_format", "as_layout", "as_device"):
        return None
    if kind == "as_operator":
        return str(v)
    if kind == "as_graph":
        return _block(v["graph"], depth + 1)
    raise Unsupported(f"an argument of the kind {printable(kind)}")


def _symbol(v: Mapping[str, Any]) -> Any:
    kind, x = _only(v)
    return Ref(x) if kind == "as_name" else _floats(x) if kind == "as_float" else x


def _floats(v: Any) -> Any:
    return [_floats(x) for x in v] if isinstance(v, list) else float(v)


def _type(meta: Mapping[str, Any]) -> Type:
    return Type(of_export(meta["dtype"]), tuple(_dim(d) for d in meta["sizes"]))


def _dim(d: Mapping[str, Any]) -> Dim:
    kind, v = _only(d)
    return int(v) if kind == "as_int" else dim(str(v["expr_str"]))


def _output_names(module: Mapping[str, Any], count: int) -> list[str]:
    """Names of the outputs by the structure that the module returns: keys of dictionaries, else numbers."""
    found: list[str] = []
    try:
        said = json.loads((module.get("metadata") or {}).get("custom") or "{}").get("modelport:outputs")
        if isinstance(said, list) and len(said) == count == len({str(n) for n in said}):
            return [str(n) for n in said]
    except (ValueError, AttributeError, RecursionError):
        pass
    try:
        tree = json.loads(next(m for m in module["module_call_graph"] if not m["fqn"])["signature"]["out_spec"])[1]
        _leaves(tree, "", found)
    except (KeyError, IndexError, TypeError, ValueError, StopIteration):
        found = []
    if len(found) != count or len(set(found)) != count:
        found = ["output"] if count == 1 else [f"output_{k}" for k in range(count)]
    return found


def _leaves(tree: Mapping[str, Any], name: str, found: list[str], depth: int = 0) -> None:
    if depth > 30:
        raise ValueError
    children = tree["children_spec"]
    if tree["type"] is None:
        found.append(name or "output")
        return
    try:
        keys = json.loads(tree["context"]) if tree["context"] else None
    except ValueError:
        keys = None
    if isinstance(keys, list) and len(keys) == 2 and isinstance(keys[1], list) and len(keys[1]) == len(children):
        keys = keys[1]  # a class and its fields
    named = isinstance(keys, list) and len(keys) == len(children)
    for k, child in enumerate(children):
        own = str(keys[k]) if named and keys is not None else str(k) if len(children) > 1 else ""
        inner = f"{name}_{own}" if name and own else name or (own if named or not own else f"output_{own}")
        _leaves(child, inner, found, depth + 1)
