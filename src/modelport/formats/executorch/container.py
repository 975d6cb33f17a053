"""A .pte file as a raw graph of one node that holds its program.

The file is a FlatBuffer; behind an extended header ("eh00") segments follow, one of them with the constants.
Source: exir/_serialize/program.fbs and _program.py of ExecuTorch."""
from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...codecs import flatbuffer
from ...codecs.limits import DEFAULT, Limits
from ...codecs.mapped import Mapped
from ...errors import CorruptFile, Unsupported, UnsupportedModel, printable
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Tensor
from ...ir.types import Type
from ..torch.elements import of_c10
from ..torch.storage import Storage, tensor

HEADER = 32
"""Bytes of the extended header: magic, length, size of the program, where segments begin, and their size."""


@dataclass(frozen=True)
class Call:
    """A kernel, "aten::add.out", and the places of its arguments among the values."""

    kernel: str
    arguments: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Program:
    """``values``: tensors that hold nothing yet (:class:`Type`), constants (:class:`Tensor`), numbers, texts, lists of
    numbers, ``None``, and lists of places (:class:`Places`)."""

    values: tuple[Any, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    calls: tuple[Call, ...]


@dataclass(frozen=True)
class Places:
    """A list of values, by their places; -1 is none."""

    items: tuple[int, ...]


def sniff(head: bytes, path: Path) -> bool:
    return head[4:6] == b"ET" and head[6:8].isdigit()


def read(path: Path, limits: Limits = DEFAULT) -> Graph:
    """The program ``forward`` of a file.  Raises :class:`UnsupportedModel` where delegates compute parts of it."""
    path = Path(path)
    file = Mapped(path, limits)
    base = 0
    if bytes(file.view[8:12]) == b"eh00" and file.size >= 8 + HEADER:
        length, _, base = struct.unpack_from("<IQQ", file.view, 12)
        if length < 24 or base > file.size:
            raise CorruptFile("an extended header that makes no sense", path=path)
    root = flatbuffer.Reader(file.view, flatbuffer.schema("executorch"), path, limits).root().fields()
    try:
        program = _program(root, file, base, path)
    except (LookupError, ValueError, TypeError, AttributeError, OverflowError) as e:  # fields of the wrong kind
        raise CorruptFile(f"a program that makes no sense: {printable(e, 100)}", path=path) from e
    types = [program.values[i] for i in program.inputs]
    inputs = {f"x{k}" if len(types) > 1 else "x": Value(t, f"x{k}" if len(types) > 1 else "x")
              for k, t in enumerate(t for t in types if isinstance(t, Type))}
    names = ["output"] if len(program.outputs) == 1 else [f"output_{k}" for k in range(len(program.outputs))]
    made = [v.type if isinstance(v, Tensor) else v for v in (program.values[i] for i in program.outputs)]
    if not all(isinstance(t, Type) for t in (*types, *made)):
        raise UnsupportedModel([Unsupported("inputs or outputs that are no tensors")], "ONNX")
    node = Node("executorch.Program", list(inputs.values()), {"program": program}, made, names, "forward")
    return Graph(inputs, dict(zip(names, node.outputs, strict=True)), "forward")


def _program(root: Mapping[str, Any], file: Mapped, base: int, path: Path) -> Program:
    plans = root.get("execution_plan") or []
    plan = next((p for p in plans if p.get("name") == "forward"), plans[0] if plans else None)
    if plan is None:
        raise CorruptFile("a program without a method", path=path)
    segment = root.get("constant_segment") or {}
    segments = root.get("segments") or []
    offsets = [int(o) for o in segment.get("offsets", ())]
    at = int(segment.get("segment_index", 0))
    start = base + int(segments[at].get("offset", 0)) if at < len(segments) else 0
    inline = root.get("constant_buffer") or []
    values = tuple(_value(v, file, start, offsets, inline, path) for v in plan.get("values", ()))
    operators = plan.get("operators") or []
    calls = []
    for chain in plan.get("chains") or []:
        for instruction in chain.get("instructions") or []:
            kind, said = _union(instruction, "instr_args")
            if kind == "FreeCall":
                continue
            if kind != "KernelCall":
                what = "a part that a delegate computes" if kind == "DelegateCall" else f"the instruction {kind}"
                raise UnsupportedModel([Unsupported(what)], "ONNX")
            number = int(said.get("op_index", 0))
            if not 0 <= number < len(operators):
                raise CorruptFile(f"kernel {number} of {len(operators)}", path=path)
            o = operators[number]
            calls.append(Call(f"{o.get('name', '')}.{o.get('overload', '')}", tuple(_ints(said.get("args")))))
    count = len(values)
    inputs, outputs = _ints(plan.get("inputs")), _ints(plan.get("outputs"))
    if any(not 0 <= i < count for i in (*inputs, *outputs, *(a for c in calls for a in c.arguments))):
        raise CorruptFile("a value that is not there", path=path)
    return Program(values, tuple(inputs), tuple(outputs), tuple(calls))


def _ints(x: Any) -> Sequence[int]:
    return [int(v) for v in (x if x is not None else ())]


def _union(table: Mapping[str, Any], key: str) -> tuple[str, Mapping[str, Any]]:
    """The kind and the fields of a union, as the codec delivers it."""
    said = table.get(key)
    kind = table.get(f"{key}_type", 0)
    if isinstance(said, tuple):
        kind, said = said
    names = flatbuffer.schema("executorch").unions["KernelTypes" if key == "val" else "InstructionArguments"]
    name = kind if isinstance(kind, str) else names[int(kind)] if 0 <= int(kind) < len(names) else "NONE"
    return name, said if isinstance(said, Mapping) else {}


def _value(v: Mapping[str, Any], file: Mapped, start: int, offsets: Sequence[int], inline: Sequence[Any],
           path: Path) -> Any:
    kind, said = _union(v, "val")
    if kind == "Int":
        return int(said.get("int_val", 0))
    if kind == "Bool":
        return bool(said.get("bool_val", False))
    if kind == "Double":
        return float(said.get("double_val", 0.0))
    if kind == "String":
        return str(said.get("string_val", ""))
    if kind in ("IntList", "TensorList", "OptionalTensorList"):
        return Places(tuple(_ints(said.get("items"))))
    if kind in ("DoubleList", "BoolList"):
        return [x.item() if hasattr(x, "item") else x for x in said.get("items", ())]
    if kind != "Tensor":
        return None
    shape = tuple(_ints(said.get("sizes")))
    order = [int(n) for n in _ints(said.get("dim_order"))] or list(range(len(shape)))
    if sorted(order) != list(range(len(shape))):
        raise CorruptFile(f"a tensor of {len(shape)} axes in the order {order}", path=path)
    dtype = of_c10(int(flatbuffer.schema("executorch").enums["ScalarType"].get(str(said.get("scalar_type")), 0))
                   if isinstance(said.get("scalar_type"), str) else int(said.get("scalar_type", 0)))
    number = int(said.get("data_buffer_idx", 0))
    if not number or said.get("allocation_info") is not None:
        return Type(dtype, shape)
    size = dtype.itemsize
    for n in shape:
        size *= n
    if offsets:
        if number >= len(offsets):
            raise CorruptFile(f"constant {number} of {len(offsets)}", path=path)
        where = start + offsets[number]
        return tensor(Storage(file.slice(where, where + size), dtype), dtype, 0, shape, _strides(shape, order))
    if number >= len(inline):
        raise CorruptFile(f"constant {number} of {len(inline)}", path=path)
    stored = inline[number].get("storage")
    data = memoryview(b"" if stored is None else stored.tobytes())
    if len(data) < size:
        raise CorruptFile(f"constant {printable(number)} is too short", path=path)
    return tensor(Storage(data[:size], dtype), dtype, 0, shape, _strides(shape, order))


def _strides(shape: Sequence[int], order: Sequence[int]) -> list[int]:
    """Elements from one to the next along each axis; ``order`` lists the axes from the slowest to the fastest."""
    out, step = [0] * len(shape), 1
    for axis in reversed(order):
        out[axis] = step
        step *= shape[axis]
    return out
