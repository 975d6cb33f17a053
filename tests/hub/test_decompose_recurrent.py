"""RNN, GRU and LSTM as Scan, Scan as Loop: the same numbers in ONNX Runtime."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper

from modelport.formats import onnx as format_onnx
from modelport.formats.onnx.functions import expand
from modelport.hub.decompose import decompose, rules

RNG = np.random.default_rng(3)
GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}


def model(op: str, ways: int, layout: int, extra: tuple[str, ...], **attrs: Any) -> bytes:
    """One recurrent operator of 3 features and 4 units, of any length and batch."""
    n = 4 * GATES[op]

    def weight(*shape: int) -> Any:
        return RNG.normal(0, 0.7, shape).astype(np.float32)
    weights = {"W": weight(ways, n, 3), "R": weight(ways, n, 4), "B": weight(ways, 2 * n), "P": weight(ways, 12)}
    state = ("batch", ways, 4) if layout else (ways, "batch", 4)
    ins = {"X": ("batch", "time", 3) if layout else ("time", "batch", 3), "lengths": ("batch",), "h": state, "c": state}
    names = ["X", "W", "R", "B", "lengths", "h", *(["c", "P"] if op == "LSTM" else [])]
    names = [k if k in ("X", "W", "R") or k in extra else "" for k in names]
    outs = ["Y", "Y_h", *(["Y_c"] if op == "LSTM" else [])]
    graph = helper.make_graph(
        [helper.make_node(op, names, outs, hidden_size=4, layout=layout, **attrs)], "g",
        [helper.make_tensor_value_info(k, TensorProto.INT32 if k == "lengths" else TensorProto.FLOAT, ins[k])
         for k in names if k in ins], [helper.make_tensor_value_info(k, TensorProto.FLOAT, None) for k in outs],
        [numpy_helper.from_array(v, k) for k, v in weights.items() if k in names])
    made: bytes = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)],
                                    ir_version=9).SerializeToString()
    return made


@pytest.mark.parametrize("as_loop", [False, True], ids=["scan", "loop"])
@pytest.mark.parametrize("extra", [(), ("B", "h"), ("B", "lengths"), ("B", "lengths", "h", "c", "P")], ids=str)
@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(("op", "attrs"), [
    ("RNN", {}), ("RNN", {"clip": 0.5}), ("GRU", {}), ("GRU", {"clip": 0.5}), ("GRU", {"linear_before_reset": 1}),
    ("LSTM", {}), ("LSTM", {"clip": 0.5}), ("LSTM", {"input_forget": 1})], ids=str)
def test_against_the_kernel(tmp_path: Path, op: str, attrs: dict[str, Any], direction: str, extra: tuple[str, ...],
                            as_loop: bool) -> None:
    ways = 1 + (direction == "bidirectional")
    made = model(op, ways, 0, extra, direction=direction, **attrs)
    gone = {op, "Scan"} if as_loop else {op}
    (tmp_path / "a.onnx").write_bytes(made)
    hub = format_onnx.to_hub(format_onnx.read(tmp_path / "a.onnx"))
    lower = decompose(hub, lambda n: n.op not in gone, rules, expand, target="simpler operators")
    assert not gone & {n.op for n in lower.walk()}
    format_onnx.write(format_onnx.from_hub(lower, 20), tmp_path / "b.onnx")
    want, got = ort.InferenceSession(made), ort.InferenceSession(tmp_path / "b.onnx")
    for time, batch in ((5, 2), (1, 1), (3, 4)):
        sizes = {"time": time, "batch": batch}
        feeds = {i.name: RNG.integers(1, time + 1, batch).astype(np.int32) if i.name == "lengths" else
                 RNG.normal(0, 1, [sizes.get(d, d) for d in i.shape]).astype(np.float32) for i in want.get_inputs()}
        for a, b in zip(want.run(None, feeds), got.run(None, feeds), strict=True):
            assert a.shape == b.shape
            np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6)  # some dozen roundings of numbers below one
