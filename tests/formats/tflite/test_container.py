"""The container: what a file says is kept, what is wrong with it is found."""
from __future__ import annotations

import contextlib
import io
import struct
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from modelport.codecs.flatbuffer import Reader, Writer, schema
from modelport.codecs.limits import Limits
from modelport.errors import CorruptFile, LimitExceeded, ModelportError, UnsupportedModel, UsageError
from modelport.formats import tflite
from modelport.ir import Graph, Node, Quant, Tensor, Type, Value
from modelport.ir.types import STRING

sys.path.insert(0, str(Path(__file__).parents[2]))
from cases.tflite import CASES

F32, I32 = np.dtype("f4"), np.dtype("i4")
ADD = {"fused_activation_function": "NONE"}


def model(**changes: Any) -> dict[str, Any]:
    """A file's fields: y = x + c; ``changes`` replace fields of the model."""
    tensors = [{"name": "x", "shape": [1, 2], "shape_signature": [-1, 2], "buffer": 0, "type": "FLOAT32"},
               {"name": "c", "shape": [2], "buffer": 1, "type": "FLOAT32"},
               {"name": "y", "shape": [1, 2], "shape_signature": [-1, 2], "buffer": 0, "type": "FLOAT32"}]
    operator = {"opcode_index": 0, "inputs": [0, 1], "outputs": [2], "builtin_options_type": "AddOptions",
                "builtin_options": ADD}
    return {"version": 3, "operator_codes": [{"builtin_code": "ADD", "version": 1}], "description": "made by hand",
            "subgraphs": [{"tensors": tensors, "inputs": [0], "outputs": [2], "operators": [operator], "name": "main"}],
            "buffers": [{}, {"data": np.array([1, 2], "<f4").tobytes()}], **changes}


def save(path: Path, fields: dict[str, Any]) -> Path:
    with open(path, "wb") as f:
        Writer(schema("tflite")).write(fields, f)
    return path


def read(tmp_path: Path, fields: dict[str, Any], **options: Any) -> Graph:
    return tflite.read(save(tmp_path / "m.tflite", fields), **options)


def test_a_file_reads(tmp_path: Path) -> None:
    g = read(tmp_path, model())
    assert str(g) == ("main(%x: float32[batch, 2])\n"
                      "  %y: float32[?, 2] = ADD(%x, [1.,2.], fused_activation_function='NONE', pot_scale_int16=True)\n"
                      "  return y=%y")
    assert g.meta == {"tflite:description": "made by hand"}
    assert tflite.sniff((tmp_path / "m.tflite").read_bytes()[:64], tmp_path)


@pytest.mark.parametrize("name", sorted(CASES))
def test_every_case_survives_a_round_trip(name: str, tmp_path: Path) -> None:
    file, again = tmp_path / "a.tflite", tmp_path / "b.tflite"
    tflite.write(CASES[name].graph, file, versions=CASES[name].versions)
    first = tflite.read(file)
    tflite.write(first, again)
    assert str(tflite.read(again)) == str(first)


def test_weights_are_views_of_the_file(tmp_path: Path) -> None:
    c = read(tmp_path, model()).nodes[0].inputs[1]
    assert c is not None
    array = c.numpy()
    assert not array.flags.owndata
    assert not array.flags.writeable


def test_buffers_may_lie_behind_the_flatbuffer(tmp_path: Path) -> None:
    graph = CASES["CONV_2D/dynamic"].graph
    inside, outside = tmp_path / "in.tflite", tmp_path / "out.tflite"
    tflite.write(graph, inside)
    tflite.write(graph, outside, external=True)
    a, b = tflite.read(inside), tflite.read(outside)
    assert str(a) == str(b)
    for x, y in zip(a.constants, b.constants, strict=True):
        assert np.array_equal(x.numpy(), y.numpy())
    root = Reader(memoryview(outside.read_bytes()), schema("tflite")).root()
    places = [(t["offset"], t["size"]) for t in root["buffers"] if t["size"]]
    assert all(offset % 16 == 0 for offset, _ in places)
    assert outside.stat().st_size == places[-1][0] + places[-1][1]


@pytest.mark.parametrize(("offset", "size"), [(100, 1 << 40), ((1 << 64) - 4, 8), (1 << 63, 8), (1000, 8)])
def test_buffers_outside_of_the_file_are_refused(tmp_path: Path, offset: int, size: int) -> None:
    with pytest.raises(CorruptFile, match=r"leaves the file|takes"):
        read(tmp_path, model(buffers=[{}, {"offset": offset, "size": size}]))


def test_weights_in_other_files_are_refused(tmp_path: Path) -> None:
    fields = model()
    fields["subgraphs"][0]["tensors"][1].update(buffer=0, external_buffer=1)
    with pytest.raises(UnsupportedModel, match=r"another file.*'c'"):
        read(tmp_path, fields)


def test_strings_and_packed_integers(tmp_path: Path) -> None:
    texts = Tensor(np.array(["", "wörter", "z" * 300], object).reshape(3, 1), Type(STRING, (3, 1)))
    fours = Tensor(np.array([-8, 7, 1], ml_dtypes.int4))
    outs = {"a": Value(texts.type, "a", data=texts), "b": Value(fours.type, "b", data=fours)}
    file = tmp_path / "m.tflite"
    tflite.write(Graph({}, outs), file)
    got = tflite.read(file).outputs
    assert got["a"].numpy().tolist() == texts.numpy().tolist()
    assert got["b"].numpy().tolist() == [-8, 7, 1]
    assert got["b"].type == fours.type


def test_signatures(tmp_path: Path) -> None:
    one = {"tensors": [{"name": "x", "shape": [2]}, {"name": "y", "shape": [2]}], "inputs": [0], "outputs": [1],
           "operators": [{"opcode_index": 0, "inputs": [0], "outputs": [1]}]}
    fields = model(operator_codes=[{"builtin_code": "NEG"}, {"builtin_code": "EXP"}], subgraphs=[
        one, {**one, "operators": [{"opcode_index": 1, "inputs": [0], "outputs": [1]}]}], signature_defs=[
        {"signature_key": "first", "subgraph_index": 0, "inputs": [{"name": "a", "tensor_index": 0}],
         "outputs": [{"name": "b", "tensor_index": 1}, {"name": "again", "tensor_index": 1}]},
        {"signature_key": "second", "subgraph_index": 1, "inputs": [{"name": "p", "tensor_index": 0}],
         "outputs": [{"name": "q", "tensor_index": 1}]}])
    g = read(tmp_path, fields)
    assert (list(g.inputs), list(g.outputs), g.nodes[0].op) == (["a"], ["b", "again"], "NEG")
    assert [str(n) for n in g.notes] == ["info: read signature 'first'; the others: second"]
    g = read(tmp_path, fields, signature="second")
    assert (list(g.inputs), list(g.outputs), g.nodes[0].op) == (["p"], ["q"], "EXP")
    with pytest.raises(UsageError, match="no signature 'third'"):
        read(tmp_path, fields, signature="third")
    fields["signature_defs"][1]["signature_key"] = "serving_default"
    assert read(tmp_path, fields).nodes[0].op == "EXP"


def test_equal_names_are_made_different(tmp_path: Path) -> None:
    t = {"name": "x", "shape": [2]}
    sub = {"tensors": [t, t, {"shape": [2]}], "inputs": [0, 1], "outputs": [2, 2], "operators": [
        {"opcode_index": 0, "inputs": [0, 1], "outputs": [2], "builtin_options_type": "AddOptions",
         "builtin_options": ADD}]}
    g = read(tmp_path, model(subgraphs=[sub]))
    assert list(g.inputs) == ["x", "x_1"]
    assert list(g.outputs) == ["output_0", "output_1"]


def test_numbers_of_a_newer_schema_are_told_apart(tmp_path: Path) -> None:
    g = read(tmp_path, model(operator_codes=[{"builtin_code": 4000}]))
    assert g.nodes[0].op == "unknown(4000)"
    with pytest.raises(UnsupportedModel, match=r"unknown\(4000\): no translation"):
        tflite.to_hub(g)
    fields = model()
    fields["subgraphs"][0]["operators"][0]["builtin_options"] = {"fused_activation_function": 77}
    with pytest.raises(UnsupportedModel, match=r"unknown\(77\)"):
        tflite.to_hub(read(tmp_path, fields))


def test_custom_and_flex_operators_print(tmp_path: Path) -> None:
    codes = [{"builtin_code": "CUSTOM", "custom_code": "FlexErf"}]
    g = read(tmp_path, model(operator_codes=codes))
    assert g.nodes[0].op == "flex.Erf"
    with pytest.raises(UnsupportedModel, match=r"flex\.Erf"):
        tflite.to_hub(g)


def test_sparse_constants_are_densified(tmp_path: Path) -> None:
    """[[1, 0, 2], [0, 0, 0], [0, 3, 0]] by rows: dense rows, compressed columns."""
    fields = model()
    sub = fields["subgraphs"][0]
    sub["tensors"][0]["shape"] = sub["tensors"][2]["shape"] = [3, 3]
    sub["tensors"][1].update(shape=[3, 3], sparsity={"traversal_order": [0, 1], "dim_metadata": [
        {"format": "DENSE", "dense_size": 3},
        {"format": "SPARSE_CSR", "array_segments_type": 3, "array_segments": {"values": [0, 2, 2, 3]},
         "array_indices_type": 3, "array_indices": {"values": [0, 2, 1]}}]})
    fields["buffers"][1]["data"] = np.array([1, 2, 3], "<f4").tobytes()
    c = read(tmp_path, fields).nodes[0].inputs[1]
    assert c is not None
    assert c.numpy().tolist() == [[1, 0, 2], [0, 0, 0], [0, 3, 0]]
    sub["tensors"][1]["sparsity"]["dim_metadata"][1]["array_indices"]["values"] = [0, 2, 9]
    with pytest.raises(CorruptFile, match="outside of its shape"):
        read(tmp_path, fields)
    sub["tensors"][1]["sparsity"]["dim_metadata"][1]["array_indices"]["values"] = [0, 2]
    with pytest.raises(CorruptFile, match="sparse"):
        read(tmp_path, fields)


def test_blocks_of_a_sparse_constant(tmp_path: Path) -> None:
    """[4, 4] in blocks of [2, 2], the two on the diagonal stored."""
    fields = model()
    sub = fields["subgraphs"][0]
    sub["tensors"][0]["shape"] = sub["tensors"][2]["shape"] = [4, 4]
    sub["tensors"][1].update(shape=[4, 4], sparsity={"traversal_order": [0, 1, 2, 3], "block_map": [0, 1],
                                                     "dim_metadata": [
        {"format": "DENSE", "dense_size": 2},
        {"format": "SPARSE_CSR", "array_segments_type": 1, "array_segments": {"values": [0, 1, 2]},
         "array_indices_type": 1, "array_indices": {"values": [0, 1]}},
        {"format": "DENSE", "dense_size": 2}, {"format": "DENSE", "dense_size": 2}]})
    fields["buffers"][1]["data"] = np.arange(1, 9, dtype="<f4").tobytes()
    c = read(tmp_path, fields).nodes[0].inputs[1]
    assert c is not None
    assert c.numpy().tolist() == [[1, 2, 0, 0], [3, 4, 0, 0], [0, 0, 5, 6], [0, 0, 7, 8]]


def broken(what: str) -> dict[str, Any]:
    fields = model()
    sub, op = fields["subgraphs"][0], fields["subgraphs"][0]["operators"][0]
    if what == "no graph":
        fields["subgraphs"] = []
    elif what == "version":
        fields["version"] = 4
    elif what == "tensor index":
        op["inputs"] = [0, 9]
    elif what == "negative tensor index":
        op["inputs"] = [0, -2]
    elif what == "graph input index":
        sub["inputs"] = [3]
    elif what == "buffer index":
        sub["tensors"][1]["buffer"] = 7
    elif what == "operator code":
        op["opcode_index"] = 1
    elif what == "twice":
        sub["operators"] = [op, op]
    elif what == "cycle":
        op["inputs"] = [2, 1]
    elif what == "constant computed":
        op["outputs"] = [1]
        sub["outputs"] = [1]
    elif what == "never computed":
        sub["operators"] = []
    elif what == "shape product":
        sub["tensors"][1]["shape"] = [1 << 20, 1 << 20, 1 << 20, 1 << 20]
    elif what == "wrapping shape":
        sub["tensors"][1]["shape"] = [65536, 65536, 65536, 65536, 2]
    elif what == "negative shape":
        sub["tensors"][1]["shape"] = [-2]
    elif what == "too little data":
        fields["buffers"][1]["data"] = b"1234567"
    elif what == "scales":
        sub["tensors"][1].update(type="INT8", shape=[8], quantization={"scale": np.ones(3, "f4")})
    elif what == "zero points":
        sub["tensors"][1].update(type="INT8", shape=[8], quantization={"scale": np.ones(8, "f4"), "zero_point": [1, 2]})
    elif what == "strings":
        sub["tensors"][1].update(type="STRING")
    elif what == "signature":
        fields["signature_defs"] = [{"signature_key": "s", "inputs": [{"name": "x", "tensor_index": 40}]}]
    elif what == "signature graph":
        fields["signature_defs"] = [{"signature_key": "s", "subgraph_index": 3}]
    elif what == "a graph inside itself":
        fields["operator_codes"] = [{"builtin_code": "WHILE"}]
        op.update(builtin_options_type="WhileOptions", builtin_options={"cond_subgraph_index": 0})
    return fields


@pytest.mark.parametrize("what", ["no graph", "version", "tensor index", "negative tensor index", "graph input index",
                                  "buffer index", "operator code", "twice", "cycle", "constant computed",
                                  "never computed", "shape product", "wrapping shape", "negative shape",
                                  "too little data", "scales", "zero points", "strings", "signature",
                                  "signature graph", "a graph inside itself"])
def test_what_is_wrong_with_a_file_is_found(tmp_path: Path, what: str) -> None:
    read(tmp_path, model())
    with pytest.raises((CorruptFile, LimitExceeded)) as e:
        read(tmp_path, broken(what))
    assert "m.tflite" in str(e.value) or isinstance(e.value, LimitExceeded)


def test_graphs_that_double_in_number_are_limited(tmp_path: Path) -> None:
    """Forty graphs, each branching into the next one twice, would be 2 ** 40 nodes to walk."""
    t = [{"name": "c", "shape": [], "type": "BOOL"}, {"name": "y", "shape": [], "type": "BOOL"}]
    subs = [{"tensors": t, "inputs": [0], "outputs": [1], "operators": [
        {"opcode_index": 0, "inputs": [0, 0], "outputs": [1], "builtin_options_type": "IfOptions",
         "builtin_options": {"then_subgraph_index": k + 1, "else_subgraph_index": k + 1}}]} for k in range(40)]
    subs.append({"tensors": t, "inputs": [0], "outputs": [0]})
    with pytest.raises(LimitExceeded, match="nodes"):
        read(tmp_path, model(subgraphs=subs, operator_codes=[{"builtin_code": "IF"}]))


def test_limits_hold(tmp_path: Path) -> None:
    for limits in (Limits(nodes=0), Limits(tensors=2), Limits(file_bytes=10), Limits(rank=1), Limits(name_bytes=1)):
        with pytest.raises(LimitExceeded):
            read(tmp_path, model(), limits=limits)


def test_an_empty_file_and_a_missing_one(tmp_path: Path) -> None:
    (tmp_path / "e.tflite").write_bytes(b"")
    with pytest.raises(CorruptFile, match="empty"):
        tflite.read(tmp_path / "e.tflite")
    with pytest.raises(UsageError, match="cannot read"):
        tflite.read(tmp_path / "none.tflite")


def variables() -> dict[str, Any]:
    """y = x + state; state = y, the state first 5 by CALL_ONCE."""
    handle = {"name": "h", "shape": [], "type": "RESOURCE"}
    f = {"shape": [2], "type": "FLOAT32"}
    var = {"opcode_index": 1, "outputs": [1], "builtin_options_type": "VarHandleOptions",
           "builtin_options": {"shared_name": "s"}}
    once = {"opcode_index": 0, "builtin_options_type": "CallOnceOptions", "builtin_options": {"init_subgraph_index": 1}}
    add = {"opcode_index": 4, "inputs": [0, 2], "outputs": [3], "builtin_options_type": "AddOptions",
           "builtin_options": ADD}
    main = {"tensors": [{**f, "name": "x"}, handle, {**f, "name": "old"}, {**f, "name": "y"}], "inputs": [0],
            "outputs": [3], "operators": [once, var, {"opcode_index": 2, "inputs": [1], "outputs": [2]}, add,
                                          {"opcode_index": 3, "inputs": [1, 3]}]}
    init = {"tensors": [{**f, "name": "five", "buffer": 1}, handle],
            "operators": [var, {"opcode_index": 3, "inputs": [1, 0]}]}
    codes = ["CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "ADD"]
    return model(subgraphs=[main, init], operator_codes=[{"builtin_code": c} for c in codes],
                 buffers=[{}, {"data": np.array([5, 5], "<f4").tobytes()}])


def test_variables_start_anew_or_flow(tmp_path: Path) -> None:
    g = read(tmp_path, variables())
    assert str(g).splitlines()[1].startswith("  %y: float32[2] = ADD(%x, [5.,5.]")
    assert "start from their initial values" in str(g.notes)
    g = read(tmp_path, variables(), state="explicit")
    assert list(g.inputs) == ["x", "state:s"]
    assert list(g.outputs) == ["y", "state:s:next"]
    assert g.outputs["state:s:next"] is g.outputs["y"]
    with pytest.raises(UsageError, match="neither"):
        read(tmp_path, variables(), state="none")


def test_an_effect_in_a_body_is_not_lost(tmp_path: Path) -> None:
    fields = variables()
    _, init = fields["subgraphs"]
    t = {"name": "p", "shape": [], "type": "BOOL"}
    outer = {"tensors": [t, {"name": "y", "shape": [2]}], "inputs": [0], "outputs": [1], "operators": [
        {"opcode_index": 5, "inputs": [0], "outputs": [1], "builtin_options_type": "IfOptions",
         "builtin_options": {"then_subgraph_index": 1, "else_subgraph_index": 2}}]}
    init.update(outputs=[0])
    fields["subgraphs"] = [outer, init, {"tensors": [init["tensors"][0]], "outputs": [0]}]
    fields["operator_codes"].append({"builtin_code": "IF"})
    g = read(tmp_path, fields)
    assert "ASSIGN_VARIABLE" in str(g)
    with pytest.raises(UnsupportedModel, match="ASSIGN_VARIABLE"):
        tflite.to_hub(g)


def labelled() -> dict[str, Any]:
    meta = io.BytesIO()
    unit = {"options_type": "NormalizationOptions", "options": {"mean": np.float32([127.5]), "std": np.float32([64])}}
    file = {"name": "labels.txt", "type": "TENSOR_AXIS_LABELS"}
    Writer(schema("tflite_metadata")).write({"name": "N", "author": "A", "subgraph_metadata": [
        {"input_tensor_metadata": [{"name": "image", "process_units": [unit]}],
         "output_tensor_metadata": [{"associated_files": [file]}]}]}, meta)
    return model(metadata=[{"name": "TFLITE_METADATA", "buffer": 2}, {"name": "min_runtime_version", "buffer": 3}],
                 buffers=[*model()["buffers"], {"data": meta.getvalue()}, {"data": b"1.5.0".ljust(16, b"\0")}])


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_metadata_and_labels(tmp_path: Path, method: int) -> None:
    path = save(tmp_path / "m.tflite", labelled())
    with zipfile.ZipFile(path, "a", method) as z:
        z.writestr("labels.txt", "cat\ndog\n")
    meta = tflite.read(path).meta
    assert meta["tflite:labels"] == "cat\ndog\n"
    assert meta["tflite:normalization"] == '{"x": {"mean": [127.5], "std": [64.0]}}'
    assert meta["tflite:min_runtime_version"] == "1.5.0"
    assert (meta["tflite:name"], meta["tflite:author"]) == ("N", "A")
    data = bytearray(path.read_bytes())
    for at in range(data.index(b"PK"), len(data)):  # a broken archive costs a note, never the model
        mutant = bytearray(data)
        mutant[at] ^= 0xFF
        path.write_bytes(mutant)
        g = tflite.read(path)
        assert g.meta.get("tflite:labels", "cat\ndog\n") == "cat\ndog\n"
        assert "tflite:labels" in g.meta or g.notes


def test_a_bomb_behind_the_model_is_left_alone(tmp_path: Path) -> None:
    path = save(tmp_path / "m.tflite", labelled())
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as z:
        z.writestr("labels.txt", b"\0" * (64 << 20))
    g = tflite.read(path)
    assert "tflite:labels" not in g.meta
    assert any("labels.txt" in n.message for n in g.notes)


def test_broken_metadata_costs_a_note(tmp_path: Path) -> None:
    fields = labelled()
    fields["buffers"][2]["data"] = fields["buffers"][2]["data"][:-30]
    g = read(tmp_path, fields)
    assert any(n.kind == "dropped" for n in g.notes)


def test_quantization(tmp_path: Path) -> None:
    fields = model()
    fields["subgraphs"][0]["tensors"][1].update(type="INT8", shape=[2, 4], quantization={
        "scale": np.float32([0.5, 0.25]), "zero_point": [0, 0], "quantized_dimension": 0})
    c = read(tmp_path, fields).nodes[0].inputs[1]
    assert c is not None
    assert isinstance(c.type.quant, Quant)
    assert c.type.quant.axis == 0
    assert c.type.quant.scale.tolist() == [0.5, 0.25]


def test_attributes_nobody_handles_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.tflite"
    x = Value(Type(F32, (2, 2)), "x")
    node = Node("MUL", [x, x], {"fused_activation_function": "NONE"}, [Type(F32, (2, 2))])
    tflite.write(Graph({"x": x}, {"y": node.outputs[0]}), file)
    raw = tflite.read(file)
    raw.nodes[0].attrs["surprise"] = 1  # type: ignore[index]
    with pytest.raises(UnsupportedModel, match="surprise"):
        tflite.to_hub(raw)


def test_a_buffer_reached_by_a_huge_number_of_tensors_costs_no_memory(tmp_path: Path) -> None:
    fields = model()
    fields["subgraphs"][0]["tensors"] += [{"name": f"t{k}", "shape": [2], "buffer": 1} for k in range(2000)]
    assert len(read(tmp_path, fields).nodes) == 1


def test_random_words_are_typed_errors_or_harmless(tmp_path: Path) -> None:
    data = save(tmp_path / "m.tflite", variables()).read_bytes()
    path = tmp_path / "n.tflite"
    rng = np.random.default_rng(0)
    for _ in range(600):
        mutant = bytearray(data)
        for at in rng.integers(0, len(data) - 4, rng.integers(1, 4)):
            word = rng.choice([0, 1, 0xFFFFFFFF, 0x7FFFFFFF, int(rng.integers(1 << 32))])
            struct.pack_into("<I", mutant, int(at), int(word))
        path.write_bytes(mutant)
        with contextlib.suppress(ModelportError):
            tflite.to_hub(tflite.read(path))


def test_many_inputs_of_one_name_cost_linear_time(tmp_path: Path) -> None:
    n = 20_000
    sub = {"tensors": [{"name": "x", "shape": [1]}] * n, "inputs": range(n), "outputs": [0], "operators": []}
    start = time.process_time()
    assert list(read(tmp_path, model(subgraphs=[sub])).inputs)[-1] == f"x_{n - 1}"
    assert time.process_time() - start < 10  # squared it would be minutes


def test_tensors_that_are_one_table_are_refused(tmp_path: Path) -> None:
    data = bytearray(save(tmp_path / "m.tflite", model()).read_bytes())
    sub = Reader(memoryview(bytes(data)), schema("tflite")).root()["subgraphs"][0]
    first = sub.location("tensors")
    second, = struct.unpack_from("<I", data, first + 4)
    struct.pack_into("<I", data, first, second + 4)  # offsets count from where they are
    (tmp_path / "n.tflite").write_bytes(data)
    with pytest.raises(CorruptFile, match="one table"):
        tflite.read(tmp_path / "n.tflite")
