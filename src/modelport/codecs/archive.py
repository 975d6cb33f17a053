"""Members of zip and tar archives, read in memory within a budget; nothing is ever extracted.

Names must be relative and beneath the archive, each there once, also when case does not count; links, devices and
encrypted members are refused; an archive inside an archive is a member like any other and is not opened."""
from __future__ import annotations

import bz2
import gzip
import io
import lzma
import mmap
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from ..errors import CorruptFile, LimitExceeded, UnsafeModel, printable
from .limits import DEFAULT, Limits
from .paths import beneath

_FREE = 1 << 20  # bytes that any member may decompress to, whatever its ratio
_PIECE = 1 << 16
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError, ValueError,
           OSError, IndexError, KeyError, OverflowError)


_MEMBER = b"PK\x03\x04"
"""How each member of a zip archive begins."""


class Archive:
    """The regular files of an archive by name.  Use it as a context manager."""

    def __init__(self, path: Path, limits: Limits = DEFAULT) -> None:
        """Opens a zip or tar (also gz, bz2, xz) file and checks the names of its members.

        Raises :class:`CorruptFile`, :class:`UnsafeModel` or :class:`LimitExceeded`."""
        self.path, self.limits = Path(path), limits
        self._spent = 0
        self._zip: zipfile.ZipFile | None = None
        self._tar: tarfile.TarFile | None = None
        self._members: dict[str, zipfile.ZipInfo | tarfile.TarInfo] = {}
        self._file = open(path, "rb")  # noqa: SIM115 - closed by close()
        try:
            self._size = limits.check("file_bytes", self._file.seek(0, io.SEEK_END))
            self._file.seek(0)
            self._open()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        try:
            if zipfile.is_zipfile(self._file):
                self._file.seek(0)
                self._zip = zipfile.ZipFile(self._file)
                for z in self._zip.infolist():
                    self._add(z)
            else:
                self._file.seek(0)
                plain: Any = _Bounded(self._decompressed(), self)
                self._tar = tarfile.open(fileobj=plain, mode="r:", errorlevel=2)  # noqa: SIM115
                for t in self._tar:
                    self._add(t)
        except _BROKEN as e:
            raise self._not_one(e) from None

    def _not_one(self, e: Exception) -> CorruptFile:
        """Why the file can't be opened; of a zip archive that is cut off, where, and in which member."""
        self._file.seek(0)
        if self._zip is not None or self._file.read(4) != _MEMBER:
            return CorruptFile(f"is neither a zip archive nor a tar archive ({e})", path=self.path)
        with mmap.mmap(self._file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            at = view.rfind(_MEMBER)
            length = int.from_bytes(view[at + 26:at + 28], "little")
            name = view[at + 30:at + 30 + length].decode("utf-8", "replace")
        return CorruptFile(f"is a zip archive without its end: the file is cut off in '{printable(name, 80)}'",
                           path=self.path, offset=self._size, hint="copy or download it again")

    def _decompressed(self) -> IO[bytes]:
        head = self._file.read(6)
        self._file.seek(0)
        if head[:2] == b"\x1f\x8b":
            return cast("IO[bytes]", gzip.GzipFile(fileobj=self._file, mode="rb"))
        if head[:3] == b"BZh":
            return cast("IO[bytes]", bz2.BZ2File(self._file))
        if head == b"\xfd7zXZ\0":
            return cast("IO[bytes]", lzma.LZMAFile(self._file))
        return self._file

    def _add(self, info: zipfile.ZipInfo | tarfile.TarInfo) -> None:
        if isinstance(info, zipfile.ZipInfo):
            name, folder = info.filename, info.is_dir()
            kind = info.external_attr >> 28  # the file type of POSIX, 0 where the archiver did not say
            plain = kind in (0, 8) or (folder and kind == 4)
            if info.flag_bits & 1:
                raise UnsafeModel(f"the member '{printable(name)}' is encrypted")
        else:
            name, folder, plain = info.name, info.isdir(), (info.isreg() and not info.issparse()) or info.isdir()
        if not plain:
            raise UnsafeModel(f"the member '{printable(name)}' is a link or a device")
        self.limits.check("name_bytes", len(name))
        if name.rstrip("/") in ("", "."):
            return
        clean = "/".join(beneath(Path(), name))
        if folder:
            return
        self.limits.check("members", len(self._members) + 1)
        if clean in self._members:
            raise UnsafeModel(f"the member '{printable(clean)}' is there twice")
        self._members[clean] = info

    def names(self) -> tuple[str, ...]:
        """The names of the files, in order; two that differ in case only are refused here."""
        folded: dict[str, str] = {}
        for name in self._members:
            other = folded.setdefault(name.casefold(), name)
            if other != name:
                raise UnsafeModel(f"the members '{printable(other)}' and '{printable(name)}' differ in case only")
        return tuple(self._members)

    def read(self, name: str) -> bytes:
        """The bytes of a file.  Raises :class:`CorruptFile` if there is none of that name."""
        return b"".join(self.pieces(name))

    def stored(self, name: str) -> tuple[int, int] | None:
        """Where the bytes of a file lie in the archive, from and to, if they lie there as they are."""
        info = self._members.get(name)
        if not isinstance(info, zipfile.ZipInfo) or info.compress_type != zipfile.ZIP_STORED:
            return None
        if not 0 <= info.header_offset <= self._size:
            raise CorruptFile(f"member '{printable(name)}' lies outside of the archive", path=self.path)
        self._file.seek(info.header_offset)
        head = self._file.read(30)
        if len(head) < 30 or head[:4] != b"PK\x03\x04" or info.compress_size != info.file_size:
            raise CorruptFile(f"member '{printable(name)}' has no header", path=self.path)
        named, more = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
        if self._file.read(named) != info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437"):
            raise UnsafeModel(f"the member '{printable(name)}' has another name in its own header")
        start = info.header_offset + 30 + named + more
        if start + info.file_size > self._size:
            raise CorruptFile(f"member '{printable(name)}' is cut off", path=self.path)
        return start, start + info.file_size

    def pieces(self, name: str) -> Iterator[bytes]:
        """The bytes of a file, piece by piece, each counted against the budget before the next one is made."""
        info = self._members.get(name)
        if info is None:
            raise CorruptFile(f"has no member '{printable(name)}'", path=self.path)
        try:
            with self._stream(info) as stream:
                stored = info.compress_size if isinstance(info, zipfile.ZipInfo) else None
                read = 0
                while piece := stream.read(_PIECE):
                    read += len(piece)
                    self._spent = self.limits.check("expanded_bytes", self._spent + len(piece))
                    if stored is not None:
                        self._ratio(read, stored)
                    yield piece
        except _BROKEN as e:
            raise CorruptFile(f"member '{printable(name)}': {e}", path=self.path) from None

    def _stream(self, info: zipfile.ZipInfo | tarfile.TarInfo) -> IO[bytes]:
        if isinstance(info, zipfile.ZipInfo):
            assert self._zip is not None
            return self._zip.open(info)
        assert self._tar is not None
        stream = self._tar.extractfile(info)
        assert stream is not None
        return stream

    def _ratio(self, made: int, stored: int) -> None:
        if made > _FREE and made > stored * self.limits.ratio:
            raise LimitExceeded(f"{printable(self.path.name)} decompresses to more than {self.limits.ratio} times its "
                                "size", hint="raise it with --limit ratio=NUMBER if you trust the file")

    def close(self) -> None:
        for opened in (self._zip, self._tar, self._file):
            if opened is not None:
                opened.close()

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Bounded:
    """A decompressed stream that stops where its place in the file could not honestly be."""

    def __init__(self, stream: IO[bytes], archive: Archive) -> None:
        self._stream, self._archive = stream, archive

    def read(self, size: int = -1) -> bytes:
        if size < 0:
            raise ValueError("reading without a bound")
        self._archive._ratio(self._stream.tell() + size, self._archive._size)
        return self._stream.read(size)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        if whence != io.SEEK_SET:
            raise ValueError("only seeks from the start are bounded")
        self._archive._ratio(offset, self._archive._size)
        return self._stream.seek(offset)

    def tell(self) -> int:
        return self._stream.tell()
