"""The comparison, measured: files in runtimes, formats of one model, and advice drawn from the figures."""
from __future__ import annotations

from .measure import How
from .report import Agreement, Latency, Measurement, Row, read
from .run import bench
from .variants import Variant, chosen

__all__ = ["Agreement", "How", "Latency", "Measurement", "Row", "Variant", "bench", "chosen", "read"]
