"""One way to write: beside the destination, then renamed.  A failed or killed conversion leaves nothing behind."""
from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from ..errors import ModelportError, UsageError


class WriteFailed(ModelportError):
    """The destination could not be written: no permission, no space.  What was there is untouched."""

    exit_code = 8


@contextlib.contextmanager
def staged(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Path]:
    """A fresh folder beside ``path`` in which to write a file (or a folder) of the same name and its companions.

    On success every entry of the folder is moved beside ``path``, companions first, ``path`` last; on failure the
    folder is removed and the destination is as it was.  A folder takes the place of a folder only, and as a whole."""
    path = Path(path)
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} exists", hint="--force overwrites it")
    folder = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
    try:
        folder.mkdir()
    except OSError as e:
        raise WriteFailed(f"cannot write to {path.parent}: {e.strerror}") from None
    try:
        yield folder
        entries = sorted(folder.iterdir(), key=lambda p: (p.name == path.name, p.name))
        for entry in entries:
            if entry.name != path.name and (path.parent / entry.name).exists() and not force:
                raise UsageError(f"{path.parent / entry.name} exists", hint="--force overwrites it")
            for file in (entry, *entry.rglob("*")):
                if file.is_file():
                    with open(file, "rb") as f:
                        os.fsync(f.fileno())
        old = folder / ".old"
        for entry in entries:
            there = path.parent / entry.name
            if there.is_dir() and not there.is_symlink():
                if not entry.is_dir():
                    raise UsageError(f"{there} is a folder")
                old.mkdir(exist_ok=True)
                os.replace(there, old / entry.name)
            os.replace(entry, there)
        with contextlib.suppress(OSError, AttributeError):
            fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
    except OSError as e:
        raise WriteFailed(f"cannot write {path}: {e.strerror or e}") from e
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def writing(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[BinaryIO]:
    """A binary file that becomes ``path`` when the block ends without an error."""
    with staged(path, force=force) as folder, open(folder / Path(path).name, "wb") as f:
        yield f


def size(path: Path) -> int:
    """The bytes of a file, or of all files of a folder."""
    return sum(p.stat().st_size for p in (path, *path.rglob("*")) if p.is_file())
