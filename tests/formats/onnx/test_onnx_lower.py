"""Hub nodes in older operator sets: every rule against the same graph in the hub's own words.

The conformance tables cover most of it (tests/conformance/expected/onnx-13.txt and others); here is what they don't."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx.reference import ReferenceEvaluator
from onnx_models import run, same, save

from modelport.errors import UnsupportedModel, UsageError
from modelport.formats import onnx as format_onnx
from modelport.hub.infer import op
from modelport.ir.graph import Graph, Value, constant
from modelport.ir.types import Type
from modelport.passes import clean

RNG = np.random.default_rng(0)


def value(array: Any, name: str = "x") -> Value:
    return Value(Type(array.dtype, array.shape), name)


def lowered(folder: Path, outputs: dict[str, Value], inputs: dict[str, Value], opset: int | None) -> onnx.ModelProto:
    return onnx.load(save(folder, format_onnx.from_hub(Graph(inputs, outputs), opset)))


X = RNG.standard_normal((2, 6, 4)).astype(np.float32)
I64 = np.int64
CASES = {
    "reduce without axes": (13, X, lambda x: op.ReduceMean(x), "ReduceMean"),
    "reduce over axes": (13, X, lambda x: op.ReduceMax(x, np.array([0, -1]), keepdims=0), "ReduceMax"),
    "unequal parts": (13, X[0, :5], lambda x: op.add("Split", x, num_outputs=2, outputs=2)[1], "Split"),
    "pads of some axes": (13, X, lambda x: op.Pad(x, np.array([1, 2]), None, np.array([-1])), "Pad"),
    "computed pads of some axes": (13, X, lambda x: op.Pad(
        x, op.Cast(op.Abs(op.Slice(op.Reshape(x, np.array([-1])), np.array([0]), np.array([2]))), to=7), None,
        np.array([1])), "ScatterElements"),
    "wrapped pads": (17, X, lambda x: op.Pad(x, np.array([2, 3]), None, np.array([1]), mode="wrap"), "Concat"),
    "scales of some axes": (13, X[:, None], lambda x: op.Resize(x, None, np.array([2], np.float32), axes=[3]),
                            "Resize"),
    "sizes of some axes": (17, X[:, None], lambda x: op.Resize(x, None, None, np.array([9, 3]), axes=[3, 2],
                                                               mode="linear"), "Resize"),
    "part of a shape": (13, X, lambda x: op.Shape(x, start=1, end=-1), "Slice"),
    "the rest of a shape": (13, X, lambda x: op.Shape(x, start=-2), "Slice"),
    "small integers": (13, (X * 100).astype(np.int8), lambda x: op.Add(x, x), "Cast"),
    "integers above zero": (13, (X * 100).astype(np.int32), lambda x: op.Relu(x), "Max"),
    "a triangle": (13, X[0], lambda x: op.Trilu(x, np.array(1, I64)), "Where"),
    "a lower triangle": (13, X, lambda x: op.Trilu(x, None, upper=0), "Where"),
    "gelu": (13, X, lambda x: op.Gelu(x), "Erf"), "mish": (13, X, lambda x: op.Mish(x), "Exp"),
    "hard swish": (13, X, lambda x: op.HardSwish(x), "HardSigmoid"),
    "swish": (20, X, lambda x: op.Swish(x, alpha=1.5), "Sigmoid"),
    "layer normalization": (13, X, lambda x: op.LayerNormalization(x, np.ones(4, np.float32)), "ReduceMean"),
    "rms normalization": (13, X, lambda x: op.RMSNormalization(x, np.ones(4, np.float32)), "ReduceMean"),
    "group normalization": (13, X, lambda x: op.GroupNormalization(
        x, np.arange(6, dtype=np.float32), np.ones(6, np.float32), num_groups=3), "ReduceMean"),
    "16-bit quantization": (13, X, lambda x: op.DequantizeLinear(
        op.QuantizeLinear(x, np.float32(0.01), np.int16(7)), np.float32(0.01), np.int16(7)), "Round"),
    "quantized channels": (13, X, lambda x: op.QuantizeLinear(x, np.full(6, 0.1, np.float32), np.ones(6, np.int16),
                                                              axis=1), "Round"),
    "quantized blocks": (20, X, lambda x: op.QuantizeLinear(
        x, np.full((2, 2, 4), 0.1, np.float32), np.ones((2, 2, 4), np.uint8), axis=1, block_size=3), "Round"),
    "signed without zero point": (13, X, lambda x: op.QuantizeLinear(x, np.float32(0.1), output_dtype=3),
                                  "QuantizeLinear"),
    "batch first": (13, X, lambda x: op.add("GRU", x, RNG_W, RNG_R, layout=1, hidden_size=3, outputs=2)[0],
                    "Transpose"),
    "booleans": (13, X > 0, lambda x: op.ReduceMin(x, np.array([1])), "Cast"),
    "grid sampling": (16, X[:, None], lambda x: op.GridSample(x, np.zeros((2, 3, 3, 2), np.float32)), "GridSample"),
    "fourier transform": (17, X, lambda x: op.DFT(op.Unsqueeze(x, np.array([-1])), None, np.array(1, I64)), "DFT"),
    "like another": (13, X, lambda x: op.CastLike(x, np.int32(1)), "Cast"),
    "floored remainders": (20, X, lambda x: op.Mod(x, np.array([-1.5, 0.5, 2, 3], np.float32)), "Where"),
    "attention": (13, X[:, None], lambda x: op.Attention(x, x, x), "Softmax"),
}
RNG_W = RNG.standard_normal((1, 9, 4)).astype(np.float32)
RNG_R = RNG.standard_normal((1, 9, 3)).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_the_meaning_stays(tmp_path: Path, name: str) -> None:
    opset, x, build, expected = CASES[name]
    i = value(x)
    outputs = {"y": build(i)}
    (tmp_path / "hub").mkdir()
    now = lowered(tmp_path / "hub", outputs, {"x": i}, 28)
    old = lowered(tmp_path, outputs, {"x": i}, opset)
    assert old.opset_import[0].version == opset
    assert expected in {n.op_type for n in old.graph.node}
    want = ReferenceEvaluator(now).run(None, {"x": x})
    same(run(old, {"x": x}), want, rtol=1e-4, atol=1e-5)  # erf and exp of the two runtimes differ in the last digits


@pytest.mark.parametrize(("opset", "build", "reason"), [
    (13, lambda x: op.ReduceMean(x, op.Cast(op.ReduceMax(x, keepdims=0), to=7)), "2 inputs"),
    (15, lambda x: op.ScatterElements(x, np.zeros((2, 6, 4), I64), x, reduction="add"), "reduction"),
    (17, lambda x: op.ScatterElements(x, np.zeros((2, 6, 4), I64), x, reduction="max"), "reduction 'max'"),
    (18, lambda x: op.Cast(x, to=17), "float8"), (20, lambda x: op.Cast(x, to=22), "int4"),
])
def test_what_an_old_set_lacks_is_named(tmp_path: Path, opset: int, build: Any, reason: str) -> None:
    i = value(X)
    with pytest.raises(UnsupportedModel, match=reason) as e:
        lowered(tmp_path, {"y": build(i)}, {"x": i}, opset)
    assert f"opset {opset}" in str(e.value)
    lowered(tmp_path, {"y": build(i)}, {"x": i}, None)


@pytest.mark.parametrize(("build", "opset"), [
    (lambda x: op.Neg(x), 20), (lambda x: op.Cast(op.Cast(x, to=22), to=1), 21), (lambda x: op.Attention(x, x, x), 23),
    (lambda x: op.Swish(x), 24), (lambda x: op.CumProd(x, np.array(1, I64)), 26),
])
def test_the_lowest_set_from_20_on_is_written(tmp_path: Path, build: Any, opset: int) -> None:
    i = value(X[:, None])
    assert lowered(tmp_path, {"y": build(i)}, {"x": i}, None).opset_import[0].version == opset


def test_what_no_runtime_has_yet_is_decomposed(tmp_path: Path) -> None:
    i = value(X)
    m = lowered(tmp_path, {"y": op.SwiGLU(i, i)}, {"x": i}, None)
    assert m.opset_import[0].version == 20
    assert "SwiGLU" not in {n.op_type for n in m.graph.node}


def test_sets_that_are_not_written() -> None:
    i = value(X)
    for opset in (12, 29):
        with pytest.raises(UsageError, match="13 to 28"):
            format_onnx.from_hub(Graph({"x": i}, {"y": op.Neg(i)}), opset)


def test_bodies_are_lowered_too(tmp_path: Path) -> None:
    c, x, inner = Value(Type(np.dtype(bool), ()), "c"), value(X), value(X, "inner")
    body = Graph({"inner": inner}, {"r": op.Gelu(op.ReduceMean(inner, np.array([1])))})
    other = Graph({"inner": inner}, {"r": op.ReduceSum(inner, np.array([1]))})
    y = op.If(c, x, then_branch=body, else_branch=other, captures=1)
    m = lowered(tmp_path, {"y": y}, {"c": c, "x": x}, 13)
    for condition in (True, False):
        run(m, {"c": np.array(condition), "x": X})


def test_old_tables_of_trees(tmp_path: Path) -> None:
    """The operators that ai.onnx.ml 5 deprecates are written at the version that has them."""
    x = value(RNG.standard_normal((3, 2)).astype(np.float32))
    y = op.ml.TreeEnsembleRegressor(
        x, n_targets=1, nodes_treeids=[0, 0, 0], nodes_nodeids=[0, 1, 2], nodes_featureids=[0, 0, 0],
        nodes_values=[0.5, 0.0, 0.0], nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"], nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0], target_treeids=[0, 0], target_nodeids=[1, 2], target_ids=[0, 0],
        target_weights=[1.0, 2.0])
    m = lowered(tmp_path, {"y": y}, {"x": x}, None)
    assert {i.domain: i.version for i in m.opset_import} == {"": 20, "ai.onnx.ml": 3}
    same(run(m, {"x": np.array([[0, 9], [1, 9], [0.5, 0]], np.float32)}), [np.array([[1], [2], [1]], np.float32)])
    again = format_onnx.to_hub(format_onnx.read(tmp_path / "target.onnx"))
    assert [n.op for n in again.nodes] == ["ai.onnx.ml.TreeEnsembleRegressor"]


def test_symbolic_sizes_survive(tmp_path: Path) -> None:
    i = Value(Type(np.dtype(np.float32), ("batch", 6, 4)), "x")
    m = lowered(tmp_path, {"y": op.Gelu(op.LayerNormalization(i, constant(np.ones(4, np.float32))))}, {"x": i}, 13)
    assert m.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "batch"
    assert m.graph.output[0].type.tensor_type.shape.dim[0].dim_param == "batch"


def test_reshape_of_symbolic_sizes_needs_no_allowzero() -> None:
    """PyTorch's exporter states allowzero everywhere; opset 13 has it not, and needs it only for a size of 0."""
    x = Value(Type(np.dtype(np.float32), ("batch", "seq", 8)), "x")
    sizes = op.Concat(op.Shape(x, start=0, end=2), np.array([2, 4]), axis=0)
    g = format_onnx.from_hub(Graph({"x": x}, {"y": op.Reshape(x, sizes, allowzero=1)}), opset=13)
    (reshape,) = [n for n in g.nodes if n.op == "Reshape"]
    assert "allowzero" not in reshape.attrs
    unknown = Value(Type(np.dtype(np.int64), (3,)), "s")
    for target in (unknown, np.array([0, 5, 8])):
        inputs = {"x": x, "s": unknown}
        with pytest.raises(UnsupportedModel, match="Reshape"):
            format_onnx.from_hub(Graph(inputs, {"y": op.Reshape(x, target, allowzero=1)}), opset=13)


@pytest.mark.parametrize("opset", [13, 20])
@pytest.mark.parametrize("given", [{}, {"pads": [0, 0, 0, 0], "dilations": [1, 1]}])
def test_zeros_before_a_max_pool_survive_the_optimizer_of_onnx_runtime(tmp_path: Path, opset: int,
                                                                       given: dict[str, Any]) -> None:
    """It would make them the padding of the pool, which is minus infinity; ResNet50V2 begins like this."""
    x = value(-1 - RNG.random((1, 2, 7, 7)).astype(np.float32))
    padded = op.Pad(x, np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    y = op.MaxPool(padded, kernel_shape=[3, 3], strides=[2, 2], **given)
    alone = op.MaxPool(x, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    m = lowered(tmp_path, {"y": y, "alone": alone}, {"x": x}, opset)
    feeds = {"x": -1 - RNG.random((1, 2, 7, 7)).astype(np.float32)}
    got = onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
    same(got, ReferenceEvaluator(m).run(None, feeds), rtol=0, atol=0)
    assert got[0].max() == 0
    assert got[1].max() < -1
    again = format_onnx.to_hub(format_onnx.read(tmp_path / "target.onnx"))
    assert [n.op for n in again.nodes] == ["Pad", "MaxPool", "MaxPool"]


@pytest.mark.parametrize("opset", [13, 18, 20, 22])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int8"])
@pytest.mark.parametrize("given", [{"pads": [1, 1, 1, 1]}, {"strides": [3, 3], "ceil_mode": 1}])
def test_padding_of_a_max_pool_itself_stays_apart_from_zeros(tmp_path: Path, opset: int, dtype: str,
                                                             given: dict[str, Any]) -> None:
    """Minus infinity it is, after zeros as well; rounding up has no other word, and sizes may not be known."""
    if dtype == "int8" and onnxruntime.__version__.startswith("1.23"):
        pytest.skip("ONNX Runtime 1.23 has no Max of int8")
    kind = np.dtype(dtype)
    feeds = {"x": (-1 - RNG.integers(0, 9, (1, 2, 7, 6))).astype(kind)}
    x = Value(Type(kind, (1, 2, "h", "w")), "x")
    padded = op.Pad(x, np.array([0, 0, 1, 1, 0, 0, 1, 1]))
    m = lowered(tmp_path, {"y": op.MaxPool(padded, kernel_shape=[2, 3], **given)}, {"x": x}, opset)
    got = onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
    same(got, run(m, feeds), rtol=0, atol=0)
    if dtype != "int8":  # whose padding it can't compute
        same(got, ReferenceEvaluator(m).run(None, feeds), rtol=0, atol=0)
    assert got[0].max() == 0
    again = clean(format_onnx.to_hub(format_onnx.read(tmp_path / "target.onnx")))
    assert [n.op for n in again.nodes] == ["Pad", "MaxPool"]


@pytest.mark.parametrize("make", [
    lambda x: op.Resize(x, None, None, np.array([5, 6]), axes=[2, 3], mode="linear"),
    lambda x: op.Resize(x, None, None, np.array([18, 14]), axes=[2, 3]),
    lambda x: op.Resize(x, None, np.array([1.5, 2], np.float32), axes=[2, 3]),
    lambda x: op.Pad(x, np.array([1, 2]), None, np.array([3])),
    lambda x: op.Pad(x, np.array([0, 2, 1, 0]), None, np.array([2, 3]), mode="wrap"),
], ids=["sizes", "exact sizes", "scales", "pads", "wrapped pads"])
def test_every_axis_is_said_to_the_optimizer_of_onnx_runtime(tmp_path: Path, make: Any) -> None:
    """It moves the transposes through a Resize or a Pad as if all axes were named; images of Keras end like this."""
    x = Value(Type(np.dtype(np.float32), ("n", 9, 7, 3)), "x")
    y = op.Transpose(make(op.Transpose(x, perm=[0, 3, 1, 2])), perm=[0, 2, 3, 1])
    y = op.ReduceMean(op.Sub(y, op.ReduceMean(y, np.array([1]))), np.array([3]))
    m = lowered(tmp_path, {"y": y}, {"x": x}, None)
    feeds = {"x": RNG.standard_normal((2, 9, 7, 3)).astype(np.float32)}
    got = onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)
    same(got, run(m, feeds), rtol=1e-6, atol=1e-6)
    if "wrap" not in str(m.graph.node):  # which the reference evaluator lacks
        same(got, ReferenceEvaluator(m).run(None, feeds), rtol=1e-5, atol=1e-5)
