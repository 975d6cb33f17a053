"""More axes than the kernels take: those that stay together become one."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from .. import sizes
from ..sizes import ints, rank
from .table import rules

_MOST = 6
_BROADCAST = ("Add Sub Mul Div Pow Mod Equal Less LessOrEqual Greater GreaterOrEqual And Or Xor Max Min Where").split()


def _groups(keys: Sequence[Any]) -> list[list[int]]:
    """Runs of axes with equal keys; one that is ``None`` goes with any."""
    groups: list[list[int]] = []
    last: Any = None
    for axis, key in enumerate(keys):
        if groups and (key is None or last is None or key == last):
            groups[-1].append(axis)
        else:
            groups.append([axis])
            last = None
        last = key if key is not None else last
    return groups


def _merged(op: Builder, v: Value, groups: Sequence[Sequence[int]]) -> Value:
    """``v`` with one axis for each group."""
    n = sum(map(len, groups))
    ahead = n - rank(v)
    lengths = []
    for group in groups:
        length = ints(1)
        for axis in group:
            if axis >= ahead:
                length = sizes.product(op, length, sizes.size(op, v, axis - ahead))
        lengths.append(length)
    made: Value = op.Reshape(v, op.Concat(*lengths, axis=0), allowzero=1)
    return made


def _broadcast(name: str, other: Callable[..., Any] | None) -> Callable[..., Any]:
    def rule(op: Builder, *values: Value, **attrs: Any) -> Any:
        n = max(rank(v) for v in values)
        if n <= _MOST or all(v.type.size == 1 or v.shape == values[0].shape for v in values):
            if other is None:
                raise Unsupported(f"element type {values[0].dtype}")
            return other(op, *values, **attrs)
        assert op.node is not None and op.out.shape is not None
        keys = []
        for axis, full in enumerate(op.out.shape):
            dims = [sizes.dim(v, axis - n) if rank(v) >= n - axis else 1 for v in values]
            if full is None or any(d not in (1, full) for d in dims):
                raise Unsupported(f"broadcasting over {n} axes of sizes that are only known at run time")
            keys.append(None if full == 1 else tuple(d == 1 for d in dims))
        groups = _groups(keys)
        if len(groups) > _MOST:  # copies of the size of the result
            full_shape = _shape(op, values, n)
            y = op.add(name, *(op.Reshape(op.Expand(v, full_shape), ints(-1)) for v in values), **attrs)
            return op.Reshape(y, full_shape, allowzero=1)
        y = op.add(name, *(_merged(op, v, groups) if v.type.size != 1 else sizes.one(op, v) for v in values), **attrs)
        return op.Reshape(y, _shape(op, values, n), allowzero=1)
    return rule


def _shape(op: Builder, values: Sequence[Value], n: int) -> Value:
    """The sizes of the result of broadcasting."""
    assert op.out.shape is not None
    parts = []
    for axis, full in enumerate(op.out.shape):
        own = next((v for v in values if rank(v) >= n - axis and sizes.dim(v, axis - n) == full), None)
        if isinstance(full, int):
            parts.append(ints(full))
        elif own is not None:
            parts.append(sizes.size(op, own, axis - n))
        else:
            raise Unsupported("a size that is only known at run time")
    made: Value = op.Concat(*parts, axis=0)
    return made


for _name in _BROADCAST:
    rules[_name] = _broadcast(_name, rules.get(_name))


def _axis(name: str, other: Callable[..., Any] | None) -> Callable[..., Any]:
    """Operators along one axis: what lies before it is one axis, and what lies behind."""
    def rule(op: Builder, *values: Value, axis: int = -1, **attrs: Any) -> Any:
        n = rank(values[0])
        if n <= _MOST:
            if other is None:
                raise Unsupported("it can't be decomposed")
            return other(op, *values, axis=axis, **attrs)
        axis %= n
        groups = [list(range(axis)), [axis], list(range(axis + 1, n))]
        y = op.add(name, *(_merged(op, v, groups) for v in values), axis=1, **attrs)
        ends = [sizes.shape(op, values[0], 0, axis), sizes.size(op, y, 1), sizes.shape(op, values[0], axis + 1)]
        return op.Reshape(y, op.Concat(*ends, axis=0), allowzero=1)
    return rule


for _name in ("Concat", "Softmax", "LogSoftmax"):
    rules[_name] = _axis(_name, rules.get(_name))


@rules("ReduceSum", "ReduceMean", "ReduceMax", "ReduceMin", "ReduceProd")
def reduce(op: Builder, x: Value, axes: Value | None = None, *, keepdims: int = 1,
           noop_with_empty_axes: int = 0) -> Value:
    assert op.node is not None
    n = rank(x)
    if n <= _MOST or (axes is not None and axes.data is None):
        raise Unsupported(f"element type {x.dtype}")
    named = range(n) if axes is None or not axes.type.size else [int(a) % n for a in axes.numpy()]
    groups = _groups([axis in named for axis in range(n)])
    gone = [k for k, group in enumerate(groups) if group[0] in named]
    y = op.add(op.node.op, _merged(op, x, groups), ints(*gone), keepdims=keepdims)
    left = [axis for axis in range(n) if keepdims or axis not in named]
    parts = [ints(1) if axis in named else sizes.size(op, x, axis) for axis in left]
    made: Value = op.Reshape(y, op.Concat(*parts, axis=0) if parts else np.array([], np.int64), allowzero=1)
    return made
