"""The dialect that hub graphs are written in for PyTorch: ATen's operators, arguments by the names of their schema.

A node ``aten.conv2d.default`` has its tensors and numbers as inputs and all of its arguments as attributes, in which
:class:`In` says which input stands where, in lists too.  A *number* (a size that is known at run time only) is a value
of int64 without axes that a node of :data:`NUMBERS` makes: it is no tensor in PyTorch."""
from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ...errors import Unsupported
from ...hub.symbols import poly
from ...ir.graph import Element, Graph, Node, Value, constant
from ...ir.rules import Builder
from ...ir.types import Dim, DType, Type
from ..writing import numbers
from .signatures import SIGNATURES

I64, F32, BOOL = map(np.dtype, ("i8", "f4", "?"))
NUMBERS = frozenset({"aten.sym_size.int", "aten.item.default", "_operator.add", "_operator.sub", "_operator.mul",
                     "_operator.floordiv", "_operator.mod", "_operator.neg", "torch.sym_max", "torch.sym_min"})
LISTS = frozenset({"aten.split_with_sizes.default", "aten.unbind.int"})
"""Operators whose result is a list of tensors."""


@dataclass(frozen=True)
class In:
    """The place of an input among the arguments."""

    place: int


def is_number(v: Value) -> bool:
    """Whether a value is a number of Python's, not a tensor."""
    return v.node is not None and v.node.op in NUMBERS


def full(name: str) -> str:
    """The name of an operator with its overload: "conv2d" is "aten.conv2d.default"."""
    if name.startswith(("_operator.", "torch.", "higher_order.")):
        return name
    return f"aten.{name}" if "." in name else f"aten.{name}.default"


def names(op: str) -> Sequence[str]:
    """The names of an operator's arguments, in order; those after "|" are given by name only."""
    if op.startswith(("_operator.", "torch.")):
        return ("a",) if op == "_operator.neg" else ("a", "b")
    if op.startswith("higher_order."):
        return ()
    return SIGNATURES[op.removeprefix("aten.").removesuffix(".default")].replace("|", "").split()


def keywords(op: str) -> frozenset[str]:
    """The arguments that are given by name only."""
    said = SIGNATURES.get(op.removeprefix("aten.").removesuffix(".default"), "")
    return frozenset(said.partition("|")[2].split())


def positional(node: Node) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arguments of a call that are given by their place, and those given by name."""
    known, named_only = names(node.op), keywords(node.op)
    if not known:
        return dict(node.attrs), {}
    by_place: dict[str, Any] = {}
    for name in known:
        if name not in node.attrs or name in named_only:
            break
        by_place[name] = node.attrs[name]
    return by_place, {k: a for k, a in node.attrs.items() if k not in by_place}


def call(op: str, args: Sequence[Any], kwargs: Mapping[str, Any], types: Sequence[Type], origin: str = "") -> Node:
    """One call.  Arguments that are ``None`` and come last, or are given by name, are left out."""
    inputs: list[Value] = []

    def place(x: Any) -> Any:
        if isinstance(x, Value):
            inputs.append(x)
            return In(len(inputs) - 1)
        if isinstance(x, np.generic):
            return x.item()
        if isinstance(x, (list, tuple)):
            return tuple(map(place, x))
        return x
    known = names(op)
    if len(args) > len(known) and known:
        raise TypeError(f"{op} takes {len(known)} arguments")
    given = dict(zip(known, args, strict=False)) if known else {str(k): a for k, a in enumerate(args)}
    for k, v in kwargs.items():
        if k not in known or k in given:
            raise TypeError(f"{op} has no argument {k}")
        given[k] = v
    last = max((i for i, v in enumerate(args) if v is not None), default=-1)
    attrs = {k: place(v) for i, (k, v) in enumerate(given.items()) if v is not None or i < last}
    return Node(op, inputs, attrs, types, origin=origin)


class At(Builder):
    """Makes calls: ``at("conv2d", x, w, b, [1, 1], type=...)``, or ``at.relu(x)``.

    Without ``type`` a result has the element type of the first tensor and the shape that the tensors broadcast to;
    ``type`` may be an element type alone.  With a list of types the result is a tuple."""

    def __call__(self, name: str, *args: Any, type: Any = None, **kwargs: Any) -> Any:
        op = full(name)
        if type is None or isinstance(type, np.dtype):
            tensors = [a for a in (*args, *kwargs.values()) if isinstance(a, Value) and not is_number(a)]
            if not tensors:
                raise ValueError(f"{name}: the type must be given")
            type = Type(type or tensors[0].dtype, broadcast(*(t.type for t in tensors)))
        types = [type] if isinstance(type, Type) else list(type)
        node = call(op, args, kwargs, types, "" if self.node is None else self.node.label)
        return node.outputs[0] if isinstance(type, Type) else node.outputs

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return partial(self.__call__, name)


def broadcast(*types: Type) -> tuple[Dim, ...] | None:
    """The shape that several shapes broadcast to."""
    from ...hub.symbols import broadcast as both
    shapes = [t.shape for t in types]
    if any(s is None for s in shapes):
        return None
    n = max(len(s) for s in shapes if s is not None)
    out: list[Dim] = [1] * n
    for s in shapes:
        for k, d in enumerate(reversed(s or ())):
            out[-1 - k] = both(out[-1 - k], d)
    return tuple(out)


def size(at: At, x: Value, axis: int) -> Any:
    """The size of an axis: an int, or a number."""
    assert x.shape is not None
    d = x.shape[axis]
    if isinstance(d, int):
        return d
    return at("sym_size.int", x, axis % len(x.shape), type=Type(I64, ()))


def sizes(at: At, x: Value) -> list[Any]:
    """The sizes of all axes."""
    if x.shape is None:
        raise Unsupported("the rank of an input is not known")
    return [size(at, x, k) for k in range(len(x.shape))]


def ints(at: At, v: Value, *near: Value | None) -> list[Any]:
    """The elements of a value of integers as ints and numbers: those known, those that are expressions of sizes found
    in what leads to ``v`` and ``near``, else read from the tensor."""
    found = numbers(v)
    if found is not None:
        return list(found)
    count = 1 if v.shape == () else v.shape[0] if v.shape is not None and len(v.shape) == 1 else None
    if not isinstance(count, int):
        raise Unsupported("a number of elements that is only known at run time")
    elements: Sequence[Element] = v.elements if v.elements is not None and len(v.elements) == count else [None] * count
    return [_number(at, v, k, e, near) for k, e in enumerate(elements)]


def _number(at: At, v: Value, k: int, e: Element, near: Sequence[Value | None]) -> Any:
    if isinstance(e, int):
        return e
    if isinstance(e, str):
        made = expression(at, e, [v, *near])
        if made is not None:
            return made
    one = v if v.shape == () else at("select.int", v, 0, k, type=Type(v.dtype, ()))
    return at("item", one, type=Type(I64, ()))


def dim(at: At, d: Dim, *near: Value | None) -> Any:
    """A size of a type as an int or a number, or ``None`` if nothing near has it."""
    return d if d is None or isinstance(d, int) else expression(at, d, near)


def expression(at: At, text: str, near: Sequence[Value | None]) -> Any:
    """The number of a symbolic size such as "2*n + 1", from the sizes of what leads to ``near``; else ``None``."""
    whole = _found(at, text, near)
    if whole is not None:
        return whole
    terms: Any = None
    for monomial, factor in poly(text).items():
        part: Any = factor
        for symbol in monomial:
            one = _found(at, symbol, near)
            if one is None:
                one = _opaque(at, symbol, near)
            if one is None:
                return None
            part = one if part == 1 and isinstance(part, int) else number(at, "mul", part, one)
        terms = part if terms is None else number(at, "add", terms, part)
    return terms


def number(at: At, what: str, a: Any, b: Any) -> Any:
    """Arithmetic of ints and numbers."""
    if isinstance(a, int) and isinstance(b, int):
        return {"add": a + b, "sub": a - b, "mul": a * b, "floordiv": a // b if b else 0}[what]
    if (what == "add" and isinstance(b, int) and not b) or (what in ("mul", "floordiv") and isinstance(b, int)
                                                            and b == 1):
        return a
    return at(f"_operator.{what}", a, b, type=Type(I64, ()))


def _opaque(at: At, symbol: str, near: Sequence[Value | None]) -> Any:
    """A quotient or minimum, which no size is."""
    try:
        e = ast.parse(symbol, mode="eval").body
    except (SyntaxError, ValueError, RecursionError):
        return None
    if isinstance(e, ast.BinOp) and isinstance(e.op, ast.FloorDiv) and isinstance(e.right, ast.Constant):
        a, b = expression(at, ast.unparse(e.left), near), ast.literal_eval(e.right)
        return number(at, "floordiv", a, b) if a is not None and isinstance(b, int) else None
    if isinstance(e, ast.Call) and isinstance(e.func, ast.Name) and e.func.id in ("min", "max") and len(e.args) == 2:
        a, b = (ast.literal_eval(x) if isinstance(x, ast.Constant) else expression(at, ast.unparse(x), near)
                for x in e.args)
        return None if a is None or b is None else at(f"torch.sym_{e.func.id}", a, b, type=Type(I64, ()))
    return None


def _found(at: At, symbol: str, near: Sequence[Value | None]) -> Any:
    """The size of the nearest tensor that has it."""
    seen: set[int] = set()
    level = [v for v in near if v is not None]
    while level:
        below: list[Value] = []
        for v in level:
            if id(v) in seen:
                continue
            seen.add(id(v))
            if not is_number(v) and v.shape is not None and symbol in v.shape and v.data is None:
                return at("sym_size.int", v, v.shape.index(symbol), type=Type(I64, ()))
            if v.node is not None:
                below += [i for i in v.node.inputs if i is not None]
        level = below
    return None


def tensor(at: At, number: Any, dtype: DType = I64) -> Value:
    """A number as a tensor without axes."""
    if isinstance(number, (int, float, bool)):
        return constant(np.asarray(number, dtype))
    made: Value = at("scalar_tensor", number, dtype=dtype, type=Type(dtype, ()))
    return made


def stack(at: At, numbers: Sequence[Any]) -> Value:
    """Numbers as a tensor of one axis."""
    if all(isinstance(n, int) for n in numbers):
        return constant(np.asarray(numbers, I64).reshape(-1))
    made: Value = at("stack", [tensor(at, n) for n in numbers], type=Type(I64, (len(numbers),)))
    return made


def bodies(node: Node) -> Mapping[str, Graph]:
    """The bodies of a call of a higher order."""
    return {k: v for k, v in node.attrs.items() if isinstance(v, Graph)}
