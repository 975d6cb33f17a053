"""What an .onnx file may hold, and what it must not."""
from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import convert, load, model, run, same

from modelport.codecs.limits import DEFAULT
from modelport.codecs.protobuf import header
from modelport.errors import CorruptFile, LimitExceeded, UnsafeModel, UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.ir.types import BITS, NUMBER, STRING, DType

RNG = np.random.default_rng(0)
X = RNG.standard_normal((2, 3)).astype(np.float32)
node = helper.make_node


def elements(dtype: DType, n: int) -> Any:
    """Some elements of a type, small numbers that all types hold."""
    if dtype == STRING:
        return np.array([f"é{k}" for k in range(n)], object)
    return RNG.integers(1, 3 if "int2" not in dtype.name else 2, n).astype(np.float32).astype(dtype)


def typed(array: Any, number: int) -> TensorProto:
    """A tensor whose elements are in the field of their type, not raw (onnx.proto, TensorProto)."""
    t = TensorProto(name="t", data_type=number, dims=array.shape)
    flat = array.reshape(-1)
    bits = BITS.get(array.dtype, 8)
    if array.dtype == STRING:
        t.string_data.extend(s.encode() for s in flat)
    elif bits < 6:
        raw = numpy_helper.from_array(array).raw_data
        t.int32_data.extend(raw)
    elif array.dtype.kind == "c":
        (t.float_data if array.dtype == np.complex64 else t.double_data).extend(flat.view(flat.real.dtype).tolist())
    elif array.dtype in (np.float32, np.float64):
        (t.float_data if array.dtype == np.float32 else t.double_data).extend(flat.tolist())
    elif array.dtype in (np.uint32, np.uint64):
        t.uint64_data.extend(flat.tolist())
    elif array.dtype == np.int64:
        t.int64_data.extend(flat.tolist())
    else:
        small = flat.view(np.uint8 if array.dtype.itemsize == 1 else np.uint16) \
            if "float" in array.dtype.name else flat
        t.int32_data.extend(int(v) for v in small)
    return t


def with_tensor(t: TensorProto, inside: bool = False) -> onnx.ModelProto:
    """A model whose output ``y`` is a tensor: an initializer, or the attribute of a Constant inside of an If."""
    t.name = "t"
    nodes = [node("Identity", ["t"], ["y"])]
    if inside:
        constant = node("Constant", [], ["t"], value=t)
        body = helper.make_graph([constant, *nodes], "b", [], [onnx.ValueInfoProto(name="y")])
        nodes = [node("If", ["c"], ["y"], then_branch=body, else_branch=body)]
    m = model(nodes, {"c": np.array(True)}, ["y"], ir=14)
    if not inside:
        m.graph.initializer.append(t)
    return m


@pytest.mark.parametrize("n", [0, 7, 5001])  # the large ones stay in the file
@pytest.mark.parametrize("dtype", NUMBER, ids=lambda d: d.name)
@pytest.mark.parametrize("form", ["raw", "typed", "inside"])
def test_every_element_type(tmp_path: Path, dtype: DType, n: int, form: str) -> None:
    array = elements(dtype, n)
    t = typed(array, NUMBER[dtype]) if form == "typed" else numpy_helper.from_array(array, "t")
    if form == "typed" and dtype != STRING:
        np.testing.assert_array_equal(numpy_helper.to_array(t).view(np.uint8), array.view(np.uint8))
    raw = load(tmp_path, with_tensor(t, form == "inside"))
    inner = next(iter(raw.nodes)).attrs["then_branch"].nodes[0].attrs["value"] if form == "inside" else None
    tensor = inner or raw.constants[0].data
    assert tensor.type.dtype == dtype
    assert tensor.numpy().tolist() == array.tolist()
    again = format_onnx.read(save_unchecked(tmp_path, raw))
    inner = next(iter(again.nodes)).attrs["then_branch"].nodes[0].attrs["value"] if form == "inside" else None
    assert (inner or again.constants[0].data).numpy().tolist() == array.tolist()


def save_unchecked(folder: Path, raw: Any) -> Path:
    format_onnx.write(raw, folder / "target.onnx")
    return folder / "target.onnx"


def test_large_weights_stay_in_the_file(tmp_path: Path) -> None:
    array = RNG.standard_normal(10000).astype(np.float32)
    for t in (numpy_helper.from_array(array, "t"), typed(array, 1)):
        data = load(tmp_path, with_tensor(t)).constants[0].data
        assert data is not None
        assert data.raw is not None
        assert not data.numpy().flags.owndata
        assert not data.numpy().flags.writeable


@pytest.mark.parametrize(("change", "reason"), [
    (lambda t: t.dims.append(-3), "negative"), (lambda t: t.dims.append(2), "needs"),
    (lambda t: t.dims.__setitem__(0, 1 << 62), "needs|elements"),
    (lambda t: setattr(t, "data_type", 99), "element type 99"),
    (lambda t: setattr(t, "data_type", 0), "element type 0"),
    (lambda t: setattr(t, "raw_data", b"abc"), "needs 24 bytes"),
    (lambda t: t.ClearField("raw_data"), "needs 6 numbers"), (lambda t: setattr(t, "data_type", 8), "elements"),
    (lambda t: t.dims.extend([1] * 70), "rank"), (lambda t: t.dims.extend([1 << 40, 1 << 40]), "elements|needs"),
    (lambda t: t.dims.__setitem__(0, 0) or t.dims.extend([1 << 62] * 3), "elements"),
])
def test_sizes_are_checked_against_the_bytes(tmp_path: Path, change: Callable[[TensorProto], Any], reason: str) -> None:
    t = numpy_helper.from_array(X, "t")
    change(t)
    with pytest.raises((CorruptFile, LimitExceeded), match=reason):
        load(tmp_path, with_tensor(t))


# --- data in other files


def external(location: str, offset: object = None, length: object = None, shape: tuple[int, ...] = (2, 3),
             ) -> onnx.ModelProto:
    t = TensorProto(name="t", data_type=1, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        if value is not None:
            t.external_data.add(key=key, value=str(value))
    return with_tensor(t)


def test_data_in_other_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "w.bin").write_bytes(b"\0" * 64 + X.tobytes() + b"more")
    for m in (external("sub/w.bin", 64, 24), external("sub/w.bin", 64), external("./sub/w.bin", "64", "24")):
        data = load(tmp_path, m).constants[0].data
        assert data is not None
        np.testing.assert_array_equal(data.numpy(), X)


@pytest.mark.parametrize(("m", "error", "reason"), [
    (external("../w.bin"), UnsafeModel, "leaves"), (external("/etc/passwd"), UnsafeModel, "absolute"),
    (external("link.bin"), UnsafeModel, "link"), (external("folder"), UnsafeModel, "not a"),
    (external("hard.bin"), UnsafeModel, "hard link"), (external("file:///etc/passwd"), UnsafeModel, "URI"),
    (external("a\0b"), UnsafeModel, "NUL"), (external("missing.bin"), CorruptFile, "missing"),
    (external("w.bin", 8), CorruptFile, "has 24"), (external("w.bin", -8), CorruptFile, "-8"),
    (external("w.bin", 0, 12), CorruptFile, "needs 24"), (external("w.bin", "x"), CorruptFile, "no number"),
    (external("w.bin", 1 << 70), CorruptFile, "has 24"), (external("w.bin", 0, -1), CorruptFile, "-1"),
])
def test_other_files_keep_the_policy(tmp_path: Path, m: onnx.ModelProto, error: type[Exception], reason: str) -> None:
    folder = tmp_path / "model"
    (folder / "folder").mkdir(parents=True)
    (folder / "w.bin").write_bytes(X.tobytes())
    (tmp_path / "secret").write_bytes(X.tobytes())
    os.symlink(tmp_path / "secret", folder / "link.bin")
    os.link(tmp_path / "secret", folder / "hard.bin")
    with pytest.raises(error, match=reason):
        load(folder, m)


def test_an_entry_twice_is_refused(tmp_path: Path) -> None:
    m = external("w.bin")
    m.graph.initializer[0].external_data.add(key="location", value="other")
    with pytest.raises(CorruptFile, match="twice"):
        load(tmp_path, m)


# --- names, scopes, order


def branch(*nodes: Any, out: str = "r") -> onnx.GraphProto:
    return helper.make_graph(list(nodes), "branch", [], [helper.make_tensor_value_info(out, 1, None)])


def test_bodies_are_closed(tmp_path: Path) -> None:
    """A body two levels down reads a value, a constant and an input of the outermost graph."""
    deep = node("If", ["c"], ["r"], then_branch=branch(node("Add", ["m", "w"], ["r"])),
                else_branch=branch(node("Sub", ["m", "x"], ["r"])))
    m = model([node("Neg", ["x"], ["m"]),
               node("If", ["c"], ["y"], then_branch=branch(deep), else_branch=branch(node("Identity", ["x"], ["r"])))],
              {"x": X, "c": np.array(True)}, ["y"], 17, initializers={"w": X * 10})
    raw = load(tmp_path, m)
    outer = raw.nodes[-1]
    assert outer.attrs["captures"] == 3  # m, c and x; the constant w needs no capture
    for body in outer.bodies.values():
        reached = {v for n in body.nodes for v in n.inputs if v is not None and v.data is None and v.node is None}
        assert reached <= set(body.inputs.values())
    for condition in (True, False):
        feed = {"x": X, "c": np.array(condition)}
        same(run(convert(tmp_path, m), feed), run(m, feed))


def test_loops_carry_and_capture(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("Add", ["state", "x"], ["next"]), node("Identity", ["go"], ["go_out"]),
         node("Mul", ["next", "k"], ["scan"])],
        "body", [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("go", 9, []),
                 helper.make_tensor_value_info("state", 1, [2, 3])],
        [helper.make_tensor_value_info(n, t, None) for n, t in (("go_out", 9), ("next", 1), ("scan", 1))])
    m = model([node("Loop", ["n", "", "x"], ["last", "all"], body=body)],
              {"x": X, "n": np.array(3), "k": np.array(2, np.float32)}, ["last", "all"], 17)
    feed = {"x": X, "n": np.array(3), "k": np.array(2, np.float32)}
    same(run(convert(tmp_path, m), feed), run(m, feed))


def test_a_loop_without_condition_or_state(tmp_path: Path) -> None:
    body = helper.make_graph(
        [node("Identity", ["go"], ["go_out"]), node("Cast", ["i"], ["f"], to=1)], "body",
        [helper.make_tensor_value_info("i", 7, []), helper.make_tensor_value_info("go", 9, [])],
        [helper.make_tensor_value_info("go_out", 9, []), helper.make_tensor_value_info("f", 1, [])])
    m = model([node("Loop", ["n", ""], ["all"], body=body)], {"n": np.array(3)}, ["all"], 17)
    same(run(convert(tmp_path, m), {"n": np.array(4)}), [np.arange(4, dtype=np.float32)])


def test_a_body_may_shadow(tmp_path: Path) -> None:
    m = model([node("Neg", ["x"], ["r"]),
               node("If", ["c"], ["y"], then_branch=branch(node("Abs", ["x"], ["r"])),
                    else_branch=branch(node("Identity", ["r"], ["z"]), out="z"))],
              {"x": X, "c": np.array(True)}, ["y"], 17)
    for condition, expected in ((True, np.abs(X)), (False, -X)):
        same(run(convert(tmp_path, m), {"x": X, "c": np.array(condition)}), [expected])


def test_nodes_in_any_order(tmp_path: Path) -> None:
    nodes = [node("Add", ["a", "b"], ["y"]), node("If", ["c"], ["b"], then_branch=branch(node("Exp", ["a"], ["r"])),
                                                 else_branch=branch(node("Identity", ["a"], ["r"]))),
             node("Neg", ["x"], ["a"])]
    m = model(nodes, {"x": X, "c": np.array(True)}, ["y"], 17)
    same(run(convert(tmp_path, m), {"x": X, "c": np.array(True)}), [-X + np.exp(-X)])


@pytest.mark.parametrize(("nodes", "reason"), [
    ([node("Neg", ["nowhere"], ["y"])], "nothing defines it"),
    ([node("Neg", ["y"], ["a"]), node("Neg", ["a"], ["y"])], "cycle"),
    ([node("Neg", ["x"], ["y"]), node("Abs", ["x"], ["y"])], "two values"),
    ([node("Neg", ["x"], ["x"]), node("Neg", ["x"], ["y"])], "two values|cycle"),
    ([node("Abs", ["x"], ["z"])], "nothing defines it"),
    ([node("If", ["x"], ["y"], then_branch=branch(node("Neg", ["gone"], ["r"])), else_branch=branch())],
     "nothing defines"),
    ([node("If", ["x"], ["y"], then_branch=branch(node("Neg", ["y"], ["r"])), else_branch=branch())],
     "cycle|nothing defines"),
])
def test_broken_graphs(tmp_path: Path, nodes: list[Any], reason: str) -> None:
    with pytest.raises(CorruptFile, match=reason):
        load(tmp_path, model(nodes, {"x": X}, ["y"], 17))


def test_initializers_among_the_inputs(tmp_path: Path) -> None:
    m = model([node("Add", ["x", "w"], ["y"])], {"x": X, "w": X}, ["y"], 7, initializers={"w": X * 2}, ir=3)
    raw = load(tmp_path, m)
    assert list(raw.inputs) == ["x"]
    same(run(convert(tmp_path, m), {"x": X}), [X * 3])


def test_a_deep_body_is_refused(tmp_path: Path) -> None:
    body = branch(node("Neg", ["x"], ["r"]))
    for _ in range(30):
        body = branch(node("If", ["c"], ["r"], then_branch=body, else_branch=branch(node("Abs", ["x"], ["r"]))))
    m = model([node("If", ["c"], ["y"], then_branch=body, else_branch=body)], {"x": X, "c": np.array(True)}, ["y"], 17)
    with pytest.raises((LimitExceeded, CorruptFile)):
        load(tmp_path, m)


def test_an_input_with_a_default_is_noted(tmp_path: Path) -> None:
    m = model([node("Add", ["x", "w"], ["y"])], {"x": X, "w": X}, ["y"], 17, initializers={"w": X * 2}, ir=8)
    raw = load(tmp_path, m)
    assert [(n.kind, n.where) for n in raw.notes] == [("changed", "w")]
    assert list(raw.inputs) == ["x"]


def test_messages_nested_10000_deep(tmp_path: Path) -> None:
    raw = b"\0" * 2000  # longer than what is left unseen
    for _ in range(10_000 // 3):
        for field in (1, 5, 6):  # a node of a graph, an attribute of a node, a graph of an attribute
            raw = header(field, len(raw)) + raw
    (tmp_path / "deep.onnx").write_bytes(b"\x08\x08" + header(7, len(raw)) + raw)
    with pytest.raises((LimitExceeded, CorruptFile)):
        format_onnx.read(tmp_path / "deep.onnx")


# --- functions


def function(name: str, ins: list[str], outs: list[str], nodes: list[Any], attributes: tuple[str, ...] = (),
             defaults: tuple[Any, ...] = (), opset: int = 17) -> onnx.FunctionProto:
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("my", 1)]
    return helper.make_function("my", name, ins, outs, nodes, imports, list(attributes), list(defaults))


def reference(kind: int, name: str, source: str) -> onnx.AttributeProto:
    return onnx.AttributeProto(name=name, type=kind, ref_attr_name=source)


def with_functions(m: onnx.ModelProto, *functions: onnx.FunctionProto) -> onnx.ModelProto:
    m.functions.extend(functions)
    m.opset_import.add(domain="my", version=1)
    return m


def test_functions_are_inlined(tmp_path: Path) -> None:
    """Nested, with an attribute given, one by default, an absent input, and a body that captures an argument."""
    leaky = node("LeakyRelu", ["a"], ["o"])
    leaky.attribute.append(reference(1, "alpha", "slope"))
    inner = function("Inner", ["a"], ["o"], [leaky], defaults=(helper.make_attribute("slope", 0.5),))
    call = node("Inner", ["s"], ["t"], domain="my")
    call.attribute.append(reference(1, "slope", "beta"))
    chosen = node("If", ["c"], ["u"], then_branch=branch(node("Neg", ["t"], ["r"])),
                  else_branch=branch(node("Identity", ["t"], ["r"])))
    clip = node("Clip", ["u", "low"], ["v"])
    outer = function("Outer", ["p", "c", "low"], ["v"], [node("Add", ["p", "p"], ["s"]), call, chosen, clip], ("beta",))
    m = with_functions(model([node("Outer", ["x", "c"], ["h"], domain="my", beta=0.25, name="first"),
                              node("Inner", ["h"], ["y"], domain="my")], {"x": X, "c": np.array(True)}, ["y"], 17),
                       inner, outer)
    raw = load(tmp_path, m)
    assert {n.op for n in raw.walk()} == {"Add", "LeakyRelu", "If", "Neg", "Identity", "Clip"}
    for condition in (True, False):
        feed = {"x": X, "c": np.array(condition)}
        same(run(convert(tmp_path, m), feed), run(m, feed))


def test_a_function_that_calls_itself(tmp_path: Path) -> None:
    a = function("A", ["a"], ["o"], [node("B", ["a"], ["o"], domain="my")])
    b = function("B", ["a"], ["o"], [node("A", ["a"], ["o"], domain="my")])
    m = with_functions(model([node("A", ["x"], ["y"], domain="my")], {"x": X}, ["y"], 17), a, b)
    with pytest.raises(CorruptFile, match="calls itself"):
        load(tmp_path, m)


def test_functions_that_explode(tmp_path: Path) -> None:
    """28 functions, each calling the next twice: refused before a node of them is made."""
    functions = [function(f"F{k}", ["a"], ["o"], [node(f"F{k + 1}", ["a"], ["b"], domain="my"),
                                                   node(f"F{k + 1}", ["b"], ["o"], domain="my")]) for k in range(28)]
    functions.append(function("F28", ["a"], ["o"], [node("Neg", ["a"], ["o"])]))
    m = with_functions(model([node("F0", ["x"], ["y"], domain="my")], {"x": X}, ["y"], 17), *functions)
    with pytest.raises(LimitExceeded, match="nodes"):
        load(tmp_path, m)


def test_a_function_of_another_operator_set(tmp_path: Path) -> None:
    same_meaning = function("F", ["a"], ["o"], [node("Relu", ["a"], ["o"])], opset=18)
    m = with_functions(model([node("F", ["x"], ["y"], domain="my")], {"x": X}, ["y"], 17), same_meaning)
    same(run(convert(tmp_path, m), {"x": X}), [np.maximum(X, 0)])
    other = function("F", ["a"], ["o"], [node("ReduceSum", ["a"], ["o"])], opset=11)
    m = with_functions(model([node("F", ["x"], ["y"], domain="my")], {"x": X}, ["y"], 17), other)
    with pytest.raises(CorruptFile, match="ReduceSum of version 11"):
        load(tmp_path, m)


# --- the rest of a file


def test_what_a_file_says_about_itself_is_kept(tmp_path: Path) -> None:
    m = model([node("Neg", ["x"], ["y"], name="n", doc_string="negates")], {"x": X}, ["y"], 17, doc_string="about",
              model_version=3, domain="org.example", producer_name="somebody")
    helper.set_model_props(m, {"labels": "a,b", "author": "me"})
    m.graph.doc_string = "a graph"
    m.graph.input[0].doc_string = "an image"
    m.graph.input[0].type.denotation = "IMAGE"
    m.graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    m.graph.node[0].metadata_props.add(key="origin", value="layer 3")
    out = convert(tmp_path, m)
    assert {p.key: p.value for p in out.metadata_props} == {"labels": "a,b", "author": "me"}
    assert (out.doc_string, out.model_version, out.domain) == ("about", 3, "org.example")
    assert out.producer_name == "modelport"
    assert out.graph.doc_string == "a graph"
    assert out.graph.input == m.graph.input
    assert (out.graph.node[0].name, out.graph.node[0].doc_string) == ("n", "negates")
    assert out.graph.node[0].metadata_props == m.graph.node[0].metadata_props


def test_what_is_dropped_is_noted(tmp_path: Path) -> None:
    m = model([node("Neg", ["x"], ["y"])], {"x": X}, ["y"], 17)
    m.training_info.add().algorithm.name = "sgd"
    m.graph.quantization_annotation.add(tensor_name="x")
    assert {(n.kind, n.message.split(":")[0]) for n in load(tmp_path, m).notes} == {
        ("dropped", "training_info"), ("dropped", "quantization_annotation")}


@pytest.mark.parametrize("flat", [True, False])
def test_sparse_tensors_become_dense(tmp_path: Path, flat: bool) -> None:
    dense = np.zeros((3, 4), np.float32)
    dense[0, 1], dense[2, 3] = 5, 7
    at = np.argwhere(dense)
    indices = at[:, 0] * 4 + at[:, 1] if flat else at
    sparse = helper.make_sparse_tensor(numpy_helper.from_array(dense[dense != 0], "w"),
                                       numpy_helper.from_array(indices.astype(np.int64)), [3, 4])
    m = model([node("Add", ["x", "w"], ["y"])], {"x": dense}, ["y"], 17)
    m.graph.sparse_initializer.append(sparse)
    same(run(convert(tmp_path, m), {"x": dense}), [dense * 2])
    sparse.indices.raw_data = np.full(indices.shape, 99, np.int64).tobytes()
    del m.graph.sparse_initializer[:]
    m.graph.sparse_initializer.append(sparse)
    with pytest.raises(CorruptFile, match="outside"):
        load(tmp_path, m)
    m.graph.sparse_initializer[0].dims[:] = [1 << 20, 1 << 19]
    with pytest.raises(LimitExceeded, match="expanded_bytes"):
        load(tmp_path, m)


def test_imports(tmp_path: Path) -> None:
    m = model([node("Neg", ["x"], ["y"])], {"x": X}, ["y"], 17)
    m.opset_import.add(domain="ai.onnx", version=16)
    with pytest.raises(CorruptFile, match="version 16 and 17"):
        load(tmp_path, m)
    del m.opset_import[:]
    m.opset_import.add(domain="other", version=1)
    with pytest.raises(UnsupportedModel, match="does not say which version"):
        format_onnx.to_hub(load(tmp_path, m))
    m.opset_import[0].domain = ""
    m.opset_import[0].version = 99
    with pytest.raises(UnsupportedModel, match="newer than the newest known"):
        format_onnx.to_hub(load(tmp_path, m))
    del m.opset_import[:]
    m.ir_version = 1
    assert load(tmp_path, m).meta["onnx:opset:ai.onnx"] == "1"


def test_inputs_that_are_no_tensors_are_named(tmp_path: Path) -> None:
    m = model([node("SequenceLength", ["s"], ["y"])], {}, ["y"], 17)
    m.graph.input.append(helper.make_tensor_sequence_value_info("s", 1, None))
    with pytest.raises(UnsupportedModel, match="sequence") as e:
        load(tmp_path, m)
    assert e.value.problems[0].where == "s"


def test_the_budget(tmp_path: Path) -> None:
    m = model([node("Neg", ["x"], ["a"]), node("Neg", ["a"], ["y"])], {"x": X}, ["y"], 17)
    load(tmp_path, m)
    with pytest.raises(LimitExceeded, match="nodes"):
        format_onnx.read(tmp_path / "source.onnx", replace(DEFAULT, nodes=1))
    with pytest.raises(LimitExceeded, match="file_bytes"):
        format_onnx.read(tmp_path / "source.onnx", replace(DEFAULT, file_bytes=10))


def test_a_long_chain(tmp_path: Path) -> None:
    n = 20_000
    m = model([node("Neg", [f"v{k}" if k else "x"], [f"v{k + 1}"]) for k in range(n)], {"x": X}, [f"v{n}"], 17)
    assert len(format_onnx.from_hub(format_onnx.to_hub(load(tmp_path, m))).nodes) == n


def test_sniffing(tmp_path: Path) -> None:
    whole = with_tensor(numpy_helper.from_array(np.zeros(10000, np.float32), "t")).SerializeToString()
    assert format_onnx.sniff(whole[:64], tmp_path / "a.bin")
    assert format_onnx.sniff(whole[:4096], tmp_path / "a.bin")
    for other in (b"PK\x03\x04" + bytes(60), b"\x1c\0\0\0TFL3" + bytes(60), b"\x89HDF\r\n\x1a\n", b"{}", b"",
                  bytes(64), b"\x80\x04\x95" + bytes(40)):
        assert not format_onnx.sniff(other, tmp_path / "a.bin"), other
