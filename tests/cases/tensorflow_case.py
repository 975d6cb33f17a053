"""A case of a TensorFlow operator as data: a GraphDef of one operator, made without TensorFlow, and inputs that hurt.

``add(name, inputs, **attributes)`` is one line; the operator is the name up to the first slash.  Inputs are arrays:
``given(...)`` is fed at run time, its dimensions unknown to the graph; anything else is a constant; a list of arrays is
one argument of several tensors."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelport.formats.tensorflow.ops import NUMBER, counts, definition, types
from modelport.formats.tensorflow.tensors import message
from modelport.ir.types import STRING

QUANTIZED = {"qint8": 11, "quint8": 12, "qint32": 13, "qint16": 15, "quint16": 16}


@dataclass
class Given:
    """An input that is fed; ``static`` where the graph knows its shape."""

    array: np.ndarray
    static: bool = False


@dataclass
class Case:
    """A graph, what it is fed, and the tensors it delivers."""

    name: str
    graph: Any
    feeds: Mapping[str, np.ndarray]
    outputs: Sequence[str]

    @property
    def op(self) -> str:
        return self.name.partition("/")[0]


CASES: dict[str, Case] = {}


def given(array: Any, dtype: Any = None, static: bool = False) -> Given:
    return Given(text(array) if dtype == "s" else np.asarray(array, dtype), static)


def text(values: Any) -> np.ndarray:
    return np.asarray(values, object)


def tensor_proto(proto: Any, array: np.ndarray) -> None:
    proto.dtype = NUMBER[array.dtype]
    for d in array.shape:
        proto.tensor_shape.dim.add().size = d
    if array.dtype == STRING:
        proto.string_val.extend(str(s).encode("utf-8", "surrogateescape") for s in array.ravel())
    else:
        proto.tensor_content = np.ascontiguousarray(array).tobytes()


def set_attribute(node: Any, name: str, kind: str, value: Any) -> None:
    a = node.attr[name]
    if kind.startswith("["):
        a.list.SetInParent()
        for v in value:
            {"i": a.list.i, "f": a.list.f, "b": a.list.b}[kind[1]].append(v) if kind[1] in "ifb" else \
                a.list.s.append(v.encode()) if kind[1] == "s" else a.list.type.append(NUMBER[np.dtype(v)])
    elif kind == "t":
        a.type = QUANTIZED[value] if value in QUANTIZED else NUMBER[STRING if value == "s" else np.dtype(value)]
    elif kind == "s":
        a.s = value.encode()
    elif kind == "S":
        a.shape.SetInParent()
        for d in value:
            a.shape.dim.add().size = d
    else:
        setattr(a, kind, value)


def same_bits(graph: Any, ref: str, before: int, after: int) -> str:
    """What is fed and delivered has numpy's own types; TensorFlow's quantized ones are the same bits."""
    node = graph.node.add(name=f"bits_{ref.replace(':', '_')}", op="Bitcast", input=[ref])
    node.attr["T"].type, node.attr["type"].type = before, after
    return str(node.name)


def add(name: str, *inputs: Any, fetch: Sequence[int] | None = None, **attributes: Any) -> None:
    """Enters a case; ``fetch`` are the outputs that count (default: all)."""
    assert name not in CASES, name
    op = name.partition("/")[0]
    d = definition(op)
    assert d is not None, op
    graph = message("GraphDef")()
    graph.versions.producer = 1205
    feeds: dict[str, np.ndarray] = {}
    refs: list[str] = []
    numbers: dict[str, Any] = {}
    for k, (argument, value) in enumerate(zip(d.inputs, inputs, strict=True)):
        many = value if isinstance(value, list) and argument.several else [value]
        kinds = []
        for j, v in enumerate(many):
            array = v.array if isinstance(v, Given) else np.asarray(v)
            if array.dtype.kind == "U":
                array = array.astype(object)
            node = graph.node.add(name=f"x{k}_{j}", op="Placeholder" if isinstance(v, Given) else "Const")
            number = QUANTIZED.get(str(attributes.get(str(argument.type))), NUMBER[array.dtype])
            node.attr["dtype"].type = NUMBER[array.dtype] if isinstance(v, Given) else number
            if isinstance(v, Given):
                feeds[node.name] = np.stack([array.real, array.imag], -1) if array.dtype.kind == "c" else array
                node.attr["shape"].shape.SetInParent()
                for size in array.shape:
                    node.attr["shape"].shape.dim.add().size = size if v.static else -1
            else:
                tensor_proto(node.attr["value"].tensor, array)
                node.attr["value"].tensor.dtype = number
            kinds.append(number)
            refs.append(node.name)
            if isinstance(v, Given) and number != NUMBER[array.dtype]:
                refs[-1] = same_bits(graph, node.name, NUMBER[array.dtype], number)
        if argument.several == "*":
            numbers[str(argument.type)] = kinds
        else:
            if isinstance(argument.type, str):
                numbers[argument.type] = kinds[0]
            if argument.several:
                numbers[argument.several] = len(many)
    node = graph.node.add(name="out", op=op, input=refs)
    for key, a in d.attributes.items():
        if key in attributes:
            set_attribute(node, key, a.kind, attributes[key])
            if a.kind == "t":
                numbers[key] = node.attr[key].type
            elif a.kind == "i":
                numbers[key] = attributes[key]
            elif a.kind == "[t":
                numbers[key] = list(node.attr[key].list.type)
        elif key in numbers:
            if a.kind == "[t":
                node.attr[key].list.type.extend(numbers[key])
            else:
                setattr(node.attr[key], "type" if a.kind == "t" else "i", numbers[key])
    for a in d.attributes.values():
        if a.name not in node.attr and isinstance(a.default, (int, dict)) and a.kind in ("t", "i"):
            numbers[a.name] = a.default
    total = sum(counts(d.outputs, numbers))
    outputs = [f"out:{k}" if k else "out" for k in (fetch or range(total))]
    plain = {v: NUMBER[np.dtype(k.removeprefix("q").replace("quint", "uint"))] for k, v in QUANTIZED.items()}
    for k, number in enumerate(types(d.outputs, numbers)):
        ref = f"out:{k}" if k else "out"
        if number in plain and ref in outputs:
            outputs[outputs.index(ref)] = same_bits(graph, ref, number, plain[number])
    CASES[name] = Case(name, graph, feeds, outputs)
