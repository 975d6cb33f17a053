"""``bench``: files as they are, in every runtime that reads them."""
from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .. import registry
from ..codecs.limits import DEFAULT, Limits
from ..errors import ModelportError, UsageError, printable
from ..proof.sides import Side, side
from .machine import Machine, machine
from .measure import How, Progress, measure
from .report import Agreement, Measurement, Row
from .ways import Way, absent, ways


def bench(files: Sequence[str | Path], *, runtimes: Sequence[str] = (), device: str = "", how: How | None = None,
          read: Mapping[str, Any] | None = None, limits: Limits = DEFAULT, progress: Progress = lambda _: None,
          command: str = "") -> Measurement:
    """Times each file in every runtime that reads it (or in ``runtimes``, names of :data:`~.ways.WAYS`); ``read`` are
    options of reading them, such as ``signature``.

    A runtime that is not installed, or that fails, is a row that says so.  Raises :class:`UsageError` if no file can be
    run in what was asked for, and what reading raises if it is the only file."""
    how = how or How()
    began, here = time.monotonic(), machine()
    subjects: list[tuple[Side, Way, Agreement | None, str]] = []
    broken: list[Row] = []
    for path in map(Path, files):
        path = path if path.name.strip(".") else path.resolve()  # "." has no name to show
        try:
            s = side(path, limits, opaque=True, **_known(path, read or {}))
        except ModelportError as e:
            if len(files) == 1:
                raise
            broken.append(Row(path.name, "", "", "", "", status="failed", reason=str(e)))
            continue
        found = list(ways(s, tuple(runtimes), device))
        if not found:
            what = "no runtime of" if not runtimes else f"{' and '.join(runtimes)} can't run"
            where = f" on the device '{printable(device)}'" if device else ""
            reason = f"{what} {registry.named(s.format).title} files" + ("" if runtimes else f" is known{where}")
            if len(files) == 1:
                raise UsageError(f"{printable(path)}: {reason}")
            broken.append(Row(path.name, s.format, "", "", "", status="unsupported", reason=reason))
        subjects += [(s, w, None, "") for w in found]
    rows, pace = measure(subjects, how, progress)
    names = Counter(s.path.name for s in {id(s): s for s, *_ in subjects}.values() if s.path is not None)
    rows = [replace(r, file=printable(s.path)) if s.path is not None and names[s.path.name] > 1 else r
            for r, (s, *_) in zip(rows, subjects, strict=True)]  # files of one name in two folders
    notes = () if runtimes or device else absent(s for s, *_ in subjects)
    return finished([*rows, *broken], pace, here, how, began, command, notes=tuple(notes))


def _known(path: Path, read: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the options that files of this format have; :class:`UsageError` if there are none."""
    spec = registry.detect(path)
    known = {k: v for k, v in read.items() if k in spec.read_options}
    if read and not known:
        raise UsageError(f"{printable(path)}: {spec.title} files have no option {', '.join(read)}",
                         hint=f"there is {', '.join(spec.read_options)}" if spec.read_options else "")
    return known


def finished(rows: Sequence[Row], pace: Sequence[float], here: Machine, how: How, began: float, command: str,
             **more: Any) -> Measurement:
    """The report of what was measured since ``began``."""
    if pace:
        low, middle, high = np.percentile(pace, (10, 50, 90))
        here = replace(here, yardstick=round(float(middle), 4), unsteady=round(float((high - low) / middle), 4))
    return Measurement(tool=f"modelport {version()}", command=command, machine=here, threads=how.threads,
                       seconds=how.seconds, seed=how.seed, took=round(time.monotonic() - began, 2), rows=tuple(rows),
                       **more)


def version() -> str:
    """The version of this package."""
    from importlib import metadata
    return metadata.version("modelport")
