"""Views: operators whose result shares the memory of their argument, and how a write to it reaches that.

Source: native_functions.yaml of PyTorch (the alias annotations of schemas)."""
from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...errors import Unsupported
from ...ir.graph import Value, constant
from ...ir.rules import Builder

RESHAPED, ANY = "reshaped", "any"
VIEWS = {**dict.fromkeys("view reshape flatten unsqueeze squeeze unflatten view_as reshape_as _unsafe_view "
                         "ravel".split(), RESHAPED),
         "contiguous": RESHAPED,
         **dict.fromkeys("select slice narrow transpose permute t numpy_T mT expand expand_as unbind split "
                         "split_with_sizes chunk tensor_split swapaxes swapdims movedim moveaxis unfold diagonal "
                         "as_strided real imag view_as_real view_as_complex hsplit vsplit dsplit adjoint "
                         "unsafe_split unsafe_chunk broadcast_to".split(), ANY)}
"""How to write: those that only change the sizes are undone by another change; for the others it is asked where each
element of the view comes from."""


UNSURE = frozenset("reshape flatten reshape_as ravel contiguous".split())
"""Those that copy where the order of the elements in memory makes no view possible."""

_MOST = 1 << 22
"""Elements up to which their places are a constant."""


def written(op: Builder, name: str, base: Value, new: Value, view: Callable[[Value], Value]) -> Value:
    """``base`` after ``new`` was written to its view."""
    out: Value
    if VIEWS[name] == RESHAPED:
        out = op.Reshape(new, op.Shape(base))
        return out
    if base.rank is None:
        raise Unsupported("a write to a part of a tensor whose number of axes is not known")
    flat = constant(np.array([-1]))
    if base.type.static and base.type.size is not None and base.type.size < _MOST:
        places: Value = constant(np.arange(base.type.size).reshape(base.shape))
    else:
        places = op.Reshape(op.Range(np.int64(0), op.Size(base), np.int64(1)), op.Shape(base))
    where = op.Reshape(view(places), flat)
    out = op.Reshape(op.ScatterElements(op.Reshape(base, flat), where, op.Reshape(new, flat), axis=0), op.Shape(base))
    return out
