"""What a model is turned into for a comparison: every format that can be written, in the precisions that it stores."""
from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UsageError, printable
from ..proof.sides import Side
from .ways import kind


@dataclass(frozen=True)
class Variant:
    """One form of a model: ``format`` as in the registry, ``precision`` where it is another than the model's own,
    ``options`` those of writing."""

    name: str
    format: str
    suffix: str
    precision: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    fixed: bool = False
    """Whether the sizes of the inputs must be known: the batch is 1 then, where it was free, and shapes that were asked
    for are those of the file."""

    def is_of(self, source: Side) -> bool:
        """Whether the source itself is what this would be."""
        assert source.path is not None
        if self.options or self.fixed or self.format != kind(source):
            return False
        if self.format == "tensorflow":  # not a frozen graph
            return source.path.is_dir()
        return self.format != "torch" or source.path.suffix == self.suffix  # not a module in a pickle

    def command(self, source: Path, target: str, batch: int | None,
                shapes: Mapping[str, tuple[int | str, ...]] | None = None,
                read: Mapping[str, Any] | None = None) -> str:
        """The command line that makes the file; ``read`` are the options that the source was read with."""
        flags = [f"--{k.replace('_', '-')}" + ("" if v is True else f" {v}") for k, v in self.options.items()]
        if batch is not None:
            flags.append(f"--batch {batch}")
        flags += [f"--shape {shlex.quote(f'{k}=' + ','.join(map(str, v)))}" for k, v in (shapes or {}).items()]
        for k, v in (read or {}).items():
            flags.append(f"--{k.replace('_', '-')} {shlex.quote(v if isinstance(v, str) else ','.join(v))}")
        return " ".join(["modelport convert", shlex.quote(str(source)), shlex.quote(target), *flags,
                         *([f"--to {self.format}"] if self.format in ("torchscript", "lightgbm") else [])])


VARIANTS: tuple[Variant, ...] = (
    Variant("onnx", "onnx", ".onnx"),
    Variant("tflite", "tflite", ".tflite"),
    Variant("tflite-static", "tflite", ".static.tflite", fixed=True),
    Variant("tflite-float16", "tflite", ".float16.tflite", "float16 weights", {"float16": True}),
    Variant("torch", "torch", ".pt2"),
    Variant("torchscript", "torchscript", ".pt"),
    Variant("torch-source", "torch-source", ".py"),
    Variant("executorch", "executorch", ".pte", fixed=True),
    Variant("tensorflow", "tensorflow", ".savedmodel"),
    Variant("keras", "keras", ".keras"),
    Variant("tfjs", "tfjs", ".tfjs"),
    Variant("tfjs-float16", "tfjs", ".float16.tfjs", "float16 weights", {"quantize": "float16"}),
    Variant("tfjs-uint8", "tfjs", ".uint8.tfjs", "int8 weights", {"quantize": "uint8"}),
    Variant("sklearn", "sklearn", ".pkl"),
    Variant("xgboost", "xgboost", ".ubj"),
    Variant("lightgbm", "lightgbm", ".txt"),
)


def chosen(names: tuple[str, ...]) -> tuple[Variant, ...]:
    """The variants of these names or formats, all by default; :class:`UsageError` for one that is not known."""
    for n in names:
        if all(n not in (v.name, v.format) for v in VARIANTS):
            raise UsageError(f"there is no variant '{printable(n)}'",
                             hint=f"there are {', '.join(v.name for v in VARIANTS)}")
    return tuple(v for v in VARIANTS if not names or v.name in names or v.format in names)
