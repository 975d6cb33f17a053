"""Exported transformers keep batch and sequence symbolic through load, passes and save, and still compute the same."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import modelport

DATA = Path(__file__).parents[1] / "data"
FILES = sorted(p.name for p in DATA.glob("*_dynamo.onnx")) + sorted(p.name for p in DATA.glob("*_script.onnx"))


def feeds(session: ort.InferenceSession, batch: int, seq: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(batch * 100 + seq)
    out = {}
    for i in session.get_inputs():
        out[i.name] = rng.integers(0, 24, (batch, seq))
        if "mask" in i.name:
            out[i.name] = (np.arange(seq) < rng.integers(1, seq + 1, (batch, 1))).astype(np.int64)
    return out


@pytest.mark.parametrize("name", FILES)
def test_symbols_survive(name: str, tmp_path: Path) -> None:
    target = tmp_path / "out.onnx"
    model = modelport.load(DATA / name)
    assert all(t.shape == ("batch", "seq") for t in model.inputs.values())
    assert model.outputs["hidden"].shape == ("batch", "seq", 8)
    modelport.convert(DATA / name, target, verify=None)
    written = onnx.load(target).graph
    for v in written.input:
        assert [d.dim_param for d in v.type.tensor_type.shape.dim] == ["batch", "seq"]
    (out,) = written.output
    assert [d.dim_param or d.dim_value for d in out.type.tensor_type.shape.dim] == ["batch", "seq", 8]
    assert {"LayerNormalization", "Gelu"} <= {n.op_type for n in written.node}
    before, after = ort.InferenceSession(str(DATA / name)), ort.InferenceSession(str(target))
    for batch, seq in [(1, 1), (1, 16), (2, 5), (3, 7), (7, 2)]:
        x = feeds(before, batch, seq)
        a, b = before.run(None, x)[0], after.run(None, x)[0]
        assert b.shape == (batch, seq, 8)
        np.testing.assert_allclose(a, b, atol=1e-5 * float(np.abs(a).max()))  # float32, one layer: rounding only


@pytest.mark.parametrize("name", FILES)
def test_every_inner_shape_is_known(name: str) -> None:
    graph = modelport.load(DATA / name).graph
    unknown = [n for n in graph.nodes for o in n.outputs if o.shape is None or None in o.shape]
    assert not unknown
