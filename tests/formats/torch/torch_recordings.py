"""Files that some version of PyTorch wrote, and what they answered, by the name of their archive."""
from __future__ import annotations

import io
import tarfile
from functools import cache
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "recorded" / "torch_files"


@cache
def files(version: str) -> dict[str, bytes]:
    with tarfile.open(FOLDER / f"{version}.tar.xz") as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def arrays(version: str, name: str) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(files(version)[name])) as z:
        return {k: z[k] for k in z.files}
