"""Models of ``ai.onnx.ml`` as TensorFlow Lite, against ONNX Runtime's own kernels."""
from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import modelport
from modelport.runtimes import isolated

sys.path.insert(0, str(Path(__file__).parents[2] / "hub"))
from ml_models import model, session

RNG = np.random.default_rng(2)
NAN = np.nan


@pytest.fixture(scope="module")
def worker() -> Any:
    with isolated.Worker() as w:
        yield w


def run(folder: Path, worker: isolated.Worker, made: bytes, *inputs: np.ndarray) -> tuple[list[Any], list[Any], Any]:
    """What ONNX Runtime computes, what LiteRT does with both sets of kernels, and the conversion."""
    (folder / "a.onnx").write_bytes(made)
    wide = any(x.dtype == np.float64 for x in inputs)  # the sums of the leaves are of 32 bits, the comparisons of 64
    done = modelport.convert(folder / "a.onnx", folder / "a.tflite", verify=None, **({"float32": True} if wide else {}))
    own = session(made)
    feeds = {i.name: x for i, x in zip(own.get_inputs(), inputs, strict=True)}
    want = own.run(None, feeds)
    got = []
    for kernels in ("builtin", "plain"):
        opened = worker.open("tflite", folder / "a.tflite", kernels=kernels, signature="serving_default")
        ran = opened.run(feeds)
        got.append([ran[o.name] for o in own.get_outputs()])
    return want, got, done


def check(folder: Path, worker: isolated.Worker, op: str, inputs: list[np.ndarray], outputs: int = 1,
          version: int = 3, bar: float = 2e-6, **attrs: Any) -> None:
    """Integers alike, numbers but for the rounding of a few dozen operations in 32 bits."""
    want, got, _ = run(folder, worker, model(op, inputs, outputs, version, **attrs), *inputs)
    for made in got:
        for a, b in zip(want, made, strict=True):
            assert (a.shape, a.dtype) == (b.shape, b.dtype)
            if a.dtype.kind in "iu":
                np.testing.assert_array_equal(b, a)
            else:
                finite = np.abs(a[np.isfinite(a)])
                np.testing.assert_allclose(b, a, rtol=bar, atol=bar * max(1.0, float(finite.max(initial=0))))


def floats(*shape: int) -> list[float]:
    return [float(v) for v in RNG.standard_normal(shape).astype(np.float32).ravel()]


def x(rows: int = 9, features: int = 4, dtype: Any = np.float32) -> np.ndarray:
    made = RNG.standard_normal((rows, features)) * 2
    return (made * 3).round().astype(dtype) if np.dtype(dtype).kind == "i" else made.astype(dtype)


def grown(trees: int, depth: int, modes: list[str], *, uneven: bool = False, features: int = 4) -> dict[str, Any]:
    """Trees of random thresholds, half of them small numbers that the inputs have too."""
    rows: dict[str, list[Any]] = {k: [] for k in ("treeids", "nodeids", "featureids", "modes", "truenodeids",
                                                  "falsenodeids", "values", "missing_value_tracks_true")}
    leaves = []
    for tree in range(trees):
        todo, count = [(0, 0)], 1
        while todo:
            node, level = todo.pop(0)
            leaf = level == depth or (uneven and level > 0 and RNG.random() < 0.4)
            children = (0, 0) if leaf else (count, count + 1)
            count += 0 if leaf else 2
            todo += [] if leaf else [(c, level + 1) for c in children]
            leaves += [(tree, node)] if leaf else []
            value = float(RNG.integers(-3, 4) / 2) if RNG.random() < 0.5 else floats(1)[0]
            for key, v in (("treeids", tree), ("nodeids", node), ("featureids", int(RNG.integers(features))),
                           ("modes", "LEAF" if leaf else str(RNG.choice(modes))), ("truenodeids", children[0]),
                           ("falsenodeids", children[1]), ("values", value),
                           ("missing_value_tracks_true", int(RNG.integers(2)))):
                rows[key].append(v)
    return {**{f"nodes_{k}": v for k, v in rows.items()}, "leaves": leaves}


def rows_for(forest: dict[str, Any], rows: int = 40) -> np.ndarray:
    """Thresholds, their neighbours by one unit in the last place, NaN, infinities and other numbers."""
    t = np.array(forest["nodes_values"]).astype(np.float32)
    near = np.concatenate([t, np.nextafter(t, np.float32(np.inf)), np.nextafter(t, np.float32(-np.inf)),
                           np.array([NAN, np.inf, -np.inf, 0, -0.0], np.float32)])
    return RNG.choice(near, (rows, 4)).astype(np.float32)


MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]


@pytest.mark.parametrize("modes", [*([m] for m in MODES), MODES], ids=str)
@pytest.mark.parametrize("shape", [(5, 3, False), (4, 9, True), (1, 0, False)], ids=str)
def test_every_row_finds_its_leaf(tmp_path: Path, worker: Any, modes: list[str],
                                  shape: tuple[int, int, bool]) -> None:
    """Leaves give their own number.  Trees that fill up, trees that do not, and a tree that is a leaf."""
    forest = grown(shape[0], shape[1], modes, uneven=shape[2])
    trees, nodes = zip(*forest.pop("leaves"), strict=True)
    check(tmp_path, worker, "TreeEnsembleRegressor", [rows_for(forest)], bar=0, n_targets=shape[0],
          target_treeids=trees, target_nodeids=nodes, target_ids=trees,
          target_weights=[float(k + 1) for k in range(len(nodes))], **forest)


@pytest.mark.parametrize("mode", MODES)
def test_thresholds_of_64_bits(tmp_path: Path, worker: Any, mode: str) -> None:
    """Between two numbers of 32 bits, beyond the largest, next to zero: neighbours of 32 and of 64 bits."""
    near = np.array([0.1, -0.1, 1.5, 3.4e38, 0.0, 7e-46, 1e-300, 1e300, -1e300])
    forest = grown(len(near), 1, [mode])
    values = np.zeros(len(forest["nodes_values"]))
    values[::3] = near
    trees, nodes = zip(*forest.pop("leaves"), strict=True)
    del forest["nodes_values"]
    forest["nodes_featureids"] = [0] * len(values)
    with np.errstate(over="ignore"):
        t = near.astype(np.float32)
        inputs = np.concatenate([t, np.nextafter(t, np.float32(np.inf)), np.nextafter(t, np.float32(-np.inf))])
    doubles = [near, np.nextafter(near, np.inf), np.nextafter(near, -np.inf), [NAN, np.inf, -np.inf, -0.0, 5e-324]]
    inputs = np.concatenate([inputs.astype(np.float64), *doubles])[:, None]
    tensor = numpy_helper.from_array
    check(tmp_path, worker, "TreeEnsembleRegressor", [inputs], bar=0, n_targets=len(near), target_treeids=trees,
          target_nodeids=nodes, target_ids=trees, nodes_values_as_tensor=tensor(values),
          target_weights_as_tensor=tensor(np.arange(len(nodes), dtype=np.float64)), **forest)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX"])
def test_tree_classifiers(tmp_path: Path, worker: Any, classes: int, post: str) -> None:
    forest = grown(8, 4, ["BRANCH_LEQ"], uneven=True)
    trees, nodes = zip(*forest.pop("leaves"), strict=True)
    check(tmp_path, worker, "TreeEnsembleClassifier", [rows_for(forest)], 2, class_treeids=trees, class_nodeids=nodes,
          class_ids=[t % classes if classes > 2 else 0 for t in trees], class_weights=floats(len(nodes)),
          post_transform=post, classlabels_int64s=[5, -3, 8, 1 << 40][:classes], **forest)


def test_labels_of_text(tmp_path: Path, worker: Any) -> None:
    """The number of the label, and the labels in the file's metadata."""
    names = ["no", "perhaps", "yes"]
    attrs = {"coefficients": floats(3, 4), "intercepts": floats(3), "classlabels_strings": names}
    want, got, done = run(tmp_path, worker, model("LinearClassifier", [inputs := x()], 2, 1, **attrs), inputs)
    for made in got:
        assert made[0].dtype == np.int64
        assert [names[k] for k in made[0]] == want[0].tolist()
    assert any("number of the label" in n.message for n in done.notes)
    assert (tmp_path / "a.tflite").read_bytes().count(b"perhaps") == 1


def test_text_that_is_read_on_is_refused(tmp_path: Path) -> None:
    made = onnx.load_from_string(model("LinearClassifier", [x()], 2, 1, coefficients=floats(2, 4),
                                       intercepts=floats(2), classlabels_strings=["a", "b"]))
    made.graph.node.append(helper.make_node("LabelEncoder", ["o0"], ["z"], domain="ai.onnx.ml",
                                            keys_strings=["a", "b"], values_floats=[1.0, 2.0]))
    made.graph.output[0].name = "z"
    made.opset_import[1].version = 2
    (tmp_path / "a.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(modelport.UnsupportedModel, match="text"):
        modelport.convert(tmp_path / "a.onnx", tmp_path / "a.tflite", verify=None)


@pytest.mark.parametrize("kernel", ["LINEAR", "POLY", "RBF", "SIGMOID"])
@pytest.mark.parametrize("probable", [False, True])
def test_support_vectors(tmp_path: Path, worker: Any, kernel: str, probable: bool) -> None:
    """The coupling of probabilities is a loop that ends for each row at another turn."""
    attrs: dict[str, Any] = {"prob_a": [-1.5, -0.75, -1.0], "prob_b": [0.1, 0.2, -0.1]} if probable else {}
    check(tmp_path, worker, "SVMClassifier", [x()], 2, 1, bar=2e-5, coefficients=floats(2, 7), rho=floats(3),
          classlabels_ints=[4, 2, 9], support_vectors=floats(7, 4), vectors_per_class=[2, 2, 3], kernel_type=kernel,
          kernel_params=[0.125, 0.5, 2.0], **attrs)


@pytest.mark.parametrize(("op", "inputs", "attrs"), [
    ("LinearRegressor", [x()], {"coefficients": floats(2, 4), "intercepts": [0.5, 1.0], "targets": 2}),
    ("SVMRegressor", [x()], {"coefficients": floats(5), "support_vectors": floats(5, 4), "rho": [0.25], "n_supports": 5,
                             "kernel_type": "RBF", "kernel_params": [0.25, 0.0, 3.0]}),
    ("Scaler", [x()], {"offset": floats(4), "scale": floats(4)}),
    ("Scaler", [x(dtype=np.int32)], {"offset": [0.5], "scale": [3.0]}),
    ("Normalizer", [x()], {"norm": "L2"}), ("Normalizer", [x()], {"norm": "L1"}),
    ("Normalizer", [x()], {"norm": "MAX"}),
    ("Binarizer", [x()], {"threshold": 0.5}),
    ("Imputer", [np.array([[1, NAN, 3, 4]], np.float32)], {"imputed_value_floats": [9.0, 8.0, 7.0, 6.0],
                                                         "replaced_value_float": NAN}),
    ("Imputer", [np.array([[1, -1, 3, 4]])], {"imputed_value_int64s": [9], "replaced_value_int64": -1}),
    ("OneHotEncoder", [np.array([1, 5, 3, 5])], {"cats_int64s": [5, 1, 7]}),
    ("FeatureVectorizer", [x(3, 4), x(3, 2)], {"inputdimensions": [3, 4]}),
    ("ArrayFeatureExtractor", [x(3, 4), np.array([2, 0])], {}),
], ids=str)
def test_preprocessing(tmp_path: Path, worker: Any, op: str, inputs: list[np.ndarray], attrs: dict[str, Any]) -> None:
    check(tmp_path, worker, op, inputs, 1, 1, **attrs)


@pytest.mark.parametrize(("given", "attrs"), [
    (np.array([3, 1, 8, 1]), {"keys_int64s": [1, 3], "values_int64s": [1 << 40, -3], "default_int64": 7}),
    (np.array([3, 1, 8, 1]), {"keys_int64s": [1, 3], "values_floats": [0.5, -3], "default_float": NAN}),
    (np.array([0.5, NAN, 2, 0.5], np.float32), {"keys_floats": [0.5, NAN], "values_int64s": [4, 3]})], ids=str)
def test_label_encoders(tmp_path: Path, worker: Any, given: np.ndarray, attrs: dict[str, Any]) -> None:
    check(tmp_path, worker, "LabelEncoder", [given], 1, 4, **attrs)


def test_a_large_forest_converts_quickly(tmp_path: Path) -> None:
    """Nodes a step of all trees, not a node: a few dozen operators."""
    forest = grown(100, 6, ["BRANCH_LEQ"])
    trees, nodes = zip(*forest.pop("leaves"), strict=True)
    made = model("TreeEnsembleRegressor", [x()], 1, 3, n_targets=1, target_treeids=trees, target_nodeids=nodes,
                 target_ids=[0] * len(nodes), target_weights=floats(len(nodes)), **forest)
    (tmp_path / "a.onnx").write_bytes(made)
    done = modelport.convert(tmp_path / "a.onnx", tmp_path / "a.tflite", verify=None)
    assert len(list(modelport.load(done.path, format="tflite").graph.nodes)) < 100
