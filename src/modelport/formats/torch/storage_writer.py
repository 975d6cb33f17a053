"""What torch.save writes, by hand: pickles of protocol 2 that rebuild tensors, in a zip archive."""
from __future__ import annotations

import io
import math
import struct
from collections.abc import Sequence

from ...ir.types import Type
from .elements import storage_name


class Pickle:
    """A pickle that is written one opcode after the other."""

    def __init__(self) -> None:
        self.data = bytearray(b"\x80\x02")

    def name(self, module: str, name: str) -> None:
        """A class or function."""
        self.data += f"c{module}\n{name}\n".encode()

    def text(self, text: str) -> None:
        raw = text.encode()
        self.data += b"X" + struct.pack("<I", len(raw)) + raw

    def number(self, n: int) -> None:
        if 0 <= n < 256:
            self.data += bytes((0x4B, n))
        elif -(1 << 31) <= n < 1 << 31:
            self.data += b"J" + struct.pack("<i", n)
        else:
            raw = n.to_bytes(9, "little", signed=True)
            self.data += b"\x8a\x09" + raw

    def numbers(self, numbers: Sequence[int]) -> None:
        """A tuple."""
        self.data += b"("
        for n in numbers:
            self.number(n)
        self.data += b"t"

    def tensor(self, key: int, type: Type, trained: bool = False) -> None:
        """A tensor whose elements are the record ``data/key``."""
        shape = [d for d in type.shape or () if isinstance(d, int)]
        self.name("torch._utils", "_rebuild_tensor_v2")
        self.data += b"(("
        self.text("storage")
        self.name("torch", storage_name(type.dtype))
        self.text(str(key))
        self.text("cpu")
        self.number(math.prod(shape))
        self.data += b"tQ"
        self.number(0)
        self.numbers(shape)
        self.numbers([max(1, math.prod(shape[k + 1:])) for k in range(len(shape))])
        self.data += b"\x88" if trained else b"\x89"
        self.name("collections", "OrderedDict")
        self.data += b")RtR"

    def end(self) -> bytes:
        self.data += b"."
        return bytes(self.data)


def sample(types: Sequence[Type]) -> bytes:
    """Example inputs, all of them zeros, as torch.save writes ``(tensors, {})``."""
    from .pt2_writer import Records
    if any(t.size is None or t.size * t.dtype.itemsize > 1 << 24 for t in types):
        return b""
    try:
        p = Pickle()
        p.data += b"(("
        for k, t in enumerate(types):
            p.tensor(k, t)
        p.data += b"t}t"
    except KeyError:
        return b""
    out = io.BytesIO()
    records = Records(out)
    records.add("data.pkl", p.end())
    records.add("byteorder", "little")
    for k, t in enumerate(types):
        records.add(f"data/{k}", bytes((t.size or 0) * t.dtype.itemsize), packed=True)
    records.add("version", "3\n")
    records.close()
    return out.getvalue()
