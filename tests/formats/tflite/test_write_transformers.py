"""Whole transformers of exporters as TensorFlow Lite: batch and sequence stay dynamic."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

import modelport
from modelport.runtimes import isolated

DATA = Path(__file__).parents[2] / "data"
SIZES = [(1, 4), (2, 7), (3, 16), (1, 1)]


@pytest.mark.parametrize("name", ["bert_script", "bert_dynamo", "gpt2_dynamo"])
def test_at_several_sizes(tmp_path: Path, name: str) -> None:
    rng = np.random.default_rng(4)
    modelport.convert(DATA / f"{name}.onnx", tmp_path / "a.tflite", verify=None)
    session = ort.InferenceSession(DATA / f"{name}.onnx")
    with isolated.Worker() as worker:
        for kernels in ("builtin", "plain"):
            run = worker.open("tflite", tmp_path / "a.tflite", kernels=kernels, signature="serving_default")
            for batch, length in SIZES:
                feeds: dict[str, Any] = {i.name: rng.integers(0, 20, (batch, length)) for i in session.get_inputs()}
                if "attention_mask" in feeds:
                    feeds["attention_mask"] = (np.arange(length) < np.maximum(1, length - np.arange(batch))[:, None]
                                               ).astype(np.int64)
                got = run.run(feeds)
                for o, want in zip(session.get_outputs(), session.run(None, feeds), strict=True):
                    assert got[o.name].shape == want.shape
                    # a few layers of normalised numbers, each a sum of some dozen products
                    np.testing.assert_allclose(got[o.name], want, rtol=1e-5, atol=2e-6)
