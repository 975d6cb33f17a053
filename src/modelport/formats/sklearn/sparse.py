"""Which matrices scikit-learn keeps sparse, without the zeros.

It matters to two that look at them: XGBoost takes a number that is not stored for a missing one; QuantileTransformer
leaves it the zero that it is.  In a graph all matrices are dense, so that what they were is kept beside the values.

Sources: sklearn/compose/_column_transformer.py (_hstack), sklearn/pipeline.py (FeatureUnion), ``transform`` of each
class; xgboost/data.py (_from_scipy_csr)."""
from __future__ import annotations

from typing import Any
from weakref import WeakKeyDictionary

from ...ir.graph import Value
from ...ir.rules import Builder
from .estimator import Estimator, text

_KNOWN: WeakKeyDictionary[Value, bool] = WeakKeyDictionary()
_SAME = ("Cast", "Gather", "Identity")  # what picks columns, or another element type, keeps the form

_AS_MADE = ("Pipeline", "FeatureUnion", "StackingClassifier", "StackingRegressor", "GridSearchCV", "RandomizedSearchCV",
            "HalvingGridSearchCV", "HalvingRandomSearchCV", "FrozenEstimator")
_AS_GIVEN = ("AdditiveChi2Sampler", "Binarizer", "FunctionTransformer", "GenericUnivariateSelect", "MaxAbsScaler",
             "Normalizer", "PolynomialFeatures", "QuantileTransformer", "RFE", "RFECV", "RobustScaler", "SelectFdr",
             "SelectFpr", "SelectFromModel", "SelectFwe", "SelectKBest", "SelectPercentile",
             "SequentialFeatureSelector", "SimpleImputer", "StandardScaler", "VarianceThreshold")
_ALWAYS = ("CountVectorizer", "FeatureHasher", "HashingVectorizer", "KNeighborsTransformer",
           "RadiusNeighborsTransformer", "TfidfTransformer", "TfidfVectorizer")
_ASKED = {"DictVectorizer": True, "OneHotEncoder": True, "RandomTreesEmbedding": True, "LabelBinarizer": False,
          "MultiLabelBinarizer": False, "SplineTransformer": False}
"""Those that are asked for one (``sparse_output``, ``sparse``), and what they make if they are not."""


def sparse(x: Any) -> bool:
    """Whether scikit-learn has this matrix as a sparse one."""
    while isinstance(x, Value):
        if x in _KNOWN:
            return _KNOWN[x]
        x = x.node.inputs[0] if x.node is not None and x.node.op in _SAME else None
    return False


def formed(op: Builder, y: Any, form: bool, given: Any = None) -> Any:
    """``y`` as a value that is known to be sparse or not; ``given`` is what it was made from."""
    if not isinstance(y, Value) or sparse(y) == form:
        return y
    if y is given or y in _KNOWN or y.node is None:
        y = op.Identity(y)  # others may have the same numbers in the other form
    _KNOWN[y] = form
    return y


def transformed(op: Builder, e: Estimator, x: Any, y: Any) -> Any:
    """What ``transform`` of an estimator made of ``x``, with its form."""
    return y if e.name in _AS_MADE else formed(op, y, _made(e, sparse(x)), x)


def _made(e: Estimator, given: bool) -> bool:
    if e.name in _ASKED:
        return bool(e.get("sparse_output", e.get("sparse", _ASKED[e.name])))
    if e.name == "ColumnTransformer":
        return bool(e.get("sparse_output_"))
    if e.name == "KBinsDiscretizer":
        return text(e.get("encode")) == "onehot"
    if e.name == "SparseRandomProjection":
        return given and not e.get("dense_output")
    if e.name == "MissingIndicator":
        return given if e.get("sparse") == "auto" else bool(e.get("sparse"))
    return e.name in _ALWAYS or (given and e.name in _AS_GIVEN)
