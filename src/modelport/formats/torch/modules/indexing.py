"""What stands in brackets behind a tensor: numbers, slices, None, "...", other tensors."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ..machine import Box
from ..values import Sym, known
from .run import Run


def _parts(run: Run, x: Box, key: Any) -> list[Any]:
    parts = list(key) if isinstance(key, tuple) else [key]
    used = sum(not (p is None or p is Ellipsis) for p in parts)
    if Ellipsis in [p for p in parts if not isinstance(p, (Box, Sym))]:
        at = next(k for k, p in enumerate(parts) if p is Ellipsis)
        parts[at:at + 1] = [slice(None)] * (run.rank(x) - used)
    return parts


def _viewed(run: Run, x: Box, parts: list[Any]) -> tuple[Box, list[Any]]:
    """The view that numbers, slices and None make, and for each axis of it the tensor that picks from it."""
    axis, picks = 0, list[Any]()
    for p in parts:
        p = known(p)
        if p is None:
            x = run.call("unsqueeze", x, axis)
        elif isinstance(p, bool):
            raise Unsupported("an index that is a truth value")
        elif isinstance(p, (int, Sym)):
            x = run.call("select", x, axis, p)
            continue
        elif isinstance(p, slice):
            if (p.start, p.stop, p.step) != (None, None, None):
                x = run.call("slice", x, axis, *(known(v) for v in (p.start, p.stop)), 1 if p.step is None else p.step)
        elif isinstance(p, Box):
            picks += [None] * (axis - len(picks)) + [p]
        else:
            raise Unsupported(f"an index that is a {type(p).__name__}")
        axis += 1
    return x, picks


def indexed(run: Run, x: Box, key: Any) -> Any:
    """``x[key]``"""
    view, picks = _viewed(run, x, _parts(run, x, key))
    return run.call("index", view, picks) if picks else view


def stored(run: Run, x: Box, key: Any, value: Any) -> None:
    """``x[key] = value``"""
    view, picks = _viewed(run, x, _parts(run, x, key))
    if picks:
        raise Unsupported("a write to elements that a tensor picks")
    if isinstance(value, Box):
        run.call("copy_", view, value)
    else:
        run.call("fill_", view, value)
