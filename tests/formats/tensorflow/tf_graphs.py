"""GraphDefs, SavedModels and tensor bundles made by hand, without TensorFlow."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from modelport.formats.tensorflow import crc
from modelport.formats.tensorflow.ops import NUMBER
from modelport.formats.tensorflow.tensors import message
from modelport.ir.types import STRING


def tensor(proto: Any, value: Any, dtype: Any = None) -> None:
    array = np.asarray(value, dtype)
    array = array.astype(object) if array.dtype.kind == "U" else array
    proto.dtype = NUMBER[array.dtype]
    for d in array.shape:
        proto.tensor_shape.dim.add().size = d
    if array.dtype == STRING:
        proto.string_val.extend(str(s).encode() for s in array.ravel())
    else:
        proto.tensor_content = array.tobytes()


def node(graph: Any, op: str, name: str, *inputs: str, **attributes: Any) -> Any:
    """Adds a node; attributes are numpy types, arrays (tensors), text, numbers, lists of numbers, or messages."""
    made = graph.node.add(name=name, op=op, input=inputs)
    for key, v in attributes.items():
        a = made.attr[key]
        if isinstance(v, (type, np.dtype)):
            a.type = NUMBER[np.dtype(v)]
        elif isinstance(v, bool):
            a.b = v
        elif isinstance(v, int):
            a.i = v
        elif isinstance(v, float):
            a.f = v
        elif isinstance(v, str):
            a.s = v.encode()
        elif isinstance(v, np.ndarray):
            tensor(a.tensor, v)
        elif isinstance(v, tuple):
            a.func.name = v[0]
        else:
            a.list.i.extend(v)
    return made


def graph() -> Any:
    made = message("GraphDef")()
    made.versions.producer = 1205
    return made


def placeholder(g: Any, name: str = "x", shape: tuple[int, ...] = (-1, 2), dtype: Any = np.float32) -> None:
    made = node(g, "Placeholder", name, dtype=dtype)
    made.attr["shape"].shape.SetInParent()
    for d in shape:
        made.attr["shape"].shape.dim.add().size = d


def text(value: str) -> np.ndarray:
    array = np.empty((), object)
    array[()] = value
    return array


def frozen(g: Any, folder: Path, name: str = "model.pb") -> Path:
    path = folder / name
    path.write_bytes(g.SerializeToString(deterministic=True))
    return path


def savedmodel(g: Any, folder: Path, *, output: str = "y", init: str = "", restore: str = "",
               inputs: tuple[str, ...] = ("x",)) -> Path:
    """A SavedModel with one signature, written to ``folder``."""
    whole = message("SavedModel")()
    whole.saved_model_schema_version = 1
    meta = whole.meta_graphs.add()
    meta.meta_info_def.tags.append("serve")
    meta.graph_def.CopyFrom(g)
    signature = meta.signature_def["serving_default"]
    for name in inputs:
        signature.inputs[name].name = f"{name}:0"
        signature.inputs[name].dtype = 1
        signature.inputs[name].tensor_shape.dim.add().size = -1
        signature.inputs[name].tensor_shape.dim.add().size = 2
    signature.outputs["y"].name = f"{output}:0"
    signature.outputs["y"].dtype = 1
    if init:
        meta.signature_def["__saved_model_init_op"].outputs["__saved_model_init_op"].name = init
    if restore:
        meta.saver_def.restore_op_name = restore
        meta.saver_def.filename_tensor_name = "saver_filename:0"
    (folder / "variables").mkdir(parents=True, exist_ok=True)
    (folder / "saved_model.pb").write_bytes(whole.SerializeToString(deterministic=True))
    return folder


def varint(n: int) -> bytes:
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def block(entries: dict[bytes, bytes]) -> bytes:
    data = b"".join(varint(0) + varint(len(k)) + varint(len(v)) + k + v for k, v in sorted(entries.items()))
    data += (0).to_bytes(4, "little") + (1).to_bytes(4, "little")
    return data + b"\0" + crc.masked(crc.crc32c(data + b"\0")).to_bytes(4, "little")


def index(entries: dict[bytes, bytes]) -> bytes:
    """The bytes of a bundle's index: one block of entries, one that points to it."""
    data = block(entries)
    handle = varint(0) + varint(len(data) - 5)
    top = block({b"~": handle})
    footer = varint(0) + varint(0) + varint(len(data)) + varint(len(top) - 5)
    return data + top + footer.ljust(40, b"\0") + (0xDB4775248B80FB57).to_bytes(8, "little")


def bundle(folder: Path, tensors: dict[str, np.ndarray], **lies: Any) -> None:
    """A checkpoint of these tensors; ``lies`` are fields of the entries that are to be wrong."""
    head = message("BundleHeaderProto")(num_shards=1)
    entries = {b"": head.SerializeToString()}
    data = bytearray()
    for name, array in tensors.items():
        entry = message("BundleEntryProto")(dtype=NUMBER[array.dtype], offset=len(data), size=array.nbytes,
                                            crc32c=crc.masked(crc.crc32c(array.tobytes())))
        for d in array.shape:
            entry.shape.dim.add().size = d
        for key, value in lies.items():
            if key == "dims":
                del entry.shape.dim[:]
                for d in value:
                    entry.shape.dim.add().size = d
            else:
                setattr(entry, key, value)
        entries[name.encode()] = entry.SerializeToString()
        data += array.tobytes()
    (folder / "variables").mkdir(parents=True, exist_ok=True)
    (folder / "variables" / "variables.index").write_bytes(index(entries))
    (folder / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(data))
