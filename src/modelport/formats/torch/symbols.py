"""Sizes that are not known before run time, as torch.export writes them: expressions of sympy.

Since 2.6 they are calls, ``Mul(Integer(2), Symbol('s0', integer=True))``, before that arithmetic, ``2*s0``."""
from __future__ import annotations

import ast
from typing import Any

from ...hub.symbols import poly, text
from ...ir.types import Dim

_JOINED = {"Add": " + ", "Mul": "*"}


def dim(expression: str) -> Dim:
    """The size that an expression stands for, as the hub writes it; ``None`` if it is nothing the hub can say."""
    try:
        said = _said(ast.parse(expression, mode="eval").body)
    except (SyntaxError, ValueError, RecursionError, MemoryError, LookupError):
        return None
    return text(poly(said))


def _said(e: ast.expr) -> str:
    if isinstance(e, ast.Call) and isinstance(e.func, ast.Name):
        name, args = e.func.id, e.args
        if name in ("Symbol", "Integer"):
            return str(_constant(args[0])).removeprefix("s_")
        if name in _JOINED:
            return _JOINED[name].join(f"({_said(a)})" for a in args)
        if name == "Pow" and isinstance(power := ast.literal_eval(_said(args[1])), int) and 0 < power < 5:
            return "*".join([f"({_said(args[0])})"] * power)
        return f"{name}({', '.join(map(_said, args))})"
    if isinstance(e, ast.BinOp) and isinstance(e.op, ast.Pow):
        power = _constant(e.right)
        if isinstance(power, int) and 0 < power < 5:
            return "*".join([f"({_said(e.left)})"] * power)
    return ast.unparse(e)


def _constant(e: ast.expr) -> Any:
    return ast.literal_eval(e)
