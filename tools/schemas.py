"""Makes the schema tables of ``src/modelport/codecs/schemas``.

    python tools/schemas.py                      # tflite.json, from the installed ai-edge-litert
    python tools/schemas.py NAME FILE.fbs        # NAME.json, from a FlatBuffers schema
    python tools/schemas.py tensorflow           # tensorflow.binpb, tensorflow_ops.json, from the installed one

``tflite_metadata`` is made from metadata_schema.fbs of tflite-support.  Facts only are taken: names, numbers, kinds and
defaults of fields.
"""
from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from typing import Any

SCHEMAS = Path(__file__).parents[1] / "src/modelport/codecs/schemas"
LETTER = {"Bool": "?", "Int8": "b", "Uint8": "B", "Int16": "h", "Uint16": "H", "Int32": "i", "Uint32": "I",
          "Int64": "q", "Uint64": "Q", "Float32": "f", "Float64": "d"}
FBS_LETTER = {"bool": "?", "byte": "b", "int8": "b", "ubyte": "B", "uint8": "B", "short": "h", "int16": "h",
              "ushort": "H", "uint16": "H", "int": "i", "int32": "i", "uint": "I", "uint32": "I", "long": "q",
              "int64": "q", "ulong": "Q", "uint64": "Q", "float": "f", "float32": "f", "double": "d", "float64": "d"}

# Which enumeration a field's number belongs to: the generated Python does not say.
ENUM_OF_FIELD = {
    "padding": "Padding", "fused_activation_function": "ActivationFunctionType", "weights_format":
    "FullyConnectedOptionsWeightsFormat", "kernel_type": "LSTMKernelType", "combiner": "CombinerType",
    "quantized_bias_type": "TensorType", "in_data_type": "TensorType", "out_data_type": "TensorType",
    "output_type": "TensorType", "out_type": "TensorType", "idx_out_type": "TensorType", "key_dtype": "TensorType",
    "value_dtype": "TensorType", "builtin_code": "BuiltinOperator", "custom_options_format": "CustomOptionsFormat",
    "composite_attributes_format": "CustomOptionsFormat", "algorithm": "RngAlgorithm",
    "Tensor.type": "TensorType", "VariantSubType.type": "TensorType", "DimensionMetadata.format": "DimensionType",
    "LSHProjectionOptions.type": "LSHProjectionType", "MirrorPadOptions.mode": "MirrorPadMode",
    "ReduceWindowOptions.reduce_function": "ReduceWindowFunction",
    "StablehloReduceWindowOptions.reduce_function": "ReduceWindowFunction",
    "StablehloCompareOptions.comparison_direction": "StablehloComparisonDirection",
    "StablehloCompareOptions.compare_type": "StablehloComparisonType"}
UNION_OF_FIELD = {"builtin_options": "BuiltinOptions", "builtin_options_2": "BuiltinOptions2",
                  "details": "QuantizationDetails", "array_segments": "SparseIndexVector",
                  "array_indices": "SparseIndexVector"}


def snake(name: str) -> str:
    """``strideW`` and ``StrideW`` are ``stride_w``, as the schema has it."""
    s = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    return re.sub(r"(?<=options)(?=2)", "_", s)


def from_generated(source: str, root: str, identifier: str) -> dict[str, Any]:
    """The description of the schema that flatc-generated Python with the object API was made from."""
    enums = {m[1]: {k: int(v) for k, v in re.findall(r"    (\w+) = (-?\d+)\n", m[2])}
             for m in re.finditer(r"^class (\w+)\(object\):\n((?:    \w+ = -?\d+\n)+)", source, re.MULTILINE)}
    classes = {m[1]: m[2] for m in re.finditer(r"^class (\w+)\(object\):\n(.*?)(?=^class |\Z)", source,
                                               re.MULTILINE | re.DOTALL)}
    tables: dict[str, list[Any]] = {}
    for name in classes:
        if name in enums or name + "T" not in classes:
            continue
        hints = dict(re.findall(r"self\.(\w+) = \w+  # type: (.+)", classes[name + "T"]))
        count = re.search(rf"^def {name}Start\(builder\):\n    builder\.StartObject\((\d+)\)", source, re.MULTILINE)
        fields: list[Any] = [None] * int(count[1] if count else 0)
        for m in re.finditer(rf"^def {name}Add(\w+)\(builder, (\w+)\):\n"
                             r"    builder\.Prepend(\w+)Slot\((\d+), .*?, ([-\w.]+)\)\n", source, re.MULTILINE):
            method, argument, kind, slot, default = m.groups()
            key = snake(argument)
            if kind == "UOffsetTRelative":
                fields[int(slot)] = [key, object_kind(key, hints[argument], method, classes[name])]
                continue
            number: Any = default in ("True", "1") if kind == "Bool" else \
                float(default) if kind.startswith("Float") else int(default)
            enum = ENUM_OF_FIELD.get(f"{name}.{key}") or ENUM_OF_FIELD.get(key)
            fields[int(slot)] = [key, LETTER[kind], number, *([enum] if enum else [])]
        tables[name] = [f or [f"removed_{k}", "I", 0] for k, f in enumerate(fields)]
    unions = {u: [k for k, _ in sorted(enums.pop(u).items(), key=lambda e: e[1])] for u in set(UNION_OF_FIELD.values())}
    return {"identifier": identifier, "root": root, "tables": tables, "unions": dict(sorted(unions.items())),
            "enums": enums}


def object_kind(key: str, hint: str, method: str, reader: str) -> str:
    """The kind of a field that is stored as an offset, from the type hint of the object API."""
    if key in UNION_OF_FIELD:
        return "U:" + UNION_OF_FIELD[key]
    if hint in ("Optional[str]", "str"):
        return "s"
    if m := re.fullmatch(r"Optional\[List\[(?:int|float|bool)\]\]", hint):
        get = re.search(rf"def {method}AsNumpy\(self\):.*?GetVectorAsNumpy\(flatbuffers\.number_types\.(\w+)Flags",
                        reader, re.DOTALL)
        assert get, (key, hint)
        return "[" + LETTER[get[1]]
    if re.fullmatch(r"Optional\[List\[(?:Optional\[)?str\]?\]\]", hint):
        return "[s"
    if m := re.fullmatch(r"Optional\[List\[(?:Optional\[)?'?(\w+)T'?\]?\]\]", hint):
        return "[T:" + m[1]
    if m := re.fullmatch(r"Optional\['?(\w+)T'?\]", hint):
        return "T:" + m[1]
    raise ValueError(f"{key}: {hint}")


def from_fbs(source: str) -> dict[str, Any]:
    """The description of a FlatBuffers schema (tables, enums and unions; no structs)."""
    text = re.sub(r"//[^\n]*|/\*.*?\*/", "", source, flags=re.DOTALL)
    enums: dict[str, dict[str, int]] = {}
    bases: dict[str, str] = {}
    for name, base, body in re.findall(r"\benum\s+(\w+)\s*:\s*(\w+)\s*\{(.*?)\}", text, re.DOTALL):
        members, n = {}, -1
        for key, value in re.findall(r"(\w+)\s*(?:=\s*(-?\d+))?\s*(?:,|$)", body.strip()):
            n = int(value) if value else n + 1
            members[key] = n
        enums[name], bases[name] = members, base
    unions = {name: ["NONE", *re.findall(r"\w+", body)] for name, body in
              re.findall(r"\bunion\s+(\w+)\s*\{(.*?)\}", text, re.DOTALL)}
    tables: dict[str, list[Any]] = {}
    for name, body in re.findall(r"\btable\s+(\w+)\s*\{(.*?)\}", text, re.DOTALL):
        fields: list[Any] = []
        field = r"(\w+)\s*:\s*(\[?)(\w+)\]?\s*(?:=\s*([\w.+-]+))?\s*(?:\([^)]*\))?\s*;"
        for key, vector, kind, default in re.findall(field, body):
            if vector:
                fields.append([key, "[" + (FBS_LETTER.get(kind) or {"string": "s"}.get(kind) or "T:" + kind)])
            elif kind in unions:
                fields += [[key + "_type", "B", 0], [key, "U:" + kind]]
            elif kind in enums:
                fields.append([key, FBS_LETTER[bases[kind]], enums[kind].get(default, 0), kind])
            elif kind in FBS_LETTER:
                letter = FBS_LETTER[kind]
                number: Any = default == "true" if letter == "?" else \
                    float(default or 0) if letter in "fd" else int(default or 0)
                fields.append([key, letter, number])
            else:
                fields.append([key, "s" if kind == "string" else "T:" + kind])
        tables[name] = fields
    root, identifier = re.search(r"root_type\s+(\w+)", text), re.search(r'file_identifier\s+"(\w+)"', text)
    assert root and identifier
    return {"identifier": identifier[1], "root": root[1], "tables": tables, "unions": unions, "enums": enums}


SKIPPED = re.compile(
    r"Dataset|TPU|Collective|^Xla|^Risc|Apply|Iterator|Nccl|Tpu|^_(?!Fused)|(?<!Conv2D)(?<!Conv3D)(?<!Native)Backprop|BackpropFilter|Summary|^Dummy|^Test|Reader|Infeed|Outfeed|"
    r"Accumulator|Barrier|Queue|Stage|^Map(Clear|Incomplete|Peek|Size|Un)|OrderedMap|Rpc|Mlir|Boosted|DTensor|Sdca|"
    r"Distributed|TensorForest|Bigquery|SparseCoreCoo|DedupData|^Anonymous(Iter|Mem|Multi)|^Batch(Function|Kernel)|Grad(V2|V3|"
    r"WithArgmax|Input|Filter)?$|^(Send|Recv|Abort|A|B|Foo\d|None|Old|Attr.*|Ref(In|Out).*|Int(In|Out).*|Float(In|Out).*|"
    r"Two.*|NIn.*|NPoly.*|Poly(morphic.*)|Polymorphic.*|OutT.*|TypeList.*|Simple.*|Mixed.*|Complex(Struct)|Restrict|Reserved.*|Unary|Binary|"
    r"OpWith.*|Default.*|Kernel.*|List(In|Out)put|In(Poly).*|FiveFloat.*|RequiresOlder.*|Construction.*|Dtype.*|Resource(Create"
    r"|Using|Init).*|Namespace>.*|Func(Attr|List.*)|Device(Placement.*)|Sleep.*|Stub.*|Fact|GetDeadline|Graph(DefV).*)$")
"""Operators of training, of input pipelines, of clusters, and TensorFlow's own test operators."""
LETTERS = {"type": "t", "int": "i", "float": "f", "bool": "b", "string": "s", "shape": "S", "tensor": "T", "func": "F"}


def tensorflow() -> None:
    """The messages of SavedModels as a FileDescriptorSet, and the definitions of the operators.

    An operator is ``[inputs, outputs, attributes]``.  An argument is ``[name, type]``, where the type is a number of
    the enumeration DataType or the name of an attribute, and, where it stands for several tensors, a third element:
    the attribute with their number, or ``"*"`` where the type is an attribute with a list.  An attribute is ``[name,
    kind]`` (a letter of ``LETTERS``, with ``[`` before it for a list) and its default, if it has one."""
    from google.protobuf import descriptor_pb2, json_format
    from tensorflow.core.framework import op_def_pb2
    from tensorflow.core.protobuf import saved_model_pb2, tensor_bundle_pb2, trackable_object_graph_pb2
    from tensorflow.python.client import pywrap_tf_session as session

    files: dict[str, Any] = {}

    def add(file: Any) -> None:
        if file.name not in files:
            for other in file.dependencies:
                add(other)
            proto = descriptor_pb2.FileDescriptorProto()
            file.CopyToProto(proto)
            proto.ClearField("options")
            files[file.name] = proto
    for module in (saved_model_pb2, tensor_bundle_pb2, trackable_object_graph_pb2):
        add(module.DESCRIPTOR)
    whole = descriptor_pb2.FileDescriptorSet(file=files.values())
    (SCHEMAS / "tensorflow.binpb").write_bytes(whole.SerializeToString(deterministic=True))

    def argument(a: Any) -> list[Any]:
        several = a.number_attr or ("*" if a.type_list_attr else "")
        return [a.name, a.type_attr or a.type_list_attr or int(a.type), *([several] if several else [])]

    def attribute(a: Any) -> list[Any]:
        kind = re.sub(r"list\((\w+)\)", lambda m: "[" + LETTERS[m[1]], a.type)
        made = [a.name, kind if kind.startswith("[") else LETTERS[kind]]
        if a.HasField("default_value"):
            v = a.default_value
            field = v.WhichOneof("value")
            if field == "list":
                lists = [list(x) for _, x in v.list.ListFields()]
                made.append([plain(x) for x in (lists[0] if lists else [])])
            elif field is not None:
                made.append(plain(getattr(v, field)))
        return made

    def plain(x: Any) -> Any:
        if isinstance(x, (int, float, bool)):
            return x
        return x.decode("latin-1") if isinstance(x, bytes) else json_format.MessageToDict(x)
    every = op_def_pb2.OpList.FromString(session.TF_GetBuffer(session.TF_GetAllOpList())).op
    kept = {o.name: [[argument(a) for a in o.input_arg], [argument(a) for a in o.output_arg],
                     [attribute(a) for a in o.attr]] for o in every if not SKIPPED.search(o.name)}
    lines = [f"{json.dumps(k)}: " + json.dumps(v, separators=(",", ":")) for k, v in sorted(kept.items())]
    (SCHEMAS / "tensorflow_ops.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
    print(f"tensorflow: {len(files)} files of messages, {len(lines)} operators")


def save(name: str, description: dict[str, Any]) -> None:
    """One line a table, so that a new version of a schema is a readable change."""
    parts = []
    for key, value in description.items():
        if isinstance(value, dict):
            lines = ",\n".join(f"  {json.dumps(k)}: {json.dumps(v, separators=(', ', ':'))}" for k, v in value.items())
            parts.append(f"{json.dumps(key)}: {{\n{lines}\n}}")
        else:
            parts.append(f"{json.dumps(key)}: {json.dumps(value)}")
    SCHEMAS.mkdir(exist_ok=True)
    (SCHEMAS / f"{name}.json").write_text("{" + ",\n".join(parts) + "}\n", "utf-8")
    print(f"{name}: {len(description['tables'])} tables, {len(description['enums'])} enumerations")


def main(arguments: list[str]) -> None:
    if arguments == ["tensorflow"]:
        tensorflow()
        return
    if arguments:
        name, path = arguments
        save(name, from_fbs(Path(path).read_text("utf-8")))
        return
    spec = importlib.util.find_spec("ai_edge_litert")
    assert spec and spec.submodule_search_locations, "pip install ai-edge-litert"
    source = Path(next(iter(spec.submodule_search_locations)), "schema_py_generated.py").read_text("utf-8")
    save("tflite", from_generated(source, "Model", "TFL3"))


if __name__ == "__main__":
    main(sys.argv[1:])
