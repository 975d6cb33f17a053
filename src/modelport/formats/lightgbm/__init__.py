"""LightGBM: models as text, and as the JSON that ``dump_model`` makes."""
from __future__ import annotations

from .container import read, sniff
from .translate import to_hub

__all__ = ["read", "sniff", "to_hub"]
