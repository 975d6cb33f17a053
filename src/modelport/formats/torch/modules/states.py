"""Files of torch.save and of safetensors: whether they hold a module, or weights only, and of what."""
from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....codecs import safetensors
from ....codecs.limits import DEFAULT, Limits
from ....codecs.pickle import Name
from ....errors import CorruptFile, Unsupported, UnsupportedModel, UsageError, printable
from ....ir.graph import Graph, Node
from ....ir.tensor import Tensor
from ..storage import Legacy, Records, is_safetensors, is_tar, refused, suspicious
from .translate import chosen, graph
from .tree import weights

_WEIGHTS = ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json", "pytorch_model.bin.index.json")


@dataclass
class Saved:
    """What a file of torch.save holds.  ``sources`` are the texts of classes, in files before 1.6."""

    root: Any
    names: dict[Name, int]
    sources: dict[str, str] = field(default_factory=dict)


def opened(path: Path, limits: Limits = DEFAULT) -> Saved:
    """The objects of a file of torch.save, tensors as records."""
    with open(path, "rb") as f:
        head = f.read(4)
    if is_tar(path):
        raise UnsupportedModel([Unsupported("a tar archive, as torch.save wrote before PyTorch 0.1.10")], "ONNX",
                               hint="open it with torch.load of an older PyTorch and save it anew")
    if head.startswith(b"PK"):
        records = Records(path, limits)
        try:
            found = records.unpickled("data.pkl", "data", checked=False)
        finally:
            records.close()
        return Saved(found.root, found.names)
    legacy = Legacy(path, limits)
    return Saved(legacy.root, legacy.names, legacy.sources)


def read(path: Path, limits: Limits = DEFAULT, inputs: Sequence[str] = (), explicit: bool = False) -> Graph:
    """The module of a file as a graph, or that of weights whose architecture is known; with ``explicit`` what changes
    from call to call is inputs and outputs.  Raises :class:`UnsupportedModel` saying what is missing."""
    if path.is_dir() or _safe(path):
        return architecture(path, tensors(path, limits), inputs)
    saved = opened(path, limits)
    bad = suspicious(saved.names)
    if bad:
        raise refused(bad)
    found = chosen(saved.root)
    if found is not None:
        return graph(found, saved.sources, inputs, explicit)
    return architecture(path, weights(saved.root), inputs)


def architecture(path: Path, found: dict[str, Tensor], inputs: Sequence[str]) -> Graph:
    """The graph of weights beside which a config.json says the architecture."""
    config = (path if path.is_dir() else path.parent) / "config.json"
    if config.is_file():
        try:
            said = json.loads(config.read_bytes()[:1 << 20])
        except (ValueError, RecursionError):
            said = None
        if isinstance(said, dict) and ("model_type" in said or "architectures" in said):
            from .huggingface import graph as hugging_face
            return hugging_face(said, found, inputs)
    raise UnsupportedModel(
        [Unsupported(f"{len(found)} tensors and no code: the file holds the weights of a model, not what it computes "
                     "with them", Node("weights", (), {}, ()))], "ONNX",
        hint="save the model with torch.export.save or torch.jit.save, name the file with its class (--module "
             "net.py:Net runs that file), or put the config.json of Hugging Face beside the weights")


def _safe(path: Path) -> bool:
    with open(path, "rb") as f:
        return is_safetensors(f.read(9))


def tensors(path: Path, limits: Limits = DEFAULT) -> dict[str, Tensor]:
    """The weights of a file or of a folder of Hugging Face, by their names."""
    if path.is_dir():
        name = next((n for n in _WEIGHTS if (path / n).is_file()), None)
        if name is None:
            raise UsageError(f"there are no weights in {printable(path)}")
        path = path / name
    if path.name.endswith(".index.json"):
        return _parts(path, limits)
    return safetensors.read(path, limits)[0] if _safe(path) else weights(opened(path, limits).root)


def _parts(index: Path, limits: Limits) -> dict[str, Tensor]:
    """The weights of several files, which an index lists."""
    from ....codecs.paths import beneath
    try:
        files = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        raise CorruptFile("is no index of weights", path=index) from None
    found: dict[str, Tensor] = {}
    for name in files[:1000]:
        part = index.parent.joinpath(*beneath(index.parent, str(name)))
        if not part.is_file():
            raise CorruptFile(f"lists the file '{printable(name)}', which is not there", path=index)
        found.update(tensors(part, limits))
    return found
