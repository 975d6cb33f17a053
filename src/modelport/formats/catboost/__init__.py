"""CatBoost: its own files (.cbm) and JSON."""
from __future__ import annotations

from .container import read, sniff
from .translate import to_hub

__all__ = ["read", "sniff", "to_hub"]
