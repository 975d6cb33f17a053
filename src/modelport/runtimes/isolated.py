"""Any runtime in a child process with limits: a native crash, a refusal or a timeout becomes ``RuntimeFailed``."""
from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from .. import errors
from ..errors import ModelportError, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from . import frames
from .session import Session

TITLES = {"onnxruntime": "ONNX Runtime", "tflite": "LiteRT", "reference": "the ONNX reference evaluator",
          "tensorflow": "TensorFlow", "keras": "Keras", "tfjs": "TensorFlow.js", "graphdef": "the GraphDef interpreter",
          "sklearn": "scikit-learn", "xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost",
          "trees": "numpy", "torch": "PyTorch", "executorch": "ExecuTorch", "openvino": "OpenVINO"}
MEMORY = 32 << 30
"""Address space of a worker.  Generous: runtimes map far more than they use; it only stops what runs away."""


class Worker:
    """A child process that opens and runs models.

    ``timeout`` seconds bound each request, ``cpu_seconds`` the whole life of the child, ``memory`` its address space;
    ``environment`` is added to that of this process.
    After a crash or a timeout the worker is gone; :meth:`open` starts a fresh one."""

    def __init__(self, *, timeout: float = 120, memory: int = MEMORY, cpu_seconds: int = 3600,
                 environment: Mapping[str, str] | None = None) -> None:
        self.timeout, self._memory, self._cpu, self._environment = timeout, memory, cpu_seconds, environment or {}
        self._process: subprocess.Popen[bytes] | None = None
        self._log: IO[bytes] | None = None
        self._title = "the runtime"
        self._end: weakref.finalize[Any, Any] | None = None

    def _begin(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._log = tempfile.TemporaryFile()  # noqa: SIM115  (closed with the worker)
            env = {**os.environ, "PYTHONFAULTHANDLER": "", "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
                   "PYTHONIOENCODING": "utf-8", "TF_CPP_MIN_LOG_LEVEL": "3", **self._environment}
            root = str(Path(__file__).resolve().parents[2])
            env["PYTHONPATH"] = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
            self._process = subprocess.Popen(
                [sys.executable, "-m", "modelport.runtimes.worker", str(self._memory), str(self._cpu)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, env=env, bufsize=0,
                start_new_session=True)
            assert self._process.stdin is not None
            if sys.platform == "linux":  # fewer turns for large arrays
                with contextlib.suppress(OSError):
                    import fcntl
                    for pipe in (self._process.stdin, self._process.stdout):
                        fcntl.fcntl(pipe or -1, fcntl.F_SETPIPE_SZ, 1 << 20)
            if os.name == "posix":
                os.set_blocking(self._process.stdin.fileno(), False)
            self._end = weakref.finalize(self, _kill, self._process, self._log)
        return self._process

    @property
    def alive(self) -> bool:
        """Whether the child was started and has neither crashed nor been ended."""
        return self._process is not None

    def open(self, runtime: str, path: str | os.PathLike[str], **options: Any) -> IsolatedSession:
        """The file at ``path`` opened by ``runtime`` in the child; options as for ``runtimes.start``."""
        self._title = TITLES.get(runtime, runtime)
        how = {"do": "open", "runtime": runtime, "path": os.path.abspath(path), "options": options}
        return IsolatedSession(self, how, self.request(how)[0])

    def request(self, header: Mapping[str, Any], arrays: Mapping[str, Array] | None = None,
                ) -> tuple[dict[str, Any], dict[str, Array]]:
        """Sends one request and waits for its answer."""
        if self._process is None and header["do"] != "open":
            raise RuntimeFailed(f"{self._title} is no longer running")
        process = self._begin()
        deadline = time.monotonic() + self.timeout
        try:
            for piece in frames.pack(header, arrays):
                self._write(process, piece, deadline)
            answer, made = frames.unpack(lambda n: self._read(process, n, deadline))
        except (BrokenPipeError, EOFError):
            raise RuntimeFailed(self._epitaph(process)) from None
        except TimeoutError:
            self.close()
            raise RuntimeFailed(f"{self._title} did not answer within {self.timeout:g} s") from None
        except frames.BadFrame as e:
            self.close()
            raise RuntimeFailed(f"{self._title}: the worker's answer is damaged ({e})") from None
        if "error" in answer:
            raise _error(answer)
        return answer, made

    def _write(self, process: subprocess.Popen[bytes], piece: bytes | memoryview, deadline: float) -> None:
        assert process.stdin is not None
        fd, view = process.stdin.fileno(), memoryview(piece)
        while view:
            _wait(fd, deadline, writing=True)
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(fd, view[:1 << 20]):]

    def _read(self, process: subprocess.Popen[bytes], n: int, deadline: float) -> bytes:
        assert process.stdout is not None
        fd, parts = process.stdout.fileno(), bytearray()
        while len(parts) < n:
            _wait(fd, deadline, writing=False)
            piece = os.read(fd, min(n - len(parts), 1 << 20))
            if not piece:
                raise EOFError
            parts += piece
        return bytes(parts)

    def _epitaph(self, process: subprocess.Popen[bytes]) -> str:
        """What happened to a child that is gone."""
        try:
            code = process.wait(5)
        except subprocess.TimeoutExpired:
            code = 0
        last = ""
        if self._log is not None:
            self._log.seek(0, os.SEEK_END)
            self._log.seek(max(0, self._log.tell() - 4000))
            lines = self._log.read().decode("utf-8", "replace").strip().splitlines()
            last = printable(lines[-1]) if lines else ""
        self.close()
        if code < 0:
            name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
            return f"{self._title} crashed ({name})" + (f": {last}" if last else "")
        return f"{self._title} ended unexpectedly (exit code {code})" + (f": {last}" if last else "")

    def close(self) -> None:
        """Ends the child, whatever it is doing."""
        if self._end is not None:
            self._end()
        self._process = self._log = self._end = None

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


class IsolatedSession(Session):
    """A session that lives in a worker.  After a crash the next run opens the model again, a few times at most."""

    def __init__(self, worker: Worker, how: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        self.worker, self._how, self._number = worker, how, answer["session"]
        self._process, self._again = worker._process, 5
        self.name, self.version, self.settings = (str(answer[k]) for k in ("name", "version", "settings"))
        self.opening = float(answer["opening"])
        self.inputs = frames.types_from_json(answer["inputs"])
        self.outputs = frames.types_from_json(answer["outputs"])

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = self.checked(feeds)
        if self.worker._process is not self._process:
            if self._again <= 0:
                raise RuntimeFailed(f"{self.name} is no longer running: it crashed too often")
            self._again -= 1
            self._number = self.worker.request(self._how)[0]["session"]
            self._process = self.worker._process
        return self.worker.request({"do": "run", "session": self._number}, arrays)[1]

    def measure(self, feeds: Mapping[str, Array], *, seconds: float, most: int = 5000, warm: int = 1,
                first: bool = False) -> tuple[Array, float, int | None]:
        """What :meth:`timed` says, measured in the child, and the most bytes of memory that the child has had."""
        how = {"seconds": seconds, "most": most, "warm": warm, "first": first}
        answer, made = self.worker.request({"do": "time", "session": self._number, "how": how}, self.checked(feeds))
        return made["taken"], float(answer["cpu"]), answer["memory"]

    def timed(self, feeds: Mapping[str, Array], *, seconds: float, most: int = 5000, warm: int = 1,
              first: bool = False) -> tuple[Array, float]:
        return self.measure(feeds, seconds=seconds, most=most, warm=warm, first=first)[:2]

    def close(self) -> None:
        if self.worker._process is self._process and self._process is not None:
            with contextlib.suppress(ModelportError):
                self.worker.request({"do": "close", "session": self._number})


def _wait(fd: int, deadline: float, *, writing: bool) -> None:
    left = deadline - time.monotonic()
    with selectors.DefaultSelector() as waiting:  # select.select knows 1,024 descriptors only
        waiting.register(fd, selectors.EVENT_WRITE if writing else selectors.EVENT_READ)
        if not waiting.select(max(0.0, left)):
            raise TimeoutError


def _kill(process: subprocess.Popen[bytes], log: IO[bytes]) -> None:
    with contextlib.suppress(OSError):
        if process.poll() is None:  # its own session, so its own group: helpers of a runtime end too
            os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        process.wait(5)
    for stream in (process.stdin, process.stdout, log):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _error(answer: Mapping[str, Any]) -> ModelportError:
    """The child's error as the same class here, if it is one that a runtime may raise."""
    message, hint = str(answer["error"]), str(answer.get("hint", ""))
    if answer.get("missing"):
        made = errors.MissingDependency("", "", "")
        made.args, made.message, made.hint = (message,), message, hint
        return made
    kind = UsageError if answer.get("kind") == "UsageError" else RuntimeFailed
    return kind(message, hint=hint)
