"""Tensors made of nothing.  Source: aten/src/ATen/native/TensorFactories.cpp."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder
from ....ir.types import DType
from ...reading import cast
from ..elements import of_any
from ..machine import aten
from ..values import F32, F64, I64, Sym, affordable, ints, kind, known, result_type, tensor, whole


def filled(op: Builder, size: Any, value: Any, dtype: DType) -> Value:
    shape, one = ints(op, size), tensor(op, value, dtype)
    if shape.data is not None and one.data is not None:
        sizes = tuple(int(n) for n in shape.numpy())
        if np.prod(sizes) <= 1 << 16:
            return constant(np.broadcast_to(one.numpy().reshape(()), sizes).copy())
    made: Value = op.Expand(op.Reshape(one, np.array([], np.int64)), shape)
    return made


@aten("full")
def full(op: Builder, size: Any, fill_value: Any, dtype: Any = None, names: Any = None) -> Any:
    return filled(op, size, fill_value, of_any(dtype) or kind(known(fill_value)))


@aten("zeros", "empty", "empty_permuted", "empty_strided")
def zeros(op: Builder, size: Any, *layout: Any, dtype: Any = None, **named: Any) -> Any:
    return filled(op, size, 0, of_any(dtype) or F32)


@aten("ones")
def ones(op: Builder, size: Any, dtype: Any = None) -> Any:
    return filled(op, size, 1, of_any(dtype) or F32)


@aten("new_zeros", "new_empty")
def new_zeros(op: Builder, self: Value, size: Any, dtype: Any = None) -> Any:
    return filled(op, size, 0, of_any(dtype) or self.dtype)


@aten("new_ones")
def new_ones(op: Builder, self: Value, size: Any, dtype: Any = None) -> Any:
    return filled(op, size, 1, of_any(dtype) or self.dtype)


@aten("new_full")
def new_full(op: Builder, self: Value, size: Any, fill_value: Any, dtype: Any = None) -> Any:
    return filled(op, size, fill_value, of_any(dtype) or self.dtype)


def _like(op: Builder, x: Value, value: Any, dtype: Any) -> Value:
    to = of_any(dtype) or x.dtype
    if x.type.static:
        return filled(op, list(x.shape or ()), value, to)
    made: Value = op.Expand(tensor(op, value, to), op.Shape(x))
    return made


@aten("full_like")
def full_like(op: Builder, self: Value, fill_value: Any, dtype: Any = None) -> Any:
    return _like(op, self, fill_value, dtype)


@aten("zeros_like", "empty_like")
def zeros_like(op: Builder, self: Value, dtype: Any = None) -> Any:
    return _like(op, self, 0, dtype)


@aten("ones_like")
def ones_like(op: Builder, self: Value, dtype: Any = None) -> Any:
    return _like(op, self, 1, dtype)


@aten("fill")
def fill(op: Builder, self: Value, value: Any) -> Any:
    return _like(op, self, value, None)


@aten("zero")
def zero(op: Builder, self: Value) -> Any:
    return _like(op, self, 0, None)


@aten("copy")
def copy(op: Builder, self: Value, src: Any, non_blocking: bool = False) -> Any:
    """``src`` in the element type and shape of ``self``."""
    made = tensor(op, src, self.dtype)
    if made.shape != self.shape or not self.type.static:
        made = op.Expand(made, op.Shape(self))
    return made


@aten("clone", "detach", "contiguous", "alias", "lift_fresh", "lift_fresh_copy", "lift", "detach_copy", "alias_copy",
      "requires_grad", "cpu", "cuda", "prims.device_put", "resolve_conj", "resolve_neg", "conj", "_conj",
      "conj_physical", "_conj_physical")
def same(op: Builder, self: Any, *how: Any, memory_format: Any = None) -> Any:
    return tensor(op, self)


@aten("scalar_tensor", "tensor", "prims.scalar_tensor", "as_tensor", "new_tensor")
def scalar_tensor(op: Builder, s: Any, dtype: Any = None, requires_grad: bool = False) -> Any:
    to = of_any(dtype)
    if isinstance(s, (list, tuple)):
        flat = np.array([known(v) for v in s]) if s else np.zeros(0, np.float32)
        if flat.dtype == object:
            return cast(op, ints(op, s), to or I64)
        return constant(flat.astype(to or (np.float32 if flat.dtype == F64 else flat.dtype)))
    return tensor(op, s, to)


@aten("arange", "arange.start", "arange.start_step")
def arange(op: Builder, *numbers: Any, dtype: Any = None, end: Any = None, start: Any = 0, step: Any = 1) -> Any:
    given = list(numbers)
    if len(given) == 1 and end is None:
        end = given[0]
    elif given:
        start, end, step = [*given, *[start, end, step][len(given):]][:3] if len(given) < 3 else given
    start, end, step = known(start), known(end), known(step)
    to = of_any(dtype) or (I64 if all(kind(v).kind == "i" for v in (start, end, step)) else F32)
    if not any(isinstance(v, Sym) for v in (start, end, step)):
        affordable(int(abs((end - start) / step)) + 1)
        count: Any = np.arange
        return constant(count(start, end, step, I64 if to.kind == "i" else F64).astype(to))
    inner = to if to in (I64, np.dtype(np.int32), F32, F64) else result_type(start, end, step)
    made: Value = op.Range(tensor(op, start, inner), tensor(op, end, inner), tensor(op, step, inner))
    return cast(op, made, to)


@aten("linspace")
def linspace(op: Builder, start: Any, end: Any, steps: Any, dtype: Any = None) -> Any:
    """From both ends to the middle, as the kernel does (linspace in RangeFactories.cpp)."""
    to, count = of_any(dtype) or F32, whole(steps, "steps")
    a, b = known(start), known(end)
    if isinstance(a, Sym) or isinstance(b, Sym):
        raise Unsupported("linspace between numbers that are known at run time only")
    a, b = np.asarray(a, to), np.asarray(b, to)
    gap = (b - a) / np.asarray(max(count - 1, 1), to)
    affordable(count)
    i = np.arange(count)
    with np.errstate(all="ignore"):
        made = np.where(i < count // 2, a + (gap * i.astype(to)), b - gap * (count - 1 - i).astype(to))
    return constant(made.astype(to) if count > 1 else np.full(count, a, to))


@aten("eye", "eye.m")
def eye(op: Builder, n: Any, m: Any = None, dtype: Any = None) -> Any:
    rows = known(n)
    columns = rows if m is None else known(m)
    to = of_any(dtype) or F32
    if isinstance(rows, Sym) or isinstance(columns, Sym):
        like = op.Expand(np.zeros((), np.float32), ints(op, [rows, columns]))
        return cast(op, op.EyeLike(like), to)
    affordable(rows, columns)
    return constant(np.eye(rows, columns).astype(to))


@aten("tril_indices")
def tril_indices(op: Builder, row: Any, col: Any, offset: int = 0, dtype: Any = None) -> Any:
    affordable(whole(row), whole(col), 2)
    return constant(np.stack(np.tril_indices(whole(row), offset, whole(col))).astype(of_any(dtype) or I64))


@aten("triu_indices")
def triu_indices(op: Builder, row: Any, col: Any, offset: int = 0, dtype: Any = None) -> Any:
    affordable(whole(row), whole(col), 2)
    return constant(np.stack(np.triu_indices(whole(row), offset, whole(col))).astype(of_any(dtype) or I64))


def _window(name: str, a: float, b: float) -> None:
    @aten(name, f"{name}.periodic")
    def rule(op: Builder, window_length: Any, periodic: bool = True, dtype: Any = None) -> Any:
        n = whole(window_length, "the length of a window")
        affordable(n)
        turns = 2 * np.pi * np.arange(n) / max(n if periodic else n - 1, 1)
        return constant((a - b * np.cos(turns)).astype(of_any(dtype) or F32))


_window("hann_window", 0.5, 0.5)
_window("hamming_window", 0.54, 0.46)


@aten("rand", "randn", "randint", "rand_like", "randn_like", "bernoulli", "multinomial", "randperm", "normal",
      "uniform")
def random(op: Builder, *args: Any, **named: Any) -> Any:
    raise Unsupported("a number drawn by chance: PyTorch's generator is its own")
