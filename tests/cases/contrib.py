"""One line a case: a contributed operator, its inputs and attributes.  ONNX Runtime itself says what is right."""
from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np


class Case(NamedTuple):
    """``inputs`` by position (``None``: absent); those in ``constants`` are initializers of the model."""

    name: str
    op: str
    inputs: list[Any]
    attrs: dict[str, Any]
    outputs: int = 1
    constants: tuple[int, ...] = ()
    domain: str = "com.microsoft"


def f32(*shape: int, seed: int = 0, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype(np.float32)


def i8(*shape: int, seed: int = 0, dtype: Any = np.int8) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max + 1, shape).astype(dtype)


def s(x: float) -> np.ndarray:
    return np.array(x, np.float32)


def z(x: int, dtype: Any = np.uint8) -> np.ndarray:
    return np.array(x, dtype)


def cases() -> Iterator[Case]:
    x = f32(2, 5, 8, scale=3)
    yield Case("gelu", "Gelu", [x], {})
    yield Case("bias_gelu", "BiasGelu", [x, f32(8, seed=1)], {})
    yield Case("fast_gelu", "FastGelu", [x], {})
    yield Case("fast_gelu_bias", "FastGelu", [x, f32(8, seed=1)], {})
    yield Case("quick_gelu", "QuickGelu", [x], {})
    yield Case("quick_gelu_alpha", "QuickGelu", [x], {"alpha": 1.0})
    for ta, tb, ba, bb in [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (1, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1),
                           (1, 0, 1, 0), (0, 1, 0, 1), (1, 1, 1, 1)]:
        batch, m, k, n = 3, 4, 5, 6
        a_shape = (k, m) if ta else (m, k)
        b_shape = (n, k) if tb else (k, n)
        a = f32(*((a_shape[0], batch, a_shape[1]) if ba else (batch, *a_shape)))
        b = f32(*((b_shape[0], batch, b_shape[1]) if bb else (batch, *b_shape)), seed=1)
        if (ba and ta) or (bb and tb):  # the kernel moves axis 0 first, then swaps the last two
            a = f32(*((m, batch, k) if ba else (batch, m, k))) if not ta else f32(*((k, batch, m) if ba else (batch, k, m)))
            b = f32(*((n, batch, k) if bb else (batch, n, k)), seed=1) if tb else \
                f32(*((k, batch, n) if bb else (batch, k, n)), seed=1)
        yield Case(f"fused_matmul_{ta}{tb}{ba}{bb}", "FusedMatMul", [a, b],
                   {"transA": ta, "transB": tb, "transBatchA": ba, "transBatchB": bb, "alpha": 0.5})
    yield Case("fused_gemm_relu", "FusedGemm", [f32(3, 4), f32(5, 4, seed=1), f32(5, seed=2)],
               {"transB": 1, "activation": "Relu", "alpha": 0.5, "beta": 2.0})
    yield Case("fused_gemm_leaky", "FusedGemm", [f32(3, 4), f32(4, 5, seed=1), f32(5, seed=2)],
               {"activation": "LeakyRelu", "activation_alpha": 0.3})
    conv = {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}
    image, w, b = f32(1, 4, 7, 6), f32(5, 4, 3, 3, seed=1), f32(5, seed=2)
    for activation, params in [("Relu", []), ("Tanh", []), ("Sigmoid", []), ("LeakyRelu", [0.2]), ("Clip", [0.0, 1.5]),
                               ("HardSigmoid", [0.3, 0.4])]:
        yield Case(f"fused_conv_{activation.lower()}", "FusedConv", [image, w, b],
                   {**conv, "activation": activation, **({"activation_params": params} if params else {})})
    yield Case("fused_conv_sum", "FusedConv", [image, w, b, f32(1, 5, 7, 6, seed=3)], {**conv, "activation": "Relu"})
    yield Case("fused_conv_strided_groups", "FusedConv", [image, f32(6, 2, 3, 3, seed=1)],
               {"kernel_shape": [3, 3], "group": 2, "strides": [2, 1], "dilations": [1, 2], "activation": "Relu"})
    yield from _nbits()
    yield Case("matmul_integer_to_float", "MatMulIntegerToFloat",
               [i8(3, 4, dtype=np.uint8), i8(4, 5), s(0.1), f32(5) ** 2, z(120), i8(5, seed=3), f32(5, seed=4)], {})
    yield Case("matmul_integer_to_float_plain", "MatMulIntegerToFloat",
               [i8(3, 4, dtype=np.uint8), i8(4, 5, dtype=np.uint8), s(0.1), s(0.2)], {})
    yield Case("dynamic_quantize_matmul", "DynamicQuantizeMatMul", [f32(3, 4), i8(4, 5), s(0.02), z(3, np.int8)], {})
    yield Case("dynamic_quantize_matmul_columns", "DynamicQuantizeMatMul",
               [f32(3, 4), i8(4, 5), np.abs(f32(5)) + .01, None, f32(5, seed=2)], {})
    yield Case("matmul_integer16", "MatMulInteger16", [i8(3, 4, dtype=np.int16), i8(4, 5, dtype=np.int16)], {})
    yield from _norms()
    yield from _quant()
    yield from _attention()
    yield Case("pad", "Pad", [f32(2, 3), np.array([0, 1, 2, 0], np.int64), np.array([7.0], np.float32)], {})
    yield Case("pad_reflect", "Pad", [f32(4, 5), np.array([1, 1, 2, 0], np.int64)], {"mode": "reflect"})
    yield Case("range", "Range", [np.array([1], np.int32), np.array([9], np.int32), np.array([3], np.int32)], {})
    yield Case("range_no_delta", "Range", [s(1), s(4)], {})
    yield Case("trilu", "Trilu", [f32(3, 4, 5), np.array(1, np.int64)], {"upper": 0})
    yield Case("gather_nd", "GatherND", [f32(3, 4, 5), np.array([[0, 1], [2, 3]], np.int32)], {})
    yield Case("expand_dims", "ExpandDims", [f32(3, 4), np.array([-1], np.int32)], {}, constants=(1,))
    yield Case("unique", "Unique", [np.array([3, 1, 3, 2, 1, 7], np.float32)], {}, 3)
    yield Case("grid_sample", "GridSample", [f32(1, 2, 5, 4), f32(1, 3, 3, 2, seed=1)], {"align_corners": 1})
    yield Case("cdist", "CDist", [f32(4, 3), f32(5, 3, seed=1)], {"metric": "euclidean"})
    yield Case("cdist_squared", "CDist", [f32(4, 3), f32(5, 3, seed=1)], {"metric": "sqeuclidean"})


def _nbits() -> Iterator[Case]:
    k, n, block = 70, 6, 32
    blocks = -(-k // block)
    rng = np.random.default_rng(0)
    for bits in (4, 8):
        w = rng.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8)
        scales = np.abs(f32(n * blocks)) + 0.01
        zeros = rng.integers(0, 256, n * -(-blocks * bits // 8)).astype(np.uint8)
        attrs = {"K": k, "N": n, "block_size": block, "bits": bits}
        yield Case(f"matmul_{bits}bits", "MatMulNBits", [f32(2, 3, k), w, scales], attrs, 1, (1, 2))
        yield Case(f"matmul_{bits}bits_zero", "MatMulNBits", [f32(2, 3, k), w, scales, zeros], attrs, 1, (1, 2, 3))
        yield Case(f"matmul_{bits}bits_bias", "MatMulNBits",
                   [f32(2, 3, k), w, scales, zeros, None, f32(n, seed=5)], attrs, 1, (1, 2, 3, 5))


def _norms() -> Iterator[Case]:
    x, skip, gamma, beta, bias = f32(2, 3, 8), f32(2, 3, 8, seed=1), f32(8, seed=2), f32(8, seed=3), f32(8, seed=4)
    yield Case("skip_layer_norm", "SkipLayerNormalization", [x, skip, gamma, beta], {"epsilon": 1e-5})
    yield Case("skip_layer_norm_bias", "SkipLayerNormalization", [x, skip, gamma, beta, bias], {})
    yield Case("skip_layer_norm_no_beta", "SkipLayerNormalization", [x, skip, gamma], {})
    yield Case("skip_layer_norm_sum", "SkipLayerNormalization", [x, skip, gamma, beta, bias], {}, 4)
    yield Case("skip_layer_norm_broadcast", "SkipLayerNormalization", [x, f32(1, 3, 8), gamma, beta], {})
    yield Case("skip_simplified", "SkipSimplifiedLayerNormalization", [x, skip, gamma], {"epsilon": 1e-6})
    yield Case("skip_simplified_sum", "SkipSimplifiedLayerNormalization", [x, skip, gamma, bias], {}, 4)
    yield Case("simplified", "SimplifiedLayerNormalization", [x, gamma], {"axis": -1, "epsilon": 1e-5}, domain="")
    ids = np.array([[1, 4, 2], [0, 3, 3]], np.int32)
    words, positions, segments = f32(6, 8), f32(5, 8, seed=1), f32(2, 8, seed=2)
    seg, mask = np.array([[0, 0, 1], [0, 1, 1]], np.int32), np.array([[1, 1, 1], [1, 1, 0]], np.int32)
    yield Case("embed_layer_norm", "EmbedLayerNormalization",
               [ids, seg, words, positions, segments, gamma, beta, mask], {"epsilon": 1e-5}, 2)
    yield Case("embed_layer_norm_plain", "EmbedLayerNormalization", [ids, None, words, positions, None, gamma, beta], {}, 2)
    yield Case("embed_layer_norm_positions", "EmbedLayerNormalization",
               [ids, seg, words, positions, segments, gamma, beta, None, np.array([[2, 1, 0], [4, 4, 1]], np.int32)], {}, 2)


def _quant() -> Iterator[Case]:
    a, b = i8(2, 3, 4, dtype=np.uint8), i8(2, 3, 4, seed=1, dtype=np.uint8)
    quant = [a, s(0.05), z(120), b, s(0.03), z(100), s(0.07), z(110)]
    yield Case("qlinear_add", "QLinearAdd", quant, {})
    yield Case("qlinear_add_int8", "QLinearAdd", [i8(2, 4), s(.05), z(3, np.int8), i8(4, seed=1), s(.03), z(-7, np.int8),
                                                  s(.07), z(1, np.int8)], {})
    yield Case("qlinear_mul", "QLinearMul", [*quant[:6], s(0.15), z(110)], {})
    yield Case("qlinear_leaky_relu", "QLinearLeakyRelu", [a, s(.05), z(120), s(.04), z(60)], {"alpha": 0.1})
    yield Case("qlinear_sigmoid", "QLinearSigmoid", [a, s(.05), z(120), s(1 / 256), z(0)], {})
    yield Case("qlinear_softmax", "QLinearSoftmax", [a, s(.05), z(120), s(1 / 256), z(0)], {"axis": -1, "opset": 13})
    yield Case("qlinear_softmax_11", "QLinearSoftmax", [a, s(.05), z(120), s(1 / 256), z(0)], {"axis": 1, "opset": 11})
    yield Case("qlinear_concat", "QLinearConcat", [s(.07), z(110), a, s(.05), z(120), b, s(.03), z(100)], {"axis": 1})
    yield Case("qlinear_where", "QLinearWhere", [f32(2, 3, 4) > 0, a, s(.05), z(120), b, s(.03), z(100), s(.07), z(110)], {})
    image = i8(1, 4, 6, 6, dtype=np.uint8)
    yield Case("qlinear_average_pool", "QLinearAveragePool", [image, s(.05), z(120), s(.04), z(100)],
               {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]})
    yield Case("qlinear_average_pool_last", "QLinearAveragePool", [image, s(.05), z(120), s(.04), z(100)],
               {"kernel_shape": [2, 2], "channels_last": 1})
    yield Case("qlinear_global_average_pool", "QLinearGlobalAveragePool", [image, s(.05), z(120), s(.04), z(100)], {})
    yield Case("qlinear_conv_last", "QLinearConv",
               [i8(1, 6, 6, 4, dtype=np.uint8), s(.05), z(120), i8(5, 4, 3, 3), np.abs(f32(5)) * .01 + .01,
                np.zeros(5, np.int8), s(.4), z(100), np.arange(5, dtype=np.int32) * 100],
               {"channels_last": 1, "kernel_shape": [3, 3]}, 1, (3, 4, 5, 8))
    yield Case("qgemm", "QGemm", [i8(3, 4, dtype=np.uint8), s(.05), z(120), i8(4, 5), s(.02), z(3, np.int8),
                                  np.arange(5, dtype=np.int32) * 50, s(.3), z(100)], {})
    yield Case("qgemm_real", "QGemm", [i8(3, 4, dtype=np.uint8), s(.05), z(120), i8(5, 4), np.abs(f32(5)) * .02 + .01,
                                       np.zeros(5, np.int8)], {"transB": 1, "alpha": 0.5})
    yield Case("quantize_linear", "QuantizeLinear", [f32(3, 4), s(.02), z(3, np.int16)], {})
    yield Case("dequantize_linear", "DequantizeLinear", [i8(3, 4, dtype=np.uint16), s(.02), z(3, np.uint16)], {})
    yield Case("dequantize_linear_axis", "DequantizeLinear", [i8(3, 4), np.abs(f32(3)) + .1, np.zeros(3, np.int8)],
               {"axis": 0})


def _attention() -> Iterator[Case]:
    x, w, b = f32(2, 4, 8), f32(8, 24, seed=1, scale=.5), f32(24, seed=2)
    n = {"num_heads": 2}
    yield Case("attention", "Attention", [x, w, b], n)
    yield Case("attention_scale", "Attention", [x, w, b], {**n, "scale": 0.3})
    yield Case("attention_causal", "Attention", [x, w, b], {**n, "unidirectional": 1})
    yield Case("attention_lengths", "Attention", [x, w, b, np.array([4, 2], np.int32)], n)
    yield Case("attention_ends_starts", "Attention", [x, w, b, np.array([4, 3, 0, 1], np.int32)], n)
    yield Case("attention_mask", "Attention", [x, w, b, np.array([[1, 1, 1, 0], [0, 1, 1, 1]], np.int32)], n)
    yield Case("attention_mask3", "Attention", [x, w, b, np.tril(np.ones((2, 4, 4), np.int32))], n)
    yield Case("attention_sizes", "Attention", [x, f32(8, 20, seed=1), f32(20)], {**n, "qkv_hidden_sizes": [8, 8, 4]})
    yield Case("attention_past", "Attention", [x, w, b, None, f32(2, 2, 2, 3, 4, seed=3)], {**n, "unidirectional": 1}, 2)
    yield Case("attention_bias", "Attention", [x, w, b, None, None, f32(1, 2, 4, 4, seed=4)], n)
    yield Case("qattention", "QAttention",
               [i8(2, 4, 8, dtype=np.uint8), i8(8, 24), b, s(.02), s(.01), np.array([4, 2], np.int32), z(128), z(0, np.int8)], n)
    k, v = f32(2, 5, 8, seed=5), f32(2, 5, 6, seed=6)
    yield Case("mha", "MultiHeadAttention", [x, k, v], n)
    yield Case("mha_bias", "MultiHeadAttention", [x, k, v, f32(22, seed=7)], n)
    yield Case("mha_mask", "MultiHeadAttention", [x, k, v, None, np.array([[1, 1, 1, 0, 0], [0, 1, 1, 1, 1]], np.int32)], n)
    yield Case("mha_attention_bias", "MultiHeadAttention", [x, k, v, None, None, f32(2, 2, 4, 5, seed=8)], n)
    yield Case("mha_causal", "MultiHeadAttention", [x, f32(2, 4, 8, seed=5), f32(2, 4, 8, seed=6)],
               {**n, "unidirectional": 1})
    yield Case("mha_past", "MultiHeadAttention",
               [x, f32(2, 4, 8, seed=5), f32(2, 4, 8, seed=6), None, None, None, f32(2, 2, 3, 4, seed=9),
                f32(2, 2, 3, 4, seed=10)], n, 3)
    cos, sin = np.cos(f32(10, 2)), np.sin(f32(10, 2))
    yield Case("rotary", "RotaryEmbedding", [x, np.array([[0, 1, 2, 3], [3, 4, 5, 6]], np.int64), cos, sin], {})
    yield Case("rotary_offset", "RotaryEmbedding", [x, np.array([2], np.int64), cos, sin], {"interleaved": 1})
    yield Case("rotary_4d", "RotaryEmbedding", [f32(2, 3, 4, 4), np.array([1], np.int64), cos, sin], {})
    kv = {"num_heads": 4, "kv_num_heads": 2}
    q = f32(2, 3, 64)
    k, v = f32(2, 3, 32, seed=11), f32(2, 3, 32, seed=12)
    last, total = np.array([2, 2], np.int32), np.array(3, np.int32)
    empty = np.zeros((2, 2, 0, 16), np.float32)
    yield Case("gqa_prompt", "GroupQueryAttention", [q, k, v, empty, empty, last, total], kv, 3)
    yield Case("gqa_packed", "GroupQueryAttention", [f32(2, 3, 128), None, None, empty, empty, last, total], kv, 3)
    cos, sin = np.cos(f32(16, 8)), np.sin(f32(16, 8))
    past = [f32(2, 2, 5, 16, seed=13), f32(2, 2, 5, 16, seed=14)]
    step = [f32(2, 1, 64, seed=15), f32(2, 1, 32, seed=16), f32(2, 1, 32, seed=17), *past, np.array([5, 5], np.int32),
            np.array(6, np.int32)]
    yield Case("gqa_rotary", "GroupQueryAttention", [q, k, v, empty, empty, last, total, cos, sin],
               {**kv, "do_rotary": 1}, 3)
    yield Case("gqa_step", "GroupQueryAttention", [*step, cos, sin], {**kv, "do_rotary": 1, "rotary_interleaved": 1}, 3)
    yield Case("gqa_window_softcap", "GroupQueryAttention", step, {**kv, "local_window_size": 3, "softcap": 2.0}, 3)
