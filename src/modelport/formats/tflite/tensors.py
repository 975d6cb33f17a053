"""Tensors of a .tflite file: element types, quantization, and constants as views of the file.

Source: tensorflow/lite/schema/schema.fbs (Tensor, QuantizationParameters, Buffer), string_util.h."""
from __future__ import annotations

import math
from typing import Any

import ml_dtypes
import numpy as np

from ...codecs.flatbuffer import Table
from ...codecs.limits import Limits
from ...ir.tensor import Array, Tensor, unpack
from ...ir.types import BITS, STRING, DType, Quant, Type

OPAQUE: DType = np.dtype("V1")
"""The element type of handles (resources, variants) and of types that this version of the schema does not name."""

DTYPES: dict[str, DType] = {
    **{name.upper(): np.dtype(name) for name in (
        "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64",
        "bool", "complex64", "complex128")},
    **{name.upper(): np.dtype(getattr(ml_dtypes, name)) for name in (
        "bfloat16", "int4", "uint4", "int2", "float8_e4m3fn", "float8_e5m2")},
    "STRING": STRING}
NAMES: dict[DType, str] = {dtype: name for name, dtype in DTYPES.items()}

_QUANTIZED = frozenset(map(np.dtype, ("int8", "uint8", "int16", "uint16", "int32", "int64", ml_dtypes.int4,
                                      ml_dtypes.uint4, ml_dtypes.int2)))


def quant_of(table: Table | None, dtype: DType, shape: tuple[int, ...], corrupt: Any) -> Quant | None:
    """The affine quantization that a tensor states, or ``None``; ``corrupt(reason)`` makes the error."""
    if table is None or dtype not in _QUANTIZED:
        return None
    scale, zero = table["scale"], table["zero_point"]
    if table["details"] is not None:
        return Quant(np.float32(np.nan) * np.ones(()), np.zeros((), np.int64))  # refused when it is translated
    if scale is None or len(scale) == 0:
        return None
    zero = np.zeros(1, np.int64) if zero is None or len(zero) == 0 else zero
    if len(zero) not in (1, len(scale)):
        raise corrupt(f"{len(scale)} scales with {len(zero)} zero points")
    if len(scale) == 1:
        return Quant(scale.reshape(()), zero.reshape(()))
    axis = table["quantized_dimension"] if len(shape) != 1 else 0  # old files give a bias the axis of its weights
    if not 0 <= axis < len(shape) or shape[axis] != len(scale):
        raise corrupt(f"{len(scale)} scales along axis {axis} of shape {list(shape)[:16]}")
    return Quant(scale, np.broadcast_to(zero, scale.shape), axis)


def constant_of(type: Type, raw: memoryview, corrupt: Any, limits: Limits) -> Tensor:
    """The constant of that type stored in ``raw``, a view of it wherever the file has the elements as they are."""
    shape = tuple(d for d in type.shape or () if isinstance(d, int))
    size = limits.check("elements", math.prod(shape))
    if type.dtype == STRING:
        return Tensor(_strings(raw, size, corrupt).reshape(shape), type)
    bits = BITS.get(type.dtype)
    need = size * type.dtype.itemsize if bits is None else (size * bits + 7) // 8
    if need != len(raw):
        raise corrupt(f"{type} takes {need} bytes, its buffer has {len(raw)}")
    if bits is not None:
        limits.check("expanded_bytes", size)
        return Tensor(lambda: unpack(np.frombuffer(raw, np.uint8), bits, type), type, raw)
    return Tensor(np.frombuffer(raw, type.dtype.newbyteorder("<")).reshape(shape), type, raw)


def _strings(raw: memoryview, size: int, corrupt: Any) -> Array:
    """The texts of a buffer: a count, the offset of each and of the end, the bytes."""
    count = int.from_bytes(raw[:4], "little") if len(raw) >= 4 else -1
    if count != size or 8 + 4 * count > len(raw):
        raise corrupt(f"{size} strings, their buffer of {len(raw)} bytes says {count}")
    ends = np.frombuffer(raw, "<u4", count + 1, 4).astype(np.int64)
    if (np.diff(ends) < 0).any() or int(ends[0]) < 8 + 4 * count or int(ends[-1]) > len(raw):
        raise corrupt("the offsets of a string tensor leave its buffer")
    out = np.empty(count, object)
    for k in range(count):
        out[k] = bytes(raw[ends[k]:ends[k + 1]]).decode("utf-8", "surrogateescape")
    return out


def pack_strings(array: Array) -> bytes:
    """The buffer of a string tensor."""
    texts = [str(s).encode("utf-8", "surrogateescape") for s in array.ravel()]
    ends = np.cumsum([8 + 4 * len(texts), *map(len, texts)])
    return np.asarray([len(texts), *ends], "<u4").tobytes() + b"".join(texts)


def densify(table: Table, type: Type, raw: memoryview, corrupt: Any, limits: Limits) -> Tensor:
    """A constant stored sparsely, all of its elements made.

    Source: schema.fbs SparsityParameters; the format of the TACO tensor compiler: dimensions (those of blocks last)
    in traversal order, each either dense or compressed into segments and indices."""
    shape = tuple(d for d in type.shape or () if isinstance(d, int))
    order, blocks, dims = table["traversal_order"], table["block_map"], table["dim_metadata"]
    order = [] if order is None else order.tolist()
    blocks = [] if blocks is None else blocks.tolist()
    if sorted(order) != list(range(len(order))) or len(order) != len(shape) + len(blocks) or len(dims or ()) != len(
            order) or any(not 0 <= b < len(shape) for b in blocks) or len(set(blocks)) != len(blocks):
        raise corrupt("the traversal of a sparse constant does not fit its shape")
    limits.check("expanded_bytes", math.prod(shape) * type.dtype.itemsize)
    if type.dtype in BITS or type.dtype == STRING:
        raise corrupt(f"a sparse constant of {type.dtype}")
    values = np.frombuffer(raw[:len(raw) // type.dtype.itemsize * type.dtype.itemsize], type.dtype)
    sizes = dict.fromkeys(order, 1)
    paths = np.zeros((1, 0), np.int64)  # the coordinates, in traversal order, of every stored element so far
    for dim, meta in zip(order, dims, strict=True):
        if meta["format"] == "DENSE":
            n = sizes[dim] = meta["dense_size"]
            if n < 0 or len(paths) * n > len(values) + 1:
                raise corrupt("a sparse constant stores fewer elements than its dimensions say")
            here = np.tile(np.arange(n), len(paths))
            parent = np.repeat(np.arange(len(paths)), n)
        else:
            segments, indices = (None if v is None or v.name == "unknown" else v["values"]
                                 for v in (meta["array_segments"], meta["array_indices"]))
            if segments is None or indices is None or len(segments) != len(paths) + 1:
                raise corrupt("the segments of a sparse constant do not fit its dimensions")
            segments, here = segments.astype(np.int64), indices.astype(np.int64)
            counts = np.diff(segments)
            if (counts < 0).any() or segments[0] != 0 or segments[-1] != len(here):
                raise corrupt("the segments of a sparse constant do not fit its indices")
            parent = np.repeat(np.arange(len(paths)), counts)
            if (here < 0).any():
                raise corrupt("a sparse constant has an index outside of its shape")
        paths = np.concatenate([paths[parent], here[:, None]], axis=1)
    if len(paths) > len(values):
        raise corrupt("a sparse constant stores fewer elements than its dimensions say")
    at = {dim: paths[:, k] for k, dim in enumerate(order)}
    where = []
    for k in range(len(shape)):
        index = at[k]
        if k in blocks:
            block = len(shape) + blocks.index(k)
            index = index * max(1, sizes[block]) + at[block]
        if len(index) and int(index.max()) >= shape[k]:
            raise corrupt("a sparse constant has an index outside of its shape")
        where.append(index)
    out = np.zeros(shape, type.dtype)
    out[tuple(where)] = values[:len(paths)]
    return Tensor(out, type)
