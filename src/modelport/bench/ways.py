"""The ways that a file of a format can be run, and how to get those that are not here."""
from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError, printable
from ..proof.sides import Side, options_of
from ..runtimes.isolated import TITLES


@dataclass(frozen=True)
class Way:
    """One runtime as it is used: ``runtime`` is a key of ``runtimes.RUNTIMES``, ``options`` those of its ``start``,
    ``get`` what installs it, ``environment`` what its process is given besides."""

    name: str
    title: str
    runtime: str
    formats: tuple[str, ...]
    get: str
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def device(self) -> str:
        return str(self.options.get("device", "cpu"))


_DEVICES: Mapping[str, tuple[str, ...]] = {"linux": ("cuda", "tensorrt", "rocm"), "darwin": ("coreml",),
                                          "win32": ("cuda", "tensorrt", "directml", "qnn")}
"""The devices that a system may have."""
_GPU = "pip install onnxruntime-gpu in place of onnxruntime, on a machine with a graphics card of NVIDIA"
_FAST = {"TF_ENABLE_ONEDNN_OPTS": "1"}  # as TensorFlow comes; proofs switch it off

WAYS: tuple[Way, ...] = (
    Way("onnxruntime", "ONNX Runtime", "onnxruntime", ("onnx",), "pip install onnxruntime", {"optimize": True}),
    *(Way(f"onnxruntime-{device}", f"ONNX Runtime ({title})", "onnxruntime", ("onnx",), get,
          {"optimize": True, "device": device})
      for device, title, get in (
          ("cuda", "CUDA", _GPU), ("tensorrt", "TensorRT", _GPU),
          ("coreml", "Core ML", "pip install onnxruntime on a Mac"),
          ("directml", "DirectML", "pip install onnxruntime-directml, on Windows"),
          ("rocm", "ROCm", "the onnxruntime of AMD"), ("qnn", "QNN", "pip install onnxruntime-qnn, on Snapdragon"))),
    Way("openvino", "OpenVINO", "openvino", ("onnx",), "pip install 'modelport[openvino]'"),
    Way("tflite", "LiteRT", "tflite", ("tflite",), "pip install 'modelport[tflite]'"),
    Way("tflite-reference", "LiteRT (reference kernels)", "tflite", ("tflite",), "pip install 'modelport[tflite]'",
        {"kernels": "reference"}),
    Way("torch", "PyTorch", "torch", ("torch", "torch-source"), "pip install torch"),
    Way("torch-compile", "PyTorch (torch.compile)", "torch", ("torch", "torch-source"), "pip install torch, and a C++ "
        "compiler", {"compiled": True}),
    Way("torchscript", "PyTorch (TorchScript)", "torch", ("torchscript",), "pip install torch"),
    Way("executorch", "ExecuTorch", "executorch", ("executorch",), "pip install 'modelport[executorch]'"),
    Way("tensorflow", "TensorFlow", "tensorflow", ("tensorflow",), "pip install tensorflow", environment=_FAST),
    Way("keras", "Keras", "keras", ("keras",), "pip install 'modelport[keras]'", environment=_FAST),
    Way("tfjs", "TensorFlow.js (Node, plain JavaScript)", "tfjs", ("tfjs",), "npm install @tensorflow/tfjs, and name "
        "the folder in MODELPORT_TFJS"),
    Way("tfjs-wasm", "TensorFlow.js (Node, WebAssembly)", "tfjs", ("tfjs",), "npm install @tensorflow/tfjs "
        "@tensorflow/tfjs-backend-wasm, and name the folder in MODELPORT_TFJS", {"backend": "wasm"}),
    *(Way(name, TITLES[name], name, (name,), f"pip install '{package}'") for name, package in (
        ("sklearn", "modelport[sklearn]"), ("xgboost", "xgboost"), ("lightgbm", "lightgbm"),
        ("catboost", "catboost"))),
)
"""In the order of the table: the ways of one format stand together, the usual one first."""


def kind(s: Side) -> str:
    """The format of a file as its runtimes tell it: TorchScript and modules are files of one format here."""
    script = s.raw is not None and any(n.op == "torch.TorchScript" for n in s.raw.nodes)
    return "torchscript" if script else s.format


def ways(s: Side, asked: tuple[str, ...] = (), device: str = "") -> Iterator[Way]:
    """The ways to run a file: those asked for by name, or by their device; else all that its format has, but for the
    devices that the ONNX Runtime of this machine does not know.  Raises :class:`UsageError` if a name is not known."""
    names = [w.name for w in WAYS]
    if unknown := [a for a in asked if a not in names]:
        raise UsageError(f"there is no runtime '{printable(unknown[0])}' to measure with",
                         hint=f"there are {', '.join(names)}")
    mine = kind(s)
    for w in WAYS:
        if mine in w.formats and (w.name in asked if asked else w.device == device if device else _here(w)):
            yield w


def _here(w: Way) -> bool:
    """Whether the device of a way is one that the installed runtime was built for."""
    if w.device == "cpu":
        return True
    from ..runtimes.onnxruntime import devices
    return w.device in devices()


def absent(sides: Iterable[Side]) -> list[str]:
    """A sentence on the devices that were left out, if there are such."""
    formats = {kind(s) for s in sides}
    found: dict[str, list[str]] = {}
    for w in WAYS:
        if w.device in _DEVICES.get(sys.platform, ()) and not _here(w) and formats & set(w.formats):
            found.setdefault(w.get, []).append(w.title.partition("(")[2].rstrip(")"))
    return [f"not on this machine: ONNX Runtime on {' and '.join(names)} ({get})" for get, names in found.items()]


def opening(s: Side, way: Way, threads: int) -> dict[str, Any]:
    """The options that a file is opened with."""
    own = {"like": [*s.graph.inputs, *s.graph.outputs]} if way.runtime == "tflite" else options_of(s)
    return {**own, **way.options, "threads": threads}
