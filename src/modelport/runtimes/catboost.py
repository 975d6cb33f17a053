"""CatBoost itself."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import MissingDependency, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from .session import Session


def start(path: Path, *, threads: int = 1, device: str = "cpu", outputs: Sequence[str] = ()) -> Session:
    """The file at ``path`` opened by CatBoost; ``outputs`` as for reading it."""
    return CatBoost(path, threads=threads, device=device, outputs=outputs)


_KINDS = {"margins": "RawFormulaVal", "probabilities": "Probability", "label": "Class"}
"""What CatBoost calls the outputs."""


class CatBoost(Session):
    """A model: raw scores, and what its loss makes of them."""

    name = "CatBoost"

    def __init__(self, path: Path, *, threads: int, device: str, outputs: Sequence[str]) -> None:
        if device != "cpu":
            raise UsageError(f"CatBoost runs on the device 'cpu' here, not on '{printable(device)}'")
        from ..formats import catboost as format_catboost
        with self._checked_first():
            raw = format_catboost.read(path, outputs=outputs)
            hub = format_catboost.to_hub(raw)
        node = next(iter(raw.outputs.values())).node
        assert node is not None
        self._source = node.attrs["model"]
        if self._source.cut:
            raise RuntimeFailed("CatBoost cuts the sums of this file's statistics to whole numbers when it loads JSON",
                                hint="a .cbm of the model is read well")
        try:
            import catboost
        except ImportError:
            raise MissingDependency("catboost", "catboost", "running a model of CatBoost") from None
        self.version, self.settings = catboost.__version__, f"cpu, {threads} thread{'s' * (threads != 1)}"
        self._threads = threads
        with open(path, "rb") as f:
            kind = "cbm" if f.read(4) == b"CBM1" else "json"
        try:
            self._model = (catboost.CatBoostClassifier() if self._source.is_classifier else
                           catboost.CatBoostRegressor()).load_model(str(path), format=kind)
        except Exception as e:
            raise RuntimeFailed(f"CatBoost {self.version} refuses the model: {_message(e)}") from None
        self.inputs = {k: v.type for k, v in raw.inputs.items()}
        self.outputs = {k: v.type for k, v in hub.outputs.items()}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = self.checked(feeds)
        try:
            rows = self._table(list(arrays.values()))
            made: dict[str, Array] = {}
            for name, type_ in self.outputs.items():
                more = {"prediction_type": _KINDS[name]} if name in _KINDS else {}
                y = np.asarray(self._model.predict(rows, thread_count=self._threads, **more))
                y = y.reshape(len(rows)) if name == "label" and y.size == len(rows) else y
                made[name] = y.astype(object if type_.dtype.kind not in "fiub" else type_.dtype)
            return made
        except Exception as e:
            raise RuntimeFailed(f"CatBoost failed: {_message(e)}") from None

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        """One prediction of each kind that the outputs need: labels come from the probabilities."""
        rows = self._table(list(self.checked(feeds).values()))
        kinds = [{"prediction_type": kind} for name, kind in _KINDS.items() if name in self.outputs]
        kinds = [k for k in kinds if k["prediction_type"] != "Class" or len(kinds) == 1] or [{}]
        return lambda: [self._model.predict(rows, thread_count=self._threads, **k) for k in kinds]

    def _table(self, arrays: Sequence[Array]) -> Array:
        """Rows whose categories are texts and whole numbers; NaN is none, and stands for one that is not there."""
        m = self._source
        if not m.whole and not m.texts:
            return arrays[0]
        rows = np.full((len(arrays[0]), m.features), "0", object)  # of what nothing asks for, any
        at = m.used() if m.texts else slice(None)
        rows[:, at] = np.concatenate([a.astype(object) for a in arrays], 1)
        for k in m.whole:
            rows[:, k] = [int(v) if abs(v) < 1 << 53 and v == int(v) else "?" for v in rows[:, k].tolist()]
        return rows

    def close(self) -> None:
        self._model = None


def _message(e: Exception) -> str:
    return " ".join(str(e).split())[:300] or type(e).__name__
