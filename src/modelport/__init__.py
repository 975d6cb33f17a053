"""modelport: a trained model from any common format into any other, proven correct.

>>> import modelport
>>> model = modelport.load("digits.tflite")          # doctest: +SKIP
>>> modelport.convert(model, "digits.onnx").report   # doctest: +SKIP
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .api import Conversion, Model, compare, convert, diff, inspect, load, obstacles, verify
    from .errors import (
        CorruptFile,
        LimitExceeded,
        MissingDependency,
        ModelportError,
        RuntimeFailed,
        StrictFailure,
        UnknownFormat,
        UnsafeModel,
        UnsupportedModel,
        UsageError,
        VerificationFailed,
    )

_API = ("Conversion", "Model", "compare", "convert", "diff", "inspect", "load", "obstacles", "verify")
_ERRORS = ("CorruptFile", "LimitExceeded", "MissingDependency", "ModelportError", "RuntimeFailed", "StrictFailure",
           "UnknownFormat", "UnsafeModel", "UnsupportedModel", "UsageError", "VerificationFailed")

__all__ = [
    "Conversion", "CorruptFile", "LimitExceeded", "MissingDependency", "Model", "ModelportError", "RuntimeFailed",
    "StrictFailure", "UnknownFormat", "UnsafeModel", "UnsupportedModel", "UsageError", "VerificationFailed",
    "compare", "convert", "diff", "inspect", "load", "obstacles", "verify"]


def __getattr__(name: str) -> Any:
    """Public names are imported when they are first used, so that ``import modelport`` costs next to nothing."""
    if name in _API:
        from . import api
        return getattr(api, name)
    if name in _ERRORS:
        from . import errors
        return getattr(errors, name)
    if name == "__version__":
        from importlib.metadata import version
        return version("modelport")
    raise AttributeError(f"module 'modelport' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
