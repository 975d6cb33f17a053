"""Boosted trees of XGBoost, LightGBM and CatBoost."""
from __future__ import annotations

from . import Family

FAMILY = Family("libraries")
add = FAMILY.add
X = "n_estimators=6, max_depth=3"
for data in ("classes", "two", "five"):
    add(f"XGBClassifier/{data}", f"xgb.XGBClassifier({X})", data)
for data in ("classes", "two"):
    add(f"XGBRFClassifier/{data}", f"xgb.XGBRFClassifier({X})", data)
add("XGBClassifier/missing", f"xgb.XGBClassifier({X})", "missing")
add("XGBClassifier/zero is missing", f"xgb.XGBClassifier({X}, missing=0)", "counts")
add("XGBClassifier/dart", f"xgb.XGBClassifier({X}, booster='dart', rate_drop=0.4)", "classes")
# XGBoost adds up margins of about 50 in float32, one feature after the other, which is off by this much itself
add("XGBClassifier/gblinear", "xgb.XGBClassifier(booster='gblinear')", "classes", loose=4e-6)
add("XGBClassifier/softmax", f"xgb.XGBClassifier({X}, objective='multi:softmax')", "classes")
add("XGBClassifier/labels", f"xgb.XGBClassifier({X})", "two labels", methods=("predict", "predict_proba"))
add("XGBClassifier/hinge", f"xgb.XGBClassifier({X}, objective='binary:hinge')", "two")
add("XGBClassifier/logitraw", f"xgb.XGBClassifier({X}, objective='binary:logitraw')", "two")
add("XGBClassifier/parallel", f"xgb.XGBClassifier({X}, num_parallel_tree=3, subsample=0.7)", "classes")
add("XGBClassifier/best", "stopped(xgb.XGBClassifier(n_estimators=60, learning_rate=1, early_stopping_rounds=3), 'classes')", "classes")
add("XGBClassifier/best two", "stopped(xgb.XGBClassifier(n_estimators=60, learning_rate=1, early_stopping_rounds=3), 'two')", "two")
add("XGBClassifier/constant", "xgb.XGBClassifier(n_estimators=3, max_depth=1, gamma=1e6)", "classes")
add("XGBClassifier/leaves", f"xgb.XGBClassifier({X})", methods=("apply",))
add("XGBClassifier/categories", f"xgb.XGBClassifier({X}, enable_categorical=True, max_cat_to_onehot=2)", "categories")
add("XGBRegressor/categories", f"xgb.XGBRegressor({X}, enable_categorical=True)", "categories")
add("XGBRegressor", f"xgb.XGBRegressor({X})", "numbers")
add("XGBRegressor/two", f"xgb.XGBRegressor({X})", "two numbers")
add("XGBRegressor/vector", f"xgb.XGBRegressor({X}, multi_strategy='multi_output_tree')", "two numbers")
add("XGBRegressor/best", "stopped(xgb.XGBRegressor(n_estimators=60, learning_rate=1, early_stopping_rounds=3), 'numbers')", "numbers")
add("XGBRegressor/vector best", "stopped(xgb.XGBRegressor(n_estimators=60, learning_rate=1, early_stopping_rounds=3, "
    "multi_strategy='multi_output_tree'), 'two numbers')", "two numbers")
add("XGBRegressor/missing", f"xgb.XGBRegressor({X})", "missing numbers")
add("XGBRFRegressor", f"xgb.XGBRFRegressor({X})", "numbers")
for o in ("count:poisson", "reg:gamma", "reg:tweedie", "reg:absoluteerror", "reg:pseudohubererror",
          "reg:squaredlogerror", "survival:cox", "reg:logistic"):
    add(f"XGBRegressor/{o.replace(':', '_')}", f"xgb.XGBRegressor({X}, objective='{o}')",
        "shares" if o == "reg:logistic" else "positive")
add("XGBRegressor/quantile", f"xgb.XGBRegressor({X}, objective='reg:quantileerror', quantile_alpha=[0.2, 0.5])", "numbers")
add("XGBRegressor/leaves", f"xgb.XGBRegressor({X})", "numbers", methods=("predict", "apply"))
add("XGBClassifier/pipeline", f"make_pipeline(StandardScaler(), xgb.XGBClassifier({X}))")

L = "n_estimators=6, min_child_samples=5, verbose=-1"
for data in ("classes", "two", "named", "two named", "missing"):
    add(f"LGBMClassifier/{data}", f"lgb.LGBMClassifier({L})", data)
for o in ("multiclassova",):
    add(f"LGBMClassifier/{o}", f"lgb.LGBMClassifier({L}, objective='{o}')", "classes")
add("LGBMClassifier/dart", f"lgb.LGBMClassifier({L}, boosting_type='dart')", "classes")
add("LGBMClassifier/rf", f"lgb.LGBMClassifier({L}, boosting_type='rf', bagging_freq=1, bagging_fraction=0.6)", "two")
add("LGBMClassifier/best", "stopped(lgb.LGBMClassifier(n_estimators=60, learning_rate=1, verbose=-1, "
    "min_child_samples=5, early_stopping_round=3), 'classes')", "classes")
add("LGBMClassifier/categories", f"lgb.LGBMClassifier({L}, min_data_per_group=2, cat_smooth=1)", "categories")
for o in ("regression", "regression_l1", "huber", "fair", "quantile", "mape"):
    add(f"LGBMRegressor/{o}", f"lgb.LGBMRegressor({L}, objective='{o}')", "numbers")
for o in ("poisson", "gamma", "tweedie", "regression"):
    add(f"LGBMRegressor/positive {o}", f"lgb.LGBMRegressor({L}, objective='{o}', reg_sqrt={o == 'regression'})",
        "positive")
add("LGBMRegressor/cross_entropy", f"lgb.LGBMRegressor({L}, objective='cross_entropy')", "shares")
add("LGBMRegressor/linear", f"lgb.LGBMRegressor({L}, linear_tree=True)", "numbers")
add("LGBMRegressor/missing", f"lgb.LGBMRegressor({L})", "missing numbers")
add("LGBMRegressor/zero is missing", f"lgb.LGBMRegressor({L}, zero_as_missing=True)", "counts")
add("LGBMBooster", f"booster(lgb.LGBMClassifier({L}), 'two')", "two")
add("LGBMClassifier/pipeline", f"make_pipeline(StandardScaler(), lgb.LGBMClassifier({L}))")

C = "iterations=4, depth=3, verbose=0, allow_writing_files=False"
for data in ("classes", "two named", "missing"):
    add(f"CatBoostClassifier/{data}", f"cb.CatBoostClassifier({C})", data)
add("CatBoostClassifier/ova", f"cb.CatBoostClassifier({C}, loss_function='MultiClassOneVsAll')", "classes")
add("CatBoostClassifier/leafwise", f"cb.CatBoostClassifier({C}, grow_policy='Depthwise')", "classes")
add("CatBoostClassifier/nan max", f"cb.CatBoostClassifier({C}, nan_mode='Max')", "missing")
add("CatBoostClassifier/table", f"cb.CatBoostClassifier({C}, one_hot_max_size=9, cat_features=['rooms'])", "numbered")
add("CatBoostClassifier/hashes", f"cb.CatBoostClassifier({C}, one_hot_max_size=9, cat_features=['city', 'kind'])",
    "table")
add("CatBoostClassifier/counts", f"cb.CatBoostClassifier({C}, one_hot_max_size=1, cat_features=['city', 'kind'])",
    "table")
add("CatBoostClassifier/counts whole", f"cb.CatBoostClassifier({C}, one_hot_max_size=1, cat_features=['rooms'])",
    "numbered")
add("CatBoostRegressor", f"cb.CatBoostRegressor({C})", "numbers")
add("CatBoostRegressor/two", f"cb.CatBoostRegressor({C}, loss_function='MultiRMSE')", "two numbers")
add("CatBoostRegressor/lossguide", "cb.CatBoostRegressor(iterations=4, grow_policy='Lossguide', max_leaves=8, "
    "verbose=0, allow_writing_files=False)", "missing numbers")
for o in ("MAE", "Quantile", "Poisson", "Tweedie:variance_power=1.5", "RMSEWithUncertainty"):
    add(f"CatBoostRegressor/{o.partition(':')[0]}", f"cb.CatBoostRegressor({C}, loss_function='{o}')", "positive")

# a number that a sparse matrix does not store is a missing one for XGBoost, and zero for the others
SPARSE = ("ColumnTransformer([('n', StandardScaler(), ['age', 'price']), ('t', OneHotEncoder(handle_unknown='ignore'), "
          "['rooms', 'city', 'kind'])]{})")
FEW = "n_estimators=2, max_depth=3"
for name, model in (("XGBClassifier", f"xgb.XGBClassifier({FEW})"),
                    ("LGBMClassifier", f"lgb.LGBMClassifier({FEW}, min_child_samples=5, verbose=-1)"),
                    ("CatBoostClassifier", f"cb.CatBoostClassifier({C})")):
    add(f"{name}/sparse", f"make_pipeline({SPARSE.format(', sparse_threshold=1')}, {model})", "table")
add("XGBClassifier/sparse words", f"make_pipeline(CountVectorizer(), xgb.XGBClassifier({FEW}))", "texts")
add("XGBClassifier/sparse union", "make_pipeline(make_union(MaxAbsScaler(), KBinsDiscretizer(3)), SelectKBest(k=9), "
    f"BaggingClassifier(xgb.XGBClassifier({FEW}), 2, max_features=0.5, random_state=0))", "classes", near=True)
add("XGBClassifier/sparse stack", "make_pipeline(KBinsDiscretizer(3), StackingClassifier([('a', LogisticRegression())], "
    f"xgb.XGBClassifier({FEW}), passthrough=True))", "classes")

add("XGBRegressor/vector quantiles", f"xgb.XGBRegressor({FEW}, multi_strategy='multi_output_tree', "
    "objective='reg:quantileerror', quantile_alpha=[0.2, 0.8])", "numbers")
add("XGBRegressor/vector absolute", f"xgb.XGBRegressor({FEW}, multi_strategy='multi_output_tree', "
    "objective='reg:absoluteerror')", "two numbers")
add("XGBClassifier/linear", "xgb.XGBClassifier(n_estimators=3, booster='gblinear')", "counts")
add("LGBMClassifier/linear", f"lgb.LGBMClassifier({FEW}, min_child_samples=5, verbose=-1, linear_tree=True)",
    "missing")
