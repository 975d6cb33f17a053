"""The user's own class for the weights of a file: exported by the user's PyTorch, in a process of its own."""
from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ...errors import RuntimeFailed, UsageError, printable

_SECONDS = 600


@contextmanager
def exported(path: Path, module: str, inputs: Sequence[str]) -> Iterator[Path]:
    """The program of the class "net.py:Net" with the weights of ``path``, for as long as the context lasts.

    Raises :class:`UsageError` where the request is wrong, :class:`RuntimeFailed` with the message of what went wrong in
    the user's code."""
    file, colon, name = module.rpartition(":")
    if not colon or not name.isidentifier() or not Path(file).is_file():
        raise UsageError(f"--module {printable(module)}: expected a file of Python and a class in it, net.py:Net")
    if not inputs:
        raise UsageError("a class does not say the shapes of its inputs",
                         hint="say them: --inputs 'float32[batch,3,224,224]'")
    with tempfile.TemporaryDirectory(prefix="modelport-") as folder:
        request, target = Path(folder) / "request.json", Path(folder) / "model.pt2"
        request.write_text(json.dumps({"file": str(Path(file).resolve()), "name": name, "weights": str(path.resolve()),
                                       "inputs": list(inputs), "target": str(target)}))
        try:
            done = subprocess.run([sys.executable, "-m", "modelport.formats.torch.live", str(request)],
                                  capture_output=True, text=True, timeout=_SECONDS, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            raise RuntimeFailed(f"{printable(module)} did not end within {_SECONDS} seconds") from None
        if done.returncode or not target.is_file():
            lines = done.stderr.strip().splitlines() or ["it ended without a program"]
            if done.returncode == 2:
                raise UsageError(printable(lines[-1], 400))
            raise RuntimeFailed(f"{printable(module)} failed: {printable(lines[-1], 400)}")
        yield target
