"""Scaling, bending and expanding of numbers."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import DATA, Family, classes, named, numbers, positive

FAMILY = Family("preprocess")
add = FAMILY.add


def crossed() -> Any:
    """A feature of constants, one of few values, one of huge and one of tiny numbers; and rows of nothing."""
    x, y = numbers()
    x, y = x[:24].copy(), y[:24]
    x[:, 0], x[:, 1] = 3, np.round(x[:, 1])
    x[:, 2] *= 1e9
    x[:, 3] *= 1e-9
    return x, y, np.zeros((2, 4))


def above_zero() -> Any:
    """Asked about numbers above zero only."""
    x, y = positive()
    return np.abs(x) + 0.01, y


def kernel() -> Any:
    x, y = classes()
    return x[:20] @ x[:20].T, y[:20]


def in_unit() -> Any:
    x, y = classes()
    return np.abs(np.sin(x)) / 1.01 + 0.001, y


def many() -> Any:
    rng = np.random.default_rng(2)
    x = np.round(rng.lognormal(size=(150, 2)), 2)
    return x, x[:, 0], np.array([[0.0, 1e9], [-5.0, 1.0], [np.nan, 0.5], [1e300, -1e300]])


def edges() -> Any:
    """Bins whose edges are asked about, and their neighbours."""
    x = np.tile(np.arange(11.0)[:, None], (3, 3)) / 10
    near = np.concatenate([np.nextafter(x, 9), np.nextafter(x, -9), x + 1e-9, x - 1e-9])
    return x, x[:, 0], near


def few() -> Any:
    x, y = classes(width=3)
    return x[:24], y[:24]


DATA.update({"few": few, "crossed": crossed, "above zero": above_zero, "kernel": kernel, "in unit": in_unit, "many": many,
             "edges": edges,
             "few holes": lambda: (np.where(np.abs(few()[0]) > 1, np.nan, few()[0]), few()[1])})
for data in ("few", "crossed", "few holes"):
    for name in ("StandardScaler()", "StandardScaler(with_mean=False)", "StandardScaler(with_std=False)",
                 "MinMaxScaler()", "MinMaxScaler((-2, 3), clip=True)", "MaxAbsScaler()", "RobustScaler()",
                 "RobustScaler(with_centering=False)", "RobustScaler(with_scaling=False, quantile_range=(5, 60))",
                 "RobustScaler(unit_variance=True)"):
        add(named(name, data), name, data)
for data in ("few", "crossed"):
    for name in ("Normalizer()", "Normalizer('l1')", "Normalizer('max')", "Binarizer()", "Binarizer(threshold=0.5)",
                 "PolynomialFeatures()", "PolynomialFeatures(3)", "PolynomialFeatures((2, 3), interaction_only=True)",
                 "PolynomialFeatures(2, interaction_only=True, include_bias=False)", "PolynomialFeatures(4, interaction_only=True)",
                 "PowerTransformer()", "PowerTransformer(standardize=False)", "QuantileTransformer(n_quantiles=12)",
                 "QuantileTransformer(n_quantiles=12, output_distribution='normal')", "QuantileTransformer(n_quantiles=20)",
                 "QuantileTransformer(n_quantiles=20, output_distribution='normal')"):
        if data == "few" or "Power" not in name:
            add(named(name, data), name, data)
for name in ("PowerTransformer('box-cox')", "PowerTransformer('box-cox', standardize=False)"):
    add(named(name), name, "above zero", near=True)
for name in ("QuantileTransformer(n_quantiles=150)", "QuantileTransformer(n_quantiles=100, output_distribution='normal')"):
    add(named(name, "many"), name, "many")
add("PowerTransformer/missing", "PowerTransformer()", "missing")
add("QuantileTransformer/missing", "QuantileTransformer(n_quantiles=20)", "missing")
add("KernelCenterer", "KernelCenterer()", "kernel")
for how in ("ordinal", "onehot-dense", "onehot"):
    for strategy in ("uniform", "quantile", "kmeans"):
        add(f"KBinsDiscretizer/{how}/{strategy}", f"KBinsDiscretizer(4, encode='{how}', strategy='{strategy}')", "few")
    add(f"KBinsDiscretizer/{how}/edges", f"KBinsDiscretizer(5, encode='{how}', strategy='uniform')", "edges")
add("KBinsDiscretizer/many", "KBinsDiscretizer(40, encode='ordinal', strategy='uniform')")
add("KBinsDiscretizer/float32", "KBinsDiscretizer([2, 3, 4, 5], encode='ordinal', dtype=np.float32)")
for how in ("constant", "linear", "continue", "periodic"):
    for degree in (1, 2, 3):
        add(f"SplineTransformer/{how}/{degree}", f"SplineTransformer(degree={degree}, extrapolation='{how}')", "few")
    add(f"SplineTransformer/{how}/quantile", f"SplineTransformer(6, extrapolation='{how}', knots='quantile')", "few")
    add(f"SplineTransformer/{how}/no bias", f"SplineTransformer(extrapolation='{how}', include_bias=False)", "few")
add("SplineTransformer/0", "SplineTransformer(degree=0, extrapolation='periodic')", "few")
add("SplineTransformer/linear/0", "SplineTransformer(degree=0, extrapolation='linear')", "few")
add("SplineTransformer/zeros", "SplineTransformer(handle_missing='zeros')", "few holes")
for f in ("log1p", "exp", "expm1", "sinh", "cosh", "tanh", "arcsinh", "cbrt", "exp2", "abs", "square", "negative", "sign",
          "floor", "ceil", "rint", "trunc", "sin", "cos", "deg2rad", "isnan", "isfinite", "nan_to_num"):
    add(f"FunctionTransformer/{f}", f"FunctionTransformer(np.{f})", "above zero" if f == "log1p" else "few", near=f == "log1p")
for f in ("np.log", "np.sqrt", "np.log2", "np.log10", "np.reciprocal", "special.expit", "special.logit", "np.arctanh"):
    add(f"FunctionTransformer/{f}", f"FunctionTransformer({f})", "in unit", near=True)
add("FunctionTransformer/None", "FunctionTransformer()")
add("FunctionTransformer/clip", "FunctionTransformer(np.clip, kw_args={'a_min': -0.5, 'a_max': 1})")
add("FunctionTransformer/round", "FunctionTransformer(np.round, kw_args={'decimals': 1})")
add("FunctionTransformer/nan_to_num nan", "FunctionTransformer(np.nan_to_num, kw_args={'nan': 2.5})", "missing")
add("FunctionTransformer/unknown", "FunctionTransformer(np.cumsum, kw_args={'axis': 1})")
for output in ("uniform", "normal"):
    add(f"QuantileTransformer/sparse {output}", "make_pipeline(KBinsDiscretizer(3), QuantileTransformer(n_quantiles=9, "
        f"output_distribution='{output}'))", "numbers")
