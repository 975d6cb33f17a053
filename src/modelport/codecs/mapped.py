"""Files seen through a memory map, and slices of them that the kernel copies.

Pages of a mapped file are the page cache's: reading weights through a map costs no anonymous memory."""
from __future__ import annotations

import errno
import gc
import mmap
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, TypeVar

from ..errors import CorruptFile, UnsafeModel
from .limits import DEFAULT, Limits

_KERNEL = 1 << 16  # bytes from which a copy by the kernel beats a write
_PIECE = 1 << 24
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
_NO_KERNEL_COPY = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM, errno.ETXTBSY}


class Mapped:
    """A read-only memory map of a whole regular file; the descriptor is kept for copies by the kernel.

    The map must not outlive a truncation of the file by somebody else (the system would end the process)."""

    __slots__ = ("fd", "map", "path", "size")

    def __init__(self, path: str | os.PathLike[str], limits: Limits = DEFAULT, fd: int | None = None) -> None:
        """Maps ``path``, or the file open as ``fd`` (which the object takes over).  Raises :class:`CorruptFile` if it
        can't be read and :class:`LimitExceeded` if it is larger than ``limits.file_bytes``."""
        self.path, self.fd = Path(path), -1
        try:
            self.fd = _roomy(lambda: os.open(path, _FLAGS)) if fd is None else fd
            info = os.fstat(self.fd)
            if not stat.S_ISREG(info.st_mode):
                raise UnsafeModel(f"{path} is not a regular file")
            self.size = limits.check("file_bytes", info.st_size)
            self.map: mmap.mmap | bytes = _roomy(
                lambda: mmap.mmap(self.fd, 0, access=mmap.ACCESS_READ)) if self.size else b""
        except OSError as e:
            raise CorruptFile(f"cannot be read: {e.strerror or e}", path=path) from None

    def __del__(self, close: Callable[[int], None] = os.close) -> None:  # at exit the name os may be gone
        if self.fd >= 0:
            close(self.fd)  # the map keeps a descriptor of its own

    @property
    def view(self) -> memoryview:
        return memoryview(self.map)

    def slice(self, start: int, end: int) -> Slice:
        """The bytes from ``start`` to ``end``; raises :class:`CorruptFile` if the file does not have them."""
        if not 0 <= start <= end <= self.size:
            raise CorruptFile(f"bytes {start} to {end} are outside of the file of {self.size} bytes", path=self.path)
        return Slice(self, start, end)


_T = TypeVar("_T")


def _roomy(make: Callable[[], _T]) -> _T:
    """What ``make`` opens.  Graphs refer to themselves, so that the files of dropped ones close when Python collects
    garbage: where too many files are open, that is done first."""
    try:
        return make()
    except OSError as e:
        if e.errno != errno.EMFILE:
            raise
    gc.collect()
    return make()


class Slice:
    """Some bytes of a mapped file."""

    __slots__ = ("end", "file", "start")

    def __init__(self, file: Mapped, start: int, end: int) -> None:
        self.file, self.start, self.end = file, start, end

    def __len__(self) -> int:
        return self.end - self.start

    @property
    def view(self) -> memoryview:
        return self.file.view[self.start:self.end]

    def copy_to(self, out: BinaryIO) -> None:
        """Appends the bytes to ``out``, by the kernel where it can."""
        start = self.start
        if self.end - start >= _KERNEL and hasattr(os, "copy_file_range"):
            start = _kernel_copy(self.file.fd, start, self.end, out)
        view = self.file.view
        out.writelines(view[at:min(at + _PIECE, self.end)] for at in range(start, self.end, _PIECE))


def _kernel_copy(source: int, start: int, end: int, out: BinaryIO) -> int:
    """Copies what the kernel is willing to copy; the offset up to which it did."""
    try:
        target = out.fileno()
    except OSError:  # a buffer in memory
        return start
    out.flush()
    at = out.tell()
    try:
        while start < end:
            n = os.copy_file_range(source, target, end - start, start, at)
            if n == 0:
                raise CorruptFile("the file became shorter while it was read")
            start, at = start + n, at + n
    except OSError as e:
        if e.errno not in _NO_KERNEL_COPY:
            raise
    out.seek(at)
    return start

