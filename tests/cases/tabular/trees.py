"""Trees and forests."""
from __future__ import annotations

from . import Family

FAMILY = Family("trees")
add = FAMILY.add
for name, more in (("DecisionTree", ""), ("ExtraTree", ""), ("RandomForest", "n_estimators=7, "),
                   ("ExtraTrees", "n_estimators=7, ")):
    for data in ("classes", "two", "named"):
        add(f"{name}Classifier/{data}", f"{name}Classifier({more}random_state=0)", data)
    add(f"{name}Classifier/shallow", f"{name}Classifier({more}max_depth=3, random_state=0)", "classes")
    add(f"{name}Regressor", f"{name}Regressor({more}random_state=0)", "numbers")
    add(f"{name}Regressor/two", f"{name}Regressor({more}random_state=0)", "two numbers")
for name in ("DecisionTree", "RandomForest"):
    add(f"{name}Classifier/missing", f"{name}Classifier(random_state=0, max_depth=4)", "missing")
    add(f"{name}Regressor/missing", f"{name}Regressor(random_state=0)", "missing numbers")
