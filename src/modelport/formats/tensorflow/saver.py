"""Writes SavedModels that ``tf.saved_model.load``, the loader of TensorFlow Serving and TFLiteConverter take.

Small models have their weights as constants of the graph.  Else they are variables in a tensor bundle: the graph calls
a function with their handles, restores them as the first loader wants it, and an object graph says the same to the
second.  Source: tensorflow/core/protobuf: saved_model.proto, meta_graph.proto, saved_object_graph.proto, saver.proto,
trackable_object_graph.proto."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...ir.graph import Graph, Value
from ...ir.tensor import Tensor
from ...ir.types import STRING, Type, is_float
from . import bundle_writer
from .graphdef import Encoder, Item, Names, Parts, graph_def, number_of, put_shape, serialized
from .hoist import WORTH, hoisted
from .ops import RESOURCE
from .tensors import message

LARGE = 4 << 20
"""Bytes of weights from which they are variables."""
SIGNATURE = "serving_default"
_METHOD = "tensorflow/serving/predict"
TRAINABLE = "tensorflow:trainable"
_LAYERS = {"Conv2D": (1,), "Conv3D": (1,), "DepthwiseConv2dNative": (1,), "Conv2DBackpropInput": (1,),
           "Conv3DBackpropInputV2": (1,), "MatMul": (0, 1), "BatchMatMulV2": (0, 1), "BiasAdd": (1,), "AddV2": (0, 1),
           "Mul": (0, 1), "GatherV2": (0,)}
"""Operators and the inputs that hold what is learned."""


def write(raw: Graph, path: Path) -> None:
    """The SavedModel in the folder ``path``."""
    path.mkdir()
    raw, trainable = hoisted(raw), raw.meta.get(TRAINABLE) == "1"
    weights = _learned(raw) if trainable else _large(raw)
    saved = message("SavedModel")(saved_model_schema_version=1)
    meta = message("MetaGraphDef")()
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.tensorflow_version = "2.10.0"
    meta.meta_info_def.stripped_default_attrs = True
    graph = _with_variables(raw, path, meta, weights, trainable) if weights else _with_constants(raw, meta)
    whole = Parts([serialized(saved)])
    inner = Parts([serialized(meta)])
    inner.field(2, graph)
    whole.field(2, inner)
    with open(path / "saved_model.pb", "wb") as file:
        whole.write(file)


def _large(raw: Graph) -> list[Value]:
    """The weights, if they are many bytes."""
    found = [v for v in raw.uses if v.data is not None and v.dtype != STRING and v.data.nbytes >= WORTH]
    return found if sum(v.data.nbytes for v in found if v.data is not None) >= LARGE else []


def _learned(raw: Graph) -> list[Value]:
    """The constants that layers learn, in the order of the layers."""
    found: dict[Value, None] = {}
    for node in raw.nodes:
        for v in node.inputs if node.bodies else ():  # what is handed in of a loop's weights
            if v is not None and v.data is not None and is_float(v.dtype) and v.data.nbytes >= WORTH:
                found[v] = None
        for k in _LAYERS.get(node.op, ()):
            v = node.inputs[k] if k < len(node.inputs) else None
            if v is not None and v.data is not None and is_float(v.dtype) and (v.type.size or 0) > 1:
                found[v] = None
    return list(found)


def _say(meta: Any, ins: Mapping[str, tuple[str, Type]], outs: Mapping[str, tuple[str, Type]]) -> None:
    """The signature."""
    signature = meta.signature_def[SIGNATURE]
    signature.method_name = _METHOD
    for table, said in ((signature.inputs, ins), (signature.outputs, outs)):
        for key, (tensor, type) in said.items():
            table[key].name, table[key].dtype = tensor, number_of(type.dtype)
            put_shape(table[key].tensor_shape, type.shape)


def _with_constants(raw: Graph, meta: Any) -> Parts:
    encoder = Encoder()
    items, ins, outs = encoder.graph(raw)
    _say(meta, {k: (f"{ins[k]}:0", v.type) for k, v in raw.inputs.items()},
         {k: (f"{outs[k]}:0", v.type) for k, v in raw.outputs.items()})
    return graph_def(items, encoder.library)


def _with_variables(raw: Graph, path: Path, meta: Any, weights: Sequence[Value], trainable: bool) -> Parts:
    """Inputs and outputs of the function in the order of their names, in which TensorFlow flattens a dictionary."""
    raw = raw.with_(inputs=dict(sorted(raw.inputs.items())), outputs=dict(sorted(raw.outputs.items())))
    encoder, names = Encoder(), Names()
    labels = [names.new(v.name or "weight") for v in weights]
    keys = [f"variables/{k}/.ATTRIBUTES/VARIABLE_VALUE" for k in range(len(weights))]

    def read(inside: Names, handles: Sequence[str], items: list[Item]) -> dict[Value, str]:
        made = {}
        for v, label, handle in zip(weights, labels, handles, strict=True):
            node = message("NodeDef")(name=inside.new(f"{label}/Read"), op="ReadVariableOp", input=[handle])
            node.attr["dtype"].type = number_of(v.dtype)
            items.append(Item(node))
            made[v] = f"{node.name}:value:0"
        return made

    function = encoder.function(raw, "__inference_serving_default", [None] * len(weights), read)
    items: list[Item] = []

    def add(op: str, wanted: str, inputs: Sequence[str] = ()) -> Any:
        node = message("NodeDef")(name=names.new(wanted), op=op, input=inputs)
        items.append(Item(node))
        return node

    for v, label in zip(weights, labels, strict=True):
        names.taken.discard(label)
        node = add("VarHandleOp", label)
        node.attr["dtype"].type = number_of(v.dtype)
        put_shape(node.attr["shape"].shape, v.shape)
        node.attr["shared_name"].s = label.encode()
    places = {}
    for k, v in raw.inputs.items():
        node = add("Placeholder", f"{SIGNATURE}_{k}")
        node.attr["dtype"].type = number_of(v.dtype)
        put_shape(node.attr["shape"].shape, v.shape)
        places[k] = node.name
    call = add("StatefulPartitionedCall", "StatefulPartitionedCall", [*places.values(), *labels])
    call.attr["f"].func.name = function
    call.attr["Tin"].list.type.extend([*(number_of(v.dtype) for v in raw.inputs.values()), *[RESOURCE] * len(weights)])
    call.attr["Tout"].list.type.extend(number_of(v.dtype) for v in raw.outputs.values())
    _say(meta, {k: (f"{places[k]}:0", v.type) for k, v in raw.inputs.items()},
         {k: (f"{call.name}:{n}", v.type) for n, (k, v) in enumerate(raw.outputs.items())})
    _restored(add, meta, labels, keys, weights)
    objects = _objects(raw, meta, function, labels, keys, weights, trainable)
    folder = path / "variables"
    folder.mkdir()
    data: dict[str, Tensor | bytes] = {k: v.data for k, v in zip(keys, weights, strict=True) if v.data is not None}
    bundle_writer.write(folder, {**data, "_CHECKPOINTABLE_OBJECT_GRAPH": objects})
    return graph_def(items, encoder.library)


def _texts(values: Sequence[str]) -> Any:
    proto = message("TensorProto")(dtype=7, string_val=[v.encode() for v in values])
    put_shape(proto.tensor_shape, (len(values),))
    return proto


def _restored(add: Any, meta: Any, labels: Sequence[str], keys: Sequence[str], weights: Sequence[Value]) -> None:
    """What the first loader runs: the variables read from the bundle."""
    file = add("Placeholder", "saver_filename")
    file.attr["dtype"].type = 7
    put_shape(file.attr["shape"].shape, ())
    texts = []
    for wanted, values in (("RestoreV2/tensor_names", keys), ("RestoreV2/shape_and_slices", [""] * len(keys))):
        node = add("Const", wanted)
        node.attr["dtype"].type = 7
        node.attr["value"].tensor.CopyFrom(_texts(values))
        texts.append(node.name)
    restore = add("RestoreV2", "RestoreV2", [file.name, *texts])
    restore.attr["dtypes"].list.type.extend(number_of(v.dtype) for v in weights)
    assigned = []
    for k, (label, v) in enumerate(zip(labels, weights, strict=True)):
        node = add("AssignVariableOp", f"{label}/Assign", [label, f"{restore.name}:{k}" if k else restore.name])
        node.attr["dtype"].type = number_of(v.dtype)
        assigned.append(f"^{node.name}")
    every = add("NoOp", "restore_all", assigned)
    stub = add("Identity", "saved", [file.name])  # nothing is ever saved again
    stub.attr["T"].type = 7
    meta.saver_def.filename_tensor_name = f"{file.name}:0"
    meta.saver_def.save_tensor_name = f"{stub.name}:0"
    meta.saver_def.restore_op_name = every.name
    meta.saver_def.version = 2


def _objects(raw: Graph, meta: Any, function: str, labels: Sequence[str], keys: Sequence[str],
             weights: Sequence[Value], trainable: bool) -> bytes:
    """The object graph: a root with its variables and its signature; and what of it is in the checkpoint."""
    saved, tracked = meta.object_graph_def, message("TrackableObjectGraph")()
    first = 4  # the nodes before the variables: root, their list, the signatures, the function

    def node(children: Mapping[str, int], identifier: str = "") -> tuple[Any, Any]:
        made = saved.nodes.add(), tracked.nodes.add()
        for name, number in children.items():
            for one in made:
                one.children.add(local_name=name, node_id=number)
        if identifier:
            user = made[0].user_object
            user.identifier = identifier
            user.version.producer = user.version.min_consumer = 1
        return made
    node({"variables": 1, "signatures": 2}, "_generic_user_object")
    node({str(k): first + k for k in range(len(weights))}, "trackable_list_wrapper")
    node({SIGNATURE: 3}, "signature_map")
    bare = node({})[0].bare_concrete_function
    bare.concrete_function_name = function
    bare.argument_keywords.extend(raw.inputs)
    bare.allowed_positional_arguments = 1 if len(raw.inputs) == 1 else 0
    for label, key, v in zip(labels, keys, weights, strict=True):
        one, other = node({})
        one.variable.dtype, one.variable.name = number_of(v.dtype), label
        one.variable.trainable = trainable and is_float(v.dtype)
        put_shape(one.variable.shape, v.shape)
        other.attributes.add(name="VARIABLE_VALUE", full_name=label, checkpoint_key=key)
    concrete = saved.concrete_functions[function]
    concrete.bound_inputs.extend(range(first, first + len(weights)))
    both = concrete.canonicalized_input_signature.tuple_value
    both.values.add().tuple_value.SetInParent()
    _specs(both.values.add().dict_value, raw.inputs)
    _specs(concrete.output_signature.dict_value, raw.outputs)
    return serialized(tracked)


def _specs(table: Any, values: Mapping[str, Value]) -> None:
    table.SetInParent()
    for k, v in values.items():
        spec = table.fields[k].tensor_spec_value
        spec.name, spec.dtype = k, number_of(v.dtype)
        put_shape(spec.shape, v.shape)
