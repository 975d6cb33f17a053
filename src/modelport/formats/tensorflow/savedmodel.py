"""SavedModel folders: the MetaGraph by its tags, the signature, variables, assets and tables.

Variables are bound by two truths that must agree: the restore operator, run by our own reading of it, and the object
graph beside the checkpoint's (models that Python saves and the C++ loader cannot open have only the second).
Source: tensorflow/core/protobuf/saved_model.proto, saved_object_graph.proto, trackable_object_graph.proto."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...codecs.limits import Limits
from ...codecs.messages import parse
from ...errors import CorruptFile, Unsupported, UnsupportedModel, UsageError, printable
from ...ir.graph import Graph, Node, Value
from ...ir.types import Dim, Type
from .attributes import OPAQUE, dtype_of, shape_of
from .bundle import Bundle
from .handles import Result, Variable
from .model import Model
from .scope import Body, Scope
from .tensors import Tensors, message
from .unsafe import TABLES

INIT = "__saved_model_init_op"
TRAIN = "__saved_model_train_op"
_COMPARED = 1 << 20
"""Bytes of a variable up to which its two sources are compared."""


def choose_meta(metas: Sequence[Any], tags: str | None, path: Path) -> Any:
    """The MetaGraph with these tags; by default that of ``serve``, else the only one."""
    have = {",".join(sorted(m.meta_info_def.tags)): m for m in metas}
    if not have:
        raise CorruptFile("a SavedModel without a graph", path=path)
    if tags is None:
        if "serve" in have or len(have) == 1:
            return have.get("serve") or next(iter(have.values()))
    elif (wanted := ",".join(sorted(t.strip() for t in tags.split(",") if t.strip()))) in have:
        return have[wanted]
    listed = "; ".join(printable(k or "(no tags)") for k in have)
    raise UsageError(f"{printable(path)} has no graph with the tags '{printable(tags or 'serve')}'",
                     hint=f"name one with tags: {listed}")


def choose_signature(meta: Any, signature: str | None, path: Path) -> str:
    """The signature asked for, the default one, or the only one."""
    names = [k for k in sorted(meta.signature_def) if k not in (INIT, TRAIN) and len(meta.signature_def[k].outputs)]
    if signature is not None and signature in names:
        return signature
    if signature is None:
        if "serving_default" in names:
            return "serving_default"
        if len(names) == 1:
            return names[0]
    what = "no signatures" if not names else f"no signature '{printable(signature)}'" if signature else \
        "several signatures and no default"
    raise UsageError(f"{printable(path)} has {what}", hint=(
        f"name one with signature: {', '.join(map(printable, names))}" if names else
        "name its tensors with inputs and outputs"))


def read_meta(meta: Any, tensors: Tensors, limits: Limits, path: Path, folder: Path, checkpoint: str,
              signature: str | None, explicit: bool, inputs: Sequence[str], outputs: Sequence[str]) -> Graph:
    """The raw graph of one signature of a MetaGraph, or of the tensors named."""
    bundle = Bundle(folder, checkpoint, limits) if (folder / f"{checkpoint}.index").is_file() else None
    model = Model(meta.graph_def, tensors, limits, folder, bundle)
    prepare(model, meta)
    if inputs or outputs or (signature is None and not any(
            len(s.outputs) for k, s in meta.signature_def.items() if k not in (INIT, TRAIN))):
        from .frozen import read_model
        graph = read_model(model, inputs, outputs, explicit)
    else:
        name = choose_signature(meta, signature, path)
        chosen = meta.signature_def[name]
        ins = {k: (_tensor_name(chosen.inputs[k], k), input_type(k, dtype_of(chosen.inputs[k].dtype),
                                                                 shape_of(chosen.inputs[k].tensor_shape)))
               for k in sorted(chosen.inputs)}
        outs = [(k, _tensor_name(chosen.outputs[k], k)) for k in sorted(chosen.outputs)]
        others = [k for k in sorted(meta.signature_def) if k not in (INIT, TRAIN, name)]
        if others:
            model.note("info", f"read signature '{printable(name)}'; the others: {', '.join(map(printable, others))}")
        graph = model.trace(ins, outs, explicit)
        if others:
            graph = graph.with_(meta={**graph.meta, "tensorflow:signature": name})
    info = meta.meta_info_def
    told = {"tensorflow:version": info.tensorflow_version} if info.tensorflow_version else {}
    return graph.with_(meta={**graph.meta, **told})


def _tensor_name(info: Any, name: str) -> str:
    kind = info.WhichOneof("encoding")
    if kind != "name":
        problem = Unsupported(f"a {'sparse' if kind == 'coo_sparse' else 'composite'} tensor in the interface",
                              Node("signature", [], {}, [], name=name))
        raise UnsupportedModel([problem], "a graph of tensors")
    return str(info.name)


def input_type(name: str, dtype: Any, shape: Any) -> Type:
    """The type of an input, its unknown sizes as symbols."""
    if dtype == OPAQUE:
        problem = Unsupported("an input that is no tensor", Node("input", [], {}, [], name=name))
        raise UnsupportedModel([problem], "a graph of tensors")
    if shape is None:
        return Type(dtype, None)
    dims: tuple[Dim, ...] = tuple(d if d is not None else "batch" if k == 0 else f"{name}_d{k}"
                                  for k, d in enumerate(shape))
    return Type(dtype, dims)


def prepare(model: Model, meta: Any) -> None:
    """Restores the variables and fills the tables, as a runtime does when it loads the model."""
    given: dict[str, list[Result]] = {}
    for asset in meta.asset_file_def:
        name = asset.tensor_info.name.partition(":")[0]
        text = f"asset:{asset.filename}"
        model.assets[text] = asset.filename
        array = np.empty((), object)
        array[()] = text
        given[name] = [model_constant(array)]
    restore = meta.saver_def.restore_op_name
    if restore and model.bundle is not None:
        file = meta.saver_def.filename_tensor_name.partition(":")[0]
        path = np.empty((), object)
        path[()] = "checkpoint"
        model.check([restore], frozenset({"RestoreV2"}), "restoring its variables")
        try:
            model.execute([restore], {**given, file: [model_constant(path)]}, "the value")
        except Unsupported as e:
            raise UnsupportedModel([e], "constants: its variables") from None
    if model.bundle is not None and len(meta.object_graph_def.nodes):
        bind_objects(model, meta)
    roots: list[str] = []
    if INIT in meta.signature_def:
        roots += [t.name for t in meta.signature_def[INIT].outputs.values()]
    for key in ("saved_model_main_op", "main_op", "legacy_init_op"):
        if key in meta.collection_def:
            roots += list(meta.collection_def[key].node_list.value)
    if roots:
        model.check(roots, TABLES, "loading it")
        try:
            model.execute(roots, given, "the initial value")
        except Unsupported as e:
            raise UnsupportedModel([e], "constants: its tables") from None


def model_constant(array: Any) -> Value:
    from ...ir.graph import constant
    return constant(array)


def bind_objects(model: Model, meta: Any) -> None:
    """Gives variables their values by walking the objects that the model and its checkpoint name alike."""
    assert model.bundle is not None
    key = "_CHECKPOINTABLE_OBJECT_GRAPH"
    if key not in model.bundle:
        return
    saved = meta.object_graph_def
    stored: Any = parse(message("TrackableObjectGraph"), model.bundle.bytes_of(key), model.bundle.path)
    keys: dict[int, str] = {}
    todo, done = [(0, 0)], set()
    while todo:
        a, b = todo.pop()
        if (a, b) in done:
            continue
        done.add((a, b))
        if not (0 <= a < len(saved.nodes) and 0 <= b < len(stored.nodes)):
            raise CorruptFile("an object of the model that is not there", path=model.bundle.path)
        for attribute in stored.nodes[b].attributes:
            if attribute.name == "VARIABLE_VALUE":
                keys.setdefault(a, attribute.checkpoint_key)
        children = {c.local_name: c.node_id for c in stored.nodes[b].children}
        todo += [(c.node_id, children[c.local_name]) for c in saved.nodes[a].children if c.local_name in children]
    for node in model.graph.node:
        if node.op not in ("PartitionedCall", "StatefulPartitionedCall"):
            continue
        called = node.attr["f"].func.name
        if called not in saved.concrete_functions:
            continue
        bound = saved.concrete_functions[called].bound_inputs
        data = [i for i in node.input if not i.startswith("^")]
        for ref, k in zip(data[len(data) - len(bound):], bound, strict=False):
            _bind(model, ref, keys.get(k))


def _bind(model: Model, ref: str, key: str | None) -> None:
    node = model.names.nodes.get(ref.partition(":")[0])
    if node is None or key is None or node.op != "VarHandleOp" or model.bundle is None or key not in model.bundle:
        return
    variable = Scope(model, model.names, Body()).get(node.name)
    assert isinstance(variable, Variable)
    tensor = model.bundle.tensor(key)
    if tensor.type.dtype != variable.type.dtype:
        raise CorruptFile(f"the variable '{variable.name}' of {variable.type.dtype} is stored as {tensor.type}")
    if variable.value is None:
        variable.value = Value(tensor.type, variable.name, data=tensor)
    elif variable.value.data is not tensor and variable.value.data is not None and (
            variable.value.type != tensor.type or (tensor.nbytes <= _COMPARED and not np.array_equal(
                variable.value.numpy(), tensor.numpy(), equal_nan=tensor.type.dtype.kind == "f"))):
        raise CorruptFile(f"the variable '{variable.name}' has two different values: its restore operator and its "
                          "object disagree")

