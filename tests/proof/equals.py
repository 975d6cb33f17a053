"""Correct conversions: the same function written in two ways that a verifier must not tell apart."""
# ruff: noqa: E501  (a table: an entry is one line where it can be)
from __future__ import annotations

from typing import Any

import numpy as np
from graphs import ROWS, STEPS, w
from mutants import EVEN, SEQUENCE, SQUARE, Mutant, conv, gru, lstm

f32, i64 = np.float32, np.int64
EQUALS: list[Mutant] = []


def same(name: str, one: Any, other: Any, **inputs: Any) -> None:
    EQUALS.append(Mutant(name, inputs or {"x": ROWS}, one, other))


def axes(*a: int) -> Any:
    return np.array(a)


same("relu as max", lambda op, x: op.Relu(x), lambda op, x: op.Max(x, f32(0)))
same("relu6 as min and max", lambda op, x: op.Clip(x, f32(0), f32(6)), lambda op, x: op.Min(op.Max(x, f32(0)), f32(6)))
same("sigmoid by tanh", lambda op, x: op.Sigmoid(x), lambda op, x: op.Add(op.Mul(op.Tanh(op.Mul(x, f32(0.5))), f32(0.5)), f32(0.5)))
same("swish by sigmoid", lambda op, x: op.Swish(x), lambda op, x: op.Mul(x, op.Sigmoid(x)))
same("gelu by erf", lambda op, x: op.Gelu(x), lambda op, x: op.Mul(op.Mul(x, f32(0.5)), op.Add(op.Erf(op.Div(x, f32(np.sqrt(2)))), f32(1))))
same("gelu with tanh, spelled out", lambda op, x: op.Gelu(x, approximate="tanh"), lambda op, x: op.Mul(op.Mul(x, f32(0.5)), op.Add(f32(1), op.Tanh(
    op.Mul(f32(np.sqrt(2 / np.pi)), op.Add(x, op.Mul(f32(0.044715), op.Mul(x, op.Mul(x, x)))))))))
same("hard swish by hard sigmoid", lambda op, x: op.HardSwish(x), lambda op, x: op.Mul(x, op.HardSigmoid(x, alpha=1 / 6, beta=0.5)))
same("leaky relu by prelu", lambda op, x: op.LeakyRelu(x, alpha=0.3), lambda op, x: op.PRelu(x, np.full(6, 0.3, f32)))
same("softmax spelled out", lambda op, x: op.Softmax(x), lambda op, x: op.Div(e := op.Exp(op.Sub(x, op.ReduceMax(x, axes(1)))), op.ReduceSum(e, axes(1))))
same("log softmax spelled out", lambda op, x: op.LogSoftmax(x), lambda op, x: op.Sub(x, op.ReduceLogSumExp(x, axes(1))))
same("mean as sum", lambda op, x: op.ReduceMean(x, axes(1)), lambda op, x: op.Div(op.ReduceSum(x, axes(1)), f32(6)))
same("Gemm as MatMul and Add", lambda op, x: op.Gemm(x, w(6, 4), w(4)), lambda op, x: op.Add(op.MatMul(x, w(6, 4)), w(4)))
same("Gemm transposed", lambda op, x: op.Gemm(x, w(6, 4)), lambda op, x: op.Gemm(x, w(6, 4).T.copy(), transB=1))
same("1x1 convolution as a product", lambda op, x: op.Conv(x, w(4, 3, 1, 1)), lambda op, x: op.Transpose(op.MatMul(op.Transpose(
    x, perm=[0, 2, 3, 1]), w(4, 3, 1, 1).reshape(4, 3).T.copy()), perm=[0, 3, 1, 2]), x=EVEN)
same("convolution padded before", conv(pads=[1, 1, 1, 1]), lambda op, x: op.Conv(op.Pad(x, np.array([0, 0, 1, 1, 0, 0, 1, 1])), w(4, 3, 3, 3), w(4, seed=1)), x=EVEN)
same("SAME_UPPER as pads", conv(auto_pad="SAME_UPPER", strides=[2, 2]), conv(strides=[2, 2], pads=[0, 0, 1, 1]), x=EVEN)
same("bias added after", conv(), lambda op, x: op.Add(op.Conv(x, w(4, 3, 3, 3)), w(4, seed=1).reshape(1, 4, 1, 1)), x=EVEN)
same("channels last", conv(), lambda op, x: op.Transpose(op.nhwc.Conv(op.Transpose(x, perm=[0, 2, 3, 1]), w(4, 3, 3, 3), w(4, seed=1)), perm=[0, 3, 1, 2]), x=EVEN)
same("groups as a split", lambda op, x: op.Conv(x, w(4, 2, 3, 3), group=2), lambda op, x: op.Concat(*(op.Conv(
    p, w(4, 2, 3, 3)[2 * k:2 * k + 2]) for k, p in enumerate(op.Split(x, num_outputs=2, axis=1, outputs=2))), axis=1), x=SQUARE)
same("transposed convolution with auto_pad", lambda op, x: op.ConvTranspose(x, w(3, 4, 4, 4), strides=[2, 2], pads=[1, 1, 1, 1]),
     lambda op, x: op.ConvTranspose(x, w(3, 4, 4, 4), strides=[2, 2], auto_pad="SAME_UPPER"), x=EVEN)
same("batch norm folded", lambda op, x: op.BatchNormalization(op.Conv(x, w(4, 3, 3, 3)), np.abs(w(4)) + f32(1), w(4, seed=1), w(4, seed=2), np.abs(w(4, seed=3)) + f32(1)),
     lambda op, x: op.Conv(x, w(4, 3, 3, 3) * (s := (np.abs(w(4)) + f32(1)) / np.sqrt(np.abs(w(4, seed=3)) + f32(1) + f32(1e-5)))[:, None, None, None],
                           w(4, seed=1) - w(4, seed=2) * s), x=EVEN)
same("batch norm as scale and shift", lambda op, x: op.BatchNormalization(x, w(3), w(3, seed=1), w(3, seed=2), np.abs(w(3, seed=3)) + f32(1)),
     lambda op, x: op.Add(op.Mul(op.Sub(x, w(3, seed=2).reshape(1, 3, 1, 1)), (w(3) / np.sqrt(np.abs(w(3, seed=3)) + f32(1) + f32(1e-5))).reshape(1, 3, 1, 1)),
                          w(3, seed=1).reshape(1, 3, 1, 1)), x=EVEN)
same("layer norm spelled out", lambda op, x: op.LayerNormalization(x, w(6), w(6, seed=1), epsilon=1e-5), lambda op, x: op.Add(op.Mul(op.Div(
    d := op.Sub(x, op.ReduceMean(x, axes(1))), op.Sqrt(op.Add(op.ReduceMean(op.Mul(d, d), axes(1)), f32(1e-5)))), w(6)), w(6, seed=1)))
same("global average pool as a mean", lambda op, x: op.GlobalAveragePool(x), lambda op, x: op.ReduceMean(x, axes(2, 3)), x=EVEN)
same("flatten as reshape", lambda op, x: op.Flatten(x), lambda op, x: op.Reshape(x, np.array([0, -1])), x=EVEN)
same("squeeze as reshape", lambda op, x: op.Squeeze(op.ReduceSum(x, axes(1)), axes(1)), lambda op, x: op.ReduceSum(x, axes(1), keepdims=0))
same("two transposes", lambda op, x: op.Identity(x), lambda op, x: op.Transpose(op.Transpose(x, perm=[0, 2, 3, 1]), perm=[0, 3, 1, 2]), x=EVEN)
same("division as product", lambda op, x: op.Div(x, f32(3)), lambda op, x: op.Mul(x, f32(1 / 3)))
same("square by power", lambda op, x: op.Mul(x, x), lambda op, x: op.Pow(x, f32(2)))
same("sum in another order", lambda op, x, y: op.Add(op.Add(x, y), f32(1)), lambda op, x, y: op.Add(x, op.Add(y, f32(1))), x=ROWS, y=ROWS)
same("product of three in another order", lambda op, x: op.MatMul(op.MatMul(x, w(6, 6)), w(6, 4)), lambda op, x: op.MatMul(x, w(6, 6) @ w(6, 4)))
same("where as arithmetic on masks", lambda op, x, mask: op.Where(op.Cast(mask, to=9), op.Sigmoid(x), f32(0)), lambda op, x, mask: op.Mul(op.Sigmoid(x), op.Cast(mask, to=1)),
     x=ROWS, mask=(i64, ROWS))
same("LSTM with its defaults named", lstm(), lstm(activations=["Sigmoid", "Tanh", "Tanh"]), x=SEQUENCE)
same("GRU with its defaults named", gru(1), gru(1), x=SEQUENCE)
same("gather as one-hot", lambda op, i: op.Gather(w(9, 4), i), lambda op, i: op.MatMul(op.OneHot(i, np.array(9), np.array([0, 1], f32)), w(9, 4)), i=(i64, ("N", 3)))
same("weights dequantized early", lambda op, x: op.MatMul(x, op.DequantizeLinear(np.arange(24).reshape(6, 4).astype(np.int8), f32(0.1))),
     lambda op, x: op.MatMul(x, np.arange(24).reshape(6, 4).astype(f32) * f32(0.1)))
same("attention fused", lambda op, q, k: op.MatMul(op.Softmax(op.Mul(op.MatMul(q, op.Transpose(k, perm=[0, 2, 1])), f32(0.5))), k),
     lambda op, q, k: op.MatMul(op.Softmax(op.MatMul(op.Mul(q, f32(0.5)), op.Transpose(k, perm=[0, 2, 1]))), k), q=STEPS, k=STEPS)
same("deep network in two roundings", lambda op, x: deep(op, x, 0), lambda op, x: deep(op, x, 1))
same("depth to space as transpose", lambda op, x: op.DepthToSpace(x, blocksize=2), lambda op, x: op.Reshape(op.Transpose(op.Reshape(
    x, np.array([0, 2, 2, 2, 3, 3])), perm=[0, 3, 4, 1, 5, 2]), np.array([0, 2, 6, 6])), x=("N", 8, 3, 3))


def deep(op: Any, x: Any, how: int) -> Any:
    """Twelve layers, the products associated in one way or the other."""
    for k in range(12):
        a, b = w(6, 6, seed=k, scale=0.45), w(6, seed=k, scale=0.1)
        x = op.Relu(op.Gemm(x, a, b) if how == 0 else op.Add(op.MatMul(x, a), b)) if k % 3 else op.Add(x, op.Tanh(
            op.MatMul(x, a) if how == 0 else op.Transpose(op.MatMul(a.T.copy(), op.Transpose(x, perm=[1, 0])), perm=[1, 0])))
    return x
