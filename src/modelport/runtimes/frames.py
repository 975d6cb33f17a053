"""Messages between a process and its worker: a JSON header and the raw bytes of arrays, nothing that runs code.

A frame is ``MPF1``, the header's length (4 bytes, little-endian), the header, and its arrays one
after the other.  Text is stored as one JSON list.  Both ends check every size before they allocate."""
from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..ir.tensor import Array
from ..ir.types import NUMBER, STRING, Type

MAGIC = b"MPF1"
HEADER = 64 << 20  # bytes; the names and types of a model with 100,000 outputs fit
PAYLOAD = 16 << 30
_DTYPES = {d.name: d for d in NUMBER}


class BadFrame(Exception):
    """What arrived is no frame."""


def pack(header: Mapping[str, Any], arrays: Mapping[str, Array] | None = None) -> list[bytes | memoryview]:
    """The pieces of a frame, in order."""
    table: list[dict[str, Any]] = []
    pieces: list[bytes | memoryview] = []
    for name, array in (arrays or {}).items():
        if array.dtype == STRING:
            body: bytes | memoryview = json.dumps([str(s) for s in array.ravel()]).encode()
        else:
            body = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        table.append({"name": name, "dtype": array.dtype.name, "shape": list(array.shape), "bytes": len(body)})
        if len(body):
            pieces.append(body)
    head = json.dumps({**header, "arrays": table}).encode()
    return [MAGIC, len(head).to_bytes(4, "little"), head, *pieces]


def unpack(read: Callable[[int], bytes]) -> tuple[dict[str, Any], dict[str, Array]]:
    """The next frame from ``read(n)``, which delivers exactly n bytes or raises."""
    start = read(8)
    size = int.from_bytes(start[4:], "little")
    if start[:4] != MAGIC or size > HEADER:
        raise BadFrame("no frame")
    try:
        header = json.loads(read(size))
        table = header.pop("arrays")
        arrays = {}
        total = 0
        for entry in table:
            dtype, shape, nbytes = _DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["bytes"]
            if not all(isinstance(d, int) and d >= 0 for d in (*shape, nbytes)):
                raise BadFrame("a negative size")
            count = math.prod(shape)
            total += nbytes
            if total > PAYLOAD or (dtype != STRING and nbytes != count * dtype.itemsize):
                raise BadFrame("sizes that do not agree")
            body = read(nbytes) if nbytes else b""
            if dtype == STRING:
                texts = json.loads(body)
                if len(texts) != count or not all(isinstance(s, str) for s in texts):
                    raise BadFrame("a text array that is none")
                array = np.empty(count, STRING)
                array[:] = texts
            else:
                array = np.frombuffer(body, np.uint8).view(dtype) if nbytes else np.empty(count, dtype)
            arrays[str(entry["name"])] = array.reshape(shape)
        return header, arrays
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as e:
        raise BadFrame(f"{type(e).__name__}: {e}") from None


def types_to_json(types: Mapping[str, Type]) -> list[Any]:
    """Names and types as JSON, in order."""
    return [[k, t.dtype.name, None if t.shape is None else list(t.shape)] for k, t in types.items()]


def types_from_json(table: Any) -> dict[str, Type]:
    """The inverse of :func:`types_to_json`."""
    try:
        return {str(k): Type(_DTYPES[d], None if s is None else tuple(s)) for k, d, s in table}
    except (KeyError, TypeError, ValueError):
        raise BadFrame("no table of types") from None
