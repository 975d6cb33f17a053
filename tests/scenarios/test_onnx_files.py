"""ONNX files as exporters and tools write them, where they are out of the ordinary."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

import modelport


def _model(nodes: list[onnx.NodeProto], outputs: list[str], domains: tuple[str, ...] = ()) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["batch", 3]) for o in outputs])
    imports = [helper.make_opsetid("", 17), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def _run(path: Path, x: np.ndarray) -> list[np.ndarray]:
    return ort.InferenceSession(str(path)).run(None, {"x": x})


def test_an_output_listed_twice(tmp_path: Path) -> None:
    """torch.onnx writes such files for a module that returns the same tensor twice; ONNX Runtime runs them."""
    onnx.save(_model([helper.make_node("Relu", ["x"], ["y"]), helper.make_node("Neg", ["y"], ["z"])], ["y", "y", "z"]),
              tmp_path / "a.onnx")
    done = modelport.convert(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert done.report is not None
    assert done.report.proven
    assert [str(n) for n in done.notes] == ["dropped: an output that is listed twice is one output (at 'y')"]
    x = np.array([[1, -2, 3]], np.float32)
    y, _, z = _run(tmp_path / "a.onnx", x)
    got = _run(tmp_path / "b.onnx", x)
    np.testing.assert_array_equal(got[0], y)
    np.testing.assert_array_equal(got[1], z)
    with pytest.raises(modelport.StrictFailure):
        modelport.convert(tmp_path / "a.onnx", tmp_path / "c.onnx", strict=True)


def test_a_body_that_hands_out_a_value_twice(tmp_path: Path) -> None:
    """Outputs of a body go by position: each must stay."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Add", ["a", "b"], ["c"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", 9, []),
         helper.make_tensor_value_info("a", 1, None), helper.make_tensor_value_info("b", 1, None)],
        [helper.make_tensor_value_info("on", 9, []), helper.make_tensor_value_info("c", 1, None),
         helper.make_tensor_value_info("c", 1, None)])
    nodes = [helper.make_node("Constant", [], ["n"], value_int=3),
             helper.make_node("Neg", ["x"], ["w"]), helper.make_node("Mul", ["x", "x"], ["v"]),
             helper.make_node("Loop", ["n", "", "w", "v"], ["y", "z"], body=body)]
    onnx.save(_model(nodes, ["y", "z"]), tmp_path / "a.onnx")
    done = modelport.convert(tmp_path / "a.onnx", tmp_path / "b.onnx", verify=None)
    assert not done.notes
    x = np.array([[1, -2, 3]], np.float32)
    total = (x * x - x) * 4  # a, b = a + b, a + b: the sum doubles each turn after the first
    for got in _run(tmp_path / "b.onnx", x):
        np.testing.assert_array_equal(got, total)


def test_a_file_optimized_for_one_processor_says_so(tmp_path: Path) -> None:
    model = _model([helper.make_node("ReorderInput", ["x"], ["r"], domain="com.microsoft.nchwc"),
                    helper.make_node("ReorderOutput", ["r"], ["y"], domain="com.microsoft.nchwc", channels=3)], ["y"],
                   ("com.microsoft.nchwc",))
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(modelport.UnsupportedModel, match=r"2 operators of .* cannot be expressed as ONNX's own") as e:
        modelport.load(tmp_path / "a.onnx")
    assert "convert the model it was made from" in e.value.hint


def test_diff_of_files_with_large_constants(tmp_path: Path) -> None:
    """Weights of 64 KB and more are copied by the kernel elsewhere; here they are only hashed."""
    w = np.random.default_rng(0).standard_normal((3, 30_000)).astype(np.float32)
    for name, last in (("a", 1.0), ("b", 1.0), ("c", 2.0)):
        w[-1, -1] = last
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 30_000])],
            [onnx.numpy_helper.from_array(w, "w")])
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
                  tmp_path / f"{name}.onnx")
    assert modelport.diff(tmp_path / "a.onnx", tmp_path / "b.onnx").same
    found = modelport.diff(tmp_path / "a.onnx", tmp_path / "c.onnx")
    assert [line.partition(":")[0] for line in found.constants] == ["only in a", "only in b"]
    assert not found.operators


def test_unknown_options_are_named(tmp_path: Path) -> None:
    file = tmp_path / "a.onnx"
    onnx.save(_model([helper.make_node("Relu", ["x"], ["y"])], ["y"]), file)
    for call in (lambda: modelport.load(file, other=1), lambda: modelport.inspect(file, other=1),
                 lambda: modelport.convert(file, tmp_path / "b.onnx", other=1),
                 lambda: modelport.obstacles(file, "onnx", other=1)):
        with pytest.raises(modelport.UsageError, match="no option other"):
            call()
    assert modelport.inspect(onnx.load(file)).operators == {"Relu": 1}


def test_a_conversion_prints_as_a_line(tmp_path: Path) -> None:
    onnx.save(_model([helper.make_node("Relu", ["x"], ["y"])], ["y"]), tmp_path / "a.onnx")
    done = modelport.convert(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert repr(done).startswith(f"<modelport.Conversion {tmp_path / 'b.onnx'}: proven (L2)")
    assert "\n" not in repr(done)
    done = modelport.convert(tmp_path / "a.onnx", tmp_path / "b.onnx", verify=None, force=True)
    assert repr(done).endswith("b.onnx: not verified>")


def test_types_that_a_file_does_not_state_are_not_printed(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Cast", ["r"], ["b"], to=TensorProto.BFLOAT16),
             helper.make_node("Cast", ["b"], ["y"], to=TensorProto.FLOAT)]
    onnx.save(_model(nodes, ["y"]), tmp_path / "a.onnx")
    model = modelport.load(tmp_path / "a.onnx")
    assert str(model.raw).splitlines()[1] == "  %r = Relu(%x)"
    assert str(model.graph).splitlines()[2] == "  %b: bfloat16[batch, 3] = Cast(%r, to=16)"
