"""Standard estimators written from ONNX: loadable by scikit-learn, equal in every answer, nothing else is written."""
from __future__ import annotations

import importlib.util
import pickle
import pickletools
import sys
import tarfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import modelport
from modelport import api, registry
from modelport.codecs import pickle as inert
from modelport.codecs import pickle_writer
from modelport.codecs.pickle import Name, Record
from modelport.errors import UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats import sklearn as format_sklearn
from modelport.formats.sklearn import container, interface
from modelport.formats.sklearn.from_onnx.table import estimator
from modelport.formats.sklearn.from_onnx.trees import _widened

sys.path.insert(0, str(Path(__file__).parents[2] / "conformance"))
from tabular_cases import cases, compare, feeds, recorded

LIBRARY = importlib.util.find_spec("sklearn") is not None
FAMILIES = ("linear", "trees", "boosting", "libraries", "preprocess", "svm")


# -- the pickles themselves


def test_plain_values_come_back() -> None:
    value: dict[str, Any] = {"a": [1, -3, 1 << 40, -(1 << 70), 2.5, None, True, False, "ü\n", b"\x00\xff", (),
                                   (1, ("x",))],
             "many": list(range(2500)), "dict": {k: str(k) for k in range(1500)},
             "arrays": [np.arange(6.0).reshape(2, 3), np.asfortranarray(np.eye(3, dtype=np.float32)[:, :2]),
                        np.array(["a", "bc"]), np.zeros(0, np.int64), np.float64(2.5), np.int64(-1),
                        np.zeros(2, [("x", "<f8"), ("y", "u1")])]}
    data = pickle_writer.dumps(value)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        back = pickle.loads(data)
    assert repr(back) == repr(value)
    assert back["arrays"][1].flags.f_contiguous and back["arrays"][-1].dtype == value["arrays"][-1].dtype
    assert repr(inert.read(data).root["a"]) == repr(value["a"])


def test_records_are_named_and_nothing_is_imported() -> None:
    made = Record(Name("no.such.module", "Thing"), state={"x": Record(Name("no.such", "call"), (1, "b"))})
    assert "no" not in sys.modules
    back = inert.read(pickle_writer.dumps(made)).root
    assert back.path == "no.such.module.Thing" and back.state["x"].args == (1, "b")
    with pytest.raises(TypeError, match="object cannot be written"):
        pickle_writer.dumps([object()])


# -- every recorded estimator, there and back


def back(data: bytes, case: Any, folder: Path) -> tuple[Any, Any, bytes]:
    """The graph of a pickle, and the raw graph and the bytes that are written from it."""
    hub = format_sklearn.to_hub(interface.graph(container.load(data), case.inputs, case.methods))
    raw = format_sklearn.from_hub(api.prepare(hub, registry.named("sklearn")))
    path = folder / "back.pkl"
    format_sklearn.write(raw, path)
    return hub, raw, path.read_bytes()


def asked() -> Iterator[Any]:
    for family in FAMILIES:
        for name, made in recorded(family).items():
            if not isinstance(made, str):
                yield family, name, made


COMES_BACK = {  # how many cases of each family are written, and come back with the recorded answers
    "linear": 93, "trees": 44, "boosting": 31, "libraries": 56, "preprocess": 0, "svm": 8}


@pytest.mark.parametrize("family", FAMILIES)
def test_recorded_estimators_come_back_with_their_answers(family: str, tmp_path: Path) -> None:
    """Against the answers that the libraries gave when the cases were recorded, by our own reader; and by the
    library itself where it is installed."""
    done = 0
    for own, name, (data, given, want) in asked():
        if own != family:
            continue
        case = cases(family)[name]
        try:
            hub, raw, written = back(data, case, tmp_path)
        except UnsupportedModel:
            continue
        names = {a for op, a, _ in pickletools.genops(written) if op.name == "BINUNICODE"}
        assert not {n for n in names if str(n).partition(".")[0] in ("os", "builtins", "modelport")}
        node = next(iter(raw.outputs.values())).node
        options = node.attrs["options"]
        read = interface.graph(container.load(written), options.get("inputs", ()), options.get("outputs", ()))
        path = tmp_path / "back.onnx"
        format_onnx.write(format_onnx.from_hub(format_sklearn.to_hub(read)), path)
        model = modelport.load(path)
        got = model.run(feeds(given, model.inputs))
        types = [v.dtype for v in hub.outputs.values()]  # what 32 bits computed is compared as such
        for (k, a), b, dtype in zip(want.items(), got.values(), types, strict=True):
            b = b.astype(dtype)
            b = b.reshape(a.shape) if a.shape == (*b.shape, 1) or b.shape == (*a.shape, 1) else b
            assert not (what := compare(a, b, case)), f"{name}: {k} {what}"
        if LIBRARY:
            _library(written, node.attrs["methods"], feeds(given, raw.inputs), want, case, name, types)
        done += 1
    assert done == COMES_BACK[family]


def _library(data: bytes, methods: Any, given: dict[str, Any], want: Any, case: Any, name: str,
             types: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = pickle.loads(data)
    (x,) = given.values()
    for m, (k, a), dtype in zip(methods, want.items(), types, strict=True):
        b = np.asarray(getattr(model, m)(x)).astype(dtype)
        b = b.reshape(a.shape) if a.shape == (*b.shape, 1) or b.shape == (*a.shape, 1) else b
        assert not (what := compare(a, b, case)), f"{name}: {k} of {type(model).__name__} {what}"
    repr(model)


@pytest.mark.parametrize("name", ["forest", "extra-two", "tree-regressor", "boosting", "boosting-zero"])
def test_old_pickles_are_written_anew(name: str, tmp_path: Path) -> None:
    """Of scikit-learn 0.20, whose modules are no more: today's opens the new file, and answers as 0.20 did."""
    with tarfile.open(Path(__file__).parents[2] / "recorded/tabular/old/a.tar.xz") as tar:
        tar.extract(f"{name}.pkl", tmp_path, filter="data")
        tar.extract(f"{name}.npz", tmp_path, filter="data")
    modelport.convert(tmp_path / f"{name}.pkl", tmp_path / "new.pkl")
    assert container.load((tmp_path / "new.pkl").read_bytes()).version == (1, 9)
    with np.load(tmp_path / f"{name}.npz") as z:
        x, want = z["x"].astype(np.float32), {k: z[k] for k in z.files if k.startswith("predict")}
    got = dict(zip(want, modelport.load(tmp_path / "new.pkl").run(x).values(), strict=True))
    if LIBRARY:
        model = pickle.loads((tmp_path / "new.pkl").read_bytes())
        got.update({f"library {k}": getattr(model, k)(x) for k in want})
    for k, a in got.items():
        b = want[k.removeprefix("library ")]
        assert np.array_equal(a, b) if b.dtype.kind in "iUO" else np.allclose(a, b, rtol=1e-6, atol=1e-7), k


# -- what is made of what


def linear(**fitted: Any) -> Record:
    return estimator("LinearRegression", **fitted)


def converted(record: Record, folder: Path, name: str = "a") -> Path:
    path = folder / f"{name}.pkl"
    path.write_bytes(pickle_writer.dumps(record))
    modelport.convert(path, folder / f"{name}.onnx")
    return folder / f"{name}.onnx"


def test_a_pipeline_keeps_its_steps(tmp_path: Path) -> None:
    scaler = estimator("StandardScaler", mean_=np.array([1.0, 1e6]), scale_=np.array([0.5, 3e-4]), n_features_in_=2)
    other = estimator("MinMaxScaler", scale_=np.array([2.0, 3.0]), min_=np.array([0.25, -1.0]), clip=True,
                      feature_range=(-1, 2), n_features_in_=2)
    last = estimator("LogisticRegression", coef_=np.array([[1.0, -2.0], [0.5, 0.25], [-1.0, 3.0]]),
                     intercept_=np.array([0.125, -1.0, 2.0]), classes_=np.array(["no", "so", "yes"]), n_features_in_=2)
    source = converted(estimator("Pipeline", steps=[("a", scaler), ("b", other), ("c", last)]), tmp_path)
    modelport.convert(source, tmp_path / "back.joblib", verify="auto")
    read = container.load((tmp_path / "back.joblib").read_bytes())
    names = [s.path.rpartition(".")[2] for _, s in read["steps"]]
    assert names == ["StandardScaler", "MinMaxScaler", "LogisticRegression"]
    steps = [s.state for _, s in read["steps"]]
    assert np.array_equal(steps[0]["mean_"], [1, 1e6]) and np.array_equal(steps[0]["scale_"], [0.5, 3e-4])
    assert steps[1]["feature_range"] == (-1.0, 2.0) and steps[1]["clip"] is True
    assert np.array_equal(steps[2]["coef_"], last.state["coef_"]) and steps[2]["classes_"].tolist() == [
        "no", "so", "yes"]


def test_layers_are_a_perceptron_and_its_numbers_are_kept(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    w, b = [rng.normal(size=s) for s in ((3, 4), (4, 2), (2, 3))], [rng.normal(size=n) for n in (4, 2, 3)]
    for activation in ("identity", "tanh", "relu", "logistic"):
        own = np.array([3, 5, 9])
        net = estimator("MLPClassifier", activation=activation, coefs_=w, intercepts_=b, out_activation_="softmax",
                        n_layers_=4, n_outputs_=3, classes_=own, n_features_in_=3,
                        _label_binarizer=estimator("LabelBinarizer", classes_=own, y_type_="multiclass"))
        source = converted(net, tmp_path, activation)
        modelport.convert(source, tmp_path / f"{activation}.back.pkl")
        read = container.load((tmp_path / f"{activation}.back.pkl").read_bytes())
        assert read.name == "MLPClassifier" and read["classes_"].tolist() == [3, 5, 9]
        assert read["activation"] == activation and read["hidden_layer_sizes"] == (4, 2)
        assert all(np.array_equal(x, y) for x, y in zip(read["coefs_"], w, strict=True))
        assert all(np.array_equal(x, y) for x, y in zip(read["intercepts_"], b, strict=True))


def test_thresholds_of_32_bits_decide_alike_in_64() -> None:
    rng = np.random.default_rng(0)
    t = np.concatenate([rng.normal(size=500), [0.0, 1.0, -1.0, 2.0 ** -149, np.finfo(np.float32).max, 1e38, np.inf,
                                               -np.inf, -np.finfo(np.float32).max]]).astype(np.float32)
    wide = _widened(t.astype(np.float64))
    between = np.nextafter(t.astype(np.float64), np.inf)  # thresholds that are no numbers of 32 bits
    assert np.array_equal(_widened(between), wide)
    with np.errstate(over="ignore"):
        for at in (wide, np.nextafter(wide, np.inf), np.nextafter(wide, -np.inf), t.astype(np.float64),
                   np.nextafter(t, np.float32(np.inf)).astype(np.float64)):
            assert np.array_equal(at <= wide, at.astype(np.float32) <= t)


@pytest.mark.parametrize(("change", "message"), [
    ({"activation": "exp"}, "Exp of the rows|nothing that an estimator"),
])
def test_what_is_no_such_model_is_refused_with_what_can_be(change: dict[str, Any], message: str,
                                                           tmp_path: Path) -> None:
    net = estimator("MLPRegressor", **change, coefs_=[np.eye(2), np.ones((2, 1))],
                    intercepts_=[np.zeros(2), np.zeros(1)], out_activation_="identity", n_features_in_=2)
    source = converted(net, tmp_path)
    with pytest.raises(UnsupportedModel, match=message):
        modelport.convert(source, tmp_path / "back.pkl")
    assert not (tmp_path / "back.pkl").exists()


def test_a_picture_network_is_refused_and_what_can_be_written_named(tmp_path: Path) -> None:
    import onnx
    from onnx import helper
    graph = helper.make_graph([helper.make_node("GlobalAveragePool", ["x"], ["y"])], "g", [
        helper.make_tensor_value_info("x", 1, ["n", 3, 8, 8])], [
        helper.make_tensor_value_info("y", 1, ["n", 3, 1, 1])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)]), str(tmp_path / "a.onnx"))
    with pytest.raises(UnsupportedModel, match=r"unknown number of features|scikit-learn can hold linear"):
        modelport.convert(tmp_path / "a.onnx", tmp_path / "back.pkl")


# -- with the library


@pytest.mark.oracle
def test_the_library_proves_what_is_written(tmp_path: Path) -> None:
    """``--prove`` runs the written file in scikit-learn, rows at every threshold among them."""
    pytest.importorskip("sklearn")
    from sklearn.ensemble import (
        GradientBoostingClassifier,
        HistGradientBoostingClassifier,
        RandomForestClassifier,
        RandomForestRegressor,
    )
    from sklearn.linear_model import LogisticRegression
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler
    rng = np.random.default_rng(0)
    x = rng.normal(size=(150, 4))
    y = x @ [1, 2, -1, 0.5]
    words = np.array(["a", "b", "c"])[np.digitize(y, [-1, 1])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = MLPClassifier(hidden_layer_sizes=(5,), max_iter=20).fit(x, words)
    models = {
        "LogisticRegression": LogisticRegression().fit(x, words), "MLPClassifier": net,
        "RandomForestRegressor": RandomForestRegressor(5, max_depth=4, random_state=0).fit(x, y),
        "RandomForestClassifier": RandomForestClassifier(5, max_depth=4).fit(x, words),
        "Pipeline": make_pipeline(StandardScaler(), RandomForestClassifier(4, max_depth=3)).fit(x, y > 0),
        "HistGradientBoostingClassifier": HistGradientBoostingClassifier(max_iter=4).fit(x, words),
        "boosting": GradientBoostingClassifier(n_estimators=4).fit(x, y > 0)}
    for name, model in models.items():
        source, onnx, target = (tmp_path / f"{name}{s}" for s in (".pkl", ".onnx", ".back.pkl"))
        source.write_bytes(pickle.dumps(model))
        modelport.convert(source, onnx)
        done = modelport.convert(onnx, target, verify="prove")
        assert done.report is not None and done.report.level == "L2" and done.report.target.runtime == "scikit-learn"
        again = pickle.loads(target.read_bytes())
        assert name in (type(again).__name__, "boosting")
        rows = x.astype(np.float32) if model.__class__.__name__ != "Pipeline" else x
        if hasattr(model, "predict_proba"):
            assert (again.predict(rows) == model.predict(rows)).all()
            assert np.abs(again.predict_proba(rows) - model.predict_proba(rows)).max() < 1e-6
        else:
            assert np.abs(again.predict(rows) - model.predict(rows)).max() < 1e-6 * np.abs(y).max()
