"""Estimators one after the other and side by side, on tables and matrices."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import DATA, Family, encode, table

FAMILY = Family("compose")
add = FAMILY.add
assert encode  # its data


def people() -> Any:
    """A table as people have it: numbers that are missing, texts that are missing, a truth, whole numbers; and rows
    with categories that nobody has seen."""
    import pandas as pd
    frame, y = table()
    frame = frame.copy()
    rng = np.random.default_rng(4)
    frame.loc[rng.random(90) < 0.2, "age"] = np.nan
    frame.loc[rng.random(90) < 0.2, "city"] = np.nan
    more = frame.iloc[:4].copy()
    more["city"] = ["Paris", np.nan, "oslo", "Rom "]
    more["rooms"] = [77, 1, -1, 3]
    more["age"] = [np.nan, 1e6, -3.5, 40]
    return pd.concat([frame]), y, more


def priced() -> Any:
    frame, _, more = people()
    return frame, np.round(frame["price"].to_numpy() * 2 + frame["rooms"].to_numpy(), 2), more


def truth() -> Any:
    frame, y = table()
    frame = frame[["age", "rooms"]].copy()
    frame["old"] = frame["age"] > 40
    return frame, y


DATA.update({"people": people, "priced": priced, "truth": truth,
             "plain numbers": lambda: (table()[0][["age", "rooms", "price"]], table()[1])})
NUMBERS = "['age', 'price']"
TEXTS = "['city', 'kind']"
SCALED = "make_pipeline(SimpleImputer(strategy='median'), StandardScaler())"
ENCODED = "make_pipeline(SimpleImputer(strategy='most_frequent'), OneHotEncoder(handle_unknown='ignore'))"
MISSING = "make_pipeline(SimpleImputer(strategy='constant', fill_value='none'), OneHotEncoder(handle_unknown='ignore'))"
COLUMNS = f"ColumnTransformer([('n', {SCALED}, {NUMBERS}), ('t', {ENCODED}, {TEXTS})])"
for name, model in (("LogisticRegression", "LogisticRegression()"),
                    ("RandomForestClassifier", "RandomForestClassifier(5, max_depth=4, random_state=0)"),
                    ("GradientBoostingClassifier", "GradientBoostingClassifier(n_estimators=5)"),
                    ("HistGradientBoostingClassifier", "HistGradientBoostingClassifier(max_iter=5)"),
                    ("KNeighborsClassifier", "KNeighborsClassifier(3)"), ("SVC", "SVC()"), ("MLPClassifier",
                     "MLPClassifier((5,), max_iter=20, random_state=0)")):
    add(f"Pipeline/people/{name}", f"make_pipeline({COLUMNS}, {model})", "people")
    add(f"Pipeline/people/constant/{name}", f"make_pipeline(ColumnTransformer([('n', {SCALED}, {NUMBERS}), "
        f"('t', {MISSING}, {TEXTS})], sparse_threshold=0), {model})", "people")
for name, model in (("Ridge", "Ridge()"), ("RandomForestRegressor", "RandomForestRegressor(5, max_depth=4, random_state=0)")):
    add(f"Pipeline/priced/{name}", f"make_pipeline({COLUMNS}, {model})", "priced")
    add(f"TransformedTargetRegressor/priced/{name}", f"TransformedTargetRegressor(make_pipeline({COLUMNS}, {model}), func=np.log1p, "
        "inverse_func=np.expm1)", "priced")
add("ColumnTransformer", COLUMNS, "people")
add("ColumnTransformer/passthrough", f"ColumnTransformer([('t', {ENCODED}, {TEXTS})], remainder='passthrough')", "people")
add("ColumnTransformer/passthrough imputed", f"make_pipeline(ColumnTransformer([('t', {ENCODED}, {TEXTS})], "
    "remainder='passthrough'), SimpleImputer(), LogisticRegression(max_iter=20))", "people")
add("ColumnTransformer/remainder", f"ColumnTransformer([('t', {ENCODED}, {TEXTS})], remainder={SCALED})", "people")
add("ColumnTransformer/selector", f"ColumnTransformer([('n', {SCALED}, make_column_selector(dtype_include='number')), "
    f"('t', {ENCODED}, make_column_selector(dtype_exclude='number'))])", "people")
add("ColumnTransformer/pattern", f"ColumnTransformer([('n', {SCALED}, make_column_selector('ag|pri')), ('t', {ENCODED}, "
    "make_column_selector('ci'))])", "people")
for name, of in (("index", "[0, 4]"), ("negative", "[-1, 0]"), ("slice", "slice(0, 2)"),
                 ("names", "slice('age', 'rooms')"), ("mask", "[True, True, False, False, True]")):
    add(f"ColumnTransformer/{name}", f"ColumnTransformer([('n', {SCALED}, {of}), ('t', {ENCODED}, ['city'])])", "people")
add("ColumnTransformer/one", f"ColumnTransformer([('n', 'passthrough', ['price']), ('d', 'drop', ['age']), ('t', {ENCODED}, "
    "['kind'])])", "people")
add("ColumnTransformer/twice", "ColumnTransformer([('a', StandardScaler(), ['rooms', 'price']), ('b', MinMaxScaler(), ['rooms']), "
    "('c', OneHotEncoder(handle_unknown='ignore'), ['rooms', 'kind'])])", "people")
add("ColumnTransformer/weights", f"ColumnTransformer([('n', {SCALED}, {NUMBERS}), ('t', {ENCODED}, {TEXTS})], "
    "transformer_weights={'n': 2.5, 't': 0.5})", "people")
add("ColumnTransformer/short names", f"ColumnTransformer([('n', {SCALED}, {NUMBERS}), ('t', {ENCODED}, {TEXTS})], "
    "verbose_feature_names_out=False)", "people")
add("ColumnTransformer/empty", f"ColumnTransformer([('n', {SCALED}, {NUMBERS}), ('t', {ENCODED}, [])])", "people")
add("ColumnTransformer/ordinal", f"make_pipeline(ColumnTransformer([('n', 'passthrough', {NUMBERS}), ('t', "
    f"OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1), {TEXTS})]), "
    "HistGradientBoostingClassifier(max_iter=4))", "people")
add("ColumnTransformer/target", f"make_pipeline(ColumnTransformer([('n', {SCALED}, {NUMBERS}), ('t', TargetEncoder(), {TEXTS})]), "
    "LogisticRegression())", "people")
add("ColumnTransformer/nested", f"ColumnTransformer([('a', ColumnTransformer([('n', {SCALED}, {NUMBERS}), ('t', {ENCODED}, "
    f"['city'])]), ['age', 'price', 'city']), ('b', {ENCODED}, ['kind'])])", "people")
add("ColumnTransformer/pandas", "make_pipeline(ColumnTransformer([('n', StandardScaler(), ['price', 'rooms']), ('t', "
    "OneHotEncoder(handle_unknown='ignore', sparse_output=False), ['kind'])]).set_output(transform='pandas'), "
    "LogisticRegression())", "people")
add("ColumnTransformer/pandas names", "make_pipeline(ColumnTransformer([('n', StandardScaler(), ['price', 'rooms']), ('t', "
    "OneHotEncoder(handle_unknown='ignore', sparse_output=False), ['kind'])]).set_output(transform='pandas'), "
    "ColumnTransformer([('again', MinMaxScaler(), ['n__rooms', 't__kind_a'])]), LogisticRegression())", "people")
add("ColumnTransformer/functions", "ColumnTransformer([('l', FunctionTransformer(np.log1p), ['price']), ('s', "
    "FunctionTransformer(np.sqrt), ['rooms'])])", "table")
add("ColumnTransformer/truth", "make_pipeline(ColumnTransformer([('n', StandardScaler(), ['age']), ('p', 'passthrough', "
    "['old', 'rooms'])]), LogisticRegression())", "truth")
add("ColumnTransformer/matrix", "ColumnTransformer([('a', StandardScaler(), [0, 2]), ('b', MinMaxScaler(), slice(1, 4))])")
add("Pipeline/frame/StandardScaler", "make_pipeline(StandardScaler(), LogisticRegression())", "plain numbers")
add("GridSearchCV", f"GridSearchCV(make_pipeline({COLUMNS}, LogisticRegression()), "
    "{'logisticregression__C': [0.1, 1]}, cv=2)", "people")
for name in ("HalvingGridSearchCV", "HalvingRandomSearchCV"):
    add(name, f"{name}(LogisticRegression(), {{'C': [0.1, 1, 3]}}, cv=2, random_state=0)", "named")
add("RandomizedSearchCV", "RandomizedSearchCV(Ridge(), {'alpha': [0.1, 1]}, n_iter=2, cv=2)", "numbers")
add("GridSearchCV/forest", "GridSearchCV(RandomForestClassifier(3, random_state=0), {'max_depth': [2, 3]}, cv=2)", "named")
add("Pipeline/nothing", "Pipeline([('a', 'passthrough'), ('b', StandardScaler()), ('c', None)])", methods=("transform",))
add("Pipeline/nested", "make_pipeline(make_pipeline(StandardScaler(), PCA(2)), make_pipeline(PolynomialFeatures(), "
    "LogisticRegression()))")
add("FeatureUnion", "make_union(StandardScaler(), PCA(2))")
add("FeatureUnion/weights", "FeatureUnion([('a', StandardScaler()), ('b', PCA(2)), ('c', 'drop'), ('d', 'passthrough')], "
    "transformer_weights={'a': 2, 'b': 0.25})")
add("FeatureUnion/texts", "make_union(OneHotEncoder(handle_unknown='ignore'), OrdinalEncoder(handle_unknown="
    "'use_encoded_value', unknown_value=-1))", "texts to encode")
for name, scaler in (("StandardScaler", "StandardScaler()"), ("MinMaxScaler", "MinMaxScaler()"),
                     ("PowerTransformer", "PowerTransformer()"), ("RobustScaler", "RobustScaler()"),
                     ("QuantileTransformer", "QuantileTransformer(n_quantiles=20)"),
                     ("box-cox", "PowerTransformer('box-cox')"), ("pipeline", "make_pipeline(MinMaxScaler(), StandardScaler())")):
    add(f"TransformedTargetRegressor/{name}", f"TransformedTargetRegressor(Ridge(), transformer={scaler})",
        "positive" if name == "box-cox" else "numbers")
add("TransformedTargetRegressor/two", "TransformedTargetRegressor(LinearRegression(), transformer=StandardScaler())", "two numbers")
add("TransformedTargetRegressor/exp", "TransformedTargetRegressor(Ridge(), func=np.log, inverse_func=np.exp)", "positive")
add("TransformedTargetRegressor/none", "TransformedTargetRegressor(Ridge())", "numbers")
add("VotingClassifier/tables", f"VotingClassifier([('a', make_pipeline({COLUMNS}, LogisticRegression())), ('b', "
    f"make_pipeline({COLUMNS}, GaussianNB()))], voting='soft')".replace(ENCODED, ENCODED.replace(
        "ignore'", "ignore', sparse_output=False")), "people")
add("StackingClassifier/tables", f"StackingClassifier([('a', make_pipeline({COLUMNS}, LogisticRegression())), ('b', "
    f"make_pipeline({COLUMNS}, LinearSVC()))], cv=2)", "people")
add("Pipeline/people/float32", f"make_pipeline({COLUMNS}, LogisticRegression())", "people", inputs=("float32",), loose=1e-5)
