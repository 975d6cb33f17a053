"""The .tflite container: the file's own operators as a raw graph (:mod:`.writer` is the way back).

A node's operator is named as the schema names it (``CONV_2D``), ``custom.<name>`` or ``flex.<Op>``; its attributes
are the fields of its options, enumerations by name.  Whatever a file says is checked before it is used, because the
runtime itself trusts its input.

Source: tensorflow/lite/schema/schema.fbs, version 3."""
from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...codecs.flatbuffer import Reader, Table, schema
from ...codecs.limits import DEFAULT, Limits
from ...errors import CorruptFile, UsageError, printable
from ...ir.graph import Graph
from ...ir.tensor import Tensor
from ...notes import Note
from . import metadata
from .scope import Scope
from .state import Variables


def sniff(head: bytes, path: Path) -> bool:
    """Whether a file that begins with ``head`` is a TensorFlow Lite model."""
    return head[4:8] == b"TFL3"


def read(path: Path, limits: Limits = DEFAULT, *, signature: str | None = None, state: str = "reset") -> Graph:
    """The raw graph of the file's ``signature`` (default: ``serving_default``, else the first, else the main graph).

    ``state`` says what becomes of variables: with ``reset`` each run starts from their initial values, as after
    ``reset_all_variables()`` of the interpreter; with ``explicit`` they become inputs ``state:<name>`` and outputs
    ``state:<name>:next``.
    Raises :class:`CorruptFile`, :class:`LimitExceeded`, or :class:`UsageError` for a signature that is not there."""
    if state not in ("reset", "explicit"):
        raise UsageError(f"state '{printable(state)}' is neither 'reset' nor 'explicit'")
    return File(Path(path), limits).graph(signature, state == "explicit")


def map_file(path: Path, limits: Limits) -> memoryview:
    """The bytes of a file, mapped into memory."""
    try:
        with open(path, "rb") as f:
            size = f.seek(0, 2)
            limits.check("file_bytes", size)
            if size == 0:
                raise CorruptFile("the file is empty", path=path, offset=0)
            return memoryview(mmap.mmap(f.fileno(), size, access=mmap.ACCESS_READ))
    except OSError as e:
        raise UsageError(f"cannot read {printable(path)}: {e.strerror or e}") from None


class File:
    """One file while it is being read."""

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path, self.limits = path, limits
        self.data = map_file(path, limits)
        self.model = Reader(self.data, schema("tflite"), path, limits).root()
        if self.model["version"] != 3:
            raise self.corrupt(f"schema version {self.model['version']}: only 3 is known")
        self.buffers: Sequence[Table] = self.model["buffers"] or []
        self.codes = [self._code(c) for c in self.model["operator_codes"] or []]
        self.subgraphs: Sequence[Table] = self.model["subgraphs"] or []
        if not self.subgraphs:
            raise self.corrupt("the model has no graph")
        self.notes: list[Note] = []
        self.tables: dict[str, tuple[Tensor, Tensor]] = {}
        self._bodies: dict[int, tuple[Graph, int]] = {}
        self._tensors = self._nodes = 0

    def corrupt(self, reason: str, at: int | None = None) -> CorruptFile:
        return CorruptFile(reason, path=self.path, offset=at)

    def _code(self, code: Table) -> str:
        number = max(code.number("builtin_code"), code.number("deprecated_builtin_code"))
        name = schema("tflite").names["BuiltinOperator"].get(number, f"unknown({number})")
        if name != "CUSTOM":
            return name
        custom = code["custom_code"] or ""
        return "flex." + custom[4:] if custom.startswith("Flex") else "custom." + custom

    def bytes_of(self, index: int) -> memoryview:
        """The bytes of a buffer: in the FlatBuffer, or behind it if the file says where."""
        if not 0 <= index < len(self.buffers):
            raise self.corrupt(f"buffer {index} of {len(self.buffers)}")
        buffer = self.buffers[index]
        offset, size = buffer["offset"], buffer["size"]
        if offset > 1:
            if offset + size > len(self.data):
                raise self.corrupt(f"buffer {index} of {size} bytes at {offset} leaves the file", buffer.at)
            return self.data[offset:offset + size]
        data = buffer["data"]
        start = buffer.location("data")
        return self.data[start:start + (0 if data is None else len(data))]

    def graph(self, signature: str | None, explicit: bool) -> Graph:
        """The graph that was asked for, with all that the model says about itself."""
        signatures = self.model["signature_defs"] or []
        keys = [s["signature_key"] or "" for s in signatures]
        if signature is not None and signature not in keys:
            raise UsageError(f"{printable(self.path)} has no signature '{printable(signature)}'",
                             hint="it has " + (", ".join(map(printable, keys)) or "none"))
        chosen = keys.index(signature) if signature is not None else \
            keys.index("serving_default") if "serving_default" in keys else 0 if keys else None
        if len(keys) > 1 and chosen is not None:
            others = ", ".join(printable(k) for k in keys if k != keys[chosen])
            self.notes.append(Note("info", f"read signature '{printable(keys[chosen])}'; the others: {others}"))
        names: dict[str, list[tuple[str, int]]] = {"inputs": [], "outputs": []}
        index = 0
        if chosen is not None:
            index = signatures[chosen]["subgraph_index"]
            names = {k: [(m["name"] or "", m["tensor_index"]) for m in signatures[chosen][k] or []] for k in names}
        elif len(self.subgraphs) > 1:
            self.notes.append(Note("info", f"read the first of {len(self.subgraphs)} graphs; there is no signature"))
        variables = Variables(explicit)
        graph = self.scope(index, variables, (), names).graph
        meta, more = metadata.read(self, graph)
        return graph.with_(meta=meta).noted(*self.notes, *variables.notes(), *more)

    def scope(self, index: int, variables: Variables, above: tuple[int, ...],
              names: Mapping[str, Sequence[tuple[str, int]]]) -> Scope:
        """Reads one of the file's graphs, itself inside those of ``above``."""
        if not 0 <= index < len(self.subgraphs):
            raise self.corrupt(f"graph {index} of {len(self.subgraphs)}")
        if index in above:
            raise self.corrupt(f"graph {index} contains itself")
        self.limits.check("depth", len(above) + 1)
        sub = self.subgraphs[index]
        self._tensors = self.limits.check("tensors", self._tensors + sub.count("tensors"))
        self._nodes = self.limits.check("nodes", self._nodes + sub.count("operators"))
        return Scope(self, sub, variables, (*above, index), names)

    def body(self, index: int, above: tuple[int, ...]) -> Graph:
        """A graph that an operator refers to; its nodes count again for each reference, as every walk does."""
        if index not in self._bodies:
            before = self._nodes
            graph = self.scope(index, Variables(fixed=True), above, {"inputs": [], "outputs": []}).graph
            self._bodies[index] = graph, self._nodes - before
        else:
            self._nodes = self.limits.check("nodes", self._nodes + self._bodies[index][1])
        return self._bodies[index][0]
