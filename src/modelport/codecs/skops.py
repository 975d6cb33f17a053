"""``.skops`` files: a zip of ``schema.json`` and arrays (.npy), which says of every object its class and attributes.

Read as records, of which nothing is made and no class is looked up.  Source: skops/io/_general.py, _numpy.py,
_sklearn.py (protocols 0 to 2)."""
from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from ..errors import CorruptFile, printable
from .archive import Archive
from .limits import DEFAULT, Limits
from .pickle import Name, Pickled, Record

SCHEMA, PROTOCOL, VERSION = "schema.json", 2, "0.16.0"
_EPOCH = (1980, 1, 1, 0, 0, 0)


# -- reading


def read(path: Path, limits: Limits = DEFAULT) -> Pickled:
    """The object of a file, as :func:`.pickle.read` gives those of a pickle."""
    with Archive(path, limits) as archive:
        if SCHEMA not in archive.names():
            raise CorruptFile(f"a zip without {SCHEMA}")
        reader = _Reader(archive)
        try:
            root = reader.value(json.loads(archive.read(SCHEMA)))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
            raise CorruptFile(f"{SCHEMA} is none of skops ({type(e).__name__}: {printable(e, 80)})") from e
        return Pickled([root], reader.names)


class _Reader:
    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        self.names: dict[Name, int] = {}
        self.arrays: dict[str, Any] = {}

    def named(self, node: dict[str, Any]) -> Name:
        name = Name(str(node["__module__"]), str(node["__class__"]))
        self.names[name] = self.names.get(name, 0) + 1
        return name

    def value(self, node: Any) -> Any:
        loader, content = node["__loader__"], node.get("content")
        if loader == "JsonNode":
            return json.loads(content)
        if loader in ("ListNode", "TupleNode", "SetNode"):
            items = [self.value(v) for v in content]
            return items if loader == "ListNode" else tuple(items)
        if loader in ("DictNode", "DefaultDictNode", "OrderedDictNode"):
            return {k: self.value(v) for k, v in content.items()}
        if loader == "NdArrayNode":
            return self.array(node)
        if loader in ("BytesNode", "BytearrayNode"):
            return self.archive.read(str(node["file"]))
        if loader == "SliceNode":
            return slice(*(content[k] for k in ("start", "stop", "step")))
        if loader == "DTypeNode":
            return self.value(content).dtype
        if loader == "TypeNode":
            return self.named(node)
        if loader == "FunctionNode":
            inner = content if isinstance(content, dict) else {}
            return self.named({"__module__": inner.get("module_path", node["__module__"]),
                               "__class__": inner.get("function", node["__class__"])})
        made = Record(self.named(node))
        if loader == "SparseMatrixNode":
            made.state = self.sparse(node)
        elif loader == "ConstructorFromReduceNode":
            made.args = tuple(self.value(content))
        elif loader in ("ObjectNode", "TreeNode", "LossNode") and content is not None:  # of others the class says it
            made.state = self.value(content)
        if isinstance(reduced := node.get("__reduce__"), dict):
            made.args = tuple(self.value(reduced["args"]))
        return made

    def array(self, node: dict[str, Any]) -> Any:
        if node["type"] == "json":
            items = node["content"] if isinstance(node["content"], list) else [node["content"]]
            flat = [self.value(v) for v in items]
            shape = tuple(self.value(node["shape"])) if "shape" in node else (len(flat),)
            made = np.empty(len(flat), object)
            made[:] = flat
            return made if shape == (len(flat),) else np.array(flat, object).reshape(shape)
        name = str(node["file"])
        if name not in self.arrays:
            self.arrays[name] = _npy(self.archive.read(name))
        return self.arrays[name] if self.arrays[name].ndim or node["__class__"] == "ndarray" else self.arrays[name][()]

    def sparse(self, node: dict[str, Any]) -> dict[str, Any]:
        """What scipy keeps of a sparse matrix: a zip of arrays inside the zip."""
        data = self.archive.read(str(node["file"]))
        with zipfile.ZipFile(io.BytesIO(data)) as z:
            if sum(i.file_size for i in z.infolist()) > 1100 * len(data) + (1 << 20):
                raise CorruptFile("a sparse matrix that is larger than it can be")
            found = {n.removesuffix(".npy"): _npy(z.read(n)) for n in z.namelist() if n != "format.npy"}
        return {**found, "_shape": tuple(found["shape"].tolist())} if "shape" in found else found


def _npy(data: bytes) -> Any:
    """The array of an .npy, without objects; its size is that of the bytes that are there."""
    stream = io.BytesIO(data)
    version = npy_format.read_magic(stream)
    header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, by_column, dtype = header(stream)
    count = 1
    for d in shape:
        count *= d
    if dtype.hasobject or count < 0 or count * dtype.itemsize > len(data) - stream.tell():
        raise ValueError("an array that is not there")
    flat = np.frombuffer(data, dtype, count, stream.tell()).copy()
    return flat.reshape(shape, order="F" if by_column else "C")


# -- writing


def dumps(record: Record) -> bytes:
    """A file of the object, whose records have attributes by name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as z:
        writer = _Writer(z)
        schema = {**writer.node(record), "protocol": PROTOCOL, "_skops_version": VERSION}
        z.writestr(zipfile.ZipInfo(SCHEMA, _EPOCH), json.dumps(schema))
    return out.getvalue()


class _Writer:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive, self.count = archive, 0

    def node(self, v: Any) -> dict[str, Any]:
        """A value, with a number of its own: nodes of one number are one object."""
        return self._numbered(self._node(v))

    def _numbered(self, made: dict[str, Any]) -> dict[str, Any]:
        self.count += 1
        return {**made, "__id__": self.count}

    def _node(self, v: Any) -> dict[str, Any]:
        if v is None or isinstance(v, (bool, str)) or type(v) in (int, float):
            return {**_of("builtins", "str", "JsonNode"), "content": json.dumps(v), "is_json": True}
        if isinstance(v, (list, tuple)):
            kind = "list" if isinstance(v, list) else "tuple"
            return {**_of("builtins", kind, f"{kind.title()}Node"), "content": [self.node(x) for x in v]}
        if isinstance(v, dict):
            texts = [self._numbered(_of("builtins", "str", "TypeNode")) for _ in v]
            keys = self._numbered({**_of("builtins", "list", "ListNode"), "content": texts})
            return {**_of("builtins", "dict", "DictNode"), "content": {k: self.node(x) for k, x in v.items()},
                    "key_types": keys}
        if isinstance(v, (np.ndarray, np.generic)):
            return self._array(v)
        if not isinstance(v, Record) or not isinstance(v.of, Name):
            raise TypeError(f"a {type(v).__name__} cannot be written")
        module, name = v.of.module, v.of.name
        if v.args:
            return {**_of(module, name, "TreeNode"), "__reduce__": {"args": self.node(v.args)},
                    "content": self.node(v.state)}
        if name.startswith("Cy"):
            return {**_of(module, name, "LossNode"), "__reduce__": {"args": self.node(())}, "content": self.node({})}
        return {**_of(module, name, "ObjectNode"), "content": self.node(v.state)}

    def _array(self, v: Any) -> dict[str, Any]:
        name = f"{len(self.archive.namelist())}.npy"
        data = io.BytesIO()
        np.save(data, v, allow_pickle=False)
        self.archive.writestr(zipfile.ZipInfo(name, _EPOCH), data.getvalue())
        return {**_of("numpy", type(v).__name__, "NdArrayNode"), "type": "numpy", "file": name}


def _of(module: str, name: str, loader: str) -> dict[str, Any]:
    return {"__class__": name, "__module__": module, "__loader__": loader}
