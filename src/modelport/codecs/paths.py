"""The one policy for paths that a file names: relative, beneath the model's folder, no links, a regular file."""
from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import CorruptFile, UnsafeModel, printable


def beneath(folder: Path, name: str) -> tuple[str, ...]:
    """The components of ``name``, a path stored in an untrusted file, or :class:`UnsafeModel`.

    Purely lexical: relative, no ``..``, no backslash, NUL, drive letter or URI."""
    reason = ("is empty" if not name else
              "has a NUL character" if "\0" in name else
              "has a backslash" if "\\" in name else
              "is absolute" if name.startswith("/") else
              "looks like a drive or a URI" if ":" in name.split("/")[0] else
              "leaves the folder of the model" if ".." in name.split("/") else "")
    if reason:
        raise UnsafeModel(f"the path '{printable(name)}' stored in the model {reason}; nothing was opened",
                          hint="paths in a model must be relative and beneath its folder")
    parts = tuple(p for p in name.split("/") if p not in ("", "."))
    if not parts:
        raise UnsafeModel(f"the path '{printable(name)}' stored in the model names no file")
    return parts


def open_beneath(folder: str | os.PathLike[str], name: str) -> int:
    """A read-only descriptor of the regular file ``name`` beneath ``folder``.

    Every component is opened without following links; hard links, devices and pipes are refused.  Raises
    :class:`UnsafeModel`, or :class:`CorruptFile` if there is no such file."""
    folder = Path(folder)
    parts = beneath(folder, name)
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
    if not hasattr(os, "O_NOFOLLOW") or os.open not in os.supports_dir_fd:  # Windows: lexical policy plus a link check
        path = folder
        for part in parts:
            path = path / part
            if path.is_symlink():
                raise UnsafeModel(f"'{printable(name)}' is reached through a link")
        if not path.is_file():
            raise CorruptFile(f"the file '{printable(name)}' that the model refers to is missing", path=folder)
        return os.open(path, flags)
    at = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for k, part in enumerate(parts):
            last = k == len(parts) - 1
            mode = flags | os.O_NOFOLLOW | (os.O_NONBLOCK if last else os.O_DIRECTORY)
            try:
                fd = os.open(part, mode, dir_fd=at)
            except FileNotFoundError:
                raise CorruptFile(f"the file '{printable(name)}' that the model refers to is missing",
                                  path=folder) from None
            except OSError as e:
                raise UnsafeModel(f"'{printable(name)}' that the model refers to is a link or not a file "
                                  f"({e.strerror})") from None
            os.close(at)
            at = fd
        info = os.fstat(at)
        if not stat.S_ISREG(info.st_mode):
            raise UnsafeModel(f"'{printable(name)}' that the model refers to is not a regular file")
        if info.st_nlink > 1:
            raise UnsafeModel(f"'{printable(name)}' that the model refers to is a hard link",
                              hint="copy the file if you trust it")
    except BaseException:
        os.close(at)
        raise
    return at
