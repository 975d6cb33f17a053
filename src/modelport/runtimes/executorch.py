"""ExecuTorch: programs of kernels in the stock runtime (portable and optimised kernels, the processor)."""
from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingDependency, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from .session import Session


def start(path: Path, *, threads: int = 1, device: str = "cpu") -> Session:
    """The .pte file at ``path`` opened by the ExecuTorch of this Python."""
    return ExecuTorch(path, threads=threads, device=device)


class ExecuTorch(Session):
    """The method ``forward`` of a program."""

    name = "ExecuTorch"

    def __init__(self, path: Path, *, threads: int, device: str) -> None:
        if device != "cpu":
            raise UsageError(f"ExecuTorch runs on the device 'cpu' here, not on '{printable(device)}'")
        from ..registry import named
        with self._checked_first():
            raw = named("executorch").load().read(path)
        os.environ.setdefault("OMP_NUM_THREADS", str(threads))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                import torch
                from executorch.extension.pybindings import portable_lib
                from executorch.runtime import Runtime, Verification
        except ImportError:
            raise MissingDependency("executorch", "executorch", "running an ExecuTorch program") from None
        from importlib.metadata import version
        if portable_lib._threadpool_get_thread_count() != threads:
            portable_lib._unsafe_reset_threadpool(threads)  # safe while no program is loaded
        self._torch = torch
        self.version = version("executorch")
        self.settings = f"cpu, {threads} thread{'s' * (threads != 1)}"
        try:
            self._method: Any = None
            self._program: Any = Runtime.get().load_program(path, verification=Verification.Minimal)
            self._method = self._program.load_method("forward")
        except Exception as e:
            raise RuntimeFailed(f"ExecuTorch refuses the program: {_message(e)}") from None
        if self._method is None:
            raise RuntimeFailed("ExecuTorch refuses the program")
        self.inputs = {k: v.type for k, v in raw.inputs.items()}
        self.outputs = {k: v.type for k, v in raw.outputs.items()}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = self.checked(feeds)
        try:
            made = self._method.execute([self._tensor(a) for a in arrays.values()])
        except Exception as e:
            raise RuntimeFailed(f"ExecuTorch failed: {_message(e)}") from None
        return {k: np.array(v.detach().numpy()) for k, v in zip(self.outputs, made, strict=True)}

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        given = [self._tensor(a) for a in self.checked(feeds).values()]
        return lambda: self._method.execute(given)

    def _tensor(self, a: Array) -> Any:
        made = self._torch.from_numpy(np.array(a))
        return made if a.size else self._torch.empty(a.shape, dtype=made.dtype)  # numpy's strides of nothing are zero

    def close(self) -> None:
        self._method = self._program = None


_CODES = {0x10: "not supported", 0x11: "not implemented", 0x12: "an invalid argument", 0x13: "an invalid type",
          0x14: "it has no kernel for an operator of the program", 0x20: "a resource or delegate is not there",
          0x21: "no memory", 0x23: "an invalid program", 0x30: "the delegate is of another version",
          0x31: "no memory for the delegate", 0x32: "an invalid handle of a delegate"}
"""What its numbers of errors mean (runtime/core/error.h)."""


def _message(e: Exception) -> str:
    lines = str(e).strip().splitlines()
    found = re.search(r"error: 0x:?([0-9a-fA-F]+)", lines[0]) if lines else None
    meant = _CODES.get(int(found[1], 16), "") if found else ""
    return f"{type(e).__name__}: {printable(lines[0] if lines else '', 300)}{f' ({meant})' if meant else ''}"
