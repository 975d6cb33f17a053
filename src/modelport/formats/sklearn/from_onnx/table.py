"""Estimators as scikit-learn 1.9 keeps them: their modules, and the parameters of their constructors with defaults."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....codecs.pickle import Name, Record

VERSION = "1.9.1"
"""The version of scikit-learn whose files these are."""

_TREE = {"criterion": "squared_error", "splitter": "best", "max_depth": None, "min_samples_split": 2,
         "min_samples_leaf": 1, "min_weight_fraction_leaf": 0.0, "max_features": None, "random_state": None,
         "max_leaf_nodes": None, "min_impurity_decrease": 0.0, "ccp_alpha": 0.0, "monotonic_cst": None}
_FOREST = {"n_estimators": 100, "criterion": "squared_error", "max_depth": None, "min_samples_split": 2,
           "min_samples_leaf": 1, "min_weight_fraction_leaf": 0.0, "max_features": 1.0, "max_leaf_nodes": None,
           "min_impurity_decrease": 0.0, "bootstrap": True, "oob_score": False, "n_jobs": None, "random_state": None,
           "verbose": 0, "warm_start": False, "ccp_alpha": 0.0, "max_samples": None, "monotonic_cst": None}
_CLASSES = {"criterion": "gini", "class_weight": None}
_HISTOGRAMS = {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31, "max_depth": None, "min_samples_leaf": 20,
               "l2_regularization": 0.0, "max_features": 1.0, "max_bins": 255, "categorical_features": "from_dtype",
               "monotonic_cst": None, "interaction_cst": None, "warm_start": False, "early_stopping": "auto",
               "scoring": "loss", "validation_fraction": 0.1, "n_iter_no_change": 10, "tol": 1e-07, "verbose": 0,
               "random_state": None}
_PERCEPTRON = {"hidden_layer_sizes": (100,), "activation": "relu", "solver": "adam", "alpha": 0.0001,
               "batch_size": "auto", "learning_rate": "constant", "learning_rate_init": 0.001, "power_t": 0.5,
               "max_iter": 200, "shuffle": True, "random_state": None, "tol": 0.0001, "verbose": False,
               "warm_start": False, "momentum": 0.9, "nesterovs_momentum": True, "early_stopping": False,
               "validation_fraction": 0.1, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-08, "n_iter_no_change": 10,
               "max_fun": 15000}
_MLP, _GBH = "neural_network._multilayer_perceptron", "ensemble._hist_gradient_boosting.gradient_boosting"

_ESTIMATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "LinearRegression": ("linear_model._base", {"fit_intercept": True, "copy_X": True, "tol": 1e-06, "n_jobs": None,
                                                "positive": False}),
    "LogisticRegression": ("linear_model._logistic", {
        "penalty": "deprecated", "C": 1.0, "l1_ratio": 0.0, "dual": False, "tol": 0.0001, "fit_intercept": True,
        "intercept_scaling": 1, "class_weight": None, "random_state": None, "solver": "lbfgs", "max_iter": 100,
        "verbose": 0, "warm_start": False, "n_jobs": None, "multi_class": "auto"}),  # the last for 1.7 and older
    "PoissonRegressor": ("linear_model._glm.glm", {"alpha": 1.0, "fit_intercept": True, "solver": "lbfgs",
                                                   "max_iter": 100, "tol": 0.0001, "warm_start": False, "verbose": 0}),
    "LinearSVC": ("svm._classes", {
        "penalty": "l2", "loss": "squared_hinge", "dual": "auto", "tol": 0.0001, "C": 1.0, "multi_class": "ovr",
        "fit_intercept": True, "intercept_scaling": 1, "class_weight": None, "verbose": 0, "random_state": None,
        "max_iter": 1000}),
    "MLPClassifier": (_MLP, {**_PERCEPTRON, "loss": "log_loss"}),
    "MLPRegressor": (_MLP, {**_PERCEPTRON, "loss": "squared_error"}),
    "DecisionTreeClassifier": ("tree._classes", {**_TREE, **_CLASSES}),
    "DecisionTreeRegressor": ("tree._classes", _TREE),
    "RandomForestClassifier": ("ensemble._forest", {**_FOREST, **_CLASSES, "max_features": "sqrt"}),
    "RandomForestRegressor": ("ensemble._forest", _FOREST),
    "HistGradientBoostingClassifier": (_GBH, {**_HISTOGRAMS, "loss": "log_loss", "class_weight": None}),
    "HistGradientBoostingRegressor": (_GBH, {**_HISTOGRAMS, "loss": "squared_error", "quantile": None}),
    "_BinMapper": ("ensemble._hist_gradient_boosting.binning", {
        "n_bins": 256, "subsample": 200000, "is_categorical": None, "known_categories": None, "random_state": None,
        "n_threads": 1}),
    "StandardScaler": ("preprocessing._data", {"copy": True, "with_mean": True, "with_std": True}),
    "MinMaxScaler": ("preprocessing._data", {"feature_range": (0, 1), "copy": True, "clip": False}),
    "LabelBinarizer": ("preprocessing._label", {"neg_label": 0, "pos_label": 1, "sparse_output": False}),
    "LabelEncoder": ("preprocessing._label", {}),
    "Pipeline": ("pipeline", {"transform_input": None, "memory": None, "verbose": False}),
}
KINDS = ("linear and logistic regression, LinearSVC, trees and forests, gradient boosting (HistGradientBoosting) and "
         "multi-layer perceptrons, behind StandardScaler and MinMaxScaler")
"""What can be written."""


def estimator(name: str, **fitted: Any) -> Record:
    """An estimator of a class: its default parameters and, over them, what it was given and what was fitted."""
    module, parameters = _ESTIMATORS[name]
    return Record(Name(f"sklearn.{module}", name), state={**parameters, **fitted, "_sklearn_version": VERSION})


_LOSSES: dict[str, tuple[str, Any, Any, bool]] = {
    "HalfSquaredError": ("IdentityLink", (-np.inf, np.inf, False, False), (-np.inf, np.inf, False, False), True),
    "HalfBinomialLoss": ("LogitLink", (0, 1, True, True), (0, 1, False, False), False),
    "HalfMultinomialLoss": ("MultinomialLogit", (0, np.inf, True, False), (0, 1, False, False), False),
    "HalfPoissonLoss": ("LogLink", (0, np.inf, True, False), (0, np.inf, False, False), False)}


def loss(name: str, classes: int | None = None) -> Record:
    """A loss, whose link says what becomes of sums."""
    link, true, predicted, constant = _LOSSES[name]

    def interval(of: tuple[Any, ...]) -> Record:
        return Record(Name("sklearn._loss.link", "Interval"),
                      state=dict(zip(("low", "high", "low_inclusive", "high_inclusive"), of, strict=True)))
    state = {"closs": Record(Name("sklearn._loss._loss", f"Cy{name}")),
             "link": Record(Name("sklearn._loss.link", link)), "n_classes": classes, "xp": None, "device": None,
             "approx_hessian": False, "constant_hessian": constant,
             "interval_y_true": interval(true), "interval_y_pred": interval(predicted)}
    if name == "HalfMultinomialLoss":
        state.update(class_indexing_offsets=None, y_true_int=None, y_true_one_hot=None)
    return Record(Name("sklearn._loss.loss", name), state=state)
