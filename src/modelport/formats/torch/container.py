"""Which kind of PyTorch file it is, and what is in it, as a graph of one node."""
from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ...codecs.archive import Archive
from ...codecs.limits import DEFAULT, Limits
from ...errors import CorruptFile, UnsafeModel, Unsupported, UnsupportedModel, printable
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Tensor
from ...ir.types import Type
from .elements import of_export
from .program import Program, parse
from .states import is_explicit
from .storage import MAGIC, Records, Storage, as_tensor, is_safetensors, is_tar, tensor
from .values import I64

_OLD = "serialized_exported_program.json"


def sniff(head: bytes, path: Path) -> bool:
    """An archive of torch.save, torch.jit.save or torch.export.save, a file of torch.save before 1.6, safetensors."""
    if MAGIC in head[:32] or is_safetensors(head):
        return True
    if not head.startswith(b"PK\x03\x04"):
        return False
    try:
        with zipfile.ZipFile(path) as z:
            names = z.namelist()
    except (OSError, zipfile.BadZipFile, ValueError):
        return False
    ends = (".data/version", "archive_format", "/data.pkl")
    return any(n in (_OLD, "data.pkl") or n.endswith(ends) for n in names)


def read(path: Path, limits: Limits = DEFAULT, *, inputs: Sequence[str] = (), module: str = "",
         state: str = "reset") -> Graph:
    """The program of a file.

    ``inputs`` are types and shapes of the inputs of TorchScript and modules, such as "float32[batch,3,224,224]" or
    "x:int64[1,seq]", one for each, or a number that is fixed ("sr=16000"); a .pt2 file says its own.  ``module`` is
    the file and class of the user's own that a state dict or a pickled module belongs to, "net.py:Net": it is run, in
    a process of its own.  ``state`` says what becomes of what changes from call to call: with ``reset`` each begins
    with the values of the file, with ``explicit`` they are inputs ``state:<name>`` and outputs ``state:<name>:next``.
    Raises :class:`UnsupportedModel` where there is no program in the file."""
    path, explicit = Path(path), is_explicit(state)
    if module:
        from .own import exported
        with exported(path, module, inputs) as made:
            return read(made, limits, state=state)
    with open(path, "rb") if path.is_file() else io.BytesIO() as f:
        head = f.read(32)
    if not head.startswith(b"PK\x03\x04"):
        if not (path.is_dir() or MAGIC in head or is_safetensors(head) or is_tar(path)):
            why = "is no file of PyTorch: it begins neither as an archive, nor as torch.save began, nor as safetensors"
            raise CorruptFile(why if head else "is empty", path=path, offset=0 if head else None)
        return pickled(path, limits, inputs, explicit)
    records = Records(path, limits)
    try:
        if _OLD in records:
            return graph(_old(records), explicit)
        models = [n for n in records.names if n.startswith("models/") and n.endswith(".json")]
        if models:
            return graph(_new(records, models), explicit)
        if any(n.startswith("data/aotinductor/") for n in records.names):
            raise _unreadable("an AOTInductor package: machine code without the program it was compiled from; export "
                              "the model with torch.export.save")
        if "constants.pkl" in records or any(n.startswith("code/") for n in records.names):
            return script(records, inputs, explicit)
        if "data.pkl" in records:
            return pickled(path, limits, inputs, explicit)
        raise _unreadable("no program of torch.export, TorchScript or pickle is in the archive")
    except (LookupError, TypeError, ValueError, AttributeError) as e:  # a description that lacks something
        raise CorruptFile(f"no program of PyTorch: {type(e).__name__}: {printable(e, 100)}", path=path) from e
    finally:
        records.close()


def pickled(path: Path, limits: Limits, inputs: Sequence[str], explicit: bool = False) -> Graph:
    """A module, or the weights of one, which :mod:`.modules` knows."""
    from .modules.states import read
    return read(path, limits, inputs, explicit)


def harmless(path: Path) -> None:
    """Raises :class:`UnsafeModel` if a pickle in the file names what a model has no business with."""
    from ...codecs import pickle
    from ..sklearn.container import dangerous
    with Archive(Path(path)) as archive:
        for name in archive.names():
            if name.endswith((".pkl", ".pt")):
                data = archive.read(name)
                if data.startswith(b"PK"):
                    with _inner(data) as inner:
                        found = [inner.read(n) for n in inner.names() if n.endswith(".pkl")]
                else:
                    found = [data] if data else []
                for one in found:
                    bad = dangerous(pickle.read(one).names)
                    if bad:
                        raise UnsafeModel(f"'{printable(name)}' names {printable(bad[0], 60)}: opening it with PyTorch "
                                          "could run that")


@contextmanager
def _inner(data: bytes) -> Iterator[Archive]:
    """An archive that is a record of another one."""
    with tempfile.TemporaryDirectory(prefix="modelport-") as folder:
        path = Path(folder) / "inner"
        path.write_bytes(data)
        with Archive(path) as archive:
            yield archive


def script(records: Records, inputs: Sequence[str], explicit: bool = False) -> Graph:
    """A TorchScript archive as a raw graph of one node, which holds the archive and the types of its inputs."""
    from .inputs import held, numbers
    from .script.translate import described, opened, run
    archive = opened(records)
    types, fixed = described(archive, inputs), numbers(inputs)[1]
    raw = held("torch.TorchScript", run(archive, types, fixed, explicit))
    return raw.with_(meta={"torch:fixed": json.dumps(fixed)}) if fixed else raw


def _unreadable(why: str) -> UnsupportedModel:
    return UnsupportedModel([Unsupported(why)], "ONNX")


def graph(program: Program, explicit: bool = False) -> Graph:
    """A raw graph of one node, which holds the program; with ``explicit`` its hub graph, for that says which buffers
    change from call to call."""
    types = program.block.types
    inputs = {n: Value(types.get(n, Type(I64, ())), n) for n in program.inputs}
    names = [n for n in program.outputs if n is not None]
    made = [types.get(getattr(o, "name", ""), Type(I64, ()))
            for n, o in zip(program.outputs, program.block.outputs, strict=True) if n is not None]
    node = Node("torch.ExportedProgram", list(inputs.values()), {"program": program}, made, names, "main")
    meta = {"torch:version": program.version} if program.version else {}
    for name, (low, high) in program.ranges.items():
        meta[f"torch:range:{name}"] = f"{'' if low is None else low}..{'' if high is None else high}"
    raw = Graph(inputs, dict(zip(names, node.outputs, strict=True)), "main", meta)
    if explicit:
        from .inputs import held
        from .translate import to_hub
        return held("torch.ExportedProgram", to_hub(raw, explicit)).with_(meta=meta)
    return raw


def _json(records: Records, name: str) -> Any:
    try:
        return json.loads(records.read(name))
    except (ValueError, RecursionError) as e:
        raise CorruptFile(f"'{printable(name)}' is no JSON: {printable(e, 100)}", path=records.path) from None


def _new(records: Records, models: list[str]) -> Program:
    """Layouts of torch 2.7 and newer."""
    name = models[0].removeprefix("models/").removesuffix(".json")
    found: dict[str, Tensor] = {}
    for folder, kind in (("weights", "weights"), ("constants", "constants")):
        config = f"data/{folder}/{name}_{kind}_config.json"
        if config in records:
            for own, said in _json(records, config)["config"].items():
                made = _payload(records, f"data/{folder}/{said['path_name']}", said)
                if made is not None:
                    found[own] = made
        for saved in (f"data/{folder}/{name}.pt",):
            if saved in records:
                found.update(_saved(records, saved))
    return parse(_json(records, models[0]), found.get)


def _payload(records: Records, name: str, said: dict[str, Any]) -> Tensor | None:
    """A tensor whose bytes are a record; ``None`` for an object of Python, which is a pickle."""
    meta = said.get("tensor_meta")
    if said.get("use_pickle") or not meta:
        return None
    storage = Storage(records.bytes_of(name), of_export(meta["dtype"]), records.big_endian)
    return tensor(storage, storage.dtype, int(meta["storage_offset"]["as_int"]),
                  [int(d["as_int"]) for d in meta["sizes"]], [int(d["as_int"]) for d in meta["strides"]])


def _old(records: Records) -> Program:
    """The layout of torch 2.1 to 2.6."""
    found: dict[str, Tensor] = {}
    for name in ("serialized_state_dict.pt", "serialized_state_dict.json", "serialized_constants.pt",
                 "serialized_constants.json"):
        if name in records:
            found.update(_saved(records, name))
    return parse(_json(records, _OLD), found.get)


def _saved(records: Records, name: str) -> dict[str, Tensor]:
    """The tensors of a file of torch.save that is a record of another archive."""
    data = records.read(name)
    if not data:
        return {}
    with tempfile.TemporaryDirectory(prefix="modelport-") as folder:
        path = Path(folder) / "inner"
        path.write_bytes(data)
        inner = Records(path, records.limits)
        try:
            root = inner.unpickled("data.pkl", "data").root
        finally:
            inner.close()
    items = root.items() if isinstance(root, dict) else root.entries.items() if hasattr(root, "entries") else ()
    return {str(k): t for k, v in items if (t := as_tensor(v)) is not None}
