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
