"""Functions and modules of TensorFlow in memory, by way of a SavedModel: recognised without importing TensorFlow."""
from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ...codecs.limits import DEFAULT, Limits
from ...errors import UsageError, printable
from ...ir.graph import Graph
from .container import read

_KINDS = frozenset({"Module", "ConcreteFunction", "PolymorphicFunction", "Function", "AutoTrackable"})


def is_live(obj: Any) -> bool:
    """Whether an object is a module or a function of TensorFlow: one of its classes is."""
    return any(c.__name__ in _KINDS and c.__module__.split(".")[0] == "tensorflow" for c in type(obj).__mro__)


def save(obj: Any, path: Path) -> Path:
    """Saves a module, or a function with a signature, as a SavedModel in a folder below ``path``."""
    import tensorflow as tf
    folder = Path(path) / "model"
    try:
        if isinstance(obj, tf.Module):
            tf.saved_model.save(obj, str(folder))
        elif hasattr(obj, "export"):  # a model of Keras whose layers are code
            obj.export(str(folder), verbose=False)
        else:
            module = tf.Module()
            module.function = obj
            concrete = obj if hasattr(obj, "structured_input_signature") else obj.get_concrete_function()
            tf.saved_model.save(module, str(folder), signatures=concrete)
    except Exception as e:
        raise UsageError(f"TensorFlow can't save the {type(obj).__name__}: {printable(e, 300)}",
                         hint="a function needs an input_signature, or give a concrete function") from e
    return folder


def load(obj: Any, limits: Limits = DEFAULT, **options: Any) -> Graph:
    """The raw graph of a live object.  Its weights are a map of a file that has no name any more."""
    with tempfile.TemporaryDirectory(prefix="modelport-") as folder:
        return read(save(obj, Path(folder)), limits, **options)
