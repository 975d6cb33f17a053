"""A gate must not take "nothing could be compared" for agreement."""
from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from modelport.cli.main import main


def test_a_model_of_chance_is_not_verified(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nodes = [helper.make_node("RandomUniformLike", ["x"], ["y"])]
    types = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [4]) for n in "xy"]
    model = helper.make_model(helper.make_graph(nodes, "g", types[:1], types[1:]), ir_version=8,
                              opset_imports=[helper.make_opsetid("", 17)])
    for name in ("a.onnx", "b.onnx"):
        onnx.save(model, tmp_path / name)
    assert main(["verify", str(tmp_path / "a.onnx"), str(tmp_path / "b.onnx")]) == 7
    assert capsys.readouterr().out.startswith("not verified")
