"""LightGBM itself."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import MissingDependency, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from .session import Session


def start(path: Path, *, threads: int = 1, device: str = "cpu", outputs: Sequence[str] = ()) -> Session:
    """The file at ``path``, a model as text, opened by LightGBM; ``outputs`` as for reading it."""
    return LightGBM(path, threads=threads, device=device, outputs=outputs)


class LightGBM(Session):
    """A booster: raw scores, leaves, and what its objective makes of them."""

    name = "LightGBM"

    def __init__(self, path: Path, *, threads: int, device: str, outputs: Sequence[str]) -> None:
        if device != "cpu":
            raise UsageError(f"LightGBM runs on the device 'cpu' here, not on '{printable(device)}'")
        from ..formats import lightgbm as format_lightgbm
        with self._checked_first():
            raw = format_lightgbm.read(path, outputs=outputs)
            hub = format_lightgbm.to_hub(raw)
        try:
            import lightgbm
        except ImportError:
            raise MissingDependency("lightgbm", "lightgbm", "running a model of LightGBM") from None
        self.version, self.settings = lightgbm.__version__, f"cpu, {threads} thread{'s' * (threads != 1)}"
        self._threads = threads
        try:
            self._booster = lightgbm.Booster(model_str=path.read_text(encoding="utf-8"), params={"verbosity": -1})
        except Exception as e:
            raise RuntimeFailed(f"LightGBM {self.version} refuses the model: {_message(e)}") from None
        node = next(iter(raw.outputs.values())).node
        assert node is not None
        self._model = node.attrs["model"]
        self.inputs = {k: v.type for k, v in raw.inputs.items()}
        self.outputs = {k: v.type for k, v in hub.outputs.items()}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        (x,) = self.checked(feeds).values()
        try:
            made: dict[str, Array] = {}
            for name, type_ in self.outputs.items():
                how = {"raw_score": name == "margins", "pred_leaf": name == "leaves"}
                y = np.asarray(self._booster.predict(x, num_threads=self._threads, **how))
                if self._model.converted and name not in ("margins", "leaves"):
                    y = np.asarray(self._booster.predict(x, num_threads=self._threads, raw_score=True))
                    y = y / self._model.average
                if name == "probabilities" and y.ndim == 1:
                    y = np.stack([1 - y, y], 1)
                elif name == "label":
                    y = y > 0.5 if y.ndim == 1 else y.argmax(1)
                made[name] = y.reshape(len(x), -1).astype(type_.dtype) if name == "leaves" else y.astype(type_.dtype)
            return made
        except Exception as e:
            raise RuntimeFailed(f"LightGBM failed: {_message(e)}") from None

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        """One prediction of each kind that the outputs need: labels come from the probabilities."""
        (x,) = self.checked(feeds).values()
        kinds = {(k == "margins", k == "leaves") for k in self.outputs}
        return lambda: [self._booster.predict(x, num_threads=self._threads, raw_score=raw, pred_leaf=leaf)
                        for raw, leaf in kinds]


def _message(e: Exception) -> str:
    return " ".join(str(e).split())[:300] or type(e).__name__
