"""Scaled dot-product attention."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Value
from .activation import _short
from .common import BOOL, FLOATS, At, from_onnx, held, rank


@from_onnx("Attention")
def attention(at: At, q: Value, k: Value, v: Value, mask: Value | None = None, past_key: Value | None = None,
              past_value: Value | None = None, nonpad: Value | None = None, *, is_causal: int = 0,
              kv_num_heads: int = 0, q_num_heads: int = 0, qk_matmul_output_mode: int = 0, scale: float | None = None,
              softcap: float = 0.0, softmax_precision: int = 0, **more: Any) -> Any:
    """On (batch, heads, length, size); a row in which nothing may be seen is NaN in ONNX, zero here."""
    assert at.node is not None
    held([q, k, v], FLOATS)
    if rank(q) != 4 or past_key is not None or past_value is not None or nonpad is not None or softcap or is_causal \
            or len(at.node.outputs) > 1 or any(v not in (None, -1, 0) for v in more.values()) or softmax_precision \
            or q.dtype.itemsize == 2:
        raise Unsupported("more than a product, a mask and a softmax")
    if q.shape is None or k.shape is None or q.shape[1] != k.shape[1] or not isinstance(q.shape[1], int):
        raise Unsupported("heads that share keys")
    if mask is not None and (mask.dtype == BOOL or mask.dtype != q.dtype):
        raise Unsupported("a mask of truth values, which may leave a row without keys")
    return at.scaled_dot_product_attention(q, k, v, mask, 0.0, False, scale=None if scale is None else _short(scale),
                                           type=at.out)
