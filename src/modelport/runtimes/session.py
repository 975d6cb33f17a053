"""The one interface of all runtimes."""
from __future__ import annotations

import contextlib
import gc
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from ..errors import RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from ..ir.types import STRING, Type, dtype_name

RUNTIMES: Mapping[str, str] = {"onnxruntime": "onnx", "reference": "onnx", "tflite": "tflite",
                               "tensorflow": "tensorflow", "graphdef": "tensorflow", "tfjs": "tfjs",
                               "keras": "keras", "sklearn": "sklearn", "xgboost": "xgboost",
                               "lightgbm": "lightgbm", "catboost": "catboost", "trees": "xgboost",
                               "torch": "torch", "executorch": "executorch", "openvino": "onnx"}
"""Each runtime and the format of the files it runs; the modules of this package have the same names."""


class Session(ABC):
    """One model opened by one runtime.

    ``inputs`` and ``outputs`` are in the order of the file.  ``name`` is the runtime as people call it, ``version``
    its version, ``settings`` what else decides its results (device, threads, kernels), ``checking`` the seconds that
    opening took for our own reader to look at the file first, which a program without modelport does not spend,
    ``memory`` the most bytes that a process of the runtime's own has had."""

    name: str
    version: str
    settings: str
    inputs: Mapping[str, Type]
    outputs: Mapping[str, Type]
    checking: float = 0.0
    memory: int | None = None

    @abstractmethod
    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The outputs for ``feeds``, one array for each input.  Raises :class:`RuntimeFailed` with the runtime's
        own message if it refuses, :class:`UsageError` if a feed is missing or of another element type or rank."""

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        """A call that computes the outputs for ``feeds`` as a program of this runtime's users does it again and again:
        inputs are checked and in the runtime's own kind of array, results are left in it."""
        arrays = self.checked(feeds)
        return lambda: self.run(arrays)

    def timed(self, feeds: Mapping[str, Array], *, seconds: float, most: int = 5000, warm: int = 1,
              first: bool = False) -> tuple[Array, float]:
        """Nanoseconds of each of at most ``most`` runs within ``seconds`` (int64, in order, one at least), after
        ``warm`` that do not count, and the mean processor time of a run, of all threads, in seconds.

        With ``first`` it is one run, together with what prepares it (memory is planned for the sizes of the inputs)."""
        if first:
            return sampled(lambda: self.prepared(feeds)(), 0, 1)
        call = self.prepared(feeds)
        for _ in range(warm):
            call()
        return sampled(call, seconds, most)

    @contextlib.contextmanager
    def _checked_first(self) -> Iterator[None]:
        """Around what our own reader does while opening."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self.checking += time.perf_counter() - began

    def close(self) -> None:  # noqa: B027  (most runtimes have nothing to release)
        """Releases what the session holds; it cannot run afterwards."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def checked(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """The feeds in the order of the inputs, or :class:`UsageError`: an array of a wrong type or rank never
        reaches native code."""
        if unknown := [k for k in feeds if k not in self.inputs]:
            raise UsageError(f"the model has no input '{printable(unknown[0])}'; it has {_names(self.inputs)}")
        out: dict[str, Array] = {}
        for name, want in self.inputs.items():
            if name not in feeds:
                raise UsageError(f"input '{printable(name)}' is missing")
            got = np.asarray(feeds[name])
            if got.dtype.kind == "U":
                got = got.astype(object)
            if got.dtype != want.dtype:
                raise UsageError(f"input '{printable(name)}' is {dtype_name(got.dtype)}, the model wants "
                                 f"{dtype_name(want.dtype)}")
            if want.shape is not None and got.ndim != len(want.shape):
                raise UsageError(f"input '{printable(name)}' has the shape {list(got.shape)}, the model wants {want}")
            out[name] = got
        return out


def _names(inputs: Mapping[str, Type]) -> str:
    return ", ".join(f"'{printable(k)}'" for k in inputs) or "none"


def sampled(call: Callable[[], object], seconds: float, most: int) -> tuple[Array, float]:
    """What :meth:`Session.timed` says, of any call."""
    clock, taken = time.perf_counter_ns, np.empty(most, np.int64)
    collecting = gc.isenabled()
    gc.disable()
    try:
        busy, count = time.process_time_ns(), 0
        end = before = clock()
        end += int(seconds * 1e9)
        while count < most and (before < end or not count):
            before = clock()
            call()
            taken[count] = clock() - before
            count += 1
        busy = time.process_time_ns() - busy
    finally:
        if collecting:
            gc.enable()
    return taken[:count].copy(), busy / 1e9 / count


def start(runtime: str, path: str | os.PathLike[str], **options: Any) -> Session:
    """The file at ``path`` opened by ``runtime`` (a key of :data:`RUNTIMES`) in this process.

    Options are those of the runtime's own ``start``; all know ``threads`` and ``device``.  Raises
    :class:`MissingDependency`, :class:`RuntimeFailed` or, for an unknown runtime or option, :class:`UsageError`."""
    if runtime not in RUNTIMES:
        raise UsageError(f"there is no runtime '{printable(runtime)}'; there are {', '.join(RUNTIMES)}")
    module = import_module(f"modelport.runtimes.{runtime}")
    try:
        session: Session = module.start(Path(path), **options)
    except TypeError as e:
        if "unexpected keyword argument" in str(e):
            raise UsageError(f"{runtime}: {e}") from None
        raise RuntimeFailed(f"{runtime}: {e}") from e
    return session


def as_text(array: Array) -> Array:
    """An array of text as ``str`` objects, whatever a runtime made it of (bytes that are no UTF-8 are kept)."""
    if array.dtype.kind not in "OSU":
        return array
    flat = [s.decode("utf-8", "surrogateescape") if isinstance(s, bytes) else str(s) for s in array.ravel()]
    out = np.empty(len(flat), STRING)
    out[:] = flat
    shaped: Array = out.reshape(array.shape)
    return shaped
