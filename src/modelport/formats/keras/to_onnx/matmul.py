"""Products: Dense, EinsumDense, Dot, and the operations that multiply matrices."""
from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ... import linalg
from .activation import activated
from .common import axis_of, cast, dims, ints, number, numpy_dtype, once, promote, rank, real, reshaped, to_onnx


def dense_of(op: Builder, x: Value, kernel: Value, bias: Value | None) -> Any:
    """``x @ kernel + bias`` for any number of leading axes."""
    if rank(x) == 2:
        return op.Gemm(x, kernel, bias)
    y = op.MatMul(x, kernel)
    return y if bias is None else op.Add(y, bias)


@to_onnx("Dense")
def dense(op: Builder, x: Value, kernel: Value, bias: Value | None = None, *, units: int, activation: str = "linear",
          use_bias: bool = True) -> Any:
    x = real(op, x)
    if rank(x) < 2:
        raise Unsupported(f"an input of {rank(x)} dimensions")
    return activated(op, dense_of(op, x, kernel, bias), activation)


@to_onnx("EinsumDense")
def einsum_dense(op: Builder, x: Value, kernel: Value, bias: Value | None = None, *, equation: str, output_shape: Any,
                 activation: str = "linear", bias_axes: Any = None) -> Any:
    y = einsum_of(op, real(op, x), kernel, equation)
    if bias is not None:
        y = op.Add(y, bias)
    return activated(op, y, activation)


def einsum_of(op: Builder, x: Value, kernel: Value, equation: str) -> Any:
    """A product by equation; as a matrix product where the last axes of ``x`` meet the first of the kernel."""
    plain = equation.replace(" ", "")
    left, _, out = plain.partition("->")
    a, _, b = left.partition(",")
    if "..." in plain:
        kept = a.replace("...", "")
        if not a.startswith("...") or not out.startswith("..."):
            return op.Einsum(x, kernel, equation=plain)
        lead = "".join(c for c in "ABCDEFGHIJ" if c not in plain)[:rank(x) - len(kept)]
        a, out = lead + kept, lead + out.replace("...", "")
    common = [c for c in a if c in b]
    k = len(common)
    if not k or b[:k] != a[-k:] or out != a[:-k] + b[k:] or len(set(a)) != len(a) or len(set(b)) != len(b):
        return op.Einsum(x, kernel, equation=f"{a},{b}->{out}")
    sizes = dims(kernel, what="the kernel")
    inner, outer = int(np.prod(sizes[:k])), int(np.prod(sizes[k:]))
    w = kernel if len(sizes) == 2 and k == 1 else reshaped(op, kernel, [inner, outer])
    flat = x if k == 1 else op.Reshape(x, ints([0] * (rank(x) - k) + [inner]))
    y = op.MatMul(flat, w)
    return y if len(sizes) - k == 1 else op.Reshape(y, ints([0] * (rank(x) - k) + sizes[k:]))


@to_onnx("Dot")
def dot_layer(op: Builder, a: Value, b: Value, *, axes: Any, normalize: bool = False) -> Any:
    """The product along one axis of each, for every example; vectors give one number."""
    i, j = (axes, axes) if isinstance(axes, int) else axes
    i, j = axis_of(a, i), axis_of(b, j)
    if i == 0 or j == 0:
        raise Unsupported("a product along the batch")
    if normalize:
        a, b = (op.Mul(x, op.Reciprocal(op.Sqrt(op.Max(op.ReduceSum(op.Mul(x, x), ints([k]), keepdims=1),
                                                      number(x, 1e-12))))) for x, k in ((a, i), (b, j)))
    letters = "bcdefghijklmnopq"
    left = "a" + letters[:rank(a) - 1]
    right = "a" + letters[rank(a) - 1:rank(a) + rank(b) - 2]
    right = right[:j] + left[i] + right[j + 1:]
    out = "a" + left[1:].replace(left[i], "") + right[1:].replace(left[i], "")
    y = op.Einsum(a, b, equation=f"{left},{right}->{out}")
    return op.Unsqueeze(y, ints([1])) if len(out) == 1 else y


@to_onnx("ops.matmul")
def matmul(op: Builder, a: Value, b: Value) -> Any:
    a, b = promote(op, a, b)
    return op.MatMul(a, b)


@to_onnx("ops.tf_matmul")
def matmul_of_tensorflow(op: Builder, a: Value, b: Value, *, transpose_a: bool = False,
                         transpose_b: bool = False) -> Any:
    def turned(x: Value) -> Any:
        n = rank(x)
        return op.Transpose(x, perm=[*range(n - 2), n - 1, n - 2])
    a, b = promote(op, a, b)
    return op.MatMul(turned(a) if transpose_a else a, turned(b) if transpose_b else b)


@to_onnx("ops.dot")
def dot(op: Builder, a: Value, b: Value) -> Any:
    a, b = promote(op, a, b)
    if 0 in (rank(a), rank(b)):
        return op.Mul(a, b)
    if rank(b) <= 2:
        return op.MatMul(a, b)
    return _contracted(op, a, b, [rank(a) - 1], [rank(b) - 2])


@to_onnx("ops.tensordot")
def tensordot(op: Builder, a: Value, b: Value, *, axes: Any = 2) -> Any:
    a, b = promote(op, a, b)
    if isinstance(axes, int):
        return _contracted(op, a, b, list(range(rank(a) - axes, rank(a))), list(range(axes)))
    left, right = ([v] if isinstance(v, int) else v for v in axes)
    return _contracted(op, a, b, [axis_of(a, v) for v in left], [axis_of(b, v) for v in right])


def _contracted(op: Builder, a: Value, b: Value, left: list[int], right: list[int]) -> Any:
    letters = "abcdefghijklmnopqrstuvwxyz"
    if rank(a) + rank(b) > len(letters) or len(left) != len(right):
        raise Unsupported("axes that do not fit")
    first, second = list(letters[:rank(a)]), list(letters[rank(a):rank(a) + rank(b)])
    for i, j in zip(left, right, strict=True):
        second[j] = first[i]
    out = [c for k, c in enumerate(first) if k not in left] + [c for k, c in enumerate(second) if k not in right]
    return op.Einsum(a, b, equation=f"{''.join(first)},{''.join(second)}->{''.join(out)}")


@to_onnx("ops.inner")
def inner(op: Builder, a: Value, b: Value) -> Any:
    a, b = promote(op, a, b)
    return op.Mul(a, b) if 0 in (rank(a), rank(b)) else _contracted(op, a, b, [rank(a) - 1], [rank(b) - 1])


@to_onnx("ops.vdot")
def vdot(op: Builder, a: Value, b: Value) -> Any:
    a, b = (op.Reshape(x, ints([-1])) for x in promote(op, a, b))
    return op.MatMul(a, b)


@to_onnx("ops.kron")
def kron(op: Builder, a: Value, b: Value) -> Any:
    """Every element of the first times the whole of the second."""
    a, b = promote(op, a, b)
    n = max(rank(a), rank(b))
    a, b = (x if rank(x) == n else op.Unsqueeze(x, ints(range(n - rank(x)))) for x in (a, b))
    sizes = [i * j for i, j in zip(dims(a), dims(b), strict=True)]
    y = op.Mul(op.Unsqueeze(a, ints(range(1, 2 * n, 2))), op.Unsqueeze(b, ints(range(0, 2 * n, 2))))
    return op.Reshape(y, ints(sizes))


@to_onnx("ops.cross")
def cross(op: Builder, a: Value, b: Value, *, axisa: int = -1, axisb: int = -1, axisc: int = -1,
          axis: int | None = None) -> Any:
    a, b = promote(op, a, b)
    i, j = (axis_of(x, own if axis is None else axis) for x, own in ((a, axisa), (b, axisb)))
    n = max(rank(a), rank(b))
    if dims(a, [i]) != [3] or dims(b, [j]) != [3]:
        raise Unsupported("vectors of other than three numbers")
    a, b = (op.Transpose(x, perm=[*(k for k in range(rank(x)) if k != at), at]) for x, at in ((a, i), (b, j)))
    one, two = np.array([1, 2, 0], np.int64), np.array([2, 0, 1], np.int64)
    y = op.Sub(op.Mul(op.Gather(a, one, axis=rank(a) - 1), op.Gather(b, two, axis=rank(b) - 1)),
               op.Mul(op.Gather(a, two, axis=rank(a) - 1), op.Gather(b, one, axis=rank(b) - 1)))
    to = axis_of(y, axisc if axis is None else axis)
    perm = list(range(n - 1))
    perm.insert(to, n - 1)
    return op.Transpose(y, perm=perm)


@to_onnx("ops.c_dist")
def cdist(op: Builder, a: Value, b: Value) -> Any:
    """How far each row of the first is from each of the second."""
    away = op.Sub(op.Unsqueeze(a, ints([rank(a) - 1])), op.Unsqueeze(b, ints([rank(b) - 2])))
    return op.Sqrt(op.ReduceSum(op.Mul(away, away), ints([rank(away) - 1]), keepdims=0))


@to_onnx("ops.correlate")
def correlate(op: Builder, a: Value, b: Value, *, mode: str = "valid") -> Any:
    a, b = (real(op, x) for x in promote(op, a, b))
    (n,), (m,) = dims(a), dims(b)
    if m > n:
        raise Unsupported("a longer second sequence")
    pads = {"valid": [0, 0], "same": [m // 2, (m - 1) // 2], "full": [m - 1, m - 1]}.get(mode)
    if pads is None:
        raise Unsupported(f"mode {mode}")
    y = op.Conv(op.Reshape(a, ints([1, 1, n])), op.Reshape(b, ints([1, 1, m])), kernel_shape=[m], pads=pads)
    return op.Reshape(y, ints([-1]))


@to_onnx("ops.det")
def det(op: Builder, x: Value) -> Any:
    return op.Det(x)


@to_onnx("ops.inv")
def inv(op: Builder, x: Value) -> Any:
    return linalg.inverse(op, real(op, x))


@to_onnx("ops.solve")
def solve(op: Builder, a: Value, b: Value) -> Any:
    return _columns(op, partial(linalg.solve, op), *promote(op, a, b))


@to_onnx("ops.solve_triangular")
def solve_triangular(op: Builder, a: Value, b: Value, *, lower: bool = False) -> Any:
    return _columns(op, partial(linalg.triangular_solve, op, lower=lower), *promote(op, a, b))


def _columns(op: Builder, solved: Callable[[Value, Value], Any], a: Value, b: Value) -> Any:
    """What ``a`` takes to ``b``, which has a matrix of columns or a single one for each ``a``."""
    if rank(b) == rank(a) - 1:
        return op.Squeeze(solved(a, op.Unsqueeze(b, ints([-1]))), ints([-1]))
    return solved(a, b)


def _flipped(op: Builder, x: Value) -> Any:
    return op.Transpose(x, perm=[*range(rank(x) - 2), rank(x) - 1, rank(x) - 2])


@to_onnx("ops.cholesky")
def cholesky(op: Builder, x: Value, *, upper: bool = False) -> Any:
    y = linalg.cholesky(op, real(op, x))
    return _flipped(op, y) if upper else y


@to_onnx("ops.cholesky_inverse")
def cholesky_inverse(op: Builder, x: Value, *, upper: bool = False) -> Any:
    """The inverse of the matrix whose factor ``x`` is."""
    x = real(op, x)
    if rank(x) != 2:
        raise Unsupported(f"factors with {rank(x)} dimensions")
    unit = op.EyeLike(x)
    y = linalg.triangular_solve(op, x, unit, lower=not upper)
    return op.MatMul(y, _flipped(op, y)) if upper else op.MatMul(_flipped(op, y), y)


@to_onnx("ops.qr")
def qr(op: Builder, x: Value, *, mode: str = "reduced") -> Any:
    return linalg.qr(op, real(op, x), full_matrices=mode == "complete")


@to_onnx("ops.slogdet")
def slogdet(op: Builder, x: Value) -> Any:
    return linalg.log_determinant(op, real(op, x))


@to_onnx("ops.logdet")
def logdet(op: Builder, x: Value) -> Any:
    """That of the size of the determinant, as Keras computes it on NumPy and JAX; on TensorFlow by the factors of
    Cholesky, which only matrices with a positive one have."""
    return linalg.log_determinant(op, real(op, x))[1]


@to_onnx("ops.outer")
def outer(op: Builder, a: Value, b: Value) -> Any:
    a, b = promote(op, a, b)
    return op.Mul(op.Reshape(a, ints([-1, 1])), op.Reshape(b, ints([1, -1])))


@to_onnx("ops.einsum")
def einsum(op: Builder, *xs: Value, subscripts: str) -> Any:
    if not xs:
        raise Unsupported("the file does not say its operands, which Keras 2 leaves out")
    return op.Einsum(*promote(op, *xs), equation=subscripts.replace(" ", ""))


@to_onnx("Embedding")
def embedding(op: Builder, x: Value, table: Value, *, output_dim: int, mask_zero: bool = False,
              dropout: float = 0.0, sparse: bool = False) -> Any:
    return op.Gather(table, cast(op, x, np.dtype(np.int32)) if x.dtype.kind not in "iu" or x.dtype.itemsize < 4 else x)


@to_onnx("ReversibleEmbedding")
def reversible_embedding(op: Builder, x: Value, table: Value, back: Value | None = None, *, output_dim: int,
                         tie_weights: bool = True, mask_zero: bool = False, reverse: bool = False,
                         reverse_dtype: Any = None, logit_soft_cap: float | None = None) -> Any:
    if not reverse:
        return op.Gather(table, cast(op, x, np.dtype(np.int32)))
    kernel = back if back is not None else once(op, (table, "turned"), lambda: op.Transpose(table, perm=[1, 0]))
    if reverse_dtype is not None:
        x, kernel = (cast(op, v, numpy_dtype(reverse_dtype)) for v in (x, kernel))
    y = op.MatMul(x, kernel)
    if logit_soft_cap is not None:
        y = op.Mul(op.Tanh(op.Div(y, number(y, logit_soft_cap))), number(y, logit_soft_cap))
    return y


@to_onnx("Highway")
def highway(op: Builder, x: Value, w: Value, w_carry: Value, b: Value | None = None, b_carry: Value | None = None, *,
            activation: str = "linear") -> Any:
    gate = op.Sigmoid(dense_of(op, x, w_carry, b_carry))
    y = activated(op, dense_of(op, x, w, b), activation)
    return op.Add(op.Mul(gate, y), op.Mul(op.Sub(number(x, 1), gate), x))


