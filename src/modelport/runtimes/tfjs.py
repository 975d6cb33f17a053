"""TensorFlow.js in Node, each model in a process of its own that speaks the frames of :mod:`.frames`.

Node looks for ``@tensorflow/tfjs`` from the working directory up, in ``NODE_PATH``, or in the folder that the variable
``MODELPORT_TFJS`` names."""
from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ..errors import MissingDependency, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from ..ir.types import STRING, Type
from . import frames
from .session import Session, as_text

BACKENDS = ("cpu", "wasm")


def start(path: Path, *, threads: int = 1, device: str = "cpu", backend: str = "cpu",
          tensors: Sequence[str] = ()) -> Session:
    """The model whose ``model.json`` is ``path``, or in the folder ``path``, opened by TensorFlow.js in Node.

    ``backend`` is ``cpu`` (plain JavaScript, the reference) or ``wasm``; ``tensors`` are nodes of a graph model whose
    values are delivered too.  Threads are accepted and not used."""
    if device != "cpu":
        raise UsageError(f"TensorFlow.js runs on the device 'cpu' here, not on '{printable(device)}'")
    if backend not in BACKENDS:
        raise UsageError(f"there is no backend '{printable(backend)}'; there are {', '.join(BACKENDS)}")
    return TensorFlowJs(path / "model.json" if path.is_dir() else path, backend, tensors)


def _folders() -> list[str]:
    """Where packages of Node are looked for."""
    search = [os.environ.get("MODELPORT_TFJS", ""), str(Path.cwd()), *os.environ.get("NODE_PATH", "").split(os.pathsep)]
    return [str(Path(p) / "node_modules") if (Path(p) / "node_modules").is_dir() else p for p in search if p]


def installed() -> str:
    """The version of the package that would run, without running it; empty if there is none."""
    for folder in _folders():
        with contextlib.suppress(OSError, ValueError, KeyError):
            return str(json.loads((Path(folder) / "@tensorflow/tfjs/package.json").read_text("utf-8"))["version"])
    return ""


class TensorFlowJs(Session):
    """A graph model or a layers model in TensorFlow.js."""

    name = "TensorFlow.js"

    def __init__(self, path: Path, backend: str, tensors: Sequence[str] = ()) -> None:
        node = shutil.which("node")
        if node is None:
            raise _missing("Node.js")
        env = {**os.environ, "NODE_PATH": os.pathsep.join(_folders())}
        self._process = subprocess.Popen([node, str(Path(__file__).with_suffix(".js"))], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env)
        self._end = weakref.finalize(self, _kill, self._process)
        answer = self._request({"do": "open", "path": str(path.absolute()), "backend": backend,
                                "tensors": list(tensors)})[0]
        self.version, self.settings = str(answer["version"]), f"{backend} backend"
        self.inputs = {str(k): _type(d, s) for k, d, s in answer["inputs"]}
        self.outputs = {str(k): _type(d, s) for k, d, s in answer["outputs"]}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        made = self._request({"do": "run"}, self.checked(feeds))[1]
        return {k: as_text(a.astype(bool) if self.outputs[k].dtype == bool else a) for k, a in made.items()}

    def timed(self, feeds: Mapping[str, Array], *, seconds: float, most: int = 5000, warm: int = 1,
              first: bool = False) -> tuple[Array, float]:
        how = {"seconds": 0, "most": 1, "warm": 0} if first else {"seconds": seconds, "most": most, "warm": warm}
        answer = self._request({"do": "time", **how}, self.checked(feeds))[0]
        self.memory = int(answer["memory"])
        return np.array(answer["taken"], np.int64), float(answer["cpu"])

    def _request(self, header: Mapping[str, Any], arrays: Mapping[str, Array] | None = None,
                 ) -> tuple[dict[str, Any], dict[str, Array]]:
        process = self._process
        sink, source = cast("IO[bytes]", process.stdin), cast("IO[bytes]", process.stdout)

        def read(n: int) -> bytes:
            data = source.read(n)
            if len(data) < n:
                raise EOFError
            return data
        try:
            for piece in frames.pack(header, arrays):
                sink.write(piece)
            sink.flush()
            answer, made = frames.unpack(read)
        except (OSError, EOFError, frames.BadFrame) as e:
            process.kill()
            said = process.communicate()[1].decode("utf-8", "replace")
            if "Cannot find module '@tensorflow" in said:
                raise _missing("the package @tensorflow/tfjs") from None
            lines = said.strip().splitlines()
            raise RuntimeFailed(f"TensorFlow.js ended: {printable(lines[-1] if lines else 'without a word')}") from e
        if "error" in answer:
            doing = "refuses the model" if header["do"] == "open" else "failed"
            raise RuntimeFailed(f"TensorFlow.js {doing}: {answer['error']}")
        return answer, made

    def close(self) -> None:
        self._end()


def _kill(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def _type(dtype: str, shape: list[int | None] | None) -> Type:
    kinds = {"string": STRING, **{k: np.dtype(k) for k in ("int32", "bool", "complex64")}}
    dims = None if shape is None else tuple(None if d is None or d < 0 else int(d) for d in shape)
    return Type(kinds.get(dtype, np.dtype(np.float32)), dims)


def _missing(what: str) -> MissingDependency:
    made = MissingDependency("", "", "")
    made.message = f"running a TensorFlow.js model needs {what}"
    made.args = (made.message,)
    made.hint = "install Node.js, 'npm install @tensorflow/tfjs' in a folder, and name the folder in MODELPORT_TFJS"
    return made
