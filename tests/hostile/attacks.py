"""Hostile files, made when they are needed: each function writes one into a folder and returns its path.

After the threat table of the project's facts; payloads do nothing but try to be read."""
from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from modelport.codecs.flatbuffer import Writer, schema

Attack = Callable[[Path], Path]
ONNX: dict[str, Attack] = {}
TFLITE: dict[str, Attack] = {}
SECRET = b"the secret of another folder"


def attack(table: dict[str, Attack]) -> Callable[[Attack], Attack]:
    def add(f: Attack) -> Attack:
        table[f.__name__] = f
        return f
    return add


def value(name: str, *shape: int | str, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def save(folder: Path, nodes: list[onnx.NodeProto], initializers: list[TensorProto] = (), *, functions: Any = (),
         inputs: Any = None, outputs: Any = None) -> Path:  # type: ignore[assignment]
    graph = helper.make_graph(nodes, "g", inputs or [value("x", 4)], outputs or [value("y", 4)], list(initializers))
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("f", 1)],
                              ir_version=9, functions=list(functions))
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def add_w(folder: Path, w: TensorProto) -> Path:
    return save(folder, [helper.make_node("Add", ["x", "w"], ["y"])], [w])


def external(location: str, **more: str) -> TensorProto:
    w = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    for key, text in {"location": location, **more}.items():
        w.external_data.add(key=key, value=text)
    return w


def outside(folder: Path) -> Path:
    """A file beside the model's folder that must not be read."""
    secret = folder.parent / "secret.bin"
    secret.write_bytes(SECRET)
    return secret


@attack(ONNX)
def external_absolute(folder: Path) -> Path:
    return add_w(folder, external(str(outside(folder))))


@attack(ONNX)
def external_parent(folder: Path) -> Path:
    outside(folder)
    return add_w(folder, external("../secret.bin"))


@attack(ONNX)
def external_down_and_up(folder: Path) -> Path:
    outside(folder)
    (folder / "a").mkdir()
    return add_w(folder, external("a/../../secret.bin"))


@attack(ONNX)
def external_symlink(folder: Path) -> Path:
    (folder / "w.bin").symlink_to(outside(folder))
    return add_w(folder, external("w.bin"))


@attack(ONNX)
def external_symlinked_folder(folder: Path) -> Path:
    (folder / "a").symlink_to(outside(folder).parent)
    return add_w(folder, external("a/secret.bin"))


@attack(ONNX)
def external_hard_link(folder: Path) -> Path:
    os.link(outside(folder), folder / "w.bin")
    return add_w(folder, external("w.bin"))


@attack(ONNX)
def external_pipe(folder: Path) -> Path:
    os.mkfifo(folder / "w.bin")
    return add_w(folder, external("w.bin"))


@attack(ONNX)
def external_device(folder: Path) -> Path:
    return add_w(folder, external("/dev/zero"))


@attack(ONNX)
def external_uri(folder: Path) -> Path:
    return add_w(folder, external("file:///etc/passwd"))


@attack(ONNX)
def external_backslash(folder: Path) -> Path:
    return add_w(folder, external("..\\secret.bin"))


@attack(ONNX)
def external_nul(folder: Path) -> Path:
    (folder / "w.bin").write_bytes(bytes(16))
    return add_w(folder, external("w.bin\0.txt"))


@attack(ONNX)
def external_missing(folder: Path) -> Path:
    return add_w(folder, external("w.bin"))


@attack(ONNX)
def external_folder(folder: Path) -> Path:
    (folder / "w.bin").mkdir()
    return add_w(folder, external("w.bin"))


@attack(ONNX)
def external_empty_name(folder: Path) -> Path:
    return add_w(folder, external(""))


def _offsets(offset: str, length: str) -> Attack:
    def make(folder: Path) -> Path:
        (folder / "w.bin").write_bytes(bytes(16))
        return add_w(folder, external("w.bin", offset=offset, length=length))
    return make


for _name, _offset, _length in (("beyond", "16", "16"), ("negative", "-16", "16"), ("too_long", "0", "32"),
                                ("too_short", "0", "8"), ("overflow", str(2**64 - 8), "16"), ("words", "a", "b"),
                                ("negative_length", "0", "-1")):
    ONNX[f"external_{_name}"] = _offsets(_offset, _length)


def _dims(*dims: int, raw: bytes = bytes(16)) -> Attack:
    def make(folder: Path) -> Path:
        return add_w(folder, TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=raw))
    return make


ONNX["dims_negative"] = _dims(-4)
ONNX["dims_huge"] = _dims(2**40, 2**40)
ONNX["dims_overflow"] = _dims(2**62, 4)
ONNX["dims_more_than_bytes"] = _dims(5)
ONNX["dims_fewer_than_bytes"] = _dims(3)
ONNX["dims_many"] = _dims(*[1] * 5000, raw=bytes(4))
ONNX["element_type_unknown"] = lambda folder: add_w(folder, TensorProto(name="w", data_type=77, dims=[4],
                                                                       raw_data=bytes(16)))


@attack(ONNX)
def cycle(folder: Path) -> Path:
    return save(folder, [helper.make_node("Add", ["x", "b"], ["a"]), helper.make_node("Relu", ["a"], ["b"]),
                         helper.make_node("Relu", ["b"], ["y"])])


@attack(ONNX)
def node_feeds_itself(folder: Path) -> Path:
    return save(folder, [helper.make_node("Add", ["x", "y"], ["y"])])


@attack(ONNX)
def made_twice(folder: Path) -> Path:
    return save(folder, [helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["x"], ["y"])])


@attack(ONNX)
def undefined_input(folder: Path) -> Path:
    return save(folder, [helper.make_node("Add", ["x", "nowhere"], ["y"])])


@attack(ONNX)
def undefined_output(folder: Path) -> Path:
    return save(folder, [helper.make_node("Relu", ["x"], ["z"])])


def function(name: str, *calls: str) -> onnx.FunctionProto:
    last, nodes = "a", []
    for k, c in enumerate(calls):
        out = "b" if k == len(calls) - 1 else f"t{k}"
        nodes.append(helper.make_node(c, [last], [out], domain="" if c == "Relu" else "f"))
        last = out
    return helper.make_function("f", name, ["a"], ["b"], nodes, [helper.make_opsetid("", 20),
                                                                 helper.make_opsetid("f", 1)])


@attack(ONNX)
def recursive_functions(folder: Path) -> Path:
    return save(folder, [helper.make_node("A", ["x"], ["y"], domain="f")],
                functions=[function("A", "B"), function("B", "A")])


@attack(ONNX)
def a_billion_laughs(folder: Path) -> Path:
    """Each function calls the one before it ten times: 10^28 nodes in a file of kilobytes."""
    functions = [function("F0", "Relu")] + [function(f"F{k}", *[f"F{k - 1}"] * 10) for k in range(1, 29)]
    return save(folder, [helper.make_node("F28", ["x"], ["y"], domain="f")], functions=functions)


@attack(ONNX)
def deep_functions(folder: Path) -> Path:
    functions = [function("F0", "Relu")] + [function(f"F{k}", f"F{k - 1}") for k in range(1, 5000)]
    return save(folder, [helper.make_node("F4999", ["x"], ["y"], domain="f")], functions=functions)


def varint(n: int) -> bytes:
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


@attack(ONNX)
def nested_10000_deep(folder: Path) -> Path:
    """Bodies within bodies: GraphProto.node.attribute.g, 10,000 levels, written by hand."""
    graph = b""
    for _ in range(10_000):
        attribute = b"\x0a\x01b\xa0\x01\x05" + b"\x32" + varint(len(graph)) + graph
        node = b"\x22\x02If" + b"\x2a" + varint(len(attribute)) + attribute
        graph = b"\x0a" + varint(len(node)) + node
    opset = b"\x42\x04\x0a\x00\x10\x14"
    (folder / "model.onnx").write_bytes(b"\x08\x09" + b"\x3a" + varint(len(graph)) + graph + opset)
    return folder / "model.onnx"


@attack(ONNX)
def names_with_escapes(folder: Path) -> Path:
    """Names that would clear a terminal, and an operator that does not exist, so that they are printed."""
    evil = "\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>\n"
    return save(folder, [helper.make_node("Evil" + evil, ["x"], ["y"], evil, domain="d" + evil)])


@attack(ONNX)
def loop_body_of_a_wrong_size(folder: Path) -> Path:
    body = helper.make_graph([helper.make_node("Identity", ["c"], ["d"])], "b",
                             [value("i", kind=TensorProto.INT64), value("c", kind=TensorProto.BOOL)],
                             [value("d", kind=TensorProto.BOOL)])
    return save(folder, [helper.make_node("Loop", ["", "", "x", "x"], ["y"], body=body)])


@attack(ONNX)
def tree_without_end(folder: Path) -> Path:
    node = helper.make_node(
        "TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", nodes_treeids=[0, 0], nodes_nodeids=[0, 1],
        nodes_featureids=[0, 10**9], nodes_values=[0.5, 0.5], nodes_modes=["BRANCH_LEQ", "BRANCH_LEQ"],
        nodes_truenodeids=[1, 0], nodes_falsenodeids=[0, 99], target_treeids=[0], target_nodeids=[7], target_ids=[0],
        target_weights=[1.0], n_targets=1)
    graph = helper.make_graph([node], "g", [value("x", "n", 4)], [value("y", "n", 1)])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)])
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder / "model.onnx"


BOMBS: dict[str, Attack] = {}
"""Legal models that would take all memory or time if they were folded or run while converting."""


@attack(BOMBS)
def constant_of_2_to_the_40(folder: Path) -> Path:
    shape = onnx.numpy_helper.from_array(np.array([2**20, 2**20]), "s")
    return save(folder, [helper.make_node("ConstantOfShape", ["s"], ["z"]),
                         helper.make_node("ReduceSum", ["z"], ["k"], keepdims=0),
                         helper.make_node("Add", ["x", "k"], ["y"])], [shape])


@attack(BOMBS)
def doubling_constants(folder: Path) -> Path:
    nodes, last = [], "w"
    for k in range(45):
        nodes.append(helper.make_node("Concat", [last, last], [f"c{k}"], axis=0))
        last = f"c{k}"
    nodes += [helper.make_node("ReduceMax", [last], ["m"], keepdims=0), helper.make_node("Add", ["x", "m"], ["y"])]
    return save(folder, nodes, [onnx.numpy_helper.from_array(np.zeros(4, np.float32), "w")])


@attack(BOMBS)
def range_of_2_to_the_50(folder: Path) -> Path:
    ends = [onnx.numpy_helper.from_array(np.array(k, np.int64), f"e{k}") for k in (0, 1)]
    ends.append(onnx.numpy_helper.from_array(np.array(2**50, np.int64), "e2"))
    nodes = [helper.make_node("Range", ["e0", "e2", "e1"], ["r"]),
             helper.make_node("ReduceMax", ["r"], ["m"], keepdims=0), helper.make_node("Cast", ["m"], ["f"], to=1),
             helper.make_node("Add", ["x", "f"], ["y"])]
    return save(folder, nodes, ends)


@attack(BOMBS)
def endless_loop(folder: Path) -> Path:
    """A loop of 2^60 turns over constants: converting must not run it."""
    body = helper.make_graph([helper.make_node("Identity", ["c"], ["d"]), helper.make_node("Relu", ["s"], ["t"])], "b",
                             [value("i", kind=TensorProto.INT64), value("c", kind=TensorProto.BOOL), value("s", 4)],
                             [value("d", kind=TensorProto.BOOL), value("t", 4)])
    constants = [onnx.numpy_helper.from_array(np.array(2**60, np.int64), "n"),
                 onnx.numpy_helper.from_array(np.array(True), "go"),
                 onnx.numpy_helper.from_array(np.ones(4, np.float32), "w")]
    return save(folder, [helper.make_node("Loop", ["n", "go", "w"], ["l"], body=body),
                         helper.make_node("Add", ["x", "l"], ["y"])], constants)


def fields() -> dict[str, Any]:
    """A legal TensorFlow Lite file as a structure of tables: y = x + c."""
    tensors = [{"name": "x", "shape": [1, 4], "buffer": 0, "type": "FLOAT32"},
               {"name": "c", "shape": [4], "buffer": 1, "type": "FLOAT32"},
               {"name": "y", "shape": [1, 4], "buffer": 0, "type": "FLOAT32"}]
    operator = {"opcode_index": 0, "inputs": [0, 1], "outputs": [2], "builtin_options_type": "AddOptions",
                "builtin_options": {"fused_activation_function": "NONE"}}
    return {"version": 3, "operator_codes": [{"builtin_code": "ADD", "version": 1}],
            "subgraphs": [{"tensors": tensors, "inputs": [0], "outputs": [2], "operators": [operator], "name": "main"}],
            "buffers": [{}, {"data": np.ones(4, "<f4").tobytes()}]}


def write(folder: Path, model: dict[str, Any]) -> Path:
    path = folder / "model.tflite"
    with open(path, "wb") as f:
        Writer(schema("tflite")).write(model, f)
    return path


def spoilt(*path: Any, to: Any) -> Attack:
    """The legal file with one field changed, named by its path through the tables."""
    def make(folder: Path) -> Path:
        model = fields()
        at: Any = model
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = to
        return write(folder, model)
    return make


def _int8(**quantization: Any) -> dict[str, Any]:
    return {"name": "c", "shape": [4, 4], "buffer": 1, "type": "INT8", "quantization": quantization}


MAIN: tuple[Any, ...] = ("subgraphs", 0)
TFLITE.update({
    "no_subgraphs": spoilt("subgraphs", to=[]),
    "no_buffers": spoilt("buffers", to=[]),
    "no_operator_codes": spoilt("operator_codes", to=[]),
    "buffer_beyond_the_file": spoilt("buffers", 1, to={"offset": 1 << 40, "size": 16}),
    "buffer_offset_overflows": spoilt("buffers", 1, to={"offset": (1 << 64) - 8, "size": 16}),
    "buffer_size_overflows": spoilt("buffers", 1, to={"offset": 16, "size": (1 << 64) - 8}),
    "buffer_index_out_of_range": spoilt(*MAIN, "tensors", 1, "buffer", to=99),
    "tensor_larger_than_its_buffer": spoilt(*MAIN, "tensors", 1, "shape", to=[5]),
    "tensor_smaller_than_its_buffer": spoilt(*MAIN, "tensors", 1, "shape", to=[3]),
    "shape_overflows": spoilt(*MAIN, "tensors", 1, "shape", to=[1 << 30] * 8),
    "shape_negative": spoilt(*MAIN, "tensors", 1, "shape", to=[-4]),
    "shape_of_5000_axes": spoilt(*MAIN, "tensors", 1, "shape", to=[1] * 5000),
    "input_index_out_of_range": spoilt(*MAIN, "operators", 0, "inputs", to=[0, 1 << 30]),
    "input_index_negative": spoilt(*MAIN, "operators", 0, "inputs", to=[0, -7]),
    "output_index_out_of_range": spoilt(*MAIN, "operators", 0, "outputs", to=[77]),
    "opcode_out_of_range": spoilt(*MAIN, "operators", 0, "opcode_index", to=5),
    "graph_output_out_of_range": spoilt(*MAIN, "outputs", to=[12]),
    "graph_input_out_of_range": spoilt(*MAIN, "inputs", to=[-1]),
    "feeds_itself": spoilt(*MAIN, "operators", 0, "inputs", to=[2, 1]),
    "writes_a_constant": spoilt(*MAIN, "operators", 0, "outputs", to=[1]),
    "writes_its_input": spoilt(*MAIN, "operators", 0, "outputs", to=[0]),
    "element_type_unknown": spoilt(*MAIN, "tensors", 1, "type", to=99),
    "operator_unknown": spoilt("operator_codes", 0, to={"builtin_code": 9999, "version": 1}),
    "quantized_with_too_few_scales": spoilt(*MAIN, "tensors", 1, to=_int8(scale=[0.1] * 3, zero_point=[0] * 3)),
    "quantized_with_fewer_zero_points": spoilt(*MAIN, "tensors", 1, to=_int8(scale=[0.1] * 4, zero_point=[0] * 3)),
    "quantized_axis_out_of_range": spoilt(*MAIN, "tensors", 1, to=_int8(scale=[0.1] * 4, quantized_dimension=9)),
})


@attack(TFLITE)
def cycle_of_operators(folder: Path) -> Path:
    model = fields()
    main = model["subgraphs"][0]
    main["tensors"].append({"name": "z", "shape": [1, 4], "buffer": 0, "type": "FLOAT32"})
    add = main["operators"][0]
    main["operators"] = [{**add, "inputs": [0, 3], "outputs": [2]}, {**add, "inputs": [2, 1], "outputs": [3]}]
    return write(folder, model)


@attack(TFLITE)
def while_on_itself(folder: Path) -> Path:
    """A WHILE whose condition and body are the graph that it stands in."""
    model = fields()
    model["operator_codes"] = [{"builtin_code": "WHILE", "version": 1}]
    model["subgraphs"][0]["operators"] = [{
        "opcode_index": 0, "inputs": [0], "outputs": [2], "builtin_options_type": "WhileOptions",
        "builtin_options": {"cond_subgraph_index": 0, "body_subgraph_index": 0}}]
    return write(folder, model)


@attack(TFLITE)
def while_on_a_missing_graph(folder: Path) -> Path:
    model = fields()
    model["operator_codes"] = [{"builtin_code": "WHILE", "version": 1}]
    model["subgraphs"][0]["operators"] = [{
        "opcode_index": 0, "inputs": [0], "outputs": [2], "builtin_options_type": "WhileOptions",
        "builtin_options": {"cond_subgraph_index": 1, "body_subgraph_index": -3}}]
    return write(folder, model)


@attack(TFLITE)
def root_offset_outside(folder: Path) -> Path:
    path = write(folder, fields())
    data = bytearray(path.read_bytes())
    data[:4] = (0xFFFFFFF0).to_bytes(4, "little")
    path.write_bytes(data)
    return path


@attack(TFLITE)
def vectors_that_claim_gigabytes(folder: Path) -> Path:
    """Every 32-bit word that looks like a small length becomes four billion."""
    path = write(folder, fields())
    data = np.frombuffer(path.read_bytes()[:-(path.stat().st_size % 4) or None], "<u4").copy()
    data[2:][(data[2:] > 0) & (data[2:] < 8)] = 0xFFFFFFFF
    path.write_bytes(data.tobytes())
    return path


@attack(TFLITE)
def zip_bomb_behind(folder: Path) -> Path:
    """Associated files are a zip archive behind the FlatBuffer: one that unpacks to 200 MB."""
    path = write(folder, fields())
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("labels.txt", bytes(200_000_000))
    with open(path, "ab") as f:
        f.write(packed.getvalue())
    return path


@attack(TFLITE)
def names_that_are_not_text(folder: Path) -> Path:
    path = write(folder, fields())
    path.write_bytes(path.read_bytes().replace(b"main", b"\xff\xfe\xfd\xfc"))
    return path


OTHER: dict[str, Attack] = {}
"""Files that are nothing modelport reads, or that only pretend."""


def content(data: bytes, name: str = "model.onnx") -> Attack:
    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name
    return make


OTHER.update({
    "empty": content(b""), "one_byte": content(b"\x08"), "zeros": content(bytes(4096)), "ones": content(b"\xff" * 4096),
    "text": content(b"this is no model\n" * 100), "tflite_magic_only": content(bytes(4) + b"TFL3", "model.tflite"),
    "pickle": content(b"\x80\x04cos\nsystem\n(S'true'\ntR."), "endless_varint": content(b"\x08" + b"\x80" * 4000),
    "length_beyond_the_file": content(b"\x08\x09\x3a\xff\xff\xff\xff\x0f"),
    "graph_of_groups": content(b"\x08\x09" + b"\x3b" * 20_000),
})


@attack(OTHER)
def link_to_itself(folder: Path) -> Path:
    (folder / "model.onnx").symlink_to("model.onnx")
    return folder / "model.onnx"


@attack(OTHER)
def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "model.onnx")
    return folder / "model.onnx"
