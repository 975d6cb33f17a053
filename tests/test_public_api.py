"""What a user can rely on: the names, what they answer with, and how models print."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import modelport

DIGITS = Path(__file__).parents[1] / "examples" / "digits"


def test_the_public_names() -> None:
    assert set(modelport.__all__) == {
        "Conversion", "CorruptFile", "LimitExceeded", "MissingDependency", "Model", "ModelportError", "RuntimeFailed",
        "StrictFailure", "UnknownFormat", "UnsafeModel", "UnsupportedModel", "UsageError", "VerificationFailed",
        "compare", "convert", "diff", "inspect", "load", "obstacles", "verify"}
    for name in modelport.__all__:
        assert getattr(modelport, name) is not None
    assert modelport.__version__
    with pytest.raises(AttributeError):
        _ = modelport.nothing


def test_exit_codes_are_few_and_documented() -> None:
    codes = {e.__name__: e.exit_code for e in (
        modelport.UsageError, modelport.UnknownFormat, modelport.CorruptFile, modelport.UnsafeModel,
        modelport.LimitExceeded, modelport.UnsupportedModel, modelport.MissingDependency, modelport.RuntimeFailed,
        modelport.VerificationFailed)}
    assert codes == {"UsageError": 2, "UnknownFormat": 3, "CorruptFile": 3, "UnsafeModel": 3, "LimitExceeded": 3,
                     "UnsupportedModel": 4, "MissingDependency": 5, "RuntimeFailed": 6, "VerificationFailed": 1}


def test_load_run_save(tmp_path: Path) -> None:
    model = modelport.load(DIGITS / "digits.tflite")
    assert model.format == "tflite"
    assert list(model.inputs) == ["image"]
    assert model.inputs["image"].shape == ("batch", 8, 8, 1)
    with np.load(DIGITS / "samples.npz") as data:
        samples = dict(data)
    (scores,) = model.run(samples["image"]).values()
    assert scores.shape == (64, 10)
    assert (scores.argmax(1) == samples["label"]).mean() > 0.9  # a trained model
    again = modelport.load(model.save(tmp_path / "digits.onnx"))
    np.testing.assert_allclose(next(iter(again.run(image=samples["image"]).values())), scores, atol=1e-6)
    assert modelport.diff(model, tmp_path / "digits.onnx").constants is not None


def test_feeds_are_checked() -> None:
    model = modelport.load(DIGITS / "digits.tflite")
    x = np.zeros((1, 8, 8, 1), np.float32)
    with pytest.raises(modelport.UsageError, match="no input picture"):
        model.run(picture=x)
    with pytest.raises(modelport.UsageError, match="missing input image"):
        model.run({})
    with pytest.raises(modelport.UsageError, match="shape"):
        model.run(x[:, :7])
    assert model.run(x.astype(np.uint8))  # zero is zero in every type
    int8 = modelport.load(DIGITS / "digits_int8.tflite")
    with pytest.raises(modelport.UsageError, match="would change values"):
        int8.run(x + 0.5)


def test_load_a_model_in_memory(tmp_path: Path) -> None:
    modelport.convert(DIGITS / "digits.tflite", tmp_path / "d.onnx", verify=None)
    model = modelport.load(onnx.load(tmp_path / "d.onnx"))
    assert model.path is None
    assert modelport.diff(model, tmp_path / "d.onnx").same
    done = modelport.convert(model, tmp_path / "e.onnx")
    assert done.report is None
    assert any("not verified" in n.message for n in done.notes)


def test_a_model_prints_well() -> None:
    model = modelport.load(DIGITS / "digits.tflite")
    assert repr(model).startswith("<modelport.Model digits.tflite (tflite): (image: float32[batch, 8, 8, 1]) ->")
    html = model._repr_html_()
    assert html.startswith("<table>")
    assert "float32[batch, 8, 8, 1]" in html


def test_convert_proves(tmp_path: Path) -> None:
    done = modelport.convert(DIGITS / "digits.tflite", tmp_path / "d.onnx")
    assert done.report is not None
    assert done.report.ok
    assert set(done.seconds) == {"read", "passes", "write", "verify"}
    assert modelport.verify(DIGITS / "digits.tflite", tmp_path / "d.onnx").ok


def test_a_wrong_result_is_not_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pass that changes what the model computes fails the proof, and nothing is written."""
    from modelport import passes
    from modelport.hub.infer import op
    from modelport.ir import rebuild

    def wrong(graph):  # type: ignore[no-untyped-def]
        return rebuild(graph, lambda n: op.Tanh(n.inputs[0]) if n.op == "Relu" else None)

    monkeypatch.setitem(passes.PASSES, "wrong", wrong)
    target = tmp_path / "d.onnx"
    target.write_bytes(b"what was there before")
    with pytest.raises(modelport.VerificationFailed) as e:
        modelport.convert(DIGITS / "digits.tflite", target, passes="default,wrong", force=True)
    assert not e.value.report.ok
    assert target.read_bytes() == b"what was there before"
    assert list(tmp_path.iterdir()) == [target]


def test_batch_and_shape(tmp_path: Path) -> None:
    modelport.convert(DIGITS / "digits.tflite", tmp_path / "one.onnx", batch=1)
    assert modelport.load(tmp_path / "one.onnx").inputs["image"].shape == (1, 8, 8, 1)
    modelport.convert(tmp_path / "one.onnx", tmp_path / "many.onnx", batch="n")
    assert modelport.load(tmp_path / "many.onnx").outputs["output_0"].shape == ("n", 10)
    done = modelport.convert(tmp_path / "one.onnx", tmp_path / "three.onnx", shapes={"image": (3, 8, 8, 1)})
    assert done.report is not None
    assert done.report.ok


def test_inspect_and_obstacles(tmp_path: Path) -> None:
    summary = modelport.inspect(DIGITS / "digits.tflite")
    assert summary.parameters == 804
    assert summary.macs == 13_488
    assert summary.operators["nhwc.Conv"] == 3
    assert modelport.obstacles(DIGITS / "digits.tflite", "onnx") is None
    model = onnx.helper.make_model(onnx.helper.make_graph(
        [onnx.helper.make_node("Gelu", ["x"], ["y"]), onnx.helper.make_node("StringConcat", ["s", "s"], ["t"], "join")],
        "g",
        [onnx.helper.make_tensor_value_info("x", 1, [2]), onnx.helper.make_tensor_value_info("s", 8, [2])],
        [onnx.helper.make_tensor_value_info("y", 1, [2]), onnx.helper.make_tensor_value_info("t", 8, [2])]),
        opset_imports=[onnx.helper.make_opsetid("", 20)])
    onnx.save(model, tmp_path / "s.onnx")
    problem = modelport.obstacles(tmp_path / "s.onnx", "onnx", opset=13)
    assert problem is not None
    assert [p.op for p in problem.problems] == ["StringConcat"]
    assert "join" in str(problem)
