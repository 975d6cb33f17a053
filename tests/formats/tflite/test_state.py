"""Variables as explicit inputs and outputs: run after run, the translation goes on as the interpreter does."""
from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
sys.path.insert(0, str(Path(__file__).parents[2]))
from cases.tflite import CASES
from modelport import runtimes
from modelport.formats import onnx as format_onnx
from modelport.formats import tflite
from modelport.hub.layout import channels_first


@pytest.mark.parametrize("name", [
    "UNIDIRECTIONAL_SEQUENCE_LSTM/everything", "UNIDIRECTIONAL_SEQUENCE_RNN/time_major=False", "SVDF/rank=2",
    "SVDF/int8", "BIDIRECTIONAL_SEQUENCE_LSTM/merge=True_batch=1_time_major=False",
    "BIDIRECTIONAL_SEQUENCE_LSTM/merge=True_batch=2_time_major=True"])
def test_states_flow(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    file, made = tmp_path / "m.tflite", tmp_path / "m.onnx"
    tflite.write(case.graph, file, versions=case.versions)
    from ai_edge_litert import interpreter as litert
    interpreter = litert.Interpreter(str(file), experimental_op_resolver_type=litert.OpResolverType.BUILTIN_REF)
    interpreter.allocate_tensors()
    raw = tflite.read(file, state="explicit")
    states = [k for k in raw.inputs if k.startswith("state:")]
    assert states
    assert [k for k in raw.outputs if k.startswith("state:")] == [k + ":next" for k in states]
    format_onnx.write(format_onnx.from_hub(channels_first(tflite.to_hub(raw))), made)
    session = runtimes.start("onnxruntime", made)
    quant = {k: v.type.quant for k, v in raw.inputs.items()}
    now = {k: np.full([d for d in raw.inputs[k].shape or () if isinstance(d, int)],
                      0 if quant[k] is None else int(quant[k].zero_point), raw.inputs[k].dtype) for k in states}
    before = []
    for _ in range(4):  # the same input: what changes comes from the state
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], case.feeds["in0"])
        interpreter.invoke()
        want = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
        got = session.run({"in0": case.feeds["in0"], **now})
        now = {k: got[k + ":next"] for k in states}
        if want.dtype.kind == "f":
            np.testing.assert_allclose(got["out0"], want, rtol=0, atol=1e-5 * np.abs(want).max())
        else:
            assert np.abs(got["out0"].astype(int) - want).max() <= 1
        before.append(want)
    assert not np.array_equal(before[0], before[1])
