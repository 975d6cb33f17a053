"""Trees and forests."""
from __future__ import annotations

from . import Family

FAMILY = Family("trees")
add = FAMILY.add
for name, more in (("DecisionTree", ""), ("ExtraTree", ""), ("RandomForest", "n_estimators=5, "),
                   ("ExtraTrees", "n_estimators=5, ")):
    for data in ("classes", "two", "named", "two named"):
        add(f"{name}Classifier/{data}", f"{name}Classifier({more}random_state=0)", data)
    for data in ("classes", "two", "two named"):
        add(f"{name}Classifier/shallow/{data}", f"{name}Classifier({more}max_depth=3, random_state=0)", data)
    add(f"{name}Classifier/labels", f"{name}Classifier({more}max_depth=3, random_state=0)", "two labels",
        methods=("predict",))
    add(f"{name}Classifier/each", f"{name}Classifier({more}max_depth=3, random_state=0)", "two labels",
        methods=("predict", "predict_proba"))
    add(f"{name}Classifier/leaves", f"{name}Classifier({more}max_depth=3, random_state=0)", methods=("predict", "apply"))
    add(f"{name}Regressor", f"{name}Regressor({more}random_state=0)", "numbers")
    add(f"{name}Regressor/two", f"{name}Regressor({more}random_state=0)", "two numbers")
    add(f"{name}Regressor/leaves", f"{name}Regressor({more}max_depth=3, random_state=0)", "numbers", methods=("apply",))
for name, more in (("DecisionTree", ""), ("RandomForest", "n_estimators=5, ")):
    add(f"{name}Classifier/missing", f"{name}Classifier({more}random_state=0, max_depth=4)", "missing")
    add(f"{name}Regressor/missing", f"{name}Regressor({more}random_state=0, max_depth=5)", "missing numbers")
add("RandomForestClassifier/ties", "RandomForestClassifier(n_estimators=4, max_depth=1, random_state=0)", "counts")
add("RandomForestClassifier/many", "RandomForestClassifier(n_estimators=20, max_depth=2, random_state=0)", "five")
add("RandomForestClassifier/weights", "RandomForestClassifier(n_estimators=6, max_depth=3, random_state=0, "
    "class_weight='balanced')", "two")
add("RandomForestRegressor/absolute", "RandomForestRegressor(n_estimators=5, criterion='absolute_error', "
    "random_state=0)", "numbers")
for name, more in (("", ""), ("/features", ", max_features=2"), ("/contamination", ", contamination=0.1"),
                   ("/tie", ", contamination=0.0899"), ("/few", ", max_samples=1"), ("/two", ", max_samples=2")):
    expression = f"IsolationForest(n_estimators=9, random_state=0{more})"
    add(f"IsolationForest{name}", expression, methods=("predict", "decision_function", "score_samples"))
add("RandomTreesEmbedding", "RandomTreesEmbedding(n_estimators=5, max_depth=3, random_state=0)")
add("RandomTreesEmbedding/dense", "RandomTreesEmbedding(n_estimators=5, max_depth=2, random_state=0, "
    "sparse_output=False)")
