"""Files of Keras: ``.keras`` archives and folders, ``.h5`` of every generation, architectures in JSON with weights."""
from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ...codecs import hdf5
from ...codecs.archive import Archive
from ...codecs.limits import DEFAULT, Limits
from ...codecs.mapped import Mapped
from ...codecs.paths import beneath, open_beneath
from ...errors import CorruptFile, UnsafeModel, UnsupportedModel, UsageError, printable
from ...ir.graph import Graph
from .config import Layer, is_net, parse
from .graph import Reader
from .weights import Paths, Scope, by_names

MAGIC = hdf5.MAGIC
_CONFIG = 100 << 20  # bytes of a configuration


@dataclass
class Parts:
    """What a file holds: configuration, versions, where the weights are, vocabularies."""

    config: Any
    version: str
    scope: Scope
    backend: str = "tensorflow"
    assets: Mapping[str, Callable[[], bytes]] = field(default_factory=dict)


def sniff(head: bytes, path: Path) -> bool:
    """Whether this looks like a file of Keras: HDF5, a zip whose first member is one of Keras's, a folder of them."""
    if path.is_dir():
        return (path / "config.json").is_file() and any(
            n.startswith("model.weights") for n in os.listdir(path))
    if head.startswith(MAGIC):
        return True
    if head.startswith(b"PK\x03\x04"):
        name = head[30:30 + int.from_bytes(head[26:28], "little")]
        return name in (b"metadata.json", b"config.json") or name.startswith(b"model.weights")
    return False


def read(path: Path, limits: Limits = DEFAULT, *, weights: str | None = None, state: str = "reset") -> Graph:
    """The file as a raw graph.

    ``weights`` names the file with the weights of an architecture in JSON, or the architecture is beside a file of
    weights.  ``state`` says what becomes of the states of stateful layers: with ``reset`` each run starts from zeros,
    with ``explicit`` they become inputs ``state:<name>`` and outputs ``state:<name>:next``."""
    if state not in ("reset", "explicit"):
        raise UsageError(f"state '{printable(state)}' is neither 'reset' nor 'explicit'")
    path = Path(path)
    parts = _parts(path, limits, weights)
    config = parts.config
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise CorruptFile("the configuration of the model has no class name", path=path)
    kind, inside = config["class_name"], config.get("config")
    if isinstance(inside, dict) and "model_config" in inside:
        inside = inside["model_config"]
    if not is_net(kind, inside) and not isinstance(inside, list):
        raise UnsupportedModel(
            [Layer(kind, kind, "", {}).problem("a subclassed model: its file holds weights, but not what it computes")],
            "ONNX operators", hint="save it as a SavedModel (model.export), or load the live model in Python")
    reader = Reader(limits, parts.version, parts.backend, state == "explicit")
    reader.assets = parts.assets
    try:
        return reader.model(kind, inside, parts.scope)
    except (TypeError, ValueError, KeyError, IndexError, AttributeError, OverflowError) as e:
        raise CorruptFile(f"the configuration of the model makes no sense ({type(e).__name__}: {printable(e, 80)})",
                          path=path) from e


def _parts(path: Path, limits: Limits, weights: str | None) -> Parts:
    if path.is_dir():
        return _folder(path, limits)
    with open(path, "rb") as f:
        head = f.read(8)
    if head.startswith(MAGIC):
        return _h5(path, limits, weights)
    if head.startswith(b"PK"):
        return _archive(path, limits)
    return _json(path, limits, weights)


# -- HDF5


def _h5(path: Path, limits: Limits, architecture: str | None) -> Parts:
    root = hdf5.File(Mapped(path, limits), limits=limits).root
    text = root.attrs.get("model_config")
    if text is None:
        if architecture is None:
            raise UsageError(f"{printable(path.name)} holds weights only, and not what the model computes",
                             hint="convert the architecture (model.to_json()) with the option weights="
                                  f"{printable(path.name)}")
        raise UsageError("the option weights belongs to an architecture in JSON")
    config = parse(str(text), limits, "the configuration")
    group = root.group("model_weights")
    scope = by_names(root if group is None else group)
    if scope is None:
        raise CorruptFile("the file has no list of weights", path=path)
    version = str(root.attrs.get("keras_version", "1"))
    if isinstance(config, dict) and "keras_version" in config:
        version = str(config["keras_version"])
    return Parts(config, version, scope, str(root.attrs.get("backend", "tensorflow")))


def _json(path: Path, limits: Limits, weights: str | None) -> Parts:
    if path.stat().st_size > _CONFIG:
        raise CorruptFile("too large for an architecture in JSON", path=path)
    config = parse(path.read_bytes(), limits, "the architecture")
    if not isinstance(config, dict) or "class_name" not in config:
        raise CorruptFile("no architecture of Keras in JSON", path=path)
    if weights is None:
        raise UsageError(f"{printable(path.name)} is an architecture without weights",
                         hint="name the file with the weights: weights=model.weights.h5")
    file = Path(weights)
    if not file.is_file():
        raise UsageError(f"there is no file {printable(weights)}")
    try:
        root = hdf5.File(Mapped(file, limits), limits=limits).root
        scope = weights_of(root)
    except CorruptFile as e:
        raise e.at(file) from None
    version = str(config.get("keras_version") or root.attrs.get("keras_version") or "3")
    return Parts(config, version, scope, str(config.get("backend") or root.attrs.get("backend") or "tensorflow"))


def weights_of(root: hdf5.Group) -> Scope:
    """The scope of a file of weights of either kind."""
    group = root.group("model_weights")
    found = by_names(root if group is None else group)
    if found is not None:
        return found
    if any(root.group(n) is not None for n in ("layers", "_layer_checkpoint_dependencies", "vars")):
        return Paths([root])
    raise CorruptFile("an HDF5 file without weights of Keras")


# -- .keras


def _archive(path: Path, limits: Limits) -> Parts:
    with Archive(path, limits) as archive:
        names = archive.names()
        mapped = Mapped(path, limits)

        def h5(name: str) -> hdf5.File:
            place = archive.stored(name)
            if place is None:
                return hdf5.File(archive.read(name), limits=limits)
            return hdf5.File(mapped, *place, limits=limits)
        texts = {n: archive.read(n) for n in names if n in ("config.json", "metadata.json")
                 or (n.endswith(".json") and n.startswith("model.weights"))}
        assets = {n: partial(bytes, archive.read(n)) for n in names if n.startswith("assets/")}
        return _keras(names, texts, h5, assets, limits)


def _folder(path: Path, limits: Limits) -> Parts:
    names = []
    for folder, below, files in os.walk(path):
        below.sort()
        names += [(Path(folder) / f).relative_to(path).as_posix() for f in sorted(files)]
        limits.check("members", len(names))

    def content(name: str) -> bytes:
        fd = open_beneath(path, name)
        with open(fd, "rb") as f:
            limits.check("expanded_bytes", os.fstat(f.fileno()).st_size)
            return f.read()

    def h5(name: str) -> hdf5.File:
        return hdf5.File(Mapped(path / name, limits, fd=open_beneath(path, name)), limits=limits)
    texts = {n: content(n) for n in names if n in ("config.json", "metadata.json")
             or (n.endswith(".json") and n.startswith("model.weights"))}
    assets = {n: partial(content, n) for n in names if n.startswith("assets/")}
    return _keras(tuple(names), texts, h5, assets, limits)


def _keras(names: tuple[str, ...], texts: Mapping[str, bytes], h5: Callable[[str], hdf5.File],
           assets: Mapping[str, Callable[[], bytes]], limits: Limits) -> Parts:
    if "config.json" not in texts:
        raise CorruptFile("has no config.json: no model of Keras")
    config = parse(texts["config.json"], limits, "config.json")
    metadata = parse(texts["metadata.json"], limits, "metadata.json") if "metadata.json" in texts else {}
    version = str(metadata.get("keras_version", "3")) if isinstance(metadata, dict) else "3"
    if "model.weights.h5" in names:
        scope = weights_of(h5("model.weights.h5").root)
    elif any(n.endswith(".weights.json") for n in texts):
        scope = Paths([h5(n).root for n in _shards(texts, names, limits)])
    elif "model.weights.npz" in names:
        raise UnsafeModel("model.weights.npz holds Python pickles, which are never run",
                          hint="load the model in Keras and save it again: weights are .h5 by default")
    else:
        scope = Paths([])
    return Parts(config, version, scope, assets=assets)


def _shards(texts: Mapping[str, bytes], names: tuple[str, ...], limits: Limits) -> list[str]:
    """The files of weights that are cut into several."""
    found: dict[str, None] = {}
    for name, text in texts.items():
        if not name.endswith(".weights.json"):
            continue
        index = parse(text, limits, name)
        table = index.get("weight_map") if isinstance(index, dict) else None
        if not isinstance(table, dict):
            raise CorruptFile(f"{name} has no map of weights")
        for files in table.values():
            for file in files if isinstance(files, list) else [files]:
                clean = "/".join(beneath(Path(), str(file)))
                if clean not in names:
                    raise CorruptFile(f"the shard '{printable(clean)}' is missing")
                found[clean] = None
    return list(found)
