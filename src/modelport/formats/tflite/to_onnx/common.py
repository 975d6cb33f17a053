"""What the rules of several families share."""
from __future__ import annotations

from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value, constant
from ....ir.rules import Builder, Rules, static
from ....ir.tensor import Array
from ....ir.types import DType, Type
from ..tensors import DTYPES

to_onnx = Rules("TensorFlow Lite", "ONNX")


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
