"""Archives: honest ones are read, the others refused before they cost anything."""
from __future__ import annotations

import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from modelport.codecs.archive import Archive
from modelport.codecs.limits import DEFAULT
from modelport.errors import CorruptFile, LimitExceeded, UnsafeModel


def a_zip(path: Path, *members: tuple[str | zipfile.ZipInfo, bytes], compress: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compress) as z:
        for name, data in members:
            z.writestr(name, data, compress_type=compress)
    return path


def a_tar(path: Path, *members: tuple[str | tarfile.TarInfo, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as t:  # type: ignore[call-overload]
        for name, data in members:
            info = tarfile.TarInfo(name) if isinstance(name, str) else name
            info.size = len(data)
            t.addfile(info, io.BytesIO(data))
    return path


FILES = (("model/a.bin", b"abc" * 1000), ("b", b""), ("dir/deep/c", bytes(range(256))))


@pytest.mark.parametrize("compress", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_reads_a_zip(tmp_path: Path, compress: int) -> None:
    with Archive(a_zip(tmp_path / "x.zip", *FILES, compress=compress)) as archive:
        assert archive.names() == tuple(n for n, _ in FILES)
        assert [archive.read(n) for n in archive.names()] == [d for _, d in FILES]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_reads_a_tar(tmp_path: Path, mode: str) -> None:
    with Archive(a_tar(tmp_path / "x.tar", *FILES, mode=mode)) as archive:
        assert archive.names() == tuple(n for n, _ in FILES)
        assert [archive.read(n) for n in reversed(archive.names())] == [d for _, d in reversed(FILES)]


def test_leaves_no_file_behind(tmp_path: Path) -> None:
    with Archive(a_tar(tmp_path / "x.tar", *FILES)) as archive:
        archive.read("b")
    assert [p.name for p in tmp_path.iterdir()] == ["x.tar"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "a\\b", "C:/x"])
def test_refuses_names_that_leave_the_archive(tmp_path: Path, name: str) -> None:
    for path in (a_zip(tmp_path / "x.zip", (name, b"")), a_tar(tmp_path / "x.tar", (name, b""))):
        with pytest.raises(UnsafeModel):
            Archive(path)


def test_refuses_links_and_devices(tmp_path: Path) -> None:
    for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
        info = tarfile.TarInfo("x")
        info.type, info.linkname = kind, "/etc/passwd"
        with pytest.raises(UnsafeModel):
            Archive(a_tar(tmp_path / "x.tar", (info, b"")))
    link = zipfile.ZipInfo("x")
    link.external_attr = 0o120777 << 16
    with pytest.raises(UnsafeModel):
        Archive(a_zip(tmp_path / "x.zip", (link, b"/etc/passwd")))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_refuses_a_name_twice_and_in_two_cases(tmp_path: Path) -> None:
    with pytest.raises(UnsafeModel, match="twice"):
        Archive(a_zip(tmp_path / "x.zip", ("a", b"1"), ("a", b"2")))
    with pytest.raises(UnsafeModel, match="twice"):
        Archive(a_tar(tmp_path / "x.tar", ("a", b"1"), ("./a", b"2")))
    with pytest.raises(UnsafeModel, match="case"), Archive(a_zip(tmp_path / "y.zip", ("a", b"1"), ("A", b"2"))) as y:
        y.names()


def test_stops_a_bomb(tmp_path: Path) -> None:
    bomb = bytes(64 << 20)
    with Archive(a_zip(tmp_path / "x.zip", ("a", bomb))) as archive:
        seen: list[int] = []
        with pytest.raises(LimitExceeded, match="times"):
            seen.extend(len(piece) for piece in archive.pieces("a"))
        assert sum(seen) < 16 << 20  # 64 KiB compressed allow some 13 MiB
    with pytest.raises(LimitExceeded), Archive(a_tar(tmp_path / "x.tgz", ("a", bomb), ("b", b"b"))) as archive:
        archive.read("a")


def test_keeps_the_budget(tmp_path: Path) -> None:
    path = a_zip(tmp_path / "x.zip", *FILES)
    with pytest.raises(LimitExceeded, match="members"):
        Archive(path, replace(DEFAULT, members=2))
    with pytest.raises(LimitExceeded, match="file_bytes"):
        Archive(path, replace(DEFAULT, file_bytes=10))
    with Archive(path, replace(DEFAULT, expanded_bytes=3000)) as archive:
        archive.read("model/a.bin")
        with pytest.raises(LimitExceeded, match="expanded_bytes"):
            archive.read("dir/deep/c")


def _text(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_broken_archives_are_corrupt_files(tmp_path: Path) -> None:
    for path in (a_zip(tmp_path / "x.zip", *FILES), a_tar(tmp_path / "x.tar", *FILES)):
        whole = path.read_bytes()
        for cut in range(0, len(whole), 7):
            for mutant in (whole[:cut], whole[:cut] + bytes([whole[cut] ^ 0x55]) + whole[cut + 1:]):
                path.write_bytes(mutant)
                try:
                    with Archive(path) as archive:
                        for name in archive.names():
                            archive.read(name)
                except (CorruptFile, UnsafeModel, LimitExceeded):
                    continue
    with pytest.raises(CorruptFile, match="neither a zip archive nor a tar archive"):
        Archive(_text(tmp_path / "z.zip", b"no archive at all" * 99))
    whole = a_zip(tmp_path / "x.zip", *FILES).read_bytes()
    third = whole.rindex(b"PK\x03\x04")
    for cut, name in ((50, FILES[0][0]), (third + 50, FILES[2][0])):
        with pytest.raises(CorruptFile, match=rf"cut off in '{name}' \(at byte {cut}\)"):
            Archive(_text(tmp_path / "x.zip", whole[:cut]))
    with pytest.raises(CorruptFile, match="no member"), Archive(a_zip(tmp_path / "y.zip", *FILES)) as archive:
        archive.read("nothing")
