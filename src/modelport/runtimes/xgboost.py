"""XGBoost itself."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import MissingDependency, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from .session import Session


def start(path: Path, *, threads: int = 1, device: str = "cpu", outputs: Sequence[str] = ()) -> Session:
    """The file at ``path`` opened by XGBoost; ``outputs`` as for reading it."""
    return XGBoost(path, threads=threads, device=device, outputs=outputs)


class XGBoost(Session):
    """A booster: margins, leaves, and what its objective makes of them."""

    name = "XGBoost"

    def __init__(self, path: Path, *, threads: int, device: str, outputs: Sequence[str]) -> None:
        if device != "cpu":
            raise UsageError(f"XGBoost runs on the device 'cpu' here, not on '{printable(device)}'")
        from ..formats import xgboost as format_xgboost
        with self._checked_first():
            raw = format_xgboost.read(path, outputs=outputs)
            hub = format_xgboost.to_hub(raw)
        try:
            import xgboost
        except ImportError:
            raise MissingDependency("xgboost", "xgboost", "running a model of XGBoost") from None
        self.version, self.settings = xgboost.__version__, f"cpu, {threads} thread{'s' * (threads != 1)}"
        self._xgboost = xgboost
        try:
            self._booster = xgboost.Booster({"nthread": threads})
            self._booster.load_model(bytearray(path.read_bytes()))
        except Exception as e:
            raise RuntimeFailed(f"XGBoost {self.version} refuses the model: {_message(e)}") from None
        self._objective = next(iter(raw.outputs.values())).node.attrs["model"].objective  # type: ignore[union-attr]
        self.inputs = {k: v.type for k, v in raw.inputs.items()}
        self.outputs = {k: v.type for k, v in hub.outputs.items()}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        (x,) = self.checked(feeds).values()
        try:
            names = self._booster.feature_names
            kinds = self._booster.feature_types
            most = np.finfo(np.float32).max  # XGBoost takes no infinite numbers; no threshold lies beyond these
            data = self._xgboost.DMatrix(np.clip(x, -most, most), feature_names=names, feature_types=kinds,
                                         enable_categorical=True)
            made: dict[str, Array] = {}
            for name, type_ in self.outputs.items():
                if name == "margins":
                    y = self._booster.predict(data, output_margin=True)
                elif name == "leaves":
                    y = self._booster.predict(data, pred_leaf=True)
                else:
                    y = self._booster.predict(data)
                    if self._objective == "multi:softmax" and name != "prediction":  # answers the number of the class
                        y = softmax(self._booster.predict(data, output_margin=True))
                if name == "probabilities" and y.ndim == 1:
                    y = np.stack([1 - y, y], 1)
                elif name == "label":
                    y = y > 0.5 if y.ndim == 1 or self._objective == "binary:logistic" else y.argmax(1)
                made[name] = np.asarray(y).astype(type_.dtype)
            return made
        except Exception as e:
            raise RuntimeFailed(f"XGBoost failed: {_message(e)}") from None

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        """One prediction of each kind that the outputs need, without a matrix of XGBoost's own where it allows that."""
        (x,) = self.checked(feeds).values()
        kinds = [k for k in ("margins", "leaves") if k in self.outputs]
        if kinds or "c" in (self._booster.feature_types or ()):
            return super().prepared(feeds)
        try:
            self._booster.inplace_predict(x, validate_features=False)
        except Exception:  # linear boosters have none
            return super().prepared(feeds)
        return lambda: self._booster.inplace_predict(x, validate_features=False)  # an array has no names to compare


def softmax(margins: Array) -> Array:
    """The softmax of (rows, classes)."""
    e = np.exp(margins - margins.max(1, keepdims=True))
    return np.asarray(e / e.sum(1, keepdims=True))


def _message(e: Exception) -> str:
    """What XGBoost says, without the place in its source and the stack behind it."""
    text = " ".join(str(e).partition("Stack trace")[0].split())
    return re.sub(r"^\[[\d:]+\] \S+: ", "", text)[:300] or type(e).__name__
