"""Proof: the same inputs to source and target, compared, reported, and bisected where they differ."""
from __future__ import annotations

from .bisect import Finding, bisect
from .inputs import Feed, Suite, suite
from .report import Report
from .rerun import Rerun, rerun
from .verify import verify

__all__ = ["Feed", "Finding", "Report", "Rerun", "Suite", "bisect", "rerun", "suite", "verify"]
