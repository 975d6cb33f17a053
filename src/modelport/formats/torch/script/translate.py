"""From a TorchScript archive to a hub graph."""
from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ....errors import CorruptFile, Unsupported, UnsupportedModel, printable
from ....hub.infer import builder
from ....ir.graph import Graph, Node, Value
from ....ir.rules import Builder
from ....ir.types import Type
from .. import inputs
from ..machine import Box, Machine
from ..states import State, begins_anew, following
from ..storage import Records
from ..to_onnx import aten
from ..values import Sym
from .archive import Archive
from .interpreter import Interpreter
from .signals import Raised


def opened(records: Records) -> Archive:
    """The archive, its objects as they are once it was loaded."""
    archive = Archive(records)
    node = Node("torch.TorchScript", (), {}, ())
    try:
        Interpreter(archive, Machine(builder().at(node), aten)).restore()
    except Unsupported as e:
        e.node = e.node or node
        raise UnsupportedModel([e], "ONNX") from None
    except Raised as e:
        raise CorruptFile(f"objects that their class refuses: {printable(e, 100)}", path=records.path) from None
    return archive


def signature(archive: Archive) -> list[tuple[str, str]]:
    """The names of the inputs of ``forward``, and their types as the code says them ("Tensor", "int")."""
    import ast
    f = archive.method(archive.root.kind, "forward")
    if f is None:
        raise UnsupportedModel([Unsupported("a module without a method 'forward'")], "ONNX")
    needed = len(f.args.args) - len(f.args.defaults)
    return [(a.arg, ast.unparse(a.annotation) if a.annotation is not None else "Tensor")
            for k, a in enumerate(f.args.args[1:], 1) if k < needed]


def described(archive: Archive, given: Sequence[str]) -> dict[str, Type]:
    """The types of the inputs: as said ("float32[batch,3]", "x:int64[1,seq]"), else those that it was
    traced with, of any number of rows, else the first guess that runs."""
    given, fixed = inputs.numbers(given)
    names = [(n, kind) for n, kind in signature(archive) if n not in fixed]
    if given:
        f = archive.method(archive.root.kind, "forward")
        return inputs.said(given, [n for n, _ in names], [a.arg for a in f.args.args[1:]] if f is not None else ())
    choices = [*_examples(archive, names), *inputs.guesses(names)]
    return inputs.first(choices, lambda types: run(archive, types, fixed), "TorchScript")


def _examples(archive: Archive, names: Sequence[tuple[str, str]]) -> Iterator[dict[str, Type]]:
    """The types that a module was traced with (torch 2.9 and newer say them), first with a free number of rows."""
    if len(archive.examples) != len(names) or not names:
        return
    sizes = {t.shape[0] for t in archive.examples if t.shape}
    if len(sizes) == 1 and all(t.shape for t in archive.examples):
        yield {n: t.with_shape(("batch", *(t.shape or ())[1:])) for (n, _), t in
               zip(names, archive.examples, strict=True)}
    yield {n: t for (n, _), t in zip(names, archive.examples, strict=True)}


def run(archive: Archive, types: dict[str, Type], fixed: dict[str, Any], explicit: bool = False) -> Graph:
    """The graph of ``forward``, some of its arguments fixed; raises :class:`UnsupportedModel`.

    ``explicit``: attributes that a call sets are inputs, ``state:NAME``, and outputs, ``state:NAME:next``."""
    node = Node("torch.TorchScript", (), {}, ())
    op = builder().at(node)
    values = {n: Value(t, n) for n, t in types.items()}
    kinds = dict(signature(archive))
    given: dict[str, Any] = {n: Sym(v) if kinds.get(n) in ("int", "float", "bool") else Box(v)
                             for n, v in values.items()}
    holders = [(name, o.attributes) for name, o in archive.objects()]
    state = State(holders, archive.constants)
    try:
        outputs, changed = _called(archive, op, {**given, **fixed}, state)
        if explicit and changed:
            states = state.explicit(changed)
            outputs, after = _called(archive, op, {**given, **fixed}, state)
            outputs, values = following(op, outputs, states, after, values)
    except Unsupported as e:
        e.node = e.node or node
        raise UnsupportedModel([e], "ONNX") from None
    except Raised as e:
        raise UnsupportedModel([Unsupported(f"the model refuses such inputs: {printable(e, 100)}", node)], "ONNX") \
            from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as e:
        raise CorruptFile(f"code that makes no sense: {type(e).__name__}: {printable(e, 100)}") from e
    finally:
        state.original()
    if changed and not explicit:
        op.note("info", begins_anew(changed))
    used = Graph(values, outputs).uses
    for n in [n for n, v in values.items() if not used[v]]:
        op.note("info", f"the input '{printable(n)}' changes nothing")
    return Graph(values, outputs, "main").noted(*op.notes)


def _called(archive: Archive, op: Builder, given: dict[str, Any],
            state: State) -> tuple[dict[str, Value], dict[str, Any]]:
    """The outputs of ``forward``, and the attributes that it changed, with their values after it."""
    made = Interpreter(archive, Machine(op, aten)).method(archive.root, "forward", [], given)
    return dict(inputs.outputs(op, made)), state.changed()
