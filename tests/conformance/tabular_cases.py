"""What becomes of each fitted estimator on the way to ONNX.

pass          ONNX Runtime answers as the library does: labels equal in every row, numbers within rounding
unsupported   a typed refusal, with its reason
refused       the library itself does not fit, or not answer
error         the translation failed otherwise, or does not run
wrong         the translation answers something else
crash         a runtime died

``python tests/conformance/tabular_cases.py FAMILY [PATTERN]`` needs the libraries: it fits the cases of
``tests/cases/tabular/FAMILY.py``, or those whose name holds the pattern, records the pickles and the answers in
``tests/recorded/tabular/FAMILY.tar.xz`` and writes the table; with ``--recorded`` it needs nothing and writes the
table from the recording."""
from __future__ import annotations

import io
import pickle
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from modelport.errors import ModelportError, RuntimeFailed, UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats import sklearn as format_sklearn
from modelport.formats.sklearn import container, interface
from modelport.runtimes import isolated

sys.path.insert(0, str(Path(__file__).parents[1]))
from cases.tabular import DATA, Case

ROOT = Path(__file__).parents[1]
FAMILIES = sorted(p.stem for p in (ROOT / "cases/tabular").glob("[a-z]*.py"))


def cases(family: str) -> dict[str, Case]:
    return import_module(f"cases.tabular.{family}").FAMILY.cases


def recording(family: str) -> Path:
    return ROOT / f"recorded/tabular/{family}.tar.xz"


def expected(family: str) -> Path:
    return Path(__file__).parent / f"expected/tabular-{family}.txt"


# -- live


def names() -> dict[str, Any]:
    """What an expression may use: the public classes of the libraries, whatever of them is installed."""
    import pandas as pd
    import sklearn
    from sklearn.experimental import enable_halving_search_cv, enable_iterative_imputer  # noqa: F401
    from sklearn.utils import all_estimators
    found: dict[str, Any] = {"np": np, "pd": pd, "sklearn": sklearn, **dict(all_estimators())}
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.feature_selection import chi2, f_regression, mutual_info_classif
    from sklearn.pipeline import make_pipeline, make_union
    found |= {f.__name__: f for f in (make_column_selector, make_column_transformer, make_pipeline, make_union, chi2,
                                      f_regression, mutual_info_classif)}
    found |= {"special": import_module("scipy.special"), "fitted": fitted, "stopped": stopped, "booster": booster,
              "DATA": DATA}
    for short, name in (("xgb", "xgboost"), ("lgb", "lightgbm"), ("cb", "catboost")):
        try:
            found[short] = import_module(name)
        except ImportError:
            continue
    return found


def fitted(model: Any, *data: Any) -> Any:
    """A model that an expression fits itself, because its ``fit`` takes something else than rows and targets."""
    model.fit(*data).is_fitted_already = True
    return model


def stopped(model: Any, data: str) -> Any:
    """A model of boosting that stops where a third of the rows says so."""
    x, y = DATA[data]()[:2]
    model.fit(x[:60], y[:60], eval_set=[(x[60:], y[60:])], **({"verbose": False} if "XGB" in repr(type(model)) else {}))
    model.is_fitted_already = True
    return model


def booster(model: Any, data: str) -> Any:
    """The booster inside of an estimator of LightGBM."""
    made = model.fit(*DATA[data]()[:2]).booster_
    made.is_fitted_already = True
    return made


def questions(x: Any, model: Any) -> Any:
    """Rows to ask about: those it was fitted on, others around and far off, each threshold of its trees and the
    numbers of 32 and 64 bits beside it."""
    rng = np.random.default_rng(11)
    x = x.toarray() if hasattr(x, "toarray") else x
    if not isinstance(x, np.ndarray) or x.dtype.kind != "f":
        return x
    rows = [x, x + rng.normal(size=x.shape) / 2, rng.normal(size=(20, x.shape[1])) * 10]
    edges = sorted(thresholds(model))
    if edges:
        pick = rng.permutation(len(edges))[:40]
        for feature, t in (edges[k] for k in pick):
            t32 = np.float32(t)
            for v in (t, np.nextafter(t, -np.inf), np.nextafter(t, np.inf), t32, np.nextafter(t32, np.float32(-np.inf)),
                      np.nextafter(t32, np.float32(np.inf))):
                row = x[int(rng.integers(len(x)))].copy()
                if feature < len(row):
                    row[feature] = v
                    rows.append(row[None])
    return np.concatenate(rows)


def asked(model: Any, rows: Any) -> Any:
    """The rows of a table as the dictionaries or lists that some estimators take; empty texts are none."""
    name = type(model.steps[0][1] if hasattr(model, "steps") else model).__name__
    if name in ("DictVectorizer", "FeatureHasher") and hasattr(rows, "to_dict"):
        return [{k: v for k, v in row.items() if v != ""} for row in rows.to_dict("records")]
    if name in ("FeatureHasher", "MultiLabelBinarizer"):
        return [[v for v in row if v != ""] for row in rows.tolist()]
    return rows


def thresholds(model: Any, depth: int = 0) -> set[tuple[int, float]]:
    """(feature, threshold) of all trees inside of a fitted object."""
    found: set[tuple[int, float]] = set()
    tree = getattr(model, "tree_", None)
    if tree is not None and hasattr(tree, "threshold"):
        inner = tree.children_left >= 0
        found |= {(f, t) for f, t in zip(tree.feature[inner].tolist(), tree.threshold[inner].tolist(), strict=True)
                  if np.isfinite(t)}
    for group in getattr(model, "_predictors", ()):
        for p in group:
            inner = p.nodes[p.nodes["is_leaf"] == 0]
            found |= set(zip(inner["feature_idx"].tolist(), inner["num_threshold"].tolist(), strict=True))
    if hasattr(model, "get_booster") and getattr(model, "booster", None) != "gblinear":
        found |= xgboost_thresholds(model.get_booster())
    if hasattr(model, "booster_"):
        frame = model.booster_.trees_to_dataframe().dropna(subset=["threshold"])
        names = model.booster_.feature_name()
        found |= {(names.index(f), float(t)) for f, t, how in
                  zip(frame["split_feature"], frame["threshold"], frame["decision_type"], strict=True) if how == "<="}
    if depth < 4:
        for key in ("estimators_", "estimator_", "best_estimator_", "steps", "calibrated_classifiers_", "regressor_"):
            inside = getattr(model, key, None)
            items = inside.ravel().tolist() if isinstance(inside, np.ndarray) else inside \
                if isinstance(inside, (list, tuple)) else [inside]
            for item in items:
                if item is not None and not isinstance(item, str):
                    found |= thresholds(item[1] if isinstance(item, tuple) else item, depth + 1)
    return found


def xgboost_thresholds(made: Any) -> set[tuple[int, float]]:
    import json
    inner = json.loads(made.save_raw("json"))["learner"]["gradient_booster"]
    found: set[tuple[int, float]] = set()
    for t in inner.get("gbtree", inner)["model"]["trees"]:
        found |= {(f, c) for f, c, left in zip(t["split_indices"], t["split_conditions"], t["left_children"],
                                               strict=True) if left >= 0}
    return found


def live(case: Case, known: dict[str, Any]) -> Any:
    """The pickle of a fitted estimator, the rows that it is asked about, and its answers; or why there are none."""
    x, y, *more = DATA[case.data]()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model = eval(case.expression, dict(known))
            np.random.seed(3)
            if not isinstance(model, dict) and not hasattr(model, "is_fitted_already"):
                model = model.fit(asked(model, x), y)
            data = pickle.dumps(model, protocol=4)
            loaded = container.load(data)
            try:
                raw = interface.graph(loaded, case.inputs, case.methods)
                methods = next(iter(raw.outputs.values())).node.attrs["methods"]
                narrow = all(v.dtype == np.float32 for v in raw.inputs.values())
            except (ModelportError, KeyError, TypeError, ValueError, IndexError, AttributeError):
                methods, narrow = case.methods or (("predict",) if hasattr(model, "predict") else ("transform",)), False
            rows = x if case.near else questions(x, model)
            for extra in more:
                rows = known["pd"].concat([rows, extra], ignore_index=True) if hasattr(rows, "columns") else \
                    np.concatenate([rows, extra])
            if narrow and isinstance(rows, np.ndarray):
                rows = rows.astype(np.float32)
            answers = {}
            for m in methods:
                made = getattr(model, m)(asked(model, rows))
                each = isinstance(made, list) and m == "predict_proba"  # of several outputs, one after the other
                answers |= {f"{m}_{k}": plain(a) for k, a in enumerate(made)} if each else {m: plain(made)}
        return data, rows, answers
    except Exception as e:
        return f"refused: {type(e).__name__}: {' '.join(str(e).split())[:80]}"


def plain(made: Any) -> np.ndarray:
    made = made.toarray() if hasattr(made, "toarray") else np.asarray(made)
    return made.astype("U") if made.dtype == object else made


# -- recorded


def record(family: str, pattern: str = "") -> dict[str, Any]:
    old = recorded(family) if pattern and recording(family).is_file() else {}
    known, found = names(), dict[str, Any]()
    for case in cases(family).values():
        if pattern in case.name or case.name not in old:
            print(case.name, file=sys.stderr, flush=True)
            found[case.name] = live(case, known)
        else:
            found[case.name] = old[case.name]
    recording(family).parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(recording(family), "w:xz", preset=9) as tar:
        for name, made in found.items():
            if isinstance(made, str):
                put(tar, f"{name}.txt", made.encode())
                continue
            data, rows, answers = made
            put(tar, f"{name}.pkl", data)
            frame = hasattr(rows, "columns")
            given = {f"x:{c}": rows[c].to_numpy() for c in rows.columns} if frame else \
                rows if isinstance(rows, dict) else {"x": rows}
            buffer = io.BytesIO()
            np.savez(buffer, **{k: worded(v) if v.dtype == object else v for k, v in (given | answers).items()})
            put(tar, f"{name}.npz", buffer.getvalue())
    return recorded(family)


def worded(v: np.ndarray) -> np.ndarray:
    """Texts; those that are missing (None, NaN) as the empty one, which they are in ONNX."""
    return np.array(["" if k is None or k != k else k for k in v.ravel().tolist()], "U").reshape(v.shape)


def put(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name.replace("/", "__"))
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def recorded(family: str) -> dict[str, Any]:
    """Name -> why it was refused, or (pickle, inputs, answers)."""
    files: dict[str, bytes] = {}
    with tarfile.open(recording(family), "r:xz") as tar:
        for member in tar:
            stream = tar.extractfile(member)
            assert stream is not None
            files[member.name.replace("__", "/")] = stream.read()
    out: dict[str, Any] = {}
    for name in cases(family):
        if f"{name}.txt" in files:
            out[name] = files[f"{name}.txt"].decode()
        elif f"{name}.npz" in files:
            with np.load(io.BytesIO(files[f"{name}.npz"])) as z:
                arrays = {k: z[k].astype(object) if z[k].dtype.kind == "U" else z[k] for k in z.files}
            given = {k: v for k, v in arrays.items() if k == "x" or k.startswith("x:")}
            out[name] = files[f"{name}.pkl"], given, {k: v for k, v in arrays.items() if k not in given}
    return out


# -- verdicts


def run(family: str, found: dict[str, Any], only: str = "") -> Iterator[tuple[str, str]]:
    with tempfile.TemporaryDirectory() as folder, isolated.Worker() as target:
        for name, made in found.items():
            if only in name:
                yield name, made if isinstance(made, str) else verdict(cases(family)[name], *made, Path(folder), target)


def verdict(case: Case, data: bytes, given: dict[str, Any], want: dict[str, Any], folder: Path,
            target: isolated.Worker) -> str:
    onnx = folder / "case.onnx"
    try:
        raw = interface.graph(container.load(data), case.inputs, case.methods)
        hub = format_sklearn.to_hub(raw)
        format_onnx.write(format_onnx.from_hub(hub), onnx)
    except UnsupportedModel as e:
        return f"unsupported: {e.problems[0].reason}"
    except ModelportError as e:
        return f"error: {e.message.splitlines()[0]}"
    try:
        session = target.open("onnxruntime", onnx, optimize=True)
        got = session.run(feeds(given, session.inputs))
    except RuntimeFailed as e:
        return "crash: ONNX Runtime" if "crashed" in e.message else f"error: {e.message.splitlines()[0]}"
    except ModelportError as e:
        return f"error: {e.message.splitlines()[0]}"
    if len(got) != len(want):
        return f"wrong: {len(got)} outputs instead of {len(want)}"
    for (name, a), b in zip(want.items(), got.values(), strict=True):
        if difference := compare(a, b, case):
            return f"wrong: {name} {difference}"
    return "pass"


def feeds(given: dict[str, Any], inputs: Any) -> dict[str, Any]:
    """The recorded rows as the graph's inputs want them."""
    columns = {k[2:]: v.reshape(-1, 1) for k, v in given.items() if k.startswith("x:")}
    if not columns:
        x = given["x"].reshape(-1, 1) if given["x"].ndim == 1 else given["x"]
        if len(inputs) == 1:
            (name, type_), = inputs.items()
            return {name: x.astype(type_.dtype)}
        return {k: x[:, n:n + 1].astype(t.dtype) for n, (k, t) in enumerate(inputs.items())}
    if len(inputs) == 1 and not set(inputs) <= columns.keys():
        (name, type_), = inputs.items()
        return {name: np.concatenate(list(columns.values()), 1).astype(type_.dtype)}
    return {k: columns[k].astype(t.dtype) for k, t in inputs.items()}


def compare(want: np.ndarray, got: np.ndarray, case: Case) -> str:
    """What is different; empty if nothing is.

    Labels and other integers are equal.  Real numbers may differ by the rounding of another order of summation,
    relative to the largest of their row: 1e-12 of 64 bits, 1e-6 of 32 (the bars of the issue)."""
    if got.dtype.kind in "iu" and want.dtype.kind == "f":  # numbers of leaves, which some libraries return as reals
        want = want.astype(np.int64) if (want == np.floor(want)).all() else want
    if want.dtype.kind in "OUb" or (want.dtype.kind in "iu" and got.dtype.kind in "iu") or case.exact:
        if want.shape != got.shape:
            return f"{list(got.shape)} instead of {list(want.shape)}"
        bad = np.count_nonzero(want != got)
        return f"{bad} of {want.size} differ" if bad else ""
    if want.shape != got.shape:
        return f"{list(got.shape)} instead of {list(want.shape)}"
    if got.dtype.kind != "f":
        return f"is {got.dtype}"
    a, b = want.astype(np.float64), got.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.where(np.isfinite(a), np.abs(a), 0)
    scale = finite.max(axis=-1, keepdims=True) if a.ndim > 1 else np.maximum(finite, np.median(finite) if a.size else 0)
    bar = case.loose or (1e-12 if got.dtype == np.float64 else 1e-6)
    with np.errstate(invalid="ignore"):
        error = np.where(same, 0, np.abs(a - b))
    limit = bar * np.maximum(scale, 1e-3)
    return "" if (error <= limit).all() else f"by {np.nanmax(error / limit) * bar:.2g} of range"


def table(family: str, found: dict[str, Any]) -> str:
    return "".join(f"{name:<56} {what}\n" for name, what in sorted(run(family, found)))


if __name__ == "__main__":
    which = next(a for a in sys.argv[1:] if not a.startswith("-"))
    rest = [a for a in sys.argv[1:] if not a.startswith("-") and a != which]
    result = recorded(which) if "--recorded" in sys.argv else record(which, next(iter(rest), ""))
    expected(which).write_text(table(which, result))
    print(expected(which).read_text())
