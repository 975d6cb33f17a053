"""Every pass: what it makes of a pattern, that it leaves others alone, and that ONNX Runtime computes the same."""
from __future__ import annotations

import math
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pytest

from modelport.errors import UnsupportedModel, UsageError
from modelport.formats import onnx
from modelport.hub import layout
from modelport.hub.canonical import canonical
from modelport.hub.infer import op
from modelport.ir import Graph, Type, Value
from modelport.passes import (
    clean,
    fold,
    fuse_attention,
    fuse_blocks,
    fuse_conv,
    fuse_matmul,
    named,
    run,
)
from modelport.passes.dimensions import with_dimensions

RNG = np.random.default_rng(0)


def r(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def x_of(*shape: int | str, dtype: Any = np.float32, name: str = "x") -> Value:
    return Value(Type(np.dtype(dtype), shape), name)


def compute(graph: Graph, folder: Path, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
    path = folder / "m.onnx"
    onnx.write(onnx.from_hub(graph), path)
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(str(path), options).run(None, feeds)


def graph(*outputs: Value, **inputs: Value) -> Graph:
    return Graph(inputs, {f"y{k}": v for k, v in enumerate(outputs)})


def ops(g: Graph) -> list[str]:
    return [n.op for n in g.nodes]


def same(before: Graph, after: Graph, folder: Path, shapes: dict[str, tuple[int, ...]], scale: float = 1.0) -> None:
    """Equal up to the rounding of a few float32 operations."""
    feeds = {k: (RNG.standard_normal(s) * scale).astype(before.inputs[k].dtype) for k, s in shapes.items()}
    for a, b in zip(compute(before, folder, feeds), compute(after, folder, feeds), strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5 * max(1.0, float(np.abs(a).max())))


def conv(x: Value, channels: int, group: int = 1, name: str = "Conv", **attrs: Any) -> Value:
    assert x.shape is not None
    n = int(x.shape[1])
    w = r(channels, n // group, 3, 3) if name == "Conv" else r(n, channels // group, 3, 3)
    return op.add(name, x, w, r(channels), group=group, pads=[1, 1, 1, 1], **attrs)


@pytest.mark.parametrize("name", ["Conv", "ConvTranspose"])
@pytest.mark.parametrize("group", [1, 2])
def test_batch_norm_goes_into_convolutions(name: str, group: int, tmp_path: Path) -> None:
    x = x_of("n", 4, 6, 5)
    y = op.BatchNormalization(conv(x, 6, group, name), r(6), r(6), r(6), np.abs(r(6)) + .1, epsilon=1e-3)
    before = graph(y, x=x)
    after = fuse_conv(before)
    assert ops(after) == [name]
    same(before, after, tmp_path, {"x": (2, 4, 6, 5)})


def test_affine_operators_go_into_convolutions(tmp_path: Path) -> None:
    x = x_of("n", 4, 6, 5)
    y = op.Sub(r(6, 1, 1), op.Add(op.Div(op.Mul(conv(x, 6), r(1, 6, 1, 1)), np.float32(3)), r(6, 1, 1)))
    before = graph(y, x=x)
    after = run(before, [fuse_conv])
    assert ops(after) == ["Conv"]
    same(before, after, tmp_path, {"x": (2, 4, 6, 5)})


def test_scaled_weights_are_not_all_in_memory(tmp_path: Path) -> None:
    """Dense layers as convolutions of one pixel, each with a scale: weights are made when they are written."""
    y = x = x_of(1, 256, 4, 4)
    weights = r(256, 256)
    for k in range(32):
        y = op.Mul(op.Conv(y, weights.T[:, :, None, None] * np.float32(1 + k)), r(256, 1, 1))
    tracemalloc.start()
    made = fuse_conv(graph(y, x=x))
    onnx.write(onnx.from_hub(made), tmp_path / "m.onnx")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [n.op for n in made.nodes] == ["Conv"] * 32
    assert peak < 8 * weights.nbytes  # the writer's buffer is as large as four


def test_weights_that_a_scale_makes_infinite_stay(tmp_path: Path) -> None:
    x = x_of(1, 2, 4, 4)
    for scale, fused in ((1e10, False), (1e8, True)):
        y = op.Mul(op.Conv(x, np.full((2, 2, 1, 1), 1e30, np.float32)), np.full((2, 1, 1), scale, np.float32))
        assert [n.op for n in fuse_conv(graph(y, x=x)).nodes] == (["Conv"] if fused else ["Conv", "Mul"])


def test_zero_pads_go_into_convolutions(tmp_path: Path) -> None:
    x = x_of("n", 4, 6, 5)
    before = graph(conv(op.Pad(x, np.array([0, 0, 1, 0, 0, 0, 2, 1])), 3, strides=[2, 1]), x=x)
    after = fuse_conv(before)
    assert ops(after) == ["Conv"]
    same(before, after, tmp_path, {"x": (2, 4, 6, 5)})


def test_what_must_stay_beside_a_convolution() -> None:
    x = x_of("n", 4, 6, 6)
    shared = conv(x, 6)
    by_row = op.Mul(conv(x, 6), r(6, 1))  # 6 rows, not 6 channels
    padded = conv(op.Pad(x, np.array([0, 0, 1, 0, 0, 0, 2, 1]), np.float32(1)), 3)
    edge = conv(op.Pad(x, np.array([0, 0, 1, 0, 0, 0, 2, 1]), mode="edge"), 3)
    before = graph(op.Mul(shared, r(1, 6, 1, 1)), shared, by_row, padded, edge, x=x)
    assert fuse_conv(before) is before


def test_matrix_products(tmp_path: Path) -> None:
    x = x_of("n", 4)
    y = op.Add(r(5), op.MatMul(x, r(4, 5)))
    z = op.Gemm(x, op.Transpose(r(5, 4), perm=[1, 0]), r(5), alpha=0.5, beta=2.0)
    before = graph(y, z, x=x)
    after = run(before, [fold, fuse_matmul])
    assert ops(after) == ["Gemm", "Gemm"]
    assert (after.nodes[1].attrs["alpha"], after.nodes[1].attrs["beta"]) == (1, 1)
    same(before, after, tmp_path, {"x": (3, 4)})
    three = x_of("n", 2, 4)
    batched = graph(op.Add(op.MatMul(three, r(4, 5)), r(5)), x=three)
    assert fuse_matmul(batched) is batched


def gelu_erf(x: Value) -> Value:
    return op.Mul(op.Mul(x, np.float32(0.5)), op.Add(op.Erf(op.Div(x, np.float32(math.sqrt(2)))), np.float32(1)))


def gelu_tanh(x: Value) -> Value:
    cubic = op.Add(x, op.Mul(np.float32(0.044715), op.Pow(x, np.float32(3))))
    inner = op.Tanh(op.Mul(cubic, np.float32(math.sqrt(2 / math.pi))))
    return op.Mul(op.Mul(np.float32(0.5), x), op.Add(np.float32(1), inner))


def hard_swish(x: Value) -> Value:
    return op.Div(op.Mul(x, op.Clip(op.Add(x, np.float32(3)), np.float32(0), np.float32(6))), np.float32(6))


def layer_norm(x: Value, by_pow: bool = True) -> Value:
    d = op.Sub(x, op.ReduceMean(x, np.array([-1])))
    square = op.Pow(d, np.float32(2)) if by_pow else op.Mul(d, d)
    root = op.Sqrt(op.Add(op.ReduceMean(square, np.array([-1])), np.float32(1e-5)))
    return op.Add(op.Mul(op.Div(d, root), r(8)), r(8))


@pytest.mark.parametrize(("make", "becomes"), [
    (gelu_erf, "Gelu"), (gelu_tanh, "Gelu"), (hard_swish, "HardSwish"), (layer_norm, "LayerNormalization"),
    (lambda x: layer_norm(x, by_pow=False), "LayerNormalization"),
    (lambda x: op.Mul(op.HardSigmoid(x, alpha=1 / 6, beta=0.5), x), "HardSwish")])
def test_blocks(make: Any, becomes: str, tmp_path: Path) -> None:
    x = x_of("n", 5, 8)
    before = graph(make(x), x=x)
    after = fuse_blocks(before)
    assert ops(after) == [becomes]
    same(before, after, tmp_path, {"x": (2, 5, 8)}, scale=3)


@pytest.mark.parametrize("make", [
    lambda x: op.Mul(op.Mul(x, np.float32(0.5)), op.Add(op.Erf(op.Div(x, np.float32(1.5))), np.float32(1))),
    lambda x: op.Mul(op.Mul(x, np.float32(0.25)), op.Add(op.Erf(op.Div(x, np.float32(math.sqrt(2)))), np.float32(1))),
    lambda x: op.Mul(op.Mul(op.Abs(x), np.float32(0.5)),
                     op.Add(op.Erf(op.Div(x, np.float32(math.sqrt(2)))), np.float32(1))),
    lambda x: op.Mul(x, op.HardSigmoid(x)),
    lambda x: op.Div(op.Mul(x, op.Clip(op.Add(x, np.float32(3)), np.float32(0), np.float32(5))), np.float32(6)),
    lambda x: op.Add(op.Mul(op.Div(op.Sub(x, op.ReduceMean(x, np.array([1]))), op.Sqrt(op.Add(op.ReduceMean(
        op.Pow(x, np.float32(2)), np.array([-1])), np.float32(1e-5)))), r(8)), r(8))])
def test_blocks_that_only_look_alike(make: Any) -> None:
    x = x_of("n", 5, 8)
    before = graph(make(x), x=x)
    assert fuse_blocks(before) is before


@pytest.mark.parametrize("masked", [False, True])
def test_attention(masked: bool, tmp_path: Path) -> None:
    q, k, v = (x_of("b", 2, n, 4, name=name) for name, n in (("q", "s"), ("k", "t"), ("v", "t")))
    scores = op.Mul(op.MatMul(q, op.Transpose(k, perm=[0, 1, 3, 2])), np.float32(0.5))
    inputs = {"q": q, "k": k, "v": v}
    if masked:
        inputs["mask"] = x_of("b", 1, "s", "t", name="mask")
        scores = op.Add(scores, inputs["mask"])
    before = graph(op.MatMul(op.Softmax(scores, axis=-1), v), **inputs)
    after = fuse_attention(before)
    assert ops(after) == ["Attention"]
    shapes = {"q": (3, 2, 5, 4), "k": (3, 2, 6, 4), "v": (3, 2, 6, 4), "mask": (3, 1, 5, 6)}
    same(before, after, tmp_path, {n: shapes[n] for n in inputs})


def test_clean_takes_away_what_computes_nothing() -> None:
    x = x_of("n", 3, 4)
    y = op.Transpose(op.Transpose(op.Identity(x), perm=[0, 2, 1]), perm=[0, 2, 1])
    y = op.Squeeze(op.Unsqueeze(op.Mul(op.Cast(y, to=1), np.float32(1)), np.array([0])), np.array([0]))
    y = op.Pad(op.Concat(op.Not(op.Not(op.Greater(y, np.float32(0)))), axis=1), np.zeros(6, np.int64))
    g = run(graph(y, x=x), [clean])
    assert ops(g) == ["Greater"]


def test_clean_keeps_what_does_something() -> None:
    x = x_of("n", 3, 4)
    y = op.Transpose(op.Transpose(x, perm=[0, 2, 1]), perm=[1, 0, 2])
    narrowed = op.Cast(op.Cast(x, to=10), to=1)  # through float16 and back loses bits
    grown = op.Mul(x, np.ones((2, 1, 3, 4), np.float32))  # times one, but another shape
    g = run(graph(y, narrowed, grown, x=x), [clean])
    assert sorted(ops(g)) == ["Cast", "Cast", "Mul", "Transpose"]


def test_requantizing_with_the_same_parameters_is_nothing() -> None:
    x = x_of("n", 4, dtype=np.int8)
    scale, zero = np.float32(0.1), np.int8(3)
    real = op.DequantizeLinear(x, scale, zero)
    again, other = op.QuantizeLinear(real, scale, zero), op.QuantizeLinear(real, np.float32(0.2), zero)
    g = clean(graph(again, other, x=x))
    assert g.outputs["y0"] is x
    assert g.outputs["y1"].op == "QuantizeLinear"


def test_equal_nodes_are_one() -> None:
    x = x_of("n", 4)
    g = clean(graph(op.Add(op.Relu(x), op.Relu(x)), op.Mul(x, np.float32(2)), op.Mul(x, np.float32(2)), x=x))
    assert sorted(ops(g)) == ["Add", "Mul", "Relu"]


def _sizes(x: Value, *which: int) -> list[Value]:
    """Sizes of ``x`` as an exporter writes them: Shape, Gather, Unsqueeze for each."""
    return [op.Unsqueeze(op.Gather(op.Shape(x), np.int64(k), axis=0), np.array([0])) for k in which]


def _ops(g: Graph) -> list[str]:
    return sorted(n.op for n in g.nodes)


def test_computed_shapes_are_written_down(tmp_path: Path) -> None:
    x = x_of("batch", "seq", 32)
    heads = op.Reshape(x, op.Concat(*_sizes(x, 0, 1), np.array([-1]), np.array([8]), axis=0))
    again = op.Reshape(op.Relu(heads), op.Concat(*_sizes(heads, 0, 1), np.array([32]), axis=0))
    flat = op.Reshape(x, op.Concat(*_sizes(x, 0), np.array([-1]), axis=0))
    before = graph(heads, again, flat, x=x)
    after = clean(before)
    assert _ops(after) == ["Relu", "Reshape", "Reshape", "Reshape"]
    shapes = [n.inputs[1].numpy().tolist() for n in after.nodes if n.op == "Reshape"]
    assert sorted(shapes) == [[0, -1], [0, 0, 4, 8], [0, 0, 32]]
    assert {k: v.type for k, v in after.outputs.items()} == {k: v.type for k, v in before.outputs.items()}
    for batch in (1, 3):
        feeds = {"x": RNG.standard_normal((batch, 5, 32)).astype(np.float32)}
        for a, b in zip(compute(before, tmp_path, feeds), compute(after, tmp_path, feeds), strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_computed_shape_serves_an_empty_batch_too(tmp_path: Path) -> None:
    x = x_of("batch", 6, 4)
    g = clean(graph(op.Reshape(x, op.Concat(*_sizes(x, 0), np.array([24]), axis=0)), x=x))
    assert _ops(g) == ["Reshape"]
    assert compute(g, tmp_path, {"x": np.zeros((0, 6, 4), np.float32)})[0].shape == (0, 24)
    y = x_of("batch", "seq", 4)
    split = clean(graph(op.Reshape(y, op.Concat(*_sizes(y, 0), op.Mul(*_sizes(y, 1), np.array([2])), np.array([2]),
                                                axis=0)), x=y))
    assert compute(split, tmp_path, {"x": np.zeros((0, 3, 4), np.float32)})[0].shape == (0, 6, 2)


def test_computed_shapes_that_must_stay(tmp_path: Path) -> None:
    x, y = x_of("batch", "seq", 4), x_of("other", "seq", 4, name="y")
    turned = graph(op.Reshape(x, op.Concat(*_sizes(x, 1, 0), np.array([4]), axis=0)), x=x)
    assert "Shape" in _ops(clean(turned))  # 0, 0, 4 would not turn the sizes
    both = graph(*_sizes(x, 0), *_sizes(y, 0), *_sizes(y, 1), x=x, y=y)
    assert _ops(clean(both)) == ["Gather"] * 3 + ["Shape"] * 2  # other is not batch
    got = compute(clean(both), tmp_path, {"x": np.zeros((2, 3, 4), np.float32), "y": np.zeros((5, 3, 4), np.float32)})
    assert [int(v[0]) for v in got] == [2, 5, 3]


def test_equal_sizes_are_read_once() -> None:
    x = x_of("batch", "seq", 32)
    y = op.Gemm(op.Reshape(x, np.array([-1, 32])), r(32, 96))
    z = op.Reshape(y, op.Concat(*_sizes(x, 0, 1), np.array([96]), axis=0))
    w = op.Reshape(op.Relu(y), op.Concat(*_sizes(op.Sigmoid(x), 0, 1), np.array([96]), axis=0))
    assert _ops(clean(graph(z, w, x=x))).count("Concat") == 1


def test_random_operators_are_never_merged_or_folded() -> None:
    x = x_of(2, 2)
    g = run(graph(op.RandomNormalLike(x), op.RandomNormalLike(x), op.RandomNormal(shape=[2]), x=x), named("default"))
    assert len(g.nodes) == 3


def test_a_known_if_leaves_its_branch(tmp_path: Path) -> None:
    x, inner = x_of("n", 3), x_of("n", 3, name="c")
    then, other = graph(op.Relu(inner), c=inner), graph(op.Neg(inner), c=inner)
    static = op.Greater(op.Gather(op.Shape(x), np.int64(1)), np.int64(5))
    y = op.If(static, x, then_branch=then, else_branch=other, captures=1)
    before = graph(y, x=x)
    after = run(before, named("default"))
    assert ops(after) == ["Neg"]
    same(before, after, tmp_path, {"x": (2, 3)})


def test_fold_does_not_grow_the_file() -> None:
    x = x_of(64, 64)
    table = op.Expand(np.float32(1), np.array([64, 64]))
    half = op.Cast(np.zeros((64, 64), np.float16), to=1)
    quantized = op.DequantizeLinear(np.zeros((64, 64), np.int8), np.float32(.1))
    g = fold(graph(op.Add(op.Add(op.Add(x, table), half), quantized), x=x))
    assert sorted(ops(g)) == ["Add", "Add", "Add", "Cast", "DequantizeLinear", "Expand"]


def test_fold_of_many_operators_equals_onnxruntime(tmp_path: Path) -> None:
    a, i = r(3, 4), np.array([[5, -7], [-9, 4]], np.int64)
    made = [op.Slice(a, np.array([-1]), np.array([-9]), np.array([1]), np.array([-2])), op.Div(i, np.int64(2)),
            op.Mod(i, np.int64(3)), op.Gather(a, np.array([-1, 0])), op.Concat(a, a, axis=-1), op.Sqrt(op.Abs(a)),
            op.Where(op.Greater(a, np.float32(0)), a, np.float32(2)), op.Cast(a, to=6), op.CumSum(a, np.int64(1)),
            op.Range(np.int64(1), np.int64(9), np.int64(3)), op.ReduceMean(a, np.array([0])),
            op.Squeeze(a[None], np.array([0])), op.Reshape(a, np.array([0, -1, 2])),
            op.TopK(a, np.array([2]), outputs=2)[1], op.Trilu(a), op.Round(op.Mul(a, np.float32(2.5)))]
    x = x_of(1)
    before = graph(*[op.Identity(m) for m in made], op.Relu(x), x=x)
    after = run(before, [fold, clean])
    assert ops(after) == ["Relu"]
    feeds = {"x": r(1)}
    for p, q in zip(compute(before, tmp_path, feeds), compute(after, tmp_path, feeds), strict=True):
        assert p.dtype == q.dtype
        np.testing.assert_allclose(p, q, rtol=1e-6)


def test_unknown_pass() -> None:
    with pytest.raises(UsageError, match="no pass 'wrong'"):
        named("fold,wrong")
    assert named("none") == ()


def cnn() -> tuple[Value, Value]:
    """Channels last, with all the ways a layout has to go through; every size equal, so that nothing can be guessed."""
    x = x_of("n", 4, 4, 4)
    y = op.Relu(op.nhwc.Conv(x, r(4, 4, 3, 3), r(4), pads=[1, 1, 1, 1]))
    z = op.Add(op.Mul(y, r(4)), op.nhwc.Conv(y, r(4, 1, 3, 3), group=4, auto_pad="SAME_UPPER"))
    z = op.Concat(z, y, op.Softmax(z, axis=-1), axis=-1)
    z = op.Pad(z, np.array([0, 1, 2, 0, 0, 0, 1, 0]))
    z = op.Slice(z, np.array([1, 0]), np.array([7, 9]), np.array([2, 3]), np.array([1, 2]))
    z = op.nhwc.MaxPool(op.PRelu(z, r(1, 1, 5)), kernel_shape=[2, 2], strides=[1, 1])
    a, b = op.Split(z, np.array([2, 3]), axis=3, outputs=2)
    z = op.Concat(op.Sigmoid(b), a, axis=-1)
    z = op.nhwc.Resize(z, None, np.array([1, 1, 2, 2], np.float32), mode="linear")
    z = op.Div(z, op.Add(op.ReduceMax(z, np.array([-1])), np.float32(2)))
    return x, z


def test_layout_of_a_network(tmp_path: Path) -> None:
    x, z = cnn()
    mean = op.ReduceMean(z, np.array([1, 2]), keepdims=0)
    by_channel = op.ReduceSum(z, np.array([3]), keepdims=0)
    before = graph(op.Gemm(mean, r(5, 3)), by_channel, op.ArgMax(z, axis=-1), x=x)
    after = layout.channels_first(before)
    assert not any(o.startswith("nhwc.") for o in ops(after))
    assert ops(after).count("Transpose") == 2  # the input, and the one output that has the layout
    # the oracle: every twin on its own between two transposes
    naive = graph_of_twins(before)
    feeds = {"x": r(2, 4, 4, 4)}
    for p, q in zip(compute(naive, tmp_path, feeds), compute(after, tmp_path, feeds), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-5, atol=1e-5)


def graph_of_twins(g: Graph) -> Graph:
    from modelport.ir import rebuild

    def rule(node: Any) -> Any:
        if not node.op.startswith("nhwc."):
            return None
        rank = node.inputs[0].rank
        first = op.Transpose(node.inputs[0], perm=layout.last_to_first(rank))
        return op.Transpose(op.add(node.op[5:], first, *node.inputs[1:], **node.attrs), perm=layout.first_to_last(rank))
    return rebuild(g, rule)


def test_layout_there_and_back(tmp_path: Path) -> None:
    x, z = cnn()
    first = layout.channels_first(graph(z, x=x))
    last = clean(layout.channels_last(first))
    assert sum(o == "Transpose" for o in ops(last)) == 0
    feeds = {"x": r(2, 4, 4, 4)}
    for p, q in zip(compute(first, tmp_path, feeds), compute(last, tmp_path, feeds), strict=True):
        np.testing.assert_allclose(p, q, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("space", [(6,), (6, 5), (4, 6, 5)])
def test_layout_of_blocks_with_dense_layers(tmp_path: Path, space: tuple[int, ...], dtype: str) -> None:
    """ConvNeXt and PoolFormer: one transpose in, one out, however many products and normalisations are between."""
    rank, kind = len(space) + 2, np.dtype(dtype)
    def w(*shape: int) -> np.ndarray:
        return r(*shape).astype(kind)
    x = x_of("n", *space, 4, dtype=kind)
    y = op.nhwc.Conv(x, w(4, 4, *(1,) * len(space)))
    for _ in range(2):
        z = op.nhwc.Conv(y, w(4, 1, *(3,) * len(space)), w(4), group=4, pads=[1, 1] * len(space))
        z = op.LayerNormalization(z, w(4), w(4), axis=-1, epsilon=1e-3)
        z = op.Gelu(op.Add(op.MatMul(z, w(4, 8)), w(8)))
        y = op.Add(y, op.Mul(op.Add(op.MatMul(z, w(8, 4)), w(4)), w(4)))
        z = op.nhwc.AveragePool(op.LayerNormalization(y, w(4), axis=rank - 1), kernel_shape=[1] * len(space))
        y = op.Add(y, op.MatMul(z, w(4, 4)))
    before = graph(y, x=x)
    after = layout.channels_first(before)
    assert ops(after).count("Transpose") == 2
    assert not {"MatMul", "LayerNormalization"} & set(ops(after))
    feeds = {"x": w(2, *space, 4)}
    tolerance = 1e-5 if dtype == "float32" else 3e-2
    np.testing.assert_allclose(compute(graph_of_twins(before), tmp_path, feeds)[0],
                               compute(after, tmp_path, feeds)[0], rtol=tolerance, atol=tolerance)


def test_layout_leaves_dense_layers_where_nothing_is_won() -> None:
    """At the edge of the graph, of float64 (no runtime has such a Conv), of two activations, and channels last."""
    x = x_of("n", 6, 5, 4)
    y = op.LayerNormalization(op.nhwc.Conv(x, r(4, 4, 3, 3)), r(4), r(4), axis=3)
    assert {"MatMul", "LayerNormalization"} <= set(ops(layout.channels_first(graph(op.MatMul(y, r(4, 4)), x=x))))
    x = x_of("n", 6, 5, 4, dtype=np.float64)
    y = op.MatMul(op.nhwc.MaxPool(x, kernel_shape=[2, 2]), r(4, 4).astype(np.float64))
    y = op.nhwc.MaxPool(op.MatMul(y, op.Transpose(y, perm=[0, 1, 3, 2])), kernel_shape=[2, 2])
    assert ops(layout.channels_first(graph(y, x=x))).count("MatMul") == 2
    x = x_of("n", 4, 5)
    y = op.Conv(op.MatMul(op.Conv(x, r(4, 4, 1)), r(5, 5)), r(4, 4, 1))
    assert "MatMul" in ops(layout.channels_last(graph(y, x=x)))


def test_layout_moves_quantized_constants_and_leaves_other_ranks(tmp_path: Path) -> None:
    x = x_of("n", 5, 6, 4)
    stored, zeros = RNG.integers(-9, 9, (3, 4, 2, 2)).astype(np.int8), np.zeros(3, np.int8)
    y = op.nhwc.Conv(x, op.DequantizeLinear(stored, np.abs(r(3)), zeros, axis=0))
    q = op.DequantizeLinear(op.QuantizeLinear(y, np.abs(r(3)) + .1, zeros, axis=3), np.abs(r(3)) + .1, axis=3)
    scale = op.DequantizeLinear(RNG.integers(-9, 9, (1, 1, 3)).astype(np.int8), np.float32(.1))
    before = graph(op.MatMul(op.Mul(q, scale), r(3, 2)), x=x)
    after = layout.channels_first(before)
    assert ops(after).count("Transpose") == 2  # in and out; the product is taken after the second
    feeds = {"x": r(2, 5, 6, 4)}
    np.testing.assert_allclose(compute(graph_of_twins(before), tmp_path, feeds)[0],
                               compute(after, tmp_path, feeds)[0], rtol=1e-5, atol=1e-5)


def test_canonical_says_everything(tmp_path: Path) -> None:
    x = x_of("n", 4, 7, 6)
    y = op.Conv(x, r(6, 2, 3, 3), group=2, strides=[2, 2], auto_pad="SAME_LOWER")
    y = op.AveragePool(op.Clip(y, None, np.float32(1)), kernel_shape=[2, 2], auto_pad="SAME_UPPER")
    y = op.Concat(op.Softmax(y, axis=-3), y, axis=-1)
    y = op.Squeeze(op.Unsqueeze(op.ReduceSum(y, keepdims=1), np.array([-1])), np.array([-1]))
    y = op.Flatten(op.Dropout(y))
    y = op.Gemm(y, r(1, 3), r(3), alpha=0.5, beta=2.0)
    before = graph(y, x=x)
    after = canonical(before)
    found = {n.op: n.attrs for n in after.nodes}
    assert "Dropout" not in found
    assert found["Conv"]["pads"] == (1, 1, 1, 0)
    assert found["Conv"]["auto_pad"] == "NOTSET"
    assert found["Conv"]["kernel_shape"] == (3, 3)
    assert found["AveragePool"]["pads"] == (0, 0, 1, 1)
    assert (found["Softmax"]["axis"], found["Concat"]["axis"]) == (1, 3)
    assert (found["Gemm"]["alpha"], found["Gemm"]["beta"]) == (1, 1)
    assert all(v is not None for n in after.nodes if n.op == "Clip" for v in n.inputs)
    same(before, after, tmp_path, {"x": (2, 4, 7, 6)})


def batched(batch: int | str) -> Graph:
    x = x_of(batch, 3, 8, 8)
    y = op.Relu(op.Conv(x, r(4, 3, 3, 3)))
    n = batch if isinstance(batch, int) else 0
    y = op.Reshape(y, np.array([n, 144]))
    return graph(op.Reshape(op.MatMul(y, r(144, 6)), np.array([n, 2, 3])), x=x)


def test_a_fixed_batch_becomes_dynamic(tmp_path: Path) -> None:
    before = batched(1)
    after = with_dimensions(before, {}, "batch")
    assert after.outputs["y0"].shape == ("batch", 2, 3)
    feeds = r(5, 3, 8, 8)
    whole = compute(after, tmp_path, {"x": feeds})[0]
    rows = [compute(before, tmp_path, {"x": feeds[k:k + 1]})[0] for k in range(5)]
    np.testing.assert_allclose(whole, np.concatenate(rows), rtol=1e-5, atol=1e-5)


def test_other_sizes(tmp_path: Path) -> None:
    fixed = with_dimensions(batched("n"), {"x": (4, 3, 8, 8)})
    assert fixed.outputs["y0"].shape == (4, 2, 3)
    x = x_of(1, 3, 8, 8)
    image = graph(op.ReduceMean(op.Conv(x, r(4, 3, 3, 3)), np.array([2, 3])), x=x)
    wide = with_dimensions(image, {"x": (2, 3, "h", 20)})
    assert wide.outputs["y0"].shape == (2, 4, 1, 1)
    assert compute(wide, tmp_path, {"x": r(2, 3, 11, 20)})[0].shape == (2, 4, 1, 1)


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(UnsupportedModel):
        with_dimensions(batched(1), {"x": (1, 3, 9, 9)})
    with pytest.raises(UsageError, match="no input 'z'"):
        with_dimensions(batched(1), {"z": (1,)})
    with pytest.raises(UsageError, match="4 dimensions"):
        with_dimensions(batched(1), {"x": (1, 3)})
    for wrong in ((1, "3", 8, 8), (1, 3, 0, 8), (1, 3, 8.5, 8), (True, 3, 8, 8), 5):
        with pytest.raises(UsageError, match="numbers"):
            with_dimensions(batched(1), {"x": wrong})  # type: ignore[dict-item]
    for batch in (0, 2.5, True, "2"):
        with pytest.raises(UsageError, match="the batch"):
            with_dimensions(batched(1), {}, batch)  # type: ignore[arg-type]
    x = x_of(1, 3, 8, 8)
    with pytest.raises(UnsupportedModel) as caught:  # channels last, by mistake
        with_dimensions(graph(op.Conv(x, r(4, 3, 3, 3)), x=x), {"x": (1, 8, 8, 3)})
    assert "takes 3 channels, the input has 8" in caught.value.problems[0].reason


def test_weights_and_windows_tell_the_axes_of_an_image(tmp_path: Path) -> None:
    x, shape = x_of("n", 16), x_of(4, dtype=np.int64, name="shape")
    image = op.Reshape(x, op.Concat(shape, np.zeros(0, np.int64), axis=0))
    image.type = Type(image.dtype, None)
    y = op.nhwc.MaxPool(op.nhwc.Conv(image, r(3, 2, 1, 1), kernel_shape=[1, 1]), kernel_shape=[2, 2])
    made = layout.channels_first(graph(y, x=x, shape=shape))
    assert [n.op for n in made.nodes if "." in n.op] == []
    feeds = {"x": r(3, 16), "shape": np.array([3, 4, 2, 2])}
    got, = compute(made, tmp_path, feeds)
    (weight,) = (n.inputs[1].numpy() for n in made.nodes if n.op == "Conv")
    want = feeds["x"].reshape(3, 4, 2, 2) @ weight[:, :, 0, 0].T
    want = np.maximum(np.maximum(want[:, 1:], want[:, :-1])[:, :, 1:], np.maximum(want[:, 1:], want[:, :-1])[:, :, :-1])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_what_is_picked_from_joined_values_comes_from_one_of_them(tmp_path: Path) -> None:
    a, b = x_of("N", 2, name="a"), x_of("N", 3, name="b")
    both = op.Concat(a, b, axis=-1)
    inside = graph(op.Gather(both, np.array([1]), axis=1), op.Gather(both, np.array([2, 3, 4]), axis=1),
                   op.Gather(both, np.array([-1, 2]), axis=-1), a=a, b=b)
    after = clean(inside)
    assert "Concat" not in ops(after) and after.outputs["y1"] is after.inputs["b"]
    same(inside, after, tmp_path, {"a": (4, 2), "b": (4, 3)})
    for others in (op.Gather(both, np.array([1, 2]), axis=1), op.Gather(both, np.array([0]), axis=0),
                   op.Gather(both, np.array(1), axis=1), op.Gather(both, np.zeros(0, np.int64), axis=1)):
        assert "Concat" in ops(clean(graph(others, a=a, b=b)))


def test_zeros_as_the_first_state_are_none(tmp_path: Path) -> None:
    """PyTorch's exporters make them as large as the batch, which some formats cannot ask for."""
    x = x_of(5, "N", 4)
    size = op.Concat(np.array([2]), op.Shape(x, start=1, end=2), np.array([6]), axis=0)
    zeros, ones = op.Expand(np.zeros(1, np.float32), size), op.Expand(np.ones(1, np.float32), size)
    first = op.Slice(op.ConstantOfShape(size), np.array([0]), np.array([1]), np.array([0]))
    second = op.Slice(zeros, np.array([1]), np.array([2]), np.array([0]))
    state = op.Slice(ones, np.array([1]), np.array([2]), np.array([0]))
    for h, c, left in ((first, second, 3), (state, second, 6), (first, state, 7)):
        y = op.LSTM(x, WEIGHT, RECURRENT, None, None, h, c, hidden_size=6)
        before = graph(y, x=x)
        after = clean(before)
        (made,) = (n for n in after.nodes if n.op == "LSTM")
        assert len(made.inputs) == left
        assert ("Shape" in ops(after)) == (left > 3)
        same(before, after, tmp_path, {"x": (5, 3, 4)})


WEIGHT, RECURRENT = r(1, 24, 4), r(1, 24, 6)
