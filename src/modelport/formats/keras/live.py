"""Models of Keras in memory, by way of a file: recognised and saved without importing Keras."""
from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from ...codecs.limits import DEFAULT, Limits
from ...errors import UsageError, printable
from ...ir.graph import Graph
from .container import read


def is_live(obj: Any) -> bool:
    """Whether an object is a model of Keras 3 or tf_keras: one of its classes is that of either."""
    return any(c.__name__ == "Model" and c.__module__.split(".")[0] in ("keras", "tf_keras") for c in type(obj).__mro__)


def save(obj: Any, path: Path) -> Path:
    """Saves a live model below ``path``, a folder; the file.

    Keras 3 writes ``.keras``, which keeps adapted vocabularies; tf_keras its own kind of it."""
    file = Path(path) / "model.keras"
    try:
        obj.save(str(file))
    except Exception as e:
        raise UsageError(f"Keras can't save the model: {printable(e, 300)}") from e
    return file


def load(obj: Any, limits: Limits = DEFAULT, **options: Any) -> Graph:
    """The raw graph of a live model.  Its weights are a map of a file that has no name any more."""
    with tempfile.TemporaryDirectory(prefix="modelport-") as folder:
        return read(save(obj, Path(folder)), limits, **options)
