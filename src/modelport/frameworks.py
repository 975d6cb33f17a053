"""The living table of frameworks: what modelport reads and writes of each, what is installed here, where its files run,
what it is good for."""
from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import Any

from . import registry
from .bench.targets import RULES, SOURCES, TARGETS
from .bench.ways import WAYS


@dataclass(frozen=True)
class Framework:
    """One format and the software that it belongs to.

    ``installed`` are packages that are here, with their versions; ``targets`` where files of it can be deployed;
    ``good`` and ``but`` are what speaks for and against it, from the facts of ``source``."""

    format: str
    title: str
    files: tuple[str, ...]
    reads: bool
    writes: bool
    installed: Mapping[str, str]
    get: str
    targets: tuple[str, ...]
    good: str
    but: str
    source: str

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


_PACKAGES: Mapping[str, tuple[str, ...]] = {
    "tflite": ("ai-edge-litert",), "onnx": ("onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt"),
    "tensorflow": ("tensorflow",), "keras": ("keras", "tf_keras"), "torch": ("torch",), "torchscript": ("torch",),
    "torch-source": ("torch",), "executorch": ("executorch",), "sklearn": ("scikit-learn",), "xgboost": ("xgboost",),
    "lightgbm": ("lightgbm",), "catboost": ("catboost",), "tfjs": ("@tensorflow/tfjs",)}

_WORDS: Mapping[str, tuple[str, str]] = {
    "onnx": (("one file that runs on every kind of machine but microcontrollers, with its operators written down in a "
             "standard; trees and text beside networks"), "mobile packages of its runtime are some 15 MB"),
    "tflite": (("phones and microcontrollers: the smallest runtime, integer kernels, a file that is used where it lies "
               "in memory"), "no double precision; recurrent layers and control flow only in part on accelerators"),
    "tensorflow": ("serving: signatures, versions and state in one folder that TensorFlow Serving and the clouds take",
                   "600 MB installed; no runtime for phones of its own"),
    "tfjs": ("browsers, without a download of many megabytes: WebGL and WebAssembly from 2 MB of script",
             "a file of several parts; int64 and doubles become 32 bits"),
    "keras": ("training on: layers with their names, on TensorFlow, JAX or PyTorch", ("Python only; a file of one "
              "version may not open in another")),
    "torch": ("PyTorch of today: a program with its sizes and their ranges, for torch.compile and AOTInductor",
              "its schema changes between versions; the library is some 200 MB and more"),
    "torchscript": ("C++ programs with LibTorch, and old services", "deprecated in PyTorch; no types of its inputs"),
    "torch-source": ("reading and training: a module in Python with its weights beside it", ("it is code, which has to "
                     "be trusted")),
    "executorch": ("phones and microcontrollers from PyTorch: memory planned beforehand, no interpreter of Python",
                   "sizes are fixed when the file is written"),
    "sklearn": ("tabular models with their preprocessing as their authors made them", ("a pickle runs code when it is "
                "opened, and opens only in near versions")),
    "xgboost": ("trees with missing values and categories; JSON and UBJSON that stay readable", "trees only"),
    "lightgbm": ("trees, large categories, text that people can read", "trees only"),
    "catboost": ("trees over categories, without encoding them first", "trees only; categories are stored as hashes")}


def frameworks() -> list[Framework]:
    """Every format of the registry, in its order; nothing is imported to find out what is installed."""
    out = []
    for f in registry.formats():
        rules = RULES.get(f.name, {})
        good, but = _WORDS.get(f.name, ("", ""))
        get = next((w.get for w in WAYS if f.name in w.formats), "")
        out.append(Framework(
            f.name, f.title, f.suffixes, f.reads, f.writes,
            {p: v for p in _PACKAGES.get(f.name, ()) if (v := _version(p))}, get,
            tuple(t for t in TARGETS if t in rules and (rules[t].able or rules[t].check is not None)), good, but,
            SOURCES.get(f.name, "")))
    return out


def _version(package: str) -> str:
    if package.startswith("@"):
        from .runtimes.tfjs import installed
        return installed()
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def text(known: list[Framework]) -> str:
    """The table in words."""
    out = []
    for f in known:
        does = " and ".join(w for w, yes in (("read", f.reads), ("written", f.writes)) if yes)
        here = ", ".join(f"{p} {v}" for p, v in f.installed.items()) or f"not installed ({f.get})"
        out += [f"{f.title}  ({f.format}; {' '.join(f.files) or 'with --to'})", f"  modelport   {does}",
                f"  here        {here}", f"  deploys on  {', '.join(TARGETS[t] for t in f.targets) or '-'}",
                f"  good for    {f.good}", f"  but         {f.but}", f"  source      {f.source}", ""]
    return "\n".join(out).rstrip()
