"""Estimators that ask others and combine the answers.

Sources: sklearn/ensemble/_voting.py, _stacking.py, _bagging.py, _weight_boosting.py, sklearn/calibration.py,
multiclass.py, multioutput.py, model_selection/_classification_threshold.py."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import STRING
from ..estimator import Estimator, estimators, text
from ..interface import EACH, labelled, labels, last
from ..methods import call, features, has, ints, like, matrix, method, real, sigmoid, when
from ..sparse import formed, sparse
from .compose import class_number, entered, picked, stacked
from .encode import side_by_side

F64 = np.float64


def members(e: Estimator, name: str = "estimators_") -> list[Estimator]:
    found = list(estimators(e[name], f"{e.path}.{name}"))
    if not found:
        raise Unsupported(f"{e.path}: nothing was fitted")
    return found


def column(op: Builder, y: Value) -> Value:
    """(rows) as (rows, 1)."""
    out: Value = op.Unsqueeze(y, ints(1)) if y.rank == 1 else y
    return out


def flat(op: Builder, y: Value) -> Value:
    """(rows, 1) as (rows)."""
    out: Value = op.Squeeze(y, ints(1)) if y.rank == 2 else y
    return out


def answer(op: Builder, e: Estimator, x: Any) -> Value:
    """What ``predict`` returns: labels of a classifier (rows), values of others."""
    while (inside := entered(op, e, x)) is not None:
        e, x = inside
    if not _classifies(e):
        out: Value = call(op, "predict", e, x)
        return out
    number = class_number(op, e, x)
    return number if number.rank == 2 else labelled(op, number, labels(e))


def _classifies(e: Estimator) -> bool:
    e = last(e)
    return e.name.endswith("Classifier") or "classes_" in e


def codes(op: Builder, e: Estimator, x: Any, classes: Any = None) -> Value:
    """(rows), int64: the label that a classifier predicts as its number among ``classes``; a whole number itself if
    there are none."""
    known = labels(last(e))
    number = class_number(op, e, x)
    if number.rank == 2:
        raise Unsupported(f"{e.path}: several labels for each row")
    if classes is not None:
        order = {c: k for k, c in enumerate(np.asarray(classes, object).ravel().tolist())}
        if not set(known) <= order.keys():
            raise Unsupported(f"{e.path}: classes that are not among those of the whole")
        return labelled(op, number, [order[c] for c in known])
    if any(isinstance(c, str) for c in known):
        raise Unsupported(f"{e.path}: classes that are texts where numbers are wanted")
    return labelled(op, number, known)


def one_hot(op: Builder, number: Value, count: int, dtype: Any = F64) -> Value:
    """(rows, count) of numbers (rows)."""
    hits = op.Equal(op.Unsqueeze(number, ints(1)), np.arange(count, dtype=np.int64)[None])
    return real(op, hits, dtype)


def summed(op: Builder, parts: list[Value], weights: Any = None) -> Value:
    """The sum of all, each times its weight."""
    total: Any = None
    for k, p in enumerate(parts):
        p = p if weights is None or weights[k] == 1 else op.Mul(p, like(p, weights[k]))
        total = p if total is None else op.Add(total, p)
    out: Value = total
    return out


def averaged(op: Builder, parts: list[Value], weights: Any = None) -> Value:
    total = summed(op, parts, weights)
    out: Value = op.Div(total, like(total, len(parts) if weights is None else np.sum(weights)))
    return out


def floats(op: Builder, parts: list[Value]) -> list[Value]:
    """Real numbers, all of the widest type among them."""
    wide = np.float32 if all(p.dtype == np.float32 for p in parts) else F64
    return [real(op, p, wide) for p in parts]


def share(op: Builder, p: Value, otherwise: float | None = None) -> Value:
    """Each row divided by its sum; where that is nothing, the row itself, or the same number everywhere."""
    total = op.ReduceSum(p, ints(1), keepdims=1)
    none = op.Equal(total, like(p, 0))
    out: Value = op.Div(p, op.Where(none, like(p, 1), total))
    return out if otherwise is None else op.Where(none, like(p, otherwise), out)


# -- votes


def _weights(e: Estimator) -> list[float] | None:
    """Those of the voters that were not dropped."""
    given = e.get("weights")
    if given is None:
        return None
    named = e["estimators"]
    every = np.asarray(given, F64).ravel().tolist()
    return [w for w, (_, voter) in zip(every, named, strict=True) if voter is not None and text(voter) != "drop"]


def _soft(e: Estimator) -> bool:
    return text(e.get("voting")) == "soft"


@method("predict_proba", "VotingClassifier")
@when(_soft)
def vote_softly(op: Builder, x: Any, e: Estimator) -> Value:
    return averaged(op, floats(op, [call(op, "predict_proba", v, x) for v in members(e)]), _weights(e))


@method("predict", "VotingClassifier")
def vote(op: Builder, x: Any, e: Estimator) -> Value:
    count = len(labels(e))
    if _soft(e):
        out: Value = op.ArgMax(vote_softly(op, x, e), axis=1, keepdims=0)
        return out
    found = [one_hot(op, codes(op, v, x), count) for v in members(e)]
    return op.ArgMax(summed(op, found, _weights(e)), axis=1, keepdims=0)


@method("transform", "VotingClassifier", "VotingRegressor")
def votes(op: Builder, x: Any, e: Estimator) -> Value:
    if e.name == "VotingRegressor":
        return side_by_side(op, floats(op, [column(op, call(op, "predict", v, x)) for v in members(e)]))
    if not _soft(e):
        return side_by_side(op, [column(op, codes(op, v, x)) for v in members(e)])
    if not e.get("flatten_transform", True):
        raise Unsupported(f"{e.path}: probabilities in three dimensions")
    return side_by_side(op, floats(op, [call(op, "predict_proba", v, x) for v in members(e)]))


@method("predict", "VotingRegressor")
def vote_numbers(op: Builder, x: Any, e: Estimator) -> Value:
    return averaged(op, floats(op, [call(op, "predict", v, x) for v in members(e)]), _weights(e))


# -- stacks


@method("transform", "StackingClassifier", "StackingRegressor")
def stack(op: Builder, x: Any, e: Estimator) -> Any:
    """What the estimators make of the rows, side by side, and the rows themselves if they pass through."""
    parts: list[Any] = []
    for member, how in zip(members(e), e["stack_method_"], strict=True):
        y = _stacked(op, member, x, str(how))
        binary = how == "predict_proba" and e.name == "StackingClassifier" and len(labels(e)) == 2
        parts.append(op.Slice(y, ints(1), ints(2), ints(1)) if binary else column(op, y))
    made: Any = side_by_side(op, floats(op, parts))
    return formed(op, stacked(op, [made, x], e.path), sparse(x), x) if e.get("passthrough") else made


def _stacked(op: Builder, member: Estimator, x: Any, how: str) -> Value:
    if how == "predict" and _classifies(member):
        return codes(op, member, x)
    out: Value = call(op, how, member, x)
    return out


@method("predict", "StackingClassifier")
def stack_label(op: Builder, x: Any, e: Estimator) -> Value:
    encoder = e.get("_label_encoder")
    if isinstance(encoder, (list, tuple)):
        raise Unsupported(f"{e.path}: several labels for each row")
    return codes(op, e["final_estimator_"], stack(op, x, e))


@method("predict", "StackingRegressor")
def stack_number(op: Builder, x: Any, e: Estimator) -> Value:
    out: Value = call(op, "predict", e["final_estimator_"], stack(op, x, e))
    return out


def _finally(name: str) -> None:
    @method(name, "StackingClassifier")
    @when(lambda e: has(e.get("final_estimator_"), name))
    def rule(op: Builder, x: Any, e: Estimator) -> Value:
        out: Value = call(op, name, e["final_estimator_"], stack(op, x, e))
        return out


for _name in ("predict_proba", "decision_function"):
    _finally(_name)


# -- bags


def _bag(op: Builder, x: Any, e: Estimator) -> list[tuple[Estimator, Any]]:
    """Each estimator, and the features that it was shown."""
    shown = e.get("estimators_features_")
    grown = members(e)
    if shown is None:
        return [(m, x) for m in grown]
    return [(m, picked(op, x, [int(k) for k in np.asarray(at).ravel()])) for m, at in zip(grown, shown, strict=True)]


@method("predict_proba", "BaggingClassifier")
def bag_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    count, parts = len(labels(e)), []
    for m, seen in _bag(op, x, e):
        known = labels(last(m))
        if not has(m, "predict_proba"):
            parts.append(one_hot(op, codes(op, m, seen), count))
            continue
        p = call(op, "predict_proba", m, seen)
        if len(known) != count:  # not all classes were in its bag
            spread = np.zeros((len(known), count))
            spread[np.arange(len(known)), [int(k) for k in known]] = 1
            p = op.MatMul(p, like(p, spread))
        parts.append(p)
    return averaged(op, floats(op, parts))


@method("decision_function", "BaggingClassifier")
@when(lambda e: all(has(m, "decision_function") for m in members(e)[:1]))
def bag_scores(op: Builder, x: Any, e: Estimator) -> Value:
    return averaged(op, floats(op, [call(op, "decision_function", m, seen) for m, seen in _bag(op, x, e)]))


@method("predict", "BaggingClassifier")
def bag_label(op: Builder, x: Any, e: Estimator) -> Value:
    out: Value = op.ArgMax(bag_probabilities(op, x, e), axis=1, keepdims=0)
    return out


@method("predict", "BaggingRegressor")
def bag_number(op: Builder, x: Any, e: Estimator) -> Value:
    return averaged(op, floats(op, [call(op, "predict", m, seen) for m, seen in _bag(op, x, e)]))


# -- boosts


def _real_boost(e: Estimator) -> bool:
    """Whether boosting goes by probabilities (SAMME.R), which was the default before 1.6."""
    return text(e.get("algorithm")) == "SAMME.R"


def _boosts(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, classes): the sum of what each estimator says for a class, over that of the weights."""
    classes = labels(e)
    count, weights = len(classes), e.array("estimator_weights_")
    parts: list[Value] = []
    for m, w in zip(members(e), weights.tolist(), strict=False):
        if _real_boost(e):
            p = matrix(op, call(op, "predict_proba", m, x))
            if labels(last(m)) != classes:
                raise Unsupported(f"{m.path}: it has not seen all classes")
            log = op.Log(op.Max(real(op, p, F64), np.finfo(F64).eps))
            mean = op.Mul(op.ReduceSum(log, ints(1), keepdims=1), np.array(1 / count))
            parts.append(op.Mul(op.Sub(log, mean), np.array(count - 1.0)))
            continue
        hits = one_hot(op, codes(op, m, x, classes), count)
        against = -1 / (count - 1) * w if not (0, 0) < e.version < (1, 3) else 0.0
        parts.append(op.Where(op.Greater(hits, np.array(0.5)), np.array(w), np.array(against)))
    return op.Div(summed(op, parts), np.array(weights.sum()))


@method("decision_function", "AdaBoostClassifier")
def boost_scores(op: Builder, x: Any, e: Estimator) -> Value:
    p = _boosts(op, x, e)
    if len(labels(e)) == 2:
        out: Value = op.Sub(op.Squeeze(op.Gather(p, ints(1), axis=1), ints(1)),
                            op.Squeeze(op.Gather(p, ints(0), axis=1), ints(1)))
        return out
    return p


@method("predict_proba", "AdaBoostClassifier")
def boost_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    count = len(labels(e))
    if not _real_boost(e) and (0, 0) < e.version < (0, 22):
        weights = e.array("estimator_weights_")
        p = summed(op, floats(op, [call(op, "predict_proba", m, x) for m in members(e)]), weights.tolist())
        p = op.Div(p, like(p, weights.sum()))
        out: Value = op.Softmax(op.Mul(p, like(p, 1 / (count - 1))), axis=1)
        return out
    scores = boost_scores(op, x, e)
    if count == 2:
        half = op.Div(column(op, scores), like(scores, 2))
        return op.Softmax(op.Concat(op.Neg(half), half, axis=1), axis=1)
    return op.Softmax(op.Div(scores, like(scores, count - 1)), axis=1)


@method("predict", "AdaBoostRegressor")
def boost_number(op: Builder, x: Any, e: Estimator) -> Value:
    """The median of the estimators' answers, by their weights."""
    made = side_by_side(op, floats(op, [column(op, call(op, "predict", m, x)) for m in members(e)]))
    weights = e.array("estimator_weights_")[:len(members(e))]
    values, at = op.add("TopK", made, ints(len(weights)), axis=1, largest=0, sorted=1, outputs=2)
    so_far = op.CumSum(op.Gather(weights, at, axis=0), np.array(1, np.int64))
    total = op.Gather(so_far, ints(len(weights) - 1), axis=1)
    reached = op.GreaterOrEqual(so_far, op.Mul(total, np.array(0.5)))
    median = op.ArgMax(real(op, reached, np.int64), axis=1, keepdims=1)
    return flat(op, op.GatherElements(values, median, axis=1))


# -- calibration


@method("predict_proba", "CalibratedClassifierCV")
def calibrated(op: Builder, x: Any, e: Estimator) -> Value:
    return averaged(op, floats(op, [_calibrated(op, x, c, e) for c in members(e, "calibrated_classifiers_")]))


def _calibrated(op: Builder, x: Any, c: Estimator, e: Estimator) -> Value:
    model, classes = c.first("estimator", "base_estimator"), c.get("classes")
    if not isinstance(model, Estimator):
        raise Unsupported(f"{c.path}: no estimator")
    known = labels(last(model))
    classes = known if classes is None else np.asarray(classes, object).ravel().tolist()
    count = len(classes)
    order: dict[Any, int] = {c: k for k, c in enumerate(classes)}
    by_score = has(model, "decision_function")
    y = real(op, call(op, "decision_function" if by_score else "predict_proba", model, x), F64)
    if not by_score and len(known) == 2:
        y = op.Gather(y, ints(1), axis=1)
    y = column(op, y)
    found = list(estimators(c.first("calibrators", "calibrators_"), f"{c.path}.calibrators"))
    if text(c.get("method")) == "temperature":
        p = _tempered(op, y, found[0], by_score, count)
    else:
        parts: dict[int, Value] = {}
        for k, calibrator in enumerate(found):
            place = 1 if count == 2 else order[known[k]]
            one = y if len(found) == 1 and features(y) == 1 else op.Gather(y, ints(k), axis=1)
            parts[place] = _curve(op, one, calibrator)
        if count == 2:
            p = op.Concat(op.Sub(np.array(1.0), parts[1]), parts[1], axis=1)
        else:
            zero = op.Mul(next(iter(parts.values())), np.array(0.0))
            p = share(op, side_by_side(op, [parts.get(k, zero) for k in range(count)]), 1 / count)
    above = op.And(op.Greater(p, np.array(1.0)), op.LessOrEqual(p, np.array(1.0 + 1e-5)))
    out: Value = op.Where(above, np.array(1.0), p)
    return out


def _curve(op: Builder, y: Value, calibrator: Estimator) -> Value:
    if calibrator.name == "IsotonicRegression":
        return column(op, call(op, "predict", calibrator, y))
    if calibrator.name not in ("_SigmoidCalibration", "_CalibrationSigmoid"):
        raise Unsupported(f"{calibrator.path}: a calibration by {calibrator.name}")
    a, b = float(calibrator["a_"]), float(calibrator["b_"])
    return sigmoid(op, op.Neg(op.Add(op.Mul(y, like(y, a)), like(y, b))))


def _tempered(op: Builder, y: Value, calibrator: Estimator, by_score: bool, count: int) -> Value:
    beta = float(calibrator["beta_"])
    if count == 2:
        y = op.Concat(op.Neg(y) if by_score else op.Sub(like(y, 1), y), y, axis=1)
    if not by_score:
        y = op.Log(op.Add(y, like(y, 1e-12)))
    out: Value = op.Softmax(op.Mul(y, like(y, beta)), axis=1)
    return out


# -- two classes at a time


def score(op: Builder, m: Estimator, x: Any) -> Value:
    """(rows, 1): how much an estimator of two classes is for the second one."""
    if m.name == "_ConstantPredictor":
        rows = op.Shape(x if isinstance(x, Value) else next(iter(x.columns.values())), start=0, end=1)
        value = float(np.asarray(m["y_"], F64).ravel()[0])
        out: Value = op.Expand(np.array([[value]]), op.Concat(rows, ints(1), axis=0))
        return out
    if not _classifies(m):
        return column(op, call(op, "predict", m, x))
    if has(m, "decision_function"):
        return column(op, call(op, "decision_function", m, x))
    return op.Gather(call(op, "predict_proba", m, x), ints(1), axis=1)


def _edge(m: Estimator) -> float:
    return 0.0 if m.name == "_ConstantPredictor" or (_classifies(m) and has(m, "decision_function")) else 0.5


def _scores(op: Builder, x: Any, e: Estimator) -> Value:
    return side_by_side(op, floats(op, [score(op, m, x) for m in members(e)]))


def _multilabel(e: Estimator) -> bool:
    binarizer = e.get("label_binarizer_")
    return isinstance(binarizer, Estimator) and str(binarizer.get("y_type_", "")).startswith("multilabel")


FIRST_OF_EQUAL = (1, 8)


@method("predict", "OneVsRestClassifier")
def one_of_rest(op: Builder, x: Any, e: Estimator) -> Value:
    y = _scores(op, x, e)
    models = members(e)
    if _multilabel(e):
        return real(op, op.Greater(y, like(y, _edge(models[0]))), np.int64)
    if len(models) == 1:
        return real(op, flat(op, op.Greater(y, like(y, _edge(models[0])))), np.int64)
    # of equal ones the last counted once
    out: Value = op.ArgMax(y, axis=1, keepdims=0, select_last_index=int((0, 0) < e.version < FIRST_OF_EQUAL))
    return out


@method("predict_proba", "OneVsRestClassifier")
@when(lambda e: all(m.name == "_ConstantPredictor" or has(m, "predict_proba") for m in members(e)))
def rest_probabilities(op: Builder, x: Any, e: Estimator) -> Value:
    parts = []
    for m in members(e):
        constant_ = m.name == "_ConstantPredictor"
        parts.append(score(op, m, x) if constant_ else op.Gather(call(op, "predict_proba", m, x), ints(1), axis=1))
    y = side_by_side(op, floats(op, parts))
    if len(parts) == 1:
        out: Value = op.Concat(op.Sub(like(y, 1), y), y, axis=1)
        return out
    return y if _multilabel(e) else share(op, y)


@method("decision_function", "OneVsRestClassifier")
@when(lambda e: all(m.name == "_ConstantPredictor" or has(m, "decision_function") for m in members(e)))
def rest_scores(op: Builder, x: Any, e: Estimator) -> Value:
    y = _scores(op, x, e)
    return flat(op, y) if len(members(e)) == 1 else y


@method("decision_function", "OneVsOneClassifier")
def one_to_one(op: Builder, x: Any, e: Estimator) -> Value:
    """(rows, classes): the votes for each class, and a bit less than one in the sense of the scores."""
    count, models = len(labels(e)), members(e)
    if e.get("pairwise_indices_") is not None:
        raise Unsupported(f"{e.path}: kernels that are precomputed")
    sure = real(op, _scores(op, x, e), F64)
    won = side_by_side(op, [column(op, codes(op, m, x) if m.name != "_ConstantPredictor" else
                                   real(op, flat(op, score(op, m, x)), np.int64)) for m in models])
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    first, second = (np.array([[1.0 if p[k] == c else 0.0 for c in range(count)] for p in pairs]) for k in (0, 1))
    zero = real(op, op.Equal(won, np.int64(0)), F64)
    one = real(op, op.Equal(won, np.int64(1)), F64)
    votes_ = op.Add(op.MatMul(zero, first), op.MatMul(one, second))
    total = op.MatMul(sure, second - first)
    y = op.Add(votes_, op.Div(total, op.Mul(op.Add(op.Abs(total), np.array(1.0)), np.array(3.0))))
    return flat(op, op.Gather(y, ints(1), axis=1)) if count == 2 else y


@method("predict", "OneVsOneClassifier")
def one_to_one_label(op: Builder, x: Any, e: Estimator) -> Value:
    y = one_to_one(op, x, e)
    if y.rank == 1:
        return real(op, op.Greater(y, like(y, _edge(members(e)[0]))), np.int64)
    out: Value = op.ArgMax(y, axis=1, keepdims=0)
    return out


@method("predict", "OutputCodeClassifier")
def by_code(op: Builder, x: Any, e: Estimator) -> Value:
    """The class whose code is nearest to the scores."""
    y, book = real(op, _scores(op, x, e), F64), e.array("code_book_")
    far = op.Sub((book * book).sum(1)[None], op.MatMul(op.Mul(y, np.array(2.0)), np.ascontiguousarray(book.T)))
    out: Value = op.ArgMin(far, axis=1, keepdims=0)
    return out


# -- several outputs


@method("predict", "MultiOutputClassifier", "MultiOutputRegressor")
def several(op: Builder, x: Any, e: Estimator) -> Value:
    parts = [column(op, answer(op, m, x)) for m in members(e)]
    if len({p.dtype == STRING for p in parts}) > 1:
        raise Unsupported(f"{e.path}: labels that are texts and numbers")
    return side_by_side(op, parts if parts[0].dtype == STRING or e.name.endswith("Classifier") else floats(op, parts))


@method(EACH, "MultiOutputClassifier")
@when(lambda e: all(has(m, "predict_proba") for m in members(e)))
def each_probabilities(op: Builder, x: Any, e: Estimator) -> list[Value]:
    return [call(op, "predict_proba", m, x) for m in members(e)]


def chained(op: Builder, x: Any, e: Estimator, how: str) -> Value:
    """What each estimator of a chain makes of the rows and of what those before it made, in the outputs' order."""
    if not isinstance(x, Value):
        raise Unsupported(f"{e.path}: a chain on a table")
    passed = text(e.get("chain_method_")) or "predict"
    x = matrix(op, x)
    known: list[Value] = []
    made: list[Value] = []
    for m in members(e):
        seen = x if not known else formed(op, op.Concat(x, *(real(op, k, x.dtype) for k in known), axis=1), sparse(x))
        known.append(_link(op, m, seen, passed))
        made.append(known[-1] if passed == how else _link(op, m, seen, how))
    order = [int(k) for k in np.asarray(e["order_"]).ravel()]
    return side_by_side(op, [made[order.index(k)] for k in range(len(order))])


def _link(op: Builder, m: Estimator, x: Value, how: str) -> Value:
    if how == "predict":
        return column(op, answer(op, m, x))
    if how == "predict_log_proba" and not has(m, how):
        out: Value = op.Log(_link(op, m, x, "predict_proba"))
        return out
    y = call(op, how, m, x)
    if y.rank == 1:
        return column(op, y)
    if y.shape[1] == 2 and how != "decision_function":
        return op.Gather(y, ints(1), axis=1)
    raise Unsupported(f"{m.path}: {how} of more than two classes in a chain")


@method("predict", "ClassifierChain", "RegressorChain")
def chain(op: Builder, x: Any, e: Estimator) -> Value:
    return chained(op, x, e, "predict")


def _chains(name: str) -> None:
    @method(name, "ClassifierChain")
    @when(lambda e: all(has(m, name) for m in members(e)))
    def rule(op: Builder, x: Any, e: Estimator) -> Value:
        return chained(op, x, e, name)


for _name in ("predict_proba", "decision_function"):
    _chains(_name)


# -- another threshold


@method("predict", "FixedThresholdClassifier", "TunedThresholdClassifierCV")
def threshold(op: Builder, x: Any, e: Estimator) -> Value:
    model = e.get("estimator_")
    model = model if isinstance(model, Estimator) else e["estimator"]
    classes = labels(last(model))
    if len(classes) != 2:
        raise Unsupported(f"{e.path}: {len(classes)} classes")
    how = text(e.get("response_method", "auto"))
    how = next((m for m in ("predict_proba", "decision_function") if has(model, m)), "") if how == "auto" else how
    if how not in ("predict_proba", "decision_function"):
        raise Unsupported(f"{e.path}: response_method={how!r}")
    positive = 0 if _positive(e, classes) == classes[0] else 1
    y = call(op, how, model, x)
    if how == "predict_proba":
        y = flat(op, op.Gather(y, ints(positive), axis=1))
    elif positive == 0:
        y = op.Neg(y)
    at = e["best_threshold_"] if e.name.startswith("Tuned") else e["threshold"]
    at = (0.5 if how == "predict_proba" else 0.0) if at == "auto" else float(at)
    above = real(op, op.GreaterOrEqual(y, like(y, at)), np.int64)
    out: Value = above if positive else op.Sub(np.int64(1), above)
    return out


def _positive(e: Estimator, classes: Any) -> Any:
    """The class that the threshold is for: that of a setting or of the measure that found the threshold."""
    if e.name.startswith("Fixed"):
        given = e.get("pos_label")
        return classes[1] if given is None else given
    scorer = e.get("_curve_scorer")
    given = (scorer.get("_kwargs") or {}).get("pos_label") if isinstance(scorer, Estimator) else None
    if given is None and classes[0] == 1:  # most measures take 1 for the class that counts, some the greater label
        raise Unsupported(f"{e.path}: whether the measure's positive class is {classes[0]} or {classes[1]}")
    return classes[1] if given is None else given


