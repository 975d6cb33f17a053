"""Elementwise operators written as TensorFlow Lite: accuracy, integers of every width, what is no number."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import modelport
from modelport.runtimes import isolated

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("ai_edge_litert")


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


def run(
    op: str,
    inputs: Sequence[np.ndarray],
    folder: Path,
    worker: isolated.Worker,
    out: Any = None,
    constants: Mapping[int, np.ndarray] = {},
    **attrs: Any,
) -> list[np.ndarray]:
    """What LiteRT computes for one operator, with XNNPACK and without."""
    kinds = [helper.np_dtype_to_tensor_dtype(a.dtype) for a in inputs]
    target = kinds[0] if out is None else helper.np_dtype_to_tensor_dtype(np.dtype(out))
    names = [f"c{k}" if k in constants else f"x{k}" for k in range(len(inputs) + len(constants))]
    free = [n for n in names if n[0] == "x"]
    graph = helper.make_graph(
        [helper.make_node(op, names, ["y"], **attrs)],
        op,
        [helper.make_tensor_value_info(n, k, a.shape) for n, k, a in zip(free, kinds, inputs, strict=True)],
        [helper.make_tensor_value_info("y", target, None)],
        [numpy_helper.from_array(a, f"c{k}") for k, a in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 24)])
    path = folder / "m.tflite"
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    modelport.convert(folder / "m.onnx", path, verify=None, force=True, float32=True)
    got = []
    for kernels in ("builtin", "plain"):
        session = worker.open("tflite", path, kernels=kernels, signature="serving_default")
        got.append(session.run(dict(zip(free, inputs, strict=True)))["y"])
    return got


EPS = 2.0**-23
ERF = np.vectorize(math.erf, otypes=[float])
NEAR = np.concatenate([np.linspace(-0.999, 0.999, 401), [1e-30, -1e-30, 1e-7, -1e-7, 1e-4, -1e-4]])
WIDE = np.concatenate([np.linspace(-12, 12, 401), [1e-30, -1e-30, 1e-7, -1e-7, 1e-4, -1e-4, 0.5, -0.5, 1, -1]])
HUGE = np.concatenate([WIDE, [1e10, -1e10, 3e20, -3e20, 1e38]])
FUNCTIONS: dict[str, tuple[Any, np.ndarray, Mapping[str, Any]]] = {
    "Erf": (ERF, WIDE, {}),
    "Sinh": (np.sinh, np.append(WIDE, [88.9, -88.9]), {}),
    "Cosh": (np.cosh, np.append(WIDE, [88.9, -88.9]), {}),
    "Asin": (np.arcsin, np.append(NEAR, [1, -1]), {}),
    "Acos": (np.arccos, np.append(NEAR, [1, -1]), {}),
    "Atan": (np.arctan, HUGE, {}),
    "Asinh": (np.arcsinh, HUGE, {}),
    "Acosh": (np.arccosh, np.abs(HUGE) + 1, {}),
    "Atanh": (np.arctanh, NEAR, {}),
    "Softplus": (lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))), np.append(HUGE, [-50.0, -80.0]), {}),
    "Mish": (lambda x: x * np.tanh(np.logaddexp(0, x)), np.append(WIDE, [-50.0, 50, 1e20]), {}),
    "Elu": (lambda x: np.where(x < 0, 0.3 * np.expm1(np.minimum(x, 0)), x), HUGE, {"alpha": 0.3}),
    "Selu": (lambda x: 1.3 * np.where(x < 0, 0.7 * np.expm1(np.minimum(x, 0)), x), HUGE, {"alpha": 0.7, "gamma": 1.3}),
    "Celu": (lambda x: np.where(x < 0, 2.5 * np.expm1(np.minimum(x, 0) / 2.5), x), HUGE, {"alpha": 2.5}),
}
"""Functions by numpy in float64, where to look, and the attributes."""


@pytest.mark.parametrize("op", FUNCTIONS)
def test_accurate_to_a_few_units_in_the_last_place(op: str, tmp_path: Path, worker: isolated.Worker) -> None:
    f, where, attrs = FUNCTIONS[op]
    x = where.astype(np.float32)
    want = f(x.astype(np.float64))
    # 4 units for some 20 rounded steps; XNNPACK's exponential is off by half a unit more for each step of its argument
    units = 4 + 0.5 * np.minimum(np.abs(x), 90) * (op in ("Sinh", "Cosh", "Softplus", "Mish"))
    for got in run(op, [x], tmp_path, worker, **attrs):
        # kernels flush what is below the smallest normal number
        assert np.all(np.abs(got - want) <= units * EPS * np.abs(want) + 2e-38), np.max(
            np.abs(got - want) / np.abs(want)
        )


@pytest.mark.parametrize("op", ["Tan", "Sin", "Cos"])
def test_circular_functions(op: str, tmp_path: Path, worker: isolated.Worker) -> None:
    x = np.linspace(-1.5, 1.5, 301).astype(np.float32)
    want = getattr(np, op.lower())(x.astype(np.float64))
    for got in run(op, [x], tmp_path, worker):  # XNNPACK's are absolute to 3e-7; near a right angle that is relative
        assert np.all(np.abs(got - want) <= 4e-7 * (1 + want * want))


INTEGERS = [np.dtype(t) for t in ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8")]


def _numbers(dtype: np.dtype, seed: int, n: int = 64) -> np.ndarray:
    rng, info = np.random.default_rng(seed), np.iinfo(dtype)
    a = rng.integers(info.min, info.max, n, dtype, endpoint=True)
    a[:6] = [info.min, info.max, 0, 1, info.max - 1, info.min + 1]
    return np.where(rng.random(n) < 0.4, a % 11, a).astype(dtype)


def _truncated(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    exact = [
        int(x) // int(y) if (x < 0) == (y < 0) or not int(x) % int(y) else int(x) // int(y) + 1
        for x, y in zip(a, b, strict=True)
    ]
    return np.array(exact, a.dtype)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize(
    "op",
    ["Add", "Sub", "Mul", "Max", "Min", "Equal", "Less", "GreaterOrEqual", "BitwiseAnd", "BitwiseOr", "BitwiseXor"],
)
def test_integers_wrap_around(op: str, dtype: np.dtype, tmp_path: Path, worker: isolated.Worker) -> None:
    f = {
        "Add": np.add,
        "Sub": np.subtract,
        "Mul": np.multiply,
        "Max": np.maximum,
        "Min": np.minimum,
        "Equal": np.equal,
        "Less": np.less,
        "GreaterOrEqual": np.greater_equal,
        "BitwiseAnd": np.bitwise_and,
        "BitwiseOr": np.bitwise_or,
        "BitwiseXor": np.bitwise_xor,
    }[op]
    a, b = _numbers(dtype, 1).reshape(8, 8), _numbers(dtype, 2, 8)
    with np.errstate(over="ignore"):
        want = f(a, b)
    for got in run(op, [a, b], tmp_path, worker, out=want.dtype):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", [d for d in INTEGERS if d != np.uint64], ids=str)
@pytest.mark.parametrize("op", ["Div", "Mod", "fmod"])
def test_integer_division(op: str, dtype: np.dtype, tmp_path: Path, worker: isolated.Worker) -> None:
    a, b = _numbers(dtype, 3, 512), _numbers(dtype, 4, 512)
    b[(b == 0) | ((a == np.iinfo(dtype).min) & (b == dtype.type(-1) if dtype.kind == "i" else False))] = 3
    want = _truncated(a, b) if op == "Div" else np.fmod(a, b) if op == "fmod" else np.mod(a, b)
    attrs = {"fmod": 1} if op == "fmod" else {}
    for got in run("Mod" if op == "fmod" else op, [a, b], tmp_path, worker, **attrs):
        np.testing.assert_array_equal(got, want)


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_shifts(direction: str, dtype: np.dtype, tmp_path: Path, worker: isolated.Worker) -> None:
    size = 8 * dtype.itemsize
    a = np.repeat(_numbers(dtype, 5, 16), size)
    by = np.tile(np.arange(size), 16).astype(dtype)
    f = np.left_shift if direction == "LEFT" else np.right_shift
    for got in run("BitShift", [a, by], tmp_path, worker, direction=direction):
        np.testing.assert_array_equal(got, f(a, by))


@pytest.mark.parametrize("dtype", [np.dtype("i4"), np.dtype("i8")], ids=str)
def test_integer_powers(dtype: np.dtype, tmp_path: Path, worker: isolated.Worker) -> None:
    a = np.array([0, 1, 2, 3, 5, 7, 2, 2, 1, 0, 10, 3, 1, 0], dtype)
    b = np.array([0, 5, 10, 4, 3, 2, 31, 30, 99, 99, 9, 13, 1000, 1000], dtype)
    a = np.concatenate([a, np.array([-1, -1, -2, -3, 2, 1, -1], dtype)])
    b = np.concatenate([b, np.array([99, 100, 5, 4, -1, -3, -3], dtype)])
    exact = [int(x) ** int(y) if y >= 0 else int(float(x) ** float(y)) for x, y in zip(a, b, strict=True)]
    want = np.array([e % (1 << 64) for e in exact], np.uint64).astype(dtype)
    for got in run("Pow", [a, b], tmp_path, worker):
        np.testing.assert_array_equal(got, want)


PLAIN = [np.dtype(t) for t in ("?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f4", "f8")] + [
    np.dtype(ml_dtypes.bfloat16)
]


@pytest.mark.parametrize("source", PLAIN, ids=str)
def test_casts(source: np.dtype, tmp_path: Path, worker: isolated.Worker) -> None:
    x = np.array([0, 1, 2, 3, 100, 117, 120, 127]).astype(source)
    if source.kind in "if":
        x = x * np.array([1, -1, 1, -1, 1, 1, 1, 1], source)
    for target in PLAIN:
        values = np.abs(x) if target.kind == "u" and source.kind == "f" else x
        want = values.astype(target)
        for got in run("Cast", [values], tmp_path, worker, out=target, to=helper.np_dtype_to_tensor_dtype(target)):
            np.testing.assert_array_equal(got, want, err_msg=f"{source} to {target}")


def test_unsigned_64_bits(tmp_path: Path, worker: isolated.Worker) -> None:
    x = np.array([0, 1, 1 << 62, 1 << 63, (1 << 63) + (1 << 40), (1 << 64) - (1 << 40)], np.uint64)
    for got in run("Cast", [x], tmp_path, worker, out=np.float32, to=TensorProto.FLOAT):
        np.testing.assert_allclose(got, x.astype(np.float32), rtol=EPS)
    y = x.astype(np.float32)
    for got in run("Cast", [y], tmp_path, worker, out=np.uint64, to=TensorProto.UINT64):
        np.testing.assert_array_equal(got, y.astype(np.uint64))


def test_real_remainders_are_exact(tmp_path: Path, worker: isolated.Worker) -> None:
    rng = np.random.default_rng(6)
    a, b = (rng.uniform(-1000, 1000, 400).astype(np.float32) for _ in range(2))
    b[:100] /= 1000
    for got in run("Mod", [a, b], tmp_path, worker, fmod=1):
        np.testing.assert_array_equal(got, np.fmod(a, b))


def test_no_numbers(tmp_path: Path, worker: isolated.Worker) -> None:
    x = np.array([np.nan, np.inf, -np.inf, 0, -1, 3], np.float32)
    for got in run("IsNaN", [x], tmp_path, worker, out=bool):
        np.testing.assert_array_equal(got, np.isnan(x))
    for positive, negative in ((0, 1), (1, 0), (1, 1), (0, 0)):
        want = (np.isposinf(x) & bool(positive)) | (np.isneginf(x) & bool(negative))
        for got in run("IsInf", [x], tmp_path, worker, out=bool, detect_positive=positive, detect_negative=negative):
            np.testing.assert_array_equal(got, want)
    low, high = np.array(-0.5, np.float32), np.array(2, np.float32)
    for got in run("Clip", [x], tmp_path, worker, constants={1: low, 2: high}):
        np.testing.assert_array_equal(got, np.clip(x, low, high))
    for got in run("Clip", [x, low, high], tmp_path, worker):
        np.testing.assert_array_equal(got[1:], np.clip(x, low, high)[1:])


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 1, 3, 1, 2, 1, 2), (1, 2, 1, 2, 1, 2, 1)),
        ((2, 3, 2, 1, 2, 1, 2), (2,)),
        ((2, 2, 2, 2, 2, 2, 2), (2, 2, 2, 2, 2, 2, 2)),
        ((2, 3, 4, 1, 2, 1, 1, 3), (3, 4, 1, 2, 1, 1, 3)),
        ((), (2, 3)),
        ((0, 3), (1, 3)),
        ((5, 1, 2), ()),
    ],
)
@pytest.mark.parametrize("op", ["Add", "Pow", "Less", "Max"])
def test_broadcasting_over_many_axes(op: str, shapes: Any, tmp_path: Path, worker: isolated.Worker) -> None:
    rng = np.random.default_rng(7)
    a, b = (rng.uniform(0.5, 2, s).astype(np.float32) for s in shapes)
    want = {"Add": np.add, "Pow": np.power, "Less": np.less, "Max": np.maximum}[op](a, b)
    for got in run(op, [a, b], tmp_path, worker, out=want.dtype):
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=4 * EPS)


@pytest.mark.parametrize("op", ["Add", "Sub", "Mul", "Div", "Neg", "Abs", "CumSum", "ReduceSum", "ScatterND"])
def test_what_is_carried_in_32_bits_has_room(op: str, tmp_path: Path, worker: isolated.Worker) -> None:
    """64-bit integers that 32 hold, computed to what they do not hold."""
    least = -(1 << 31)
    a = np.array([least, least, (1 << 31) - 1, 7, -1, 1 << 30], np.int32)
    b = np.array([least, -1, (1 << 31) - 1, 2, least, 1 << 30], np.int32)
    more: dict[str, list[str]] = {"CumSum": ["zero"], "ReduceSum": ["axes"], "Neg": [], "Abs": []}
    names = ["wide_a", *more.get(op, ["wide_b"])]
    attrs: dict[str, Any] = {}
    if op == "ScatterND":
        names, attrs = ["wide_a", "places", "wide_b"], {"reduction": "add"}
    graph = helper.make_graph(
        [*(helper.make_node("Cast", [n], [f"wide_{n}"], to=TensorProto.INT64) for n in "ab"),
         helper.make_node(op, names, ["y"], **attrs)],
        op, [helper.make_tensor_value_info(n, TensorProto.INT32, [6]) for n in "ab"],
        [helper.make_tensor_value_info("y", TensorProto.INT64, None)],
        [numpy_helper.from_array(np.array(v, np.int64), n)
         for n, v in (("zero", 0), ("axes", [0]), ("places", [[0], [1], [1], [2], [3], [3]]))])
    source, target = tmp_path / "m.onnx", tmp_path / "m.tflite"
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    source.write_bytes(model.SerializeToString())
    modelport.convert(source, target, verify=None)
    reference = onnxruntime.InferenceSession(str(source), providers=["CPUExecutionProvider"])
    want = reference.run(None, {"a": a, "b": b})[0]
    for kernels in ("builtin", "plain"):
        session = worker.open("tflite", target, kernels=kernels, signature="serving_default")
        np.testing.assert_array_equal(session.run({"a": a, "b": b})["y"], want)


def test_the_lowest_number_is_not_infinite(tmp_path: Path, worker: isolated.Worker) -> None:
    """A mask of the lowest finite number, as transformers have it, is none of infinities."""
    low = np.array([0, np.finfo(np.float32).min], np.float32)
    for mask, found in ((low, False), (np.array([0, -np.inf], np.float32), True)):
        graph = helper.make_graph(
            [helper.make_node("Add", ["x", "mask"], ["s"]), helper.make_node("Equal", ["s", "inf"], ["y"])], "mask",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2])],
            [helper.make_tensor_value_info("y", TensorProto.BOOL, [2])],
            [numpy_helper.from_array(mask, "mask"), numpy_helper.from_array(np.array(-np.inf, np.float32), "inf")])
        source, target = tmp_path / "m.onnx", tmp_path / "m.tflite"
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
        source.write_bytes(model.SerializeToString())
        modelport.convert(source, target, verify=None, force=True)
        for kernels in ("builtin", "plain"):
            session = worker.open("tflite", target, kernels=kernels, signature="serving_default")
            assert session.run({"x": np.ones(2, np.float32)})["y"].tolist() == [False, found]
