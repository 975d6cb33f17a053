"""From a TorchScript archive to a hub graph."""
from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import product
from typing import Any

from ....errors import CorruptFile, ModelportError, Unsupported, UnsupportedModel, UsageError, printable
from ....hub.infer import builder
from ....ir.graph import Graph, Node, Value
from ....ir.rules import Builder
from ....ir.types import Dim, DType, Type
from ..elements import dtype as element
from ..machine import Box, Machine
from ..to_onnx import aten
from ..values import I64, Sym, is_number, tensor
from .archive import Archive
from .interpreter import Interpreter
from .signals import Raised

_RANKS = (2, 4, 3, 5, 1)
"""How many axes an input is taken to have, in this order, where nothing says it: the first that the code takes."""


def signature(archive: Archive) -> list[tuple[str, str]]:
    """The names of the inputs of ``forward``, and their types as the code says them ("Tensor", "int")."""
    import ast
    f = archive.method(archive.root.kind, "forward")
    if f is None:
        raise UnsupportedModel([Unsupported("a module without a method 'forward'")], "ONNX")
    needed = len(f.args.args) - len(f.args.defaults)
    return [(a.arg, ast.unparse(a.annotation) if a.annotation is not None else "Tensor")
            for k, a in enumerate(f.args.args[1:], 1) if k < needed]


def numbers(inputs: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """What is said of inputs, apart from numbers that are fixed ("sr=16000")."""
    import ast
    rest, fixed = [], dict[str, Any]()
    for text in inputs:
        name, equal, value = text.partition("=")
        if not equal:
            rest.append(text)
            continue
        try:
            fixed[name.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise UsageError(f"'{printable(value)}' is no number") from None
    return rest, fixed


def described(archive: Archive, inputs: Sequence[str]) -> dict[str, Type]:
    """The types of the inputs: as said ("float32[batch,3]", "x:int64[1,seq]"), else the first guess that runs."""
    inputs, fixed = numbers(inputs)
    names = [(n, kind) for n, kind in signature(archive) if n not in fixed]
    if inputs:
        found: dict[str, Type] = {}
        free = [n for n, _ in names]
        for text in inputs:
            own, type = _parsed(text)
            if own and own not in free:
                f = archive.method(archive.root.kind, "forward")
                if f is None or own not in [a.arg for a in f.args.args[1:]]:
                    raise UsageError(f"the model has no input '{printable(own)}'; it has {', '.join(free)}")
            name = own or next((n for n in free if n not in found), "")
            if not name:
                raise UsageError(f"{len(inputs)} inputs are described, the model has {len(names)}: "
                                 f"{', '.join(n for n, _ in names)}")
            found[name] = type
        missing = [n for n in free if n not in found]
        if missing:
            raise UsageError(f"the input '{printable(missing[0])}' is not described")
        return found
    return _guessed(archive, names, fixed)


def _parsed(text: str) -> tuple[str, Type]:
    """ "x:float32[batch,3]" as a name and a type."""
    m = re.fullmatch(r"(?:([^:\[\]]+):)?(\w+)(?:\[([^\[\]]*)\])?", text.strip())
    if m is None:
        raise UsageError(f"'{printable(text)}' describes no input", hint="write for example x:float32[batch,3,224,224]")
    shape: list[Dim] = [int(d) if d.isdigit() else d for d in (p.strip() for p in (m[3] or "").split(",")) if d]
    try:
        return m[1] or "", Type(element(m[2]), tuple(shape))
    except TypeError:
        raise UsageError(f"'{printable(m[2])}' is no element type") from None


def _guessed(archive: Archive, names: Sequence[tuple[str, str]], given: dict[str, Any]) -> dict[str, Type]:
    """The first ranks and element types with which the code runs; tensors of all inputs alike first."""
    fixed = {n: Type(element({"int": "int64", "float": "float64", "bool": "bool"}[kind]), ())
             for n, kind in names if kind in ("int", "float", "bool")}
    free = [n for n, _ in names if n not in fixed]
    if not free:
        return {n: fixed[n] for n, _ in names}
    problem: ModelportError | None = None
    kinds: Sequence[DType] = (element("float32"), I64)
    alike = [(t,) * len(free) for t in product(kinds, _RANKS)]
    mixed = list(product(product(kinds, _RANKS[:3]), repeat=len(free))) if 1 < len(free) < 4 else []
    for choice in [*alike, *mixed]:
        made: dict[str, Type] = {}
        for k, (n, (kind, rank)) in enumerate(zip(free, choice, strict=True)):
            own = "" if len(free) == 1 else f"{k}"
            sizes = [f"d{own}{'_' * bool(own)}{a}" for a in range(1, rank)]
            made[n] = Type(kind, ("batch", *sizes) if rank else ())
        made = {n: made.get(n) or fixed[n] for n, _ in names}
        try:
            run(archive, made, given)
            return made
        except UnsupportedModel as e:
            problem = problem or e
            if "no translation" in str(e):
                raise
        except ModelportError as e:
            problem = problem or e
    raise UsageError(f"TorchScript does not say the shapes of its inputs ({', '.join(free)}), and none that was tried "
                     f"runs: {printable(str(problem).splitlines()[0] if problem else '', 200)}",
                     hint="say them: --inputs 'float32[batch,3,224,224]'")


def run(archive: Archive, types: dict[str, Type], fixed: dict[str, Any]) -> Graph:
    """The graph of ``forward``, some of its arguments fixed; raises :class:`UnsupportedModel`."""
    node = Node("torch.TorchScript", (), {}, ())
    op = builder().at(node)
    machine = Machine(op, aten)
    values = {n: Value(t, n) for n, t in types.items()}
    kinds = dict(signature(archive))
    try:
        before = archive.state()
        given: dict[str, Any] = {n: Sym(v) if kinds.get(n) in ("int", "float", "bool") else Box(v)
                                 for n, v in values.items()}
        interpreter = Interpreter(archive, machine)
        made = interpreter.method(archive.root, "forward", [], {**given, **fixed})
        changed = archive.restored(before)
        outputs = dict(_named(op, made))
    except Unsupported as e:
        e.node = e.node or node
        raise UnsupportedModel([e], "ONNX") from None
    except Raised as e:
        raise UnsupportedModel([Unsupported(f"the model refuses such inputs: {printable(e, 100)}", node)], "ONNX") \
            from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as e:
        raise CorruptFile(f"code that makes no sense: {type(e).__name__}: {printable(e, 100)}") from e
    if changed:
        op.note("info", f"{', '.join(changed[:3])} change when the model is called in PyTorch; here every call begins "
                        "with the values of the file")
    used = Graph(values, outputs).uses
    for n in [n for n, v in values.items() if not used[v]]:
        op.note("info", f"the input '{printable(n)}' changes nothing")
    return Graph(values, outputs, "main").noted(*op.notes)


def _named(op: Builder, made: Any, name: str = "") -> Any:
    """The outputs with names: keys of dictionaries, else numbers."""
    if isinstance(made, dict):
        for k, v in made.items():
            yield from _named(op, v, f"{name}_{k}" if name else str(k))
    elif isinstance(made, (list, tuple)):
        for k, v in enumerate(made):
            yield from _named(op, v, f"{name}_{k}" if name else "output" if len(made) == 1 else f"output_{k}")
    elif isinstance(made, Box) or is_number(made):
        value = made.value if isinstance(made, Box) else tensor(op, made)
        yield name or "output", op.Identity(value) if value.node is None else value
    elif made is not None:
        raise Unsupported(f"an output that is a {type(made).__name__}")


