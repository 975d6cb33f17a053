"""Tree ensembles in tensor operators against ONNX Runtime's kernels: every leaf the same, on thresholds and beside."""
from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ml_models import NO_LOGISTIC, OLD, both, decomposed, model
from onnx import numpy_helper

from modelport.errors import UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.hub.infer import op as hub_op
from modelport.ir.graph import Graph, Value
from modelport.ir.types import Type

MODES = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ"]
FEATURES = 4


class Grown:
    """Random trees: inner nodes and leaves of each, numbered in the order they are made."""

    def __init__(self, rng: np.random.Generator, trees: int, deepest: int, modes: list[str], special: bool) -> None:
        self.rows: list[dict[str, Any]] = []  # tree, node, feature, value, mode, true, false, missing
        self.leaves: list[tuple[int, int]] = []
        for tree in range(trees):
            self._grow(rng, tree, deepest if tree else 0, modes, special)

    def _grow(self, rng: np.random.Generator, tree: int, deepest: int, modes: list[str], special: bool) -> None:
        count = itertools.count()
        todo = [(next(count), 0)]
        while todo:
            node, depth = todo.pop(0)
            leaf = depth >= deepest or (depth > 1 and rng.random() < 0.3)
            row = {"tree": tree, "node": node, "feature": 0, "value": 0.0, "mode": "LEAF", "true": 0, "false": 0,
                   "missing": 0}
            if leaf:
                self.leaves.append((tree, node))
            else:
                value = float(np.float32(rng.integers(-3, 4) / 2 if rng.random() < 0.5 else rng.standard_normal()))
                if special and rng.random() < 0.2:
                    value = float(rng.choice([np.inf, -np.inf, 0.0, -0.0, 1e-45, 3e38]))
                row |= {"feature": int(rng.integers(FEATURES)), "value": value, "mode": str(rng.choice(modes)),
                        "true": next(count), "false": next(count), "missing": int(rng.integers(2))}
                todo += [(row["true"], depth + 1), (row["false"], depth + 1)]
            self.rows.append(row)

    def column(self, name: str) -> list[Any]:
        return [r[name] for r in self.rows]

    def attrs(self, values_as_tensor: bool = False, missing: bool = True) -> dict[str, Any]:
        """The attributes that the old operators share."""
        values = self.column("value")
        return {"nodes_treeids": self.column("tree"), "nodes_nodeids": self.column("node"),
                "nodes_featureids": self.column("feature"), "nodes_modes": self.column("mode"),
                "nodes_truenodeids": self.column("true"), "nodes_falsenodeids": self.column("false"),
                **({"nodes_missing_value_tracks_true": self.column("missing")} if missing else {}),
                **({"nodes_values_as_tensor": numpy_helper.from_array(np.array(values))} if values_as_tensor
                   else {"nodes_values": values})}

    def inputs(self, rng: np.random.Generator, dtype: Any, rows: int = 60) -> np.ndarray:
        """Rows of numbers, thresholds, their neighbours by one unit in the last place, infinities and NaN."""
        t = np.array([r["value"] for r in self.rows], dtype)
        with np.errstate(over="ignore"):
            near = np.concatenate([t, np.nextafter(t, dtype(np.inf)), np.nextafter(t, dtype(-np.inf)), [
                np.nan, np.inf, -np.inf, 0.0, -0.0]]).astype(dtype)
        x = rng.choice(near, (rows, FEATURES))
        return np.where(rng.random(x.shape) < 0.2, rng.standard_normal(x.shape), x).astype(dtype)


def close(want: np.ndarray, got: np.ndarray, post: str = "") -> None:
    """Sums run in the same order, so only exp and division may differ: by an ulp or two of float32.

    PROBIT is the root of twice the difference of two numbers near 4: its square is known to a few ulps of these."""
    if post == "PROBIT":
        np.testing.assert_array_equal(np.sign(got), np.sign(want))
        want, got = want ** 2, got ** 2
    np.testing.assert_allclose(got, want, rtol=1e-6, atol=3e-6 if post == "PROBIT" else 1e-6)


def weights(rng: np.random.Generator, n: int, positive: bool = False) -> list[float]:
    w = rng.standard_normal(n).astype(np.float32)
    return [float(v) for v in (np.abs(w) if positive else w)]


@pytest.mark.parametrize("seed", range(12))
def test_the_leaf_is_the_kernels(tmp_path: Path, seed: int) -> None:
    """Leaves give their own number: any other leaf gives another result, exactly."""
    rng = np.random.default_rng(seed)
    modes = [[m] for m in MODES][seed] if seed < len(MODES) else list(rng.choice(MODES, 3, replace=False))
    f = Grown(rng, 5, 5, modes, special=True)
    trees, nodes = zip(*f.leaves, strict=True)
    for dtype in (np.float32, np.float64):
        want, got = both(tmp_path, "TreeEnsembleRegressor", [f.inputs(rng, dtype)], n_targets=5,
                         target_treeids=trees, target_nodeids=nodes, target_ids=trees,
                         target_weights=[float(k + 1) for k in range(len(nodes))], **f.attrs(missing=bool(seed % 3)))
        np.testing.assert_array_equal(want[0], got[0])


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_integers(tmp_path: Path, dtype: Any) -> None:
    """Only the classifier's kernel takes them."""
    rng = np.random.default_rng(7)
    f = Grown(rng, 4, 4, MODES, special=False)
    trees, nodes = zip(*f.leaves, strict=True)
    x = rng.integers(-4, 5, (50, FEATURES)).astype(dtype)
    want, got = both(tmp_path, "TreeEnsembleClassifier", [x], 2, classlabels_int64s=[0, 1, 2, 3], class_treeids=trees,
                     class_nodeids=nodes, class_ids=trees, class_weights=[float(k) for k in range(len(nodes))],
                     **f.attrs())
    np.testing.assert_array_equal(want[0], got[0])
    np.testing.assert_array_equal(want[1], got[1])


@pytest.mark.parametrize("aggregate", ["SUM", "AVERAGE", "MIN", "MAX"])
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"])
def test_regressors(tmp_path: Path, aggregate: str, targets: int, post: str) -> None:
    rng = np.random.default_rng(3)
    f = Grown(rng, 7, 4, MODES[:2], special=False)
    pairs = [(t, n, k) for t, n in f.leaves for k in range(targets) if k == t % targets or rng.random() < 0.5]
    trees, nodes, ids = zip(*pairs, strict=True)
    w = weights(rng, len(pairs))
    if post == "PROBIT":  # of what lies between 0 and 1
        w = [0.01 + abs(v) / 40 for v in w]
    for base in ({}, {"base_values": [0.25, 0.125, 0.5][:targets]}):
        want, got = both(tmp_path, "TreeEnsembleRegressor", [f.inputs(rng, np.float32)], n_targets=targets,
                         aggregate_function=aggregate, post_transform=post, target_treeids=trees, target_nodeids=nodes,
                         target_ids=ids, target_weights=w, **f.attrs(), **base)
        close(want[0], got[0], post)


def test_double_tensors(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    f = Grown(rng, 6, 4, ["BRANCH_LEQ"], special=False)
    for r in f.rows:
        r["value"] += 1e-12  # what 32 bits would lose
    trees, nodes = zip(*f.leaves, strict=True)
    tensor = numpy_helper.from_array
    want, got = both(tmp_path, "TreeEnsembleRegressor", [f.inputs(rng, np.float64)], n_targets=2,
                     target_treeids=trees, target_nodeids=nodes, target_ids=[t % 2 for t in trees],
                     target_weights_as_tensor=tensor(np.array(rng.standard_normal(len(nodes)))),
                     base_values_as_tensor=tensor(np.array([0.1, 0.2])), **f.attrs(values_as_tensor=True))
    np.testing.assert_array_equal(want[0], got[0])


@pytest.mark.parametrize("post", ["NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT"])
@pytest.mark.parametrize("kind", ["one", "two", "two mixed", "second", "second mixed", "three", "scattered"])
@pytest.mark.parametrize("base", [False, True])
def test_classifiers(tmp_path: Path, post: str, kind: str, base: bool) -> None:
    """One, two or more classes; weights for one of two; a class that only some leaves speak of."""
    if OLD and post == "LOGISTIC" and kind == "two":
        pytest.skip(NO_LOGISTIC)
    rng = np.random.default_rng(11)
    f = Grown(rng, 6, 4, MODES[:3], special=False)
    classes = {"one": 1, "two": 2, "second": 2}.get(kind.split()[0], 4)
    chosen = {"one": lambda t: [0], "two": lambda t: [0], "second": lambda t: [1], "three": lambda t: [t % 4],
              "scattered": lambda t: [int(rng.integers(4))]}[kind.split()[0]]
    pairs = [(t, n, k) for t, n in f.leaves for k in chosen(t)]
    trees, nodes, ids = zip(*pairs, strict=True)
    positive = kind in ("two", "second") or (post == "PROBIT" and classes > 2)
    w = [v / 10 if positive else v for v in weights(rng, len(pairs), positive)]
    many = [0.0625, 0.03125, 0.05, 0.04]
    given = {"base_values": many[:1 if classes < 3 else classes]} if base else {}
    attrs = {"class_treeids": trees, "class_nodeids": nodes, "class_ids": ids, "class_weights": w,
             "post_transform": post, **f.attrs(), **given}
    x = f.inputs(rng, np.float32)
    labels = [5, -3, 8, 100][:classes]
    if (kind.startswith("second") and base) or (post == "PROBIT" and kind.startswith("two")):
        with pytest.raises(UnsupportedModel, match=r"base values|PROBIT"):
            both(tmp_path, "TreeEnsembleClassifier", [x], 2, classlabels_int64s=labels, **attrs)
        return
    want, got = both(tmp_path, "TreeEnsembleClassifier", [x], 2, classlabels_int64s=labels, **attrs)
    np.testing.assert_array_equal(want[0], got[0])
    assert classes == 1 or len(set(want[0].tolist())) > 1
    close(want[1], got[1], post)
    if classes > 1:
        strings = list("abcd")[:classes]
        want, got = both(tmp_path, "TreeEnsembleClassifier", [x], 2, classlabels_strings=strings, **attrs)
        assert want[0].tolist() == got[0].tolist()


def test_ties_go_to_the_first(tmp_path: Path) -> None:
    """Votes of a forest: sums of tenths are equal or not as the order of adding has it."""
    rng = np.random.default_rng(1)
    f = Grown(rng, 30, 3, ["BRANCH_LEQ"], special=False)
    pairs = [(t, n, k) for t, n in f.leaves for k in range(3)]
    trees, nodes, ids = zip(*pairs, strict=True)
    w = np.zeros((len(f.leaves), 3))
    w[np.arange(len(w)), rng.integers(0, 3, len(w))] = 0.1
    want, got = both(tmp_path, "TreeEnsembleClassifier", [f.inputs(rng, np.float32, 45)], 2, class_treeids=trees,
                     class_nodeids=nodes, class_ids=ids, class_weights=w.ravel().tolist(), classlabels_int64s=[0, 1, 2],
                     **f.attrs())
    np.testing.assert_array_equal(want[0], got[0])
    np.testing.assert_array_equal(want[1], got[1])


NEW = ["BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "BRANCH_MEMBER"]


def new_attrs(f: Grown, rng: np.random.Generator, dtype: Any, targets: int, missing: bool) -> dict[str, Any]:
    """The same trees as the operator of ai.onnx.ml 5 has them."""
    inner = [r for r in f.rows if r["mode"] != "LEAF"]
    place = {(r["tree"], r["node"]): k for k, r in enumerate(inner)}
    leaf = {key: k for k, key in enumerate(f.leaves)}
    out: dict[str, Any] = {"tree_roots": [place[t, 0] for t in sorted({r["tree"] for r in inner})]}
    for side in ("true", "false"):
        keys = [(r["tree"], r[side]) for r in inner]
        out[f"nodes_{side}nodeids"] = [leaf[k] if k in leaf else place[k] for k in keys]
        out[f"nodes_{side}leafs"] = [int(k in leaf) for k in keys]
    sets = []
    for r in inner:
        if r["mode"] == "BRANCH_MEMBER":
            sets += [*rng.choice(np.arange(-3, 4), int(rng.integers(1, 5)), replace=False).tolist(), np.nan]
    tensor = numpy_helper.from_array
    return out | {
        "nodes_featureids": [r["feature"] for r in inner],
        "nodes_splits": tensor(np.array([r["value"] for r in inner], dtype)),
        "nodes_modes": tensor(np.array([NEW.index(r["mode"]) for r in inner], np.uint8)),
        "leaf_targetids": [int(k) for k in rng.integers(0, targets, len(leaf))],
        "leaf_weights": tensor(np.arange(1, len(leaf) + 1).astype(dtype)), "n_targets": targets,
        **({"nodes_missing_value_tracks_true": [r["missing"] for r in inner]} if missing else {}),
        **({"membership_values": tensor(np.array(sets, dtype))} if sets else {})}


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_new_operator(tmp_path: Path, seed: int, dtype: Any) -> None:
    """Set membership too, of whole numbers: ONNX Runtime cuts others to such, and takes them for members.

    Whole weights, so that sums are exact."""
    rng = np.random.default_rng(seed)
    modes = ["BRANCH_MEMBER"] if seed == 0 else MODES if seed % 2 else ["BRANCH_LEQ", "BRANCH_MEMBER"]
    f = Grown(rng, 6, 4, modes, special=False)
    x = f.inputs(rng, dtype)
    if "BRANCH_MEMBER" in modes:
        x = np.rint(x)
    attrs = new_attrs(f, rng, dtype, 1 + seed % 3, missing=seed % 4 != 1)
    for aggregate in range(4):
        want, got = both(tmp_path, "TreeEnsemble", [x], version=5, aggregate_function=aggregate, **attrs)
        close(want[0], got[0])
        if aggregate != 0:
            np.testing.assert_array_equal(want[0], got[0])


@pytest.mark.parametrize("post", range(5))
def test_transforms_of_the_new_operator(tmp_path: Path, post: int) -> None:
    """1 and 2 are SOFTMAX and LOGISTIC, and ONNX Runtime takes the one for the other."""
    rng = np.random.default_rng(2)
    f = Grown(rng, 6, 4, ["BRANCH_LT"], special=False)
    attrs = new_attrs(f, rng, np.float32, 3, missing=False)
    n = len(attrs["leaf_targetids"])
    attrs["leaf_weights"] = numpy_helper.from_array(np.full(n, 0.1, np.float32))
    x = f.inputs(rng, np.float32)
    if post in (1, 2):
        with pytest.raises(UnsupportedModel, match="takes for each other"):
            both(tmp_path, "TreeEnsemble", [x], version=5, post_transform=post, **attrs)
        return
    want, got = both(tmp_path, "TreeEnsemble", [x], version=5, post_transform=post, **attrs)
    close(want[0], got[0], "PROBIT" if post == 4 else "")


def test_one_row_and_symbols() -> None:
    """A vector is a batch of one; a symbolic batch stays symbolic."""
    x = Value(Type(np.dtype(np.float32), ("batch", 4)), "x")
    attrs = {"n_targets": 1, "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0],
             "nodes_values": [0.5, 0.0, 0.0], "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
             "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0], "target_treeids": [0, 0],
             "target_nodeids": [1, 2], "target_ids": [0, 0], "target_weights": [1.0, 2.0]}
    y = hub_op.ml.TreeEnsembleRegressor(x, **attrs)
    made = decomposed(Graph({"x": x}, {"y": y})).outputs["y"]
    assert made.shape == ("batch", 1)


def test_tables_are_stored_once(tmp_path: Path) -> None:
    """However deep the trees: a file of a few tables and about seven nodes a step."""
    rng = np.random.default_rng(6)
    f = Grown(rng, 20, 8, ["BRANCH_LEQ"], special=False)
    trees, nodes = zip(*f.leaves, strict=True)
    x = f.inputs(rng, np.float32)
    both(tmp_path, "TreeEnsembleRegressor", [x], n_targets=1, target_treeids=trees, target_nodeids=nodes,
         target_ids=[0] * len(trees), target_weights=weights(rng, len(trees)), **f.attrs(missing=False))
    # feature, children and place of the leaf in 8 bytes each, threshold in 4, weights in 4
    assert (tmp_path / "b.onnx").stat().st_size < 41 * len(f.rows) + 10_000


def refusals() -> dict[str, tuple[str, dict[str, Any]]]:
    leaf = {"target_treeids": [0, 0], "target_nodeids": [1, 2], "target_ids": [0, 0], "target_weights": [1.0, 2.0]}
    return {"two weights": ("two weights for one target", {
                "target_treeids": [0, 0, 0], "target_nodeids": [1, 2, 2], "target_ids": [0, 0, 0],
                "target_weights": [1.0, 2.0, 3.0]}),
            "no weight": ("a leaf without a weight", {"target_treeids": [0], "target_nodeids": [1], "target_ids": [0],
                                                      "target_weights": [1.0]}),
            "another target": ("a target that is not there", leaf | {"target_ids": [0, 1]}),
            "another feature": ("a feature that is not there", leaf | {"nodes_featureids": [9, 0, 0]}),
            "a mode": ("the mode 'BRANCH_ODD'", leaf | {"nodes_modes": ["BRANCH_ODD", "LEAF", "LEAF"]}),
            "lengths": ("different lengths", leaf | {"nodes_values": [0.0, 0.0]}),
            "base values": ("2 base values for 1 targets", leaf | {"base_values": [1.0, 2.0]}),
            "aggregate": ("aggregate_function 'MEAN'", leaf | {"aggregate_function": "MEAN"}),
            "transform": ("attribute missing: 'n_targets'", leaf | {"n_targets": None})}


@pytest.mark.parametrize("name", refusals())
def test_refusals(name: str) -> None:
    reason, changes = refusals()[name]
    x = Value(Type(np.dtype(np.float32), ("batch", 4)), "x")
    attrs = {"n_targets": 1, "nodes_treeids": [0, 0, 0], "nodes_nodeids": [0, 1, 2], "nodes_featureids": [0, 0, 0],
             "nodes_values": [0.5, 0.0, 0.0], "nodes_modes": ["BRANCH_LEQ", "LEAF", "LEAF"],
             "nodes_truenodeids": [1, 0, 0], "nodes_falsenodeids": [2, 0, 0], **changes}
    with pytest.raises(UnsupportedModel, match=reason):
        decomposed(Graph({"x": x}, {"y": hub_op.ml.TreeEnsembleRegressor(x, **attrs)}))


def test_labels_that_contradict_scores_are_refused(tmp_path: Path) -> None:
    """Of two classes that both have weights ONNX Runtime calls the second 1 as soon as its score is positive."""
    rng = np.random.default_rng(4)
    f = Grown(rng, 3, 3, ["BRANCH_LEQ"], special=False)
    pairs = [(t, n, k) for t, n in f.leaves for k in range(2)]
    trees, nodes, ids = zip(*pairs, strict=True)
    own = model("TreeEnsembleClassifier", [f.inputs(rng, np.float32)], 2, 3, class_treeids=trees, class_nodeids=nodes,
                class_ids=ids, class_weights=weights(rng, len(pairs), positive=True), classlabels_int64s=[7, 9],
                **f.attrs())
    (tmp_path / "a.onnx").write_bytes(own)
    with pytest.raises(UnsupportedModel, match="contradicts its scores"):
        decomposed(format_onnx.to_hub(format_onnx.read(tmp_path / "a.onnx")))
