"""Quantized products and convolutions as TensorFlow Lite, against ONNX Runtime: equal, or a neighbour at a tie."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
from written import model

import modelport
from modelport.runtimes import isolated

RNG = np.random.default_rng(8)
I8, U8, F32 = map(np.dtype, ("i1", "u1", "f4"))


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


def near(made: bytes, cases: list[dict[str, np.ndarray]], folder: Path, worker: isolated.Worker) -> None:
    """Few values differ, by one step: both round a product of scales, at different places."""
    (folder / "a.onnx").write_bytes(made)
    modelport.convert(folder / "a.onnx", folder / "a.tflite", verify=None, force=True)
    session = ort.InferenceSession(made)
    for kernels in ("builtin", "plain"):
        run = worker.open("tflite", folder / "a.tflite", kernels=kernels, signature="serving_default")
        for case in cases:
            got, want = run.run(case)["y0"], session.run(None, case)[0]
            assert got.dtype == want.dtype and got.shape == want.shape
            off = np.abs(got.astype(int) - want.astype(int))
            assert off.max() <= 1 and (off > 0).mean() < 0.03, (kernels, off.max(), (off > 0).mean())


def integers(kind: np.dtype[Any], *shape: int, low: int | None = None) -> np.ndarray:
    info = np.iinfo(kind)
    return RNG.integers(info.min if low is None else low, info.max + 1, shape).astype(kind)


CONVS: dict[str, tuple[tuple[int, ...], int, dict[str, Any]]] = {
    "plain": ((6, 4, 3, 3), 4, {"pads": [1, 1, 1, 1], "strides": [2, 2]}),
    "uneven pads": ((6, 4, 3, 2), 4, {"pads": [0, 1, 2, 0]}),
    "depthwise": ((8, 1, 3, 3), 4, {"group": 4, "pads": [1, 1, 1, 1]}),
    "grouped": ((6, 2, 3, 3), 4, {"group": 2}),
    "one axis": ((6, 4, 3), 4, {"pads": [1, 1]}),
}


@pytest.mark.parametrize("how", ["tensor", "channels", "computed"])
@pytest.mark.parametrize("kind", [I8, U8], ids=str)
@pytest.mark.parametrize("name", CONVS)
def test_conv(name: str, kind: Any, how: str, tmp_path: Path, worker: isolated.Worker) -> None:
    weight, channels, attrs = CONVS[name]
    if how == "channels" and kind == U8:
        pytest.skip("weights by channels are signed")
    out, zero = weight[0], np.array(3 if kind == I8 else 120, kind)
    scales = RNG.uniform(0.004, 0.02, out).astype(F32) if how == "channels" else F32.type(0.01)
    w_zero = np.zeros(out, kind) if how == "channels" else np.array(0 if kind == I8 else 128, kind)
    values = {"xs": F32.type(0.02), "xz": zero, "w": integers(kind, *weight, low=-127 if kind == I8 else None),
              "ws": scales, "wz": w_zero, "ys": F32.type(0.06), "yz": np.array(-5 if kind == I8 else 131, kind),
              "b": RNG.integers(-900, 900, out).astype(np.int32)}
    inputs: dict[str, Any] = {"x": (kind, ("n", channels, *(7,) * (len(weight) - 2)))}
    feeds: dict[str, np.ndarray] = {}
    if how == "computed":
        for k in ("xs", "ys"):
            inputs[k] = (F32, ())
            feeds[k] = np.asarray(values.pop(k))
    order = ["x", "xs", "xz", "w", "ws", "wz", "ys", "yz", "b"]
    made = model("QLinearConv", inputs, values, order, **attrs)
    near(made, [{"x": integers(kind, n, channels, *(7,) * (len(weight) - 2)), **feeds} for n in (1, 2)], tmp_path,
         worker)


@pytest.mark.parametrize("computed", [True, False], ids=["inputs", "constant"])
@pytest.mark.parametrize("kind", [I8, U8], ids=str)
def test_matmul(kind: Any, computed: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    values: dict[str, Any] = {"as": F32.type(0.02), "az": np.array(3, kind), "bs": F32.type(0.01),
                              "bz": np.array(0 if kind == I8 else 128, kind), "ys": F32.type(0.08),
                              "yz": np.array(9, kind)}
    b = integers(kind, 8, 5, low=-127 if kind == I8 else None)
    inputs: dict[str, Any] = {"a": (kind, ("n", 3, 8))}
    if computed:
        inputs["b"] = (kind, (8, 5))
    else:
        values["b"] = b
    made = model("QLinearMatMul", inputs, values, ["a", "as", "az", "b", "bs", "bz", "ys", "yz"])
    near(made, [{"a": integers(kind, n, 3, 8), **({"b": b} if computed else {})} for n in (1, 4)], tmp_path, worker)
