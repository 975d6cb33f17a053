"""Arithmetic, comparisons, logic, bits, reductions, sums along an axis."""
from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ....ir.tensor import Array
from .table import OPS, Refused, bounded, op

_erf = np.vectorize(math.erf, otypes=[np.float64])
_erfc = np.vectorize(math.erfc, otypes=[np.float64])
_lgamma = np.vectorize(lambda x: math.inf if x == math.inf or (x <= 0 and x == math.floor(x)) else
                       math.lgamma(x) if x == x and abs(x) != math.inf else math.nan if x != x else math.inf,
                       otypes=[np.float64])


def _wide(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Computed in float64, then rounded."""
    return lambda x: np.asarray(f(np.asarray(x, np.float64)) if np.size(x) else np.zeros(np.shape(x))).astype(x.dtype)


def _half(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """bfloat16 and float16 are computed in float32, as the kernels do."""
    def g(x: Any) -> Any:
        return f(x.astype(np.float32)).astype(x.dtype) if x.dtype.itemsize == 2 and x.dtype.kind in "fV" else f(x)
    return g


def _one(x: Any, v: float) -> Any:
    return np.asarray(v, x.dtype)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def _softplus(x: Any) -> Any:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _ndtri(p: Any) -> Any:
    """The quantile of the normal distribution, by Newton steps on the error function from a rational start."""
    return np.sqrt(2) * _erfinv(2 * p - 1)


def _erfinv(y: Any) -> Any:
    """By Halley steps from Winitzki's approximation."""
    y = np.asarray(y, np.float64)
    a = 0.147
    ln = np.log1p(-y * y)
    t = 2 / (np.pi * a) + ln / 2
    x = np.sign(y) * np.sqrt(np.sqrt(t * t - ln / a) - t)
    for _ in range(3):
        e = _erf(x) - y
        d = 2 / np.sqrt(np.pi) * np.exp(-x * x)
        step = e / d
        x = x - np.where(d > 0, step / (1 + x * step), 0)
    x = np.where(y == 1, np.inf, np.where(y == -1, -np.inf, x))
    return np.where(np.abs(y) > 1, np.nan, x)


def _digamma(x: Any) -> Any:
    """Recurrence up to 10, then the asymptotic series; reflection for negative numbers."""
    x = np.asarray(x, np.float64)
    flip = x <= 0
    z = np.where(flip, 1 - x, x)
    total = np.zeros_like(z)
    for _ in range(10):
        small = z < 10
        total = np.where(small, total - 1 / np.where(small, z, 1), total)
        z = np.where(small, z + 1, z)
    i2 = 1 / (z * z)
    series = np.log(z) - 0.5 / z - i2 * (1 / 12 - i2 * (1 / 120 - i2 * (1 / 252 - i2 * (1 / 240 - i2 / 132))))
    out = total + series
    out = np.where(flip, out - np.pi / np.tan(np.pi * x), out)
    return np.where(flip & (x == np.floor(x)), np.nan, out)


UNARY: dict[str, Callable[[Any], Any]] = {
    "Abs": np.abs, "Neg": np.negative, "Exp": np.exp, "Expm1": np.expm1, "Log": np.log, "Log1p": np.log1p,
    "Sqrt": np.sqrt, "Rsqrt": lambda x: _one(x, 1) / np.sqrt(x), "Square": np.square, "Sin": np.sin, "Cos": np.cos,
    "Tan": np.tan, "Asin": np.arcsin, "Acos": np.arccos, "Atan": np.arctan, "Sinh": np.sinh, "Cosh": np.cosh,
    "Tanh": np.tanh, "Asinh": np.arcsinh, "Acosh": np.arccosh, "Atanh": np.arctanh, "Floor": np.floor,
    "Ceil": np.ceil, "Rint": np.rint, "Round": np.rint, "Sign": np.sign, "Sigmoid": _sigmoid, "Softplus": _softplus,
    "Softsign": lambda x: x / (1 + np.abs(x)), "Relu": lambda x: np.maximum(x, _one(x, 0)),
    "Relu6": lambda x: np.minimum(np.maximum(x, _one(x, 0)), _one(x, 6)),
    "Selu": lambda x: np.where(x > 0, _one(x, 1.0507009873554805) * x,
                               _one(x, 1.7580993408473766) * np.expm1(np.minimum(x, 0))).astype(x.dtype),
    "Elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))).astype(x.dtype),
    "Reciprocal": lambda x: _one(x, 1) / x, "Inv": lambda x: _one(x, 1) / x,
    "Erf": _wide(_erf), "Erfc": _wide(_erfc), "Lgamma": _wide(_lgamma), "Digamma": _wide(_digamma),
    "Erfinv": _wide(_erfinv), "Ndtri": _wide(_ndtri), "Conj": np.conj,
    "IsNan": np.isnan, "IsInf": np.isinf, "IsFinite": np.isfinite, "LogicalNot": np.logical_not,
    "Invert": np.invert, "OnesLike": np.ones_like,
    "ZerosLike": lambda x: np.full(x.shape, "", object) if x.dtype == object else np.zeros_like(x),
    "Identity": lambda x: x, "StopGradient": lambda x: x, "LogSoftmax": lambda x: _log_softmax(x),
    "Softmax": lambda x: _softmax(x)}
for _name, _f in UNARY.items():
    OPS[_name] = (lambda f: lambda x: f(x))(_half(_f))
for _name in ("Round", "Rint", "Floor", "Ceil"):
    OPS[_name] = (lambda f: lambda x: x if x.dtype.kind in "iu" else _half(f)(x))(UNARY[_name])


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(-1, keepdims=True, initial=-np.inf))
    return np.asarray(e / e.sum(-1, keepdims=True), x.dtype)


def _log_softmax(x: Array) -> Array:
    d = x - x.max(-1, keepdims=True, initial=-np.inf)
    return np.asarray(d - np.log(np.exp(d).sum(-1, keepdims=True)), x.dtype)


def _truncated(a: Array, b: Array) -> Array:
    """Division of integers towards zero."""
    if not np.all(b):
        raise Refused("a division of integers by zero")
    q = np.abs(a) // np.abs(b) if a.dtype.kind == "i" else a // b
    return np.asarray(np.where((a < 0) != (b < 0), -q, q) if a.dtype.kind == "i" else q, a.dtype)


def _div(a: Array, b: Array) -> Array:
    return a / b if a.dtype.kind in "fcV" else _truncated(a, b)


def _no_nan(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: np.where(b == 0, np.zeros((), a.dtype), f(a, b)).astype(a.dtype)


def _floor_div(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu" and not np.all(b):
        raise Refused("a division of integers by zero")
    return np.floor(a / b) if a.dtype.kind == "f" else a // b


def _floor_mod(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu" and not np.all(b):
        raise Refused("a division of integers by zero")
    if a.dtype.kind != "f":
        return np.mod(a, b)
    r = np.fmod(a, b)
    return np.where((r != 0) & ((b < 0) != (r < 0)), r + b, r).astype(a.dtype)


def _text(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    def g(a: Any, b: Any) -> Any:
        return np.asarray(f(a, b), bool) if a.dtype == object else f(a, b)
    return g


def _add(a: Array, b: Array) -> Array:
    return np.asarray(np.add(a, b), a.dtype)


def _shift(f: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda a, b: f(a, np.clip(b, 0, 8 * a.dtype.itemsize - 1)).astype(a.dtype)


def _pow(a: Array, b: Array) -> Array:
    if a.dtype.kind in "iu" and np.any(b < 0):
        raise Refused("a negative power of integers")
    return np.power(a, b)


BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "Add": _add, "AddV2": _add, "Sub": np.subtract, "Mul": np.multiply, "RealDiv": np.true_divide, "Div": _div,
    "DivNoNan": _no_nan(np.true_divide), "MulNoNan": lambda a, b: np.where(b == 0, np.zeros((), a.dtype), a * b),
    "Xdivy": lambda a, b: np.where(a == 0, np.zeros((), a.dtype), a / b),
    "Xlogy": lambda a, b: np.where(a == 0, np.zeros((), a.dtype), a * np.log(b)),
    "Xlog1py": lambda a, b: np.where(a == 0, np.zeros((), a.dtype), a * np.log1p(b)),
    "TruncateDiv": _truncated, "TruncateMod": np.fmod, "FloorDiv": _floor_div, "FloorMod": _floor_mod,
    "Mod": np.fmod, "Maximum": np.maximum, "Minimum": np.minimum, "Pow": _pow,
    "SquaredDifference": lambda a, b: np.square(a - b), "Atan2": np.arctan2, "NextAfter": np.nextafter,
    "Less": np.less, "LessEqual": np.less_equal, "Greater": np.greater, "GreaterEqual": np.greater_equal,
    "LogicalAnd": np.logical_and, "LogicalOr": np.logical_or, "BitwiseAnd": np.bitwise_and,
    "BitwiseOr": np.bitwise_or, "BitwiseXor": np.bitwise_xor, "LeftShift": _shift(np.left_shift),
    "RightShift": _shift(np.right_shift)}
for _name, _g in BINARY.items():
    OPS[_name] = (lambda f: lambda a, b: f(a, b))(_g)


@op("Equal", "ApproximateEqual")
def equal(a: Array, b: Array, *, incompatible_shape_error: bool = True, tolerance: float | None = None) -> Any:
    if tolerance is not None:
        return np.abs(a - b) < np.asarray(tolerance, a.dtype)
    return np.asarray(np.equal(a, b), bool)


@op("NotEqual")
def not_equal(a: Array, b: Array, *, incompatible_shape_error: bool = True) -> Any:
    return np.asarray(np.not_equal(a, b), bool)


@op("ApproximateEqual")
def approximately(a: Array, b: Array, *, tolerance: float = 1e-5) -> Any:
    return np.abs(a - b) < np.asarray(tolerance, a.dtype)


@op("LeakyRelu")
def leaky_relu(x: Array, *, alpha: float = 0.2) -> Any:
    return np.where(x > 0, x, x * np.asarray(alpha, x.dtype))


@op("BiasAdd", "BiasAddV1")
def bias_add(x: Array, b: Array, *, data_format: str = "NHWC") -> Any:
    return x + (b.reshape((-1,) + (1,) * (x.ndim - 2)) if data_format.startswith("NC") else b)


@op("AddN", "AccumulateNV2")
def add_n(*values: Array, shape: Any = None) -> Any:
    out = values[0]
    for v in values[1:]:
        out = out + v
    return out


@op("Cast")
def cast(x: Array, *, DstT: Any, Truncate: bool = False) -> Any:
    to = np.dtype(DstT)
    if x.dtype.kind == "c" and to.kind != "c":
        x = x.real
    if Truncate:
        raise Refused("a cast that truncates")
    return x != 0 if to.kind == "b" else x.astype(to)


@op("Bitcast")
def bitcast(x: Array, *, type: Any) -> Any:
    to = np.dtype(type)
    x = np.ascontiguousarray(x).reshape(x.shape)  # of a scalar it would be a list
    if to.itemsize == x.dtype.itemsize:
        return x.view(to)
    if to.itemsize < x.dtype.itemsize:
        return x.reshape(*x.shape, 1).view(to)
    return x.view(to).reshape(x.shape[:-1])


@op("ClipByValue")
def clip(x: Array, low: Array, high: Array) -> Any:
    return np.minimum(np.maximum(x, low), high)


@op("Select", "SelectV2")
def select(c: Array, a: Array, b: Array) -> Any:
    return np.where(c, a, b)


@op("Select")
def select_rows(c: Array, a: Array, b: Array) -> Any:
    if c.ndim == 1 and a.ndim > 1:
        c = c.reshape((-1,) + (1,) * (a.ndim - 1))
    return np.where(c, a, b)


@op("L2Loss")
def l2_loss(x: Array) -> Any:
    return np.asarray((x * x).sum() / 2, x.dtype)


@op("Complex")
def complex_(a: Array, b: Array, *, Tout: Any = np.complex64) -> Any:
    return (a + 1j * b).astype(Tout)


@op("Real")
def real(x: Array, *, Tout: Any = None) -> Any:
    return x.real


@op("Imag")
def imag(x: Array, *, Tout: Any = None) -> Any:
    return x.imag


@op("ComplexAbs")
def complex_abs(x: Array, *, Tout: Any = None) -> Any:
    return np.abs(x)


@op("Angle")
def angle(x: Array, *, Tout: Any = None) -> Any:
    return np.angle(x)


def _axes(x: Array, axes: Array) -> tuple[int, ...]:
    return tuple(int(a) % x.ndim for a in np.ravel(axes)) if x.ndim else ()


def _reduced(f: Callable[..., Any]) -> Callable[..., Any]:
    def rule(x: Array, axes: Array, *, keep_dims: bool = False) -> Any:
        return np.asarray(f(x, axis=_axes(x, axes), keepdims=keep_dims)).astype(x.dtype)
    return rule


def _mean(x: Array, axis: Any, keepdims: bool) -> Any:
    if x.dtype.kind in "iu":
        n = math.prod(x.shape[a] for a in axis)
        return _truncated(x.sum(axis=axis, keepdims=keepdims, dtype=x.dtype), np.asarray(n, x.dtype))
    return np.mean(x, axis=axis, keepdims=keepdims, dtype=np.float32 if x.dtype.itemsize == 2 else None)


def _limit(x: Array, top: bool) -> Any:
    if x.dtype.kind in "iu":
        info = np.iinfo(x.dtype)
        return info.max if top else info.min
    return np.inf if top else -np.inf


OPS["Sum"] = _reduced(lambda x, axis, keepdims: x.sum(axis=axis, keepdims=keepdims, dtype=x.dtype))
OPS["Prod"] = _reduced(lambda x, axis, keepdims: x.prod(axis=axis, keepdims=keepdims, dtype=x.dtype))
OPS["Mean"] = _reduced(_mean)
OPS["Max"] = _reduced(lambda x, axis, keepdims: x.max(axis=axis, keepdims=keepdims, initial=_limit(x, False)))
OPS["Min"] = _reduced(lambda x, axis, keepdims: x.min(axis=axis, keepdims=keepdims, initial=_limit(x, True)))
OPS["All"] = _reduced(np.all)
OPS["Any"] = _reduced(np.any)
OPS["EuclideanNorm"] = _reduced(lambda x, axis, keepdims: np.sqrt((np.abs(x) ** 2).sum(axis=axis, keepdims=keepdims)))


@op("ArgMax")
def arg_max(x: Array, axis: Array, *, output_type: Any = np.int64) -> Any:
    return np.argmax(x, int(axis)).astype(output_type)


@op("ArgMin")
def arg_min(x: Array, axis: Array, *, output_type: Any = np.int64) -> Any:
    return np.argmin(x, int(axis)).astype(output_type)


def _cumulated(f: Any, start: int) -> Callable[..., Any]:
    def rule(x: Array, axis: Array, *, exclusive: bool = False, reverse: bool = False) -> Any:
        a = int(axis) % max(x.ndim, 1)
        y = np.flip(x, a) if reverse else x
        made = f(y, axis=a, dtype=x.dtype)
        if exclusive:
            first = np.full_like(np.take(made, [0] if made.shape[a] else [], a), start)
            made = np.concatenate([first, np.delete(made, -1, a)], a) if made.shape[a] else made
        return np.flip(made, a) if reverse else made
    return rule


OPS["Cumsum"], OPS["Cumprod"] = _cumulated(np.cumsum, 0), _cumulated(np.cumprod, 1)


@op("CumulativeLogsumexp")
def cumulative_logsumexp(x: Array, axis: Array, *, exclusive: bool = False, reverse: bool = False) -> Any:
    a = int(axis)
    y = np.flip(x, a) if reverse else x
    made = np.logaddexp.accumulate(y, a)
    if exclusive:
        low = np.asarray(np.finfo(x.dtype).min, x.dtype)
        made = np.concatenate([np.full_like(np.take(made, [0], a), low), np.delete(made, -1, a)], a)
    return np.flip(made, a) if reverse else made


@op("Bucketize")
def bucketize(x: Array, *, boundaries: Any) -> Any:
    return np.searchsorted(np.asarray(boundaries, np.float32), x, side="right").astype(np.int32)


@op("Range")
def range_(start: Array, limit: Array, delta: Array) -> Any:
    if delta == 0:
        raise Refused("a range in steps of zero")
    n = max(0, math.ceil((float(limit) - float(start)) / float(delta))) if start.dtype.kind == "f" else \
        max(0, -((int(start) - int(limit)) // int(delta)))
    bounded([n])
    return (start + np.arange(n, dtype=start.dtype) * delta).astype(start.dtype)


@op("LinSpace")
def lin_space(start: Array, stop: Array, num: Array) -> Any:
    n = int(num)
    bounded([n])
    if n == 1:
        return np.asarray([start])
    step = (stop - start) / np.asarray(n - 1, start.dtype)
    made = start + step * np.arange(n, dtype=start.dtype)
    made[-1] = stop
    return made.astype(start.dtype)


@op("LogicalXor")
def logical_xor(a: Array, b: Array) -> Any:
    return np.logical_xor(a, b)


@op("Bincount")
def bincount(x: Array, size: Array, weights: Array) -> Any:
    n = bounded([size])[0]
    flat = x.ravel()
    keep = (flat >= 0) & (flat < n)
    w = weights.ravel()[keep] if weights.size else np.ones(keep.sum(), weights.dtype)
    out = np.zeros(n, weights.dtype)
    np.add.at(out, flat[keep], w)
    return out


@op("DenseBincount")
def dense_bincount(x: Array, size: Array, weights: Array, *, binary_output: bool = False) -> Any:
    n = bounded([size])[0]
    rows = x.reshape(1, -1) if x.ndim == 1 else x
    w = weights.reshape(rows.shape) if weights.size else np.ones(rows.shape, weights.dtype)
    out = np.zeros((len(rows), n), weights.dtype)
    for k, row in enumerate(rows):
        keep = (row >= 0) & (row < n)
        if binary_output:
            out[k, row[keep]] = 1
        else:
            np.add.at(out[k], row[keep], w[k][keep])
    return out[0] if x.ndim == 1 else out


@op("RaggedBincount")
def ragged_bincount(splits: Array, x: Array, size: Array, weights: Array, *, binary_output: bool = False) -> Any:
    n = bounded([size])[0]
    w = weights.ravel() if weights.size else np.ones(x.shape, weights.dtype)
    out = np.zeros((len(splits) - 1, n), weights.dtype)
    for k, (start, end) in enumerate(pairwise(splits.tolist())):
        row, keep = x[start:end], x[start:end] < n
        if binary_output:
            out[k, row[keep]] = 1
        else:
            np.add.at(out[k], row[keep], w[start:end][keep])
    return out


@op("HistogramFixedWidth")
def histogram(x: Array, value_range: Array, bins: Array, *, dtype: Any = np.int32) -> Any:
    low, high = (float(v) for v in value_range)
    n = bounded([bins])[0]
    at = np.clip(np.floor((x.ravel().astype(np.float64) - low) / (high - low) * n), 0, n - 1).astype(np.int64)
    return np.bincount(at, minlength=n).astype(dtype)


@op("SoftmaxCrossEntropyWithLogits")
def cross_entropy(logits: Array, labels: Array) -> Any:
    log = _log_softmax(logits)
    return (-(labels * log).sum(-1)).astype(logits.dtype), (np.exp(log) - labels).astype(logits.dtype)


@op("SparseSoftmaxCrossEntropyWithLogits")
def sparse_cross_entropy(logits: Array, labels: Array) -> Any:
    log = _log_softmax(logits)
    hot = np.eye(logits.shape[-1], dtype=logits.dtype)[labels]
    return (-(hot * log).sum(-1)).astype(logits.dtype), (np.exp(log) - hot).astype(logits.dtype)


@op("CompareAndBitpack")
def compare_and_bitpack(x: Array, threshold: Array, *, T: Any = None) -> Any:
    bits = x if x.dtype == bool else x > threshold
    return np.packbits(bits.reshape(*x.shape[:-1], -1, 8), axis=-1)[..., 0]
