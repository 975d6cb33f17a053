"""Reading TensorFlow: SavedModel folders, frozen graphs (.pb, .pbtxt) and MetaGraphs (.meta) with their checkpoint.

A raw graph holds TensorFlow's own operators: ``Node.op`` is the operator's name, inputs are tensors (no control
inputs), attributes those that the inputs do not tell and that differ from their defaults; functions of ``If``,
``While`` and ``Case`` are closed graphs.  Variables, tables and calls are resolved; nothing is executed but our own
reading of the operators that restore and initialise a model."""
from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from google.protobuf import text_format

from ...codecs.limits import DEFAULT, Limits
from ...codecs.mapped import Mapped
from ...codecs.messages import parse
from ...codecs.paths import open_beneath
from ...codecs.protobuf import LEN, VARINT, fields, skeleton
from ...errors import CorruptFile, Unsupported, UnsupportedModel, UsageError, printable
from ...ir.graph import Graph
from .model import Model
from .savedmodel import choose_meta, read_meta
from .tensors import INLINE, Tensors, message

FILES = ("saved_model.pb", "saved_model.pbtxt")


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file that begins with ``head`` may be a GraphDef, a MetaGraphDef or a SavedModel."""
    return _kind(head, path) != ""


def _kind(head: bytes, path: Path) -> str:
    """``GraphDef``, ``MetaGraphDef`` or ``SavedModel`` by the first fields of a file; empty if it is none."""
    if path.suffix == ".pbtxt" or (head[:1].isalpha() and b"{" in head[:200] and head[:200].isascii()):
        for key, kind in ((b"saved_model_schema_version", "SavedModel"), (b"meta_graphs", "SavedModel"),
                          (b"meta_info_def", "MetaGraphDef"), (b"node", "GraphDef"), (b"versions", "GraphDef"),
                          (b"library", "GraphDef")):
            if head.lstrip().startswith(key):
                return kind + ".text"
        return "GraphDef.text" if path.suffix == ".pbtxt" else ""
    buf = memoryview(head)
    try:
        for f in fields(buf, 0, len(buf)):
            return _first(buf, f)
    except CorruptFile:  # the first field runs past what is seen of the file
        pass
    return _cut(buf)


def _first(buf: memoryview, f: Any) -> str:
    if f.number == 1 and f.kind == VARINT and f.value < 16:
        return "SavedModel"
    if f.number == 2 and f.kind == LEN:
        return "SavedModel" if _starts(buf, f.body, f.end, (1, 2)) else ""
    if f.number == 1 and f.kind == LEN:
        return _node_or_info(buf, f.body, f.end)
    if f.number == 4 and f.kind == LEN:
        return "GraphDef"
    return ""


def _starts(buf: memoryview, start: int, end: int, numbers: Sequence[int]) -> bool:
    return end > start and buf[start] >> 3 in numbers


def _node_or_info(buf: memoryview, start: int, end: int) -> str:
    """A NodeDef begins with its name and its operator; a MetaInfoDef with a version, or its list of operators."""
    inside: list[tuple[int, int, bytes]] = []
    with contextlib.suppress(CorruptFile):  # the message runs past what is seen of the file
        inside.extend((f.number, f.kind, bytes(buf[f.body:min(f.end, f.body + 64)]))
                      for f in fields(buf, start, min(end, len(buf))))
    if len(inside) >= 2 and inside[0][:2] == (1, LEN) and inside[1][:2] == (2, LEN) and inside[1][2][:1].isalpha() \
            and inside[1][2].isascii() and b"\n" not in inside[1][2][:1]:
        return "GraphDef"
    if start < len(buf) and buf[start] in (0x0A, 0x12, 0x22, 0x2A, 0x32):
        return "MetaGraphDef"
    return ""


def _cut(buf: memoryview) -> str:
    """The kind of a file whose first field is longer than what is seen of it."""
    if len(buf) < 4 or buf[0] not in (0x08, 0x0A, 0x12):
        return ""
    if buf[0] == 0x08:
        return "SavedModel"
    at = 1
    while at < 11 and at < len(buf) and buf[at] >= 0x80:
        at += 1
    at += 1
    if buf[0] == 0x12:
        return "SavedModel" if _starts(buf, at, len(buf), (1, 2)) else ""
    return _node_or_info(buf, at, len(buf))


def read(path: Path, limits: Limits = DEFAULT, *, signature: str | None = None, tags: str | None = None,
         inputs: str | Sequence[str] = (), outputs: str | Sequence[str] = (), state: str = "explicit") -> Graph:
    """The raw graph of a model.

    ``signature`` (default ``serving_default``, else the only one) and ``tags`` choose among those of a SavedModel;
    ``inputs`` and ``outputs`` (names of nodes or tensors, a list or separated by commas) take their place, or are
    found, in a graph without signatures.  ``state`` says what becomes of variables that the model assigns: with
    ``explicit`` they are inputs ``state:<name>`` and outputs ``state:<name>:next``, with ``reset`` each run starts
    from their saved values.
    Raises :class:`CorruptFile`, :class:`UnsafeModel`, :class:`LimitExceeded`, :class:`UnsupportedModel`, or
    :class:`UsageError` where a name is not in the model."""
    if state not in ("reset", "explicit"):
        raise UsageError(f"state '{printable(state)}' is neither 'reset' nor 'explicit'")
    path = Path(path)
    try:
        return _read(path, limits, signature, tags, _names(inputs), _names(outputs), state == "explicit")
    except CorruptFile as e:
        raise e.at(path) from None
    except Unsupported as e:
        raise UnsupportedModel([e], "a graph of tensors", path.name) from None
    except UnicodeDecodeError as e:
        raise CorruptFile(f"text that is not UTF-8: {e.reason}", path=path) from None
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as e:
        # a message whose parts do not fit together: a missing attribute, a list of another length, a wrong type
        raise CorruptFile(f"its parts do not fit together ({type(e).__name__}: {printable(e, 200)})",
                          path=path) from e


def _names(given: str | Sequence[str]) -> list[str]:
    listed = given.split(",") if isinstance(given, str) else list(given)
    return [n.strip() for n in listed if n.strip()]


def _read(path: Path, limits: Limits, signature: str | None, tags: str | None, inputs: Sequence[str],
          outputs: Sequence[str], explicit: bool) -> Graph:
    folder = path if path.is_dir() else path.parent
    if path.is_dir():
        name = next((n for n in FILES if (path / n).is_file()), None)
        if name is None:
            raise CorruptFile("a folder without saved_model.pb", path=path)
        path = path / name
        file = Mapped(path, limits, fd=open_beneath(folder, name))
    else:
        file = Mapped(path, limits)
    kind = _kind(bytes(file.view[:4096]), path)
    if path.name in FILES:
        kind = "SavedModel" + (".text" if path.suffix == ".pbtxt" else "")
    if path.suffix == ".meta":
        kind = "MetaGraphDef" + (".text" if kind.endswith(".text") else "")
    if not kind:
        raise CorruptFile("no GraphDef, MetaGraphDef or SavedModel")
    root = kind.removesuffix(".text")
    tensors = Tensors(file, limits)
    proto: Any
    if kind.endswith(".text"):
        proto = _text(root, bytes(file.view), path)
    else:
        proto = parse(message(root), skeleton(file.view, tensors.scan(root), INLINE, limits), path)
    if root == "GraphDef":
        if signature is not None or tags is not None:
            raise UsageError("a frozen graph has neither signatures nor tags", hint="name inputs and outputs")
        from .frozen import read_model
        if not len(proto.node):
            raise CorruptFile("a graph without nodes")
        return read_model(Model(proto, tensors, limits), inputs, outputs, explicit)
    if root == "MetaGraphDef":
        return read_meta(proto, tensors, limits, path, folder, path.stem, signature, explicit, inputs, outputs)
    meta = choose_meta(proto.meta_graphs, tags, path)
    return read_meta(meta, tensors, limits, path, folder, "variables/variables", signature, explicit, inputs, outputs)


def _text(root: str, data: bytes, path: Path) -> Any:
    proto = message(root)()
    try:
        text_format.Parse(data.decode("utf-8"), proto, allow_unknown_field=True)
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as e:
        raise CorruptFile(f"no {root} as text: {printable(e, 200)}", path=path) from None
    return proto
