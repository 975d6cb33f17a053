"""scikit-learn, and the libraries that work like it: the object of a pickle, called as its users call it.

Opening a pickle runs what it says; it is opened only where the framework was asked for, after our reader found nothing
in it that a model has no business with."""
from __future__ import annotations

import contextlib
import io
import pickle
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..codecs.compressed import is_compressed
from ..errors import MissingDependency, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from ..ir.types import STRING
from .session import Session


def start(path: Path, *, threads: int = 1, device: str = "cpu", inputs: Sequence[str] = (),
          outputs: Sequence[str] = (), split_at: str = "") -> Session:
    """The pickle at ``path`` opened by its library; the options are those of reading it."""
    return Sklearn(path, threads=threads, device=device, inputs=inputs, outputs=outputs, split_at=split_at)


class Sklearn(Session):
    """A fitted object: the results are those of its methods."""

    name = "scikit-learn"

    def __init__(self, path: Path, *, threads: int, device: str, inputs: Sequence[str], outputs: Sequence[str],
                 split_at: str) -> None:
        if device != "cpu":
            raise UsageError(f"scikit-learn runs on the device 'cpu', not on '{printable(device)}'")
        from ..formats.sklearn.interface import form
        from ..registry import named
        with self._checked_first():
            module = named("sklearn").load()
            raw = module.read(path, inputs=inputs, outputs=outputs, split_at=split_at)
            hub = module.to_hub(raw)
        node = next(iter(raw.outputs.values())).node
        assert node is not None
        self._names, self._methods = node.attrs["names"], node.attrs["methods"]
        self._missing, self._form = node.attrs["missing"], form(node.attrs["estimator"])
        try:
            import joblib
            import sklearn
        except ImportError:
            raise MissingDependency("scikit-learn", "sklearn", "running a pickle of scikit-learn") from None
        self.version = sklearn.__version__
        self.settings = f"cpu, {threads} thread{'s' * (threads != 1)}"
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                data = path.read_bytes()
                if data[:4] == b"PK\x03\x04":
                    self._model = _skops(path)
                else:
                    self._model = joblib.load(path) if is_compressed(data) or b"joblib" in data[:1 << 20] else \
                        pickle.load(io.BytesIO(data))
        except MissingDependency:
            raise
        except Exception as e:
            raise RuntimeFailed(f"scikit-learn {self.version} cannot open the pickle: {_message(e)}") from None
        if not hasattr(self._model, self._methods[0]) and isinstance(self._model, (list, tuple, dict)):
            items = self._model.values() if isinstance(self._model, dict) else self._model
            self._model = next(v for v in items if hasattr(v, self._methods[0]))
        with contextlib.suppress(AttributeError):  # of an object of another version, or without parameters
            jobs = [k for k in self._model.get_params() if k.rpartition("__")[2] == "n_jobs"]
            self._model.set_params(**dict.fromkeys(jobs, threads))  # the file may say "all cores"
        if split_at:
            steps = [n for n, _ in self._model.steps]
            self._model = self._model[:steps.index(split_at)]
        _limit(self._model, threads)
        self.inputs = {k: v.type for k, v in raw.inputs.items()}
        self.outputs = {k: v.type for k, v in hub.outputs.items()}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = self.checked(feeds)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                x = self._rows(arrays)
                made = [a for m in self._methods for a in self._answers(m, x)]
                return {name: _array(a, type_.dtype) for (name, type_), a in
                        zip(self.outputs.items(), made, strict=True)}
        except Exception as e:
            raise RuntimeFailed(f"scikit-learn failed: {_message(e)}") from None

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        x = self._rows(self.checked(feeds))
        calls = [getattr(self._model, m) for m in self._methods]
        return lambda: [call(x) for call in calls]

    def _answers(self, method: str, x: Any) -> list[Any]:
        """What a method answers: ``predict_proba`` of several outputs is a list."""
        made = getattr(self._model, method)(x)
        return made if isinstance(made, list) and method == "predict_proba" else [made]

    def _rows(self, arrays: Mapping[str, Array]) -> Any:
        first = next(iter(arrays.values()))
        if self._form == "text":
            return [str(v) for v in first.ravel()]
        if self._form == "list":  # the empty text fills shorter ones up
            return [[v for v in row if v != ""] for row in first.tolist()]
        whole = len(arrays) == 1 and next(iter(arrays.values())).shape[1] == len(self._names)
        columns = {n: a[:, k] for a in arrays.values() for k, n in enumerate(self._names)} if whole else \
            {k: a[:, 0] for k, a in arrays.items()}
        gaps = dict(zip(self._names, self._missing, strict=True))
        for name, column in columns.items():  # a text that is missing is the empty one in ONNX
            if column.dtype == object and gaps[name] != "":
                columns[name] = np.array([gaps[name] if v == "" else v for v in column.tolist()], object)
        if self._form == "dictionary":
            rows = zip(*(column.tolist() for column in columns.values()), strict=True)
            return [{k: v for k, v in zip(columns, row, strict=True) if v != ""} for row in rows]
        if whole and getattr(self._model, "feature_names_in_", None) is None:
            return np.stack(list(columns.values()), 1)
        import pandas
        return pandas.DataFrame(columns)

    def close(self) -> None:
        self._model = None


def _limit(model: Any, threads: int) -> None:
    """Has everything in a fitted object use so many threads, whatever it was trained with."""
    seen, todo = set(), [model]
    while todo:
        item = todo.pop()
        if id(item) in seen or isinstance(item, np.ndarray):
            continue
        seen.add(id(item))
        if isinstance(item, (list, tuple)):
            todo += item
        elif isinstance(item, dict):
            todo += item.values()
        elif hasattr(item, "__dict__") and not isinstance(item, type):
            todo += vars(item).values()
            for name in ("n_jobs", "thread_count"):
                if name in vars(item):
                    setattr(item, name, threads)


def _skops(path: Path) -> Any:
    """The object of a .skops, all of whose classes are those that our reader let pass."""
    try:
        from skops import io as skops
    except ImportError:
        raise MissingDependency("skops", "sklearn", "opening a .skops") from None
    return skops.load(path, trusted=skops.get_untrusted_types(file=path))


def _array(made: Any, dtype: Any) -> Array:
    """A result in the element type that the graph gives it: forests answer in 64 bits from sums of 32."""
    array = np.asarray(made.toarray() if hasattr(made, "toarray") else made)
    return array.astype(object if dtype == STRING or array.dtype.kind in "US" else dtype)


def _message(e: Exception) -> str:
    return " ".join(str(e).split())[:400] or type(e).__name__
