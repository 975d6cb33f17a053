"""Old forms of operators mean in the hub what they meant in their time.

Forms of operator set 7 and later are compared with ONNX Runtime on the old model; older ones, which it does not run,
with what the specification says, in numpy."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx_models import convert, load, model, run, same

from modelport.errors import UnsupportedModel
from modelport.formats import onnx as format_onnx

RNG = np.random.default_rng(0)
X4 = RNG.standard_normal((2, 3, 4, 5)).astype(np.float32)
X2 = RNG.standard_normal((4, 6)).astype(np.float32)
C3 = RNG.uniform(0.5, 2, 3).astype(np.float32)
Array = Any


@dataclass(frozen=True)
class Old:
    """A node of an old operator set; ``expected`` computes from the inputs, or ONNX Runtime does if it is ``None``."""

    op: str
    opset: int
    inputs: tuple[Array, ...]
    attrs: dict[str, Any]
    expected: Callable[..., Any] | None = None
    outputs: int = 1
    constants: tuple[int, ...] = ()
    domain: str = ""

    def __str__(self) -> str:
        return f"{self.op}-{self.opset}-" + "-".join(f"{k}={v}" for k, v in self.attrs.items())[:40]


def case(op: str, opset: int, *inputs: Array, expected: Callable[..., Any] | None = None, outputs: int = 1,
         constants: tuple[int, ...] = (), domain: str = "", **attrs: Any) -> Old:
    return Old(op, opset, inputs, attrs, expected, outputs, constants, domain)


def softmax_2d(axis: int) -> Callable[..., Any]:
    def f(x: Array) -> Array:
        flat = x.reshape(int(np.prod(x.shape[:axis])), -1)
        e = np.exp(flat - flat.max(-1, keepdims=True))
        return (e / e.sum(-1, keepdims=True)).reshape(x.shape)
    return f


def upsampled(x: Array, factors: tuple[float, ...], nearest: Callable[[Array], Array] = np.floor) -> Array:
    for axis, f in enumerate(factors):
        n = int(np.floor(x.shape[axis] * f))
        x = np.take(x, nearest(np.arange(n) / np.float32(f)).astype(int), axis)
    return x


def batch_normalized(x: Array, scale: Array, b: Array, mean: Array, var: Array) -> Array:
    at = (slice(None), *(None,) * (x.ndim - 2))
    return (x - mean[at]) / np.sqrt(var[at] + np.float32(1e-5)) * scale[at] + b[at]


I8 = np.array([3, 1, 2], np.int64)
TREE: dict[str, Any] = {
    "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [1, 0, 0],
    "nodes_values": [0.25, 0.0, 0.0], "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"], "nodes_truenodeids": [1, 0, 0],
    "nodes_falsenodeids": [2, 0, 0]}
CASES = [
    *(case(op, 1, X4, expected=f, consumed_inputs=[0]) for op, f in {
        "Abs": np.abs, "Ceil": np.ceil, "Floor": np.floor, "Exp": np.exp, "Neg": np.negative, "Tanh": np.tanh,
        "Relu": lambda x: np.maximum(x, 0), "Reciprocal": lambda x: 1 / x}.items()),
    case("Elu", 1, X4, expected=lambda x: np.where(x < 0, 0.5 * (np.exp(x) - 1), x), alpha=0.5, consumed_inputs=[0]),
    case("LeakyRelu", 1, X4, expected=lambda x: np.where(x < 0, np.float32(0.01) * x, x), consumed_inputs=[0]),
    case("HardSigmoid", 1, X4, expected=lambda x: np.clip(np.float32(0.2) * x + np.float32(0.5), 0, 1)),
    case("Selu", 1, X4,
         expected=lambda x: np.float32(1.0507) * np.where(x < 0, np.float32(1.6732) * (np.exp(x) - 1), x)),
    case("Max", 1, X4, -X4, expected=np.maximum, consumed_inputs=[0, 0]),
    # one-sided broadcasting
    case("Add", 1, X4, C3, expected=lambda a, b: a + b[:, None, None], broadcast=1, axis=1, consumed_inputs=[0, 0]),
    case("Add", 6, X4, X4[0, 0, 0], expected=np.add, broadcast=1),
    case("Sub", 6, X4, X4[0, :, :, 0], expected=lambda a, b: a - b[:, :, None], broadcast=1, axis=1),
    case("Mul", 6, X4, X4[0, 0], expected=np.multiply, broadcast=1),
    case("Mul", 6, X4, np.array([[3]], np.float32), expected=lambda a, b: a * 3, broadcast=1, axis=1),
    case("Div", 6, X4, C3, expected=lambda a, b: a / b[:, None, None], broadcast=1, axis=-3),
    case("Pow", 1, np.abs(X4), C3, expected=lambda a, b: a ** b[:, None, None], broadcast=1, axis=1),
    case("And", 1, X4 > 0, X4[0, :, 0, 0] > 0, expected=lambda a, b: a & b[:, None, None], broadcast=1, axis=1),
    case("Equal", 1, I8[:, None], I8[:1], expected=lambda a, b: a == b, broadcast=1),
    case("Greater", 1, X4, X4[::-1].copy(), expected=np.greater),
    case("PRelu", 1, X4, C3, expected=lambda x, s: np.where(x < 0, s[:, None, None] * x, x), consumed_inputs=[0, 0]),
    case("PRelu", 6, X4, C3, expected=lambda x, s: np.where(x < 0, s[:, None, None] * x, x)),
    case("PRelu", 6, X4, C3[:1], expected=lambda x, s: np.where(x < 0, s * x, x)),
    case("PRelu", 7, X4, RNG.uniform(0, 1, 5).astype(np.float32)),
    case("Clip", 1, X4, expected=lambda x: np.clip(x, -0.5, None), min=-0.5, consumed_inputs=[0]),
    case("Clip", 6, X4, min=-0.5, max=0.25),
    case("Clip", 6, np.array([np.inf, -np.inf, 1], np.float32)),
    case("Cast", 1, X4, expected=lambda x: x.astype(np.int32), to="INT32"),
    # shapes
    case("Reshape", 1, X4, expected=lambda x: x.reshape(2, -1, 5), shape=[0, -1, 5], consumed_inputs=[0]),
    case("Slice", 1, X4, expected=lambda x: x[:, 1:3, :, -2:], axes=[1, 3], starts=[1, -2], ends=[3, 1000]),
    case("Slice", 9, X4, starts=[0, 1], ends=[1, 3]),
    case("Split", 1, X2, expected=lambda x: (x[:, :2], x[:, 2:]), outputs=2, axis=1, split=[2, 4]),
    case("Split", 1, X2, np.array([1, 3], np.float32), expected=lambda x, s: (x[:1], x[1:]), outputs=2, constants=(1,)),
    case("Split", 2, X2, expected=lambda x: (x[:2], x[2:]), outputs=2),
    case("Split", 11, X2, outputs=3, axis=-1),
    case("Split", 13, X2, np.array([1, 5], np.int64), outputs=2, axis=1),
    case("Split", 13, X2, outputs=2, axis=1),
    case("Squeeze", 1, X4[:1, :, :1], axes=[0, 2], expected=lambda x: x[0, :, 0]),
    case("Squeeze", 11, X4[:1, :, :1]),
    case("Unsqueeze", 11, X2, axes=[0, -1]),
    case("Pad", 1, X2, expected=lambda x: np.pad(x, ((0, 1), (2, 0)), constant_values=7), paddings=[0, 2, 1, 0],
         value=7.0),
    case("Pad", 2, X2, pads=[0, 2, 1, 0], mode="reflect"),
    case("Pad", 2, X2, pads=[0, 2, 1, -1], value=1.5),
    case("Tile", 1, X2, np.array(3, np.int64), np.array(1, np.int64), expected=lambda x, t, a: np.tile(x, (1, 3)),
         constants=(1, 2)),
    case("Concat", 1, X2, X2, expected=lambda a, b: np.concatenate([a, b], 1)),
    case("TopK", 1, X2, expected=lambda x: (-np.sort(-x, 1)[:, :2], np.argsort(-x, 1)[:, :2]), outputs=2, k=2),
    case("TopK", 10, X2, np.array([3], np.int64), outputs=2, axis=0),
    case("Scatter", 9, X2, np.array([[1, 0, 2, 3, 0, 1]]), X2[:1] + 1, axis=0),
    case("OneHot", 9, np.array([0, 2, 5, 1]), np.array(3), np.array([2.0, 5.0], np.float32)),
    case("OneHot", 9, np.array([0, -1, 2]), np.array(3), np.array([2.0, 5.0], np.float32),
         expected=lambda i, d, v: np.array([[5, 2, 2], [2, 2, 2], [2, 2, 5]], np.float32)),
    case("Upsample", 1, X4, expected=lambda x: upsampled(x, (1, 1, 2, 3)), height_scale=2.0, width_scale=3.0,
         mode="nearest"),
    case("Upsample", 7, X4, scales=[1.0, 1.0, 2.0, 1.5], mode="nearest"),
    case("Upsample", 7, X4, scales=[1.0, 1.0, 2.0, 2.0], mode="linear"),
    case("Upsample", 9, X4, np.array([1, 1, 2, 2], np.float32), mode="linear"),
    case("Resize", 10, X4, np.array([1, 1, 2, 1.5], np.float32), constants=(1,), mode="nearest"),
    case("Resize", 10, X4, np.array([1, 1, 0.6, 0.4], np.float32), constants=(1,), mode="nearest"),
    case("Resize", 10, X4, np.array([1, 1, 2, 0.6], np.float32), constants=(1,), mode="nearest",
         expected=lambda x, s: upsampled(upsampled(x, (1, 1, 2, 1)), (1, 1, 1, 0.6), np.ceil)),
    case("Resize", 10, X4, np.array([1, 1, 1.7, 0.6], np.float32), mode="linear"),
    case("Resize", 11, X4, np.zeros(0, np.float32), np.array([1, 1, 2, 2], np.float32), mode="cubic"),
    case("Resize", 11, X4, np.zeros(0, np.float32), np.zeros(0, np.float32), np.array([2, 3, 7, 3]), mode="linear",
         coordinate_transformation_mode="align_corners", constants=(1, 2, 3)),
    # reductions and normalizing exponentials
    *(case(op, 11, X4, axes=[1, -1], keepdims=k) for k, op in enumerate(("ReduceSum", "ReduceMean"))),
    *(case(op, 13, np.abs(X4), axes=[2], keepdims=0) for op in (
        "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMin", "ReduceProd",
        "ReduceSumSquare")),
    case("ReduceMax", 12, X4),
    case("Softmax", 1, X4, expected=softmax_2d(1)),
    case("Softmax", 11, X4, axis=2), case("LogSoftmax", 11, X4, axis=-2), case("Hardmax", 11, X4, axis=1),
    case("Softmax", 11, X4, axis=3), case("Softmax", 11, X4[:, :, :1, :1], axis=1), case("Softmax", 11, X2, axis=0),
    # layers
    case("BatchNormalization", 1, X4, C3, C3 + 1, C3 - 1, C3, expected=batch_normalized, is_test=1, epsilon=1e-5,
         consumed_inputs=[0, 0, 0, 1, 1]),
    case("BatchNormalization", 6, X4, C3, C3 + 1, C3 - 1, C3, expected=batch_normalized, is_test=1),
    case("BatchNormalization", 7, X4, C3, C3 + 1, C3 - 1, C3),
    case("BatchNormalization", 7, X4, *(RNG.uniform(0.5, 1, (3, 4, 5)).astype(np.float32) for _ in range(4)), spatial=0,
         expected=lambda x, s, b, m, v: (x - m) / np.sqrt(v + np.float32(1e-5)) * s + b),
    case("BatchNormalization", 9, X4, C3, C3 + 1, C3 - 1, C3, epsilon=0.1),
    case("InstanceNormalization", 1, X4, C3, C3, consumed_inputs=[0], expected=lambda x, s, b: (
        (x - x.mean((2, 3), keepdims=True)) / np.sqrt(x.var((2, 3), keepdims=True) + 1e-5) * s[:, None, None]
        + b[:, None, None]).astype(np.float32)),
    case("Dropout", 1, X4, expected=lambda x: x, ratio=0.3, is_test=1), case("Dropout", 6, X4, expected=lambda x: x),
    case("Dropout", 7, X4, ratio=0.9), case("Dropout", 10, X4), case("Dropout", 12, X4),
    case("Dropout", 13, X4, outputs=2),
    case("Gemm", 6, X2, X2.T.copy(), X2[:, 0], expected=lambda a, b, c: 2 * (a @ b) + 0.5 * c, broadcast=1, alpha=2.0,
         beta=0.5),
    case("GlobalLpPool", 1, X4, expected=lambda x: np.sqrt((x ** 2).sum((2, 3), keepdims=True)), p=2.0),
    case("GroupNormalization", 18, RNG.standard_normal((2, 6, 4)).astype(np.float32), C3, C3 + 1, num_groups=3,
         expected=lambda x, s, b: ((g := x.reshape(2, 3, 8)) - g.mean(-1, keepdims=True)) .reshape(2, 6, 4) / np.repeat(
             np.sqrt(g.var(-1, keepdims=True) + 1e-5), 2, 1).astype(np.float32) * np.repeat(s, 2)[:, None]
         + np.repeat(b, 2)[:, None]),
    case("RoiAlign", 10, X4, np.array([[0, 0, 3, 3], [1, 1, 4, 2]], np.float32), np.array([0, 1]), output_height=2,
         output_width=2, sampling_ratio=2),
    *(case("GridSample", 16, X4, RNG.uniform(-1.2, 1.2, (2, 3, 3, 2)).astype(np.float32), mode=m)
      for m in ("bilinear", "bicubic", "nearest")),
    case("DFT", 17, RNG.standard_normal((2, 8, 1)).astype(np.float32), axis=1),
    case("DFT", 17, RNG.standard_normal((2, 8, 4, 1)).astype(np.float32), np.array(6), axis=2, onesided=1),
    case("RNN", 7, RNG.standard_normal((3, 2, 4)).astype(np.float32), RNG.standard_normal((1, 5, 4)).astype(np.float32),
         RNG.standard_normal((1, 5, 5)).astype(np.float32), outputs=2, hidden_size=5),
    case("LSTM", 7, RNG.standard_normal((3, 2, 4)).astype(np.float32),
         RNG.standard_normal((2, 20, 4)).astype(np.float32), RNG.standard_normal((2, 20, 5)).astype(np.float32),
         outputs=3, hidden_size=5, direction="bidirectional"),
    # experimental operators
    case("Affine", 1, X4, expected=lambda x: 2 * x + 3, alpha=2.0, beta=3.0),
    case("ScaledTanh", 1, X4, expected=lambda x: 2 * np.tanh(0.5 * x), alpha=2.0, beta=0.5),
    case("ParametricSoftplus", 1, X4, expected=lambda x: 2 * np.log1p(np.exp(0.5 * x)), alpha=2.0, beta=0.5),
    case("ImageScaler", 1, X4, scale=2.0, bias=[1.0, 2.0, 3.0],
         expected=lambda x: 2 * x + np.array([1, 2, 3], np.float32)[:, None, None]),
    case("Crop", 1, X4, expected=lambda x: x[:, :, 1:-2, 1:-1], border=[1, 1, 1, 2]),
    case("Crop", 1, X4, expected=lambda x: x[:, :, 1:3, 2:4], border=[2, 1, 0, 0], scale=[2, 2]),
    case("ThresholdedRelu", 1, X4, expected=lambda x: np.where(x > 0.5, x, 0), alpha=0.5),
    case("ConstantFill", 1, X2, expected=lambda x: np.full_like(x, 3), value=3.0),
    # tables
    case("LabelEncoder", 1, np.array(["b", "z", "a"], object), domain="ai.onnx.ml", classes_strings=["a", "b"]),
    case("LabelEncoder", 1, np.array([1, 0, 9]), domain="ai.onnx.ml", classes_strings=["a", "b"]),
    case("LabelEncoder", 2, np.array([1, 0, 9]), domain="ai.onnx.ml", keys_int64s=[0, 1], values_floats=[0.5, 2.5]),
    case("TreeEnsembleClassifier", 1, X2, domain="ai.onnx.ml", outputs=2, classlabels_strings=["a", "b"],
         class_ids=[0, 1], class_nodeids=[1, 2], class_treeids=[0, 0], class_weights=[1.0, 1.0], **TREE),
    *(case("TreeEnsembleRegressor", v, X2, domain="ai.onnx.ml", n_targets=1, target_ids=[0, 0], target_nodeids=[1, 2],
           target_treeids=[0, 0], target_weights=[1.5, 2.5], **TREE) for v in (1, 3)),
    case("LinearClassifier", 1, X2, domain="ai.onnx.ml", outputs=2, coefficients=list(np.linspace(-1, 1, 18)),
         intercepts=[0.0, 1.0, 2.0], classlabels_ints=[3, 4, 5], post_transform="SOFTMAX"),
    case("LinearRegressor", 1, X2, domain="ai.onnx.ml", coefficients=[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], intercepts=[0.5]),
    case("SVMRegressor", 1, X2, domain="ai.onnx.ml", kernel_type="RBF", kernel_params=[0.5, 0.0, 3.0], n_supports=2,
         coefficients=[1.0, -1.0], support_vectors=list(np.linspace(0, 1, 12)), rho=[0.25]),
    case("Scaler", 1, X2, domain="ai.onnx.ml", offset=[1.0], scale=[2.0]),
    case("Normalizer", 1, X2, domain="ai.onnx.ml", norm="L2"),
    case("Binarizer", 1, X2, domain="ai.onnx.ml", threshold=0.25),
    case("Imputer", 1, np.array([[1, np.nan]], np.float32), domain="ai.onnx.ml", imputed_value_floats=[7.0],
         replaced_value_float=float("nan")),
    case("OneHotEncoder", 1, np.array([2, 0, 9]), domain="ai.onnx.ml", cats_int64s=[0, 1, 2]),
    case("ArrayFeatureExtractor", 1, X2, np.array([4, 0]), domain="ai.onnx.ml"),
    case("FeatureVectorizer", 1, X2, X2[:, :2].copy(), domain="ai.onnx.ml", inputdimensions=[6, 2]),
    case("CategoryMapper", 1, np.array(["b", "z"], object), domain="ai.onnx.ml", cats_strings=["a", "b"],
         cats_int64s=[5, 6]),
]


@pytest.mark.parametrize("old", CASES, ids=str)
def test_the_old_meaning(old: Old, tmp_path: Path) -> None:
    names = [f"i{k}" for k in range(len(old.inputs))]
    outs = [f"o{k}" for k in range(old.outputs)]
    node = helper.make_node(old.op, names, outs, domain=old.domain, **old.attrs)
    given = dict(zip(names, old.inputs, strict=True))
    fixed = {names[k]: given.pop(names[k]) for k in old.constants}
    proto = model([node], given, outs, max(old.opset, 1) if not old.domain else 10, initializers=fixed,
                  ml=old.opset if old.domain else 0, ir=7 if old.opset > 8 else 4)
    if old.expected is not None:
        expected = old.expected(*old.inputs)
        expected = list(expected) if isinstance(expected, tuple) else [expected]
        expected = [e.astype(np.float32) if e.dtype == np.float64 else e for e in map(np.asarray, expected)]
    else:
        expected = run(proto, given)
    converted = convert(tmp_path, proto)
    used = {i.name for i in converted.graph.input}
    same(run(converted, {k: v for k, v in given.items() if k in used}), expected)


def test_constants_of_every_kind(tmp_path: Path) -> None:
    kinds = {"value": numpy_helper.from_array(X2), "value_float": 1.5, "value_floats": [1.0, 2.0], "value_int": 3,
             "value_ints": [4, 5], "value_string": "a", "value_strings": ["b", "c"]}
    nodes = [helper.make_node("Constant", [], [k], **{k: v}) for k, v in kinds.items()]
    hub = format_onnx.to_hub(load(tmp_path, model(nodes, {}, list(kinds), 13)))
    assert not hub.nodes
    values = {k: v.numpy() for k, v in hub.outputs.items()}
    np.testing.assert_array_equal(values.pop("value"), X2)
    assert {k: (v.dtype.name, v.tolist()) for k, v in values.items()} == {
        "value_float": ("float32", 1.5), "value_floats": ("float32", [1, 2]), "value_int": ("int64", 3),
        "value_ints": ("int64", [4, 5]), "value_string": ("object", "a"), "value_strings": ("object", ["b", "c"])}


def scan_8(directions: list[int]) -> Any:
    body = helper.make_graph(
        [helper.make_node("Add", ["s", "x"], ["s2"]), helper.make_node("Mul", ["s2", "k"], ["y"])], "body",
        [helper.make_tensor_value_info("s", 1, [2]), helper.make_tensor_value_info("x", 1, [2])],
        [helper.make_tensor_value_info("s2", 1, [2]), helper.make_tensor_value_info("y", 1, [2])])
    return helper.make_node("Scan", ["", "init", "xs"], ["final", "ys"], body=body, num_scan_inputs=1,
                            directions=directions)


@pytest.mark.parametrize("reverse", [0, 1])
def test_scan_over_a_batch(tmp_path: Path, reverse: int) -> None:
    inputs = {"init": RNG.standard_normal((3, 2)).astype(np.float32),
              "xs": RNG.standard_normal((3, 4, 2)).astype(np.float32), "k": np.array([2, 3], np.float32)}
    proto = model([scan_8([reverse])], inputs, ["final", "ys"], 8)
    steps = inputs["xs"][:, ::-1] if reverse else inputs["xs"]
    sums = inputs["init"][:, None] + np.cumsum(steps, 1)
    same(run(convert(tmp_path, proto), inputs), [sums[:, -1], sums * inputs["k"]])


@pytest.mark.parametrize(("node", "opset", "reason"), [
    (helper.make_node("Dropout", ["x", "r", "t"], ["y"]), 13, "run time"),
    (helper.make_node("BatchNormalization", ["x", "c", "c", "c", "c"], ["y"], training_mode=1), 15, "training mode"),
    (helper.make_node("Upsample", ["x", "s"], ["y"]), 10, "deprecated"),
    (helper.make_node("Gelu", ["x"], ["y"]), 19, "no such operator"),
    (helper.make_node("ATen", ["x"], ["y"]), 1, "no such operator"),
    (helper.make_node("SequenceConstruct", ["x"], ["y"]), 13, "sequences"),
    (helper.make_node("Relu", ["x"], ["y"], slope=1.0), 13, "slope"),
    (helper.make_node("Relu", ["x", "x"], ["y"]), 13, "inputs"),
    (helper.make_node("Cast", ["x"], ["y"]), 13, "'to' is missing"),
    (helper.make_node("Conv", ["x", "c"], ["y"]), 13, "invalid here"),
])
def test_what_has_no_meaning_is_refused(tmp_path: Path, node: Any, opset: int, reason: str) -> None:
    inputs = {"x": X4, "c": C3, "r": np.array(0.5, np.float32), "t": np.array(True), "s": np.ones(4, np.float32)}
    with pytest.raises(UnsupportedModel, match=reason) as e:
        format_onnx.to_hub(load(tmp_path, model([node], inputs, ["y"], opset)))
    assert node.op_type in str(e.value)


def test_every_problem_is_named_at_once(tmp_path: Path) -> None:
    nodes = [helper.make_node("Foo", ["x"], ["a"], name="first"), helper.make_node("Neg", ["a"], ["b"]),
             helper.make_node("Bar", ["b"], ["c"]), helper.make_node("Optional", ["x"], ["d"], name="other")]
    with pytest.raises(UnsupportedModel) as e:
        format_onnx.to_hub(load(tmp_path, model(nodes, {"x": X2}, ["c", "d"], 17)))
    assert [p.op for p in e.value.problems] == ["Foo", "Optional"]
    assert [p.where for p in e.value.problems] == ["first", "other"]


def test_stale_shapes_are_not_believed(tmp_path: Path) -> None:
    proto = model([helper.make_node("Neg", ["x"], ["a"]), helper.make_node("Foo", ["a"], ["y"], domain="d")], {"x": X2},
                  ["a"], 17)
    proto.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, [9, 9]))
    assert format_onnx.to_hub(load(tmp_path, proto)).outputs["a"].shape == (4, 6)
    proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    del proto.graph.value_info[:]
    proto.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, [1, 6]))
    assert format_onnx.to_hub(load(tmp_path, proto)).outputs["a"].shape == ("batch", 6)


def test_stale_shapes_are_no_obstacle(tmp_path: Path) -> None:
    w = np.ones((6, 2), np.float32)
    nodes = [helper.make_node("Neg", ["x"], ["a"]), helper.make_node("MatMul", ["a", "w"], ["y"])]
    proto = model(nodes, {"x": X2}, ["y"], 17, initializers={"w": w})
    proto.graph.input[0].type.tensor_type.shape.dim[1].dim_param = "n"
    proto.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, [4, 9]))
    assert format_onnx.to_hub(load(tmp_path, proto)).outputs["y"].shape == (4, 2)


def test_stated_shapes_fill_gaps(tmp_path: Path) -> None:
    x = {"x": np.array([1, 1, 0], np.int64)}
    proto = model([helper.make_node("NonZero", ["x"], ["a"]), helper.make_node("Neg", ["a"], ["y"])], x, ["y"], 17)
    proto.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.INT64, [1, "found"]))
    assert format_onnx.to_hub(load(tmp_path, proto)).outputs["y"].shape == (1, "found")
