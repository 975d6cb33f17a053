"""What the rules of readers share, whatever the format: constants and sizes that are known, element types, weights,
the padding of windows as TensorFlow's family says it."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..errors import Unsupported
from ..ir.graph import Value, constant
from ..ir.rules import Builder, static
from ..ir.tensor import Tensor
from ..ir.types import NUMBER, DType, Type

INT_MAX, INT_MIN = np.iinfo(np.int64).max, np.iinfo(np.int64).min


def where(op: Builder, condition: Value, x: Value, y: Value) -> Any:
    """``x`` where ``condition``, else ``y``; of truth values by logic, which more runtimes have than their Where."""
    if x.dtype == np.bool_:
        return op.Or(op.And(condition, x), op.And(op.Not(condition), y))
    return op.Where(condition, x, y)


def cast(op: Builder, x: Value, dtype: DType) -> Value:
    """``x`` in another element type; a constant stays one."""
    if x.dtype == dtype:
        return x
    if x.data is not None:
        return constant(x.numpy().astype(dtype), name=x.name)
    made: Value = op.Cast(x, to=NUMBER[dtype])
    if x.elements is not None and made.elements is None and dtype.kind in "iu":
        made.elements = x.elements
    return made


def i64(op: Builder, x: Value | None, what: str = "an input") -> Value:
    """Indices as ONNX wants them."""
    if x is None:
        raise Unsupported(f"{what} is missing")
    return cast(op, x, np.dtype(np.int64))


def ints(values: Sequence[int] | np.ndarray[Any, Any]) -> Value:
    """A constant list of indices."""
    return constant(np.asarray(values, np.int64).reshape(-1))


def known(x: Value | None, what: str) -> list[int]:
    """The elements of an integer value that the translation needs: a constant, or a shape known before run time."""
    if x is not None and x.data is None and x.elements is not None and all(isinstance(e, int) for e in x.elements):
        return [e for e in x.elements if isinstance(e, int)]
    return [int(v) for v in static(x, what).reshape(-1)]


def rank(x: Value, what: str = "the input") -> int:
    if x.rank is None:
        raise Unsupported(f"the rank of {what} is not known")
    return x.rank


def dims(x: Value, axes: Sequence[int] | None = None, what: str = "the input") -> list[int]:
    """The static sizes of ``x`` along ``axes`` (default: all)."""
    rank(x, what)
    assert x.shape is not None
    out = []
    for d in x.shape if axes is None else [x.shape[a] for a in axes]:
        if not isinstance(d, int):
            raise Unsupported(f"the shape of {what} has to be known and is {x.type}")
        out.append(d)
    return out


def axis_of(x: Value, axis: int, more: int = 0) -> int:
    """``axis`` of ``x`` counted from the front; with ``more`` axes that are about to be added."""
    n = rank(x) + more
    if not -n <= axis < n:
        raise Unsupported(f"axis {axis} of {n} dimensions")
    return axis % n


def scalar(x: Value | None, what: str) -> Any:
    """The only element of a constant."""
    found: list[Any] = known(x, what) if x is not None and x.dtype.kind in "iu" else static(x, what).ravel().tolist()
    if len(found) != 1:
        raise Unsupported(f"{what} has {len(found)} elements")
    return found[0]


def transposed(op: Builder, w: Value, perm: Sequence[int]) -> Value:
    """A weight with its axes permuted.  A constant, quantized or not, stays one: a view made when it is needed."""
    if w.data is not None:
        return _view(w, perm)
    node = w.node
    made: Value
    if node is not None and node.op == "DequantizeLinear" and node.inputs[0] is not None \
            and node.inputs[0].data is not None and rank(w) == len(perm):
        axis = node.attrs.get("axis")
        per_channel = node.inputs[1] is not None and node.inputs[1].rank == 1
        made = op.DequantizeLinear(_view(node.inputs[0], perm), *node.inputs[1:],
                                   **({"axis": list(perm).index(axis)} if per_channel and axis is not None else {}))
        return made
    if node is not None and node.op == "Cast" and node.inputs[0] is not None and node.inputs[0].data is not None:
        made = op.Cast(_view(node.inputs[0], perm), to=node.attrs["to"])
        return made
    made = op.Transpose(w, perm=list(perm))
    return made


def _view(w: Value, perm: Sequence[int]) -> Value:
    data = w.data
    assert data is not None
    if w.rank != len(perm) or w.shape is None:
        raise Unsupported(f"a weight of {len(perm)} dimensions has {w.rank}")
    type = Type(w.dtype, tuple(w.shape[p] for p in perm))
    return Value(type, w.name, data=Tensor(lambda: data.numpy().transpose(tuple(perm)), type))


def pads_of(op: Builder, paddings: Value) -> Value:
    """A list of pairs as all beginnings, then all ends."""
    if paddings.data is not None:
        return ints(paddings.numpy().T)
    made: Value = op.Reshape(op.Transpose(i64(op, paddings), perm=[1, 0]), ints([-1]))
    return made


def same_pads(size: Sequence[int], kernel: Sequence[int], strides: Sequence[int],
              dilations: Sequence[int]) -> list[int]:
    """The pads of SAME: output ceil(size / stride), the odd one at the end.  Source: kernels/padding.h."""
    begin, end = [], []
    for n, k, s, d in zip(size, kernel, strides, dilations, strict=True):
        total = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        begin.append(total // 2)
        end.append(total - total // 2)
    return begin + end


def padding_of(x: Value, padding: str, kernel: Sequence[int], strides: Sequence[int],
               dilations: Sequence[int]) -> dict[str, Any]:
    """The attributes of a channels-last window operator that say ``padding``: explicit where the sizes are known."""
    if padding not in ("SAME", "VALID"):
        raise Unsupported(f"padding {padding}")
    if any(s < 1 for s in (*strides, *dilations, *kernel)):
        raise Unsupported(f"kernel {list(kernel)}, strides {list(strides)}, dilations {list(dilations)}")
    if padding == "VALID":
        return {}
    spatial = (x.shape or ())[1:-1]
    if len(spatial) == len(kernel) and all(isinstance(d, int) for d in spatial):
        pads = same_pads([d for d in spatial if isinstance(d, int)], kernel, strides, dilations)
        return {"pads": pads} if any(pads) else {}
    if all(s == 1 for s in strides):
        total = [(k - 1) * d for k, d in zip(kernel, dilations, strict=True)]
        return {"pads": [*(t // 2 for t in total), *(t - t // 2 for t in total)]}
    return {"auto_pad": "SAME_UPPER"}


def padded(op: Builder, x: Value, padding: str, kernel: Sequence[int], strides: Sequence[int],
           dilations: Sequence[int], fill: Value | None = None) -> tuple[Value, dict[str, Any]]:
    """``x`` for a convolution and the attributes that say its padding.

    ONNX Runtime takes no word for it with dilations: what :func:`same_pads` says is computed at run time then, and
    padded with ``fill``, by default zero."""
    found = padding_of(x, padding, kernel, strides, dilations)
    if "auto_pad" not in found or all(d == 1 for d in dilations):
        return x, found
    n = len(kernel)
    sizes = op.Shape(x, start=1, end=n + 1)
    count = op.Div(op.Add(sizes, ints([s - 1 for s in strides])), ints(strides))
    reach = ints([(k - 1) * d + 1 - s for k, s, d in zip(kernel, strides, dilations, strict=True)])
    total = op.Max(op.Sub(op.Add(op.Mul(count, ints(strides)), reach), sizes), ints([0]))
    begin = op.Div(total, ints([2]))
    pads = op.Concat(begin, op.Sub(total, begin), axis=0)
    return op.Pad(x, pads, constant(0, x.dtype) if fill is None else fill, ints(range(1, n + 1))), {}
