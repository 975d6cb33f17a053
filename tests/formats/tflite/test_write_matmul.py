"""Products as TensorFlow Lite, against ONNX Runtime: every rank and form, integers exactly, attention."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
from written import OLD_ORT, agrees, floats, model

from modelport.runtimes import isolated

RNG = np.random.default_rng(6)
F32, U8, I8 = map(np.dtype, ("f4", "u1", "i1"))
SIZES = [{"n": 2, "h": 5, "s": 3, "t": 4, "p": 2}, {"n": 3, "h": 7, "s": 6, "t": 1, "p": 5}]


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


PAIRS = [((4,), (4,)), ((4,), (4, 3)), (("h", 4), (4,)), ((4,), ("n", 4, 3)), (("n", "h", 4), (4,)),
         (("h", 4), (4, 3)), (("n", "h", 4), (4, 3)), (("n", "h", 4), ("n", 4, 3)), (("h", 4), ("n", 4, 3)),
         (("n", 1, "h", 4), (5, 4, 3)), (("n", 2, 2, "h", 4), (2, 2, 4, 3)), ((2, 2, "n", 2, "h", 4), (4, 3)),
         ((2, 1, 2, "n", 2, "h", 4), (4, 3)), ((2, 1, 2, 3, 5, 4), (2, 1, 2, 3, 4, 3))]


@pytest.mark.parametrize("computed", [True, False], ids=["inputs", "constant"])
@pytest.mark.parametrize(("a", "b"), PAIRS, ids=str)
def test_matmul(a: tuple[Any, ...], b: tuple[Any, ...], computed: bool, tmp_path: Path,
                worker: isolated.Worker) -> None:
    if not computed and "n" in b:
        pytest.skip("a constant has its sizes")
    made = model("MatMul", {"a": a, "b": b} if computed else {"a": a}, {} if computed else {"b": floats(*b)},
                 ["a", "b"])
    agrees(tmp_path, worker, made, SIZES)


@pytest.mark.parametrize("kind", ["i4", "i8"])
@pytest.mark.parametrize(("a", "b"), PAIRS[:9], ids=str)
def test_matmul_of_integers(a: tuple[Any, ...], b: tuple[Any, ...], kind: str, tmp_path: Path,
                            worker: isolated.Worker) -> None:
    dtype = np.dtype(kind)
    agrees(tmp_path, worker, model("MatMul", {"a": (dtype, a), "b": (dtype, b)}, {}, ["a", "b"]), SIZES)


@pytest.mark.parametrize("c", [None, (), (3,), (1, 3), ("h", 1), ("h", 3)], ids=str)
@pytest.mark.parametrize("computed", [True, False], ids=["inputs", "constant"])
@pytest.mark.parametrize(("ta", "tb"), [(0, 0), (1, 0), (0, 1), (1, 1)])
def test_gemm(ta: int, tb: int, computed: bool, c: tuple[Any, ...] | None, tmp_path: Path,
              worker: isolated.Worker) -> None:
    shapes = {"a": (4, "h") if ta else ("h", 4), "b": (3, 4) if tb else (4, 3), **({} if c is None else {"c": c})}
    constants = {} if computed else {k: floats(*v) for k, v in shapes.items() if k != "a" and "h" not in v}
    made = model("Gemm", {k: v for k, v in shapes.items() if k not in constants}, constants, list(shapes), transA=ta,
                 transB=tb, alpha=0.5, beta=2.0)
    agrees(tmp_path, worker, made, SIZES)


@pytest.mark.parametrize("inner", [5, 700])
@pytest.mark.parametrize("computed", [True, False], ids=["inputs", "constant"])
@pytest.mark.parametrize(("ka", "kb"), [(U8, U8), (U8, I8), (I8, I8)], ids=str)
def test_matmul_integer(ka: Any, kb: Any, computed: bool, inner: int, tmp_path: Path,
                        worker: isolated.Worker) -> None:
    """Sums of 700 products do not fit the mantissa of single precision."""
    zeros = {"za": np.array(7, ka), "zb": np.array(0 if kb == I8 else 9, kb)}
    b = RNG.integers(np.iinfo(kb).min, np.iinfo(kb).max + 1, (inner, 3)).astype(kb)
    made = model("MatMulInteger", {"a": (ka, ("n", "h", inner)), **({"b": (kb, (inner, 3))} if computed else {})},
                 {**zeros, **({} if computed else {"b": b})}, ["a", "b", "za", "zb"])
    a = [RNG.integers(np.iinfo(ka).min, np.iinfo(ka).max + 1, (n, 4, inner)).astype(ka) for n in (1, 2)]
    agrees(tmp_path, worker, made, [{"a": v, **({"b": b} if computed else {})} for v in a])


def test_conv_integer(tmp_path: Path, worker: isolated.Worker) -> None:
    made = model("ConvInteger", {"x": (U8, ("n", 40, "h", 6))},
                 {"w": RNG.integers(0, 256, (3, 40, 3, 3)).astype(U8), "zx": U8.type(100), "zw": U8.type(120)},
                 ["x", "w", "zx", "zw"], pads=[1, 1, 1, 1], strides=[1, 2])
    agrees(tmp_path, worker, made, [{"n": 1, "h": 5}, {"n": 2, "h": 4}])


def heads(n: int, size: int, length: str) -> tuple[Any, ...]:
    return ("n", n, length, size)


MASKS: dict[str, Any] = {"none": None, "float": (F32, ("s", "t")), "bool": (np.dtype("?"), ("n", 1, "s", "t")),
                         "float 4d": (F32, ("n", 4, "s", "t"))}


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("few", [4, 2, 1])
@pytest.mark.parametrize("mask", MASKS)
def test_attention(mask: str, few: int, causal: int, tmp_path: Path, worker: isolated.Worker) -> None:
    if OLD_ORT and mask == "float 4d" and few != 4:
        pytest.skip("ONNX Runtime 1.23 refuses a mask of more heads than the keys have")
    shapes = {"q": heads(4, 8, "s"), "k": heads(few, 8, "t"), "v": heads(few, 6, "t")}
    inputs = {**shapes, **({"m": MASKS[mask]} if MASKS[mask] else {})}
    made = model("Attention", inputs, {}, list(inputs), opset=23, is_causal=causal)
    cases = []
    for s, t, n in [(3, 5, 2), (4, 4, 1)]:
        sizes = {"n": n, "s": s, "t": t}
        case = {k: floats(*(sizes.get(d, d) for d in shape)) for k, shape in shapes.items()}
        if MASKS[mask]:
            kind, shape = MASKS[mask]
            array = RNG.normal(size=[sizes.get(d, d) for d in shape])
            case["m"] = array.astype(F32) if kind == F32 else array > -0.5
            if kind != F32:
                case["m"][..., 0] = True  # a row that sees nothing: ONNX Runtime of opset 23 averages all
        cases.append(case)
    agrees(tmp_path, worker, made, cases)


@pytest.mark.parametrize("attrs", [{"scale": 0.3}, {"softcap": 2.0}, {"is_causal": 1}], ids=str)
def test_attention_of_packed_heads_with_a_cache(attrs: dict[str, Any], tmp_path: Path,
                                                worker: isolated.Worker) -> None:
    inputs = {"q": ("n", "s", 16), "k": ("n", "t", 8), "v": ("n", "t", 8), "pk": ("n", 2, "p", 4),
              "pv": ("n", 2, "p", 4)}
    made = model("Attention", inputs, {}, ["q", "k", "v", "", "pk", "pv"], 3, opset=23, q_num_heads=4, kv_num_heads=2,
                 **attrs)
    agrees(tmp_path, worker, made, [{"n": 2, "s": 3, "t": 3, "p": 2}, {"n": 1, "s": 1, "t": 1, "p": 6}])


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("dim", [0, 4])
def test_rotary_embedding(dim: int, interleaved: int, tmp_path: Path, worker: isolated.Worker) -> None:
    if OLD_ORT and dim:
        pytest.skip("ONNX Runtime 1.23 asks for num_heads, which four dimensions say themselves")
    width = (dim or 8) // 2
    inputs = {"x": ("n", 3, "s", 8), "p": (np.dtype("i8"), ("n", "s"))}
    made = model("RotaryEmbedding", inputs, {"c": floats(20, width), "d": floats(20, width)}, ["x", "c", "d", "p"],
                 opset=23, interleaved=interleaved, rotary_embedding_dim=dim)
    agrees(tmp_path, worker, made, [{"x": floats(n, 3, s, 8), "p": RNG.integers(0, 20, (n, s))}
                                    for n, s in ((1, 4), (2, 5))])
