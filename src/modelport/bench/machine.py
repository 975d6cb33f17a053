"""What machine the figures are of, and a yardstick that tells whether it kept its pace."""
from __future__ import annotations

import contextlib
import hashlib
import os
import platform
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_EXTENSIONS = ("avx", "avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "amx_bf16", "asimd", "asimddp", "i8mm",
               "bf16", "sve")
"""Vector instructions that runtimes choose their kernels by, as Linux names them."""


@dataclass(frozen=True)
class Machine:
    """A machine and the state that it was in.

    ``cores`` are those that this process may use, ``memory`` bytes, ``load`` the mean number of runnable processes in
    the minute before the measurement, ``yardstick`` the median milliseconds of a fixed piece of work of one core, timed
    between the rounds, ``unsteady`` how far its slowest tenth and its fastest tenth lie apart, relative to it."""

    processor: str
    extensions: tuple[str, ...]
    cores: int
    memory: int | None
    governor: str
    system: str
    python: str
    load: float | None
    yardstick: float = 0.0
    unsteady: float = 0.0


def machine() -> Machine:
    """This machine, now."""
    cpu = _cpuinfo()
    flags = set((cpu.get("flags") or cpu.get("Features") or "").split())
    load = None
    with contextlib.suppress(OSError, AttributeError):
        load = round(os.getloadavg()[0], 2)
    return Machine(
        processor=cpu.get("model name") or platform.processor() or platform.machine(),
        extensions=tuple(e for e in _EXTENSIONS if e in flags), cores=cores(), memory=memory()[0],
        governor=_text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"),
        system=platform.platform(), python=platform.python_version(), load=load)


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def memory() -> tuple[int | None, int | None]:
    """Bytes of memory in all, and those free for a new process, where the system says so."""
    found = dict(line.split(":", 1) for line in _text("/proc/meminfo").splitlines())

    def amount(key: str) -> int | None:
        return int(found[key].split()[0]) * 1024 if key in found else None
    return amount("MemTotal"), amount("MemAvailable")


def yardstick() -> float:
    """Milliseconds that the digest of a million bytes takes now."""
    began = time.perf_counter()
    hashlib.sha256(_WORK).digest()
    return (time.perf_counter() - began) * 1e3


_WORK = bytes(1_000_000)


def _cpuinfo() -> dict[str, str]:
    pairs = (line.split(":", 1) for line in _text("/proc/cpuinfo").partition("\n\n")[0].splitlines() if ":" in line)
    return {k.strip(): v.strip() for k, v in pairs}


def _text(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text().strip()
    return ""
