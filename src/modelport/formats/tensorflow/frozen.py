"""Graphs without a signature: their inputs and outputs are found, or named by the user."""
from __future__ import annotations

import contextlib
from collections.abc import Sequence

from ...errors import UsageError, printable
from ...ir.graph import Graph, Node, Value
from ...ir.types import Type
from .attributes import OPAQUE, dtype_of, shape_of
from .model import Model
from .ops import counts, definition
from .savedmodel import input_type
from .scope import Body, Scope
from .unsafe import ASSIGNS

_PLACEHOLDERS = frozenset({"Placeholder", "PlaceholderV2"})
_NO_OUTPUTS = frozenset({
    "NoOp", "Assert", "Const", "Placeholder", "PlaceholderWithDefault", "VarHandleOp", "VariableV2", "Variable",
    "VarIsInitializedOp", "IsVariableInitialized", "Print", "PrintV2", "SaveV2", "RestoreV2", "MergeV2Checkpoints",
    "NextIteration", "RefNextIteration", "Switch", "RefSwitch", "Merge", "RefMerge", "Enter", "RefEnter", "LoopCond",
    "ControlTrigger", "TensorArrayCloseV3", "ReadVariableOp", "DestroyResourceOp", "MergeSummary", "ScalarSummary",
    "HistogramSummary", "ImageSummary"}) | ASSIGNS
_FIRST = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", "LSTMBlockCell", "GRUBlockCell",
                    "BlockLSTM", "BlockLSTMV2", "CudnnRNN", "CudnnRNNV2", "CudnnRNNV3"})
"""Operators of whose outputs only the first (of an LSTMBlockCell the last) is a result, the rest is for training."""


def read_model(model: Model, inputs: Sequence[str], outputs: Sequence[str], explicit: bool) -> Graph:
    """The raw graph from the inputs to the outputs named, or found."""
    for name in (*inputs, *outputs):
        if name.partition(":")[0] not in model.names.nodes:
            raise UsageError(f"the graph has no node '{printable(name)}'", hint=_some(model))
    found = list(outputs) or _find_outputs(model)
    if not found:
        raise UsageError("no outputs are found in the graph", hint="name them with outputs")
    given = list(inputs) or _decoded(model, _find_inputs(model, found))
    graph = model.trace({_label(i): (i, _type(model, i)) for i in given}, [(_label(o), o) for o in found], explicit)
    _rank(graph)
    return graph


_RANKS = {"Conv2D": 4, "DepthwiseConv2dNative": 4, "MaxPool": 4, "AvgPool": 4, "Conv3D": 5, "MatMul": 2}


def _shape(node: Node, rank: int) -> tuple[int | None, ...]:
    """A shape of that rank; as many channels as the weight of a convolution that has them last wants."""
    w = node.inputs[1] if len(node.inputs) > 1 else None
    channels = w.shape[-2] if w is not None and w.data is not None and w.shape is not None and len(w.shape) > 1 and \
        node.attrs.get("data_format", "NHWC").endswith("C") and not node.attrs.get("transpose_b") else None
    return (*(None,) * (rank - 1), channels if isinstance(channels, int) else None)


def _rank(graph: Graph) -> None:
    """Gives inputs whose rank the file does not state the rank that the first operator of a fixed one tells."""
    for name, v in graph.inputs.items():
        at: Value | None = v if v.shape is None else None
        more = 0
        for _ in range(8):
            if at is None:
                break
            users = [n for n in graph.nodes if n.inputs and n.inputs[0] is at]
            found = next((n for n in users if n.op in _RANKS), None)
            if found is not None and _RANKS[found.op] > more:
                v.type = input_type(name, v.dtype, _shape(found, _RANKS[found.op] - more))
                break
            step = next((n for n in users if n.op in ("ExpandDims", "Relu", "Mul", "Sub")), None)
            more += int(step is not None and step.op == "ExpandDims")
            at = None if step is None else step.outputs[0]


def _label(name: str) -> str:
    return name.removesuffix(":0")


def _some(model: Model) -> str:
    names = [n.name for n in model.graph.node if n.op in _PLACEHOLDERS][:5]
    return f"its placeholders: {', '.join(map(printable, names))}" if names else ""


def _type(model: Model, name: str) -> Type:
    """What a graph says of the type of a tensor that is to be an input."""
    base, _, port = name.partition(":")
    node = model.names.nodes[base]
    k = int(port) if port.isdigit() else 0
    shape = None
    if node.op in ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault") and "shape" in node.attr:
        shape = shape_of(node.attr["shape"].shape)
        if shape == () and model.graph.versions.producer < 24:
            shape = None  # older graphs wrote no shape as an empty one (graph.proto, version 24)
    if shape is None and "_output_shapes" in node.attr and k < len(node.attr["_output_shapes"].list.shape):
        shape = shape_of(node.attr["_output_shapes"].list.shape[k])
    if node.op in ("Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "Const"):
        dtype = dtype_of(node.attr["dtype"].type)
        if node.op == "Const":
            shape = model.tensors.tensor(node.attr["value"].tensor, name).type.shape
    else:
        numbers = [] if definition(node.op) is None else Scope(model, model.names, Body()).output_types(node)
        dtype = dtype_of(numbers[k]) if k < len(numbers) else OPAQUE
        if node.op == "DecodeWav":
            sizes = [int(node.attr[a].i) if a in node.attr else -1 for a in ("desired_samples", "desired_channels")]
            shape = tuple(d if d > 0 else None for d in sizes) if k == 0 else ()
    return input_type(_label(name), dtype, shape)


def _find_outputs(model: Model) -> list[str]:
    """What nothing reads, and which depends on an input if anything does."""
    read: set[str] = set()
    for name in model.names.nodes:
        read.update(i.partition(":")[0] for i in model.names.edges(name)[0])
    fed = _fed(model)
    leaves = [n for n, node in model.names.nodes.items() if n not in read and node.op not in _NO_OUTPUTS
              and "Apply" not in node.op and not n.startswith(("gradients/", "save/", "report_uninitialized"))
              and "grad" not in n.rpartition("/")[2]]
    leaves = [n for n in leaves if n in fed] or leaves
    leaves = [n for n in leaves if not model.names.control.conditions(n)]
    if not leaves:  # variables that are updated, or constants
        leaves = [n for n, node in model.names.nodes.items() if n not in read and (
            node.op in ASSIGNS or node.op == "Const") and not model.names.control.conditions(n)]
    out: list[str] = []
    for n in leaves:
        node = model.names.nodes[n]
        d = definition(node.op)
        many = 1
        if d is not None and node.op not in _FIRST:
            with contextlib.suppress(KeyError):  # attributes that do not say it: following the graph will
                many = sum(counts(d.outputs, Scope(model, model.names, Body()).attributes(node).numbers()))
            many = model.limits.check("tensors", many)
        elif node.op == "LSTMBlockCell":
            out.append(f"{n}:6")
            continue
        out += [n if k == 0 else f"{n}:{k}" for k in range(many)]
    return out


def _fed(model: Model) -> set[str]:
    """The nodes that depend on a placeholder."""
    users: dict[str, list[str]] = {}
    for name in model.names.nodes:
        for i in model.names.edges(name)[0]:
            users.setdefault(i.partition(":")[0], []).append(name)
    todo = [n for n, node in model.names.nodes.items() if node.op in _PLACEHOLDERS]
    done: set[str] = set()
    while todo:
        name = todo.pop()
        if name not in done:
            done.add(name)
            todo += users.get(name, [])
    return done


_DECODERS = frozenset({"DecodeWav"})


def _decoded(model: Model, inputs: list[str]) -> list[str]:
    """In place of a file as text, which ONNX cannot take apart, what its decoder makes of it."""
    out: list[str] = []
    for name in inputs:
        users = [n for n, node in model.names.nodes.items()
                 if name in {i.partition(":")[0] for i in model.names.edges(n)[0]}]
        if users and all(model.names.nodes[u].op in _DECODERS for u in users):
            for u in users:
                out += [u, f"{u}:1"]
                model.note("changed", f"the inputs are the samples and the rate that {model.names.nodes[u].op} makes "
                                      f"of the file '{name}'", u)
        else:
            out.append(name)
    return out


def _find_inputs(model: Model, outputs: Sequence[str]) -> list[str]:
    """The placeholders that the outputs need."""
    todo = [o.partition(":")[0] for o in outputs]
    done: set[str] = set()
    while todo:
        name = todo.pop()
        if name in done or name not in model.names.nodes:
            continue
        done.add(name)
        todo += [i.partition(":")[0] for i in model.names.edges(name)[0]]
    return [n for n, node in model.names.nodes.items() if n in done and node.op in _PLACEHOLDERS
            and dtype_of(node.attr["dtype"].type) != OPAQUE]
