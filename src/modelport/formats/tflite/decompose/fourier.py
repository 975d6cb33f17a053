"""Transforms of real signals as the kernel that computes them, where there is one, and what is read of them.

Elsewhere they are products (``modelport.hub.decompose.signal``).  Source: tensorflow/lite/kernels/rfft2d.cc."""
from __future__ import annotations

import numpy as np

from ....hub import infer
from ....ir.graph import Made, Value, constant
from ....ir.rewrite import Rewrites, Site
from ....ir.types import Type
from ...writing import numbers
from ..from_onnx.signal import ABS, IMAG, REAL, RFFT

rewrite = Rewrites(infer.site)
F32, COMPLEX = np.dtype(np.float32), np.dtype(np.complex64)


@rewrite("DFT")
def transform(op: Site, x: Value, length: Value | None = None, axis: Value | None = None, *, inverse: int = 0,
              onesided: int = 0) -> Made:
    """One half of the frequencies of real numbers, as many samples as a power of two: padded or cut by the kernel."""
    said, at = numbers(length), [-2] if axis is None else numbers(axis)
    if inverse or not onesided or x.dtype != F32 or x.shape is None or x.shape[-1:] != (1,) or at is None \
            or (length is not None and said is None):
        return None
    rank, along = len(x.shape) - 1, at[0] % len(x.shape)
    total = said[0] if said is not None else x.shape[along]
    if not isinstance(total, int) or total < 2 or total & (total - 1):
        return None
    perm = [k for k in range(rank) if k != along] + [along]
    signal = _moved(op, op.Squeeze(x, _axes(rank)), perm)
    narrow = rank == 1 or signal.shape is None or signal.shape[-2] != 1
    if narrow:
        signal = op.Unsqueeze(signal, _axes(rank - 1))
    out = None if signal.shape is None else (*signal.shape[:-1], total // 2 + 1)
    z = op.add(RFFT, signal, length=total, type=Type(COMPLEX, out))
    last = _axes(rank + narrow)
    pairs = op.Concat(*(op.Unsqueeze(op.add(part, z, type=Type(F32, out)), last) for part in (REAL, IMAG)), axis=-1)
    return _moved(op, op.Squeeze(pairs, _axes(rank - 1)) if narrow else pairs, [*np.argsort(perm).tolist(), rank])


def _axes(*axes: int) -> Value:
    return constant(np.array(axes, np.int64))


def _moved(op: Site, x: Value, perm: list[int]) -> Value:
    made: Value = x if perm == sorted(perm) else op.Transpose(x, perm=perm)
    return made


@rewrite("ReduceL2")
def magnitude(op: Site, x: Value, axes: Value | None = None, *, keepdims: int = 1,
              noop_with_empty_axes: int = 0) -> Made:
    along = numbers(axes)
    if keepdims or x.rank is None or along not in ([-1], [x.rank - 1]):
        return None
    return _read(op, x, ABS)


@rewrite("Gather")
def part(op: Site, x: Value, at: Value, *, axis: int = 0) -> Made:
    index = numbers(at)
    if x.rank is None or axis not in (-1, x.rank - 1) or at.rank != 0 or index is None or not -2 <= index[0] < 2:
        return None
    return _read(op, x, (REAL, IMAG)[index[0]])


def _read(op: Site, x: Value, what: str) -> Value | None:
    """``what`` of the complex numbers whose parts ``x`` has along its last axis, moved as they were."""
    node = x.node
    before = None if node is None else node.inputs[0]
    if node is None or before is None or x.shape is None or x.shape[-1:] != (2,) or before.shape is None:
        return None
    made: Value
    if x.op == "Concat":
        parts = [None if v is None or v.node is None or v.op != "Unsqueeze" else v.node.inputs[0] for v in node.inputs]
        real, imag = parts if len(parts) == 2 else (None, None)
        if real is None or imag is None or real.node is None or imag.node is None or real.op != REAL \
                or imag.op != IMAG or real.node.inputs != imag.node.inputs or len(real.shape or ()) != len(x.shape) - 1:
            return None
        if what != ABS:
            return real if what == REAL else imag
        made = op.add(ABS, real.node.inputs[0], type=real.type)
        return made
    said = numbers(node.inputs[1]) if len(node.inputs) > 1 else None
    rank = len(before.shape) - 1
    if before.shape[-1:] != (2,):
        return None
    if x.op == "Reshape" and said is not None and 0 not in said:
        inner = _read(op, before, what)
        return None if inner is None else op.Reshape(inner, constant(np.array(said[:-1], np.int64)))
    if x.op == "Squeeze" and said is not None and all(a % (rank + 1) != rank for a in said):
        inner = _read(op, before, what)
        return None if inner is None else op.Squeeze(inner, _axes(*(a % (rank + 1) for a in said)))
    if x.op == "Transpose" and node.attrs["perm"][-1] == rank:
        inner = _read(op, before, what)
        return None if inner is None else _moved(op, inner, list(node.attrs["perm"][:-1]))
    return None
