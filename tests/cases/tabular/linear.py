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
for name in ("PassiveAggressiveClassifier", "Perceptron", "SGDClassifier", "LogisticRegressionCV"):
    add(f"{name}/five", f"{name}()", "five")
for data in ("two", "five", "named"):
    add(f"LinearDiscriminantAnalysis/{data}", "LinearDiscriminantAnalysis()", data,
        methods=("predict", "predict_proba", "decision_function"))
for name in ("RidgeClassifier", "RidgeClassifierCV"):
    add(f"{name}/labels", f"{name}()", "labels")
for name in ("LinearRegression", "Ridge", "Lasso", "ElasticNet", "Lars", "LassoLars", "OrthogonalMatchingPursuit"):
    if f"{name}/two" not in FAMILY.cases:
        add(f"{name}/two", f"{name}()", "two numbers")
add("LinearRegression/positive", "LinearRegression(positive=True)", "numbers")
add("Lasso/sparse", "Lasso(alpha=0.01)", "sparse numbers")
add("SGDRegressor/averaged", "SGDRegressor(average=True)", "numbers")
add("LogisticRegression/float32", "LogisticRegression()", "five", inputs=("float32",))
add("RANSACRegressor", "RANSACRegressor(random_state=0)", "numbers")
add("RANSACRegressor/inner", "RANSACRegressor(Ridge(), min_samples=20, random_state=0)", "numbers")
add("SGDOneClassSVM", "SGDOneClassSVM(random_state=0)", methods=("predict", "decision_function", "score_samples"))
S = "hidden_layer_sizes=(9, 5), max_iter=60, random_state=0"
for activation in ("identity", "logistic", "tanh", "relu"):
    for data in ("classes", "two"):
        add(f"MLPClassifier/{activation}/{data}", f"MLPClassifier({S}, activation='{activation}')", data)
    add(f"MLPRegressor/{activation}", f"MLPRegressor({S}, activation='{activation}')", "numbers")
for data in ("named", "two named", "labels"):
    add(f"MLPClassifier/{data}", f"MLPClassifier({S})", data)
add("MLPClassifier/none", "MLPClassifier((), max_iter=60, random_state=0)", "five")
add("MLPRegressor/two", f"MLPRegressor({S})", "two numbers")
add("MLPRegressor/poisson", f"MLPRegressor({S}, loss='poisson')", "positive")
add("MLPClassifier/float32", f"MLPClassifier({S})", "five", inputs=("float32",))
for bounds in ("nan", "clip", "raise"):
    add(f"IsotonicRegression/{bounds}", f"IsotonicRegression(out_of_bounds='{bounds}')", "one", near=bounds == "raise",
        methods=("predict", "transform"))
add("IsotonicRegression/limits", "IsotonicRegression(y_min=-1, y_max=1, increasing=False, out_of_bounds='clip')", "one")
