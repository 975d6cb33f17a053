"""Runtimes: each runs a model file and answers with arrays, here or in a child process with limits.

``start("onnxruntime", path, threads=1)`` opens a file in this process; :class:`modelport.runtimes.isolated.Worker`
does the same in a child, so that a native crash is a result and not an end.  Files given to a native runtime are files
that modelport wrote or that its reader has validated."""
from __future__ import annotations

from .session import RUNTIMES, Session, start

__all__ = ["RUNTIMES", "Session", "start"]
