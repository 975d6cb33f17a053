"""What is written is there as a whole or not at all: files, folders, and what was there before."""
from __future__ import annotations

from pathlib import Path

import pytest

from modelport.codecs.atomic import size, staged
from modelport.errors import UsageError


def write(path: Path, files: dict[str, str], force: bool = False, fail: bool = False) -> None:
    with staged(path, force=force) as folder:
        for name, text in files.items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        if fail:
            raise RuntimeError


def seen(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_takes_the_place_of_a_folder_as_a_whole(tmp_path: Path) -> None:
    write(tmp_path / "m", {"m/a": "1", "m/b/c": "2"})
    assert seen(tmp_path) == {"m/a": "1", "m/b/c": "2"}
    assert size(tmp_path / "m") == 2
    with pytest.raises(UsageError, match="exists"):
        write(tmp_path / "m", {"m/a": "3"})
    with pytest.raises(RuntimeError):
        write(tmp_path / "m", {"m/a": "3"}, force=True, fail=True)
    assert seen(tmp_path) == {"m/a": "1", "m/b/c": "2"}
    write(tmp_path / "m", {"m/a": "3"}, force=True)
    assert seen(tmp_path) == {"m/a": "3"}


def test_a_file_never_takes_the_place_of_a_folder(tmp_path: Path) -> None:
    write(tmp_path / "m", {"m/a": "1"})
    with pytest.raises(UsageError, match="is a folder"):
        write(tmp_path / "m", {"m": "2"}, force=True)
    assert seen(tmp_path) == {"m/a": "1"}


def test_companions_are_not_overwritten_unasked(tmp_path: Path) -> None:
    (tmp_path / "m.bin").write_text("mine")
    with pytest.raises(UsageError, match=r"m\.bin exists"):
        write(tmp_path / "m", {"m": "1", "m.bin": "2"})
    assert seen(tmp_path) == {"m.bin": "mine"}
