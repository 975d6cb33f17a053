"""Keras: Keras 3, or tf_keras for what only the older generation can open; code inside of files never runs."""
from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingDependency, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from ..ir.types import STRING, Dim, DType, Type
from .session import Session, as_text

LARGE = 1 << 30
"""Bytes of values from which on a model is run as a graph of TensorFlow, which frees each once it was used: outside of
one, Keras 3 holds all of them until the model is done (EfficientNetB7: nine gigabytes for two images)."""


def start(path: Path, *, threads: int = 1, device: str = "cpu", generation: int | None = None,
          tensors: Sequence[str] = ()) -> Session:
    """The file at ``path`` opened by Keras.

    ``generation`` is 3 (Keras), 2 (tf_keras), or by default the first of them that takes the file; ``tensors`` are
    layers of the outermost model whose outputs are delivered too."""
    return Keras(path, threads=threads, device=device, generation=generation, tensors=tensors)


class Keras(Session):
    """A model in Keras, called as while inferring; the states of stateful layers are reset before every run."""

    name = "Keras"

    def __init__(self, path: Path, *, threads: int, device: str, generation: int | None,
                 tensors: Sequence[str]) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the plain kernels: the same rounding on every machine
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        if device != "cpu":
            raise UsageError(f"Keras runs on the device 'cpu' here, not on '{printable(device)}'")
        refusals, found = [], 0
        for kind in (3, 2) if generation is None else (generation,):
            try:
                keras = _module(kind)
            except ImportError:
                continue
            found += 1
            _threads(keras, threads)
            try:
                self._model = self._load(keras, path, kind)
            except Exception as e:
                refusals.append(f"{keras.__name__} {keras.__version__}: {_message(e)}")
                continue
            self._keras, self._kind = keras, kind
            break
        else:
            if not found:
                raise MissingDependency("keras", "keras", "running a Keras model")
            raise RuntimeFailed(f"Keras refuses the model: {'; '.join(refusals)}")
        self.version = f"{keras.__version__} ({keras.backend.backend()})"
        self.settings = f"cpu, {threads} thread{'s' * (threads != 1)}"
        self._describe(tensors)
        self._traced: Any = None

    def _load(self, keras: Any, path: Path, kind: int) -> Any:
        if kind == 3:
            return keras.saving.load_model(str(path), compile=False, safe_mode=True)
        # the older generation knows no safe mode for .h5: what it would run is refused by our reader first
        from ..registry import named
        with self._checked_first():
            named("keras").load().read(path)
        return keras.models.load_model(str(path), compile=False, safe_mode=True)

    def _describe(self, tensors: Sequence[str]) -> None:
        model = self._model
        ins = model.inputs
        outs = list(model.outputs)
        names = [_layer_of(t) for t in outs]
        more = {t: model.get_layer(t).output for t in tensors if any(layer.name == t for layer in model.layers)}
        single = {k: v for k, v in more.items() if not isinstance(v, (list, tuple, dict))}
        if single:
            self._model = self._keras.Model(model.inputs, [*outs, *single.values()])
        unique: list[str] = []
        given = [t.name.partition(":")[0] for t in ins]
        for name in names:  # as the reader numbers outputs of one layer
            k, new = 0, name
            while new in unique or new in given:
                k += 1
                new = f"{name}_{k}"
            unique.append(new)
        self.inputs = {n: _type(t) for n, t in zip(given, ins, strict=True)}
        self.outputs = {n: _type(t) for n, t in zip([*unique, *single], [*outs, *single.values()], strict=True)}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = self.checked(feeds)
        try:
            for layer in self._model.layers:
                reset = getattr(layer, "reset_states" if self._kind == 2 else "reset_state", None)
                if getattr(layer, "stateful", False) and reset is not None:
                    reset()
            given = _fed(arrays)
            made = self._called(given[0] if len(given) == 1 else given, len(given[0]) if np.ndim(given[0]) else 1)
            flat = _flat(made)
            if len(flat) != len(self.outputs):
                raise RuntimeFailed(f"Keras answers with {len(flat)} outputs instead of {len(self.outputs)}")
            to_numpy = np.asarray if self._kind == 2 else self._keras.ops.convert_to_numpy
            return {k: as_text(np.asarray(v if v.dtype == "string" else to_numpy(v)))
                    for k, v in zip(self.outputs, flat, strict=True)}
        except RuntimeFailed:
            raise
        except Exception as e:
            raise RuntimeFailed(f"Keras failed: {_message(e)}") from None

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        given = _fed(self.checked(feeds))
        x = given[0] if len(given) == 1 else given
        return lambda: self._model.predict_on_batch(x)  # compiled once; a call of the model runs layer by layer

    def _called(self, given: Any, rows: int) -> Any:
        """The model's outputs, by the same kernels either way, bit for bit."""
        if self._kind == 2 or self._keras.backend.backend() != "tensorflow" or rows * _row(self._model) < LARGE:
            return self._model(given, training=False)
        import tensorflow as tf

        if self._traced is None:
            self._traced = tf.function(lambda x: self._model(x, training=False), autograph=False)
        options = tf.config.optimizer.get_experimental_options()
        tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})  # no fused kernels
        try:
            return self._traced(given)
        finally:
            tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": False, **options})

    def close(self) -> None:
        self._model = self._traced = None


def _threads(keras: Any, threads: int) -> None:
    """So many threads for the backend; JAX takes no number."""
    backend = keras.backend.backend()
    if backend == "torch":
        import torch
        torch.set_num_threads(threads)
    elif backend == "tensorflow":
        import tensorflow as tf
        with contextlib.suppress(RuntimeError):  # they can be set only before the first operator runs
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)


def _module(kind: int) -> Any:
    if kind == 3:
        import keras
        if int(keras.__version__.partition(".")[0]) < 3:
            raise ImportError("an older generation")
        return keras
    import tf_keras
    return tf_keras


def _row(model: Any) -> int:
    """The bytes of one row of all values that the layers of a model deliver, as far as their sizes are known."""
    total = 0
    for layer in model.layers:
        if hasattr(layer, "layers"):
            total += _row(layer)
        else:
            total += sum(4 * math.prod(d or 1 for d in t.shape) for t in _flat(getattr(layer, "output", [])))
    return total


def _layer_of(tensor: Any) -> str:
    history = tensor._keras_history
    return str((history.operation if hasattr(history, "operation") else history.layer).name)


def _flat(x: Any) -> list[Any]:
    if isinstance(x, dict):
        return [v for y in x.values() for v in _flat(y)]
    if isinstance(x, (list, tuple)):
        return [v for y in x for v in _flat(y)]
    return [x]


def _fed(feeds: Mapping[str, Array]) -> list[Any]:
    """Arrays as Keras takes them: texts only as tensors, and no others beside these."""
    arrays = list(feeds.values())
    if all(a.dtype != STRING for a in arrays):
        return arrays
    import tensorflow as tf
    return [tf.constant(a.tolist(), tf.string) if a.dtype == STRING else tf.constant(a) for a in arrays]


def _type(tensor: Any) -> Type:
    name = getattr(tensor.dtype, "name", str(tensor.dtype))
    dtype: DType = STRING if name == "string" else np.dtype(bool if name == "bool" else _dtype(name))
    dims: tuple[Dim, ...] = tuple(None if d is None else int(d) for d in tuple(tensor.shape))
    return Type(dtype, dims)


def _dtype(name: str) -> Any:
    if name == "bfloat16":
        import ml_dtypes
        return ml_dtypes.bfloat16
    return name


def _message(e: Exception) -> str:
    return " ".join(str(e).split())[:600] or type(e).__name__
