"""Operators that are resolved while a graph is read: constants, variables, tables, arrays, calls, branches, loops.

Each function gets the scope, the node, its attributes and its inputs' results, and answers with the node's results, or
``None`` where the node is to stay as it is."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ...errors import CorruptFile, Unsupported
from ...ir.graph import Value
from ...ir.types import STRING, Type
from .attributes import OPAQUE, Attributes, dtype_of, list_dtype
from .control import choose, repeat
from .handles import Array, Handle, Other, Result, Table, Variable
from .scope import Body, Scope

Rule = Callable[[Scope, Any, Attributes, list[Result]], "Sequence[Result] | None"]
RESOLVED: dict[str, Rule] = {}


def resolved(*ops: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        for op in ops:
            RESOLVED[op] = rule
        return rule
    return register


def _value(v: Result, what: str = "an input") -> Value:
    if not isinstance(v, Value):
        raise Unsupported(f"{what} is a handle of something that the reader does not know")
    return v


@resolved("Const", "HostConst")
def const(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    if (given := scope.model.overrides.get(node.name)) is not None:  # those of functions have names of their own
        return [Value(given.type, node.name, data=given)]
    if "value" not in node.attr:
        raise CorruptFile("a constant without a value")
    tensor = scope.model.tensors.tensor(node.attr["value"].tensor, f"constant '{node.name}'")
    return [Value(tensor.type, scope.prefix + node.name, data=tensor)]


@resolved("Placeholder", "PlaceholderV2", "_Arg", "_DeviceArg")
def placeholder(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    if dtype_of(a.number("dtype", 1)) == OPAQUE:
        return [Other(node.name)]
    raise Unsupported("a placeholder that is no input of what is read")


@resolved("PlaceholderWithDefault")
def with_default(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    return [ins[0]]


@resolved("Identity", "Snapshot", "StopGradient", "PreventGradient", "CheckNumerics", "CheckNumericsV2", "DeepCopy",
          "_Retval", "ReadVariableXlaSplitND", "RefIdentity", "DebugGradientIdentity", "DebugGradientRefIdentity",
          "EnsureShape", "GuaranteeConst", "Copy", "CopyHost", "PlaceholderWithDefaultV2")
def identity(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    v = ins[0]
    return [scope.read(v) if isinstance(v, Variable) and v.reference and node.op != "RefIdentity" else v]


@resolved("IdentityN", "TPUReplicatedInput", "TPUReplicatedOutput")
def identity_n(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    return ins


@resolved("NoOp", "ControlTrigger", "Assert", "Print", "PrintV2", "TPUReplicateMetadata", "TPUCompilationResult",
          "DestroyResourceOp", "ScalarSummary", "HistogramSummary", "ImageSummary", "TensorSummaryV2", "MergeSummary",
          "DeleteRandomSeedGenerator", "ConfigureDistributedTPU", "ShutdownDistributedTPU")
def nothing(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    if node.op in ("Print", "PrintV2", "Assert"):
        scope.model.note("dropped", f"{node.op} has no effect on results", scope.prefix + node.name)
    return ins[:1] if node.op == "Print" else []


# ----------------------------------------------------------------------------------------------- variables


@resolved("VarHandleOp", "VariableV2", "Variable", "VarIsInitializedOp", "IsVariableInitialized", "TemporaryVariable")
def variable(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    if node.op in ("VarIsInitializedOp", "IsVariableInitialized"):
        return [scope.constant(True)]
    name = a.value("shared_name") or (node.name if scope.function is None else scope.prefix + node.name)
    key = f"{a.value('container') or ''}/{name}"
    number = a.number("dtype")
    if key not in scope.model.variables:
        made = Variable(name, Type(dtype_of(number), a.value("shape")))
        made.reference = node.op != "VarHandleOp"
        scope.model.variables[key] = made
    return [scope.model.variables[key]]


@resolved("_VarHandlesOp")
def variables(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    raise Unsupported("several variables in one operator")


@resolved("ReadVariableOp")
def read(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    return [_read(scope, ins[0])]


def _read(scope: Scope, handle: Result) -> Value:
    if isinstance(handle, Variable):
        return scope.read(handle)
    return _value(handle, "what it reads")


@resolved("AssignVariableOp", "Assign")
def assign(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    if not isinstance(ins[0], Variable):
        if isinstance(ins[0], Value):  # a variable that freezing made a constant: what is read of it is the new value
            return [_value(ins[1])]
        if isinstance(ins[0], Other):
            return []
        raise Unsupported("assigns to something that is no variable")
    if isinstance(ins[1], Handle):  # the path of an asset
        return [ins[0]]
    value = _value(ins[1])
    if ins[0].type.dtype != value.dtype:
        raise CorruptFile(f"a variable of {ins[0].type.dtype} is assigned {value.dtype}")
    scope.assign(ins[0], value)
    return [ins[0]]


_UPDATE = {"AssignAdd": "AddV2", "AssignSub": "Sub", "AssignAddVariableOp": "AddV2", "AssignSubVariableOp": "Sub"}


@resolved(*_UPDATE)
def update(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    before = _read(scope, ins[0])
    made = scope.make(_UPDATE[node.op], [before, _value(ins[1])], {}, [Type(before.dtype, before.shape)], node.name)
    return _written(scope, ins[0], made[0])


def _written(scope: Scope, target: Result, value: Value) -> Sequence[Result]:
    """A variable after it was assigned; of one that freezing made a constant, the new value."""
    if isinstance(target, Variable):
        scope.assign(target, value)
        return [target]
    return [value]


@resolved("ScatterUpdate", "ScatterAdd", "ScatterSub", "ScatterMul", "ScatterDiv", "ScatterMin", "ScatterMax",
          "ScatterNdUpdate", "ScatterNdAdd", "ScatterNdSub", "ScatterNdMin", "ScatterNdMax", "ResourceScatterUpdate",
          "ResourceScatterAdd", "ResourceScatterSub", "ResourceScatterMul", "ResourceScatterDiv", "ResourceScatterMin",
          "ResourceScatterMax", "ResourceScatterNdUpdate", "ResourceScatterNdAdd", "ResourceScatterNdSub",
          "ResourceScatterNdMin", "ResourceScatterNdMax")
def scatter(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    before, index, values = _read(scope, ins[0]), _value(ins[1]), _value(ins[2])
    kind = node.op.removeprefix("Resource").removeprefix("Scatter")
    if not kind.startswith("Nd"):
        last = scope.constant(-1, "i4")
        shape = None if index.shape is None else (*index.shape, 1)
        index = scope.make("ExpandDims", [index, last], {}, [Type(index.dtype, shape)], f"{node.name}/index")[0]
    kind = kind.removeprefix("Nd")
    made = scope.make(f"TensorScatter{kind}", [before, index, values], {}, [Type(before.dtype, before.shape)],
                      node.name)
    return _written(scope, ins[0], made[0])


@resolved("RngReadAndSkip")
def read_and_skip(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    """The state of a generator of random numbers, which moves on by as many as are drawn."""
    before, algorithm = _read(scope, ins[0]), _value(ins[1])
    if algorithm.data is None or int(algorithm.numpy().reshape(())) != 1:
        raise Unsupported("a generator of random numbers that is not Philox")
    made = scope.make("random.Skip", [before, _value(ins[2])], {}, [Type(before.dtype, (3,))], node.name)
    _written(scope, ins[0], made[0])
    return [before]


@resolved("StridedSliceAssign", "ResourceStridedSliceAssign")
def slice_assign(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    before = _read(scope, ins[0])
    made = scope.make("TensorStridedSliceUpdate", [before, *map(_value, ins[1:])], a.raw(),
                      [Type(before.dtype, before.shape)], node.name)
    return _written(scope, ins[0], made[0])


@resolved("ResourceGather", "ResourceGatherNd", "VariableShape")
def gather(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    value = _read(scope, ins[0])
    out = Type(dtype_of(a.number("dtype" if node.op != "VariableShape" else "out_type", 3)), None)
    if node.op == "VariableShape":
        return scope.make("Shape", [value], {} if out.dtype == np.int32 else {"out_type": out.dtype}, [out], node.name)
    index = _value(ins[1])
    if node.op == "ResourceGatherNd":
        return scope.make("GatherNd", [value, index], {}, [out], node.name)
    batch = a.number("batch_dims", 0)
    return scope.make("GatherV2", [value, index, scope.constant(batch, "i4")], {"batch_dims": batch} if batch else {},
                      [out], node.name)


# -------------------------------------------------------------------------------------------------- tables


@resolved("HashTable", "HashTableV2", "MutableHashTable", "MutableHashTableV2", "MutableDenseHashTable",
          "MutableDenseHashTableV2", "AnonymousHashTable", "MutableHashTableOfTensorsV2")
def table(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    name = a.value("shared_name") or scope.prefix + node.name
    if a.value("use_node_name_sharing"):
        name = scope.prefix + node.name
    key = f"{a.value('container') or ''}/{name}"
    if key not in scope.model.tables:
        made = Table(name, dtype_of(a.number("key_dtype")), dtype_of(a.number("value_dtype")))
        scope.model.tables[key] = made
    return [scope.model.tables[key]]


@resolved("InitializeTable", "InitializeTableV2", "LookupTableImport", "LookupTableImportV2", "LookupTableInsertV2")
def fill(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    handle, keys, values = ins
    if isinstance(handle, Table):
        k, v = _value(keys), _value(values)
        if k.data is None or v.data is None:
            raise Unsupported("a table that is filled with what is computed at run time")
        if k.type.size != v.type.size:
            raise CorruptFile(f"a table of {k.type.size} keys and {v.type.size} values")
        added = handle.keys is not None and (not scope.model.loading or "Insert" in node.op)
        if scope.body.parent is not None or added:
            raise Unsupported("a table that changes while the model runs")
        handle.keys, handle.values = k.data, v.data
    return []


@resolved("InitializeTableFromTextFile", "InitializeTableFromTextFileV2")
def fill_from_file(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    handle, path = ins
    if isinstance(handle, Table):
        value = _value(path, "the path of a vocabulary")
        if value.data is None:
            raise Unsupported("a vocabulary whose path is computed at run time")
        lines = scope.model.asset_lines(str(value.numpy().reshape(-1)[0]))
        handle.keys, handle.values = scope.model.columns(lines, a, handle)
    return []


@resolved("LookupTableFind", "LookupTableFindV2", "LookupTableSize", "LookupTableSizeV2", "LookupTableExport",
          "LookupTableExportV2")
def find(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    t = ins[0]
    if not isinstance(t, Table):
        raise Unsupported("a lookup in something that is no table")
    if t.keys is None or t.values is None:
        raise Unsupported(f"the table '{t.name}' is not filled by what the model says")
    keys, values = (Value(x.type, t.name, data=x) for x in (t.keys, t.values))
    if "Size" in node.op:
        return [scope.constant(t.keys.type.size or 0, "i8")]
    if "Export" in node.op:
        return [keys, values]
    x = _value(ins[1])
    return scope.make("LookupTableFindV2", [keys, values, x, _value(ins[2])], {}, [Type(t.value, x.shape)], node.name)


# -------------------------------------------------------------------------------------------------- arrays


@resolved("TensorArray", "TensorArrayV2", "TensorArrayV3")
def array(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    element, shape = dtype_of(a.number("dtype")), a.value("element_shape")
    handle = Array(scope.prefix + node.name, element, shape, bool(a.value("dynamic_size")))
    stated = scope.constant(-1 if shape is None else [-1 if d is None else d for d in shape], "i4")
    flow = scope.make("TensorListReserve", [stated, _value(ins[0])], {"element_dtype": element},
                      [Type(list_dtype(element), None if shape is None else (None, *shape))], node.name)
    return [handle, flow[0]]


def _array(v: Result) -> Array:
    if not isinstance(v, Array):
        raise Unsupported("an array that the reader does not know")
    return v


def _stated(scope: Scope, handle: Array) -> Value:
    return scope.constant(-1 if handle.shape is None else [-1 if d is None else d for d in handle.shape], "i4")


@resolved("TensorArrayWrite", "TensorArrayWriteV2", "TensorArrayWriteV3")
def array_write(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    handle, flow = _array(ins[0]), _value(ins[3])
    attrs = {"resize_if_index_out_of_bounds": True} if handle.dynamic else {}
    return scope.make("TensorListSetItem", [flow, _value(ins[1]), _value(ins[2])], attrs, [flow.type], node.name)


@resolved("TensorArrayRead", "TensorArrayReadV2", "TensorArrayReadV3")
def array_read(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    handle = _array(ins[0])
    return scope.make("TensorListGetItem", [_value(ins[2]), _value(ins[1]), _stated(scope, handle)],
                      {"element_dtype": handle.dtype}, [Type(handle.dtype, handle.shape)], node.name)


@resolved("TensorArrayGather", "TensorArrayGatherV2", "TensorArrayGatherV3")
def array_gather(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    handle = _array(ins[0])
    shape = None if handle.shape is None else (None, *handle.shape)
    return scope.make("TensorListGather", [_value(ins[2]), _value(ins[1]), _stated(scope, handle)],
                      {"element_dtype": handle.dtype}, [Type(handle.dtype, shape)], node.name)


@resolved("TensorArrayScatter", "TensorArrayScatterV2", "TensorArrayScatterV3")
def array_scatter(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    flow = _value(ins[3])
    return scope.make("TensorListScatterIntoExistingList", [flow, _value(ins[2]), _value(ins[1])], {}, [flow.type],
                      node.name)


@resolved("TensorArraySize", "TensorArraySizeV2", "TensorArraySizeV3")
def array_size(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    return scope.make("TensorListLength", [_value(ins[1])], {}, [Type(np.dtype(np.int32), ())], node.name)


@resolved("TensorArrayConcat", "TensorArrayConcatV2", "TensorArrayConcatV3")
def array_concat(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    handle = _array(ins[0])
    return scope.make("TensorListConcatV2", [_value(ins[1]), scope.constant(-1, "i4"), scope.constant([], "i8")],
                      {"element_dtype": handle.dtype},
                      [Type(handle.dtype, None), Type(np.dtype(np.int64), (None,))], node.name)


@resolved("TensorArraySplit", "TensorArraySplitV2", "TensorArraySplitV3")
def array_split(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    flow = _value(ins[3])
    return scope.make("TensorListSplit", [_value(ins[1]), scope.constant(-1, "i4"), _value(ins[2])],
                      {}, [flow.type], node.name)


@resolved("TensorArrayClose", "TensorArrayCloseV2", "TensorArrayCloseV3")
def array_close(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    return []


@resolved("TensorListReserve", "EmptyTensorList", "TensorListFromTensor", "TensorListSetItem", "TensorListPushBack",
          "TensorListPopBack", "TensorListScatterIntoExistingList", "TensorListScatterV2", "TensorListScatter",
          "TensorListResize", "TensorListSplit", "TensorListConcatLists")
def listed(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    """Lists flow as values whose type says what they hold."""
    values = [_value(v) for v in ins]
    element = dtype_of(a.number("element_dtype")) if node.op != "TensorListResize" else None
    if element is not None and element == OPAQUE:
        raise Unsupported("a list of lists or of handles")
    kind = list_dtype(element) if element is not None else values[0].dtype
    shape: Any = None
    stated = {"TensorListReserve": 0, "EmptyTensorList": 0, "TensorListFromTensor": 1}.get(node.op)
    if stated is not None and values[stated].data is not None:
        listed = values[stated].numpy()
        shape = (None, *(None if d < 0 else int(d) for d in listed)) if listed.ndim == 1 else None
    if (node.op == "TensorListFromTensor" and shape is None) or node.op in (
            "TensorListSetItem", "TensorListResize", "TensorListPushBack"):
        shape = values[0].shape
    attrs = a.raw()
    if node.op == "TensorListPopBack":
        return scope.make(node.op, values, attrs, [values[0].type, Type(element or OPAQUE, None)], node.name)
    return scope.make(node.op, values, attrs, [Type(kind, shape)], node.name)


# ------------------------------------------------------------------------------------ calls, branches, loops


def _bound(a: Attributes, name: str) -> dict[str, Any]:
    found = a.proto(name)
    return {} if found is None else dict(found.func.attr.items())


@resolved("PartitionedCall", "StatefulPartitionedCall", "SymbolicGradient", "TPUPartitionedCall")
def call(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    if node.op in ("SymbolicGradient", "TPUPartitionedCall"):
        raise Unsupported("a gradient" if node.op == "SymbolicGradient" else "a call that runs on a TPU")
    return scope.call(a.value("f") or "", ins, _bound(a, "f"), node.name)


@resolved("If", "StatelessIf")
def if_(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    index, *rest = ins
    if isinstance(index, Value) and index.dtype.kind != "b" and index.data is None:
        if index.rank != 0 or index.dtype.kind not in "iuf":
            raise Unsupported("a branch by a value that is no truth value")
        zero = scope.constant(0, index.dtype)
        index = scope.make("NotEqual", [index, zero], {}, [Type(np.dtype(bool), ())], f"{node.name}/cond")[0]
    if isinstance(index, Value) and index.data is not None and index.dtype == STRING:
        raise Unsupported("a branch by text")
    if isinstance(index, Value) and index.data is not None and index.dtype.kind != "b":
        index = scope.constant(bool(index.numpy().any()))
    return choose(scope, index, [_side(scope, a, f, rest) for f in ("else_branch", "then_branch")], node.name)


def _side(scope: Scope, a: Attributes, name: str, rest: Sequence[Result], function: str = "") -> Any:
    def side(body: Body) -> list[Result]:
        arguments = [body.take(v) if body is not scope.body else v for v in rest]
        return scope.call(function or a.value(name) or "", arguments, {} if function else _bound(a, name), "", body)
    return side


@resolved("Case", "StatelessCase")
def case(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    index, *rest = ins
    branches = a.value("branches") or ()
    sides = [_side(scope, a, "", rest, f) for f in branches]
    if not sides:
        raise CorruptFile("a Case without branches")
    if isinstance(index, Value) and index.data is None and len(sides) == 2:
        zero = scope.constant(0, index.dtype)
        index = scope.make("NotEqual", [index, zero], {}, [Type(np.dtype(bool), ())], f"{node.name}/index")[0]
    if len(sides) == 1:
        return sides[0](scope.body)
    return choose(scope, index, sides, node.name)


@resolved("While", "StatelessWhile")
def while_(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    def cond(body: Body, values: Sequence[Result]) -> Result:
        return scope.call(a.value("cond") or "", values, _bound(a, "cond"), "", body)[0]

    def turn(body: Body, values: Sequence[Result]) -> list[Result]:
        return scope.call(a.value("body") or "", values, _bound(a, "body"), "", body)
    return repeat(scope, ins, cond, turn, node.name)


@resolved("For")
def for_(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    raise Unsupported("a For, which TensorFlow rewrites before it runs it")


@resolved("RestoreV2")
def restore(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    names, slices = (_value(v) for v in ins[1:3])
    bundle = scope.model.bundle
    if bundle is None:
        raise Unsupported("reads a checkpoint that is not there")
    out: list[Result] = []
    for name, part in zip(names.numpy().ravel(), slices.numpy().ravel(), strict=True):
        if name not in bundle:
            out.append(Other(str(name)))  # an older checkpoint: what nobody reads may lack
            continue
        tensor = bundle.tensor(str(name))
        out.append(Value(tensor.type, str(name), data=tensor) if not part else _cut(scope, tensor, str(part)))
    return out


def _cut(scope: Scope, tensor: Any, text: str) -> Value:
    """A part of a variable that was saved whole: ``4 6 0,2:0,6`` is its shape, then start and length by axis."""
    extents = text.split(" ")[-1]
    where = []
    try:
        for t in extents.split(":"):
            if t == "-":
                where.append(slice(None))
            else:
                start, length = (int(x) for x in t.split(","))
                where.append(slice(start, start + length))
    except ValueError:
        raise CorruptFile(f"'{text}' is no part of a variable") from None
    if len(where) != len(tensor.type.shape or ()):
        raise CorruptFile(f"'{text}' is no part of a variable of {tensor.type}")
    array = tensor.numpy()[tuple(where)]
    return scope.constant(array)


@resolved("Dequantize")
def dequantize(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result] | None:
    """Weights that are stored as integers: which of the quantized types they have is lost with the number."""
    x = _value(ins[0])
    made = scope.attributes(node).raw()
    made["T"] = _QUANTIZED.get(a.number("T"), "quint8")
    return scope.make("Dequantize", [x, _value(ins[1]), _value(ins[2])], made,
                      [Type(dtype_of(a.number("dtype", 1)), x.shape)], node.name)


_QUANTIZED = {11: "qint8", 12: "quint8", 13: "qint32", 15: "qint16", 16: "quint16"}


@resolved("XlaCallModule", "XlaLaunch", "XlaLaunchV2")
def compiled(scope: Scope, node: Any, a: Attributes, ins: list[Result]) -> Sequence[Result]:
    raise Unsupported("a network as one piece of compiled code (StableHLO), as Keras on JAX exports it: convert its "
                      ".keras file instead")
