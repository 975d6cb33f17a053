"""modelport's own evaluation, with numpy, of the trees in a file of XGBoost, LightGBM or CatBoost: what speaks for a
conversion where the library is not at hand.  Nothing of the conversion to ONNX takes part; the reader of the file
does."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from ..errors import RuntimeFailed, Unsupported, UsageError, printable
from ..ir.tensor import Array
from .session import Session


def start(path: Path, *, threads: int = 1, device: str = "cpu", outputs: Sequence[str] = ()) -> Session:
    """The file at ``path``; ``outputs`` as for reading it."""
    return Trees(path, threads=threads, device=device, outputs=outputs)


class Trees(Session):
    """A model of trees, evaluated as its library does."""

    name = "modelport's own evaluation of the file's trees, numpy"

    def __init__(self, path: Path, *, threads: int, device: str, outputs: Sequence[str]) -> None:
        if device != "cpu":
            raise UsageError(f"trees are evaluated on the device 'cpu' here, not on '{printable(device)}'")
        from ..registry import detect
        spec = detect(path)
        module = spec.load()
        raw = module.read(path, outputs=outputs)
        node = next(iter(raw.outputs.values())).node
        assert node is not None
        self._model = node.attrs["model"]
        self._results = import_module(f"{spec.module}.evaluation").results
        self.version, self.settings = np.__version__, "as modelport reads them, 1 thread"
        self.inputs = {k: v.type for k, v in raw.inputs.items()}
        self.outputs = {k: v.type for k, v in module.to_hub(raw).outputs.items()}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = list(self.checked(feeds).values())
        try:
            with np.errstate(all="ignore"):
                made = self._results(self._model, arrays, list(self.outputs))
        except Unsupported as e:
            raise RuntimeFailed(f"the evaluation of trees lacks {e.reason}") from None
        return {k: np.asarray(v).astype(self.outputs[k].dtype) for k, v in made.items()}
