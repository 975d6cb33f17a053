"""Models that add up weighted features."""
from __future__ import annotations

from . import Family

FAMILY = Family("linear")
add = FAMILY.add
for name in ("LinearRegression", "Ridge", "RidgeCV", "Lasso", "LassoCV", "ElasticNet", "ElasticNetCV", "Lars", "LarsCV",
             "LassoLars", "LassoLarsCV", "LassoLarsIC", "OrthogonalMatchingPursuit", "OrthogonalMatchingPursuitCV",
             "BayesianRidge", "ARDRegression", "SGDRegressor", "PassiveAggressiveRegressor", "HuberRegressor",
             "TheilSenRegressor", "LinearSVR", "QuantileRegressor"):
    add(name, f"{name}()", "numbers")
for name in ("LinearRegression", "Ridge", "RidgeCV"):
    add(f"{name}/two", f"{name}()", "two numbers")
add("LinearRegression/plain", "LinearRegression(fit_intercept=False)", "numbers")
for name in ("MultiTaskLasso", "MultiTaskLassoCV", "MultiTaskElasticNet", "MultiTaskElasticNetCV"):
    add(name, f"{name}()", "two numbers")
for name in ("LogisticRegression", "LogisticRegressionCV", "RidgeClassifier", "RidgeClassifierCV", "SGDClassifier",
             "Perceptron", "PassiveAggressiveClassifier", "LinearSVC"):
    for data in ("classes", "two", "named"):
        add(f"{name}/{data}", f"{name}()", data)
for loss in ("log_loss", "modified_huber"):
    for data in ("classes", "two"):
        add(f"SGDClassifier/{loss}/{data}", f"SGDClassifier(loss='{loss}')", data)
add("LogisticRegression/liblinear", "LogisticRegression(solver='liblinear')", "two")
for name in ("PoissonRegressor", "GammaRegressor", "TweedieRegressor"):
    add(name, f"{name}()", "positive")
add("TweedieRegressor/power", "TweedieRegressor(power=1.5)", "positive")
