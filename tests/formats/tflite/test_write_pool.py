"""Pooling as TensorFlow Lite, against ONNX Runtime: every attribute, at sizes that are known and that are not."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
from written import OLD_ORT, agrees, model

from modelport.errors import UnsupportedModel
from modelport.runtimes import isolated

SIZES = {1: [{"n": 1, "h": 9}, {"n": 3, "h": 14}], 2: [{"n": 1, "h": 9, "w": 8}, {"n": 3, "h": 12, "w": 15}],
         3: [{"n": 1, "d": 7, "h": 9, "w": 8}, {"n": 2, "d": 6, "h": 11, "w": 7}]}
NAMES = {1: ("h",), 2: ("h", "w"), 3: ("d", "h", "w")}
WINDOWS: dict[str, dict[str, Any]] = {
    "1d": {"kernel_shape": [3], "strides": [2]},
    "1d pads": {"kernel_shape": [3], "pads": [1, 1]},
    "plain": {"kernel_shape": [2, 2], "strides": [2, 2]},
    "one": {"kernel_shape": [1, 1], "strides": [2, 2]},
    "pads": {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]},
    "uneven pads": {"kernel_shape": [3, 2], "pads": [0, 1, 2, 0], "strides": [1, 2]},
    "same upper": {"kernel_shape": [3, 4], "auto_pad": "SAME_UPPER", "strides": [2, 3]},
    "same lower": {"kernel_shape": [3, 4], "auto_pad": "SAME_LOWER", "strides": [2, 3]},
    "ceil": {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
    "ceil, pads": {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    "ceil, long strides": {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 0, 1, 0], "ceil_mode": 1},
    "dilated": {"kernel_shape": [2, 3], "dilations": [2, 2], "strides": [1, 2]},
    "dilated, pads, ceil": {"kernel_shape": [3, 2], "dilations": [2, 3], "strides": [2, 2], "pads": [1, 1, 1, 1],
                            "ceil_mode": 1},
    "3d": {"kernel_shape": [2, 3, 2], "strides": [2, 1, 2]},
    "3d pads": {"kernel_shape": [3, 3, 3], "pads": [1, 1, 1, 1, 1, 1], "strides": [2, 2, 2]},
}


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


def shape_of(attrs: dict[str, Any], known: bool, channels: int = 3) -> tuple[Any, ...]:
    axes = len(attrs["kernel_shape"])
    return ("n", channels, *(SIZES[axes][0][k] if known else k for k in NAMES[axes]))


def sizes_of(attrs: dict[str, Any], known: bool) -> list[dict[str, int]]:
    sizes = SIZES[len(attrs["kernel_shape"])]
    return [sizes[0], {**sizes[0], "n": 2}] if known else sizes


BOTH = pytest.mark.parametrize("known", [True, False], ids=["static", "dynamic"])
LONG = "ceil, long strides"
"""Windows that may start behind what there is: refused where the sizes are not known."""


@BOTH
@pytest.mark.parametrize("name", WINDOWS)
def test_max_pool(name: str, known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    attrs = WINDOWS[name]
    made = model("MaxPool", {"x": shape_of(attrs, known)}, {}, ["x"], **attrs)
    if name == LONG and not known:
        with pytest.raises(UnsupportedModel, match="may start behind"):
            agrees(tmp_path, worker, made, sizes_of(attrs, known))
        return
    agrees(tmp_path, worker, made, sizes_of(attrs, known))


@pytest.mark.parametrize("kind", ["i1", "u1"])
@pytest.mark.parametrize("name", ["plain", "uneven pads", "ceil", "dilated", "3d pads", "same lower"])
def test_max_pool_of_integers(name: str, kind: str, tmp_path: Path, worker: isolated.Worker) -> None:
    attrs = WINDOWS[name]
    made = model("MaxPool", {"x": (np.dtype(kind), shape_of(attrs, False))}, {}, ["x"], **attrs)
    agrees(tmp_path, worker, made, sizes_of(attrs, False))


@BOTH
@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("name", ["1d", "plain", "uneven pads", "dilated", "3d", "same upper"])
def test_the_places_of_the_largest(name: str, order: int, known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    attrs = WINDOWS[name]
    if "auto_pad" in attrs and not known:
        pytest.skip("refused: pads that are only known at run time")
    made = model("MaxPool", {"x": shape_of(attrs, known)}, {}, ["x"], 2, storage_order=order, **attrs)
    agrees(tmp_path, worker, made, sizes_of(attrs, known))


@BOTH
@pytest.mark.parametrize("include", [0, 1])
@pytest.mark.parametrize("name", WINDOWS)
def test_average_pool(name: str, include: int, known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    if OLD_ORT and include and name in ("uneven pads", "same upper", LONG):
        pytest.skip("ONNX Runtime 1.23 divides by another count where a window reaches behind the padding")
    attrs = WINDOWS[name]
    made = model("AveragePool", {"x": shape_of(attrs, known)}, {}, ["x"], count_include_pad=include, **attrs)
    if name == LONG and not known:
        with pytest.raises(UnsupportedModel, match="may start behind"):
            agrees(tmp_path, worker, made, sizes_of(attrs, known))
        return
    agrees(tmp_path, worker, made, sizes_of(attrs, known))


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("name", ["1d", "plain", "uneven pads", "dilated", "3d pads"])
def test_lp_pool(name: str, p: int, tmp_path: Path, worker: isolated.Worker) -> None:
    attrs = WINDOWS[name]
    made = model("LpPool", {"x": shape_of(attrs, False)}, {}, ["x"], p=p, **attrs)
    agrees(tmp_path, worker, made, sizes_of(attrs, False))


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"])
def test_global_pools(op: str, axes: int, tmp_path: Path, worker: isolated.Worker) -> None:
    made = model(op, {"x": ("n", 3, *NAMES[axes])}, {}, ["x"])
    agrees(tmp_path, worker, made, SIZES[axes])


def test_max_unpool(tmp_path: Path, worker: isolated.Worker) -> None:
    rng = np.random.default_rng(0)
    made = model("MaxUnpool", {"x": ("n", 2, 4, 3), "i": (np.dtype("i8"), ("n", 2, 4, 3))}, {}, ["x", "i"],
                 kernel_shape=[2, 3], strides=[2, 3])
    cases = []
    for n in (1, 2):
        x = rng.normal(size=(n, 2, 4, 3)).astype(np.float32)
        cases.append({"x": x, "i": rng.permutation(n * 2 * 8 * 9)[:x.size].reshape(x.shape)})
    agrees(tmp_path, worker, made, cases)
