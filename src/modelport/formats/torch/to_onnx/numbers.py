"""Numbers of Python that flow through a program: sizes and what is calculated with them (``_operator``, ``math``)."""
from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import is_float
from ...reading import cast
from ..machine import aten
from ..values import BOOL, F64, I64, Sym, is_number, known, size, sizes, tensor


@aten("sym_size", "size")
def sym_size(op: Builder, self: Value, dim: Any = None) -> Any:
    return list(sizes(op, self)) if dim is None else size(op, self, dim)


@aten("sym_numel", "numel")
def sym_numel(op: Builder, self: Value) -> Any:
    return self.type.size if self.type.static else known(Sym(op.Size(self)))


@aten("sym_storage_offset", "storage_offset")
def storage_offset(op: Builder, self: Value) -> int:
    """Programs only assert that it is not below zero; what has another one is never taken by its strides."""
    return 0


@aten("dim")
def dim(op: Builder, self: Value) -> int:
    if self.rank is None:
        raise Unsupported("a tensor whose number of axes is not known")
    return self.rank


@aten("item", "_local_scalar_dense", "Int", "Float", "Bool", "IntImplicit", "FloatImplicit", "ScalarImplicit")
def item(op: Builder, self: Any) -> Any:
    if is_number(self):
        return self
    return known(Sym(op.Reshape(self, np.array([], np.int64)) if self.rank else self))


@aten("py.getitem", "__getitem__")
def getitem(op: Builder, self: Any, key: Any) -> Any:
    if not isinstance(self, (list, tuple)):
        raise Unsupported(f"a part of a {type(self).__name__}")
    return self[known(key)]


def _plain(x: Any) -> bool:
    return is_number(x) and not isinstance(x, Sym)


def _common(op: Builder, a: Any, b: Any) -> tuple[Value, Value]:
    a, b = tensor(op, a), tensor(op, b)
    to = F64 if is_float(a.dtype) or is_float(b.dtype) else I64
    return cast(op, a, to), cast(op, b, to)


def _binary(name: str, python: Callable[[Any, Any], Any], make: Callable[[Builder, Value, Value], Value]) -> None:
    @aten(f"py.{name}")
    def rule(op: Builder, a: Any, b: Any) -> Any:
        a, b = known(a), known(b)
        if _plain(a) and _plain(b):
            return python(a, b)
        if not (is_number(a) and is_number(b)):
            raise Unsupported(f"{name} of {type(a).__name__} and {type(b).__name__}")
        return known(Sym(make(op, *_common(op, a, b))))


def _floored(op: Builder, a: Value, b: Value) -> Value:
    """Division rounded down; a remainder of Python has the sign of the divisor."""
    out: Value = op.Floor(op.Div(a, b)) if is_float(a.dtype) else op.Div(op.Sub(a, op.Mod(a, b)), b)
    return out


_binary("add", operator.add, lambda op, a, b: op.Add(a, b))
_binary("sub", operator.sub, lambda op, a, b: op.Sub(a, b))
_binary("mul", operator.mul, lambda op, a, b: op.Mul(a, b))
_binary("floordiv", operator.floordiv, _floored)
_binary("truediv", operator.truediv, lambda op, a, b: op.Div(cast(op, a, F64), cast(op, b, F64)))
_binary("mod", operator.mod, lambda op, a, b: op.Mod(a, b))
_binary("pow", operator.pow, lambda op, a, b: op.Pow(a, b))
_binary("eq", operator.eq, lambda op, a, b: op.Equal(a, b))
_binary("ne", operator.ne, lambda op, a, b: op.Not(op.Equal(a, b)))
_binary("lt", operator.lt, lambda op, a, b: op.Less(a, b))
_binary("le", operator.le, lambda op, a, b: op.LessOrEqual(a, b))
_binary("gt", operator.gt, lambda op, a, b: op.Greater(a, b))
_binary("ge", operator.ge, lambda op, a, b: op.GreaterOrEqual(a, b))
_binary("sym_max", max, lambda op, a, b: op.Max(a, b))
_binary("sym_min", min, lambda op, a, b: op.Min(a, b))
_binary("max", max, lambda op, a, b: op.Max(a, b))
_binary("min", min, lambda op, a, b: op.Min(a, b))


@aten("py.and_")
def py_and(op: Builder, a: Any, b: Any) -> Any:
    a, b = known(a), known(b)
    return a & b if _plain(a) and _plain(b) else known(Sym(op.And(tensor(op, a, BOOL), tensor(op, b, BOOL))))


@aten("py.or_")
def py_or(op: Builder, a: Any, b: Any) -> Any:
    a, b = known(a), known(b)
    return a | b if _plain(a) and _plain(b) else known(Sym(op.Or(tensor(op, a, BOOL), tensor(op, b, BOOL))))


@aten("py.not_", "py.sym_not")
def py_not(op: Builder, a: Any) -> Any:
    a = known(a)
    return not a if _plain(a) else known(Sym(op.Not(tensor(op, a, BOOL))))


@aten("py.neg")
def py_neg(op: Builder, a: Any) -> Any:
    a = known(a)
    return -a if _plain(a) else known(Sym(op.Neg(a.value)))


@aten("py.sym_float", "py.float")
def py_float(op: Builder, a: Any) -> Any:
    a = known(a)
    return float(a) if _plain(a) else Sym(cast(op, a.value, F64))


@aten("py.sym_int", "py.int", "py.trunc")
def py_int(op: Builder, a: Any) -> Any:
    a = known(a)
    return int(a) if _plain(a) else known(Sym(cast(op, a.value, I64)))


@aten("py.floor")
def py_floor(op: Builder, a: Any) -> Any:
    a = known(a)
    return math.floor(a) if _plain(a) else Sym(cast(op, op.Floor(cast(op, a.value, F64)), I64))


@aten("py.ceil")
def py_ceil(op: Builder, a: Any) -> Any:
    a = known(a)
    return math.ceil(a) if _plain(a) else Sym(cast(op, op.Ceil(cast(op, a.value, F64)), I64))


@aten("py.sqrt", "py.sym_sqrt", "py._sym_sqrt")
def py_sqrt(op: Builder, a: Any) -> Any:
    a = known(a)
    return math.sqrt(a) if _plain(a) else Sym(op.Sqrt(cast(op, a.value, F64)))


@aten("_assert_tensor_metadata", "_assert_scalar", "_assert_async", "sym_constrain_range",
      "sym_constrain_range_for_size", "_functional_assert_scalar", "_functional_assert_async", "_print",
      "_functional_sym_constrain_range", "_functional_sym_constrain_range_for_size", "manual_seed")
def checks(op: Builder, *args: Any, **named: Any) -> None:
    """What a program asserts of its inputs, whatever it is; the hub holds values only."""
