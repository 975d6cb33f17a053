"""Old forms of operators that work element by element."""
from __future__ import annotations

import numpy as np
from onnx import TensorProto

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DTYPE
from .table import below

Ints = tuple[int, ...]
FLOAT32_MAX = float(np.finfo(np.float32).max)


@below(6, "Abs", "Ceil", "Exp", "Floor", "Log", "Max", "Mean", "Min", "Neg", "Reciprocal", "Relu", "Sigmoid", "Sqrt",
       "Sum", "Tanh")
def without_consumed_inputs(op: Builder, *x: Value, consumed_inputs: Ints = ()) -> Value:
    """``consumed_inputs`` allowed computing in place and never changed a result."""
    assert op.node is not None
    made: Value = op.add(op.node.op, *x)
    return made


@below(6, "Elu")
def elu(op: Builder, x: Value, *, alpha: float = 1.0, consumed_inputs: Ints = ()) -> Value:
    made: Value = op.Elu(x, alpha=alpha)
    return made


@below(6, "LeakyRelu")
def leaky_relu(op: Builder, x: Value, *, alpha: float = 0.01, consumed_inputs: Ints = ()) -> Value:
    made: Value = op.LeakyRelu(x, alpha=alpha)
    return made


@below(6, "HardSigmoid")
def hard_sigmoid(op: Builder, x: Value, *, alpha: float = 0.2, beta: float = 0.5, consumed_inputs: Ints = ()) -> Value:
    made: Value = op.HardSigmoid(x, alpha=alpha, beta=beta)
    return made


@below(6, "Selu")
def selu(op: Builder, x: Value, *, alpha: float = 1.6732, gamma: float = 1.0507, consumed_inputs: Ints = ()) -> Value:
    """The defaults had four digits."""
    made: Value = op.Selu(x, alpha=alpha, gamma=gamma)
    return made


@below(6, "Add", "Sub", "Mul", "Div")
@below(7, "Add", "Sub", "Mul", "Div", "And", "Or", "Xor", "Equal", "Greater", "Less", "Pow")
def one_sided_broadcast(op: Builder, a: Value, b: Value, *, broadcast: int = 0, axis: int | None = None,
                        consumed_inputs: Ints = ()) -> Value:
    """``b`` is stretched to the shape of ``a``, its dimensions matching those of ``a`` from ``axis`` on (default: the
    last ones), where ``broadcast`` says so."""
    assert op.node is not None
    if broadcast and axis is not None and b.type.size != 1:
        if a.rank is None or b.rank is None:
            raise Unsupported("broadcasting along an axis with unknown ranks")
        after = a.rank - (axis % a.rank if a.rank else 0) - b.rank
        if after < 0:
            raise Unsupported(f"{b.type} does not fit into {a.type} at axis {axis}")
        if after:
            b = op.Unsqueeze(b, np.arange(b.rank, b.rank + after))
    made: Value = op.add(op.node.op, a, b)
    return made


@below(6, "PRelu")
@below(7, "PRelu")
def prelu(op: Builder, x: Value, slope: Value, *, consumed_inputs: Ints = ()) -> Value:
    """A slope of one dimension is one for each channel."""
    if slope.rank == 1 and slope.type.size != 1:
        if x.rank is None:
            raise Unsupported("a slope for each channel of a value of unknown rank")
        if x.rank > 2:
            slope = op.Unsqueeze(slope, np.arange(1, x.rank - 1))
    made: Value = op.PRelu(x, slope)
    return made


@below(6, "Clip")
def clip_1(op: Builder, x: Value, *, min: float | None = None, max: float | None = None,
           consumed_inputs: Ints = ()) -> Value:
    made: Value = op.Clip(x, _scalar(min, x), _scalar(max, x))
    return made


@below(11, "Clip")
def clip_6(op: Builder, x: Value, *, min: float = -FLOAT32_MAX, max: float = FLOAT32_MAX) -> Value:
    """The bounds were attributes; absent ones still bring infinities to the largest float."""
    made: Value = op.Clip(x, _scalar(min, x), _scalar(max, x))
    return made


def _scalar(number: float | None, like: Value) -> Value | None:
    if number is None:
        return None
    with np.errstate(over="ignore"):
        return constant(np.array(number, np.float64).astype(like.dtype))


@below(6, "Cast")
def cast(op: Builder, x: Value, *, to: str) -> Value:
    """The type was named, not numbered."""
    number = dict(TensorProto.DataType.items()).get(to.upper()) if isinstance(to, str) else to
    if number not in DTYPE:
        raise Unsupported(f"cast to '{to}'")
    made: Value = op.Cast(x, to=number)
    return made


@below(10, "Affine")
def affine(op: Builder, x: Value, *, alpha: float = 1.0, beta: float = 0.0) -> Value:
    """``alpha * x + beta`` (experimental, operator sets 1 to 9)."""
    made: Value = op.Add(op.Mul(x, _scalar(alpha, x)), _scalar(beta, x))
    return made


@below(10, "Scale")
def scale(op: Builder, x: Value, *, scale: float = 1.0) -> Value:
    made: Value = op.Mul(x, _scalar(scale, x))
    return made


@below(10, "ScaledTanh")
def scaled_tanh(op: Builder, x: Value, *, alpha: float, beta: float) -> Value:
    """``alpha * tanh(beta * x)`` (experimental)."""
    made: Value = op.Mul(op.Tanh(op.Mul(x, _scalar(beta, x))), _scalar(alpha, x))
    return made


@below(10, "ParametricSoftplus")
def parametric_softplus(op: Builder, x: Value, *, alpha: float, beta: float) -> Value:
    """``alpha * ln(exp(beta * x) + 1)`` (experimental)."""
    made: Value = op.Mul(op.Softplus(op.Mul(x, _scalar(beta, x))), _scalar(alpha, x))
    return made


@below(10, "ThresholdedRelu")
def thresholded_relu(op: Builder, x: Value, *, alpha: float = 1.0) -> Value:
    made: Value = op.ThresholdedRelu(x, alpha=alpha)
    return made


@below(10, "ImageScaler")
def image_scaler(op: Builder, x: Value, *, scale: float = 1.0, bias: tuple[float, ...] = ()) -> Value:
    """``scale * x`` plus a bias for each channel of NCHW (experimental)."""
    y = op.Mul(x, _scalar(scale, x))
    made: Value = op.Add(y, np.array(bias, x.dtype).reshape(-1, 1, 1)) if bias else y
    return made
