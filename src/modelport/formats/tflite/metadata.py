"""What a .tflite says about itself beyond its graph, kept as text: labels, normalisation, authors, versions.

Keys of ``Graph.meta``: ``tflite:description``, ``tflite:min_runtime_version``, and from the TFLITE_METADATA buffer
``tflite:name``, ``:version``, ``:author``, ``:license``, ``tflite:labels`` (one label a line), ``tflite:file:<name>``
for other associated text files, ``tflite:normalization`` and ``tflite:tensors`` (JSON by input or output name).

Source: tflite-support, metadata_schema.fbs 1.1.0; associated files are a zip archive behind the model (APPNOTE.TXT)."""
from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...codecs.flatbuffer import Reader, Table, Writer, schema
from ...codecs.limits import Limits
from ...errors import CorruptFile, LimitExceeded, printable
from ...ir.graph import Graph
from ...notes import Note

if TYPE_CHECKING:
    from .container import File

_TEXT_BYTES = 1 << 20
_LABELS = ("TENSOR_AXIS_LABELS", "TENSOR_VALUE_LABELS")


def build(meta: Mapping[str, str], graph: Graph) -> tuple[bytes, dict[str, bytes]]:
    """The TFLITE_METADATA buffer and the associated files that say what :func:`read` found; empty without any."""
    files = {k.removeprefix("tflite:file:"): v.encode() for k, v in meta.items() if k.startswith("tflite:file:")}
    if "tflite:labels" in meta:
        files["labels.txt"] = meta["tflite:labels"].encode()
    normal: dict[str, Any] = json.loads(meta.get("tflite:normalization", "{}"))
    tensors: dict[str, Any] = json.loads(meta.get("tflite:tensors", "{}"))
    root: dict[str, Any] = {k: meta[f"tflite:{k}"] for k in ("name", "version", "author", "license")
                            if f"tflite:{k}" in meta}
    if not (files or normal or tensors or root):
        return b"", {}

    def tensor(name: str, labels: bool) -> dict[str, Any]:
        out: dict[str, Any] = {"name": name, **tensors.get(name, {})}
        if name in normal:
            out["process_units"] = [{"options_type": "NormalizationOptions", "options": normal[name]}]
        if labels:
            out["associated_files"] = [{"name": "labels.txt", "type": "TENSOR_AXIS_LABELS"}]
        return out
    outs = list(graph.outputs)
    # the labels name the classes of the output that is as long as they are many, else of the first
    count = len(meta.get("tflite:labels", "").splitlines())
    named = next((k for k in outs if (graph.outputs[k].shape or (0,))[-1:] == (count,)), outs[0] if outs else "")
    root["subgraph_metadata"] = [{
        "input_tensor_metadata": [tensor(k, False) for k in graph.inputs],
        "output_tensor_metadata": [tensor(k, k == named and "tflite:labels" in meta) for k in outs]}]
    more = [{"name": k} for k in files if k != "labels.txt"]
    if more:
        root["associated_files"] = more
    if meta.get("tflite:description"):
        root["description"] = meta["tflite:description"]
    out = io.BytesIO()
    Writer(schema("tflite_metadata")).write(root, out)
    return out.getvalue(), files


def version(runtime: str) -> bytes:
    """The min_runtime_version buffer, 16 bytes as the official converter writes it; empty without a version."""
    return runtime.encode().ljust(16, b"\0") if runtime else b""


def append(path: Path, files: Mapping[str, bytes]) -> None:
    """Appends associated files to a model as a zip archive, the same bytes for the same content."""
    if not files:
        return
    with zipfile.ZipFile(path, "a", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)


def read(file: File, graph: Graph) -> tuple[dict[str, str], list[Note]]:
    """The texts, and a note for what could not be kept.  Bad metadata never stops a model from being read."""
    meta: dict[str, str] = {}
    notes: list[Note] = []
    if file.model["description"]:
        meta["tflite:description"] = file.model["description"]
    for entry in file.model["metadata"] or []:
        name = entry["name"]
        raw = file.bytes_of(entry["buffer"])
        if name == "min_runtime_version":
            meta["tflite:min_runtime_version"] = bytes(raw[:64]).rstrip(b"\0").decode("utf-8", "replace")
        elif name == "TFLITE_METADATA":
            try:
                root = Reader(raw, schema("tflite_metadata"), file.path, file.limits).root()
                meta.update(_model(root, graph, file, notes))
            except (CorruptFile, LimitExceeded) as e:
                notes.append(Note("dropped", f"the model's metadata: {e.message}"))
    return {k: v.encode("utf-8", "surrogateescape").decode("utf-8", "replace") for k, v in meta.items()}, notes


def _model(root: Table, graph: Graph, file: File, notes: list[Note]) -> dict[str, str]:
    meta = {f"tflite:{k}": root[k] for k in ("name", "version", "author", "license") if root[k]}
    if root["description"]:
        meta["tflite:description"] = root["description"]
    wanted: dict[str, str] = {f["name"]: f["type"] for f in root["associated_files"] or [] if f["name"]}
    normal: dict[str, Any] = {}
    tensors: dict[str, Any] = {}
    labels: list[str] = []
    for sub in (root["subgraph_metadata"] or [])[:1]:
        for kind, names in (("input", list(graph.inputs)), ("output", list(graph.outputs))):
            for name, t in zip(names, sub[f"{kind}_tensor_metadata"] or [], strict=False):
                tensors[name] = {k: v for k in ("name", "description") if (v := t[k])}
                for unit in t["process_units"] or []:
                    options = unit["options"]
                    if options is not None and options.name == "NormalizationOptions":
                        normal[name] = {k: [float(v) for v in options[k]] for k in ("mean", "std")
                                        if options[k] is not None}
                for f in t["associated_files"] or []:
                    if f["name"]:
                        wanted[f["name"]] = f["type"]
                        if f["type"] in _LABELS:
                            labels.append(f["name"])
    if normal:
        meta["tflite:normalization"] = json.dumps(normal)
    if any(tensors.values()):
        meta["tflite:tensors"] = json.dumps(tensors)
    if wanted:
        found = dict(_archive(file.data, set(wanted), file.limits))
        for name in wanted:
            if name not in found:
                notes.append(Note("dropped", f"the associated file '{printable(name)}' is not behind the model"))
                continue
            try:
                text = found[name].decode()
            except UnicodeDecodeError:
                notes.append(Note("dropped", f"the associated file '{printable(name)}' is no text"))
                continue
            meta["tflite:labels" if name in labels[:1] else f"tflite:file:{name}"] = text
    return meta


def _archive(data: memoryview, names: set[str], limits: Limits) -> Iterator[tuple[str, bytes]]:
    """Those of the named members that the zip archive at the end of ``data`` holds whole, at most 1 MiB each."""
    tail = bytes(data[max(0, len(data) - 65557):])
    end = tail.rfind(b"PK\5\6")
    if end < 0 or end + 22 > len(tail):
        return
    count, size, start = struct.unpack_from("<HII", tail, end + 10)
    directory = len(data) - len(tail) + end - size
    shift = directory - start  # what lies in front of the archive
    if directory < 0 or shift < 0:
        return
    entries, at = data[directory:directory + size], 0
    for _ in range(limits.check("members", count)):
        if at + 46 > len(entries) or bytes(entries[at:at + 4]) != b"PK\1\2":
            return
        flags, method = struct.unpack_from("<HH", entries, at + 8)
        crc, packed, unpacked, n, extra, comment = struct.unpack_from("<IIIHHH", entries, at + 16)
        local, = struct.unpack_from("<I", entries, at + 42)
        name = bytes(entries[at + 46:at + 46 + n]).decode("utf-8", "surrogateescape")
        at += 46 + n + extra + comment
        if name not in names or flags & 1 or unpacked > _TEXT_BYTES:
            continue
        content = _member(data, shift + local, method, packed, unpacked)
        if content is not None and zlib.crc32(content) == crc:
            yield name, content


def _member(data: memoryview, at: int, method: int, packed: int, unpacked: int) -> bytes | None:
    if at + 30 > len(data) or bytes(data[at:at + 4]) != b"PK\3\4":
        return None
    n, extra = struct.unpack_from("<HH", data, at + 26)
    start = at + 30 + n + extra
    raw: Sequence[int] = data[start:start + packed]
    if len(raw) != packed:
        return None
    if method == 0:
        return bytes(raw) if packed == unpacked else None
    if method != 8:
        return None
    try:
        content = zlib.decompressobj(-15).decompress(bytes(raw), unpacked + 1)
    except zlib.error:
        return None
    return content if len(content) == unpacked else None
