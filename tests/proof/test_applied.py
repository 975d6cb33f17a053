"""Files that ONNX Runtime's own rewrites break: the report says so, since applications load a file with them."""
from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import helper, numpy_helper

from modelport import convert, verify


def saved(path: Path, nodes: list[onnx.NodeProto], shape: list[int | str], constants: dict[str, np.ndarray]) -> Path:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(nodes, "g", [value("x", 1, shape)], [value("y", 1, None)],
                              [numpy_helper.from_array(v, k) for k, v in constants.items()])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    return path


def pads_of_some_axes(path: Path) -> Path:
    """Its transpose optimizer (1.31) takes the pads of one axis for those of all, and the file stops in a Gather."""
    node = helper.make_node
    return saved(path, [node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]), node("Pad", ["t", "p", "", "a"], ["q"]),
                        node("Transpose", ["q"], ["u"], perm=[0, 2, 3, 1]), node("ReduceMean", ["u", "a1"], ["r"]),
                        node("Sub", ["u", "r"], ["s"]), node("ReduceMean", ["s", "a"], ["y"])],
                 ["n", 9, 7, 3], {"p": np.array([1, 2]), "a": np.array([3]), "a1": np.array([1])})


def zeros_before_a_max_pool(path: Path) -> Path:
    """Its Pad_Fusion (1.31) makes them the padding of the pool, which is minus infinity."""
    node = helper.make_node
    return saved(path, [node("Exp", ["x"], ["e"]), node("Neg", ["e"], ["m"]), node("Pad", ["m", "p"], ["q"]),
                        node("MaxPool", ["q"], ["y"], kernel_shape=[2, 2])],
                 ["n", 2, 5, 5], {"p": np.array([0, 0, 1, 1, 0, 0, 1, 1])})


@pytest.mark.parametrize(("make", "said"), [(pads_of_some_axes, "does not run (ONNX Runtime"),
                                            (zeros_before_a_max_pool, "computes something else: 'y' (")])
def test_rewrites_that_break_a_file_are_told(tmp_path: Path, make: Callable[[Path], Path], said: str) -> None:
    path = make(tmp_path / "a.onnx")
    report = verify(path, path)
    assert report.verdict == "pass"  # as the file says, both are the same
    (note,) = (n for n in report.notes if "rewrites" in n)
    assert said in note
    assert note.endswith("ORT_DISABLE_ALL")
    done = convert(path, tmp_path / "b.onnx")  # what modelport writes is safe from them
    assert done.report is not None
    assert not [n for n in done.report.notes if "rewrites" in n]


@pytest.mark.parametrize("before", [False, True])
def test_products_of_doubles_stay_exact(tmp_path: Path, before: bool) -> None:
    """Its MatMulScaleFusion (1.31) makes a factor a number of 32 bits, and in 1.23 its MatmulTransposeFusion makes
    an operator that it has not for doubles."""
    node, rng = helper.make_node, np.random.default_rng(0)
    w, s = rng.normal(size=(2, 4, 3)), np.array(1.4)
    scaled = [node("Mul", ["x", "s"], ["a"]), node("MatMul", ["a", "w"], ["m"])] if before else \
        [node("MatMul", ["x", "w"], ["a"]), node("Div", ["a", "s"], ["m"])]
    value = helper.make_tensor_value_info
    nodes = [*scaled, node("Transpose", ["m"], ["t"], perm=[0, 2, 1]), node("MatMul", ["m", "t"], ["y"])]
    graph = helper.make_graph(nodes, "g", [value("x", 11, [2, "n", 4])], [value("y", 11, None)],
                              [numpy_helper.from_array(w, "w"), numpy_helper.from_array(s, "s")])
    path = tmp_path / "a.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    assert [n for n in verify(path, path).notes if "rewrites" in n]
    done = convert(path, tmp_path / "b.onnx")
    assert done.report is not None
    assert not [n for n in done.report.notes if "rewrites" in n]
    x = rng.normal(size=(2, 5, 4))
    m = x * s @ w if before else x @ w / s
    made, = onnxruntime.InferenceSession(tmp_path / "b.onnx").run(None, {"x": x})
    np.testing.assert_allclose(made, m @ m.transpose(0, 2, 1), rtol=1e-13)
