"""What goes into a fitted object and what comes out: names and element types, as the file tells them."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...codecs.pickle import Record
from ...errors import Unsupported, UnsupportedModel, UsageError, printable
from ...ir.graph import Graph, Node, Value
from ...ir.rules import Builder
from ...ir.types import STRING, Type
from .estimator import Estimator, estimators, numbers, text
from .methods import has

ODD = (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError, ArithmeticError)
F32, F64, I64 = (np.dtype(t) for t in (np.float32, np.float64, np.int64))
BATCH = "batch"
_TYPES = {"float32": F32, "float64": F64, "double": F64, "int64": I64, "int32": np.dtype(np.int32), "string": STRING,
          "str": STRING, "bool": np.dtype(bool)}
_OUTPUTS = {"predict": "prediction", "predict_proba": "probabilities", "decision_function": "scores",
            "predict_log_proba": "log_probabilities", "transform": "transformed", "score_samples": "score_samples",
            "apply": "leaves"}
"""The methods of scikit-learn that can be asked for, and what their results are called."""
TREES = frozenset("DecisionTree ExtraTree RandomForest ExtraTrees GradientBoosting "
                  "IsolationForest RandomTreesEmbedding XGB CatBoost".split())


@dataclass(frozen=True)
class Column:
    """One column of a table: its name and element type."""

    name: str
    dtype: Any


def graph(e: Estimator, inputs: Sequence[str] = (), outputs: Sequence[str] = (), split_at: str = "") -> Graph:
    """A raw graph of one node, whose operator is the class of the object."""
    from . import to_onnx  # fills the tables of methods
    assert to_onnx
    try:
        if split_at:
            e = _until(e, split_at)
        with np.errstate(all="ignore"):
            columns = table(e)
            values = typed(columns, inputs, default_dtype(e), e)
            methods = chosen(e, outputs)
    except ODD as problem:  # attributes may hold anything
        odd = Unsupported(f"attributes that make no sense ({type(problem).__name__}: {printable(problem, 100)})",
                          Node(f"sklearn.{e.name}", (), {}, (), origin=e.path))
        raise UnsupportedModel([odd], "ONNX") from problem
    except Unsupported as problem:
        problem.node = problem.node or Node(f"sklearn.{e.name}", (), {}, (), origin=e.path)
        raise UnsupportedModel([problem], "ONNX") from None
    each = [m for m in methods for _ in range(results(e, m))]
    types = [_type(e, m, values) for m in each]
    options = {k: v for k, v in (("inputs", inputs), ("outputs", outputs), ("split_at", split_at)) if v}
    attrs = {"estimator": e, "names": tuple(c.name for c in columns), "methods": methods, "options": options,
             "missing": tuple(gaps(e))}
    node = Node(f"sklearn.{e.name}", list(values.values()), attrs, types, each, e.name)
    meta = {"sklearn:class": e.record.path}
    if "_sklearn_version" in e.state:
        meta["sklearn:version"] = str(e.state["_sklearn_version"])
    if len(values) == 1 and len(columns) > 1:
        meta["sklearn:columns"] = ", ".join(printable(c.name, 60) for c in columns[:1000])
    return Graph(values, dict(zip(output_names(e, methods), node.outputs, strict=True)), e.name, meta)


# -- methods


def last(e: Estimator) -> Estimator:
    """The estimator that makes the final result: the last step of a pipeline, the best of a search."""
    while True:
        if e.name == "Pipeline":
            steps = e["steps"]
            final = steps[-1][1] if steps else None
            inner = Estimator(final, f"{e.path}.{steps[-1][0]}") if isinstance(final, Record) else None
        else:
            inner = next((v for k in ("best_estimator_", "estimator_", "base_estimator_", "estimator")
                          if isinstance(v := e.get(k), Estimator) and e.name in DELEGATES), None)
        if inner is None:
            return e
        e = inner


DELEGATES = frozenset("GridSearchCV RandomizedSearchCV HalvingGridSearchCV HalvingRandomSearchCV RFE RFECV "
                      "TunedThresholdClassifierCV FixedThresholdClassifier SelfTrainingClassifier FrozenEstimator "
                      "SemiSupervisedClassifier".split())


def is_classifier(e: Estimator) -> bool:
    e = last(e)
    if e.name.endswith("Classifier"):
        return True
    answers = any(has(e, m) for m in ("predict", "predict_proba", "decision_function", "classify"))
    return answers and ("classes_" in e or "_label_binarizer" in e)


def chosen(e: Estimator, wanted: Sequence[str]) -> tuple[str, ...]:
    """The methods whose results the graph has: those asked for, or ``predict`` with the probabilities or scores of a
    classifier, ``predict`` of another estimator, ``transform`` of what does not predict."""
    if wanted:
        names = tuple(w.strip() for w in wanted)
        for name in names:
            if name not in _OUTPUTS:
                raise UsageError(f"there is no method '{printable(name)}' to convert",
                                 hint=f"methods: {', '.join(_OUTPUTS)}")
        return names
    if is_classifier(e):
        extra = next((m for m in ("predict_proba", "decision_function") if has(e, m)), None)
        return ("predict",) + ((extra,) if extra else ())
    if has(e, "predict"):
        return ("predict", "decision_function") if has(e, "decision_function") else ("predict",)
    return ("transform",)


EACH = "predict_proba_each"
"""The method of estimators whose ``predict_proba`` is a list, of one array for each output."""


def results(e: Estimator, method: str) -> int:
    """How many arrays a method answers with."""
    if method != "predict_proba" or has(e, method) or not has(e, EACH):
        return 1
    inner = last(e)
    return len(inner["estimators_"] if inner.name == "MultiOutputClassifier" else inner["classes_"])


def output_names(e: Estimator, methods: tuple[str, ...]) -> list[str]:
    label = is_classifier(e) or ("predict" in methods and "decision_function" in methods)
    names = []
    for m in methods:
        name, count = "label" if m == "predict" and label else _OUTPUTS[m], results(e, m)
        names += [name] if count == 1 else [f"{name}_{k}" for k in range(count)]
    return names


def _type(e: Estimator, method: str, values: Mapping[str, Value]) -> Type:
    real = F32 if all(v.dtype == F32 for v in values.values()) else F64
    if method == "predict" and is_classifier(e):
        return Type(STRING if labels_are_text(last(e)) else I64, None)
    return Type(I64 if method == "apply" else real, None)


def labels(e: Estimator) -> list[int] | list[str]:
    """The classes of a classifier, in the order of its probabilities."""
    found = e.get("classes_")
    if found is None and (inner := last(e)) is not e:
        return labels(inner)
    if found is None and isinstance(binarizer := e.get("_label_binarizer"), Estimator):
        found = binarizer.get("classes_")
    if isinstance(found, (list, tuple)) and found and all(isinstance(c, np.ndarray) for c in found):
        if any(c.tolist() != list(range(len(c))) for c in found):
            raise Unsupported(f"{e.path}: several outputs whose classes are not 0, 1, 2 ...")
        return list(range(max(map(len, found))))
    if found is None:
        count = e.first("n_classes_", "_n_classes")
        return list(range(int(count)))
    flat = np.asarray(found).ravel().tolist()
    if all(isinstance(v, str) for v in flat):
        return [str(v) for v in flat]
    if all(isinstance(v, (bool, int)) or (isinstance(v, float) and v == int(v)) for v in flat):
        return [int(v) for v in flat]
    raise Unsupported(f"{e.path}: classes that are neither all integers nor all texts")


def labelled(op: Builder, index: Value, classes: Sequence[int] | Sequence[str]) -> Value:
    """Numbers of classes as the classes."""
    if list(classes) == list(range(len(classes))):
        return index
    table = np.array(classes, object if isinstance(classes[0], str) else np.int64)
    out: Value = op.Gather(table, index, axis=0)
    return out


def labels_are_text(e: Estimator) -> bool:
    try:
        return isinstance(labels(e)[0], str)
    except (Unsupported, IndexError):
        return False


# -- columns


def default_dtype(e: Estimator) -> Any:
    """The element type that the first step computes in: float32 for trees, which compare in it, else float64."""
    return F32 if any(e.name.startswith(t) for t in TREES) else F64


def typed(columns: list[Column], wanted: Sequence[str], default: Any, e: Estimator) -> dict[str, Value]:
    """The inputs of the graph: one matrix if all columns are of one element type, else one for each column."""
    if any(c.dtype is UNUSED for c in columns) and feature_names(e) is None:  # by number they must all be there
        columns = [Column(c.name, None) if c.dtype is UNUSED else c for c in columns]
    whole = all(c.dtype is not UNUSED for c in columns)
    columns = [c if c.dtype is not None else Column(c.name, default) for c in columns if c.dtype is not UNUSED]
    if wanted:
        columns = _overridden(columns, wanted)
    kinds = {c.dtype for c in columns}
    if form(e) == "list":
        return {"X": Value(Type(columns[0].dtype, (BATCH, "items")), "X")}
    if len(kinds) == 1 and whole:
        kind, = kinds
        return {"text" if kind == STRING and len(columns) == 1 else "X":
                Value(Type(kind, (BATCH, len(columns))), "X")}
    return {c.name: Value(Type(c.dtype, (BATCH, 1)), c.name) for c in columns}


def _overridden(columns: list[Column], wanted: Sequence[str]) -> list[Column]:
    made = {c.name: c for c in columns}
    for part in wanted:
        name, colon, kind = part.strip().rpartition(":")
        if kind not in _TYPES:
            raise UsageError(f"'{printable(kind)}' is no element type", hint=f"types: {', '.join(_TYPES)}")
        if not colon:
            made = {k: c if c.dtype == STRING else Column(k, _TYPES[kind]) for k, c in made.items()}
        elif name not in made:
            raise UsageError(f"the model has no column '{printable(name)}'",
                             hint=f"columns: {', '.join(map(printable, list(made)[:20]))}")
        else:
            made[name] = Column(name, _TYPES[kind])
    return list(made.values())


def table(e: Estimator) -> list[Column]:
    """The columns of the rows that an estimator takes; a type is ``None`` where any number does."""
    kinds = consumed(e)
    names = feature_names(e) or [f"x{k}" for k in range(len(kinds))]
    if len(names) != len(kinds):
        raise Unsupported(f"{e.path}: {len(names)} names for {len(kinds)} columns")
    return [Column(n, k) for n, k in zip(names, kinds, strict=True)]


def feature_names(e: Estimator) -> list[str] | None:
    """The names that the rows had when the estimator was fitted (scikit-learn 1.0 and newer), or those that a
    ColumnTransformer picks columns by."""
    if e.package in LIBRARIES:
        from .to_onnx import libraries
        return libraries.names(e)
    found = e.get("feature_names_in_")
    if e.name == "DictVectorizer":
        return list(keys(e))
    if found is None and e.name == "ColumnTransformer":
        found = next((e[k] for k in ("_feature_names_in", "_df_columns") if k in e), None)
    if found is None:
        inner = next(iter(_first(e)), None)
        return feature_names(inner) if inner is not None else None
    return index(found)


def index(found: Any) -> list[str] | None:
    """The names of an array or of a pandas.Index."""
    if isinstance(found, Estimator):
        data = found.state.get("data")
        found = data if data is not None else found.record.args[0] if found.record.args else None
    if not isinstance(found, (list, tuple, np.ndarray)):
        return None
    names = [str(n) for n in np.asarray(found, object).ravel().tolist()]
    return names if len(set(names)) == len(names) else None


def _first(e: Estimator) -> Iterator[Estimator]:
    """Those that the rows of a compound estimator go to, untouched."""
    if e.name == "Pipeline":
        for name, step in e["steps"]:
            if isinstance(step, Record):
                yield Estimator(step, f"{e.path}.{name}")
                return
    elif e.name == "FeatureUnion":
        for name, step in e["transformer_list"]:
            if isinstance(step, Record):
                yield Estimator(step, f"{e.path}.{name}")
    elif e.name in ("ColumnTransformer", "RFE", "RFECV") or "estimators_features_" in e:
        return
    else:
        own = ("estimator", "base_estimator") if e.name in ("FrozenEstimator", "_CalibratedClassifier",
                                                            *DELEGATES) else ()
        for key in ("best_estimator_", "regressor_", "estimators_", "calibrated_classifiers_", "estimator_",
                    "base_estimator_", "nbrs_", *own):
            found = e.get(key)
            if isinstance(found, Estimator):
                yield found
                return
            if isinstance(found, (list, tuple, np.ndarray)) and len(found):
                try:
                    yield from estimators(found[:1], f"{e.path}.{key}")
                except Unsupported:
                    continue
                return


_WIDTHS = (("n_features_in_", None), ("n_features_", None), ("n_features", None), ("x_mean_", -1), ("coef_", -1),
           ("mean_", -1), ("scale_", -1), ("components_", -1), ("cluster_centers_", -1), ("statistics_", -1),
           ("shape_fit_", -1), ("support_vectors_", -1), ("_fit_X", -1), ("means_", -1), ("theta_", -1),
           ("feature_log_prob_", -1), ("X_fit_", -1), ("X_train_", -1),
           ("center_", -1), ("variances_", -1), ("scores_", -1), ("centroids_", -1), ("subcluster_centers_", -1),
           ("location_", -1), ("X_", -1), ("training_data_", -1), ("random_weights_", 0), ("dictionary", -1))


def width(e: Estimator) -> int:
    """The number of features of a row."""
    if e.name == "IsotonicRegression":
        return 1
    if e.name == "FeatureAgglomeration":
        return len(e["labels_"])
    if "support_" in e and e.name in ("RFE", "RFECV", "SequentialFeatureSelector"):
        return len(np.asarray(e["support_"]))
    if isinstance(e.get("coefs_"), list) and e["coefs_"]:
        return len(e["coefs_"][0])
    for name, axis in _WIDTHS:
        found = e.state.get(name)
        if found is None:
            continue
        if axis is None:
            if isinstance(found, (int, np.integer)):
                return int(found)
        elif name == "shape_fit_":
            return int(found[1])
        elif isinstance(found, np.ndarray) and found.ndim:
            return int(found.shape[axis])
        elif isinstance(e.get(name), Estimator):
            return int(numbers(e[name], np.float64, e.path).shape[axis])
    tree = e.get("tree_")
    if isinstance(tree, Estimator) and isinstance(tree.record.state, tuple):  # of neighbors, its rows first
        return int(np.asarray(tree.record.state[0]).shape[-1])
    if isinstance(tree, Estimator) and tree.record.args:
        return int(tree.record.args[0])
    if isinstance(e.get("categories_"), (list, tuple)):
        return len(e["categories_"])
    if e.package in LIBRARIES:
        from .to_onnx import libraries
        return libraries.width(e)
    for inner in _first(e):
        return width(inner)
    raise Unsupported(f"{e.path}: the file does not say how many features a row has")


LIBRARIES = frozenset(("xgboost", "lightgbm", "catboost"))
TEXTS = frozenset("CountVectorizer TfidfVectorizer HashingVectorizer".split())


FORMS = {**dict.fromkeys(TEXTS, "text"), "MultiLabelBinarizer": "list", "FeatureHasher": "list",
         "DictVectorizer": "dictionary"}


def form(e: Estimator) -> str:
    """What one row is for scikit-learn: a "row" of a table, a "text", a "list" of any length, a "dictionary"."""
    if e.name in FORMS:
        return FORMS[e.name]
    inner = next(iter(_first(e)), None)
    return "row" if inner is None else form(inner)


def keys(e: Estimator) -> dict[str, dict[str | None, int]]:
    """The keys of the dictionaries that a DictVectorizer takes: for each the columns of its texts, or the one column of
    its number, which is that of ``None``."""
    found: dict[str, dict[str | None, int]] = {}
    for name, at in dict(e["vocabulary_"]).items():
        key, equals, value = str(name).partition(str(e.get("separator", "=")))
        values = found.setdefault(key, {})
        values[value if equals else None] = int(at)
        if None in values and len(values) > 1:
            raise Unsupported(f"{e.path}: the key '{printable(key)}', which is a number here and a text there")
    return found


def consumed(e: Estimator) -> list[Any]:
    """The element type of each column: text, integer, ``None`` for any number, or :data:`UNUSED`."""
    if e.name in TEXTS or e.name == "FeatureHasher":
        return [STRING]
    if e.name == "DictVectorizer":
        return [None if None in values else STRING for values in keys(e).values()]
    if e.name == "ColumnTransformer":
        return _by_column(e)
    if e.name in ("OneHotEncoder", "OrdinalEncoder", "TargetEncoder") and "categories_" in e:
        return [category_dtype(c) for c in e["categories_"]]
    if e.name == "SimpleImputer" and "statistics_" in e:
        fill = np.asarray(e["statistics_"], object).ravel().tolist()
        words = any(isinstance(v, str) for v in fill)
        return [STRING if isinstance(v, str) or (words and v != v) else None for v in fill]
    if e.name == "MissingIndicator" and "missing_values" in e and (
            e.state["missing_values"] is None or isinstance(e.state["missing_values"], str)):
        return [STRING] * width(e)
    if e.package in LIBRARIES:
        from .to_onnx import libraries
        return libraries.kinds(e) or [None] * libraries.width(e)
    if e.name.startswith("HistGradientBoosting"):
        from .to_onnx import boosting
        return boosting.kinds(e, width(e))
    if e.name in ("LabelBinarizer", "LabelEncoder", "MultiLabelBinarizer"):
        return [category_dtype(np.asarray(e["classes_"]))]
    inner = list(_first(e))
    if inner:
        kinds = consumed(inner[0])
        for other in inner[1:]:
            kinds = [_both(a, b) for a, b in zip(kinds, consumed(other), strict=False)]
        return kinds
    return [None] * width(e)


def gaps(e: Estimator) -> list[Any]:
    """For each column what an empty text stands for: NaN or ``None``, or the empty text itself."""
    count = len(consumed(e))
    if e.name == "ColumnTransformer":
        found: list[Any] = [""] * count
        for transformer, at in picks(e, count, feature_names(e)):
            inner = gaps(transformer) if isinstance(transformer, Estimator) else [""] * len(at)
            for k, gap in zip(at, inner, strict=True):
                found[k] = gap if found[k] == "" else found[k]
        return found
    if "categories_" in e and isinstance(e["categories_"], (list, tuple)):
        return [next((v for v in np.asarray(c, object).ravel().tolist() if v is None or v != v), "")
                for c in e["categories_"]]
    if e.name in ("SimpleImputer", "MissingIndicator"):
        gap = e.get("missing_values", np.nan)
        return ["" if isinstance(gap, str) else None if gap is None else np.nan] * count
    found = [""] * count
    for inner_ in _first(e):
        found = [b if a == "" else a for a, b in zip(found, gaps(inner_), strict=False)]
    return found


UNUSED = "unused"
"""The element type of a column that a ColumnTransformer drops: any."""


def _both(a: Any, b: Any) -> Any:
    """The element type of a column that two estimators use."""
    return b if a is UNUSED or (a is None and b is not UNUSED) else a


def category_dtype(categories: Any) -> Any:
    a = np.asarray(categories)
    values = [v for v in a.ravel().tolist() if v is not None and v == v]
    if any(isinstance(v, str) for v in values):
        return STRING
    return I64 if values and a.dtype.kind in "iub" else None


def picks(e: Estimator, count: int, names: list[str] | None) -> list[tuple[Any, list[int]]]:
    """What a ColumnTransformer does: each transformer (or "passthrough") with the numbers of its columns."""
    made = []
    resolved = e.get("_transformer_to_input_indices") or {}
    for entry in e["transformers_"]:
        name, transformer, wanted = entry[0], entry[1], entry[2]
        if text(transformer) == "drop":
            continue
        if name in resolved:
            at = [int(k) for k in resolved[name]]
        else:
            at = positions(wanted, count, names, f"{e.path}.{name}")
        if not at:
            continue
        made.append((transformer if isinstance(transformer, str) else Estimator(transformer, f"{e.path}.{name}"), at))
    return made


def positions(wanted: Any, count: int, names: list[str] | None, path: str) -> list[int]:
    """The numbers of the columns that a specification picks: names, numbers, a slice, a mask."""
    if isinstance(wanted, slice):
        if isinstance(wanted.start, str) or isinstance(wanted.stop, str):
            if names is None:
                raise Unsupported(f"{path}: columns by name, and the file has no names")
            start = names.index(wanted.start) if wanted.start is not None else 0
            stop = names.index(wanted.stop) + 1 if wanted.stop is not None else count
            return list(range(start, stop))
        return list(range(count))[wanted]
    if not isinstance(wanted, (str, int, np.integer, list, tuple, np.ndarray)):
        raise Unsupported(f"{path}: columns chosen by a {type(wanted).__name__}")
    items = np.asarray(wanted, object).ravel().tolist()
    if items and all(isinstance(k, bool) for k in items):
        return [k for k, keep in enumerate(items) if keep]
    made = []
    for k in items:
        if isinstance(k, str):
            if names is None or k not in names:
                raise Unsupported(f"{path}: there is no column '{k}'")
            made.append(names.index(k))
        else:
            made.append(int(k) % count if count else int(k))
    return made


def _by_column(e: Estimator) -> list[Any]:
    names = feature_names(e)
    count = len(names) if names else _counted(e)
    kinds: list[Any] = [UNUSED] * count
    for transformer, at in picks(e, count, names):
        inner = consumed(transformer) if isinstance(transformer, Estimator) else [None] * len(at)
        if len(inner) != len(at):
            raise Unsupported(f"{e.path}: a transformer of {len(inner)} columns gets {len(at)}")
        for k, kind in zip(at, inner, strict=True):
            kinds[k] = _both(kinds[k], kind)
    return kinds


def _counted(e: Estimator) -> int:
    for name in ("n_features_in_", "_n_features"):
        if isinstance(e.state.get(name), (int, np.integer)):
            return int(e.state[name])
    most = 0
    for _, _, wanted in (entry[:3] for entry in e["transformers_"]):
        if isinstance(wanted, (list, tuple, np.ndarray)):
            most = max([most, *(int(k) + 1 for k in wanted if not isinstance(k, (str, bool)))])
    return most


def _until(e: Estimator, step: str) -> Estimator:
    """A pipeline that ends before the step of that name, or with it if it is the last one that can be."""
    if e.name != "Pipeline":
        raise UsageError(f"the model is a {e.name}, which has no steps to split at")
    steps = list(e["steps"])
    names = [n for n, _ in steps]
    if step not in names:
        raise UsageError(f"the pipeline has no step '{printable(step)}'", hint=f"steps: {', '.join(names)}")
    kept = steps[:names.index(step)]
    if not kept:
        raise UsageError(f"'{printable(step)}' is the first step: nothing is left before it")
    return Estimator(Record(e.record.of, state={**e.state, "steps": kept}), e.path)
