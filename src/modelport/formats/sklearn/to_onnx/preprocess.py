"""Scaling and encoding.  Sources: sklearn/preprocessing/_data.py, _encoders.py."""
from __future__ import annotations

from typing import Any

from ....codecs.pickle import Name
from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ..estimator import Estimator
from ..methods import like, matrix, method


@method("transform", "StandardScaler")
def standard_scaler(op: Builder, x: Any, e: Estimator) -> Value:
    x = matrix(op, x)
    if e.get("with_mean", True) and e.get("mean_") is not None:
        x = op.Sub(x, like(x, e.array("mean_")))
    if e.get("with_std", True) and e.get("scale_") is not None:
        x = op.Div(x, like(x, e.array("scale_")))
    return x


@method("inverse_transform", "StandardScaler")
def standard_unscaler(op: Builder, x: Any, e: Estimator) -> Value:
    x = matrix(op, x)
    if e.get("with_std", True) and e.get("scale_") is not None:
        x = op.Mul(x, like(x, e.array("scale_")))
    if e.get("with_mean", True) and e.get("mean_") is not None:
        x = op.Add(x, like(x, e.array("mean_")))
    return x


UNARY = {"log1p": lambda op, x: op.Log(op.Add(x, like(x, 1))), "expm1": lambda op, x: op.Sub(op.Exp(x), like(x, 1)),
         "log": lambda op, x: op.Log(x), "exp": lambda op, x: op.Exp(x), "sqrt": lambda op, x: op.Sqrt(x),
         "abs": lambda op, x: op.Abs(x), "absolute": lambda op, x: op.Abs(x), "square": lambda op, x: op.Mul(x, x)}


@method("transform", "FunctionTransformer")
def function_transformer(op: Builder, x: Any, e: Estimator) -> Any:
    """The functions of numpy that are known by name."""
    func = e.get("func")
    if func is None:
        return x
    if not isinstance(func, Name) or func.module.partition(".")[0] != "numpy" or func.name not in UNARY:
        raise Unsupported(f"{e.path}: the function {func}, whose code is not in the file")
    if e.get("kw_args"):
        raise Unsupported(f"{e.path}: arguments of {func}")
    return UNARY[func.name](op, matrix(op, x))
