"""Normalisations as TensorFlow Lite, against ONNX Runtime: every axis, sizes that are not known, no transposes."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
from written import agrees, floats, model

from modelport.runtimes import isolated

RNG = np.random.default_rng(4)
SHAPES = [("n", 6), ("n", 6, "h"), ("n", 6, "h", "w"), ("n", 6, "d", "h", "w")]
SIZES = [{"n": 1, "d": 3, "h": 5, "w": 8}, {"n": 3, "d": 2, "h": 7, "w": 6}]


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


def positive(*shape: int) -> np.ndarray:
    return RNG.uniform(0.5, 2, shape).astype(np.float32)


@pytest.mark.parametrize("computed", [False, True], ids=["constants", "inputs"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_batch_normalization(shape: tuple[Any, ...], computed: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    values = {"s": positive(6), "b": floats(6), "m": floats(6), "v": positive(6)}
    inputs = {"x": shape, **(dict.fromkeys(values, (6,)) if computed else {})}
    made = model("BatchNormalization", inputs, {} if computed else values, ["x", *values], epsilon=1e-3)
    cases: list[Any] = SIZES
    if computed:
        cases = [{"x": floats(*(sizes[d] if isinstance(d, str) else d for d in shape)), **values} for sizes in SIZES]
    agrees(tmp_path, worker, made, cases)


@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_instance_normalization(shape: tuple[Any, ...], tmp_path: Path, worker: isolated.Worker) -> None:
    made = model("InstanceNormalization", {"x": shape}, {"s": positive(6), "b": floats(6)}, ["x", "s", "b"])
    raw = agrees(tmp_path, worker, made, SIZES)
    assert "TRANSPOSE" not in [n.op for n in raw.nodes]


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_group_normalization(shape: tuple[Any, ...], groups: int, tmp_path: Path, worker: isolated.Worker) -> None:
    made = model("GroupNormalization", {"x": shape}, {"s": positive(6), "b": floats(6)}, ["x", "s", "b"], opset=21,
                 num_groups=groups)
    raw = agrees(tmp_path, worker, made, SIZES)
    assert "TRANSPOSE" not in [n.op for n in raw.nodes]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("axis", [-1, -2, 1, 0])
def test_layer_normalization(axis: int, bias: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    shape = ("n", "h", 4, 5) if axis < 0 else (2, 3, 4, 5)
    tail = [d for d in shape[axis:] if isinstance(d, int)]
    values = {"s": positive(*tail), **({"b": floats(*tail)} if bias else {})}
    made = model("LayerNormalization", {"x": shape}, values, ["x", *values], 3, axis=axis, epsilon=1e-3)
    agrees(tmp_path, worker, made, SIZES)


@pytest.mark.parametrize("axis", [-1, -2, 1])
def test_rms_normalization(axis: int, tmp_path: Path, worker: isolated.Worker) -> None:
    shape = ("n", "h", 4, 5) if axis < 0 else ("n", 3, 4, 5)
    tail = [d for d in shape[axis:] if isinstance(d, int)]
    made = model("RMSNormalization", {"x": shape}, {"s": positive(*tail)}, ["x", "s"], opset=23, axis=axis)
    agrees(tmp_path, worker, made, SIZES)


@pytest.mark.parametrize("attrs", [{"size": 3}, {"size": 7, "beta": 0.5}, {"size": 5, "alpha": 0.3, "bias": 2.0}],
                         ids=str)
@pytest.mark.parametrize("shape", SHAPES[2:], ids=str)
def test_local_response(shape: tuple[Any, ...], attrs: dict[str, Any], tmp_path: Path,
                        worker: isolated.Worker) -> None:
    if len(shape) != 4:
        pytest.skip("ONNX Runtime has it for images only")
    agrees(tmp_path, worker, model("LRN", {"x": shape}, {}, ["x"], **attrs), SIZES)


def test_mean_and_variance(tmp_path: Path, worker: isolated.Worker) -> None:
    made = model("MeanVarianceNormalization", {"x": SHAPES[2]}, {}, ["x"], axes=[0, 2, 3])
    agrees(tmp_path, worker, made, SIZES)
