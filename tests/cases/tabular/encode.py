"""Encoders of categories."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import DATA, Family, numbers, strings, table

FAMILY = Family("encode")
add = FAMILY.add


def texts() -> Any:
    """Columns of texts, asked about others too."""
    x, y = strings()
    return x, y, np.array([["Paris", "a"], ["Oslo", "z"], ["", ""], ["oslo", "A"]], object)


def rare() -> Any:
    rng = np.random.default_rng(3)
    a = np.array(list("aaaaaaabbbbbbccccdefg"), object)[rng.integers(0, 21, 90)]
    b = np.array(["x", "yy", "z", "\u00e9t\u00e9"], object)[rng.integers(0, 4, 90)]
    return np.stack([a, b], 1), rng.integers(0, 3, 90), np.array([["q", "x"], ["a", "q"], ["", "z"]], object)


def whole() -> Any:
    rng = np.random.default_rng(5)
    return rng.integers(-2, 4, (60, 3)), rng.integers(0, 2, 60), np.array([[9, 0, 0], [0, -7, 1], [3, 3, 3]])


def reals() -> Any:
    rng = np.random.default_rng(5)
    x = np.array([0.1, 0.5, -3.25, 1e10])[rng.integers(0, 4, (60, 2))]
    return x, rng.normal(size=60), np.array([[np.nextafter(0.1, 1), 0.5], [np.nan, -3.25], [0.0, 0.1]])


def holes() -> Any:
    x, y, more = reals()
    x = x.copy()
    x[::7, 0] = np.nan
    return x, y, more


def gaps(marker: Any) -> Any:
    x, y, more = texts()
    x, more = x.copy(), more.copy()
    x[::5, 0] = marker
    more[2] = [marker, "a"]
    return x, y, more


def lists() -> Any:
    """Rows of up to five texts, filled up with empty ones."""
    rng = np.random.default_rng(8)
    words = np.array(["red", "green", "blue", "a b", "Caf\u00e9", "x\ty\nz", "\u0436\u0438", "a", "longer than twenty bytes?", ""], object)
    x = words[rng.integers(0, 10, (40, 5))]
    x[:3] = ""
    return x, rng.integers(0, 2, 40)


def dictionaries() -> Any:
    """A table whose rows are made dictionaries, without the keys whose texts are empty; some of them unseen."""
    x, y = table()
    x = x.copy()
    x.loc[::6, "city"] = ""
    more = x.iloc[:3].copy()
    more["kind"] = ["unseen", "", "a"]
    return x, y, more


def frame() -> Any:
    x, y = table()
    more = x.iloc[:3].copy()
    more["city"] = ["Nowhere", "Rom", ""]
    more["rooms"] = [99, 1, 2]
    return x[["city", "rooms", "kind"]], y, more[["city", "rooms", "kind"]]


def targeted(kind: str) -> Any:
    x, _, more = rare()
    return x, {"numbers": numbers()[1], "two": rare()[1] % 2, "three": rare()[1],
               "words": np.array(["no", "si"])[rare()[1] % 2]}[kind], more


DATA.update({
    "texts to encode": texts, "rare": rare, "whole": whole, "reals": reals, "holes": holes,
    "words to encode": lambda: (np.array(list("abcacb"), object), np.arange(6)),
    "wholes to encode": lambda: (np.array([3, -2, 0, 1]), np.arange(4)),
    "lists": lists, "lists of integers": lambda: (np.random.default_rng(4).integers(-3, 9, (30, 4)), np.arange(30) % 2),
    "dictionaries": dictionaries,
    "dictionaries of texts": lambda: (dictionaries()[0][["city", "kind"]], dictionaries()[1]),
    "yes or no": lambda: (np.array(["no", "yes", "yes", "no"], object), np.arange(4)),
    "None": lambda: gaps(None), "NaN": lambda: gaps(np.nan), "frame": frame, **{f"target {k}": (lambda k=k: targeted(k)) for k in
                                                    ("numbers", "two", "three", "words")}})
KNOWN = "strings"
for data in ("texts to encode", "rare", "whole", "reals", "holes", "None", "NaN", "frame"):
    add(f"OneHotEncoder/ignore/{data}", "OneHotEncoder(handle_unknown='ignore')", data)
    add(f"OrdinalEncoder/{data}", "OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=-1)", data)
    add(f"OrdinalEncoder/NaN unknown/{data}",
        "OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=np.nan, encoded_missing_value=-2)", data)
    add(f"OneHotEncoder/infrequent/{data}",
        "OneHotEncoder(handle_unknown='infrequent_if_exist', min_frequency=12, sparse_output=False)", data)
    add(f"OneHotEncoder/most/{data}", "OneHotEncoder(handle_unknown='ignore', max_categories=3)", data)
    add(f"OneHotEncoder/first/{data}", "OneHotEncoder(drop='first', handle_unknown='ignore')", data)
    add(f"OneHotEncoder/if_binary/{data}", "OneHotEncoder(drop='if_binary', handle_unknown='ignore', dtype=np.float32)",
        data)
    add(f"OrdinalEncoder/infrequent/{data}",
        "OrdinalEncoder(handle_unknown='use_encoded_value', unknown_value=50, min_frequency=12)", data)
add("OneHotEncoder/error", "OneHotEncoder()", KNOWN)
add("OneHotEncoder/first infrequent", "OneHotEncoder(drop='first', min_frequency=10, "
    "handle_unknown='infrequent_if_exist')", "rare")
add("OneHotEncoder/drop those", "OneHotEncoder(drop=['Oslo', 'c'], handle_unknown='ignore')", "texts to encode")
add("OneHotEncoder/given", "OneHotEncoder(categories=[['Rom', 'Oslo', 'Lima'], ['d', 'c', 'b', 'a']])", KNOWN)
add("OneHotEncoder/given extra", "OneHotEncoder(categories=[['Rom', 'X', 'Oslo', 'Lima'], ['d', 'c', 'b', 'a']], "
    "handle_unknown='ignore', dtype=int)", "texts to encode")
add("OneHotEncoder/warn", "OneHotEncoder(handle_unknown='warn', min_frequency=8)", "rare")
add("OrdinalEncoder/error", "OrdinalEncoder(dtype=np.int64)", KNOWN)
add("OrdinalEncoder/int", "OrdinalEncoder(dtype=np.int32, handle_unknown='use_encoded_value', unknown_value=7)", "rare")
add("OrdinalEncoder/float32", "OrdinalEncoder(dtype=np.float32, handle_unknown='use_encoded_value', "
    "unknown_value=np.nan)", "rare")
for kind in ("numbers", "two", "three", "words"):
    add(f"TargetEncoder/{kind}", "TargetEncoder()", f"target {kind}")
add("TargetEncoder/smooth", "TargetEncoder(smooth=5.0)", "target numbers")
add("TargetEncoder/reals", "TargetEncoder()", "holes")
add("TargetEncoder/None", "TargetEncoder()", "None")
add("TargetEncoder/multiclass", "TargetEncoder(target_type='multiclass')", "target three")
for name in ("LabelEncoder", "LabelBinarizer"):
    for data, made in (("words to encode", "list('cab')"), ("wholes to encode", "[-2, -1, 0, 1, 2, 3]")):
        add(f"{name}/{data}", f"fitted({name}(), {made})", data)
add("LabelBinarizer/two", "fitted(LabelBinarizer(neg_label=-1, pos_label=2), ['yes', 'no'])", "yes or no")
add("MultiLabelBinarizer", "fitted(MultiLabelBinarizer(), [['red'], ['blue', 'green', 'red']])", "lists")
add("MultiLabelBinarizer/integers", "fitted(MultiLabelBinarizer(), [[3, 1], [7], [-2, 3]])", "lists of integers")
add("MultiLabelBinarizer/order", "fitted(MultiLabelBinarizer(classes=['red', 'blue', 'none']), [['red']])", "lists")
for more in ("", ", alternate_sign=False", ", dtype=np.float32"):
    add(f"FeatureHasher{more.replace(', ', '/')}", f"FeatureHasher(n_features=16, input_type='string'{more})", "lists")
add("FeatureHasher/dictionaries", "FeatureHasher(n_features=16)", "dictionaries")
add("Pipeline/FeatureHasher", "make_pipeline(FeatureHasher(input_type='string'), LogisticRegression())", "lists")
add("DictVectorizer", "DictVectorizer()", "dictionaries")
add("DictVectorizer/unsorted", "DictVectorizer(sort=False, sparse=False, separator=' is ', dtype=np.float32)", "dictionaries")
add("DictVectorizer/texts", "DictVectorizer()", "dictionaries of texts")
add("Pipeline/DictVectorizer", "make_pipeline(DictVectorizer(), LogisticRegression())", "dictionaries")
add("Pipeline/DictVectorizer/trees", "make_pipeline(DictVectorizer(), RandomForestClassifier(5, random_state=0))", "dictionaries")
