"""Arithmetic, comparisons, logic, activations, reductions."""
from __future__ import annotations

import numpy as np

from .case import BOOL, F32, I8, I16, I32, I64, U8, add, b, f, given, i, k, out, q, qout, scale

SPECIAL = [-2.5, -1.5, -0.5, 0.0, 0.5, 1.5, 2.5, 3.5, -3.0, 1e-3, 7.0, -7.0]
SIGNED = [7, -7, 7, -7, 0, 5, -6, 6]
DIVISOR = [2, 2, -2, -2, 3, 5, 3, -3]

for op in ("ABS", "NEG", "SIN", "COS", "EXP", "FLOOR", "CEIL", "ROUND", "SQUARE", "SIGN"):
    add("", op, [given(SPECIAL, F32)])
for op in ("LOG", "SQRT", "RSQRT"):
    add("", op, [f(3, 4, low=0.01, high=9)])
add("int32", "ABS", [i(7)], outputs=out(I32))
add("int32", "NEG", [i(7)], outputs=out(I32))
add("int32", "SIGN", [i(7)], outputs=out(I32))
add("int8", "ABS", [q(60, s=0.1, zero=2)], outputs=qout(0.1, 2))
add("int8", "RSQRT", [given(np.arange(-100, 120), I8, scale(0.05, -128))], outputs=qout(0.05, -128))
add("", "LOGICAL_NOT", [b(6)], outputs=out(BOOL))
for op in ("LOGICAL_AND", "LOGICAL_OR"):
    add("", op, [b(3, 4), b(3, 4)], outputs=out(BOOL))
    add("broadcast", op, [b(3, 4), b(4)], outputs=out(BOOL))

ACTS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")
for op in ("ADD", "SUB", "MUL", "DIV"):
    second = f(1, 3, 4, low=0.5, high=3) if op == "DIV" else f(1, 3, 4)
    for act in ACTS:
        add(act, op, [f(1, 3, 4), second], {"fused_activation_function": act})
    add("broadcast", op, [f(2, 3, 4), f(4, low=1)], {"fused_activation_function": "NONE"})
    add("broadcast_both", op, [f(2, 1, 4), f(3, 1, low=1)], {"fused_activation_function": "NONE"})
    add("constant", op, [f(2, 4), np.float32(1.5)], {"fused_activation_function": "RELU6"})
    add("dynamic", op, [f(2, 4, dynamic=[0]), np.float32([1, 2, 3, 4])], {"fused_activation_function": "NONE"})
    add("int32", op, [given(SIGNED, I32), given(DIVISOR, I32)], {"fused_activation_function": "NONE"}, out(I32))
    if op != "DIV":
        add("int32_RELU6", op, [given(SIGNED, I32), given(DIVISOR, I32)], {"fused_activation_function": "RELU6"}, out(I32))
        add("int64", op, [i(2, 5, dtype=I64), i(2, 5, dtype=I64)], {"fused_activation_function": "NONE"}, out(I64))
        for dtype, zeros in ((I8, (3, -9, -5)), (U8, (120, 130, 125))):
            add(f"q{dtype}", op, [q(4, 50, s=0.05, zero=zeros[0], dtype=dtype), q(4, 50, s=0.03, zero=zeros[1], dtype=dtype)],
                {"fused_activation_function": "NONE"}, qout(0.06, zeros[2], dtype))
            add(f"q{dtype}_RELU6", op, [q(4, 50, s=0.05, zero=zeros[0], dtype=dtype),
                                        q(50, s=0.03, zero=zeros[1], dtype=dtype)],
                {"fused_activation_function": "RELU6"}, qout(0.024, -128 if dtype == I8 else 0, dtype))
        add("qint16", op, [q(4, 50, s=0.0005, zero=0, dtype=I16), q(4, 50, s=0.0003, zero=0, dtype=I16)],
            {"fused_activation_function": "NONE", **({"pot_scale_int16": False} if op != "MUL" else {})},
            qout(0.006 if op == "MUL" else 0.0008, 0, I16), version=2 if op != "MUL" else 1)
add("", "POW", [f(3, 4, low=0.1, high=3), f(3, 4)])
add("scalar", "POW", [f(3, 4), np.float32(2)])
add("int32", "POW", [i(3, 4, low=-4, high=5), i(3, 4, low=0, high=5)], outputs=out(I32))
add("", "FLOOR_DIV", [given(SPECIAL, F32), f(12, low=0.3)])
add("negative", "FLOOR_DIV", [given(SPECIAL, F32), np.float32(-1.7)])
add("int32", "FLOOR_DIV", [given(SIGNED, I32), given(DIVISOR, I32)], outputs=out(I32))
add("", "FLOOR_MOD", [given(SPECIAL, F32), f(12, low=0.3)])
add("negative", "FLOOR_MOD", [given(SPECIAL, F32), np.float32(-1.7)])
add("int32", "FLOOR_MOD", [given(SIGNED, I32), given(DIVISOR, I32)], outputs=out(I32))
add("int64", "FLOOR_MOD", [given(SIGNED, I64), given(DIVISOR, I64)], outputs=out(I64))
add("", "SQUARED_DIFFERENCE", [f(2, 3), f(3)])
add("int32", "SQUARED_DIFFERENCE", [i(2, 3), i(3)], outputs=out(I32))
add("int8", "SQUARED_DIFFERENCE", [q(2, 30), q(30, s=0.04, zero=-7)], outputs=qout(0.5, -128))
add("quadrants", "ATAN2", [given([0, 1, 1, 1, 0, -1, -1, -1, 2, -3], F32), given([1, 1, 0, -1, -1, -1, 0, 1, -5, -4], F32)])
add("zeros", "ATAN2", [given([0.0, -0.0, 0.0, -0.0, 0.0, -0.0], F32), given([0.0, 0.0, -0.0, -0.0, -2, -2], F32)])
for op in ("MAXIMUM", "MINIMUM"):
    add("", op, [f(2, 3, 4), f(4)])
    add("int32", op, [i(5), i(5)], outputs=out(I32))
    add("int64", op, [i(5, dtype=I64), i(1, dtype=I64)], outputs=out(I64))
    add("int8", op, [q(40), q(40)], outputs=qout(0.05, 3))
for op in ("EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"):
    add("", op, [given(SPECIAL, F32), given(SPECIAL[::-1], F32)], outputs=out(BOOL))
    add("int32", op, [i(20, low=0, high=3), i(20, low=0, high=3)], outputs=out(BOOL))
    add("int64_broadcast", op, [i(4, 5, dtype=I64), i(1, dtype=I64)], outputs=out(BOOL))
    add("int8", op, [q(200), q(200)], outputs=out(BOOL))
add("bool", "EQUAL", [b(9), b(9)], outputs=out(BOOL))
add("", "ADD_N", [f(2, 3), f(2, 3), f(2, 3)])
add("int32", "ADD_N", [i(2, 3), i(2, 3)], outputs=out(I32))
for name, dtype in (("int8", I8), ("int16", I16), ("int32", I32)):
    add(name, "RIGHT_SHIFT", [i(9, low=-100, high=100, dtype=dtype), i(9, low=0, high=7, dtype=dtype)], outputs=out(dtype))
    add(name, "BITWISE_XOR", [i(9, low=-100, high=100, dtype=dtype), i(9, low=-9, dtype=dtype)], outputs=out(dtype))
add("float_to_int", "BITCAST", [f(3, 4)], outputs=out(I32))
for source in (F32, I32, I64, U8, I8, BOOL, np.dtype("i2")):
    for target in (F32, I32, I64, BOOL):
        values = SPECIAL if source == F32 else [0, 1, 5, 100] if source in (U8, BOOL) else [-100, -1, 0, 1, 77]
        add(f"{source}_{target}", "CAST", [given(values, source)], {}, out(target))
add("quantized_is_stored", "CAST", [q(9)], {}, out(F32))
add("", "BUCKETIZE", [given([-1, 0, 0.5, 1, 5, 10, 11], F32)], {"boundaries": (0.0, 1.0, 10.0)}, out(I32))

# activations
for op in ("RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1", "ELU", "LOGISTIC", "TANH", "HARD_SWISH", "LOG_SOFTMAX"):
    add("", op, [f(3, 8, low=-8, high=8)])
for op, o in (("RELU", qout(0.05, 3)), ("RELU6", qout(0.05, 3)), ("LOGISTIC", qout(1 / 256, -128)),
              ("TANH", qout(1 / 128, 0)), ("HARD_SWISH", qout(0.05, -100)), ("LOG_SOFTMAX", qout(16 / 256, 127)),
              ("ELU", qout(0.05, 3)), ("RELU_N1_TO_1", qout(0.05, 3))):
    add("int8", op, [q(8, 32)], outputs=o)
for op, o in (("LOGISTIC", qout(1 / 256, 0, U8)), ("TANH", qout(1 / 128, 128, U8)), ("RELU", qout(0.05, 120, U8))):
    add("uint8", op, [q(8, 32, zero=120, dtype=U8)], outputs=o)
add("int16", "LOGISTIC", [q(4, 64, s=1 / 4096, zero=0, dtype=I16)], outputs=qout(1 / 32768, 0, I16))
add("int16", "TANH", [q(4, 64, s=1 / 4096, zero=0, dtype=I16)], outputs=qout(1 / 32768, 0, I16))
for approximate in (False, True):
    add(f"approximate={approximate}", "GELU", [f(3, 8)], {"approximate": approximate})
add("", "LEAKY_RELU", [f(3, 8)], {"alpha": 0.2})
add("int8", "LEAKY_RELU", [q(3, 80)], {"alpha": 0.2}, qout(0.05, 3))
add("", "PRELU", [f(2, 3, 3, 4), np.float32([[[0.1, -0.2, 0.3, 2]]])])
add("int8", "PRELU", [q(2, 3, 3, 4), q(1, 1, 4, s=0.01, zero=0)], outputs=qout(0.05, 3))
for beta in (1.0, 0.5):
    add(f"beta={beta}", "SOFTMAX", [f(3, 8)], {"beta": beta})
    add(f"int8_beta={beta}", "SOFTMAX", [q(3, 8)], {"beta": beta}, qout(1 / 256, -128))
add("uint8", "SOFTMAX", [q(3, 8, zero=120, dtype=U8)], {"beta": 1.0}, qout(1 / 256, 0, U8))
add("4d", "SOFTMAX", [f(2, 3, 2, 5)], {"beta": 1.0})
add("dynamic", "SOFTMAX", [f(2, 5, dynamic=[0])], {"beta": 1.0})

# reductions
for op in ("SUM", "MEAN", "REDUCE_PROD", "REDUCE_MAX", "REDUCE_MIN"):
    for keep in (False, True):
        add(f"one_keep={keep}", op, [f(2, 3, 4), k([1])], {"keep_dims": keep})
        add(f"negative_keep={keep}", op, [f(2, 3, 4), k([-1, 0])], {"keep_dims": keep})
    add("all", op, [f(2, 3), k([0, 1])], {"keep_dims": False})
    add("scalar_axis", op, [f(2, 3), k(1)], {"keep_dims": False})
    add("dynamic", op, [f(2, 3, 4, dynamic=[0]), k([0, 1])], {"keep_dims": True})
    add("int32", op, [i(2, 3, 4, low=-5, high=6), k([1])], {"keep_dims": False}, out(I32))
    if op != "REDUCE_PROD":
        o = qout(0.05, 3) if op.startswith("REDUCE") else qout(2.0, -7)
        add("int8", op, [q(2, 30, 4), k([1])], {"keep_dims": False}, o)
add("int64", "MEAN", [i(2, 5, low=-50, high=50, dtype=I64), k([1])], {"keep_dims": False}, out(I64))
add("pool", "MEAN", [f(2, 4, 4, 3), k([1, 2])], {"keep_dims": False})
add("pool_int8", "MEAN", [q(2, 4, 4, 3), k([1, 2])], {"keep_dims": True}, qout(0.03, 9))
for op in ("REDUCE_ANY", "REDUCE_ALL"):
    add("", op, [b(4, 3), k([1])], {"keep_dims": False}, out(BOOL))
    add("keep", op, [b(4, 3), k([0, 1])], {"keep_dims": True}, out(BOOL))
for op in ("ARG_MAX", "ARG_MIN"):
    for target, label in ((I32, "INT32"), (I64, "INT64")):
        add(label, op, [f(3, 7), k(1)], {"output_type": label}, out(target))
    add("negative_axis", op, [f(3, 7, 2), k(-2)], {"output_type": "INT32"}, out(I32))
    add("ties", op, [given([[1, 3, 3, 1], [2, 2, 2, 2]], F32), k(1)], {"output_type": "INT32"}, out(I32))
    add("int8", op, [q(3, 9), k(1)], {"output_type": "INT32"}, out(I32))
    add("int32", op, [i(3, 9), k(0)], {"output_type": "INT32"}, out(I32))
for exclusive in (False, True):
    for reverse in (False, True):
        add(f"{exclusive}_{reverse}", "CUMSUM", [f(3, 5), k(1)], {"exclusive": exclusive, "reverse": reverse})
add("int32", "CUMSUM", [i(3, 5), k(-2)], {"exclusive": False, "reverse": False}, out(I32))
add("", "TOPK_V2", [f(3, 9), k(4)], outputs=[out(F32), out(I32)])
add("ties", "TOPK_V2", [given([[1, 3, 3, 1, 2]], F32), k(3)], outputs=[out(F32), out(I32)])
add("int32", "TOPK_V2", [i(3, 9), k(9)], outputs=[out(I32), out(I32)])
add("int8", "TOPK_V2", [q(1, 9), k(2)], outputs=[qout(0.05, 3), out(I32)])
add("run_time_k", "TOPK_V2", [f(2, 5), given(2, I32)], outputs=[out(F32), out(I32)])
add("", "UNIQUE", [given([3, 1, 3, 2, 1, 9], F32)], {"idx_out_type": "INT32"}, [out(F32), out(I32)])
add("int64", "UNIQUE", [given([3, 1, 3, 2, 1, 9], I32)], {"idx_out_type": "INT64"}, [out(I32), out(I64)])
add("", "L2_NORMALIZATION", [f(2, 3, 4)], {"fused_activation_function": "NONE"})
add("zero", "L2_NORMALIZATION", [given(np.zeros((1, 4)), F32)], {"fused_activation_function": "NONE"})
add("int8", "L2_NORMALIZATION", [q(4, 16, zero=0)], {"fused_activation_function": "NONE"}, qout(1 / 128, 0))
add("", "LOCAL_RESPONSE_NORMALIZATION", [f(1, 3, 3, 7)], {"radius": 2, "bias": 1.5, "alpha": 0.1, "beta": 0.75})
add("", "SEGMENT_SUM", [f(5, 3), k([0, 0, 1, 2, 2])])
add("int32", "SEGMENT_SUM", [i(5, 3), k([0, 0, 1, 2, 2])], outputs=out(I32))
for op in ("UNSORTED_SEGMENT_SUM", "UNSORTED_SEGMENT_PROD", "UNSORTED_SEGMENT_MAX", "UNSORTED_SEGMENT_MIN"):
    add("", op, [f(5, 3), k([2, 0, 2, 1, 0]), k(3)])
    add("int32", op, [i(5, 3, low=-4, high=5), k([2, 0, 2, 1, 0]), k(3)], outputs=out(I32))
    add("empty", op, [f(4, 3), k([3, 0, 0, 3]), k(5)])

# the quantization of the result implies the activation, or does not
for op in ("ADD", "MUL"):
    for act, s, zero in (("RELU", 0.05, -128), ("RELU", 0.05, -127), ("RELU6", 6 / 255, -128), ("RELU6", 6.03 / 255, -128),
                         ("RELU6", 5.9 / 255, -128), ("RELU_N1_TO_1", 1 / 127, 0), ("RELU_N1_TO_1", 1 / 128, 0)):
        add(f"bounds_{act}_{s:.5f}_{zero}", op, [q(4, 60), q(4, 60)], {"fused_activation_function": act}, qout(s, zero))
add("implied", "RELU", [q(4, 60)], outputs=qout(0.05, -128))
