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
from ..storage import Records
from ..to_onnx import aten
from ..values import Sym
from .archive import Archive, Obj
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
    before = archive.state()
    try:
        made, changed = _called(archive, op, {**given, **fixed}, before)
        outputs = dict(inputs.outputs(op, made))
        if explicit and changed:
            outputs, values = _stateful(archive, op, {**given, **fixed}, before, changed, values)
    except Unsupported as e:
        e.node = e.node or node
        raise UnsupportedModel([e], "ONNX") from None
    except Raised as e:
        raise UnsupportedModel([Unsupported(f"the model refuses such inputs: {printable(e, 100)}", node)], "ONNX") \
            from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, RecursionError) as e:
        raise CorruptFile(f"code that makes no sense: {type(e).__name__}: {printable(e, 100)}") from e
    finally:
        archive.restored(before)
    if changed and not explicit:
        op.note("info", f"{', '.join(list(changed)[:3])} change when the model is called in PyTorch; here every call "
                        "begins with the values of the file (--state explicit makes them inputs and outputs)")
    used = Graph(values, outputs).uses
    for n in [n for n, v in values.items() if not used[v]]:
        op.note("info", f"the input '{printable(n)}' changes nothing")
    return Graph(values, outputs, "main").noted(*op.notes)


Changes = dict[str, tuple[Obj, str, Any]]


def _called(archive: Archive, op: Builder, given: dict[str, Any], before: Any) -> tuple[Any, Changes]:
    """What ``forward`` returns, and the attributes that it sets."""
    made = Interpreter(archive, Machine(op, aten)).method(archive.root, "forward", [], given)
    return made, archive.restored(before)


def _stateful(archive: Archive, op: Builder, given: dict[str, Any], before: Any, changed: Changes,
              values: dict[str, Value]) -> tuple[dict[str, Value], dict[str, Value]]:
    """Outputs and inputs of a call that comes after another one, whose tensors are inputs and whose numbers are what
    that one set."""
    states: dict[str, Value] = {}
    for name, (o, key, value) in changed.items():
        if isinstance(value, Box):
            states[f"state:{name}"] = Value(Type(value.value.dtype, value.value.shape), f"state:{name}")
            o.attributes[key] = Box(states[f"state:{name}"])
        elif isinstance(value, (bool, int, float, str)) or value is None:
            o.attributes[key] = value
        else:
            raise Unsupported(f"the attribute '{printable(name)}', a {type(value).__name__}, changes from call to call")
    made, after = _called(archive, op, given, before)
    outputs = dict(inputs.outputs(op, made))
    for name, v in states.items():
        last = after[name.removeprefix("state:")][2] if name.removeprefix("state:") in after else Box(v)
        if not isinstance(last, Box) or (last.value.dtype, last.value.shape) != (v.dtype, v.shape):
            raise Unsupported(f"the attribute '{printable(name)}' changes its type or shape from call to call")
        outputs[f"{name}:next"] = op.Identity(last.value)
    op.note("changed", f"{', '.join(states)} are inputs, and outputs with ':next'; begin with what the file holds, or "
                       "with zeros where that is empty")
    return outputs, {**values, **states}
