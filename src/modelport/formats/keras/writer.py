"""Writing ``.keras`` archives of Keras 3, and ``.h5`` files in the dialect that Keras 2 and Keras 3 both read.

Source: keras/src/saving/saving_lib.py and keras/src/legacy/saving/legacy_h5_format.py."""
from __future__ import annotations

import io
import json
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import Unsupported, UnsupportedModel
from ...ir.graph import Graph
from .config import snake
from .net import RECURRENT, VARS, Net, Out, Part, dtype_name, net, operation_class, plain, sources

VERSION = "3.6.0"
"""The oldest Keras that reads the files as they are written; all newer ones do."""
_SAVED = "2026-01-01@00:00:00"  # the same bytes for the same model
_EPOCH = (1980, 1, 1, 0, 0, 0)
_LEGACY = {"LeakyReLU": {"negative_slope": "alpha"}}


def write(raw: Graph, path: Path) -> None:
    """Writes ``.keras``, or ``.h5`` and ``.hdf5`` where the path says so."""
    made = net(raw)
    if path.suffix.lower() in (".h5", ".hdf5"):
        _h5(made, path)
    else:
        _archive(made, path)


def _archive(made: Net, path: Path) -> None:
    config = {"module": "keras.src.models.functional", "class_name": "Functional", "registered_name": "Functional",
              "build_config": {"input_shape": None}, "config": _functional(made, [_record(p) for p in made.parts])}
    metadata = {"keras_version": VERSION, "date_saved": _SAVED}
    weights = io.BytesIO()
    _weights(made, weights)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as z:
        members: dict[str, Any] = {"metadata.json": json.dumps(metadata).encode(),
                                   "config.json": json.dumps(config).encode(), "model.weights.h5": weights.getbuffer()}
        for name, data in members.items():
            with z.open(zipfile.ZipInfo(name, _EPOCH), "w", force_zip64=True) as f:
                f.write(data)


def _functional(made: Net, layers: list[Any]) -> dict[str, Any]:
    ins = [[p.name, 0, 0] for p in made.inputs]
    outs = [[o.part.name, 0, o.index] for o in made.outputs]
    return {"name": made.name, "trainable": True, "layers": layers,  # one is no list: then the model takes an array
            "input_layers": ins[0] if len(ins) == 1 else ins, "output_layers": outs[0] if len(outs) == 1 else outs}


def _record(part: Part) -> dict[str, Any]:
    module, kind = operation_class(part.kind) if part.operation else ("keras.layers", part.kind)
    call = [] if part.kind == "InputLayer" else [{"args": _argument(part.args), "kwargs": _argument(part.kwargs)}]
    return {"module": module, "class_name": kind, "config": plain(part.config),
            "registered_name": kind if part.operation else None, "name": part.name, "inbound_nodes": call}


def _argument(x: Any) -> Any:
    if isinstance(x, Out):
        dims = (None,) if x.value.shape is None else x.value.shape  # Keras wants some; the real ones are its own
        shape = [d if isinstance(d, int) else None for d in dims]
        return {"class_name": "__keras_tensor__", "config": {"shape": shape, "dtype": dtype_name(x.value),
                                                             "keras_history": [x.part.name, 0, x.index]}}
    if isinstance(x, np.ndarray):
        return {"class_name": "__tensor__", "config": {"value": x.tolist(), "dtype": x.dtype.name}}
    if isinstance(x, slice):
        return {"class_name": "__slice__", "config": {"start": x.start, "stop": x.stop, "step": x.step}}
    if isinstance(x, dict):
        return {k: _argument(v) for k, v in x.items()}
    return [_argument(y) for y in x] if isinstance(x, list) else x


def _file(target: Any) -> Any:
    import h5py
    return h5py.File(target, "w")


def _dataset(group: Any, name: str, value: Any) -> None:
    array = value.numpy()
    if array.dtype.name == "bfloat16":
        made = group.create_dataset(name, data=array.view(np.uint16), track_times=False)
        made.attrs["dtype"] = "bfloat16"
    else:
        group.create_dataset(name, data=array, track_times=False)


def _weights(made: Net, target: Any) -> None:
    """The weights by class and count, which is how Keras 3 finds them."""
    counts: Counter[str] = Counter()
    with _file(target) as f:
        layers = f.create_group("layers")
        for part in made.parts:
            if part.operation:
                continue
            kind = snake(part.kind)
            group = layers.create_group(f"{kind}_{counts[kind]}" if counts[kind] else kind)
            counts[kind] += 1
            variables = group.create_group("vars")
            variables.attrs["name"] = part.name
            for where, value in part.weights.items():
                _dataset(group, where, value)


def _h5(made: Net, path: Path) -> None:
    beyond = [Unsupported("a function of keras.ops" if p.operation else
                          "first states, which no .h5 says so that Keras 2 and 3 both understand", p.node)
              for p in made.parts if p.operation or (p.kind in RECURRENT and len(sources(p)) > 1)]
    if beyond:
        raise UnsupportedModel(beyond, "Keras .h5", hint="a .keras file can hold them")
    config = {"class_name": "Functional", "config": _functional(made, [_legacy(p) for p in made.parts])}
    with _file(path) as f:
        f.attrs["model_config"] = json.dumps(config)
        f.attrs["keras_version"], f.attrs["backend"] = "2.15.0", "tensorflow"
        top = f.create_group("model_weights")
        top.attrs["keras_version"], top.attrs["backend"] = "2.15.0", "tensorflow"
        _names(top, "layer_names", [p.name for p in made.parts])
        for part in made.parts:
            group = top.create_group(part.name)
            names = _variables(part)
            _names(group, "weight_names", list(names))
            for name, value in names.items():
                _dataset(group, name, value)


def _names(group: Any, key: str, names: list[str]) -> None:
    """A list of names as an attribute; HDF5 holds 64 kB in one, so that longer lists are cut in pieces."""
    encoded = [n.encode() for n in names]
    pieces, limit = 1, 60000
    while any(len(part) * max(map(len, part), default=1) > limit for part in np.array_split(np.array(encoded, object),
                                                                                            pieces)):
        pieces += 1
    if pieces == 1:
        group.attrs[key] = np.array(encoded) if encoded else np.array([], "S1")
    else:
        for k, part in enumerate(np.array_split(np.array(encoded, object), pieces)):
            group.attrs[f"{key}{k}"] = np.array([bytes(b) for b in part])


def _variables(part: Part) -> dict[str, Any]:
    known = VARS.get(part.kind, ("kernel", "bias"))
    out = {}
    for where, value in part.weights.items():
        name = known[int(where.rsplit("/", 1)[1])]
        inner = ""
        if part.kind == "Bidirectional":
            kind = snake(part.config["layer"]["class_name"])
            inner = f"{where.split('_layer')[0]}_{kind}/{kind}_cell/"
        elif part.kind in RECURRENT:
            inner = f"{snake(part.kind)}_cell/"
        out[f"{part.name}/{inner}{name}:0"] = value
    return out


def _legacy(part: Part) -> dict[str, Any]:
    renamed = _LEGACY.get(part.kind, {})
    config = {renamed.get(k, k): v for k, v in part.config.items()}
    if part.kind == "InputLayer":
        config["batch_input_shape"] = config.pop("batch_shape")
    if part.kind == "Bidirectional":
        config["layer"] = {"class_name": config["layer"]["class_name"], "config": config["layer"]["config"]}
    calls = [[o.part.name, 0, o.index, {}] for o in sources(part)]
    return {"class_name": part.kind, "config": plain(config), "name": part.name,
            "inbound_nodes": [calls] if calls else []}
