"""The contributed operators (``com.microsoft`` and the like) that the hub decomposes."""
from __future__ import annotations

import importlib
import importlib.util

from ...ir.rules import Rules


def contributed() -> Rules:
    """Rules for operators of other domains than ONNX's own."""
    name = "modelport.hub.decompose.contrib"
    if importlib.util.find_spec(name) is None:
        return Rules("ONNX", "the hub")
    rules: Rules = importlib.import_module(name).rules
    return rules
