"""XGBoost: binary models (to 3.0), JSON and UBJSON, whatever the suffix says."""
from __future__ import annotations

from .container import read, sniff
from .translate import to_hub

__all__ = ["read", "sniff", "to_hub"]
