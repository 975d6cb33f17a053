"""Boosted trees of every library."""
from __future__ import annotations

from . import Family

FAMILY = Family("boosting")
add = FAMILY.add
X = "n_estimators=8, max_depth=3"
for data in ("classes", "two", "five"):
    add(f"XGBClassifier/{data}", f"xgb.XGBClassifier({X})", data)
    add(f"XGBRFClassifier/{data}", f"xgb.XGBRFClassifier({X})", data)
add("XGBClassifier/missing", f"xgb.XGBClassifier({X})", "missing")
add("XGBClassifier/dart", f"xgb.XGBClassifier({X}, booster='dart', rate_drop=0.4)", "classes")
add("XGBClassifier/gblinear", "xgb.XGBClassifier(booster='gblinear')", "classes")
add("XGBRegressor", f"xgb.XGBRegressor({X})", "numbers")
add("XGBRegressor/two", f"xgb.XGBRegressor({X})", "two numbers")
add("XGBRegressor/vector", f"xgb.XGBRegressor({X}, multi_strategy='multi_output_tree')", "two numbers")
add("XGBRegressor/missing", f"xgb.XGBRegressor({X})", "missing numbers")
add("XGBRFRegressor", f"xgb.XGBRFRegressor({X})", "numbers")
for o in ("count:poisson", "reg:gamma", "reg:tweedie", "reg:absoluteerror", "reg:pseudohubererror", "reg:squaredlogerror"):
    add(f"XGBRegressor/{o.replace(':', '_')}", f"xgb.XGBRegressor({X}, objective='{o}')", "positive")
add("XGBRegressor/leaves", f"xgb.XGBRegressor({X})", "numbers", methods=("predict", "apply"))
