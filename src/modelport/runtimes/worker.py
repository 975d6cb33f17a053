"""The child process: ``python -m modelport.runtimes.worker``, driven over its standard streams by ``isolated``.

It imports no more than what it is asked to run, may hold several sessions, and ends with its parent."""
from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from ..errors import MissingDependency, ModelportError, RuntimeFailed
from ..ir.tensor import Array
from . import frames
from .session import Session, start


def limit(memory: int, seconds: int) -> None:
    """No core file; at most ``memory`` bytes of address space and ``seconds`` of CPU; dies with the parent."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        for kind, amount in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, seconds)):
            hard = resource.getrlimit(kind)[1]
            if hard != resource.RLIM_INFINITY:
                amount = min(amount, hard)
            resource.setrlimit(kind, (amount, amount))
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            import ctypes
            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
            if os.getppid() == 1:
                os._exit(0)


def serve(source: int, sink: int) -> None:
    """Answers requests from the descriptor ``source`` on ``sink`` until it ends."""
    sessions: dict[int, Session] = {}

    def read(n: int) -> bytes:
        parts = bytearray()
        while len(parts) < n:
            piece = os.read(source, min(n - len(parts), 1 << 20))
            if not piece:
                os._exit(0)  # the parent has gone
            parts += piece
        return bytes(parts)

    while True:
        request, arrays = frames.unpack(read)
        try:
            answer, made = handle(sessions, request, arrays)
        except ModelportError as e:
            extra = {"hint": e.hint, "missing": isinstance(e, MissingDependency)}
            answer, made = {"error": e.message, "kind": type(e).__name__, **extra}, {}
        except MemoryError:
            answer, made = {"error": "out of memory", "kind": "RuntimeFailed"}, {}
        except Exception as e:
            answer, made = {"error": f"{type(e).__name__}: {e}"[:2000], "kind": "RuntimeFailed"}, {}
        for piece in frames.pack(answer, made):
            view = memoryview(piece)
            while view:
                view = view[os.write(sink, view):]


def handle(sessions: dict[int, Session], request: Mapping[str, Any],
           arrays: Mapping[str, Array]) -> tuple[dict[str, Any], dict[str, Array]]:
    """One request: ``open``, ``run``, ``time`` (see :meth:`Session.timed`) or ``close``."""
    if request["do"] == "open":
        before = time.perf_counter()
        s = start(request["runtime"], request["path"], **request["options"])
        opening = time.perf_counter() - before - s.checking
        number = max(sessions, default=0) + 1
        sessions[number] = s
        return {"session": number, "name": s.name, "version": s.version, "settings": s.settings,
                "opening": opening, "inputs": frames.types_to_json(s.inputs),
                "outputs": frames.types_to_json(s.outputs)}, {}
    if request["do"] == "run":
        return {}, sessions[request["session"]].run(arrays)
    if request["do"] == "time":
        s = sessions[request["session"]]
        try:
            taken, cpu = s.timed(arrays, **request["how"])
        except (ModelportError, MemoryError):
            raise
        except Exception as e:
            raise RuntimeFailed(f"{s.name} failed: {type(e).__name__}: {' '.join(str(e).split())[:1000]}") from None
        return {"cpu": cpu, "memory": s.memory or peak_memory()}, {"taken": taken}
    sessions.pop(request["session"]).close()
    return {}, {}


def peak_memory() -> int | None:
    """The most bytes of physical memory that this process had at once, where the system says so."""
    with contextlib.suppress(OSError, StopIteration), open("/proc/self/status") as f:  # not what the parent had, as
        return int(next(line for line in f if line.startswith("VmHWM")).split()[1]) * 1024  # getrusage tells it
    with contextlib.suppress(ImportError):
        import resource
        return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
    return None


def main() -> None:
    limit(int(sys.argv[1]), int(sys.argv[2]))
    source, sink = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)  # what native code prints must not end up among the answers
    serve(source, sink)


if __name__ == "__main__":
    main()
