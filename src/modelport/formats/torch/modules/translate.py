"""From a tree of modules to a hub graph."""
from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Any

import numpy as np

from ....codecs.pickle import Record
from ....errors import CorruptFile, ModelportError, Unsupported, UnsupportedModel, UsageError, printable
from ....hub.infer import builder
from ....ir.graph import Graph, Node, Value
from ....ir.types import Dim, Type
from ....notes import Note
from .. import inputs as described
from ..machine import Box, Machine
from ..packed import Packed
from ..states import State, begins_anew, following
from ..to_onnx import aten
from ..values import F32, I64
from . import attention, layers, quantized, recurrent, vision
from .run import Run, forward
from .source import definition
from .tree import Module, Tree, is_module

__all__ = ["attention", "chosen", "graph", "layers", "quantized", "recurrent", "vision"]

WAYS = ("save it with torch.export.save or torch.jit.save, or name the file with its class: --module net.py:Net "
        "(runs that file)")
_SIDES = (224, 32, 28, 64, 96, 128, 299, 227, 256, 384, 16, 48, 160, 8, 12, 20, 24, 36, 40, 80, 84, 100, 112, 144, 192,
          240, 288, 300, 320, 416, 448, 512)
"""Sizes of images that are tried where the model takes no other."""


def chosen(root: Any) -> Record | None:
    """The module of what a file holds: it itself, or the only one of a dictionary."""
    if is_module(root):
        found: Record = root
        return found
    if isinstance(root, dict):
        several = {str(k): v for k, v in root.items() if is_module(v)}
        if len(several) > 1 and "model" in several:  # checkpoints with averaged weights beside the model
            return several["model"]
        if len(several) > 1:
            raise UsageError(f"the file holds several modules: {', '.join(map(printable, several))}; save the one to "
                             "convert by itself")
        return next(iter(several.values()), None)
    return None


def graph(root: Record, sources: dict[str, str], inputs: Sequence[str] = (), explicit: bool = False) -> Graph:
    """A raw graph of one node, which holds the hub graph that the types of its inputs make; ``explicit`` where what
    changes from call to call is to be inputs and outputs."""
    def tree() -> Module:  # made anew for each run, which may set attributes
        return Tree(sources).module(root)
    return called(tree, lambda run, m, *xs, **named: run(m, *xs, **named), inputs, signature, likely,
                  explicit=explicit)


def called(tree: Callable[[], Any], call: Callable[..., Any], inputs: Sequence[str],
           signature: Callable[[Any], list[str]], likely: Callable[[Any], Iterator[list[Type]]],
           certain: bool = False, explicit: bool = False) -> Graph:
    """The graph of ``call(run, tree(), *inputs)``; ``likely`` gives types to try where nothing is said, of which the
    first is the only one if it is ``certain``."""
    given, fixed = described.numbers(inputs)
    root = tree()
    names = [n for n in signature(root) if n not in fixed]

    def run(types: dict[str, Type]) -> Graph:
        return _run(tree(), call, types, fixed)
    if given:
        types = described.said(given, names, names)
    elif certain:
        types = dict(zip(names, next(likely(root)), strict=True))
    else:
        own = [dict(zip(names, choice, strict=True)) for choice in likely(root) if len(choice) == len(names)]
        free = described.guesses([(n, "Tensor") for n in names])
        choices = chain((c for c in own if _any_size(c, run)), _of_some_size(free, run))
        types = described.first(choices, run, "a pickled module")
    hub = _run(tree(), call, types, fixed, explicit)
    if not given and not certain:
        shapes = ", ".join(f"{n} {t}" for n, t in types.items())
        hub = hub.noted(Note("info", f"the file does not say the shapes of inputs; taken are {shapes} (--inputs says "
                             "others)"))
    return described.held("torch.Module", hub)


def _any_size(types: dict[str, Type], run: Callable[[dict[str, Type]], Graph]) -> bool:
    """Whether images of any size will do, if such are among the inputs: of two sizes, that is."""
    if not any("height" in (t.shape or ()) for t in types.values()):
        return True
    try:
        for side in (224, 320):
            run({n: t.with_shape(tuple({"height": side, "width": side + 32}.get(str(d), d) for d in t.shape or ()))
                 for n, t in types.items()})
    except ModelportError:
        return False
    return True


def _of_some_size(choices: Iterator[dict[str, Type]], run: Callable[[dict[str, Type]], Graph]
                  ) -> Iterator[dict[str, Type]]:
    """Those that hold for some sizes, too, which with names for them is no more than not refused."""
    for choice in choices:
        try:
            found = described.narrowed(choice, run(choice), run)
        except UnsupportedModel as e:
            if described.hopeless(e):
                raise
            continue
        except ModelportError:
            continue
        for side in (64, 48):
            sizes = {n: t.with_shape(tuple(d if isinstance(d, int) else 2 if k == 0 else side for k, d in enumerate(
                t.shape or ()))) for n, t in found.items()}
            try:
                run(sizes)
            except ModelportError:
                continue
            yield found
            break


def _run(m: Any, call: Callable[..., Any], types: dict[str, Type], fixed: dict[str, Any],
         explicit: bool = False) -> Graph:
    node = m.node if isinstance(m, Module) else Node("torch.Module", (), {}, ())
    op = builder().at(node)
    run = Run(Machine(op, aten))
    values = {n: Value(t, n) for n, t in types.items()}
    parts = list(m.walk()) if isinstance(m, Module) else []
    state = State([(part.path, held) for part in parts for held in (part.tensors, part.attributes)])

    def once() -> tuple[dict[str, Value], dict[str, Any]]:
        made = dict(described.outputs(op, call(run, m, *(Box(v) for v in types_given), **fixed)))
        return made, state.changed()
    types_given = list(values.values())
    try:
        outputs, changed = once()
        if not outputs:
            raise Unsupported("a model without outputs")
        if explicit and changed:
            states = state.explicit(changed)
            outputs, after = once()
            outputs, values = following(op, outputs, states, after, values)
    except Unsupported as e:
        e.node = e.node or node
        missing = "is not in the file" in e.reason
        raise UnsupportedModel([e], "ONNX", hint=WAYS if missing else "") from None
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError, AssertionError, RecursionError) as e:
        raise CorruptFile(f"a module that makes no sense: {type(e).__name__}: {printable(e, 100)}") from e
    if changed and not explicit:
        op.note("info", begins_anew(changed))
    if run.training:
        op.note("info", "the module was saved in training mode; it is converted as eval() would set it")
    return Graph(values, outputs, "main").noted(*op.notes)


def signature(m: Module) -> list[str]:
    """The names of the inputs of ``forward`` that have no default."""
    rule = forward.get(m.kind) or forward.get(m.cls)
    if rule is None and m.source:
        methods, _ = definition(m)
        f = methods.get("forward")
        if f is not None:
            return [a.arg for a in f.args.args[1:len(f.args.args) - len(f.args.defaults)]]
        return ["input"]
    if rule is None:
        raise UnsupportedModel([Unsupported(f"the code of {printable(m.cls, 120)} is not in the file", m.node)], "ONNX",
                               hint=WAYS)
    found = list(inspect.signature(rule).parameters.values())[2:]
    return ["input" if p.name == "x" else p.name for p in found
            if p.default is p.empty and p.kind == p.POSITIONAL_OR_KEYWORD]


def likely(m: Module) -> Iterator[list[Type]]:
    """Types of the only input that the first layer with weights asks for."""
    first = m.get("_packed_weight_0")
    if isinstance(first, Packed) and first.stride and not first.transposed:  # of torch.fx, quantized
        sizes = list(first.weight.shape or ())
        free = ("height", "width") if len(sizes) == 4 else tuple(f"d{k}" for k in range(2, len(sizes)))
        yield [Type(F32, ("batch", sizes[1] * first.groups, *free))]
    for part in m.walk():
        last = part.kind.rpartition(".")[2]
        weight = part.tensors.get("weight")
        shape = weight.value.shape if isinstance(weight, Box) else None
        if weight is None and part.kind.startswith("torch.nn.quantized.") and part.get("in_features"):
            shape = (part.out_features, part.in_features)
        if last.startswith("Conv") and shape is not None and last[-2:] in ("1d", "2d", "3d"):
            channels: Dim = int(part.get("in_channels", shape[1]))
            count = int(last[-2])
            names = ("length",) if count == 1 else ("height", "width") if count == 2 else ("depth", "height", "width")
            yield [Type(F32, ("batch", channels, *names))]
            for side in _SIDES:
                yield [Type(F32, ("batch", channels, *[side] * count))]
            return
        if last in ("Linear", "LinearReLU", "NonDynamicallyQuantizableLinear", "_LinearWithBias") and shape is not None:
            yield [Type(F32, ("batch", shape[1]))]
            yield [Type(F32, ("batch", "sequence", shape[1]))]
            return
        if last in ("Embedding", "EmbeddingBag"):
            yield [Type(I64, ("batch", "sequence"))]
            return
        if last in ("LSTM", "GRU", "RNN"):
            axes: tuple[Dim, ...] = ("batch", "sequence") if part.get("batch_first") else ("sequence", "batch")
            yield [Type(F32, (*axes, int(part.input_size)))]
            return
        if last == "MultiheadAttention":
            axes = ("batch", "sequence") if part.get("batch_first") else ("sequence", "batch")
            width = int(part.embed_dim)
            own, other = Type(F32, (*axes, width)), Type(F32, (
                *(f"memory_{a}" if a == "sequence" else a for a in axes), width))
            yield from ([own], [own, other], [own, other, other])
            return
        if last.startswith(("BatchNorm", "InstanceNorm")) and part.get("num_features"):
            count = int(last[-2]) if last[-2:-1].isdigit() else 2
            for extra in ((0, 1) if count == 1 else (count,)):
                yield [Type(F32, ("batch", int(part.num_features), *[f"d{k}" for k in range(2, 2 + extra)]))]
            return
        if last == "LayerNorm":
            yield [Type(np.dtype(np.float32), ("batch", "sequence", *(int(n) for n in part.normalized_shape)))]
            yield [Type(np.dtype(np.float32), ("batch", *(int(n) for n in part.normalized_shape)))]
            return
