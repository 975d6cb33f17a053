"""Bugs that converters have had: a correct graph and the wrong one, a line each where it fits."""
# ruff: noqa: E501  (a table: an entry is one line where it can be)
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from graphs import ROWS, STEPS, Make, graph, w

from modelport.ir.graph import Graph
from modelport.ir.tensor import Tensor

f32, i64, i32, u8, i8 = np.float32, np.int64, np.int32, np.uint8, np.int8
EVEN = ("N", 3, 8, 8)
ODD = ("N", 3, 7, 9)
SQUARE = ("N", 4, 6, 6)


@dataclass(frozen=True)
class Mutant:
    """One bug; both graphs have the same interface."""

    name: str
    inputs: dict[str, Any]
    right: Make
    wrong: Make

    def graphs(self) -> tuple[Graph, Graph]:
        return graph(self.right, **self.inputs), graph(self.wrong, **self.inputs)


MUTANTS: list[Mutant] = []


def bug(name: str, right: Make, wrong: Make, **inputs: Any) -> None:
    MUTANTS.append(Mutant(name, inputs or {"x": ROWS}, right, wrong))


def conv(x: Any = None, k: int = 3, o: int = 4, i: int = 3, **attrs: Any) -> Make:
    return lambda op, x: op.Conv(x, w(o, i, k, k), w(o, seed=1), **attrs)


# convolutions
bug("pad on the wrong side", conv(strides=[2, 2], pads=[0, 0, 1, 1]), conv(strides=[2, 2], pads=[1, 1, 0, 0]), x=EVEN)
bug("SAME_LOWER for SAME_UPPER", conv(auto_pad="SAME_UPPER", strides=[2, 2]), conv(auto_pad="SAME_LOWER", strides=[2, 2]),
    x=EVEN)
bug("explicit pads of another size hard-coded", conv(auto_pad="SAME_UPPER", strides=[2, 2]),
    conv(strides=[2, 2], pads=[1, 1, 1, 1]), x=("N", 3, 8, 8))
bug("kernel transposed in space", conv(), lambda op, x: op.Conv(x, w(4, 3, 3, 3).transpose(0, 1, 3, 2), w(4, seed=1)), x=EVEN)
bug("kernel flipped", conv(), lambda op, x: op.Conv(x, w(4, 3, 3, 3)[..., ::-1, ::-1].copy(), w(4, seed=1)), x=EVEN)
bug("input and output channels swapped", conv(i=4), lambda op, x: op.Conv(x, w(4, 4, 3, 3).transpose(1, 0, 2, 3), w(4, seed=1)),
    x=SQUARE)
bug("bias missing", conv(), lambda op, x: op.Conv(x, w(4, 3, 3, 3)), x=EVEN)
bug("dilation dropped", conv(dilations=[2, 2], pads=[2, 2, 2, 2]), conv(pads=[1, 1, 1, 1]), x=EVEN)
bug("dilation transposed", conv(dilations=[2, 1], pads=[2, 1, 2, 1]), conv(dilations=[1, 2], pads=[1, 2, 1, 2]), x=EVEN)
bug("stride transposed", conv(strides=[2, 1], pads=[1, 1, 1, 1]), lambda op, x: op.Transpose(
    op.Conv(op.Transpose(x, perm=[0, 1, 3, 2]), w(4, 3, 3, 3), w(4, seed=1), strides=[2, 1], pads=[1, 1, 1, 1]),
    perm=[0, 1, 3, 2]), x=EVEN)
bug("grouped channels interleaved", lambda op, x: op.Conv(x, w(4, 2, 3, 3), group=2),
    lambda op, x: op.Conv(op.Gather(x, np.array([0, 2, 1, 3]), axis=1), w(4, 2, 3, 3), group=2), x=SQUARE)
bug("depthwise multiplier order", lambda op, x: op.Conv(x, w(8, 1, 3, 3), group=4),
    lambda op, x: op.Conv(x, w(8, 1, 3, 3).reshape(4, 2, 1, 3, 3).swapaxes(0, 1).reshape(8, 1, 3, 3), group=4), x=SQUARE)
bug("transposed convolution: output padding on the other side",
    lambda op, x: op.ConvTranspose(x, w(3, 4, 3, 3), strides=[2, 2], pads=[0, 0, 1, 1]),
    lambda op, x: op.ConvTranspose(x, w(3, 4, 3, 3), strides=[2, 2], pads=[1, 1, 0, 0]), x=EVEN)
bug("transposed convolution: kernel not flipped", lambda op, x: op.ConvTranspose(x, w(3, 4, 3, 3), strides=[2, 2]),
    lambda op, x: op.ConvTranspose(x, w(3, 4, 3, 3)[..., ::-1, ::-1].copy(), strides=[2, 2]), x=EVEN)
bug("weights rounded to float16", conv(), lambda op, x: op.Conv(x, w(4, 3, 3, 3).astype(np.float16).astype(f32), w(4, seed=1)),
    x=EVEN)
bug("weights rounded to bfloat16", conv(),
    lambda op, x: op.Conv(x, w(4, 3, 3, 3).astype(ml_dtypes.bfloat16).astype(f32), w(4, seed=1)), x=EVEN)
bug("one weight of many is wrong", lambda op, x: op.MatMul(x, w(6, 50)),
    lambda op, x: op.MatMul(x, w(6, 50) + np.eye(6, 50, 20, dtype=f32) * f32(1e-3)))

# pooling
bug("ceil_mode", lambda op, x: op.MaxPool(x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    lambda op, x: op.MaxPool(x, kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 0, 0]), x=ODD)
bug("average of a partial window", lambda op, x: op.AveragePool(x, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
    lambda op, x: op.AveragePool(x, kernel_shape=[2, 2], strides=[2, 2], pads=[0, 0, 1, 1], count_include_pad=1), x=ODD)
bug("count_include_pad", lambda op, x: op.AveragePool(x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    lambda op, x: op.AveragePool(x, kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1), x=EVEN)
bug("max pool pads with zeros", lambda op, x: op.MaxPool(x, kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    lambda op, x: op.MaxPool(op.Pad(x, np.array([0, 0, 1, 1, 0, 0, 1, 1])), kernel_shape=[3, 3]), x=EVEN)
bug("max for average", lambda op, x: op.GlobalAveragePool(x), lambda op, x: op.GlobalMaxPool(x), x=EVEN)
bug("global pool over one axis too few", lambda op, x: op.GlobalAveragePool(x),
    lambda op, x: op.ReduceMax(op.ReduceMean(x, np.array([2])), np.array([3])), x=EVEN)
bug("LpPool p", lambda op, x: op.LpPool(x, kernel_shape=[2, 2], p=2), lambda op, x: op.LpPool(x, kernel_shape=[2, 2], p=1),
    x=EVEN)

# normalization
def batch_norm(eps: float, swap: bool = False) -> Make:
    a, b = (w(3, seed=1), np.abs(w(3, seed=2)) * f32(1e-3))
    return lambda op, x: op.BatchNormalization(x, w(3, seed=3), w(3, seed=4), *((b, np.abs(a)) if swap else (a, b)), epsilon=eps)


bug("batch norm epsilon", batch_norm(1e-3), batch_norm(1e-5), x=EVEN)
bug("mean and variance swapped", batch_norm(1e-3), batch_norm(1e-3, swap=True), x=EVEN)
bug("layer norm epsilon", lambda op, x: op.LayerNormalization(x, w(6), w(6, seed=1), epsilon=1e-3),
    lambda op, x: op.LayerNormalization(x, w(6), w(6, seed=1), epsilon=1e-5))
bug("layer norm axis", lambda op, x: op.LayerNormalization(x, w(4), axis=-1),
    lambda op, x: op.LayerNormalization(x, np.tile(w(4), (4, 1)), axis=-2), x=("N", 4, 4))
bug("layer norm: sample variance", lambda op, x: op.LayerNormalization(x, np.ones(6, f32), epsilon=1e-12), lambda op, x: op.Mul(
    op.LayerNormalization(x, np.ones(6, f32), epsilon=1e-12), f32(np.sqrt(5 / 6))))
bug("group norm: number of groups", lambda op, x: op.GroupNormalization(x, w(4), w(4, seed=1), num_groups=2),
    lambda op, x: op.GroupNormalization(x, w(4), w(4, seed=1), num_groups=4), x=SQUARE)
bug("instance norm for layer norm", lambda op, x: op.InstanceNormalization(x, w(4), w(4, seed=1)),
    lambda op, x: op.GroupNormalization(x, w(4), w(4, seed=1), num_groups=1), x=SQUARE)
bug("LRN size", lambda op, x: op.LRN(x, size=3, alpha=0.1), lambda op, x: op.LRN(x, size=5, alpha=0.1), x=SQUARE)
bug("L2 norm for L1", lambda op, x: op.LpNormalization(x, p=2), lambda op, x: op.LpNormalization(x, p=1))
bug("RMS norm subtracts the mean", lambda op, x: op.RMSNormalization(x, w(6)), lambda op, x: op.LayerNormalization(x, w(6)))

# activations
bug("relu for relu6", lambda op, x: op.Clip(x, f32(0), f32(6)), lambda op, x: op.Relu(x))
bug("leaky relu slope", lambda op, x: op.LeakyRelu(x, alpha=0.3), lambda op, x: op.LeakyRelu(x, alpha=0.2))
bug("elu alpha", lambda op, x: op.Elu(x, alpha=1.0), lambda op, x: op.Elu(x, alpha=0.9))
bug("selu for elu", lambda op, x: op.Selu(x), lambda op, x: op.Elu(x))
bug("gelu: tanh for erf", lambda op, x: op.Gelu(x), lambda op, x: op.Gelu(x, approximate="tanh"))
bug("gelu: sigmoid approximation", lambda op, x: op.Gelu(x), lambda op, x: op.Mul(x, op.Sigmoid(op.Mul(x, f32(1.702)))))
bug("hard sigmoid slope", lambda op, x: op.HardSigmoid(x, alpha=1 / 6, beta=0.5), lambda op, x: op.HardSigmoid(x, alpha=0.2, beta=0.5))
bug("hard swish for swish", lambda op, x: op.Mul(x, op.Sigmoid(x)), lambda op, x: op.HardSwish(x))
bug("softplus overflows", lambda op, x: op.Softplus(x), lambda op, x: op.Log(op.Add(op.Exp(x), f32(1))))
bug("softmax overflows", lambda op, x: op.Softmax(x), lambda op, x: op.Div(op.Exp(x), op.ReduceSum(op.Exp(x), np.array([1]))))
bug("softmax axis", lambda op, x: op.Softmax(x, axis=1), lambda op, x: op.Softmax(x, axis=2), x=("N", 4, 4))
bug("softmax over all but the batch", lambda op, x: op.Softmax(x, axis=2), lambda op, x: op.Reshape(op.Softmax(
    op.Flatten(x)), op.Shape(x)), x=("N", 4, 4))
bug("softmax for log softmax", lambda op, x: op.LogSoftmax(x), lambda op, x: op.Log(op.Softmax(x)))
bug("softsign for tanh", lambda op, x: op.Tanh(x), lambda op, x: op.Softsign(x))
bug("prelu slopes in reverse", lambda op, x: op.PRelu(x, w(6)), lambda op, x: op.PRelu(x, w(6)[::-1].copy()))
bug("thresholded relu: >= for >", lambda op, x: op.ThresholdedRelu(x, alpha=1.5), lambda op, x: op.Where(
    op.GreaterOrEqual(x, f32(1.5)), x, f32(0)))
bug("shrink bias", lambda op, x: op.Shrink(x, lambd=0.5, bias=0.5), lambda op, x: op.Shrink(x, lambd=0.5))
bug("clip bounds", lambda op, x: op.Clip(x, f32(-1), f32(1)), lambda op, x: op.Clip(x, f32(-1), f32(1.00002)))
bug("log1p for log", lambda op, x: op.Log(op.Add(op.Abs(x), f32(1e-3))), lambda op, x: op.Log(op.Add(op.Abs(x), f32(1.5e-3))))
bug("celu alpha", lambda op, x: op.Celu(x, alpha=2.0), lambda op, x: op.Elu(x, alpha=2.0))
bug("mish for swish", lambda op, x: op.Mish(x), lambda op, x: op.Mul(x, op.Sigmoid(x)))

# arithmetic and rounding
bug("half up for half even", lambda op, x: op.Round(x), lambda op, x: op.Floor(op.Add(x, f32(0.5))))
bug("half away for half even", lambda op, x: op.Round(x), lambda op, x: op.Mul(op.Sign(x), op.Floor(op.Add(op.Abs(x), f32(0.5)))))
bug("cast rounds instead of truncating", lambda op, x: op.Cast(op.Cast(op.Clip(x, f32(-99), f32(99)), to=7), to=1),
    lambda op, x: op.Round(op.Clip(x, f32(-99), f32(99))))
bug("floor for truncation", lambda op, x: op.Cast(op.Cast(op.Clip(x, f32(-99), f32(99)), to=7), to=1),
    lambda op, x: op.Floor(op.Clip(x, f32(-99), f32(99))))
bug("operands of Sub swapped", lambda op, x, y: op.Sub(x, y), lambda op, x, y: op.Sub(y, x), x=ROWS, y=ROWS)
bug("operands of Div swapped", lambda op, x: op.Div(f32(2), op.Add(op.Abs(x), f32(1))),
    lambda op, x: op.Div(op.Add(op.Abs(x), f32(1)), f32(2)))
bug("operands of Pow swapped", lambda op, x: op.Pow(op.Abs(x), f32(2)), lambda op, x: op.Pow(f32(2), op.Abs(x)))
bug("integer division rounds down", lambda op, x: op.Div(x, np.array(3)), lambda op, x: op.Cast(
    op.Floor(op.Div(op.Cast(x, to=11), np.array(3.0))), to=7), x=(i64, ROWS))
bug("Mod: sign of the dividend", lambda op, x: op.Mod(x, np.array(3)), lambda op, x: op.Mod(x, np.array(3), fmod=1), x=(i64, ROWS))
bug("float modulo: floor for trunc", lambda op, x: op.Mod(x, f32(3), fmod=1),
    lambda op, x: op.Sub(x, op.Mul(f32(3), op.Floor(op.Div(x, f32(3))))))
bug("sign of zero is one", lambda op, x: op.Sign(x), lambda op, x: op.Where(op.GreaterOrEqual(x, f32(0)), f32(1), f32(-1)))
bug(">= for >", lambda op, x: op.Greater(x, f32(0.5)), lambda op, x: op.GreaterOrEqual(x, f32(0.5)))
bug("< for <=", lambda op, x, y: op.LessOrEqual(x, y), lambda op, x, y: op.Less(x, y), x=ROWS, y=ROWS)
bug("max forgets NaN", lambda op, x: op.Max(x, f32(0)), lambda op, x: op.Where(op.Greater(x, f32(0)), x, f32(0)))
bug("clip forgets NaN", lambda op, x: op.Clip(x, f32(-1), f32(1)), lambda op, x: op.Where(op.IsNaN(x), f32(0), op.Clip(x, f32(-1), f32(1))))
bug("min forgets NaN", lambda op, x: op.Min(x, f32(0)), lambda op, x: op.Where(op.Less(x, f32(0)), x, f32(0)))
bug("reduction forgets NaN", lambda op, x: op.ReduceSum(x, np.array([1])),
    lambda op, x: op.ReduceSum(op.Where(op.IsNaN(x), f32(0), x), np.array([1])))
bug("infinity clipped", lambda op, x: op.Neg(x), lambda op, x: op.Neg(op.Clip(x, f32(-3.4028235e38), f32(3.4028235e38))))
bug("integers through float32", lambda op, x: op.Add(x, np.array(1)), lambda op, x: op.Cast(op.Add(op.Cast(x, to=1), f32(1)), to=7),
    x=(i64, ROWS))
bug("abs of the wrong sign", lambda op, x: op.Sqrt(op.Abs(x)), lambda op, x: op.Sqrt(op.Relu(x)))
bug("reciprocal square root without epsilon", lambda op, x: op.Div(x, op.Sqrt(op.Add(op.Mul(x, x), f32(1e-6)))),
    lambda op, x: op.Div(x, op.Sqrt(op.Add(op.Mul(x, x), f32(1e-7)))))
bug("broadcast along the other axis", lambda op, x: op.Add(x, w(4, 1)), lambda op, x: op.Add(x, w(4, 1).reshape(1, 4)), x=("N", 4, 4))
bug("addend of the wrong sign", lambda op, x: op.Add(x, w(6)), lambda op, x: op.Sub(x, w(6)))
bug("Gemm alpha on the bias too", lambda op, x: op.Gemm(x, w(6, 4), w(4), alpha=0.5), lambda op, x: op.Mul(op.Gemm(x, w(6, 4), w(4)), f32(0.5)))
bug("Gemm beta dropped", lambda op, x: op.Gemm(x, w(6, 4), w(4), beta=0.5), lambda op, x: op.Gemm(x, w(6, 4), w(4)))
bug("square weights not transposed", lambda op, x: op.Gemm(x, w(6, 6), transB=1), lambda op, x: op.Gemm(x, w(6, 6)))
bug("erf by a coarse formula", lambda op, x: op.Erf(x), lambda op, x: op.Tanh(op.Mul(f32(1.1283792), op.Add(x, op.Mul(
    f32(0.0894), op.Mul(x, op.Mul(x, x)))))))

# shape, order, index
bug("batch of one hard-coded", lambda op, x: op.Reshape(op.ReduceSum(x, np.array([2])), np.array([-1, 4])),
    lambda op, x: op.Expand(op.Reshape(op.ReduceSum(op.Slice(x, np.array([0]), np.array([1])), np.array([2])), np.array([1, 4])),
                            op.Concat(op.Shape(x, start=0, end=1), np.array([4]), axis=0)), x=("N", 4, 4))
bug("wrong axis of equal size", lambda op, x: op.ReduceSum(x, np.array([1])), lambda op, x: op.ReduceSum(x, np.array([2])), x=("N", 4, 4))
bug("permutation inverted", lambda op, x: op.Transpose(x, perm=[0, 2, 3, 1]), lambda op, x: op.Transpose(x, perm=[0, 3, 1, 2]),
    x=("N", 4, 4, 4))
bug("flattened in another order", lambda op, x: op.Flatten(op.Transpose(x, perm=[0, 2, 3, 1])), lambda op, x: op.Flatten(x), x=EVEN)
bug("concat in another order", lambda op, x, y: op.Concat(x, y, axis=1), lambda op, x, y: op.Concat(y, x, axis=1), x=ROWS, y=ROWS)
bug("concat on another axis", lambda op, x: op.Reshape(op.Concat(x, op.Neg(x), axis=1), np.array([-1, 32])),
    lambda op, x: op.Reshape(op.Concat(x, op.Neg(x), axis=2), np.array([-1, 32])), x=("N", 4, 4))
bug("split halves swapped", lambda op, x: op.Split(x, num_outputs=2, axis=1, outputs=2)[0],
    lambda op, x: op.Split(x, num_outputs=2, axis=1, outputs=2)[1])
bug("slice ends one early", lambda op, x: op.ReduceSum(op.Slice(x, np.array([1]), np.array([6]), np.array([1])), np.array([1])),
    lambda op, x: op.ReduceSum(op.Slice(x, np.array([1]), np.array([5]), np.array([1])), np.array([1])))
bug("slice step ignored in order", lambda op, x: op.Slice(x, np.array([5]), np.array([-7]), np.array([1]), np.array([-1])), lambda op, x: op.Identity(x))
bug("pad: edge for reflect", lambda op, x: op.Pad(x, np.array([0, 0, 1, 1, 0, 0, 1, 1]), mode="reflect"),
    lambda op, x: op.Pad(x, np.array([0, 0, 1, 1, 0, 0, 1, 1]), mode="edge"), x=EVEN)
bug("pad value", lambda op, x: op.Pad(x, np.array([0, 1, 0, 1]), f32(1)), lambda op, x: op.Pad(x, np.array([0, 1, 0, 1])))
bug("pads interleaved", lambda op, x: op.Pad(x, np.array([0, 0, 1, 0, 0, 0, 1, 2])), lambda op, x: op.Pad(x, np.array([0, 0, 1, 1, 0, 0, 1, 1])), x=EVEN)
bug("gather: negative index clamped", lambda op, i: op.Gather(w(9, 4), i), lambda op, i: op.Gather(w(9, 4), op.Max(i, np.array(0))), i=(i64, ("N", 3)))
bug("gather: table off by one", lambda op, i: op.Gather(w(9, 4), i), lambda op, i: op.Gather(np.roll(w(9, 4), 1, 0), i), i=(i64, ("N", 3)))
bug("embedding: padding row zeroed", lambda op, i: op.Gather(w(9, 4), i), lambda op, i: op.Gather(w(9, 4) * (np.arange(9) > 0).astype(f32)[:, None], i), i=(i64, ("N", 3)))
bug("argmax: last of equals", lambda op, x: op.ArgMax(x, axis=1), lambda op, x: op.ArgMax(x, axis=1, select_last_index=1))
bug("argmin for argmax", lambda op, x: op.ArgMax(x, axis=1), lambda op, x: op.ArgMin(x, axis=1))
bug("top k: smallest", lambda op, x: op.TopK(x, np.array([3]), outputs=2)[0], lambda op, x: op.Neg(op.TopK(op.Neg(op.Abs(x)), np.array([3]), outputs=2)[0]))
bug("top k: ties by the last index", lambda op, x: op.TopK(x, np.array([2]), outputs=2)[1],
    lambda op, x: op.Sub(np.array(5), op.TopK(op.Slice(x, np.array([5]), np.array([-7]), np.array([1]), np.array([-1])), np.array([2]), outputs=2)[1]))
bug("one-hot values in the other order", lambda op, i: op.OneHot(i, np.array(5), np.array([0, 1], f32)),
    lambda op, i: op.OneHot(i, np.array(5), np.array([1, 0], f32)), i=(i64, ("N",)))
bug("one-hot axis", lambda op, i: op.OneHot(i, np.array(5), np.array([0, 1], f32), axis=1),
    lambda op, i: op.OneHot(i, np.array(5), np.array([0, 1], f32), axis=-1), i=(i64, ("N", 5)))
bug("cumulative sum: exclusive", lambda op, x: op.CumSum(x, np.array(1)), lambda op, x: op.CumSum(x, np.array(1), exclusive=1))
bug("cumulative sum: reverse", lambda op, x: op.CumSum(x, np.array(1)), lambda op, x: op.CumSum(x, np.array(1), reverse=1))
bug("upper triangle for lower", lambda op, x: op.Trilu(x, upper=1), lambda op, x: op.Trilu(x, upper=0), x=("N", 4, 4))
bug("triangle shifted", lambda op, x: op.Trilu(x, np.array(1)), lambda op, x: op.Trilu(x, np.array(0)), x=("N", 4, 4))
bug("space to depth order", lambda op, x: op.DepthToSpace(x, blocksize=2), lambda op, x: op.DepthToSpace(x, blocksize=2, mode="CRD"), x=("N", 8, 3, 3))
bug("mean over the batch", lambda op, x: op.Sub(x, op.ReduceMean(x, np.array([1]))), lambda op, x: op.Sub(x, op.ReduceMean(x, np.array([0]))))
bug("mean counts the wrong length", lambda op, x: op.ReduceMean(x, np.array([1])), lambda op, x: op.Div(op.ReduceSum(x, np.array([1])), f32(5)), x=("N", "T", 4))
bug("log sum exp overflows", lambda op, x: op.ReduceLogSumExp(x, np.array([1])), lambda op, x: op.Log(op.ReduceSum(op.Exp(x), np.array([1]))))
bug("tile in another order", lambda op, x: op.Tile(x, np.array([1, 2])), lambda op, x: op.Reshape(op.Concat(
    op.Unsqueeze(x, np.array([2])), op.Unsqueeze(x, np.array([2])), axis=2), np.array([0, -1])))
bug("where branches swapped", lambda op, x: op.Where(op.Greater(x, f32(0)), x, op.Mul(x, f32(2))), lambda op, x: op.Where(op.Greater(x, f32(0)), op.Mul(x, f32(2)), x))
bug("logical or for and", lambda op, x: op.And(op.Greater(x, f32(0)), op.Less(x, f32(1))), lambda op, x: op.Or(op.Greater(x, f32(0)), op.Less(x, f32(1))))
bug("mask inverted", lambda op, x, mask: op.Where(op.Cast(mask, to=9), x, f32(-1e4)), lambda op, x, mask: op.Where(op.Not(op.Cast(mask, to=9)), x, f32(-1e4)), x=ROWS, mask=(i64, ROWS))
bug("mask value too small", lambda op, x, mask: op.Softmax(op.Where(op.Cast(mask, to=9), x, f32(-np.inf))),
    lambda op, x, mask: op.Softmax(op.Add(x, op.Mul(f32(-10), op.Sub(f32(1), op.Cast(mask, to=1))))), x=ROWS, mask=(i64, ROWS))


# resizing
def resize(**attrs: Any) -> Make:
    return lambda op, x: op.Resize(x, None, np.array([1, 1, 1.5, 2], f32), **attrs)


for mode, a, b in (("linear", "half_pixel", "asymmetric"), ("linear", "half_pixel", "align_corners"), ("linear", "align_corners", "asymmetric"),
                   ("nearest", "half_pixel", "asymmetric"), ("cubic", "half_pixel", "align_corners")):
    bug(f"resize {mode}: {b} for {a}", resize(mode=mode, coordinate_transformation_mode=a), resize(mode=mode, coordinate_transformation_mode=b), x=("N", 2, 5, 4))
bug("resize: nearest for linear", resize(mode="linear"), resize(mode="nearest"), x=("N", 2, 5, 4))
bug("resize: rounding of nearest", resize(mode="nearest", coordinate_transformation_mode="half_pixel", nearest_mode="floor"),
    resize(mode="nearest", coordinate_transformation_mode="half_pixel", nearest_mode="ceil"), x=("N", 2, 5, 4))
bug("resize: cubic coefficient", resize(mode="cubic", cubic_coeff_a=-0.75), resize(mode="cubic", cubic_coeff_a=-0.5), x=("N", 2, 5, 4))
bug("resize: antialias", lambda op, x: op.Resize(x, None, np.array([1, 1, 0.5, 0.5], f32), mode="linear", antialias=1),
    lambda op, x: op.Resize(x, None, np.array([1, 1, 0.5, 0.5], f32), mode="linear"), x=EVEN)
bug("height and width hard-coded", lambda op, x: op.Div(op.ReduceSum(x, np.array([2, 3]), keepdims=1), op.Cast(op.Mul(
    op.Shape(x, start=2, end=3), op.Shape(x, start=3, end=4)), to=1)),
    lambda op, x: op.Div(op.ReduceSum(x, np.array([2, 3]), keepdims=1), f32(1024)), x=("N", 3, "H", "W"))
bug("grid sample: align corners", lambda op, x, g: op.GridSample(x, op.Tanh(g), align_corners=0), lambda op, x, g: op.GridSample(x, op.Tanh(g), align_corners=1), x=EVEN, g=("N", 4, 4, 2))


# recurrent
def lstm(swap: tuple[int, ...] = (0, 1, 2, 3), direction: str = "forward", **attrs: Any) -> Make:
    ways = 2 if direction == "bidirectional" else 1

    def gates(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return a.reshape(ways, 4, 3, -1)[:, list(swap)].reshape(a.shape)
    return lambda op, x: op.LSTM(x, gates(w(ways, 12, 4)), gates(w(ways, 12, 3)), np.concatenate(
        [gates(w(ways, 12, 1)).reshape(ways, 12), np.zeros((ways, 12), f32)], 1), hidden_size=3, direction=direction, **attrs)


SEQUENCE = (5, "N", 4)
bug("LSTM gates swapped", lstm(), lstm((0, 2, 1, 3)), x=SEQUENCE)
bug("LSTM direction missing", lstm(direction="reverse"), lstm(), x=SEQUENCE)
bug("LSTM gates in another order", lstm(), lstm((0, 1, 3, 2)), x=SEQUENCE)


def gru(reset: int, h: float = 0.0, order: tuple[int, ...] = (0, 1, 2)) -> Make:
    def gates(a: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return a.reshape(1, 3, 3, -1)[:, list(order)].reshape(a.shape)
    return lambda op, x: op.GRU(x, gates(w(1, 9, 4)), gates(w(1, 9, 3)), w(1, 18), hidden_size=3, linear_before_reset=reset)


bug("GRU reset after", gru(1), gru(0), x=SEQUENCE)
bug("GRU gates swapped", gru(1), gru(1, order=(1, 0, 2)), x=SEQUENCE)
bug("RNN: relu for tanh", lambda op, x: op.RNN(x, w(1, 3, 4), w(1, 3, 3), hidden_size=3),
    lambda op, x: op.RNN(x, w(1, 3, 4), w(1, 3, 3), hidden_size=3, activations=["Relu"]), x=SEQUENCE)
bug("RNN: recurrent weights transposed", lambda op, x: op.RNN(x, w(1, 3, 4), w(1, 3, 3), hidden_size=3),
    lambda op, x: op.RNN(x, w(1, 3, 4), w(1, 3, 3).transpose(0, 2, 1), hidden_size=3), x=SEQUENCE)
bug("all-zero steps not masked", lambda op, x: op.ReduceSum(op.Mul(op.Add(x, f32(1)), op.Cast(op.ReduceMax(op.Cast(op.Not(op.Equal(
    x, f32(0))), to=1), np.array([2])), to=1)), np.array([1])), lambda op, x: op.ReduceSum(op.Add(x, f32(1)), np.array([1])), x=STEPS)


def scan(**attrs: Any) -> Make:
    def make(op: Any, x: Any) -> Any:
        body = graph(lambda op, s, v: ((t := op.Add(op.Mul(s, f32(0.5)), v)), op.Identity(t)), s=(4,), v=(4,))
        return op.Scan(np.zeros(4, f32), x, body=body, num_scan_inputs=1, outputs=2, **attrs)[1]
    return make


bug("scan in reverse", scan(), scan(scan_input_directions=[1]), x=("T", 4))
bug("scan outputs in reverse", scan(), scan(scan_output_directions=[1]), x=("T", 4))


# attention
def attention(scale: float, causal: bool = False) -> Make:
    def make(op: Any, q: Any, k: Any) -> Any:
        s = op.Mul(op.MatMul(q, op.Transpose(k, perm=[0, 2, 1])), f32(scale))
        if causal:
            s = op.Add(s, np.triu(np.full((5, 5), -1e9, f32), 1))
        return op.MatMul(op.Softmax(s), k)
    return make


bug("attention scale", attention(0.5), attention(0.25), q=STEPS, k=STEPS)
bug("attention not causal", attention(0.5, True), attention(0.5), q=STEPS, k=STEPS)


# quantization
def qdq(scale: float, zero: int, add: int = 0) -> Make:
    return lambda op, x: op.QuantizeLinear(op.MatMul(op.DequantizeLinear(x, f32(0.1), i8(3 + add)), w(6, 4)), f32(scale), i8(zero))


bug("quantization scale", qdq(0.05, 0), qdq(0.055, 0), x=(i8, ROWS))
bug("zero point off by three", qdq(0.05, 0), qdq(0.05, 3), x=(i8, ROWS))
bug("input's zero point off by one", qdq(0.05, 0), qdq(0.05, 0, 1), x=(i8, ROWS))
bug("dequantize forgets the zero point", lambda op, x: op.DequantizeLinear(x, f32(0.1), u8(128)), lambda op, x: op.Mul(op.Cast(x, to=1), f32(0.1)), x=(u8, ROWS))
bug("scale per tensor for per channel", lambda op, x: op.MatMul(x, op.DequantizeLinear(np.arange(24).reshape(6, 4).astype(i8), w(4), axis=1)),
    lambda op, x: op.MatMul(x, op.DequantizeLinear(np.arange(24).reshape(6, 4).astype(i8), f32(w(4)[0]))))
bug("scale along the other axis", lambda op, x: op.MatMul(x, op.DequantizeLinear(np.arange(36).reshape(6, 6).astype(i8), w(6), axis=1)),
    lambda op, x: op.MatMul(x, op.DequantizeLinear(np.arange(36).reshape(6, 6).astype(i8), w(6), axis=0)))
bug("int8 for uint8", lambda op, x: op.Cast(x, to=1), lambda op, x: op.Cast(op.BitCast(x, to=3), to=1), x=(u8, ROWS))


# trees
def tree(mode: int = 0, thresholds: tuple[float, ...] = (0.3, -1.7, 2.5), missing: tuple[int, ...] = (0, 0, 0), leaf: float = 4.0,
         feature: int = 1) -> Make:
    """BRANCH_LEQ (0) or BRANCH_LT (1) on three nodes and four leaves."""
    return lambda op, x: op.ml.TreeEnsemble(
        x, nodes_splits=Tensor(np.array(thresholds, f32)), nodes_featureids=[0, feature, 2], nodes_modes=Tensor(np.full(3, mode, u8)),
        nodes_truenodeids=[1, 0, 2], nodes_falsenodeids=[2, 1, 3], nodes_trueleafs=[0, 1, 1], nodes_falseleafs=[0, 1, 1],
        nodes_missing_value_tracks_true=list(missing), tree_roots=[0], leaf_targetids=[0, 0, 0, 0],
        leaf_weights=Tensor(np.array([1.0, 2.0, 3.0, leaf], f32)), n_targets=1, aggregate_function=1)


bug("tree: < for <=", tree(0), tree(1))
bug("tree: threshold rounded to the next float32", tree(), tree(thresholds=(float(np.nextafter(f32(0.3), f32(1))), -1.7, 2.5)))
bug("tree: threshold as float16", tree(), tree(thresholds=(float(np.float16(0.3)), -1.7, 2.5)))
bug("tree: missing values go the other way", tree(), tree(missing=(1, 0, 0)))
bug("tree: another feature", tree(), tree(feature=3))
bug("tree: a leaf's weight", tree(), tree(leaf=4.001))


# other tabular operators
bug("label encoder: default", lambda op, s: op.ml.LabelEncoder(s, keys_strings=["a", "b"], values_int64s=[1, 2], default_int64=-1),
    lambda op, s: op.ml.LabelEncoder(s, keys_strings=["a", "b"], values_int64s=[1, 2], default_int64=0), s=(str, ("N",)))
bug("label encoder: two labels swapped", lambda op, s: op.ml.LabelEncoder(s, keys_strings=["a", "b", "c"], values_int64s=[1, 2, 3]),
    lambda op, s: op.ml.LabelEncoder(s, keys_strings=["a", "b", "c"], values_int64s=[1, 3, 2]), s=(str, ("N",)))
bug("one-hot encoder: unknown category", lambda op, s: op.ml.OneHotEncoder(s, cats_int64s=[3, 7, 9]), lambda op, s: op.ml.OneHotEncoder(
    op.Max(s, np.array(3)), cats_int64s=[3, 7, 9]), s=(i64, ("N", 1)))
bug("scaler divides", lambda op, x: op.ml.Scaler(x, offset=[1.0] * 6, scale=[2.0] * 6), lambda op, x: op.ml.Scaler(x, offset=[1.0] * 6, scale=[0.5] * 6))
bug("scaler: offset after the scale", lambda op, x: op.ml.Scaler(x, offset=[1.0] * 6, scale=[2.0] * 6),
    lambda op, x: op.Sub(op.ml.Scaler(x, offset=[0.0] * 6, scale=[2.0] * 6), f32(1)))
bug("normalizer: L1 for L2", lambda op, x: op.ml.Normalizer(x, norm="L2"), lambda op, x: op.ml.Normalizer(x, norm="L1"))
bug("binarizer: >= for >", lambda op, x: op.ml.Binarizer(x, threshold=0.25), lambda op, x: op.Cast(op.GreaterOrEqual(x, f32(0.25)), to=1))
bug("imputer does nothing", lambda op, x: op.Where(op.IsNaN(x), f32(0.5), x), lambda op, x: op.Identity(x))
bug("imputed with the wrong column", lambda op, x: op.Where(op.IsNaN(x), w(6), x), lambda op, x: op.Where(op.IsNaN(x), w(6)[::-1].copy(), x))
bug("large offsets in float32", lambda op, x: op.Cast(op.Div(op.Sub(op.Cast(x, to=11), np.array(1234.5678)), np.array(0.01)), to=1),
    lambda op, x: op.Div(op.Sub(x, f32(1234.5)), f32(0.01)))
bug("outputs swapped", lambda op, x: (op.Relu(x), op.Neg(x)), lambda op, x: (op.Neg(x), op.Relu(x)))
bug("a row scaled by its neighbour", lambda op, x: op.Div(x, op.Add(op.ReduceMax(op.Abs(x), np.array([1])), f32(1))),
    lambda op, x: op.Div(x, op.Add(op.ReduceMax(op.Abs(x)), f32(1))))
bug("strings joined in the other order", lambda op, s, t: op.StringConcat(s, t), lambda op, s, t: op.StringConcat(t, s),
    s=(str, ("N",)), t=(str, ("N",)))
