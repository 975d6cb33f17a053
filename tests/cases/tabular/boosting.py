"""Boosted trees of scikit-learn."""
from __future__ import annotations

from . import Family

FAMILY = Family("boosting")
add = FAMILY.add
G = "n_estimators=5, random_state=0"
GB = f"GradientBoostingClassifier({G}"
for data in ("classes", "two", "named", "two named", "five"):
    add(f"GradientBoostingClassifier/{data}", f"{GB})", data)
add("GradientBoostingClassifier/scores", f"{GB})", methods=("predict", "decision_function", "predict_proba"))
add("GradientBoostingClassifier/leaves", f"{GB})", methods=("apply",))
add("GradientBoostingClassifier/exponential", f"{GB}, loss='exponential')", "two",
    methods=("predict", "decision_function", "predict_proba"))
add("GradientBoostingClassifier/zero", f"{GB}, init='zero', max_depth=1)", "two")
add("GradientBoostingClassifier/zero three", f"{GB}, init='zero', max_depth=1)", "classes")
add("GradientBoostingClassifier/stump", "GradientBoostingClassifier(n_estimators=2, max_depth=1, init='zero', "
    "learning_rate=1e-9)", "two", methods=("predict",))
add("GradientBoostingClassifier/forest", f"{GB}, init=RandomForestClassifier(n_estimators=4, max_depth=2, "
    "random_state=0))", "classes")
add("GradientBoostingClassifier/forest two", f"{GB}, init=RandomForestClassifier(n_estimators=4, max_depth=2, "
    "random_state=0))", "two")
add("GradientBoostingClassifier/linear", f"{GB}, init=LogisticRegression())", "two")
add("GradientBoostingClassifier/subsample", f"{GB}, subsample=0.6, max_features=2)", "two")
for loss in ("squared_error", "absolute_error", "huber", "quantile"):
    add(f"GradientBoostingRegressor/{loss}", f"GradientBoostingRegressor({G}, loss='{loss}')", "numbers")
add("GradientBoostingRegressor/zero", f"GradientBoostingRegressor({G}, init='zero')", "numbers")
add("GradientBoostingRegressor/linear", f"GradientBoostingRegressor({G}, init=LinearRegression())", "numbers")
add("GradientBoostingRegressor/leaves", f"GradientBoostingRegressor({G})", "numbers", methods=("predict", "apply"))

H = "max_iter=5, min_samples_leaf=5, random_state=0"
for data in ("classes", "two", "named", "two named", "five", "missing"):
    add(f"HistGradientBoostingClassifier/{data}", f"HistGradientBoostingClassifier({H})", data)
add("HistGradientBoostingClassifier/scores", f"HistGradientBoostingClassifier({H})",
    methods=("predict", "decision_function", "predict_proba"))
add("HistGradientBoostingClassifier/scores two", f"HistGradientBoostingClassifier({H})", "two",
    methods=("predict", "decision_function", "predict_proba"))
add("HistGradientBoostingClassifier/float32", f"HistGradientBoostingClassifier({H})", "missing", inputs=("float32",))
add("HistGradientBoostingClassifier/float32 two", f"HistGradientBoostingClassifier({H})", "two", inputs=("float32",))
for data in ("numbers", "missing numbers"):
    add(f"HistGradientBoostingRegressor/{data}", f"HistGradientBoostingRegressor({H})", data)
for loss in ("squared_error", "absolute_error", "poisson", "gamma", "quantile"):
    more = ", quantile=0.3" if loss == "quantile" else ""
    add(f"HistGradientBoostingRegressor/{loss}", f"HistGradientBoostingRegressor({H}, loss='{loss}'{more})", "positive")
add("HistGradientBoostingRegressor/many", "HistGradientBoostingRegressor(max_iter=40)", "numbers")
add("HistGradientBoostingClassifier/categories", f"HistGradientBoostingClassifier({H}, categorical_features=[0, 3])",
    "counts")
add("HistGradientBoostingClassifier/unknown", f"HistGradientBoostingClassifier({H}, categorical_features=[0, 3])",
    "unknown counts")
add("HistGradientBoostingClassifier/table", f"HistGradientBoostingClassifier({H}, categorical_features=['city', "
    "'kind', 'rooms'])", "table")
add("HistGradientBoostingRegressor/dtypes", f"HistGradientBoostingRegressor({H})", "categories")
add("HistGradientBoostingClassifier/dtypes", f"HistGradientBoostingClassifier({H})", "categories")
add("HistGradientBoostingClassifier/pipeline", f"make_pipeline(StandardScaler(), HistGradientBoostingClassifier({H}))")
add("GradientBoostingClassifier/pipeline", f"make_pipeline(StandardScaler(), {GB}))")
