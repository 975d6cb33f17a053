"""Complex numbers (:class:`Complex`), Fourier transforms and spectra.

Source: aten/src/ATen/native/ComplexHelper.h, SpectralOps.cpp; ONNX's DFT and STFT."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import Type
from ...reading import cast
from ..elements import of_any
from ..machine import aten
from ..values import F32, F64, Complex, axes_of, axis_of, ints, is_number, known, paired, rank, real, size, whole
from .create import zeros_like
from .math import add, atan2, mul, number, sub


def _both(op: Builder, x: Any) -> tuple[Any, Any]:
    """Both parts; a real has a second part of zeros."""
    if isinstance(x, Complex):
        return x.real, x.imag
    if isinstance(x, Value):
        x = real(op, x)
        return x, zeros_like(op, x)
    x = known(x)
    return (x.real, x.imag) if isinstance(x, complex) else (x, 0.0)



@aten("complex.add", "complex.add.Tensor")
def add_complex(op: Builder, self: Any, other: Any, alpha: Any = 1) -> Any:
    (a, b), (c, d) = _both(op, self), _both(op, other)
    return Complex(add(op, a, c, alpha), add(op, b, d, alpha))


@aten("complex.sub")
def sub_complex(op: Builder, self: Any, other: Any, alpha: Any = 1) -> Any:
    (a, b), (c, d) = _both(op, self), _both(op, other)
    return Complex(sub(op, a, c, alpha), sub(op, b, d, alpha))


@aten("complex.rsub")
def rsub_complex(op: Builder, self: Any, other: Any, alpha: Any = 1) -> Any:
    return sub_complex(op, other, self, alpha)


def _is_real(x: Any) -> bool:
    return isinstance(x, Value) or (is_number(x) and not isinstance(x, complex))


@aten("complex.mul")
def mul_complex(op: Builder, self: Any, other: Any) -> Any:
    if _is_real(self):
        self, other = other, self
    if _is_real(other):
        a, b = _both(op, self)
        return Complex(mul(op, a, other), mul(op, b, other))
    (a, b), (c, d) = _both(op, self), _both(op, other)
    return Complex(sub(op, mul(op, a, c), mul(op, b, d)), add(op, mul(op, a, d), mul(op, b, c)))


@aten("complex.div")
def div_complex(op: Builder, self: Any, other: Any, rounding_mode: Any = None) -> Any:
    from .math import div
    if _is_real(other):
        a, b = _both(op, self)
        return Complex(div(op, a, other), div(op, b, other))
    (a, b), (c, d) = _both(op, self), _both(op, other)
    length = add(op, mul(op, c, c), mul(op, d, d))
    return Complex(div(op, add(op, mul(op, a, c), mul(op, b, d)), length),
                   div(op, sub(op, mul(op, b, c), mul(op, a, d)), length))


@aten("complex.reciprocal")
def reciprocal_complex(op: Builder, self: Complex) -> Any:
    return div_complex(op, 1.0, self)


@aten("complex.pow")
def pow_complex(op: Builder, self: Any, exponent: Any) -> Any:
    n = known(exponent)
    if not isinstance(self, Complex) or not isinstance(n, (int, float)) or n != int(n) or not 1 <= n <= 8:
        raise Unsupported("such a power of complex numbers")
    made = self
    for _ in range(int(n) - 1):
        made = mul_complex(op, made, self)
    return made


@aten("complex.square")
def square_complex(op: Builder, self: Complex) -> Any:
    return mul_complex(op, self, self)


@aten("complex.abs", "complex.absolute")
def abs_complex(op: Builder, self: Complex) -> Any:
    """From the greater part, so that squares do not overflow."""
    a, b = op.Abs(self.real), op.Abs(self.imag)
    top = op.Max(a, b)
    safe = op.Where(op.Equal(top, number(top, 0)), number(top, 1), top)
    low = op.Div(op.Min(a, b), safe)
    made = op.Mul(top, op.Sqrt(op.Add(op.Mul(low, low), number(low, 1))))
    return op.Where(op.IsInf(top), top, made)


@aten("complex.angle")
def angle_complex(op: Builder, self: Complex) -> Any:
    return atan2(op, self.imag, self.real)


@aten("angle")
def angle(op: Builder, self: Value) -> Any:
    x = real(op, self)
    return op.Where(op.IsNaN(x), x, op.Where(op.Less(x, number(x, 0)), number(x, np.pi), number(x, 0)))


@aten("complex.conj", "complex._conj", "complex.conj_physical", "complex._conj_physical")
def conj_complex(op: Builder, self: Complex) -> Any:
    return Complex(self.real, op.Neg(self.imag))


@aten("complex.resolve_conj", "complex.resolve_neg")
def same_complex(op: Builder, self: Complex) -> Any:
    return self


@aten("complex.exp")
def exp_complex(op: Builder, self: Complex) -> Any:
    return polar(op, op.Exp(self.real), self.imag)


@aten("complex.log")
def log_complex(op: Builder, self: Complex) -> Any:
    return Complex(op.Log(abs_complex(op, self)), angle_complex(op, self))


@aten("complex.real")
def real_part(op: Builder, self: Complex) -> Any:
    return self.real


@aten("real")
def real_of_real(op: Builder, self: Value) -> Any:
    return self


@aten("complex.imag")
def imag_part(op: Builder, self: Complex) -> Any:
    return self.imag


@aten("complex.view_as_real", "complex.view_as_real_copy")
def view_as_real(op: Builder, self: Complex) -> Any:
    return paired(op, self)


@aten("view_as_complex", "view_as_complex_copy")
def view_as_complex(op: Builder, self: Value) -> Any:
    return _paired(op, self)


def _paired(op: Builder, x: Value) -> Complex:
    """Two reals along the last axis as one number."""
    return Complex(*(op.Gather(x, np.asarray(k), axis=rank(x) - 1) for k in range(2)))


@aten("polar")
def polar(op: Builder, abs: Value, angle: Value) -> Any:
    return Complex(op.Mul(abs, op.Cos(angle)), op.Mul(abs, op.Sin(angle)))


@aten("complex")
def complex_(op: Builder, real: Value, imag: Value) -> Any:
    zero = number(real, 0)
    if real.shape != imag.shape:
        real, imag = op.Add(real, op.Mul(imag, zero)), op.Add(imag, op.Mul(real, zero))
    return Complex(real, imag)


@aten("complex.to", "complex._to_copy")
def to_complex(op: Builder, self: Complex, *args: Any, dtype: Any = None, **where: Any) -> Any:
    wanted = of_any(dtype if dtype is not None else next(
        (a for a in args if isinstance(a, np.dtype) or (isinstance(a, int) and not isinstance(a, bool))), None))
    if wanted is None:
        return self
    if wanted.kind != "c":
        raise Unsupported("complex numbers made real")
    part = F64 if wanted.itemsize == 16 else F32
    return Complex(cast(op, self.real, part), cast(op, self.imag, part))


@aten("complex.eq")
def eq_complex(op: Builder, self: Any, other: Any) -> Any:
    (a, b), (c, d) = _both(op, self), _both(op, other)
    return op.And(aten["eq"](op, a, c), aten["eq"](op, b, d))


def _bilinear(name: str) -> None:
    @aten(f"complex.{name}")
    def rule(op: Builder, self: Any, other: Any) -> Any:
        (a, b), (c, d) = _both(op, self), _both(op, other)
        f = aten[name]
        return Complex(op.Sub(f(op, a, c), f(op, b, d)), op.Add(f(op, a, d), f(op, b, c)))


for _name in ("matmul", "mm", "bmm", "mv", "dot", "outer"):
    _bilinear(_name)


@aten("complex.einsum")
def einsum_complex(op: Builder, equation: str, tensors: list[Any], path: Any = None) -> Any:
    if len(tensors) != 2:
        raise Unsupported("einsum of complex numbers, not of two tensors")
    (a, b), (c, d) = (_both(op, t) for t in tensors)

    def f(*xs: Value) -> Any:
        return op.Einsum(*xs, equation=equation.replace(" ", ""))
    return Complex(op.Sub(f(a, c), f(b, d)), op.Add(f(a, d), f(b, c)))


# -- Fourier transforms


def _transformed(op: Builder, x: Any, axis: int, inverse: bool = False, onesided: bool = False) -> Complex:
    """One axis, without any factor: ONNX's inverse has 1 / n, which is taken out again."""
    wide = op.Unsqueeze(x, np.array([-1])) if isinstance(x, Value) else paired(op, x)
    y = op.DFT(wide, None, np.asarray(axis), inverse=int(inverse), onesided=int(onesided))
    if inverse:
        y = op.Mul(y, _count(op, x.real if isinstance(x, Complex) else x, axis))
    return _paired(op, y)


def _count(op: Builder, x: Value, axis: int) -> Any:
    n = size(op, x, axis)
    return number(x, n) if isinstance(n, int) else cast(op, n.value, x.dtype)


def _factored(op: Builder, x: Any, like: Value, axes: list[int], power: float) -> Any:
    """``x`` times the number of elements of ``axes`` to a power."""
    if not power:
        return x
    total: Any = None
    for a in axes:
        n = _count(op, like, a)
        total = n if total is None else total * n if not isinstance(total, Value) and not isinstance(n, Value) \
            else op.Mul(total, n)
    factor = op.Pow(total, number(like, power)) if isinstance(total, Value) else number(like, float(total) ** power)
    return Complex(op.Mul(x.real, factor), op.Mul(x.imag, factor)) if isinstance(x, Complex) else op.Mul(x, factor)


def _sized(op: Builder, x: Any, axis: int, n: Any) -> Any:
    """Cut, or filled up with zeros, to ``n`` elements."""
    if n is None:
        return x
    if isinstance(x, Complex):
        return Complex(_sized(op, x.real, axis, n), _sized(op, x.imag, axis, n))
    n, have = whole(n, "the size of a transform"), size(op, x, axis)
    if not isinstance(have, int):
        raise Unsupported("a transform of another size than its tensor's, which is known at run time only")
    if have > n:
        return op.Slice(x, np.array([0]), np.array([n]), np.array([axis]))
    pads = np.zeros(2 * rank(x), np.int64)
    pads[rank(x) + axis] = n - have
    return op.Pad(x, pads, number(x, 0)) if n > have else x


NORMS = {None: (0.0, -1.0), "backward": (0.0, -1.0), "ortho": (-0.5, -0.5), "forward": (-1.0, 0.0)}
"""The power of the number of elements that a transform, and its inverse, is multiplied with."""


def _fft(op: Builder, x: Any, axes: list[int], lengths: Any, norm: Any, inverse: bool) -> Any:
    x = real(op, x) if isinstance(x, Value) else x
    lengths = [None if n == -1 else n for n in (lengths or [None] * len(axes))]
    for a, n in zip(axes, lengths, strict=True):
        x = _sized(op, x, a, n)
    like = x.real if isinstance(x, Complex) else x
    for a in axes:
        x = _transformed(op, x, a, inverse)
    return _factored(op, x, like, axes, NORMS[norm][inverse])


def _rfft(op: Builder, x: Value, axes: list[int], lengths: Any, norm: Any) -> Any:
    x = real(op, x)
    lengths = lengths or [None] * len(axes)
    for a, n in zip(axes, lengths, strict=True):
        x = _sized(op, x, a, n)
    y: Any = _transformed(op, x, axes[-1], onesided=True)
    for a in axes[:-1]:
        y = _transformed(op, y, a)
    return _factored(op, y, x, axes, NORMS[norm][0])


def _irfft(op: Builder, x: Any, axes: list[int], lengths: Any, norm: Any) -> Any:
    """From the half that is kept; the other is its mirror image, conjugated."""
    x = x if isinstance(x, Complex) else Complex(x, zeros_like(op, x))
    lengths = list(lengths or [None] * len(axes))
    last = axes[-1]
    half = whole(size(op, x.real, last), "the size of a spectrum")
    n = 2 * (half - 1) if lengths[-1] in (None, -1) else whole(lengths[-1])
    for a, m in zip(axes[:-1], lengths[:-1], strict=True):
        x = _sized(op, x, a, m)
    for a in axes[:-1]:
        x = _transformed(op, x, a, True)
    x = _sized(op, x, last, n // 2 + 1)
    at = np.concatenate([np.arange(n // 2 + 1), n - np.arange(n // 2 + 1, n)])
    sign = np.where(np.arange(n) <= n // 2, 1, -1).astype(x.real.dtype)
    sign[0] = 0  # what is not real there is not looked at
    if n % 2 == 0:
        sign[n // 2] = 0
    shape = [n if a == last else 1 for a in range(rank(x.real))]
    full = Complex(op.Gather(x.real, at, axis=last),
                   op.Mul(op.Gather(x.imag, at, axis=last), constant(sign.reshape(shape))))
    y = _transformed(op, full, last, True).real
    return _factored(op, y, y, axes, NORMS[norm][1])


def _fourier(name: str, kind: Any, inverse: bool | None, axes: int | None) -> None:
    """``axes``: how many a function takes by default; ``None`` for all."""
    def made(op: Builder, self: Any, s: Any = None, dim: Any = None, norm: Any = None) -> Any:
        n = rank(self.real if isinstance(self, Complex) else self)
        if isinstance(s, int):
            s = [s]
        wanted = ([n - axes + k for k in range(axes)] if axes else list(range(n))[-len(s):] if s else list(range(n))) \
            if dim is None else axes_of(self.real if isinstance(self, Complex) else self, dim)
        return kind(op, self, wanted, s, norm) if inverse is None else kind(op, self, wanted, s, norm, inverse)

    def one(op: Builder, self: Any, n: Any = None, dim: Any = -1, norm: Any = None) -> Any:
        return made(op, self, None if n is None else [n], [dim], norm)
    rule = one if axes == 1 else made
    aten(f"fft_{name}", f"complex.fft_{name}")(rule)


for _suffix, _axes in (("", 1), ("2", 2), ("n", None)):
    _fourier(f"fft{_suffix}", _fft, False, _axes)
    _fourier(f"ifft{_suffix}", _fft, True, _axes)
    _fourier(f"rfft{_suffix}", _rfft, None, _axes)
    _fourier(f"irfft{_suffix}", _irfft, None, _axes)

POWERS = {0: 0.0, 1: -0.5, 2: -1.0}
"""Of fft_norm_mode: none, by the root of n, by n."""


@aten("_fft_r2c")
def fft_r2c(op: Builder, self: Value, dim: list[int], normalization: int, onesided: bool) -> Any:
    axes = [axis_of(self, d) for d in dim]
    y = _rfft(op, self, axes, None, None) if onesided else _fft(op, self, axes, None, None, False)
    return _factored(op, y, self, axes, POWERS[normalization])


@aten("_fft_c2c", "complex._fft_c2c")
def fft_c2c(op: Builder, self: Complex, dim: list[int], normalization: int, forward: bool) -> Any:
    axes = [axis_of(self.real, d) for d in dim]
    y: Any = self
    for a in axes:
        y = _transformed(op, y, a, not forward)
    return _factored(op, y, self.real, axes, POWERS[normalization])


@aten("_fft_c2r", "complex._fft_c2r")
def fft_c2r(op: Builder, self: Complex, dim: list[int], normalization: int, last_dim_size: Any) -> Any:
    axes = [axis_of(self.real, d) for d in dim]
    y = _irfft(op, self, axes, [*[None] * (len(axes) - 1), last_dim_size], "forward")
    return _factored(op, y, y, axes, POWERS[normalization])


@aten("stft.center")
def stft(op: Builder, self: Value, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
         window: Value | None = None, center: Any = False, pad_mode: Any = "reflect", normalized: bool = False,
         onesided: bool | None = None, return_complex: bool | None = None, align_to_window: Any = None) -> Any:
    """(batch, bins, frames): ONNX's has frames before bins."""
    if align_to_window:
        raise Unsupported("align_to_window")
    x = op.Unsqueeze(self, np.array([0])) if rank(self) == 1 else self
    if center is True:
        from .shape import pad
        x = pad(op, x, [n_fft // 2, n_fft // 2], pad_mode)
    held = _window(op, x, n_fft, win_length, window)
    hop = n_fft // 4 if hop_length is None else hop_length
    one = True if onesided is None else bool(onesided)
    bins = n_fft // 2 + 1 if one else n_fft
    length = size(op, x, -1)
    frames = (length - n_fft) // hop + 1 if isinstance(length, int) else None
    y = op.add("STFT", op.Unsqueeze(x, np.array([-1])), np.asarray(hop), held, np.asarray(n_fft), onesided=int(one),
               type=Type(x.dtype, ((x.shape or (None,))[0], frames, bins, 2)))
    if normalized:
        y = op.Mul(y, number(x, n_fft ** -0.5))
    y = op.Transpose(y, perm=[0, 2, 1, 3])
    y = op.Squeeze(y, np.array([0])) if rank(self) == 1 else y
    return y if return_complex is False else _paired(op, y)


@aten("stft")
def stft_plain(op: Builder, self: Value, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
                window: Value | None = None, normalized: bool = False, onesided: bool | None = None,
                return_complex: bool | None = None, align_to_window: Any = None) -> Any:
    return stft(op, self, n_fft, hop_length, win_length, window, False, "reflect", normalized, onesided,
                return_complex, align_to_window)


def _window(op: Builder, x: Value, n_fft: int, win_length: int | None, window: Value | None) -> Value:
    """The window, in the middle of ``n_fft`` numbers."""
    length = n_fft if win_length is None else win_length
    w = constant(np.ones(length, x.dtype)) if window is None else window
    before = (n_fft - length) // 2
    if n_fft == length:
        return w
    made: Value = op.Pad(w, np.array([before, n_fft - length - before]), number(x, 0))
    return made


@aten("complex.istft")
def istft(op: Builder, self: Complex, n_fft: int, hop_length: int | None = None, win_length: int | None = None,
          window: Value | None = None, center: bool = True, normalized: bool = False, onesided: bool | None = None,
          length: Any = None, return_complex: bool = False) -> Any:
    """Frames added where they overlap, over the sum of their squared windows."""
    if return_complex or onesided is False:
        raise Unsupported("istft of complex sounds")
    alone = rank(self.real) == 2
    x = Complex(*(op.Unsqueeze(v, np.array([0])) for v in (self.real, self.imag))) if alone else self
    hop = n_fft // 4 if hop_length is None else hop_length
    frames = size(op, x.real, 2)
    w = _window(op, x.real, n_fft, win_length, window)
    rows = _irfft(op, x, [1], [n_fft], "ortho" if normalized else None)
    rows = op.Mul(rows, op.Unsqueeze(w, np.array([1])))
    full = aten["py.add"](op, aten["py.mul"](op, frames, hop), n_fft - hop)
    shape = ints(op, [1, full])

    def added(v: Value) -> Value:
        made: Value = op.Col2Im(v, shape, np.array([1, n_fft]), strides=[1, hop])
        return made
    y = op.Squeeze(added(rows), np.array([1, 2]))
    squares = op.Expand(op.Unsqueeze(op.Mul(w, w), np.array([0, 2])), ints(op, [1, n_fft, frames]))
    under = op.Squeeze(added(squares), np.array([1, 2]))
    begin = n_fft // 2 if center else 0
    end = begin + whole(length) if length is not None else aten["py.sub"](op, full, begin)
    if isinstance(full, int) and end > full:
        raise Unsupported("istft of more sound than there are frames of")
    y, under = (op.Slice(v, np.array([begin]), ints(op, [end]), np.array([1])) for v in (y, under))
    y = op.Div(y, under)
    return op.Squeeze(y, np.array([0])) if alone else y
