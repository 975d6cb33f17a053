"""Weights of quantized layers, packed into objects of C++, and quantized tensors of files.

Sources: aten/src/ATen/native/quantized/cpu/{fbgemm_utils.cpp,conv_serialization.h,qembeddingbag_prepack.cpp},
aten/src/ATen/native/RNN.cpp (serialization), torch/_utils.py (_rebuild_qtensor)."""
from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...codecs.pickle import Record
from ...errors import Unsupported, printable
from ...hub.infer import builder
from ...ir.graph import Value, constant
from ...ir.types import Type
from .machine import Box
from .storage import as_tensor, quantized
from .values import F32, Quantized


@dataclass(frozen=True, eq=False)
class Packed:
    """Weights of a linear layer, a convolution or an embedding, and how it goes over its input."""

    weight: Value | Quantized
    bias: Value | None = None
    stride: Sequence[int] = ()
    padding: Sequence[int] = ()
    dilation: Sequence[int] = ()
    output_padding: Sequence[int] = ()
    groups: int = 1
    transposed: bool = False


@dataclass(frozen=True, eq=False)
class Cell:
    """Weights of one direction of one recurrent layer: of its input and of its state."""

    ours: Packed
    theirs: Packed
    reduced: bool = False


def boxed(x: Record, name: str) -> Box | None:
    """The tensor that a record of a pickle describes, a quantized one as such; ``None`` for other objects."""
    if x.path == "torch._utils._rebuild_qtensor":
        return Box(_quantized(x, name))  # type: ignore[arg-type]
    found = as_tensor(x)
    return None if found is None else Box(Value(found.type, name, data=found))


def _quantized(x: Record, name: str) -> Quantized:
    """Through DequantizeLinear, where ONNX has one for such numbers; else the reals are a constant."""
    q, scale, zero, axis = quantized(x)
    stored = q.type.dtype
    bounds = np.iinfo(stored)
    held = stored.itemsize == 1 and zero.dtype.kind != "f" and (not zero.size or (
        bounds.min <= zero.min() and zero.max() <= bounds.max))
    s = constant(scale.astype(np.float32))
    if not held:
        found = as_tensor(x)
        assert found is not None
        return Quantized(Value(found.type, name, data=found), s, constant(zero), stored, axis)
    z = constant(zero.astype(stored))
    how = {} if axis is None else {"axis": axis}
    real = builder().DequantizeLinear(Value(Type(stored, q.type.shape), name, data=q), s, z, **how)
    return Quantized(real, s, z, stored, axis)


def unpacked(kind: str, state: Any) -> Packed | Cell:
    """The weights that an object of the class ``kind`` ("...LinearPackedParamsBase") was saved as, tensors as boxes."""
    name = kind.rpartition(".")[2]
    try:
        if name == "LinearPackedParamsBase":
            return Packed(_weight(state[0]), _bias(state[1]))
        if name.startswith("Conv") and name.endswith("PackedParamsBase"):
            return _conv(state)
        if name == "EmbeddingPackedParamsBase":
            return Packed(_weight(state[1][0]))
        if name == "CellParamsBase":
            return _cell(state)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise Unsupported(f"packed weights of the class {printable(name, 60)} that are not as they should be") from None
    raise Unsupported(f"packed weights of the class {printable(name, 60)}")


def _weight(x: Any) -> Value | Quantized:
    if not isinstance(x, Box):
        raise TypeError("no weight")
    return x.value


def _bias(x: Any) -> Value | None:
    if x is None:
        return None
    value = _weight(x)
    return value.real if isinstance(value, Quantized) else value


def _conv(state: Any) -> Packed:
    """The second layout ("2", [numbers, weight], [bias]) or the third (3, numbers, [nothing, weight, bias])."""
    version, first, second = state
    if str(version) == "2":
        numbers, weight, bias = [int(n) for n in first[0].value.numpy()], first[1], second[0]
    elif str(version) == "3":
        numbers, weight, bias = [int(n) for n in first], second[1], second[2]
    else:
        raise Unsupported(f"packed weights of a convolution in version {printable(version, 20)}")
    n = numbers[0]
    parts = [numbers[1 + k * n:1 + (k + 1) * n] for k in range(4)]
    groups, transposed = numbers[1 + 4 * n:3 + 4 * n]
    return Packed(_weight(weight), _bias(bias), parts[0], parts[1], parts[2], parts[3], groups, bool(transposed & 1))


def _cell(state: Any) -> Cell:
    """(kind, tensors, reals, whole numbers, packed weights of the input and the state)."""
    kind, _, _, numbers, parts = state
    if kind not in ("quantized_dynamic", "quantized_fp16"):
        raise Unsupported(f"a recurrent layer with weights of the kind {printable(kind, 40)}")
    ours, theirs = parts
    if not isinstance(ours, Packed) or not isinstance(theirs, Packed):
        raise TypeError("no packed weights")
    return Cell(ours, theirs, bool(numbers and numbers[0]))


def halved(x: Packed) -> Packed:
    """As the kernels of half precision hold their weights: rounded to it, and within its range."""
    if isinstance(x.weight, Quantized) or x.weight.data is None or x.weight.dtype != F32:
        raise Unsupported("weights of half precision that are none")
    most = float(np.finfo(np.float16).max)
    w = np.clip(x.weight.numpy(), -most, most).astype(np.float16).astype(np.float32)
    return Packed(constant(w), x.bias)
