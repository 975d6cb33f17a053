"""Gathering, scattering, sorting and counting written as TensorFlow Lite, against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_write_shape import I64, check, f, i

from modelport.runtimes import isolated

RNG = np.random.default_rng(12)


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


def places(length: int, *shape: int, negative: bool = True) -> np.ndarray:
    return RNG.integers(-length if negative else 0, length, shape, I64)


TYPES = ["f4", "f2", "i1", "u1", "i2", "u2", "i4", "i8", "?"]


def of(dtype: str, *shape: int) -> np.ndarray:
    return RNG.integers(0, 2 if dtype == "?" else 100, shape).astype(dtype)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("shape", [(), (3,), (2, 2)], ids=str)
@pytest.mark.parametrize("known", [True, False])
def test_gather(axis: int, shape: Any, known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    check("Gather", [(f(3, 3, 3), places(3, *shape))], tmp_path, worker, constants=[1] * known, axis=axis)


@pytest.mark.parametrize("dtype", TYPES)
def test_gather_types(dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    check("Gather", [(of(dtype, 4, 3), places(4, 5))], tmp_path, worker, outputs=(dtype,))
    check("GatherElements", [(of(dtype, 4, 3), places(4, 5, 3))], tmp_path, worker, outputs=(dtype,))
    check("GatherND", [(of(dtype, 3, 3, 2), places(3, 5, 2))], tmp_path, worker, outputs=(dtype,))


def test_gather_of_dynamic_sizes(tmp_path: Path, worker: isolated.Worker) -> None:
    check("Gather", [(f(n, 2), places(n, 4)) for n in (3, 7, 1)], tmp_path, worker, dynamic=True)
    check("Gather", [(f(n, 2), i(-1, 0)) for n in (3, 7, 1)], tmp_path, worker, dynamic=True, constants=(1,))
    check(
        "GatherElements",
        [(f(n, m, 2), places(m, n, 3, 2)) for n, m in ((3, 4), (1, 2))],
        tmp_path,
        worker,
        dynamic=True,
        axis=1,
    )
    check(
        "GatherND",
        [(f(n, m, 2), places(min(n, m), n, 3, 1)) for n, m in ((3, 4), (2, 2))],
        tmp_path,
        worker,
        dynamic=True,
        batch_dims=1,
    )
    check(
        "GatherND", [(f(n, m, 2), places(min(n, m), 4, 2)) for n, m in ((3, 4), (2, 2))], tmp_path, worker, dynamic=True
    )


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
@pytest.mark.parametrize("known", [True, False])
def test_gather_elements(axis: int, known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    shape = [2, 3, 2]
    shape[axis] = 5
    check("GatherElements", [(f(3, 3, 3), places(3, *shape))], tmp_path, worker, constants=[1] * known, axis=axis)


@pytest.mark.parametrize(
    ("x", "index", "batch"),
    [
        ((3, 3, 3), (4, 3), 0),
        ((3, 3, 3), (2, 4, 1), 0),
        ((2, 3, 3), (2, 4, 2), 1),
        ((2, 3, 4), (2, 3, 1), 2),
        ((2, 3, 4, 2), (2, 3, 5, 1), 2),
    ],
    ids=str,
)
def test_gather_nd(x: Any, index: Any, batch: int, tmp_path: Path, worker: isolated.Worker) -> None:
    where = places(2 if index[-1] > 1 else min(x[batch:]), *index)
    check("GatherND", [(f(*x), where)], tmp_path, worker, batch_dims=batch)
    check("GatherND", [(f(*x), where)], tmp_path, worker, constants=(1,), batch_dims=batch)


REDUCTIONS = ["none", "add", "mul", "max", "min"]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["f4", "i4", "i8"])
def test_scatter_elements(reduction: str, dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    x, updates = of(dtype, 4, 3) - 50, of(dtype, 4, 3) - 50
    if reduction == "none":
        where = np.stack([RNG.permutation(4) for _ in range(3)], 1) - np.array([[4], [0], [0], [4]])
        where = np.where(where < -4, where + 4, where)
    else:
        where = places(4, 4, 3)
    check(
        "ScatterElements",
        [(x.astype(dtype), where, updates.astype(dtype))],
        tmp_path,
        worker,
        outputs=(dtype,),
        axis=0,
        reduction=reduction,
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("x", "index"), [((5, 3), (2, 1)), ((3, 4, 2), (3, 2)), ((3, 3), (2, 1, 2)), ((6,), (4, 1))], ids=str
)
def test_scatter_nd(reduction: str, x: Any, index: Any, tmp_path: Path, worker: isolated.Worker) -> None:
    where = places(3, *index, negative=False)
    if reduction == "none":
        where = (
            np.stack(
                np.unravel_index(RNG.permutation(3 ** index[-1])[: int(np.prod(index[:-1]))], (3,) * index[-1]), -1
            ).reshape(index)
            if 3 ** index[-1] >= np.prod(index[:-1])
            else np.arange(4).reshape(index)
        )
    where = where.astype(I64)
    where.reshape(-1)[0] -= x[0]
    updates = f(*index[:-1], *x[index[-1] :])
    check("ScatterND", [(f(*x), where, updates)], tmp_path, worker, reduction=reduction, rtol=1e-6)
    check("ScatterND", [(f(*x), where, updates)], tmp_path, worker, constants=(1,), reduction=reduction, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["i1", "u1", "?", "f2"])
def test_scatter_types(dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    check("ScatterND", [(of(dtype, 5, 2), i(1, -1).reshape(2, 1), of(dtype, 2, 2))], tmp_path, worker, outputs=(dtype,))


def test_scatter_of_dynamic_sizes(tmp_path: Path, worker: isolated.Worker) -> None:
    runs = [(f(n, 2), i(1, -1).reshape(2, 1), f(2, 2)) for n in (4, 7)]
    check("ScatterND", runs, tmp_path, worker, dynamic=True)
    check("ScatterND", runs, tmp_path, worker, dynamic=True, reduction="add")
    runs = [(f(n, 2), i(1, 0, 2, 1, 0, 2).reshape(3, 2), f(3, 2)) for n in (4, 7)]
    check("ScatterElements", runs, tmp_path, worker, dynamic=True)


@pytest.mark.parametrize("axis", [0, 1, -1, 2])
@pytest.mark.parametrize("known", [(1, 2), (1,), ()], ids=str)
def test_one_hot(axis: int, known: Any, tmp_path: Path, worker: isolated.Worker) -> None:
    where = i(0, -1, 3, 7, -5, 2).reshape(2, 3)
    check(
        "OneHot",
        [(where, np.array(5, I64), np.array([0.5, 2], np.float32))],
        tmp_path,
        worker,
        constants=known,
        axis=axis,
    )


@pytest.mark.parametrize("dtype", ["f4", "i8"])  # others are not in ONNX Runtime
def test_one_hot_types(dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    check("OneHot", [(i(1, 0, 2), i(3), np.array([0, 1], dtype))], tmp_path, worker, constants=(1, 2), outputs=(dtype,))


@pytest.mark.parametrize("dtype", ["f4", "i4", "i8", "?", "u1"])
def test_non_zero_and_compress(dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    x = RNG.integers(0, 2, (3, 4, 2)).astype(dtype)
    check("NonZero", [(x,), (np.zeros_like(x),), (np.ones_like(x),)], tmp_path, worker, outputs=(I64,))
    which = [np.array(v, bool) for v in ([1, 0, 1], [0, 0, 0], [1, 1, 1])]
    check("Compress", [(x, w) for w in which], tmp_path, worker, outputs=(dtype,), axis=0)
    check("Compress", [(x, np.array([0, 1, 1, 0, 0, 1], bool))], tmp_path, worker, outputs=(dtype,))


@pytest.mark.parametrize("largest", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("dtype", ["f4", "i4", "i8", "f2"])
def test_top_k(largest: int, axis: int, dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    if dtype == "f2" and axis != -1:
        return
    x = RNG.integers(0, 9, (4, 5, 6)).astype(dtype)
    if dtype[0] == "i":
        x[0, 0, :2] = np.iinfo(dtype).min, np.iinfo(dtype).max
    check(
        "TopK",
        [(x, i(3)), (x[::-1].copy(), i(3))],
        tmp_path,
        worker,
        constants=(1,),
        outputs=(dtype, I64),
        axis=axis,
        largest=largest,
    )
    check("TopK", [(x, i(3)), (x, i(1))], tmp_path, worker, outputs=(dtype, I64), axis=axis, largest=largest)


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_arg_max(op: str, axis: int, keepdims: int, last: int, tmp_path: Path, worker: isolated.Worker) -> None:
    for dtype in ("f4", "i4", "u1", "i1"):
        x = RNG.integers(0, 4, (3, 4, 5)).astype(dtype)
        check(op, [(x,)], tmp_path, worker, outputs=(I64,), axis=axis, keepdims=keepdims, select_last_index=last)
    runs = [(RNG.integers(0, 4, (n, 4)).astype(np.float32),) for n in (2, 6)]
    check(op, runs, tmp_path, worker, outputs=(I64,), axis=0, keepdims=keepdims, select_last_index=last, dynamic=True)


@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("known", [True, False])
def test_cum_sum(exclusive: int, reverse: int, known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    for axis in (0, 1, -1):
        check(
            "CumSum",
            [(f(3, 4, 2), np.array(axis, I64))],
            tmp_path,
            worker,
            constants=[1] * known,
            exclusive=exclusive,
            reverse=reverse,
            rtol=1e-5,
        )


def test_cum_sum_of_integers(tmp_path: Path, worker: isolated.Worker) -> None:
    for dtype in ("i4", "i8"):
        x = RNG.integers(-(1 << 31), (1 << 31) - 1, (3, 5)).astype(dtype)
        check("CumSum", [(x, np.array(1, I64))], tmp_path, worker, constants=(1,), outputs=(dtype,))


@pytest.mark.parametrize("batch_axis", [0, 1])
@pytest.mark.parametrize("dtype", ["f4", "i1", "i8", "u1"])
def test_reverse_sequence(batch_axis: int, dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    check(
        "ReverseSequence",
        [(of(dtype, 4, 4, 2), i(1, 2, 4, 3))],
        tmp_path,
        worker,
        outputs=(dtype,),
        batch_axis=batch_axis,
        time_axis=1 - batch_axis,
    )


@pytest.mark.parametrize("sort", [0, 1])
@pytest.mark.parametrize("dtype", ["f4", "i8"])
def test_unique(sort: int, dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    runs = [(RNG.integers(0, 5, (3, 4)).astype(dtype),) for _ in range(3)]
    check("Unique", runs, tmp_path, worker, outputs=(dtype, I64, I64, I64), sorted=sort)
    check(
        "Unique",
        [(RNG.integers(0, 5, n).astype(dtype),) for n in (3, 9)],
        tmp_path,
        worker,
        outputs=(dtype,),
        sorted=sort,
        dynamic=True,
    )


@pytest.mark.parametrize("center", [0, 1])
@pytest.mark.parametrize("known", [(2, 3, 4), ()], ids=str)
def test_non_max_suppression(center: int, known: Any, tmp_path: Path, worker: isolated.Worker) -> None:
    a = RNG.uniform(0, 1, (2, 30, 2)).astype(np.float32)
    size = RNG.uniform(0.05, 0.4, (2, 30, 2)).astype(np.float32)
    boxes = np.concatenate([a, size if center else a + size], -1)
    scores = RNG.uniform(0, 1, (2, 3, 30)).astype(np.float32)
    rest = (i(5), np.array([0.4], np.float32), np.array([0.2], np.float32))
    check(
        "NonMaxSuppression",
        [(boxes, scores, *rest)],
        tmp_path,
        worker,
        constants=known,
        outputs=(I64,),
        center_point_box=center,
    )
    check("NonMaxSuppression", [(boxes, scores, i(99))], tmp_path, worker, outputs=(I64,), center_point_box=center)
    flipped = boxes[..., [2, 3, 0, 1]] if not center else boxes
    runs = [(flipped[:, :n].copy(), scores[..., :n].copy(), *rest) for n in (5, 30, 12)]
    check("NonMaxSuppression", runs, tmp_path, worker, outputs=(I64,), dynamic=True, center_point_box=center)


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_hardmax(axis: int, tmp_path: Path, worker: isolated.Worker) -> None:
    check("Hardmax", [(RNG.integers(0, 3, (3, 4, 5)).astype(np.float32),)], tmp_path, worker, axis=axis)
    check(
        "Hardmax",
        [(RNG.integers(0, 3, (n, 4)).astype(np.float32),) for n in (3, 5)],
        tmp_path,
        worker,
        axis=axis % 2,
        dynamic=True,
    )
