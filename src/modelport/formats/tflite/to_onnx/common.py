"""What the rules of several families share."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, Rules, static
from ....ir.tensor import Array, Tensor
from ....ir.types import NUMBER, DType, Type
from ..tensors import DTYPES

to_onnx = Rules("TensorFlow Lite", "ONNX")
INT_MAX, INT_MIN = np.iinfo(np.int64).max, np.iinfo(np.int64).min


def function(op: Builder, x: Value, name: str) -> Any:
    """The activation function of that name, applied to ``x``.  Source: kernels/internal/common.h."""
    if name == "NONE":
        return x
    if name == "RELU":
        return op.Relu(x) if x.dtype.kind != "i" else op.Max(x, constant(0, x.dtype))
    if name in ("RELU6", "RELU_N1_TO_1"):
        low, high = (0, 6) if name == "RELU6" else (-1, 1)
        return op.Clip(x, constant(low, x.dtype), constant(high, x.dtype))
    if name == "TANH":
        return op.Tanh(x)
    raise Unsupported(f"activation {name}")  # SIGN_BIT: no kernel of the runtime computes it


def activation(op: Builder, x: Value, name: str) -> Any:
    """The activation fused into an operator that is not recurrent: its kernels know bounds only."""
    if name in ("TANH", "SIGN_BIT"):
        raise Unsupported(f"fused activation {name}, which the kernels of TensorFlow Lite leave out")
    return x if _implied(op.out, name) else function(op, x, name)


def _implied(type: Type, name: str) -> bool:
    """Whether storing a result of that type clips it as the activation would: both bounds round to the type's ends."""
    bounds = {"RELU": (0.0, np.inf), "RELU6": (0.0, 6.0), "RELU_N1_TO_1": (-1.0, 1.0)}.get(name)
    if bounds is None or type.quant is None or type.quant.axis is not None or type.dtype.kind not in "iu":
        return False
    scale, zero, info = float(type.quant.scale), int(type.quant.zero_point), np.iinfo(type.dtype)
    if not 0 < scale < np.inf or type.dtype.itemsize > 2:
        return False
    return bool(np.rint(bounds[0] / scale) + zero <= info.min and np.rint(bounds[1] / scale) + zero >= info.max)


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


def real(w: Value | None) -> Array:
    """The real elements of a weight that the translation needs: of a constant, quantized or of half precision too."""
    node = None if w is None else w.node
    if node is not None and node.op == "DequantizeLinear" and node.inputs[0] is not None \
            and node.inputs[0].data is not None:
        q, scale, *zero = (None if v is None else v.numpy() for v in node.inputs)
        assert q is not None and scale is not None
        along = [-1 if scale.ndim and k == node.attrs.get("axis", 1) else 1 for k in range(q.ndim)]
        shift = zero[0].astype(np.float32).reshape(along) if zero and zero[0] is not None else np.float32(0)
        return np.asarray((q.astype(np.float32) - shift) * scale.reshape(along), np.float32)
    if node is not None and node.op == "Cast" and node.inputs[0] is not None and node.inputs[0].data is not None \
            and w is not None:
        return node.inputs[0].numpy().astype(w.dtype)
    return static(w, "a weight")


def pads_of(op: Builder, paddings: Value) -> Value:
    """A list of pairs as all beginnings, then all ends."""
    if paddings.data is not None:
        return ints(paddings.numpy().T)
    made: Value = op.Reshape(op.Transpose(i64(op, paddings), perm=[1, 0]), ints([-1]))
    return made


def hybrid(op: Builder, x: Value, w: Value) -> None:
    """Notes that the kernel would round activations: its weights are integers and its input is not."""
    if w.op == "DequantizeLinear" and x.op != "DequantizeLinear" and op.out.quant is None:
        op.note("approximated", "integer weights with real activations: computed in real numbers, where the kernel "
                                "of TensorFlow Lite first rounds the activations to 8 bits")


def number(name: str) -> DType:
    """The element type with the schema's name for it."""
    if name not in DTYPES:
        raise Unsupported(f"element type {name}")
    return DTYPES[name]


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
           dilations: Sequence[int]) -> tuple[Value, dict[str, Any]]:
    """``x`` for a convolution and the attributes that say its padding.

    ONNX Runtime takes no word for it with dilations: what :func:`same_pads` says is computed at run time then."""
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
    return op.Pad(x, pads, constant(0, x.dtype), ints(range(1, n + 1))), {}
