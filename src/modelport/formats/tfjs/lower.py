"""From the hub to the operators of TensorFlow.js, which are TensorFlow's (:mod:`modelport.formats.tensorflow.lower`).

It computes in float32, 32-bit integers and booleans.  Doubles and half precision are carried as float32; integers of
any width as int32, narrower ones wrapped around where they would have been, wider ones with a note where nothing
proves that 32 bits hold them."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import Unsupported, UnsupportedModel, UsageError, printable
from ...hub import ranges
from ...hub.decompose import kernels
from ...ir.graph import Graph, Node, Value
from ...ir.rules import Rules
from ...ir.types import STRING, DType, Type, dtype_name, is_float
from ...notes import Note
from ..tensorflow.lower import Target, lowered
from ..tensorflow.raw import Dialect, RawBuilder, infer
from .narrow import NARROW, widened
from .operators import OPERATORS

BOOL, F32, F64, I32, I64 = map(np.dtype, ("?", "f4", "f8", "i4", "i8"))
DIALECT = Dialect("TensorFlow.js", OPERATORS, frozenset((BOOL, F32, I32, STRING)))
QUANTIZED = ("uint8", "uint16", "float16")
QUANTIZE = "tfjs:quantize"
_TEXT = frozenset("Equal ExpandDims Identity NotEqual Reshape Squeeze".split())
"""Operators that take text; the kernels of all others want numbers."""

rules = Rules("the hub", "what TensorFlow.js has")
rules.update(kernels.rules)


class Builder(RawBuilder):
    """The builder of raw nodes."""

    dialect = DIALECT

    def add(self, op: str, *inputs: Any, outputs: int | None = None, type: Type | Sequence[Type] | None = None,
            **attrs: Any) -> Any:
        if op not in _TEXT and any(isinstance(v, Value) and v.dtype == STRING for v in inputs):
            raise Unsupported(f"text for {op}")
        return super().add(op, *inputs, outputs=outputs, type=type, **attrs)


def carrier(v: Value) -> DType:
    """The element type that carries a value; one that nothing carries stays, and is refused."""
    if v.dtype in (BOOL, F32, I32, STRING):
        return v.dtype
    if is_float(v.dtype) and v.dtype.itemsize in (2, 4, 8):
        return F32
    if v.data is not None and v.dtype.name in np.sctypeDict and v.dtype.kind in "iu":
        return I32 if ranges.fits(v) else v.dtype
    return I32 if v.dtype == I64 or v.dtype.name in NARROW else v.dtype


TFJS = Target("TensorFlow.js", lambda: Builder(infer), rules, carrier, carrier, widened)


def from_hub(hub: Graph, *, float32: bool = False, quantize: str = "") -> Graph:
    """The graph in operators of TensorFlow.js, or :class:`UnsupportedModel` with all that is in the way.

    ``float32`` lets doubles that come in be computed in float32; ``quantize`` stores large weights as ``uint8``,
    ``uint16`` or ``float16``."""
    if quantize and quantize not in QUANTIZED:
        raise UsageError(f"weights can't be stored as '{printable(quantize)}'", hint=f"there is {', '.join(QUANTIZED)}")
    doubles = [] if float32 else [k for k, v in hub.inputs.items() if v.dtype == F64]
    if doubles:
        raise UnsupportedModel([Unsupported("float64, which TensorFlow.js does not compute",
                                            Node("input", [], {}, [], name=k)) for k in doubles],
                               DIALECT.name, hint="--float32 computes doubles in float32")
    raw = lowered(hub, TFJS)
    if quantize:
        raw = raw.with_(meta={**raw.meta, QUANTIZE: quantize}).noted(
            Note("approximated", f"weights are stored as {quantize}"))
    return raw.noted(*_notes(hub))


def _notes(hub: Graph) -> tuple[Note, ...]:
    """What of the element types is another in TensorFlow.js."""
    made = [Note("changed", f"{dtype_name(v.dtype)} is {dtype_name(carrier(v))} in TensorFlow.js", k)
            for k, v in (*hub.inputs.items(), *hub.outputs.items()) if carrier(v) != v.dtype]
    if any(v.dtype == F64 for n in hub.walk() for v in n.outputs):
        made.append(Note("approximated", "doubles are computed in float32"))
    if any(v.dtype == I64 and v.data is None and not ranges.fits(v) for n in hub.walk() for v in n.outputs):
        made.append(Note("approximated", "64-bit integers are computed in 32 bits: larger ones wrap around"))
    return tuple(made)
