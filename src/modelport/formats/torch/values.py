"""What the rules for ATen's operators are given and make: values of the hub, Python's numbers, and numbers that only
a run of the model knows (:class:`Sym`); and how PyTorch makes one element type of several.

Source: the documentation of torch.result_type, and c10/core/ScalarType.h (promoteTypes)."""
from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

from ...codecs.limits import DEFAULT
from ...errors import Unsupported
from ...ir.graph import Value, constant
from ...ir.rules import Builder
from ...ir.types import DType, Type, is_float
from ..reading import cast

F32, F64, I64, BOOL = (np.dtype(t) for t in (np.float32, np.float64, np.int64, np.bool_))
BF16 = np.dtype(ml_dtypes.bfloat16)


@dataclass(frozen=True, eq=False)
class Sym:
    """A number of Python that only a run of the model knows: a size, most often.  ``value`` has no axes."""

    value: Value

    @property
    def dtype(self) -> DType:
        return self.value.dtype


@dataclass(frozen=True, eq=False)
class _OfReal:
    """A tensor that is said by one of real numbers, of the same shape, and by more."""

    real: Value

    @property
    def shape(self) -> Any:
        return self.real.shape

    @property
    def rank(self) -> int | None:
        return self.real.rank


@dataclass(frozen=True, eq=False)
class Complex(_OfReal):
    """A tensor of complex numbers: ONNX has none, so it is two of reals."""

    imag: Value

    @property
    def dtype(self) -> DType:
        return np.dtype(np.complex128 if self.real.dtype == F64 else np.complex64)

    @property
    def type(self) -> Type:
        return Type(self.dtype, self.real.shape)


@dataclass(frozen=True, eq=False)
class Quantized(_OfReal):
    """A quantized tensor: ``real`` is what its whole numbers of the type ``stored`` stand for, with one scale and zero
    point for all of it or, of weights, one for each part along ``axis``."""

    scale: Value
    zero: Value
    stored: DType
    axis: int | None = None

    @property
    def dtype(self) -> DType:
        return self.real.dtype

    @property
    def type(self) -> Type:
        return self.real.type


def parted(x: Value) -> Value | Complex:
    """A constant of complex numbers as two."""
    if x.dtype.kind != "c":
        return x
    if x.data is None:
        raise Unsupported("complex numbers given from outside")
    a = x.numpy()
    return Complex(constant(np.ascontiguousarray(a.real)), constant(np.ascontiguousarray(a.imag)))


def paired(op: Builder, x: Complex) -> Value:
    """Both parts side by side along a new last axis, as view_as_real has them."""
    last = constant(np.array([-1]))
    made: Value = op.Concat(op.Unsqueeze(x.real, last), op.Unsqueeze(x.imag, last), axis=-1)
    return made


Number = bool | int | float | complex | Sym


def is_number(x: Any) -> bool:
    return isinstance(x, (bool, int, float, complex, Sym))


def known(x: Any) -> Any:
    """A :class:`Sym` as a number of Python where it is known after all."""
    if isinstance(x, Sym):
        if x.value.data is not None:
            return x.value.numpy().reshape(-1)[0].item()
        found = x.value.elements
        if found is not None and len(found) == 1 and isinstance(found[0], int):
            return bool(found[0]) if x.dtype == BOOL else found[0]
    return x


def kind(x: Any) -> DType:
    """The element type of a tensor, or the one that PyTorch gives to a number."""
    if isinstance(x, (Value, Sym)):
        return x.dtype
    return BOOL if isinstance(x, bool) else I64 if isinstance(x, int) else F32


def category(d: DType) -> int:
    """Truth values, integers, reals, complex numbers, in this order."""
    return 0 if d == BOOL else 2 if is_float(d) else 3 if d.kind == "c" else 1


def result_type(*xs: Any) -> DType:
    """The element type of what several tensors and numbers make together: tensors without axes, and after them
    numbers, count only if they are of a higher category."""
    best: DType | None = None
    for group in ([x for x in xs if isinstance(x, Value) and x.rank != 0],
                  [x for x in xs if isinstance(x, Value) and x.rank == 0],
                  [x for x in xs if is_number(x)]):
        own: DType | None = None
        for x in group:
            own = kind(x) if own is None else both(own, kind(x))
        if own is not None and (best is None or category(own) > category(best)):
            best = own if best is None or isinstance(group[0], Value) or not is_float(own) else F32
    if best is None:
        raise Unsupported("neither a tensor nor a number")
    return best


def both(a: DType, b: DType) -> DType:
    """promoteTypes: the least type that holds both."""
    if a == b:
        return a
    if category(a) != category(b):
        return a if category(a) > category(b) else b
    if BF16 in (a, b):
        other = b if a == BF16 else a
        return F32 if other == np.float16 else other
    if category(a) == 1 and a.kind != b.kind:  # uint8 with a signed type
        u, i = (a, b) if a.kind == "u" else (b, a)
        return np.dtype(np.int16) if i.itemsize <= u.itemsize == 1 else i
    return a if a.itemsize >= b.itemsize else b


def tensor(op: Builder, x: Any, dtype: DType | None = None) -> Value:
    """A tensor or number as a value, in the element type asked for."""
    if isinstance(x, Value):
        return x if dtype is None else cast(op, x, dtype)
    if isinstance(x, Sym):
        return tensor(op, x.value, dtype)
    if isinstance(x, complex):
        raise Unsupported("complex numbers")
    if not is_number(x):
        raise Unsupported(f"a {type(x).__name__} where a tensor is meant")
    return constant(np.asarray(x).astype(kind(x) if dtype is None else dtype))


def promoted(op: Builder, *xs: Any, real: bool = False) -> list[Value]:
    """All in their common element type; with ``real`` integers become float32."""
    to = result_type(*xs)
    if real and not is_float(to):
        to = F32
    return [tensor(op, x, to) for x in xs]


def real(op: Builder, x: Value) -> Value:
    """Integers and truth values as float32, as PyTorch's functions of reals take them."""
    return x if is_float(x.dtype) else cast(op, x, F32)


def ints(op: Builder, xs: Any) -> Value:
    """A list of sizes, some of them known at run time only, as a vector of int64."""
    xs = [known(x) for x in (xs if isinstance(xs, (list, tuple)) else [xs])]
    if all(isinstance(x, int) for x in xs):
        return constant(np.array(xs, np.int64))
    made: Value = op.Concat(*(op.Reshape(cast(op, x.value, I64), np.array([1])) if isinstance(x, Sym)
                              else np.array([_whole(x)], np.int64) for x in xs), axis=0)
    return made


def _whole(x: Any) -> int:
    if not isinstance(x, int):
        raise Unsupported(f"a {type(x).__name__} where a whole number is meant")
    return x


def whole(x: Any, what: str = "a number") -> int:
    """A whole number that the translation has to know."""
    x = known(x)
    if isinstance(x, (int, float)) and int(x) == x:
        return int(x)
    raise Unsupported(f"{what} is known at run time only" if isinstance(x, Sym) else f"{what} is {type(x).__name__}")


def wholes(xs: Any, count: int | None = None, what: str = "a list of sizes") -> list[int]:
    """Whole numbers that the translation has to know; one for all of ``count``, if there is one only."""
    found = [whole(x, what) for x in (xs if isinstance(xs, (list, tuple)) else [xs])]
    if count is not None and len(found) == 1:
        found *= count
    if count is not None and len(found) != count:
        raise Unsupported(f"{what} has {len(found)} numbers, not {count}")
    return found


def affordable(*sizes: int) -> None:
    """Raises :class:`LimitExceeded` where a constant of so many numbers, which a file only names, is too large to
    make."""
    DEFAULT.check("fold_bytes", 8 * math.prod(max(n, 0) for n in sizes))


def size(op: Builder, x: Value, axis: int) -> int | Sym:
    """One size of a tensor."""
    axis = axis_of(x, axis)
    assert x.shape is not None
    d = x.shape[axis]
    if isinstance(d, int):
        return d
    return Sym(op.Squeeze(op.Shape(x, start=axis, end=axis + 1), np.array([0])))


def rank(x: Value) -> int:
    if x.rank is None:
        raise Unsupported("a tensor whose number of axes is not known")
    return x.rank


def axis_of(x: Value, axis: Any, more: int = 0) -> int:
    """``axis`` counted from the front; a tensor without axes counts as one of one axis.  ``more``: axes to be added."""
    n = max(rank(x) + more, 1)
    axis = whole(axis, "an axis")
    if not -n <= axis < n:
        raise Unsupported(f"axis {axis} of {rank(x)}")
    return axis % n


def axes_of(x: Value, axes: Any) -> list[int]:
    """Several axes from the front; all of them for none."""
    if axes is None or (isinstance(axes, (list, tuple)) and not axes):
        return list(range(rank(x)))
    return [axis_of(x, a) for a in (axes if isinstance(axes, (list, tuple)) else [axes])]


def sizes(op: Builder, x: Value) -> Sequence[int | Sym]:
    return [size(op, x, a) for a in range(rank(x))]
