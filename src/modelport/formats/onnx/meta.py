"""What an .onnx file says about itself beside its graph, as text under ``onnx:`` keys of ``Graph.meta``.

======================================  ==========================================================
``onnx:opset:ai.onnx``                  imported version of an operator set, one key a domain
``onnx:ir_version``                     version of the file format
``onnx:producer_name`` and others       the fields of ModelProto of that name
``onnx:graph:doc_string``               of the graph
``onnx:metadata:KEY``                   metadata_props of the model
``onnx:graph:metadata:KEY``             metadata_props of the graph
``onnx:value:NAME:doc_string``          of a graph input or output; ``denotation`` likewise (of the type), and
                                        ``denotation:K`` of its dimension K
``onnx:node:NAME:doc_string``           of a node; ``metadata:KEY`` likewise
======================================  ==========================================================
"""
from __future__ import annotations

from collections.abc import Mapping

import onnx

OPSET = "onnx:opset:"
FIELDS = ("producer_name", "producer_version", "domain", "model_version", "doc_string")
FOREIGN = ("tflite:",)
"""Beginnings of the keys that other formats have; an .onnx keeps them in its metadata_props."""
COLUMN = "onnx:metadata:modelport.column"
"""The output that is a column (rows, 1) in this file, and a list (rows) in what it was made from."""
_SAME = {"": "ai.onnx"}


def imports(meta: Mapping[str, str]) -> dict[str, int]:
    """The operator sets that a raw graph imports: domain (the default one is ``""``) -> version."""
    found = {k.removeprefix(OPSET): int(v) for k, v in meta.items() if k.startswith(OPSET)}
    return {"" if d == "ai.onnx" else d: v for d, v in found.items()}


def with_imports(meta: Mapping[str, str], versions: Mapping[str, int]) -> dict[str, str]:
    """``meta`` with these imports in place of its own."""
    out = {k: v for k, v in meta.items() if not k.startswith(OPSET)}
    out.update({OPSET + _SAME.get(d, d): str(v) for d, v in sorted(versions.items())})
    return out


def read(model: onnx.ModelProto) -> dict[str, str]:
    """All but the imports."""
    out = {"onnx:ir_version": str(model.ir_version)}
    out.update({f"onnx:{k}": str(getattr(model, k)) for k in FIELDS if getattr(model, k)})
    out.update({p.key if p.key.startswith(FOREIGN) else f"onnx:metadata:{p.key}": p.value
                for p in model.metadata_props})
    g = model.graph
    if g.doc_string:
        out["onnx:graph:doc_string"] = g.doc_string
    out.update({f"onnx:graph:metadata:{p.key}": p.value for p in g.metadata_props})
    for v in (*g.input, *g.output):
        key = f"onnx:value:{v.name}:"
        if v.doc_string:
            out[key + "doc_string"] = v.doc_string
        if v.type.denotation:
            out[key + "denotation"] = v.type.denotation
        if v.type.HasField("tensor_type"):
            out.update({f"{key}denotation:{k}": d.denotation
                        for k, d in enumerate(v.type.tensor_type.shape.dim) if d.denotation})
    return out


def read_node(node: onnx.NodeProto, out: dict[str, str]) -> None:
    """Adds what a node with a name says about itself."""
    if node.name and (node.doc_string or node.metadata_props):
        if node.doc_string:
            out[f"onnx:node:{node.name}:doc_string"] = node.doc_string
        out.update({f"onnx:node:{node.name}:metadata:{p.key}": p.value for p in node.metadata_props})


def write(meta: Mapping[str, str], model: onnx.ModelProto, graph: onnx.GraphProto) -> None:
    """Fills in what :func:`read` found, for what is still there."""
    for k in FIELDS[2:]:  # the producer is whoever writes
        if value := meta.get(f"onnx:{k}"):
            setattr(model, k, int(value) if k == "model_version" else value)
    for prefix, props in (("onnx:metadata:", model.metadata_props), ("onnx:graph:metadata:", graph.metadata_props)):
        for key in sorted(k for k in meta if k.startswith(prefix)):
            props.add(key=key.removeprefix(prefix), value=meta[key])
    for key in sorted(k for k in meta if k.startswith(FOREIGN) and not k.endswith("_runtime_version")):
        model.metadata_props.add(key=key, value=meta[key])
    graph.doc_string = meta.get("onnx:graph:doc_string", "")
    for v in (*graph.input, *graph.output):
        key = f"onnx:value:{v.name}:"
        v.doc_string = meta.get(key + "doc_string", "")
        if denotation := meta.get(key + "denotation"):
            v.type.denotation = denotation
        for axis, d in enumerate(v.type.tensor_type.shape.dim):
            if denotation := meta.get(f"{key}denotation:{axis}"):
                d.denotation = denotation
    nodes = {n.name: n for n in graph.node if n.name}
    for key in sorted(k for k in meta if k.startswith("onnx:node:")):
        for mark in (":doc_string", ":metadata:"):
            name, found, prop = key.removeprefix("onnx:node:").rpartition(mark)
            if found and name in nodes:
                if prop:
                    nodes[name].metadata_props.add(key=prop, value=meta[key])
                else:
                    nodes[name].doc_string = meta[key]
                break
