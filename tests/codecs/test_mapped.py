"""Mapped files: slices, copies by the kernel and without it."""
from __future__ import annotations

import gc
import io
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from modelport.codecs import mapped
from modelport.codecs.limits import DEFAULT
from modelport.codecs.mapped import Mapped
from modelport.errors import CorruptFile, LimitExceeded, UnsafeModel

DATA = np.random.default_rng(0).integers(0, 256, 3_000_001, np.uint8).tobytes()


@pytest.fixture
def file(tmp_path: Path) -> Mapped:
    (tmp_path / "f").write_bytes(DATA)
    return Mapped(tmp_path / "f")


@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, 10), (1, 100_003), (7, len(DATA)), (len(DATA), len(DATA))])
@pytest.mark.parametrize("kernel", [True, False])
def test_slices_copy_themselves(file: Mapped, tmp_path: Path, start: int, end: int, kernel: bool,
                                monkeypatch: pytest.MonkeyPatch) -> None:
    if not kernel:
        def refuse(*args: object) -> int:
            raise OSError(mapped.errno.EXDEV, "another file system")
        monkeypatch.setattr(os, "copy_file_range", refuse, raising=False)
    piece = file.slice(start, end)
    assert len(piece) == end - start
    assert bytes(piece.view) == DATA[start:end]
    with open(tmp_path / "out", "wb") as f:
        f.write(b"before")
        piece.copy_to(f)
        f.write(b"after")
        piece.copy_to(f)
    assert (tmp_path / "out").read_bytes() == b"before" + DATA[start:end] + b"after" + DATA[start:end]
    buffer = io.BytesIO()
    piece.copy_to(buffer)
    assert buffer.getvalue() == DATA[start:end]


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (3, 2), (0, len(DATA) + 1)])
def test_refuses_slices_outside(file: Mapped, start: int, end: int) -> None:
    with pytest.raises(CorruptFile, match="outside"):
        file.slice(start, end)


def test_an_array_outlives_the_object(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(DATA)
    array = np.frombuffer(Mapped(tmp_path / "f").slice(1, 101).view, np.uint8)
    gc.collect()
    assert array.tobytes() == DATA[1:101]


def test_what_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert bytes(Mapped(tmp_path / "empty").view) == b""
    with pytest.raises(CorruptFile):
        Mapped(tmp_path / "missing")
    with pytest.raises(UnsafeModel):
        Mapped(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeModel):
        Mapped(tmp_path / "pipe")
    (tmp_path / "f").write_bytes(DATA)
    with pytest.raises(LimitExceeded):
        Mapped(tmp_path / "f", replace(DEFAULT, file_bytes=100))


def test_a_file_that_lives_until_exit_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "f").write_bytes(DATA)
    last = Mapped(tmp_path / "f")
    fd = last.fd
    monkeypatch.setattr(mapped, "os", None)  # as Python does with a module's names at exit
    del last
    gc.collect()
    with pytest.raises(OSError):
        os.fstat(fd)


def test_files_of_dropped_graphs_are_closed_where_too_many_are_open(tmp_path: Path) -> None:
    """A graph refers to itself, so that only the collector of garbage drops it."""
    (tmp_path / "x").write_bytes(b"x")
    script = ("import gc, resource, sys; from modelport.codecs.mapped import Mapped; gc.disable()\n"
              "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
              "for _ in range(200):\n    cycle = [Mapped(sys.argv[1])]; cycle.append(cycle)\n")
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "x")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
