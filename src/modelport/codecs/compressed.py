"""Whole files that are compressed: zlib, gzip, bzip2, xz, lzma, LZ4, and the container of joblib before 0.10.

What comes out is bounded by :class:`Limits`: the ratio to what went in beyond the first MiB, and the total."""
from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Any

from ..errors import CorruptFile, LimitExceeded
from .limits import DEFAULT, Limits

_FREE, _PIECE = 1 << 20, 1 << 18
_MAGIC: tuple[tuple[bytes, Callable[[], Any]], ...] = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ\x00", lzma.LZMADecompressor),
    (b"\x5d\x00\x00", lambda: lzma.LZMADecompressor(lzma.FORMAT_ALONE)),
    (b"\x78\x01", lambda: zlib.decompressobj(15)),
    (b"\x78\x5e", lambda: zlib.decompressobj(15)),
    (b"\x78\x9c", lambda: zlib.decompressobj(15)),
    (b"\x78\xda", lambda: zlib.decompressobj(15)))
_LZ4, _ZFILE = b"\x04\x22\x4d\x18", b"ZF0x"


def is_compressed(head: bytes) -> bool:
    return head.startswith((_LZ4, _ZFILE, *(m for m, _ in _MAGIC)))


def expand(data: bytes, limits: Limits = DEFAULT) -> bytes:
    """``data`` as it was before it was compressed, as it is if it is not.  Raises :class:`CorruptFile` and
    :class:`LimitExceeded`."""
    bound = min(limits.expanded_bytes, limits.ratio * len(data) + _FREE)
    if data.startswith(_LZ4):
        return _lz4(data, bound)
    if data.startswith(_ZFILE):  # "ZF", the length in hexadecimal digits filled up to 19 characters, zlib's bytes
        start = next((k for k in (21, 22) if data[k:k + 1] == b"\x78"), 22)
        return _stream(data[start:], lambda: zlib.decompressobj(15), bound)
    for magic, make in _MAGIC:
        if data.startswith(magic):
            return _stream(data, make, bound)
    return data


def peek(head: bytes, size: int = 64) -> bytes:
    """The first bytes behind the compression of a file that begins with ``head``; ``head`` if it is not compressed."""
    for magic, make in _MAGIC:
        if head.startswith(magic):
            try:
                return bytes(make().decompress(head, size))
            except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError):
                return head
    return head


def _stream(data: bytes, make: Callable[[], Any], bound: int) -> bytes:
    out, left = bytearray(), data
    try:
        while left:
            machine = make()
            while True:
                out += machine.decompress(left, _PIECE)
                if len(out) > bound:
                    raise LimitExceeded(f"the file decompresses to more than {bound:,} bytes",
                                        hint="raise it with --limit ratio=N or expanded_bytes=N if you trust the file")
                if machine.eof:
                    left = machine.unused_data
                    break
                left = getattr(machine, "unconsumed_tail", b"")
                if not left and getattr(machine, "needs_input", True):
                    raise CorruptFile("the compressed file ends too early")
            if not left.startswith(data[:2]):  # bytes behind the end are no part of it
                break
    except (zlib.error, OSError, lzma.LZMAError, EOFError, ValueError) as e:
        raise CorruptFile(f"not what its compression says: {e}") from e
    return bytes(out)


def _lz4(data: bytes, bound: int) -> bytes:
    """An LZ4 frame (LZ4 Frame Format 1.6.1); check sums are not computed."""
    try:
        flags = data[4]
        at = 4 + 2 + (8 if flags & 8 else 0) + (4 if flags & 1 else 0) + 1
        out = bytearray()
        while True:
            size = int.from_bytes(data[at:at + 4], "little")
            at += 4
            if not size:
                return bytes(out)
            plain, size = size >> 31, size & 0x7FFFFFFF
            if at + size > len(data):
                raise CorruptFile("the compressed file ends too early", offset=at)
            if plain:
                out += data[at:at + size]
            else:
                _lz4_block(data[at:at + size], out, bound)
            if len(out) > bound:
                raise LimitExceeded(f"the file decompresses to more than {bound:,} bytes")
            at += size + (4 if flags & 16 else 0)
    except IndexError as e:
        raise CorruptFile("the compressed file ends too early") from e


def _lz4_block(data: bytes, out: bytearray, bound: int) -> None:
    at, end = 0, len(data)
    while at < end:
        token = data[at]
        at += 1
        count, at = _length(data, at, token >> 4)
        out += data[at:at + count]
        at += count
        if at >= end:
            return
        offset = data[at] | data[at + 1] << 8
        count, at = _length(data, at + 2, token & 15)
        count += 4
        if not 0 < offset <= len(out):
            raise CorruptFile("a reference to before the start of the file")
        if len(out) + count > bound:
            raise LimitExceeded(f"the file decompresses to more than {bound:,} bytes")
        while count:  # what is repeated may be what this makes
            piece = out[len(out) - offset:][:count]
            out += piece
            count -= len(piece)


def _length(data: bytes, at: int, first: int) -> tuple[int, int]:
    if first == 15:
        while True:
            first += data[at]
            at += 1
            if data[at - 1] != 255:
                break
    return first, at
