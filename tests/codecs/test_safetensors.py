"""Safetensors: what is written is read again; what is not as the format says is refused."""
from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from modelport.codecs import safetensors
from modelport.errors import CorruptFile, Unsupported
from modelport.ir.tensor import Tensor

KINDS = [np.float32, np.float64, np.float16, ml_dtypes.bfloat16, np.int64, np.int8, np.uint16, np.bool_,
         ml_dtypes.float8_e4m3fn]


@pytest.mark.parametrize("kind", KINDS)
def test_round_trip(kind: Any, tmp_path: Path) -> None:
    arrays = {"a.weight": np.arange(6).reshape(2, 3).astype(kind), "scalar": np.ones((), kind),
              "nothing": np.zeros((0, 4), kind)}
    safetensors.write(tmp_path / "w.safetensors", {k: Tensor(v) for k, v in arrays.items()}, {"format": "pt"})
    found, said = safetensors.read(tmp_path / "w.safetensors")
    assert said == {"format": "pt"}
    assert [*found] == [*arrays]
    for k, v in arrays.items():
        assert found[k].type.dtype == np.dtype(kind) and np.array_equal(found[k].numpy(), v)


def test_the_header_ends_at_a_multiple_of_eight(tmp_path: Path) -> None:
    safetensors.write(tmp_path / "w", {"abc": Tensor(np.ones(3, np.float32))})
    assert struct.unpack("<Q", (tmp_path / "w").read_bytes()[:8])[0] % 8 == 0


def test_a_type_that_the_format_lacks(tmp_path: Path) -> None:
    with pytest.raises(Unsupported, match="int4"):
        safetensors.write(tmp_path / "w", {"a": Tensor(np.ones(2, ml_dtypes.int4))})


def entry(dtype: Any = "F32", shape: Any = (2,), offsets: Any = (0, 8)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


HOSTILE: dict[str, bytes] = {
    "empty": b"",
    "short": b"\0\0\0",
    "header longer than the file": struct.pack("<Q", 1 << 60) + b"{}",
    "no JSON": struct.pack("<Q", 4) + b"{{{{",
    "a list": struct.pack("<Q", 2) + b"[]",
    "deep": struct.pack("<Q", 100_000) + b"[" * 100_000,
    "twice": struct.pack("<Q", len(t := b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8",'
                                        b'"shape":[1],"data_offsets":[0,1]}}')) + t + b"\0"}
ENTRIES = {"beyond the end": entry(offsets=(0, 800), shape=(200,)), "wrong size": entry(shape=(3,)),
           "negative": entry(shape=(-2, -1)), "huge": entry(shape=(1 << 61, 8)), "backwards": entry(offsets=(8, 0)),
           "unknown type": entry(dtype="F3"), "a type that is a list": entry(dtype=["F32"]),
           "texts": entry(shape=("2",)), "booleans": entry(shape=(True, 2)), "three offsets": entry(offsets=(0, 4, 8)),
           "no shape": {"dtype": "F32", "data_offsets": [0, 8]}, "no table": 7}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files(case: str, tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(HOSTILE[case])
    with pytest.raises(CorruptFile):
        safetensors.read(tmp_path / "w")


@pytest.mark.parametrize("case", ENTRIES)
def test_hostile_entries(case: str, tmp_path: Path) -> None:
    header = json.dumps({"a": ENTRIES[case]}).encode()
    (tmp_path / "w").write_bytes(struct.pack("<Q", len(header)) + header + bytes(8))
    with pytest.raises(CorruptFile):
        safetensors.read(tmp_path / "w")


def test_tensors_that_share_bytes(tmp_path: Path) -> None:
    header = json.dumps({"a": entry(), "b": entry(offsets=(4, 12))}).encode()
    (tmp_path / "w").write_bytes(struct.pack("<Q", len(header)) + header + bytes(12))
    with pytest.raises(CorruptFile, match="share"):
        safetensors.read(tmp_path / "w")
