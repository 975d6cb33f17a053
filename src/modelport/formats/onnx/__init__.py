"""ONNX: ``.onnx`` files of any operator set in, of 13 and newer out."""
from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from . import lower
from .container import read
from .upgrade import to_hub
from .writer import write

if TYPE_CHECKING:
    from ...ir.graph import Graph

__all__ = ["from_hub", "read", "sniff", "to_hub", "write"]

_KINDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}  # fields of ModelProto


def from_hub(hub: Graph, opset: int | None = None, ir_version: int | None = None, *, zipmap: bool = False,
             fast: bool = False) -> Graph:
    """The graph in the operators of ``opset`` (:mod:`.lower`); with ``zipmap`` the probabilities of a classifier as
    maps from its classes (:mod:`.maps`), with ``fast`` trees as one operator in float32 (:mod:`.fast`)."""
    if fast:
        from .fast import fast as one_operator
        hub = one_operator(hub)
    raw = lower.from_hub(hub, opset, ir_version)
    if not zipmap:
        return raw
    from .maps import zipped
    return zipped(raw)


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file that begins with ``head`` is a protobuf message with the fields of ONNX's ModelProto.

    The format has no magic number: all tags up to the end of ``head`` must be its fields, the version among them or
    a graph or imports after others."""
    pos, seen = 0, set()
    while pos < len(head):
        number, kind = head[pos] >> 3, head[pos] & 7
        if head[pos] >= 0x80:
            if pos + 1 >= len(head):
                break
            number, pos = (head[pos] & 0x7F | head[pos + 1] << 7) >> 3, pos + 1
        if _KINDS.get(number) != kind:
            return False
        pos, size, shift = pos + 1, 0, 0
        while pos < len(head):
            byte = head[pos]
            size, pos, shift = size | (byte & 0x7F) << shift, pos + 1, shift + 7
            if byte < 0x80:
                break
        if number == 1 and not 0 < size < 1000:
            return False
        seen.add(number)
        pos += size if kind == 2 else 0
    return (1 in seen and bool(seen & {7, 8})) or (path.suffix == ".onnx" and bool(seen))
