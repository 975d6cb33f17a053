"""Linear models, support vectors, encoders and scalers in tensor operators against ONNX Runtime's kernels."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_models import NO_LOGISTIC, OLD, both, decomposed, model
from onnx import defs, numpy_helper

from modelport.errors import UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.hub.decompose import rules
from modelport.hub.decompose.ml.forest import DEEPEST
from modelport.hub.infer import op as hub_op
from modelport.hub.opset import UNHELD
from modelport.ir.graph import Graph, Value
from modelport.ir.types import Type

POSTS = ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"]
INF, NAN = np.inf, np.nan


def floats(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> list[float]:
    return [float(v) for v in (rng.standard_normal(shape) * scale).astype(np.float32).ravel()]


def numbers(dtype: Any, rng: np.random.Generator, rows: int = 12, features: int = 4) -> np.ndarray:
    x = rng.standard_normal((rows, features)) * 2
    return (x * 3).round().astype(dtype) if np.dtype(dtype).kind == "i" else x.astype(dtype)


def close(want: np.ndarray, got: np.ndarray, bar: float = 1e-6) -> None:
    """Of a few dozen float32 operations, in another order: some ulps of the greatest number."""
    finite = np.abs(want[np.isfinite(want)])
    np.testing.assert_allclose(got, want, rtol=bar, atol=bar * max(1.0, float(finite.max()) if finite.size else 0.0))


def probits(want: np.ndarray, got: np.ndarray) -> None:
    """PROBIT is the root of twice the difference of two numbers near 4: its square is known to some ulps of these,
    or, where the argument leaves 0..1 by rounding, not at all: there it is near the end of what it tells apart."""
    np.testing.assert_array_equal(np.isnan(got), np.isnan(want))
    np.testing.assert_allclose(np.sign(got) * got ** 2, np.sign(want) * want ** 2, rtol=1e-5, atol=5e-6)


@pytest.mark.parametrize("post", POSTS)
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("intercepts", [True, False])
def test_linear_regressor(tmp_path: Path, post: str, targets: int, intercepts: bool) -> None:
    rng = np.random.default_rng(1)
    scale = 0.02 if post == "PROBIT" else 1.0
    given = {"intercepts": [0.5, 0.25, 0.75][:targets]} if intercepts else {}
    want, got = both(tmp_path, "LinearRegressor", [numbers(np.float32, rng)], targets=targets, post_transform=post,
                     coefficients=floats(rng, targets, 4, scale=scale), **given)
    (probits if post == "PROBIT" else close)(want[0], got[0])


@pytest.mark.parametrize("post", POSTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("classes", [2, 3])
def test_linear_classifier(tmp_path: Path, post: str, dtype: Any, classes: int) -> None:
    rng = np.random.default_rng(2)
    scale = 0.02 if post == "PROBIT" else 1.0
    attrs = {"coefficients": floats(rng, classes, 4, scale=scale), "post_transform": post,
             "intercepts": [0.5, 0.5, 0.5][:classes] if post == "PROBIT" else [0.1, -0.2, 0.3][:classes]}
    x = numbers(dtype, rng)
    want, got = both(tmp_path, "LinearClassifier", [x], 2, classlabels_ints=[4, 2, 9][:classes], **attrs)
    np.testing.assert_array_equal(want[0], got[0])
    assert len(set(want[0].tolist())) > 1
    (probits if post == "PROBIT" else close)(want[1], got[1])
    want, got = both(tmp_path, "LinearClassifier", [x], 2, classlabels_strings=["a", "b", "c"][:classes], **attrs)
    assert want[0].tolist() == got[0].tolist()


@pytest.mark.parametrize("post", POSTS)
def test_linear_classifier_of_one_score(tmp_path: Path, post: str) -> None:
    """For two labels."""
    if OLD and post == "LOGISTIC":
        pytest.skip(NO_LOGISTIC)
    rng = np.random.default_rng(3)
    attrs = {"coefficients": floats(rng, 4), "intercepts": [0.1],
             "post_transform": post, "classlabels_ints": [7, 9]}
    x = numbers(np.float32, rng)
    if post == "PROBIT":
        with pytest.raises(UnsupportedModel, match="PROBIT"):
            both(tmp_path, "LinearClassifier", [x], 2, **attrs)
        return
    want, got = both(tmp_path, "LinearClassifier", [x], 2, **attrs)
    np.testing.assert_array_equal(want[0], got[0])
    close(want[1], got[1])


def test_softmax_without_zeros(tmp_path: Path) -> None:
    """Scores that are zero, and those beside 1e-7."""
    x = np.array([[0, 1, -2], [0, 0, 3], [1e-7, 1.1e-7, -1e-7], [9e-8, -2e-7, 50], [-3, -2, 0]], np.float32)
    want, got = both(tmp_path, "LinearRegressor", [x], targets=3, coefficients=np.eye(3).ravel().tolist(),
                     post_transform="SOFTMAX_ZERO")
    close(want[0], got[0])


KERNELS = ["LINEAR", "POLY", "RBF", "SIGMOID"]


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("degree", [2, 3, 1.5])
@pytest.mark.parametrize("one_class", [0, 1])
def test_svm_regressor(tmp_path: Path, kernel: str, degree: float, one_class: int) -> None:
    rng = np.random.default_rng(4)
    x = np.abs(numbers(np.float32, rng)) if degree == 1.5 else numbers(np.float32, rng)
    vectors = np.abs(rng.standard_normal((6, 4))) if degree == 1.5 else rng.standard_normal((6, 4))
    want, got = both(tmp_path, "SVMRegressor", [x], kernel_type=kernel, kernel_params=[0.3, 0.2, degree],
                     n_supports=6, support_vectors=vectors.astype(np.float32).ravel().tolist(),
                     coefficients=floats(rng, 6), rho=[0.1], one_class=one_class)
    close(want[0], got[0], 2e-6)
    assert not one_class or set(np.unique(want[0])) <= {-1.0, 1.0}


def test_svm_regressor_without_vectors(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    want, got = both(tmp_path, "SVMRegressor", [numbers(np.float32, rng)], coefficients=floats(rng, 4), rho=[-0.3],
                     kernel_type="RBF", kernel_params=[0.3, 0.2, 3.0], n_supports=0)
    close(want[0], got[0])


def machine(rng: np.random.Generator, classes: int, kernel: str, proba: bool) -> dict[str, Any]:
    per_class = [int(v) for v in rng.integers(1, 5, classes)]
    count, pairs = sum(per_class), classes * (classes - 1) // 2
    return {"kernel_type": kernel, "kernel_params": [0.03 if kernel == "RBF" else 0.3, 0.2, 3.0],
            "vectors_per_class": per_class,
            "support_vectors": floats(rng, count, 4), "coefficients": floats(rng, classes - 1, count),
            "rho": floats(rng, pairs, scale=0.1),
            **({"prob_a": [-abs(v) for v in floats(rng, pairs)], "prob_b": floats(rng, pairs, scale=0.2)}
               if proba else {})}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("classes", [2, 3, 5])
@pytest.mark.parametrize("proba", [False, True])
def test_svm_classifier(tmp_path: Path, kernel: str, classes: int, proba: bool) -> None:
    """One against one, and probabilities coupled by the iteration that stops where the kernel stops."""
    rng = np.random.default_rng(classes)
    attrs = machine(rng, classes, kernel, proba)
    labels = [3, 1, 4, 15, 9][:classes]
    for dtype in (np.float32, np.float64, np.int64):
        want, got = both(tmp_path, "SVMClassifier", [numbers(dtype, rng, rows=25)], 2, classlabels_ints=labels, **attrs)
        np.testing.assert_array_equal(want[0], got[0])
        # the iteration may stop a turn earlier or later at its bar of 0.005 / classes: seen to move less than 1e-5 here
        close(want[1], got[1], 1e-5)
    assert len(set(want[0].tolist())) > 1
    want, got = both(tmp_path, "SVMClassifier", [numbers(np.float32, rng)], 2,
                     classlabels_strings=list("abcde")[:classes], **attrs)
    assert want[0].tolist() == got[0].tolist()


@pytest.mark.parametrize("post", POSTS)
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("proba", [False, True])
def test_transforms_of_svm_classifiers(tmp_path: Path, post: str, classes: int, proba: bool) -> None:
    if OLD and post == "LOGISTIC" and classes == 2 and not proba:
        pytest.skip(NO_LOGISTIC)
    rng = np.random.default_rng(6)
    attrs = machine(rng, classes, "RBF", proba)
    x = numbers(np.float32, rng)
    if post == "PROBIT" and classes == 2 and not proba:
        with pytest.raises(UnsupportedModel, match="PROBIT"):
            both(tmp_path, "SVMClassifier", [x], 2, classlabels_ints=[0, 1], post_transform=post, **attrs)
        return
    want, got = both(tmp_path, "SVMClassifier", [x], 2, classlabels_ints=[0, 1, 2][:classes], post_transform=post,
                     **attrs)
    np.testing.assert_array_equal(want[0], got[0])
    if post == "PROBIT":
        probits(want[1], got[1])
    else:
        close(want[1], got[1], 1e-5)


@pytest.mark.parametrize("classes", [1, 2, 3])
@pytest.mark.parametrize("positive", [False, True])
def test_svm_classifier_without_vectors(tmp_path: Path, classes: int, positive: bool) -> None:
    rng = np.random.default_rng(7)
    c = floats(rng, classes, 4)
    want, got = both(tmp_path, "SVMClassifier", [numbers(np.float32, rng)], 2, classlabels_ints=[5, 6, 7][:classes],
                     coefficients=[abs(v) for v in c] if positive else c, rho=[0.1], kernel_params=[0.0, 0.0, 0.0])
    np.testing.assert_array_equal(want[0], got[0])
    close(want[1], got[1])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("many", [True, False])
def test_scaler(tmp_path: Path, dtype: Any, many: bool) -> None:
    rng = np.random.default_rng(8)
    n = 4 if many else 1
    want, got = both(tmp_path, "Scaler", [numbers(dtype, rng)], offset=floats(rng, n), scale=floats(rng, n))
    np.testing.assert_array_equal(want[0], got[0])


@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
def test_normalizer(tmp_path: Path, norm: str, dtype: Any) -> None:
    """Zero rows, a greatest element that is negative or zero, one row."""
    rng = np.random.default_rng(9)
    x = numbers(dtype, rng)
    x[0] = 0
    x[1] = [-1, -2, -3, -4]
    x[2] = [0, -1, -1, 0]
    for rows in (x, x[4]):
        want, got = both(tmp_path, "Normalizer", [rows], norm=norm)
        close(want[0], got[0])


def test_normalizer_of_what_is_no_number(tmp_path: Path) -> None:
    x = np.array([[NAN, 1, 2], [INF, 1, 2], [-INF, 1, 2], [NAN] * 3, [-INF] * 3, [-0.0, 0, 0]], np.float32)
    for norm in ("MAX", "L1", "L2"):
        want, got = both(tmp_path, "Normalizer", [x], norm=norm)
        np.testing.assert_array_equal(want[0], got[0])


def test_binarizer(tmp_path: Path) -> None:
    t = np.float32(0.3)
    x = np.array([[t, np.nextafter(t, np.float32(1)), np.nextafter(t, np.float32(0)), INF, -INF, 0]], np.float32)
    want, got = both(tmp_path, "Binarizer", [x], threshold=0.3)
    np.testing.assert_array_equal(want[0], got[0])


def test_binarizer_of_integers() -> None:
    """ONNX Runtime has no kernel for them; 3 is above 2.5, 2 is not."""
    x = Value(Type(np.dtype(np.int64), (3,)), "x")
    made = decomposed(Graph({"x": x}, {"y": hub_op.ml.Binarizer(x, threshold=2.5)}))
    assert [n.op for n in made.nodes] == ["Greater", "Cast"]
    limit = made.nodes[0].inputs[1]
    assert limit is not None
    assert limit.numpy() == 2


@pytest.mark.parametrize(("dtype", "values"), [
    (np.float32, {"replaced_value_float": 1.0, "imputed_value_floats": [9.0]}),
    (np.float32, {"replaced_value_float": 1.0, "imputed_value_floats": [7.0, 8.0, 9.0]}),
    (np.float32, {"replaced_value_float": NAN, "imputed_value_floats": [7.0, 8.0, 9.0]}),
    (np.int64, {"replaced_value_int64": 1, "imputed_value_int64s": [5]}),
    (np.int64, {"replaced_value_int64": 1, "imputed_value_int64s": [5, 6, 7]})])
def test_imputer(tmp_path: Path, dtype: Any, values: dict[str, Any]) -> None:
    x = np.array([[1, 2, 1], [2, 1, 0], [1, 1, 3]], dtype)
    if dtype == np.float32:
        x = np.concatenate([x, np.array([[NAN, 1, NAN], [INF, -INF, NAN]], dtype)])
    want, got = both(tmp_path, "Imputer", [x], **values)
    np.testing.assert_array_equal(want[0], got[0])


@pytest.mark.parametrize("shape", [(5,), (3, 5), (2, 3, 5)])
def test_array_feature_extractor(tmp_path: Path, shape: tuple[int, ...]) -> None:
    x = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    want, got = both(tmp_path, "ArrayFeatureExtractor", [x, np.array([[3, 0, 3]])])
    np.testing.assert_array_equal(want[0], got[0])


def test_feature_vectorizer(tmp_path: Path) -> None:
    """Cut, filled up, as it is; whole numbers and real ones; more than two axes."""
    for dtype in (np.float32, np.float64, np.int32, np.int64):
        x = [np.arange(n, dtype=dtype).reshape(shape) for n, shape in (
            (6, (2, 3)), (4, (2, 2)), (8, (2, 4)), (12, (2, 2, 3)))]
        want, got = both(tmp_path, "FeatureVectorizer", x, inputdimensions=[3, 4, 2, 6])
        np.testing.assert_array_equal(want[0], got[0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64])
def test_one_hot_encoder(tmp_path: Path, dtype: Any) -> None:
    x = np.array([[1, 5, 9], [-2, 0, 3]], dtype) + (0 if dtype == np.int64 else 0.75)
    for given in (x, x[0]):
        want, got = both(tmp_path, "OneHotEncoder", [given.astype(dtype)], cats_int64s=[9, 1, -1, 0])
        np.testing.assert_array_equal(want[0], got[0])


@pytest.mark.parametrize(("keys", "values"), [
    ([1.5, NAN, -0.0, 1.5], [10, 20, 30, 40]), ([1, 5, 7], [2.5, -1.0, 0.0]), ([1, 5, 7], [3, 4, 5]),
    ([1.5, 2.5], [0.25, NAN])])
def test_label_encoder(tmp_path: Path, keys: list[Any], values: list[Any]) -> None:
    """The first of equal keys; NaN; zeros of both signs; defaults of their own and the usual ones."""
    x = np.array([[1, 1.5, NAN, 0.0], [5, 2.5, 7, -0.0]], np.float32) if isinstance(keys[0], float) else \
        np.array([[1, 5, 0], [7, -1, 6]])

    def name(side: str, v: list[Any]) -> str:
        return f"{side}_{'floats' if any(isinstance(e, float) for e in v) else 'int64s'}"
    default = "default_" + name("", values)[1:-1]
    for more in ({}, {default: 77}):
        want, got = both(tmp_path, "LabelEncoder", [x], version=4,
                         **{name("keys", keys): keys, name("values", values): values},
                         **{k: float(v) if "float" in k else v for k, v in more.items()})
        np.testing.assert_array_equal(want[0], got[0])


def test_label_encoder_of_tensors(tmp_path: Path) -> None:
    tensor = numpy_helper.from_array
    x = np.array([[1, 2.5], [NAN, 3]])
    want, got = both(tmp_path, "LabelEncoder", [x], version=4, keys_tensor=tensor(np.array([2.5, 3.0, NAN])),
                     values_tensor=tensor(np.array([0.1, 0.2, 0.3])), default_tensor=tensor(np.array([-9.0])))
    np.testing.assert_array_equal(want[0], got[0])


X, S = np.ones((2, 4), np.float32), np.array([["a", "b"]], object)


@pytest.mark.parametrize(("op", "inputs", "outputs", "attrs", "reason"), [
    ("LabelEncoder", [S], 1, {"keys_strings": ["a"], "values_int64s": [1]}, "text"),
    ("LabelEncoder", [X], 1, {"keys_floats": [1.0], "values_strings": ["a"]}, "text"),
    ("CategoryMapper", [S], 1, {"cats_strings": ["a"], "cats_int64s": [1]}, "text"),
    ("OneHotEncoder", [S], 1, {"cats_strings": ["a"]}, "text"),
    ("OneHotEncoder", [X], 1, {"cats_int64s": [1, 1]}, "named twice"),
    ("Scaler", [X], 1, {"scale": [1.0, 2.0], "offset": [1.0]}, "1 offsets and 2 scales"),
    ("Scaler", [X], 1, {"scale": [1.0, 2.0], "offset": [1.0, 2.0]}, "2 numbers as scale and offset, for 4 features"),
    ("Imputer", [X], 1, {"imputed_value_int64s": [1]}, "nothing to impute into float32"),
    ("Normalizer", [X[None]], 1, {}, "3 axes"),
    ("LinearRegressor", [X], 1, {"coefficients": [1.0] * 4, "targets": 3}, "4 coefficients for 3 scores"),
    ("SVMRegressor", [X], 1, {"coefficients": [1.0], "rho": [0.0], "n_supports": 1, "support_vectors": [1.0] * 4,
                              "kernel_type": "ODD"}, "kernel_type 'ODD'"),
    ("SVMRegressor", [X], 1, {"coefficients": [1.0] * 3, "rho": [0.0]}, "vectors of 3 features for an input of 4"),
    ("FeatureVectorizer", [X], 1, {"inputdimensions": [1, 2]}, "1 inputs and 2 inputdimensions"),
])
def test_refusals(tmp_path: Path, op: str, inputs: list[np.ndarray], outputs: int, attrs: dict[str, Any],
                  reason: str) -> None:
    (tmp_path / "a.onnx").write_bytes(model(op, inputs, outputs, 3, **attrs))
    with pytest.raises(UnsupportedModel, match=reason):
        decomposed(format_onnx.to_hub(format_onnx.read(tmp_path / "a.onnx")))


def test_every_operator_of_the_domain_has_a_rule() -> None:
    names = {s.name for s in defs.get_all_schemas() if s.domain == "ai.onnx.ml"}
    assert {n for n in names if f"ai.onnx.ml.{n}" not in rules} == UNHELD["maps"] | {"ZipMap"}


def test_deep_trees_are_refused_before_they_fill_memory() -> None:
    n = DEEPEST + 2
    x = Value(Type(np.dtype(np.float32), ("batch", 1)), "x")
    y = hub_op.ml.TreeEnsembleRegressor(
        x, n_targets=1, nodes_treeids=[0] * (2 * n + 1), nodes_nodeids=list(range(2 * n + 1)),
        nodes_featureids=[0] * (2 * n + 1), nodes_values=[0.0] * (2 * n + 1),
        nodes_modes=["BRANCH_LEQ", "LEAF"] * n + ["LEAF"], nodes_truenodeids=[k + 2 for k in range(2 * n)] + [0],
        nodes_falsenodeids=[k + 1 for k in range(2 * n)] + [0], target_treeids=[0] * (n + 1),
        target_nodeids=[*range(1, 2 * n, 2), 2 * n], target_ids=[0] * (n + 1), target_weights=[1.0] * (n + 1))
    with pytest.raises(UnsupportedModel, match="deeper than"):
        decomposed(Graph({"x": x}, {"y": y}))
