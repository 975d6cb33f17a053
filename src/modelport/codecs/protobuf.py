"""Protocol buffers at the wire level: messages scanned without being parsed, large payloads left where they are.

The encoding is that of protobuf.dev/programming-guides/encoding: a message is a row of fields, each a tag (number and
wire type) and a payload.  Everything is checked against the bounds of the message before it is believed."""
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..errors import CorruptFile
from ..ir.tensor import Array
from .limits import DEFAULT, Limits

VARINT, I64, LEN, SGROUP, EGROUP, I32 = range(6)


class Field(NamedTuple):
    """One field of a message: its number, wire type, first byte, first byte of its payload, end; a varint's value."""

    number: int
    kind: int
    start: int
    body: int
    end: int
    value: int = 0


def varint(buf: memoryview, pos: int, end: int) -> tuple[int, int]:
    """The number at ``pos`` and the position after it.  Raises :class:`CorruptFile`."""
    result = shift = 0
    while True:
        if pos >= end or shift > 63:
            raise CorruptFile("a number runs past its message" if pos >= end else "a number of more than 64 bits",
                              offset=pos)
        byte = buf[pos]
        pos += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, pos
        shift += 7


def encode(n: int) -> bytes:
    """A non-negative number as a varint."""
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def header(number: int, size: int) -> bytes:
    """What stands before the ``size`` bytes of a length-delimited field."""
    return encode(number << 3 | LEN) + encode(size)


def fields(buf: memoryview, pos: int, end: int) -> Iterator[Field]:
    """The fields of the message in ``buf[pos:end]``.  Raises :class:`CorruptFile`."""
    while pos < end:
        start = pos
        if (tag := buf[pos]) < 0x80:
            pos += 1
        else:
            tag, pos = varint(buf, pos, end)
        kind, value = tag & 7, 0
        if kind == LEN:
            if pos < end and (size := buf[pos]) < 0x80:
                body = pos + 1
            else:
                size, body = varint(buf, pos, end)
            pos = body + size
        elif kind == VARINT:
            body = pos
            value, pos = varint(buf, pos, end)
        elif kind in (I64, I32):
            body, pos = pos, pos + (8 if kind == I64 else 4)
        else:
            raise CorruptFile(f"a field of wire type {kind}", offset=start)
        if pos > end:
            raise CorruptFile("a field runs past the end of its message", offset=start)
        if tag < 8:
            raise CorruptFile("a field without a number", offset=start)
        yield Field(tag >> 3, kind, start, body, pos, value)


@dataclass(frozen=True)
class Message:
    """What a scan looks into: the fields that are messages, and what to do with the message itself.

    ``replace``, where given, sees the bounds of each message of this kind that is longer than ``longer_than`` bytes
    and may answer with other bytes for it."""

    name: str
    fields: dict[int, Message]
    replace: Callable[[memoryview, int, int], bytes | None] | None = None


def skeleton(buf: memoryview, message: Message, longer_than: int, limits: Limits = DEFAULT) -> bytes | memoryview:
    """The message with some of the messages inside it replaced; ``buf`` itself if none was.

    Messages of at most ``longer_than`` bytes are copied unseen: they hold nothing worth replacing, and the parser
    checks them.  Raises :class:`CorruptFile` or, beyond ``limits.depth`` nested messages, :class:`LimitExceeded`."""
    made = _scan(buf, 0, len(buf), message, longer_than, limits, 1)
    return buf if made is None else made


def _scan(buf: memoryview, start: int, end: int, message: Message, longer_than: int, limits: Limits,
          depth: int) -> bytes | None:
    limits.check("depth", depth)
    if message.replace is not None and (other := message.replace(buf, start, end)) is not None:
        return other
    if not message.fields:
        return None
    inner = message.fields
    parts: list[bytes | memoryview] = []
    copied = start
    for number, kind, first, body, stop, _ in fields(buf, start, end):
        if kind == LEN and stop - body > longer_than and number in inner:
            made = _scan(buf, body, stop, inner[number], longer_than, limits, depth + 1)
            if made is not None:
                parts += [buf[copied:first], header(number, len(made)), made]
                copied = stop
    if not parts:
        return None
    return b"".join([*parts, buf[copied:end]])


def varints(raw: memoryview, count: int) -> Array:
    """``count`` packed varints as uint64.  Raises :class:`CorruptFile` if their number differs."""
    out = np.zeros(count, np.uint64)
    done = 0
    at = 0
    step = 1 << 20
    while at < len(raw):
        piece = np.frombuffer(raw[at:at + step], np.uint8)
        last = np.flatnonzero(piece < 0x80)
        if not len(last):
            raise CorruptFile("a packed field with a number of more than 64 bits")
        size = int(last[-1]) + 1
        piece = piece[:size]
        first = np.concatenate([[0], last[:-1] + 1])
        lengths = last - first + 1
        if int(lengths.max()) > 10 or done + len(last) > count:
            raise CorruptFile("a packed field with a number of more than 64 bits" if int(lengths.max()) > 10
                              else f"a packed field of more than {count} numbers")
        values = np.zeros(len(last), np.uint64)
        for k in range(int(lengths.max())):
            has = lengths > k
            values[has] |= (piece[first[has] + k] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * k)
        out[done:done + len(last)] = values
        done += len(last)
        at += size
    if done != count:
        raise CorruptFile(f"a packed field of {done} numbers where {count} are needed")
    return out
