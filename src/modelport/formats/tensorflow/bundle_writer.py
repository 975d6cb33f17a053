"""Writes a tensor bundle: the variables of a checkpoint, one shard and its index.

Source: tensorflow/core/util/tensor_bundle, tensorflow/core/lib/io/table_format.txt."""
from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from ...codecs.protobuf import encode as varint
from ...ir.tensor import Tensor
from .crc import crc32c, masked
from .graphdef import number_of, put_shape, serialized
from .tensors import message

_MAGIC = 0xDB4775248B80FB57
_BLOCK, _RESTART = 4096, 16
_PIECE = 1 << 22

Sum = Callable[[Any, int], int]


def _checksum() -> Sum:
    """CRC-32C by the fastest that is installed."""
    try:
        import google_crc32c  # type: ignore[import-not-found, import-untyped, unused-ignore]
    except ImportError:
        return crc32c

    def fast(data: Any, start: int) -> int:
        return int(google_crc32c.extend(start, bytes(data)))
    return fast


class _Summed:
    """A file that sums what is written to it."""

    def __init__(self, file: BinaryIO, checksum: Sum) -> None:
        self._file, self._checksum, self.size, self.crc = file, checksum, 0, 0

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        for at in range(0, len(view), _PIECE):
            piece = view[at:at + _PIECE]
            self.crc = self._checksum(piece, self.crc)
            self._file.write(piece)
        self.size += len(view)
        return len(view)

    def writelines(self, pieces: Iterable[Any]) -> None:
        for piece in pieces:
            self.write(piece)

    def fileno(self) -> int:
        raise OSError("what is copied by the kernel can't be summed")


def write(folder: Path, tensors: Mapping[str, Tensor | bytes], prefix: str = "variables") -> None:
    """The bundle ``folder/prefix`` with tensors, and texts of one element, by their keys."""
    checksum = _checksum()
    entries: dict[bytes, bytes] = {}
    head = message("BundleHeaderProto")(num_shards=1)
    head.version.producer = 1
    entries[b""] = serialized(head)
    offset = 0
    with open(folder / f"{prefix}.data-00000-of-00001", "wb") as file:
        for key in sorted(tensors, key=lambda k: k.encode()):
            value = tensors[key]
            entry = message("BundleEntryProto")(offset=offset)
            out = _Summed(file, checksum)
            if isinstance(value, bytes):  # its length, the length's checksum, itself; summed with the length in 4 bytes
                entry.dtype = 7
                entry.shape.SetInParent()
                length = checksum(struct.pack("<I", len(value)), 0)
                stored = struct.pack("<I", masked(length))
                out.write(varint(len(value)) + stored + value)
                entry.crc32c = masked(checksum(stored + value, length))
            else:
                entry.dtype = number_of(value.type.dtype)
                put_shape(entry.shape, value.type.shape)
                value.copy_to(out)  # type: ignore[arg-type]  # of a file it takes what there is
                entry.crc32c = masked(out.crc)
            entry.size = out.size
            offset += out.size
            entries[key.encode()] = serialized(entry)
    (folder / f"{prefix}.index").write_bytes(_table(entries, checksum))


def _table(entries: Mapping[bytes, bytes], checksum: Sum) -> bytes:
    """A sorted string table of LevelDB."""
    out = bytearray()

    def emit(block: bytes) -> bytes:
        place = varint(len(out)) + varint(len(block))
        out.extend(block + b"\0" + struct.pack("<I", masked(checksum(block + b"\0", 0))))
        return place

    index: list[tuple[bytes, bytes]] = []
    rows: list[tuple[bytes, bytes]] = []
    size = 0
    for key in sorted(entries):
        rows.append((key, entries[key]))
        size += len(key) + len(entries[key])
        if size >= _BLOCK:
            index.append((key, emit(_block(rows))))
            rows, size = [], 0
    if rows:
        index.append((rows[-1][0] + b"\0", emit(_block(rows))))
    foot = emit(_block([])) + emit(_block(index))
    out += foot.ljust(40, b"\0") + struct.pack("<Q", _MAGIC)
    return bytes(out)


def _block(rows: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Keys as what they have in common with the one before and the rest, now and then whole."""
    made, restarts, last = bytearray(), [], b""
    for number, (key, value) in enumerate(rows):
        shared = 0
        if number % _RESTART == 0:
            restarts.append(len(made))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        made += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    restarts = restarts or [0]
    return bytes(made) + b"".join(struct.pack("<I", r) for r in (*restarts, len(restarts)))
