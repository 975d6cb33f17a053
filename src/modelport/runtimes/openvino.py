"""OpenVINO, which opens .onnx files as they are."""
from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingDependency, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from ..ir.types import Dim, Type
from .session import Session


def start(path: Path, *, threads: int = 1, device: str = "cpu", precision: str = "f32") -> Session:
    """The .onnx at ``path`` compiled by OpenVINO.

    ``precision``: without a word OpenVINO computes float32 models in bfloat16 on processors that have it, and results
    are then 1e-3 apart; ``f32`` is what the file says."""
    return OpenVINO(path, threads=threads, device=device, precision=precision)


class OpenVINO(Session):
    """A compiled model and one request of it."""

    name = "OpenVINO"

    def __init__(self, path: Path, *, threads: int, device: str, precision: str) -> None:
        try:
            import openvino
        except ImportError:
            raise MissingDependency("openvino", "openvino", "running a model in OpenVINO") from None
        core = openvino.Core()
        if device.upper() not in core.available_devices:
            raise UsageError(f"OpenVINO has no device '{printable(device)}' here; there are "
                             f"{', '.join(d.lower() for d in core.available_devices)}")
        self.version = str(openvino.__version__).partition("-")[0]
        self.settings = f"{device}, {threads} thread{'s' * (threads != 1)}, {precision}"
        how: dict[str, Any] = {"INFERENCE_PRECISION_HINT": precision, "PERFORMANCE_HINT": "LATENCY"}
        if device == "cpu":
            how["INFERENCE_NUM_THREADS"] = threads
        try:
            self._model: Any = core.compile_model(core.read_model(path), device.upper(), how)
            self._request: Any = self._model.create_infer_request()
        except Exception as e:
            raise RuntimeFailed(f"OpenVINO refuses the model: {_message(e)}") from None
        self.inputs = {p.any_name: _type(p) for p in self._model.inputs}
        self.outputs = {p.any_name: _type(p) for p in self._model.outputs}

    def _given(self, feeds: Mapping[str, Array]) -> list[Array]:
        """The inputs as arrays that may be shared: OpenVINO takes no scalars that cannot be written to."""
        return [np.array(a) for a in self.checked(feeds).values()]

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = self._given(feeds)
        try:
            made = self._request.infer(arrays, share_inputs=True)
        except Exception as e:
            raise RuntimeFailed(f"OpenVINO failed: {_message(e)}") from None
        return {name: np.array(made[k]) for k, name in enumerate(self.outputs)}

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        arrays = self._given(feeds)
        return lambda: self._request.infer(arrays, share_inputs=True)

    def close(self) -> None:
        self._model = self._request = None


def _type(port: Any) -> Type:
    if port.element_type.get_type_name() == "string":
        raise RuntimeFailed("texts are not passed on to OpenVINO here")
    dims: tuple[Dim, ...] | None = None
    if not port.partial_shape.rank.is_dynamic:
        dims = tuple(int(d.get_length()) if d.is_static else None for d in port.partial_shape)
    return Type(np.dtype(port.element_type.to_dtype()), dims)


def _message(e: Exception) -> str:
    lines = [line.strip() for line in str(e).splitlines() if line.strip() and not line.startswith("Exception from")]
    return " ".join(lines)[:600] or type(e).__name__
