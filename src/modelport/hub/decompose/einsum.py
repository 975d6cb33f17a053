"""Einsum by transposing, multiplying matrices and summing."""
from __future__ import annotations

import string
from typing import Any

from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.rules import Builder, Rules
from . import sizes
from .sizes import ints, rank

rules = Rules("the hub", "simpler operators")


@rules("Einsum")
def einsum(op: Builder, *values: Value, equation: str) -> Any:
    """Two operands at a time.  Letters of both that are still needed are a batch, the others of both are summed over.

    (ONNX operator Einsum: numpy's, with implicit outputs in alphabetical order, and ``...``.)"""
    terms, out = _parsed(equation, values)
    rest = list(zip(values, terms, strict=True))
    rest = [_diagonal(op, v, t) for v, t in rest]
    v, term = rest.pop(0)
    while True:
        later = set(out).union(*(t for _, t in rest))
        v, term = _summed(op, v, term, later)
        if not rest:
            break
        other, letters = rest.pop(0)
        later = set(out).union(*(t for _, t in rest))
        other, letters = _summed(op, other, letters, later | set(term))
        v, term = _product(op, v, term, other, letters, later)
    made: Value = _ordered(op, v, term, out)
    return op.Identity(made) if made in values else made


def _parsed(equation: str, values: tuple[Value, ...]) -> tuple[list[str], str]:
    """The letters of each operand and of the result, ``...`` as letters of its own."""
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if len(terms) != len(values):
        raise Unsupported(f"{len(values)} operands of '{equation}'")
    free = [c for c in string.ascii_letters if c not in equation]
    widths = [rank(v) - len(t.replace("...", "")) for t, v in zip(terms, values, strict=True) if "..." in t]
    most = max(widths, default=0)
    if most > len(free) or min(widths, default=0) < 0:
        raise Unsupported(f"'{equation}'")
    dots = "".join(free[:most])
    full = []
    for t, v in zip(terms, values, strict=True):
        own = rank(v) - len(t.replace("...", ""))
        full.append(t.replace("...", dots[most - own:] if own else ""))
        if len(full[-1]) != rank(v):
            raise Unsupported(f"'{equation}'")
    if arrow:
        return full, right.replace("...", dots)
    letters = left.replace("...", "").replace(",", "")
    return full, dots + "".join(c for c in sorted(set(letters)) if letters.count(c) == 1)


def _diagonal(op: Builder, v: Any, term: str) -> tuple[Any, str]:
    """A letter that occurs twice: the elements whose two indices agree."""
    for c in dict.fromkeys(term):
        while term.count(c) > 1:
            a = term.index(c)
            b = term.index(c, a + 1)
            n = sizes.size(op, v, a)
            moved = op.Transpose(v, perm=[a, b, *(k for k in range(len(term)) if k not in (a, b))])
            own = op.Unsqueeze(sizes.count(op, n), ints(1))
            v = op.GatherND(moved, op.Concat(own, own, axis=1), batch_dims=0)
            term = c + "".join(x for k, x in enumerate(term) if k not in (a, b))
    return v, term


def _summed(op: Builder, v: Any, term: str, later: set[str]) -> tuple[Any, str]:
    """Over the letters that nothing asks for any more."""
    gone = [k for k, c in enumerate(term) if c not in later]
    if not gone:
        return v, term
    return op.ReduceSum(v, ints(*gone), keepdims=0), "".join(c for c in term if c in later)


def _product(op: Builder, a: Any, s: str, b: Any, t: str, later: set[str]) -> tuple[Any, str]:
    """One product of two operands: elementwise if nothing is summed, else one of matrices."""
    both = [c for c in s if c in t]
    batch, inner = [c for c in both if c in later], [c for c in both if c not in later]
    rows, columns = [c for c in s if c not in both], [c for c in t if c not in both]
    result = "".join([*batch, *rows, *columns])
    if not inner or any(sizes.dim(x, k.index(c)) == 1 for c in inner for x, k in ((a, s), (b, t))):
        full = result + "".join(inner)
        y = op.Mul(_spread(op, a, s, full), _spread(op, b, t, full))
        return (op.ReduceSum(y, ints(*range(len(result), len(full))), keepdims=0) if inner else y), result
    a, b = _ordered(op, a, s, "".join([*batch, *rows, *inner])), _ordered(op, b, t, "".join([*batch, *inner, *columns]))
    n = len(batch)
    left = _merged(op, a, [*[1] * n, len(rows), len(inner)])
    right = _merged(op, b, [*[1] * n, len(inner), len(columns)])
    y = op.MatMul(left, right)
    if len(rows) == len(columns) == 1:
        return y, result
    ends = [sizes.size(op, y, k) for k in range(n)]
    ends += [sizes.size(op, a, n + k) for k in range(len(rows))]
    ends += [sizes.size(op, b, n + len(inner) + k) for k in range(len(columns))]
    return op.Reshape(y, sizes.concat(op, ends) if ends else ints(), allowzero=1), result


def _ordered(op: Builder, v: Any, term: str, want: str) -> Any:
    if term == want:
        return v
    if sorted(term) != sorted(want):
        raise Unsupported(f"'{term}' to '{want}'")
    return op.Transpose(v, perm=[term.index(c) for c in want])


def _spread(op: Builder, v: Any, term: str, full: str) -> Any:
    """Axes in the order of ``full``, those that are missing as ones."""
    v = _ordered(op, v, term, "".join(c for c in full if c in term))
    missing = [k for k, c in enumerate(full) if c not in term]
    return op.Unsqueeze(v, ints(*missing)) if missing else v


def _merged(op: Builder, v: Any, groups: list[int]) -> Any:
    """Axes put together in groups."""
    if all(g == 1 for g in groups):
        return v
    parts, at = [], 0
    for g in groups:
        length = ints(1)
        for k in range(at, at + g):
            length = sizes.product(op, length, sizes.size(op, v, k))
        parts.append(length)
        at += g
    return op.Reshape(v, sizes.concat(op, parts), allowzero=1)
