"""PyTorch: programs of torch.export (.pt2), TorchScript, pickled modules, state dicts and safetensors."""
from __future__ import annotations

from typing import TYPE_CHECKING

from ...codecs.limits import DEFAULT, Limits
from ...errors import UsageError
from .container import read, sniff

if TYPE_CHECKING:
    from pathlib import Path

    from ...ir.graph import Graph

__all__ = ["contents", "from_hub", "read", "sniff", "to_hub", "write"]

_SCRIPT = frozenset({".pt", ".pth", ".jit", ".ptl"})


def contents(path: Path, limits: Limits = DEFAULT) -> dict[str, str]:
    """What a file holds, a program or not (:mod:`.modules.contents`)."""
    from .modules.contents import contents
    return contents(path, limits)


def to_hub(raw: Graph) -> Graph:
    """The graph in ONNX's operators (:mod:`.translate`, which recognising a file does not need)."""
    from .readback import is_calls
    if is_calls(raw):
        from .readback import to_hub
    else:
        from .translate import to_hub
    return to_hub(raw)


def from_hub(hub: Graph) -> Graph:
    """The graph in ATen's operators (:mod:`.lower`, which reading does not need)."""
    from .lower import from_hub
    return from_hub(hub)


def write(raw: Graph, path: Path) -> None:
    """Writes a program of torch.export, or TorchScript where the path ends in .pt, .pth or .jit."""
    suffix = path.suffix.lower()
    if suffix in (".safetensors", ".bin", ".th", ".ckpt"):
        raise UsageError(f"a file {suffix} holds weights without their model",
                         hint=".pt2 is a program, .pt TorchScript; --to torch-source writes code and its weights")
    if suffix in _SCRIPT:
        from .script_writer import write
    else:
        from .pt2_writer import write
    write(raw, path)


def written_options(raw: Graph, path: Path) -> dict[str, list[str]]:
    """What the reader has to be told of a file that was written: TorchScript says no types."""
    from .readback import described
    return {"inputs": described(raw)} if path.suffix.lower() in _SCRIPT else {}
