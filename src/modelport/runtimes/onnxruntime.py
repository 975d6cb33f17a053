"""ONNX Runtime."""
from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingDependency, RuntimeFailed, UsageError
from ..ir.tensor import Array, unpack
from ..ir.types import BITS, DTYPE, NUMBER, STRING, Dim, DType, Type
from .session import Session, as_text

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider",
             "directml": "DmlExecutionProvider", "coreml": "CoreMLExecutionProvider", "rocm": "ROCMExecutionProvider",
             "openvino": "OpenVINOExecutionProvider", "qnn": "QNNExecutionProvider"}
"""Devices and the execution providers that use them."""

_NAMES = {"float": "float32", "double": "float64", "string": "object", "float8e4m3fn": "float8_e4m3fn",
          "float8e4m3fnuz": "float8_e4m3fnuz", "float8e5m2": "float8_e5m2", "float8e5m2fnuz": "float8_e5m2fnuz",
          "float4e2m1": "float4_e2m1fn", "float8e8m0": "float8_e8m0fnu"}


def devices() -> list[str]:
    """The devices that the installed ONNX Runtime was built for; none if there is none."""
    try:
        import onnxruntime as ort
    except ImportError:
        return []
    found = ort.get_available_providers()
    return [d for d, provider in PROVIDERS.items() if provider in found]


def start(path: Path | bytes, *, threads: int = 1, device: str = "cpu", optimize: bool = False) -> Session:
    """``path`` (or the bytes of a model) opened by ONNX Runtime.

    ``optimize`` is off by default: its rewrites change the rounding of quantized models, and a proof should run
    the operators that the file states.  External data are read by ONNX Runtime itself, so the file must be one that
    modelport wrote or validated."""
    return OnnxRuntime(path, threads=threads, device=device, optimize=optimize)


class OnnxRuntime(Session):
    """A model in ONNX Runtime.  All element types that it has kernels for, the small ones of ml_dtypes included."""

    name = "ONNX Runtime"

    def __init__(self, path: Path | bytes, *, threads: int, device: str, optimize: bool) -> None:
        try:
            import onnxruntime as ort
        except ImportError:
            raise MissingDependency("onnxruntime", "test", "running an ONNX model") from None
        if device not in PROVIDERS:
            raise UsageError(f"ONNX Runtime has no device '{device}'; known are {', '.join(PROVIDERS)}")
        provider = PROVIDERS[device]
        if provider not in ort.get_available_providers():
            raise RuntimeFailed(f"this ONNX Runtime has no {provider}",
                                hint="install the onnxruntime package of that device")
        options = ort.SessionOptions()
        options.log_severity_level = 4  # errors arrive as exceptions
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        if not optimize:  # as applications do, its threads wait for work awake
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        level = ort.GraphOptimizationLevel
        options.graph_optimization_level = level.ORT_ENABLE_ALL if optimize else level.ORT_DISABLE_ALL
        self._ort = ort
        self.version = str(ort.__version__)
        how = "optimised" if optimize else "unoptimised"
        self.settings = f"{device}, {how}, {threads} thread{'s' * (threads != 1)}"
        try:
            self._session: Any = ort.InferenceSession(path if isinstance(path, bytes) else str(path), options,
                                                      providers=[provider])
        except Exception as e:
            raise RuntimeFailed(f"ONNX Runtime refuses the model: {_message(e)}") from None
        self.inputs = {v.name: _type(v) for v in self._session.get_inputs()}
        with self._checked_first():
            self._classes = self._maps(path)
        self.outputs = {v.name: Type(np.dtype(np.float32), (None, len(self._classes[v.name])))
                        if v.name in self._classes else _type(v) for v in self._session.get_outputs()}
        self._plain = all(_plain(t.dtype) for t in (*self.inputs.values(), *self.outputs.values()))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = {k: np.ascontiguousarray(a).reshape(a.shape) for k, a in self.checked(feeds).items()}
        try:
            if self._plain:
                made = [self._table(k, a) for k, a in zip(self.outputs, self._session.run(list(self.outputs), arrays),
                                                          strict=True)]
            else:
                values = {k: self._wrap(a) for k, a in arrays.items()}
                made = [self._unwrap(v) for v in self._session.run_with_ort_values(list(self.outputs), values)]
        except Exception as e:
            raise RuntimeFailed(f"ONNX Runtime failed: {_message(e)}") from None
        return {k: as_text(a) for k, a in zip(self.outputs, made, strict=True)}

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        arrays = {k: np.ascontiguousarray(a).reshape(a.shape) for k, a in self.checked(feeds).items()}
        if self._plain:
            return lambda: self._session.run(None, arrays)
        names, values = list(self.outputs), {k: self._wrap(a) for k, a in arrays.items()}
        return lambda: self._session.run_with_ort_values(names, values)

    def _maps(self, path: Path | bytes) -> dict[str, list[Any]]:
        """The classes of each output that is a sequence of maps, in the order of the numbers."""
        if not any(v.type.startswith("seq(map(") for v in self._session.get_outputs()):
            return {}
        import onnx

        from ..formats.onnx.maps import labels
        return labels(onnx.load_model_from_string(path) if isinstance(path, bytes) else
                      onnx.load(str(path), load_external_data=False))

    def _table(self, name: str, made: Any) -> Array:
        """An output as an array: maps as (rows, classes)."""
        if name not in self._classes:
            return np.asarray(made)
        return np.array([[row[c] for c in self._classes[name]] for row in made], np.float32).reshape(
            len(made), len(self._classes[name]))

    def close(self) -> None:
        self._session = None

    def _wrap(self, array: Array) -> Any:
        make = self._ort.OrtValue
        if _plain(array.dtype):
            return make.ortvalue_from_numpy(array)
        if array.dtype in BITS:
            raise RuntimeFailed("ONNX Runtime's Python interface takes no inputs of 4 bits or fewer")
        stored = array.view(np.dtype(f"u{array.dtype.itemsize}"))
        return make.ortvalue_from_numpy_with_onnx_type(stored, NUMBER[array.dtype])

    def _unwrap(self, value: Any) -> Array:
        number = value.element_type()
        dtype = DTYPE[number]
        if _plain(dtype):
            return np.asarray(value.numpy())
        shape = tuple(value.shape())
        bits = BITS.get(dtype)
        size = int(np.prod(shape, dtype=np.int64))
        nbytes = size * dtype.itemsize if bits is None else (size * bits + 7) // 8
        if not nbytes:
            return np.zeros(shape, dtype)
        import ctypes
        raw = np.frombuffer(ctypes.string_at(value.data_ptr(), nbytes), np.uint8)
        return raw.view(dtype).reshape(shape) if bits is None else unpack(raw, bits, Type(dtype, shape))


def _plain(dtype: DType) -> bool:
    return dtype.kind in "biufcO" and dtype.isbuiltin != 2


def _type(v: Any) -> Type:
    found = re.fullmatch(r"tensor\((\w+)\)", v.type)
    if not found:
        raise RuntimeFailed(f"'{v.name}' is a {v.type}, not a tensor")
    name = _NAMES.get(found[1], found[1])
    dtype = next((d for d in NUMBER if d.name == name), None)
    if dtype is None:
        raise RuntimeFailed(f"'{v.name}' has the element type {found[1]}")
    # a scalar and an unknown rank both arrive as an empty shape
    dims: tuple[Dim, ...] = tuple(d if isinstance(d, int) and d >= 0 else d if isinstance(d, str) and d else None
                                  for d in v.shape)
    return Type(STRING if dtype == STRING else dtype, dims or None)


def _message(e: Exception) -> str:
    """ONNX Runtime's message without its codes and source lines."""
    text = str(e).strip()
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"/onnxruntime_src/\S+ ", "", text)
    return " ".join(text.split())[:1000] or type(e).__name__



