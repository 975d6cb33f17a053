"""Operators whose weights were packed into objects of C++: what optimize_for_mobile and quantization leave."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....errors import Unsupported
from .archive import Obj

PACKED: dict[str, Callable[..., Any]] = {}


def _state(context: Any, count: int) -> list[Any]:
    state = context.attributes.get("state") if isinstance(context, Obj) else None
    if not isinstance(state, (list, tuple)) or len(state) < count:
        raise Unsupported("packed weights of a kind that is not known")
    return list(state)


def _clamped(run: Any, y: Any, low: Any, high: Any) -> Any:
    return y if low is None and high is None else run.operator("clamp", [y, low, high], {})


def _conv2d(run: Any, x: Any, context: Any) -> Any:
    """State: weight, bias, stride, padding, dilation, groups, least, greatest."""
    s = _state(context, 8)
    return _clamped(run, run.operator("conv2d", [x, *s[:6]], {}), s[6], s[7])


def _transposed(run: Any, x: Any, context: Any) -> Any:
    """State: weight, bias, stride, padding, output padding, dilation, groups, least, greatest."""
    s = _state(context, 9)
    y = run.operator("conv_transpose2d", [x, s[0], s[1], s[2], s[3], s[4], s[6], s[5]], {})
    return _clamped(run, y, s[7], s[8])


def _linear(run: Any, x: Any, context: Any) -> Any:
    s = _state(context, 4)
    return _clamped(run, run.operator("linear", [x, *s[:2]], {}), s[2], s[3])


PACKED |= {"prepacked.conv2d_clamp_run": _conv2d, "prepacked.conv2d_transpose_clamp_run": _transposed,
           "prepacked.linear_clamp_run": _linear}
