"""Arithmetic of symbolic dimensions: polynomials with integer coefficients over names such as ``batch`` and ``seq``.

A dimension is stored as a number or as the text of its polynomial in one canonical form (``2*batch*seq + 1``), so
equal expressions are equal strings and pass through ONNX's inference as they are.  What is no polynomial (a rounded
division, a name with odd characters) is one opaque symbol."""
from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import lru_cache

from ..ir.graph import Element

Monomial = tuple[str, ...]
Poly = Mapping[Monomial, int]
_MAX_TERMS = 16


@lru_cache(maxsize=1 << 14)
def _parses(expression: str) -> bool:
    """Whether a text is an expression, short enough to be calculated with."""
    try:
        ast.parse(expression, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return len(expression) < 500


@lru_cache(maxsize=1 << 14)
def poly(element: int | str) -> Poly:
    """The polynomial that a number or a canonical text stands for."""
    if not isinstance(element, str):
        return {(): int(element)} if element else {}
    if element.isidentifier() or not _parses(element):
        return {(element,): 1}
    return _walk(ast.parse(element, mode="eval").body)


def _walk(e: ast.expr) -> Poly:
    if isinstance(e, ast.Constant) and type(e.value) is int:
        return {(): e.value} if e.value else {}
    if isinstance(e, ast.Name):
        return {(e.id,): 1}
    if isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub):
        return _scale(_walk(e.operand), -1)
    if isinstance(e, ast.BinOp):
        if isinstance(e.op, ast.Add):
            return _sum(_walk(e.left), _walk(e.right))
        if isinstance(e.op, ast.Sub):
            return _sum(_walk(e.left), _scale(_walk(e.right), -1))
        if isinstance(e.op, ast.Mult):
            return _product(_walk(e.left), _walk(e.right))
    return {(ast.unparse(e),): 1}


def text(p: Poly) -> Element:
    """The number or the canonical text of a polynomial; ``None`` if it is too long to be of use."""
    if not p:
        return 0
    if set(p) == {()}:
        return p[()]
    if len(p) > _MAX_TERMS:
        return None
    names = {s for mono in p for s in mono}
    alone = next(iter(names))
    if dict(p) == {(alone,): 1}:
        return alone
    if not all(map(_parses, names)):  # "input.1" can stand alone, but not be calculated with
        return None
    out = ""
    for mono, k in sorted(p.items(), key=lambda t: (-len(t[0]), t[0])):
        factor = "*".join(s if s.isidentifier() else f"({s})" for s in mono)
        body = factor if abs(k) == 1 and mono else f"{abs(k)}*{factor}" if mono else str(abs(k))
        out += ("-" if k < 0 else "") + body if not out else (" - " if k < 0 else " + ") + body
    return out


def _sum(a: Poly, b: Poly) -> Poly:
    out = dict(a)
    for m, k in b.items():
        out[m] = out.get(m, 0) + k
        if not out[m]:
            del out[m]
    return out


def _scale(a: Poly, k: int) -> Poly:
    return {m: c * k for m, c in a.items()} if k else {}


def _product(a: Poly, b: Poly) -> Poly:
    out: dict[Monomial, int] = {}
    for m, k in a.items():
        for n, j in b.items():
            key = tuple(sorted((*m, *n)))
            out[key] = out.get(key, 0) + k * j
    return {m: k for m, k in out.items() if k}


def add(a: Element, b: Element) -> Element:
    return None if a is None or b is None else text(_sum(poly(a), poly(b)))


def sub(a: Element, b: Element) -> Element:
    return None if a is None or b is None else text(_sum(poly(a), _scale(poly(b), -1)))


def mul(a: Element, b: Element) -> Element:
    if a == 0 or b == 0:
        return 0
    return None if a is None or b is None else text(_product(poly(a), poly(b)))


def product(elements: Iterable[Element]) -> Element:
    out: Element = 1
    for e in elements:
        out = mul(out, e)
    return out


def exact_div(a: Element, b: Element) -> Element:
    """``a / b`` if the division of the polynomials leaves nothing, else ``None``."""
    if a is None or b is None or b == 0:
        return None
    rest, divisor = dict(poly(a)), poly(b)
    out: dict[Monomial, int] = {}
    lead = max(divisor, key=lambda m: (len(m), m))
    for _ in range(64):
        if not rest:
            return text(out)
        top = max(rest, key=lambda m: (len(m), m))
        quotient = _cancel(top, lead)
        if quotient is None or rest[top] % divisor[lead]:
            return None
        term = {quotient: rest[top] // divisor[lead]}
        out[quotient] = term[quotient]
        rest = dict(_sum(rest, _scale(_product(term, divisor), -1)))
    return None


def _cancel(a: Monomial, b: Monomial) -> Monomial | None:
    left = list(a)
    for s in b:
        if s not in left:
            return None
        left.remove(s)
    return tuple(left)


def floor_div(a: Element, b: Element) -> Element:
    """``floor(a / b)``: exact where it is, else one opaque symbol such as ``(h + 1)//2``; ``None`` if unknown."""
    if a is None or not isinstance(b, int) or b == 0:
        return exact_div(a, b)
    if isinstance(a, int):
        return a // b
    exact = exact_div(a, b)
    if exact is not None or b < 0:
        return exact
    p = poly(a)
    whole = {m: k // b for m, k in p.items() if k % b == 0 or m == ()}
    rest = _sum(p, _scale({m: k for m, k in whole.items() if k}, -b))
    part = text(rest)
    if part is None or isinstance(part, int):
        return None if part is None else text(_sum({m: k for m, k in whole.items() if k}, poly(part // b)))
    opaque = f"{part if isinstance(part, str) and part.isidentifier() else f'({part})'}//{b}"
    return text(_sum({m: k for m, k in whole.items() if k}, {(ast.unparse(ast.parse(opaque, mode='eval').body),): 1})) \
        if _parses(opaque) else None


def at_most(n: int, a: Element) -> Element:
    """``min(n, a)`` as a number or one opaque symbol."""
    if a is None or isinstance(a, int):
        return None if a is None else min(n, a)
    least = f"min({n}, {a})"
    return text({(ast.unparse(ast.parse(least, mode="eval").body),): 1}) if _parses(least) else None


def broadcast(a: Element, b: Element) -> Element:
    """The size that axes of ``a`` and ``b`` broadcast to in every run that does not fail, or ``None``."""
    for x, y in ((a, b), (b, a)):
        if x == 1 or x == y:
            return y
        if isinstance(x, int) and x > 1:
            return x
        if isinstance(y, str) and any(y == at_most(n, x) for n in _minimum(y)):
            return x  # min(n, x) with n > 1 equals x, or nothing fits
    return None


def _minimum(a: str) -> tuple[int, ...]:
    """The ``n`` of ``min(n, ...)``, if ``a`` is that and ``n`` is above one."""
    if not a.startswith("min("):
        return ()
    number = a[4:].partition(",")[0]
    return (int(number),) if number.isdigit() and int(number) > 1 else ()


def nonnegative(a: Element) -> bool:
    """Whether ``a`` is surely not below zero, every symbol being the size of something."""
    return a is not None and all(k >= 0 for k in poly(a).values())


def surely_size(a: Element) -> bool:
    """Whether ``a`` is not below zero if every symbol is at least one: what a slice of a non-empty axis leaves."""
    if a is None:
        return False
    p = poly(a)
    return all(k >= 0 for m, k in p.items() if m) and sum(p.values()) >= 0


def positive_constant(a: Element) -> bool:
    """Whether ``a`` is surely above zero."""
    return nonnegative(a) and a is not None and poly(a).get((), 0) > 0
