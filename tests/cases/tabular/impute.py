"""Missing values."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import DATA, Family, missing, table

FAMILY = Family("impute")
add = FAMILY.add


def few() -> Any:
    """Numbers that are missing, in a feature always, in another never."""
    x, y = missing()
    x, y = x[:40].copy(), y[:40]
    x[:, 1] = np.nan
    x[:, 3] = np.where(np.isnan(x[:, 3]), np.arange(40) / 64, x[:, 3])
    return x, y


def some() -> Any:
    x, y = missing()
    more = np.full((3, 4), np.nan)
    more[1, 2] = 0.25
    return x[:40], y[:40], more


def marked() -> Any:
    x, y = some()[:2]
    return np.where(np.isnan(x), -1, x), y


def whole() -> Any:
    rng = np.random.default_rng(1)
    return rng.integers(-1, 4, (40, 3)), rng.integers(0, 2, 40)


def words(marker: Any) -> Any:
    frame, y = table()
    x = frame[["city", "kind"]].to_numpy(object)[:40].copy()
    x[::5, 0] = marker
    x[::7, 1] = marker
    return x, y[:40]


DATA.update({"few missing": few, "some missing": some, "marked": marked, "whole missing": whole,
             "no word": lambda: words(None),
             "NaN for words": lambda: words(np.nan), "? for words": lambda: words("?")})
for strategy in ("mean", "median", "most_frequent", "constant"):
    for more in ("", ", add_indicator=True", ", keep_empty_features=True"):
        for data in ("few missing", "some missing"):
            add(f"SimpleImputer/{strategy}{more.partition('=')[0].replace('_features', '')}/{data}", f"SimpleImputer(strategy='{strategy}'{more})", data)
    add(f"SimpleImputer/{strategy}/marked", f"SimpleImputer(missing_values=-1, strategy='{strategy}')", "marked")
add("SimpleImputer/filled", "SimpleImputer(strategy='constant', fill_value=-3.5)", "some missing")
add("SimpleImputer/whole", "SimpleImputer(missing_values=-1, strategy='most_frequent')", "whole missing")
for strategy in ("most_frequent", "constant"):
    add(f"SimpleImputer/{strategy}/None", f"SimpleImputer(missing_values=None, strategy='{strategy}')", "no word")
    add(f"SimpleImputer/{strategy}/NaN", f"SimpleImputer(strategy='{strategy}')", "NaN for words")
    add(f"SimpleImputer/{strategy}/?", f"SimpleImputer(missing_values='?', strategy='{strategy}', fill_value='none')",
        "? for words")
add("SimpleImputer/encoded", "make_pipeline(SimpleImputer(strategy='most_frequent'), OneHotEncoder())", "NaN for words")
for features in ("all", "missing-only"):
    for data in ("few missing", "some missing"):
        add(f"MissingIndicator/{features}/{data}", f"MissingIndicator(features='{features}', error_on_new=False)", data)
add("MissingIndicator/marked", "MissingIndicator(missing_values=-1)", "marked", near=True)
add("MissingIndicator/words", "MissingIndicator(missing_values=None, features='all')", "no word")
for weights in ("uniform", "distance"):
    for data in ("few missing", "some missing"):
        add(f"KNNImputer/{weights}/{data}", f"KNNImputer(n_neighbors=3, weights='{weights}')", data)
add("KNNImputer/one", "KNNImputer(n_neighbors=1, add_indicator=True)", "some missing")
add("KNNImputer/many", "KNNImputer(n_neighbors=100, keep_empty_features=True)", "few missing")
add("KNNImputer/marked", "KNNImputer(missing_values=-1)", "marked")
for model in ("", "LinearRegression(), ", "Ridge(), ", "DecisionTreeRegressor(max_depth=3), ",
              "KNeighborsRegressor(3), "):
    for data in ("few missing", "some missing"):
        add(f"IterativeImputer/{model.partition('(')[0]}/{data}", f"IterativeImputer({model}max_iter=4, random_state=0)", data)
add("IterativeImputer/limits", "IterativeImputer(max_iter=3, min_value=-0.5, max_value=[1, 2, 3, 4])", "some missing")
add("IterativeImputer/indicator", "IterativeImputer(max_iter=3, add_indicator=True, initial_strategy='median')",
    "some missing")
add("IterativeImputer/nearest", "IterativeImputer(max_iter=2, n_nearest_features=2, random_state=0, "
    "imputation_order='random')", "some missing")
add("IterativeImputer/kept", "IterativeImputer(max_iter=2, keep_empty_features=True)", "few missing")
add("IterativeImputer/drawn", "IterativeImputer(max_iter=2, sample_posterior=True)", "some missing")
