"""modelport's own evaluation, with numpy, of the trees in a file of XGBoost, LightGBM or CatBoost, and of trees and
forests of scikit-learn: what speaks for a conversion where the library is not at hand.  Nothing of the conversion to
ONNX takes part; the reader of the file does."""
from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import RuntimeFailed, Unsupported, UsageError, printable
from ..ir.tensor import Array
from .session import Session


def start(path: Path, *, threads: int = 1, device: str = "cpu", **options: Any) -> Session:
    """The file at ``path``; the ``options`` are those of reading it."""
    return Trees(path, device=device, options=options)


class Trees(Session):
    """A model of trees, evaluated as its library does."""

    name = "modelport's own evaluation of the file's trees, numpy"

    def __init__(self, path: Path, *, device: str, options: Mapping[str, Any]) -> None:
        if device != "cpu":
            raise UsageError(f"trees are evaluated on the device 'cpu' here, not on '{printable(device)}'")
        from ..registry import detect
        spec = detect(path)
        module = spec.load()
        raw = module.read(path, **options)
        node = next(iter(raw.outputs.values())).node
        assert node is not None
        self._model = node.attrs["estimator" if spec.name == "sklearn" else "model"]
        self._results = import_module(f"{spec.module}.evaluation").results
        self.version, self.settings = np.__version__, "as modelport reads them, 1 thread"
        self.inputs = {k: v.type for k, v in raw.inputs.items()}
        self.outputs = {k: v.type for k, v in module.to_hub(raw).outputs.items()}
        self._asked = list(node.attrs["methods"] if spec.name == "sklearn" else self.outputs)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = list(self.checked(feeds).values())
        try:
            with np.errstate(all="ignore"):
                made = self._results(self._model, arrays, self._asked)
        except Unsupported as e:
            raise RuntimeFailed(f"the evaluation of trees lacks {e.reason}") from None
        return {k: np.asarray(made[m]).astype(t.dtype)
                for (k, t), m in zip(self.outputs.items(), self._asked, strict=True)}
