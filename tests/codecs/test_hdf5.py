"""The HDF5 reader against h5py: every layout that Keras or h5py writes, old and new, and what must be refused."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from modelport.codecs import hdf5
from modelport.codecs.limits import Limits
from modelport.codecs.mapped import Mapped
from modelport.errors import CorruptFile, LimitExceeded, UnsafeModel

WAYS: dict[str, tuple[dict[str, Any], bool]] = {"oldest": ({}, False), "ordered": ({"track_order": True}, True),
                                                "latest": ({"libver": "latest"}, False)}


def write(path: Path, way: str) -> None:
    kwargs, ordered = WAYS[way]
    with h5py.File(path, "w", **kwargs) as f:
        for k in range(60):
            g = f.create_group(f"group_{k}_with_a_long_name", track_order=ordered)
            g.create_dataset("d", data=np.arange(k + 1, dtype="f4"))
            g.attrs["text"] = "x" * k
            g.attrs["list"] = [b"abc", b"de"]
            g.attrs["words"] = ["ab", "cdé"]
            g.attrs["number"] = k
            g.attrs["empty"] = h5py.Empty("f4")
        big = f.create_group("big", track_order=ordered)
        for k in range(300):  # more than one leaf of every kind of index
            big.create_dataset(f"some_name_{k}", data=np.float32(k))
        for k in range(40):
            big.attrs[f"attribute_{k}"] = f"value {k}"
        chunks = (4, 6) if way == "latest" else (3, 4)
        f.create_dataset("zipped", data=np.arange(24.0).reshape(4, 6), compression="gzip", shuffle=True,
                         fletcher32=True, chunks=chunks)
        for name in "?", "f2", "f4", "f8", "i1", "u1", "i4", "i8", "u2", ">f4", ">i2":
            f.create_dataset(f"type_{name.replace('>', 'big_')}", data=np.array([0, 1, 1]).astype(name))
        f.create_dataset("scalar", data=np.float32(3))
        f.create_dataset("nothing", shape=(0, 3), dtype="f4")
        f.create_dataset("never_written", shape=(2, 3), dtype="f4")


def same(ours: hdf5.Group, theirs: Any) -> int:
    count = 0
    for name, value in theirs.attrs.items():
        got = ours.attrs[name]
        if isinstance(value, h5py.Empty):
            assert got is None
        elif isinstance(value, np.ndarray) and value.dtype.kind in "SO":
            assert got == [v.decode() if isinstance(v, bytes) else v for v in value]
        else:
            assert np.array_equal(got, value)
    assert set(ours) == set(theirs)
    for name, value in theirs.items():
        mine = ours.get(name)
        if isinstance(value, h5py.Dataset):
            assert isinstance(mine, hdf5.Dataset)
            tensor = mine.tensor()
            assert tensor.numpy().dtype == value.dtype.newbyteorder("=")
            assert np.array_equal(tensor.numpy(), value[...])
            assert tensor.type.shape == value.shape
            count += 1
        else:
            assert isinstance(mine, hdf5.Group)
            count += same(mine, value)
    return count


def test_a_group_is_read_once(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, "oldest")
    root = hdf5.File(Mapped(path)).root
    assert root.get("big") is root.group("big") is not None


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mapped", [True, False])
def test_it_reads_what_h5py_writes(way: str, mapped: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    write(path, way)
    ours = hdf5.File(Mapped(path) if mapped else path.read_bytes()).root
    with h5py.File(path) as theirs:
        assert same(ours, theirs) == 60 + 300 + 1 + 11 + 3


def test_contiguous_data_stays_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        f.create_dataset("w", data=np.arange(50_000, dtype="f4"))
        at = f["w"].id.get_offset()
    found = hdf5.File(Mapped(path)).root.get("w")
    assert isinstance(found, hdf5.Dataset)
    raw = found.tensor()._raw
    assert (raw.start, raw.end) == (at, at + 200_000)  # type: ignore[union-attr]


def refused(path: Path, error: type[Exception], match: str, limits: Limits | None = None) -> None:
    def everything() -> None:
        for _, d in hdf5.File(Mapped(path), limits=limits or Limits()).root.datasets():
            d.tensor()
    with pytest.raises(error, match=match):
        everything()


def test_links_are_refused(tmp_path: Path) -> None:
    for name, link in (("soft", h5py.SoftLink("/w")), ("other", h5py.ExternalLink("secret.h5", "/w"))):
        path = tmp_path / f"{name}.h5"
        with h5py.File(path, "w") as f:
            f["w"] = np.zeros(3)
            f["l"] = link
        refused(path, UnsafeModel, "link")


def test_data_of_other_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "raw").write_bytes(bytes(64))
    with h5py.File(tmp_path / "external.h5", "w") as f:
        f.create_dataset("w", (4,), "f4", external=[(str(tmp_path / "raw"), 0, 16)])
    refused(tmp_path / "external.h5", UnsafeModel, "external files")
    with h5py.File(tmp_path / "virtual.h5", "w") as f:
        layout = h5py.VirtualLayout((4,), "f4")
        layout[:] = h5py.VirtualSource("other.h5", "w", (4,))
        f.create_virtual_dataset("w", layout)
    refused(tmp_path / "virtual.h5", UnsafeModel, "other files")


def test_cycles_and_bombs_end(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "cycle.h5", "w") as f:
        f.create_group("a")["b"] = f
    refused(tmp_path / "cycle.h5", CorruptFile, "contains itself")
    with h5py.File(tmp_path / "shape.h5", "w") as f:
        f.create_dataset("w", (1 << 36,), "f4")
    refused(tmp_path / "shape.h5", LimitExceeded, "expanded_bytes|times")
    with h5py.File(tmp_path / "zeros.h5", "w") as f:
        f.create_dataset("w", data=np.zeros(1 << 22, "f4"), compression="gzip")
    refused(tmp_path / "zeros.h5", LimitExceeded, "times")
    with h5py.File(tmp_path / "lzf.h5", "w") as f:
        f.create_dataset("w", data=np.zeros(100, "f4"), compression="lzf")
    refused(tmp_path / "lzf.h5", UnsafeModel, "filter 32000")


def test_what_is_no_hdf5(tmp_path: Path) -> None:
    with pytest.raises(CorruptFile, match="signature"):
        hdf5.File(b"PK\x03\x04" + bytes(100))
    with pytest.raises(CorruptFile):
        hdf5.File(hdf5.MAGIC)
