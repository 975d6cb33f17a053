"""Convolutions, pooling, normalisation, products, recurrent cells.

Source: tensorflow/core/framework/common_shape_fns.cc (padding), tensorflow/core/kernels."""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....ir.tensor import Array
from .maths import _sigmoid
from .table import OPS, Refused, bounded, op

Pairs = list[tuple[int, int]]


def padding(size: int, kernel: int, stride: int, dilation: int, kind: str,
            explicit: tuple[int, int]) -> tuple[int, int]:
    """How much is padded before and behind one axis."""
    if kind == "VALID":
        return 0, 0
    if kind == "EXPLICIT":
        return explicit
    total = max((-(-size // stride) - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def last(x: Array, data_format: str) -> Array:
    """Channels last, whatever the format says."""
    return np.moveaxis(x, 1, -1) if data_format.startswith("NC") and len(data_format) > 3 else x


def back(x: Array, data_format: str) -> Array:
    return np.moveaxis(x, -1, 1) if data_format.startswith("NC") and len(data_format) > 3 else x


def spatial(values: Sequence[int], data_format: str) -> list[int]:
    return list(values[2:]) if data_format.startswith("NC") else list(values[1:-1])


def explicit_of(explicit: Sequence[int], data_format: str, n: int) -> Pairs:
    pairs = [(int(explicit[2 * k]), int(explicit[2 * k + 1])) for k in range(len(explicit) // 2)]
    return (pairs[2:] if data_format.startswith("NC") else pairs[1:-1]) if pairs else [(0, 0)] * n


def windows(x: Array, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int], pads: Pairs,
            fill: Any) -> Array:
    """Windows of a channels-last array: batch, positions..., channels, offsets..."""
    n = len(kernel)
    x = np.pad(x, [(0, 0), *pads, (0, 0)], constant_values=fill)
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    if any(s < r for s, r in zip(x.shape[1:-1], reach, strict=True)):
        raise Refused("a window that is larger than the input")
    w = np.lib.stride_tricks.sliding_window_view(x, reach, tuple(range(1, n + 1)))
    where: tuple[Any, ...] = (slice(None), *(slice(None, None, s) for s in strides), slice(None),
                              *(slice(None, None, d) for d in dilations))
    return np.asarray(w[where])


def _convolved(x: Array, w: Array, strides: Sequence[int], dilations: Sequence[int], kind: str, explicit: Pairs,
               depthwise: bool = False) -> Array:
    n = w.ndim - 2
    kernel = w.shape[:n]
    pads = [padding(s, k, t, d, kind, e) for s, k, t, d, e in zip(
        x.shape[1:-1], kernel, strides, dilations, explicit, strict=True)]
    p = windows(x, kernel, strides, dilations, pads, 0)
    lead = p.shape[:n + 1]
    rows, size = math.prod(lead), math.prod(kernel)
    high = np.float64 if x.dtype == np.float64 else np.float32
    if depthwise:
        cells = w.reshape(size, *w.shape[n:]).astype(high)
        made: Array = np.einsum("rcs,scm->rcm", p.reshape(rows, x.shape[-1], size).astype(high), cells)
        return made.reshape(*lead, -1).astype(x.dtype)
    groups = x.shape[-1] // w.shape[n]
    cols = p.reshape(rows, groups, w.shape[n], size).astype(high)
    kernel_rows = w.reshape(size, w.shape[n], groups, -1).astype(high)
    made = np.concatenate([np.tensordot(cols[:, g], kernel_rows[:, :, g], ([1, 2], [1, 0])) for g in range(groups)], -1)
    return made.reshape(*lead, -1).astype(x.dtype)


@op("Conv2D", "Conv3D", fold=False)
def conv(x: Array, w: Array, *, strides: Any, padding: str, explicit_paddings: Any = (), data_format: str = "NHWC",
         dilations: Any = None, use_cudnn_on_gpu: bool = True) -> Any:
    n = w.ndim - 2
    f = data_format
    d = spatial(dilations, f) if dilations is not None else [1] * n
    return back(_convolved(last(x, f), w, spatial(strides, f), d, padding, explicit_of(explicit_paddings, f, n)), f)


@op("FusedPadConv2D", fold=False)
def padded_conv(x: Array, paddings: Array, w: Array, *, mode: str, strides: Any, padding: str) -> Any:
    return conv(np.pad(x, paddings, mode=mode.lower()), w, strides=strides, padding=padding)  # type: ignore[call-overload]


@op("DepthwiseConv2dNative", fold=False)
def depthwise(x: Array, w: Array, *, strides: Any, padding: str, explicit_paddings: Any = (),
              data_format: str = "NHWC", dilations: Any = (1, 1, 1, 1)) -> Any:
    f = data_format
    return back(_convolved(last(x, f), w, spatial(strides, f), spatial(dilations, f), padding,
                           explicit_of(explicit_paddings, f, 2), True), f)


@op("Conv2DBackpropInput", "Conv3DBackpropInputV2", "DepthwiseConv2dNativeBackpropInput", fold=False)
def conv_transposed(size: Array, w: Array, y: Array, *, strides: Any, padding: str, explicit_paddings: Any = (),
                    data_format: str = "NHWC", dilations: Any = None, use_cudnn_on_gpu: bool = True,
                    deep: bool = False) -> Any:
    n = w.ndim - 2
    f = data_format
    y = last(y, f)
    s, d = spatial(strides, f), spatial(dilations, f) if dilations is not None else [1] * n
    sizes = [int(v) for v in size]
    if len(sizes) == n:
        sizes = [y.shape[0], *sizes, w.shape[n]] if not f.startswith("NC") else [y.shape[0], w.shape[n], *sizes]
    out = spatial(sizes, f)
    kernel = w.shape[:n]
    ex = explicit_of(explicit_paddings, f, n)
    from . import nn
    pads = [nn.padding(o, k, t, e, padding, x) for o, k, t, e, x in zip(out, kernel, s, d, ex, strict=True)]
    room = [max(o + a + b, (p - 1) * t + (k - 1) * e + 1) for o, (a, b), p, t, k, e in zip(
        out, pads, y.shape[1:-1], s, kernel, d, strict=True)]
    channels = w.shape[n]
    made = np.zeros((y.shape[0], *bounded(room), channels), y.dtype)
    for at in np.ndindex(*kernel):
        where = tuple(slice(a * e, a * e + (p - 1) * t + 1, t) for a, e, p, t in zip(
            at, d, y.shape[1:-1], s, strict=True))
        if deep:
            part = (y.reshape(*y.shape[:-1], channels, -1) * w[at]).sum(-1)
        else:
            part = y @ w[at].T
        here = (slice(None), *where)
        made[here] += part.astype(y.dtype)
    cut = tuple(slice(a, a + o) for (a, _), o in zip(pads, out, strict=True))
    kept = (slice(None), *cut)
    return back(made[kept], f)


OPS["DepthwiseConv2dNativeBackpropInput"] = lambda size, w, y, **k: conv_transposed(size, w, y, deep=True, **k)


def _pool(x: Array, ksize: Any, strides: Any, kind: str, explicit: Any, f: str, how: str) -> Array:
    k, s = spatial(ksize, f), spatial(strides, f)
    c = list(ksize)[1] if f.startswith("NC") else list(ksize)[-1]
    if c != 1 or ksize[0] != 1:
        raise Refused("pooling of channels or of the batch")
    y = last(x, f)
    pads = [padding(a, b, t, 1, kind, e) for a, b, t, e in zip(
        y.shape[1:-1], k, s, explicit_of(explicit, f, len(k)), strict=True)]
    axes = tuple(range(-len(k), 0))
    low: Any = np.iinfo(x.dtype).min if x.dtype.kind in "iu" else -np.inf
    if how == "max":
        return back(windows(y, k, s, [1] * len(k), pads, low).max(axes), f)
    total = windows(y, k, s, [1] * len(k), pads, 0).sum(axes, dtype=np.float64)
    count = windows(np.ones((1, *y.shape[1:-1], 1)), k, s, [1] * len(k), pads, 0).sum(axes)
    return back((total / count).astype(x.dtype), f)


@op("MaxPool", "MaxPool3D", fold=False)
def max_pool(x: Array, *, ksize: Any, strides: Any, padding: str, explicit_paddings: Any = (),
             data_format: str = "NHWC") -> Any:
    return _pool(x, ksize, strides, padding, explicit_paddings, data_format, "max")


@op("MaxPoolV2", fold=False)
def max_pool_v2(x: Array, ksize: Array, strides: Array, *, padding: str, data_format: str = "NHWC") -> Any:
    return _pool(x, [int(v) for v in ksize], [int(v) for v in strides], padding, (), data_format, "max")


@op("AvgPool", "AvgPool3D", fold=False)
def avg_pool(x: Array, *, ksize: Any, strides: Any, padding: str, data_format: str = "NHWC") -> Any:
    return _pool(x, ksize, strides, padding, (), data_format, "mean")


@op("MaxPoolWithArgmax", fold=False)
def max_pool_argmax(x: Array, *, ksize: Any, strides: Any, padding: str, Targmax: Any = np.int64,
                    include_batch_in_index: bool = False) -> Any:
    k, s = list(ksize[1:3]), list(strides[1:3])
    from . import nn
    pads = [nn.padding(a, b, t, 1, padding, (0, 0)) for a, b, t in zip(x.shape[1:3], k, s, strict=True)]
    n, h, w, c = x.shape
    place = np.arange(n * h * w * c).reshape(x.shape)
    if not include_batch_in_index:
        place = place % (h * w * c)
    values, at = windows(x, k, s, [1, 1], pads, -np.inf), windows(place, k, s, [1, 1], pads, -1)
    flat = values.reshape(*values.shape[:4], -1)
    best = flat.argmax(-1)[..., None]
    chosen = np.take_along_axis(at.reshape(flat.shape), best, -1)[..., 0]
    return np.take_along_axis(flat, best, -1)[..., 0], chosen.astype(Targmax)


@op("FractionalMaxPool", "FractionalAvgPool", fold=False)
def fractional(x: Array, **_: Any) -> Any:
    raise Refused("fractional pooling, whose regions are random")


@op("LRN", fold=False)
def lrn(x: Array, *, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5) -> Any:
    squares = np.pad(x * x, [(0, 0)] * (x.ndim - 1) + [(depth_radius, depth_radius)])
    total = np.lib.stride_tricks.sliding_window_view(squares, 2 * depth_radius + 1, -1).sum(-1)
    return (x / (bias + alpha * total) ** beta).astype(x.dtype)


@op("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3", fold=False)
def batch_norm(x: Array, scale: Array, offset: Array, mean: Array, variance: Array, *, epsilon: float = 1e-4,
               exponential_avg_factor: float = 1.0, data_format: str = "NHWC", is_training: bool = True) -> Any:
    y = last(x, data_format).astype(scale.dtype)
    biased = variance
    if is_training:
        axes = tuple(range(y.ndim - 1))
        n = math.prod(y.shape[:-1])
        mean, biased = y.mean(axes, dtype=np.float64).astype(scale.dtype), y.var(axes, dtype=np.float64)
        variance = (biased * n / max(n - 1, 1)).astype(scale.dtype)
    made = (y - mean) * (scale / np.sqrt(biased + epsilon)) + offset
    return back(made.astype(x.dtype), data_format), mean, variance, mean, variance, np.zeros((), scale.dtype)


@op("BatchNormWithGlobalNormalization", fold=False)
def batch_norm_global(x: Array, mean: Array, variance: Array, beta: Array, gamma: Array, *, variance_epsilon: float,
                      scale_after_normalization: bool) -> Any:
    y = (x - mean) / np.sqrt(variance + np.asarray(variance_epsilon, x.dtype))
    return ((y * gamma if scale_after_normalization else y) + beta).astype(x.dtype)


def _turned(x: Array, transpose: bool, conjugate: bool = False) -> Array:
    y = np.swapaxes(x, -1, -2) if transpose else x
    return np.conj(y) if conjugate else y


@op("MatMul", "SparseMatMul")
def matmul(a: Array, b: Array, *, transpose_a: bool = False, transpose_b: bool = False, a_is_sparse: bool = False,
           b_is_sparse: bool = False, grad_a: bool = False, grad_b: bool = False) -> Any:
    return _product(_turned(a, transpose_a), _turned(b, transpose_b))


def _product(a: Array, b: Array) -> Array:
    if a.dtype.itemsize == 2 and a.dtype.kind in "fV":
        return (a.astype(np.float32) @ b.astype(np.float32)).astype(a.dtype)
    return np.asarray(a @ b)


@op("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def batch_matmul(a: Array, b: Array, *, adj_x: bool = False, adj_y: bool = False, Tout: Any = None,
                 grad_x: bool = False, grad_y: bool = False) -> Any:
    made = _product(_turned(a, adj_x, adj_x), _turned(b, adj_y, adj_y))
    return made if Tout is None else made.astype(Tout)


@op("Einsum")
def einsum(*xs: Array, equation: str) -> Any:
    return np.einsum(equation.replace(" ", ""), *xs, optimize=True).astype(xs[0].dtype)


@op("Cross")
def cross(a: Array, b: Array) -> Any:
    return np.cross(a, b)


@op("MatrixInverse", "BatchMatrixInverse")
def inverse(x: Array, *, adjoint: bool = False) -> Any:
    return np.linalg.inv(_turned(x, adjoint, adjoint))


@op("MatrixDeterminant", "BatchMatrixDeterminant")
def determinant(x: Array) -> Any:
    return np.linalg.det(x).astype(x.dtype)


@op("LogMatrixDeterminant")
def log_determinant(x: Array) -> Any:
    sign, log = np.linalg.slogdet(x)
    return sign.astype(x.dtype), log.astype(x.dtype)


@op("MatrixSolve", "BatchMatrixSolve")
def solve(a: Array, b: Array, *, adjoint: bool = False) -> Any:
    return np.linalg.solve(_turned(a, adjoint, adjoint), b)


@op("MatrixTriangularSolve", "BatchMatrixTriangularSolve")
def triangular_solve(a: Array, b: Array, *, lower: bool = True, adjoint: bool = False) -> Any:
    t = np.tril(a) if lower else np.triu(a)
    return np.linalg.solve(_turned(t, adjoint, adjoint), b)


@op("Cholesky", "BatchCholesky")
def cholesky(x: Array) -> Any:
    return np.linalg.cholesky(np.tril(x) + np.conj(np.swapaxes(np.tril(x, -1), -1, -2)))


@op("Svd", fold=False)
def svd(x: Array, *, compute_uv: bool = True, full_matrices: bool = False) -> Any:
    if compute_uv:
        raise Refused("singular vectors: their signs are anyone's choice")
    return np.linalg.svd(x, compute_uv=False), np.zeros(0, x.dtype), np.zeros(0, x.dtype)


@op("SelfAdjointEigV2", fold=False)
def eigenvalues(x: Array, *, compute_v: bool = True) -> Any:
    if compute_v:
        raise Refused("eigenvectors: their signs are anyone's choice")
    return np.linalg.eigvalsh(x), np.zeros(0, x.dtype)


@op("Qr", fold=False)
def qr(x: Array, *, full_matrices: bool = False) -> Any:
    """LAPACK reflects with the signs that Eigen has too."""
    return tuple(np.linalg.qr(x, "complete" if full_matrices else "reduced"))


@op("Lu", fold=False)
def lu(x: Array, *, output_idx_type: Any = np.int32) -> Any:
    """Both factors in one matrix, and the order of the rows."""
    flat = x.reshape(-1, *x.shape[-2:]).copy()
    n = flat.shape[-1]
    order = np.tile(np.arange(n), (len(flat), 1))
    for a, rows in zip(flat, order, strict=True):
        for k in range(n):
            best = k + int(np.abs(a[k:, k]).argmax())
            a[[k, best]], rows[[k, best]] = a[[best, k]], rows[[best, k]]
            a[k + 1:, k] /= a[k, k]
            a[k + 1:, k + 1:] -= np.outer(a[k + 1:, k], a[k, k + 1:])
    return flat.reshape(x.shape), order.reshape(x.shape[:-1]).astype(output_idx_type)


def _activation(name: str, alpha: float, x: Array, args: list[Array]) -> Array:
    if name == "LeakyRelu":
        return np.where(x > 0, x, x * np.asarray(alpha, x.dtype))
    if name == "Prelu":
        return np.where(x > 0, x, x * args.pop(0))
    if name in ("Relu", "Relu6", "Elu", "Tanh", "Sigmoid", "LinearActivation", "Linear"):
        return x if name.startswith("Linear") else np.asarray(OPS[name](x))
    raise Refused(f"fused with {name}")


def _fused(y: Array, args: list[Array], ops: Any, epsilon: float, alpha: float, data_format: str) -> Array:
    y = last(y, data_format)
    for name in ops:
        if name == "BiasAdd":
            y = y + args.pop(0)
        elif name == "FusedBatchNorm":
            scale, offset, mean, variance = (args.pop(0) for _ in range(4))
            y = (y - mean) * (scale / np.sqrt(variance + np.asarray(epsilon, y.dtype))) + offset
        elif name == "Add":
            y = y + args.pop(0)
        elif name.startswith("Gelu"):
            z = y.astype(np.float64)
            y = (0.5 * z * (1 + np.tanh(np.sqrt(2 / np.pi) * (z + 0.044715 * z ** 3))) if name == "GeluApproximate"
                 else z * 0.5 * OPS["Erfc"](-z / np.sqrt(2))).astype(y.dtype)
        else:
            y = _activation(name, alpha, y, args)
    return back(y, data_format)


@op("_FusedConv2D", "FusedDepthwiseConv2dNative", "_FusedDepthwiseConv2dNative", fold=False)
def fused_conv(x: Array, w: Array, *args: Array, strides: Any, padding: str, fused_ops: Any = (),
               explicit_paddings: Any = (), data_format: str = "NHWC", dilations: Any = (1, 1, 1, 1),
               epsilon: float = 1e-4, leakyrelu_alpha: float = 0.2, num_args: int = 0, num_host_args: int = 0,
               use_cudnn_on_gpu: bool = True, filter_format: str = "HWIO", depthwise: bool = False) -> Any:
    f = data_format
    y = back(_convolved(last(x, f), w, spatial(strides, f), spatial(dilations, f), padding,
                        explicit_of(explicit_paddings, f, 2), depthwise), f)
    return _fused(y, list(args), fused_ops, epsilon, leakyrelu_alpha, f)


for _name in ("FusedDepthwiseConv2dNative", "_FusedDepthwiseConv2dNative"):
    OPS[_name] = lambda x, w, *args, **k: fused_conv(x, w, *args, depthwise=True, **k)


@op("_FusedMatMul", fold=False)
def fused_matmul(a: Array, b: Array, *args: Array, transpose_a: bool = False, transpose_b: bool = False,
                 fused_ops: Any = (), epsilon: float = 1e-4, leakyrelu_alpha: float = 0.2, num_args: int = 0) -> Any:
    return _fused(matmul(a, b, transpose_a=transpose_a, transpose_b=transpose_b), list(args), fused_ops, epsilon,
                  leakyrelu_alpha, "")


@op("_FusedBatchNormEx", fold=False)
def fused_batch_norm_ex(x: Array, scale: Array, offset: Array, mean: Array, variance: Array, *side: Array,
                        activation_mode: str = "Identity", num_side_inputs: int = 0, **more: Any) -> Any:
    outs = batch_norm(x, scale, offset, mean, variance, **more)
    y = outs[0] + side[0] if side else outs[0]
    return (np.maximum(y, 0) if activation_mode == "Relu" else y, *outs[1:])


def lstm_step(x: Array, cs: Array, h: Array, w: Array, wci: Array, wcf: Array, wco: Array, b: Array, forget_bias: float,
              cell_clip: float, peephole: bool, order: str) -> tuple[Array, ...]:
    """One step of the block cell; ``order`` is that of the gates in the weights."""
    gates = dict(zip(order, np.split(np.concatenate([x, h], 1) @ w + b, 4, 1), strict=True))
    ci = np.tanh(gates["c"])
    i = _sigmoid(gates["i"] + (cs * wci if peephole else 0))
    f = _sigmoid(gates["f"] + np.asarray(forget_bias, x.dtype) + (cs * wcf if peephole else 0))
    new = ci * i + cs * f
    if cell_clip > 0:
        new = np.clip(new, -cell_clip, cell_clip)
    o = _sigmoid(gates["o"] + (new * wco if peephole else 0))
    co = np.tanh(new)
    return tuple(v.astype(x.dtype) for v in (i, new, f, o, ci, co, co * o))


@op("LSTMBlockCell", fold=False)
def lstm_block_cell(x: Array, cs: Array, h: Array, w: Array, wci: Array, wcf: Array, wco: Array, b: Array, *,
                    forget_bias: float = 1.0, cell_clip: float = 3.0, use_peephole: bool = False) -> Any:
    return lstm_step(x, cs, h, w, wci, wcf, wco, b, forget_bias, cell_clip, use_peephole, "icfo")


@op("BlockLSTM", "BlockLSTMV2", fold=False)
def block_lstm(length: Array, x: Array, cs: Array, h: Array, w: Array, wci: Array, wcf: Array, wco: Array, b: Array, *,
               forget_bias: float = 1.0, cell_clip: float = 3.0, use_peephole: bool = False,
               order: str = "icfo") -> Any:
    rows: list[tuple[Array, ...]] = []
    zero = tuple(np.zeros_like(cs) for _ in range(7))
    for t in range(len(x)):
        if t < int(length):
            step = lstm_step(x[t], cs, h, w, wci, wcf, wco, b, forget_bias, cell_clip, use_peephole, order)
            cs, h = step[1], step[6]
            rows.append(step)
        else:
            rows.append(zero)
    return tuple(np.stack(col) for col in zip(*rows, strict=True))


OPS["BlockLSTMV2"] = lambda *a, cell_clip=0.0, use_peephole=False: block_lstm(
    *a, forget_bias=0.0, cell_clip=cell_clip, use_peephole=use_peephole, order="ifco")


@op("GRUBlockCell", fold=False)
def gru_block_cell(x: Array, h: Array, w_ru: Array, w_c: Array, b_ru: Array, b_c: Array) -> Any:
    r, u = np.split(_sigmoid(np.concatenate([x, h], 1) @ w_ru + b_ru), 2, 1)
    c = np.tanh(np.concatenate([x, h * r], 1) @ w_c + b_c)
    return r, u, c, u * h + (1 - u) * c
