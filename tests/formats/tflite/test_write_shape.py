"""Shapes and movements written as TensorFlow Lite, sizes, bounds and axes known or not, against ONNX Runtime."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import modelport
from modelport.runtimes import isolated

ort = pytest.importorskip("onnxruntime")
pytest.importorskip("ai_edge_litert")
I64 = np.int64
RNG = np.random.default_rng(11)


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


def f(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def i(*values: int) -> np.ndarray:
    return np.array(values, I64)


def check(
    op: str,
    runs: Sequence[Sequence[np.ndarray | None]],
    folder: Path,
    worker: isolated.Worker,
    *,
    dynamic: bool = False,
    constants: Sequence[int] = (),
    outputs: Sequence[Any] = (np.float32,),
    opset: int = 21,
    rtol: float = 0.0,
    **attrs: Any,
) -> None:
    """One operator, its inputs free or constant, on several inputs: LiteRT gives what ONNX Runtime does."""
    first = runs[0]
    names = ["" if a is None else f"x{k}" for k, a in enumerate(first)]
    free = [k for k, a in enumerate(first) if a is not None and k not in constants]
    infos = []
    for k in free:
        a = first[k]
        assert a is not None
        shape = [
            f"d{k}{axis}" if dynamic and len({r[k].shape[axis] for r in runs}) > 1 else d
            for axis, d in enumerate(a.shape)
        ]
        infos.append(helper.make_tensor_value_info(names[k], helper.np_dtype_to_tensor_dtype(a.dtype), shape))
    outs = [f"y{k}" for k in range(len(outputs))]
    graph = helper.make_graph(
        [helper.make_node(op, names, outs, **attrs)],
        op,
        infos,
        [
            helper.make_tensor_value_info(n, helper.np_dtype_to_tensor_dtype(np.dtype(t)), None)
            for n, t in zip(outs, outputs, strict=True)
        ],
        [numpy_helper.from_array(first[k], names[k]) for k in constants],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    source, target = folder / "m.onnx", folder / "m.tflite"
    source.write_bytes(model.SerializeToString())
    modelport.convert(source, target, verify=None, force=True)
    session = ort.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    for inputs in runs:
        feeds: Mapping[str, Any] = {names[k]: inputs[k] for k in free}
        want = session.run(outs, feeds)
        for kernels in ("builtin", "plain"):
            got = worker.open("tflite", target, kernels=kernels, signature="serving_default").run(feeds)
            for n, w in zip(outs, want, strict=True):
                assert got[n].shape == w.shape and got[n].dtype == w.dtype, (n, got[n].shape, w.shape)
                np.testing.assert_allclose(got[n], w, rtol=rtol, atol=rtol)


BIG = np.iinfo(I64).max
SLICES = {
    "plain": (f(5, 6), i(1, 2), i(4, 6), i(0, 1), None),
    "negative": (f(5, 6), i(-3, -5), i(-1, BIG), i(0, -1), None),
    "backwards": (f(5, 6), i(-1, 4), i(-BIG, 0), i(0, 1), i(-1, -2)),
    "beyond": (f(5, 6), i(-99, 3), i(99, 1000), None, i(2, 1)),
    "one_axis": (f(2, 3, 4, 5), i(1), i(3), i(2), None),
    "whole_back": (f(4, 3), i(BIG), i(-BIG - 1), i(0), i(-1)),
    "rank6": (f(2, 3, 2, 3, 2, 3), i(1), i(3), i(-1), None),
    "exchanged": (f(5, 6), i(1, 2), i(6, 4), i(1, 0), None),
    "inner": (f(2, 5, 6, 2), i(1, 2), i(4, 6), i(1, 2), None),
}


@pytest.mark.parametrize("constants", [(1, 2, 3, 4), (3,), (), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("name", SLICES)
def test_slice(name: str, constants: Sequence[int], tmp_path: Path, worker: isolated.Worker) -> None:
    inputs = SLICES[name]
    check("Slice", [inputs], tmp_path, worker, constants=[k for k in constants if inputs[k] is not None])


@pytest.mark.parametrize("dtype", ["f4", "i1", "u1", "i4", "i8", "?"])
def test_slice_types(dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    x = (f(4, 5) * 3).astype(dtype)
    check("Slice", [(x, i(3), i(-99), i(0), i(-2))], tmp_path, worker, constants=(1, 2, 3, 4), outputs=(dtype,))


def test_slice_of_dynamic_sizes(tmp_path: Path, worker: isolated.Worker) -> None:
    runs = [(f(n, 6, m), i(-2, 1), i(BIG, -1), i(0, 2), None) for n, m in ((2, 4), (5, 3), (3, 9))]
    check("Slice", runs, tmp_path, worker, dynamic=True, constants=(1, 2, 3))


PADS = {
    "plain": (f(3, 4), i(1, 0, 2, 3), None),
    "value": (f(3, 4), i(1, 0, 2, 3), np.array(2.5, np.float32)),
    "negative": (f(5, 4), i(-1, 2, -2, -1), np.array(-1, np.float32)),
    "rank6": (f(2, 1, 2, 3, 1, 2), i(0, 1, 0, 0, 2, 0, 1, 0, 0, 1, 0, 0), None),
    "none": (f(2, 2), i(0, 0, 0, 0), None),
}


@pytest.mark.parametrize("name", PADS)
def test_pad(name: str, tmp_path: Path, worker: isolated.Worker) -> None:
    check("Pad", [PADS[name]], tmp_path, worker, constants=[1] + [2] * (PADS[name][2] is not None))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "wrap"])
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("dynamic", [True, False])
def test_pad_modes(mode: str, known: bool, dynamic: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    runs = [(f(n, 4, 5), i(0, 1, 3, 0, 2, 2)) for n in (2, 3, 1)] if dynamic else [(f(2, 4, 5), i(0, 1, 3, 0, 2, 2))]
    check("Pad", runs, tmp_path, worker, constants=[1] * known, dynamic=dynamic, mode=mode)


@pytest.mark.parametrize("known", [(1, 3), (3,), (1,), ()], ids=str)
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect"])
def test_pad_of_some_axes(mode: str, known: Sequence[int], tmp_path: Path, worker: isolated.Worker) -> None:
    check(
        "Pad",
        [(f(3, 4, 5), i(1, 0, 2, 1), np.array(7, np.float32), i(2, -3))],
        tmp_path,
        worker,
        constants=known,
        mode=mode,
    )


@pytest.mark.parametrize(
    ("shape", "want"),
    [
        ((3, 1), (3, 4)),
        ((1,), (2, 3)),
        ((2, 3, 1), (1, 4)),
        ((3,), (1, 1)),
        ((), (2, 2)),
        ((1, 2, 1, 2, 1, 2), (2, 2, 2, 2, 2, 2)),
        ((3, 1), (0,)),
    ],
)
@pytest.mark.parametrize("known", [True, False])
def test_expand(shape: Any, want: Any, known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    check("Expand", [(f(*shape), i(*want))], tmp_path, worker, constants=[1] * known)


def test_expand_of_dynamic_sizes(tmp_path: Path, worker: isolated.Worker) -> None:
    check("Expand", [(f(n, 1, 3), i(1, 4, 1)) for n in (1, 2, 5)], tmp_path, worker, dynamic=True, constants=(1,))


@pytest.mark.parametrize("dtype", ["f4", "f2", "i1", "u1", "i4", "i8", "?"])
def test_expand_types(dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    check("Expand", [((f(2, 1) * 3).astype(dtype), i(2, 3))], tmp_path, worker, outputs=(dtype,))


@pytest.mark.parametrize("known", [True, False])
def test_tile(known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    runs = [(f(n, 3), i(2, 3)) for n in (1, 2)]
    check("Tile", runs, tmp_path, worker, constants=[1] * known, dynamic=True)


@pytest.mark.parametrize(
    ("shape", "want"), [((2, 3, 4), (0, -1)), ((2, 3, 4), (4, 0, -1)), ((6,), (2, 3)), ((2, 3, 4), (-1,)), ((1, 1), ())]
)
@pytest.mark.parametrize("known", [True, False])
def test_reshape(shape: Any, want: Any, known: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    check("Reshape", [(f(*shape), i(*want))], tmp_path, worker, constants=[1] * known)


def test_reshape_copies_dynamic_sizes(tmp_path: Path, worker: isolated.Worker) -> None:
    check(
        "Reshape",
        [(f(n, m, 4), i(0, 0, 2, 2)) for n, m in ((1, 2), (3, 5))],
        tmp_path,
        worker,
        dynamic=True,
        constants=(1,),
    )


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_flatten_of_dynamic_sizes(axis: int, tmp_path: Path, worker: isolated.Worker) -> None:
    check("Flatten", [(f(n, m, 4),) for n, m in ((1, 2), (3, 5))], tmp_path, worker, dynamic=True, axis=axis)


def test_squeezing_dynamic_sizes(tmp_path: Path, worker: isolated.Worker) -> None:
    runs = [(f(n, 1, m, 1), i(1, -1)) for n, m in ((1, 2), (3, 5))]
    check("Squeeze", runs, tmp_path, worker, dynamic=True, constants=(1,))
    check("Unsqueeze", [(r[0], i(0, -1)) for r in runs], tmp_path, worker, dynamic=True, constants=(1,))


@pytest.mark.parametrize("rank", [2, 3, 5, 6, 7])
def test_transpose(rank: int, tmp_path: Path, worker: isolated.Worker) -> None:
    perm = [*range(1, rank), 0][::-1]
    check("Transpose", [(f(*range(1, rank + 1)[:3], *[2] * (rank - 3)),)], tmp_path, worker, perm=perm)


@pytest.mark.parametrize("dtype", ["f4", "i1", "u1", "i4", "i8", "?", "u2", "f2"])
@pytest.mark.parametrize("parts", [(2, 4), (3, 3), (6,)], ids=str)
def test_split(parts: Sequence[int], dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    x = np.abs(f(6, 3) * 3).astype(dtype)
    check("Split", [(x, i(*parts))], tmp_path, worker, constants=(1,), outputs=(dtype,) * len(parts), axis=0)


def test_split_at_run_time(tmp_path: Path, worker: isolated.Worker) -> None:
    check("Split", [(f(3, 7), i(2, 5)), (f(3, 7), i(6, 1))], tmp_path, worker, outputs=(np.float32,) * 2, axis=-1)
    check(
        "Split",
        [(f(n, 2),) for n in (7, 3, 12)],
        tmp_path,
        worker,
        outputs=(np.float32,) * 3,
        axis=0,
        num_outputs=3,
        dynamic=True,
    )
    check(
        "Split",
        [(f(n, 7), i(2, 5)) for n in (1, 3)],
        tmp_path,
        worker,
        outputs=(np.float32,) * 2,
        axis=-1,
        dynamic=True,
        constants=(1,),
    )


@pytest.mark.parametrize("dtype", ["f4", "i1", "u1", "i4", "i8", "?", "u2", "f2"])
def test_concat(dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    a, b = ((f(2, n, 3) * 3).astype(dtype) if dtype != "u2" else np.abs(f(2, n, 3) * 3).astype(dtype) for n in (2, 5))
    check("Concat", [(a, b, a)], tmp_path, worker, outputs=(dtype,), axis=-2)
    check("Concat", [(a, b)], tmp_path, worker, outputs=(dtype,), axis=1, constants=(1,))


def test_many_axes(tmp_path: Path, worker: isolated.Worker) -> None:
    x = f(2, 1, 2, 3, 1, 2, 2)
    check("Concat", [(x, x)], tmp_path, worker, axis=3)
    check("Split", [(x, i(1, 2))], tmp_path, worker, constants=(1,), outputs=(np.float32,) * 2, axis=3)
    check("Softmax", [(x,)], tmp_path, worker, axis=3, rtol=1e-6)
    check("ReduceSum", [(x, i(0, 3, 5))], tmp_path, worker, constants=(1,), rtol=1e-5)
    check("ReduceMax", [(x, i(3, 4))], tmp_path, worker, constants=(1,), keepdims=0)


RANGES = [(0, 5, 1), (3, -7, -2), (5, 5, 1), (5, 2, 1), (2, 9, 3), (-4, 4, 3)]


@pytest.mark.parametrize("dtype", ["i2", "i4", "i8", "f4"])
@pytest.mark.parametrize("known", [(), (2,), (0, 2)], ids=str)
def test_range(dtype: str, known: Sequence[int], tmp_path: Path, worker: isolated.Worker) -> None:
    for step in (1, -2, 3):
        runs = [tuple(np.array(v, dtype) for v in r) for r in RANGES if r[2] == step]
        if 0 in known:
            runs = runs[:1]
        check("Range", runs, tmp_path, worker, constants=known, outputs=(dtype,))


@pytest.mark.parametrize("k", [0, 1, -2])
def test_eye_like_and_trilu(k: int, tmp_path: Path, worker: isolated.Worker) -> None:
    runs = [(f(n, 4),) for n in (3, 5)]
    check("EyeLike", runs, tmp_path, worker, dynamic=True, k=k)
    check("Trilu", [(f(2, n, 4), np.array(k, I64)) for n in (3, 5)], tmp_path, worker, dynamic=True, upper=0)
    check("Trilu", [(f(2, n, 4), np.array(k, I64)) for n in (3, 5)], tmp_path, worker, dynamic=True, constants=(1,))


def test_shapes_and_sizes(tmp_path: Path, worker: isolated.Worker) -> None:
    runs = [(f(n, 3, m),) for n, m in ((2, 4), (5, 1))]
    check("Shape", runs, tmp_path, worker, dynamic=True, outputs=(I64,), start=-2)
    check("Size", runs, tmp_path, worker, dynamic=True, outputs=(I64,))
    value = helper.make_tensor("v", TensorProto.INT64, [1], [7])
    check("ConstantOfShape", [(i(2, 3),), (i(4, 1),)], tmp_path, worker, outputs=(I64,), value=value)


REDUCTIONS = [
    "ReduceSum",
    "ReduceMean",
    "ReduceMax",
    "ReduceMin",
    "ReduceProd",
    "ReduceL1",
    "ReduceL2",
    "ReduceLogSumExp",
    "ReduceSumSquare",
    "ReduceLogSum",
]


@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("axes", [(1,), (0, -1), (), None], ids=str)
@pytest.mark.parametrize("op", REDUCTIONS)
def test_reductions(op: str, axes: Any, keepdims: int, tmp_path: Path, worker: isolated.Worker) -> None:
    x = np.abs(f(2, 3, 4)) if op == "ReduceLogSum" else f(2, 3, 4)
    inputs = (x,) if axes is None else (x, i(*axes))
    check(op, [inputs], tmp_path, worker, constants=[1] * (axes is not None), rtol=2e-6, keepdims=keepdims)
    if axes or op in ("ReduceSum", "ReduceMax"):
        check(op, [inputs], tmp_path, worker, rtol=2e-6, keepdims=keepdims)


@pytest.mark.parametrize("dtype", ["i4", "i8", "i1", "u1"])
@pytest.mark.parametrize("op", ["ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd"])
def test_integer_reductions(op: str, dtype: str, tmp_path: Path, worker: isolated.Worker) -> None:
    if dtype[1] == "1" and op in ("ReduceSum", "ReduceProd"):
        return
    x = RNG.integers(0, 9, (3, 5, 2)).astype(dtype)
    check(op, [(x, i(1))], tmp_path, worker, constants=(1,), outputs=(dtype,))


def test_reductions_of_dynamic_sizes(tmp_path: Path, worker: isolated.Worker) -> None:
    runs = [(f(n, 3, m), i(0, 2)) for n, m in ((2, 4), (5, 1))]
    check("ReduceSum", runs, tmp_path, worker, dynamic=True, constants=(1,), rtol=2e-6, keepdims=0)
    check(
        "ReduceLogSumExp", [(r[0] * 80, r[1]) for r in runs], tmp_path, worker, dynamic=True, constants=(1,), rtol=2e-6
    )
    check("ReduceSum", [(f(2, 3), i())], tmp_path, worker, noop_with_empty_axes=1)


@pytest.mark.parametrize(
    ("equation", "shapes"),
    [
        ("ij,jk->ik", [(2, 3), (3, 4)]),
        ("bij,bjk->bik", [(2, 2, 3), (2, 3, 4)]),
        ("bhqd,bhkd->bhqk", [(2, 3, 4, 5), (2, 3, 6, 5)]),
        ("ij->ji", [(2, 3)]),
        ("ij->", [(2, 3)]),
        ("ii->i", [(3, 3)]),
        ("ii", [(3, 3)]),
        ("i,j->ij", [(2,), (3,)]),
        ("i,i", [(4,), (4,)]),
        ("ij,ij->ij", [(2, 3), (2, 3)]),
        ("...ij,...jk->...ik", [(2, 3, 4), (1, 4, 5)]),
        ("abc,cd,de->abe", [(2, 3, 4), (4, 5), (5, 2)]),
        ("bqhd,bkhd->bhqk", [(2, 3, 4, 5), (2, 6, 4, 5)]),
        ("ibh,hnd->ibnd", [(2, 3, 4), (4, 2, 3)]),
        ("abij,abjk->aik", [(2, 3, 2, 4), (2, 3, 4, 2)]),
        ("ijk,lj->ik", [(2, 3, 4), (5, 3)]),
        ("...,...->...", [(2, 3), (2, 3)]),
    ],
)
@pytest.mark.parametrize("dynamic", [False, True])
def test_einsum(equation: str, shapes: Any, dynamic: bool, tmp_path: Path, worker: isolated.Worker) -> None:
    runs = [tuple(f(*s) for s in shapes)]
    if dynamic:
        letter = equation.replace("...", "").replace("->", "").replace(",", "")[:1]
        if not letter or "..." in equation:
            return
        terms = equation.split("->")[0].split(",")
        runs.append(
            tuple(
                f(*(5 if c == letter else d for c, d in zip(t, s, strict=True)))
                for t, s in zip(terms, shapes, strict=True)
            )
        )
    check("Einsum", runs, tmp_path, worker, equation=equation, dynamic=dynamic, rtol=2e-5)


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_determinants(n: int, tmp_path: Path, worker: isolated.Worker) -> None:
    check("Det", [(f(3, n, n),)], tmp_path, worker, rtol=2e-5)


@pytest.mark.parametrize("p", [1, 2])
def test_lp_normalization(p: int, tmp_path: Path, worker: isolated.Worker) -> None:
    x = f(3, 4)
    check("LpNormalization", [(x,), (-x,)], tmp_path, worker, axis=0, p=p, rtol=1e-6)
