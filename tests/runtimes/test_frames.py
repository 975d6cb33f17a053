"""Frames between processes: what goes in comes out, and nothing that is no frame gets through."""
from __future__ import annotations

import io
import json
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelport.ir.types import NUMBER, STRING, Type
from modelport.runtimes import frames


def through(header: dict[str, Any], arrays: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    return read(b"".join(bytes(p) for p in frames.pack(header, arrays)))


def read(data: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    stream = io.BytesIO(data)

    def exactly(n: int) -> bytes:
        got = stream.read(n)
        if len(got) < n:
            raise EOFError
        return got
    return frames.unpack(exactly)


@pytest.mark.parametrize("dtype", [d for d in NUMBER if d != STRING], ids=lambda d: d.name)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 1), (2, 3)])
def test_arrays_of_every_type(dtype: Any, shape: tuple[int, ...]) -> None:
    x = np.arange(int(np.prod(shape))).reshape(shape).astype(np.float32).astype(dtype)
    header, got = through({"do": "run"}, {"x": x, "y": x})
    assert header == {"do": "run"}
    assert list(got) == ["x", "y"]
    assert got["y"].dtype == dtype
    assert got["y"].shape == shape
    assert got["y"].tobytes() == x.tobytes()


@given(st.lists(st.text(), max_size=5))
def test_text(words: list[str]) -> None:
    array = np.empty(len(words), object)
    array[:] = words
    assert through({}, {"s": array})[1]["s"].tolist() == words


def test_strided_arrays_and_special_numbers() -> None:
    x = np.array([[np.nan, -0.0, np.inf], [1, 2, 3]], np.float32)
    got = through({}, {"x": x.T})[1]["x"]
    assert got.tobytes() == np.ascontiguousarray(x.T).tobytes()


def test_types() -> None:
    types = {"a": Type(np.dtype(ml_dtypes.bfloat16), ("n", None, 3)), "b": Type(STRING, None),
             "c": Type(np.dtype(bool), ())}
    assert frames.types_from_json(json.loads(json.dumps(frames.types_to_json(types)))) == types
    for bad in (None, [[1]], [["a", "float31", []]]):
        with pytest.raises(frames.BadFrame):
            frames.types_from_json(bad)


def entry(**changes: Any) -> bytes:
    table = [{"name": "x", "dtype": "float32", "shape": [2], "bytes": 8, **changes}]
    head = json.dumps({"arrays": table}).encode()
    return frames.MAGIC + len(head).to_bytes(4, "little") + head + bytes(8)


@pytest.mark.parametrize("data", [
    b"NOPE" + bytes(4), frames.MAGIC + b"\xff\xff\xff\xff", frames.MAGIC + b"\x02\x00\x00\x00{}",
    frames.MAGIC + b"\x02\x00\x00\x00[]", frames.MAGIC + b"\x01\x00\x00\x00{", entry(dtype="float31"), entry(shape=[3]),
    entry(shape=[-2]), entry(bytes=-8), entry(shape=[1 << 40], bytes=1 << 42), entry(shape="x"), entry(dtype="object"),
    entry(shape=[2.0])])
def test_damaged_frames_are_refused(data: bytes) -> None:
    assert read(entry())[1]["x"].tolist() == [0, 0]
    with pytest.raises(frames.BadFrame):
        read(data)


@given(st.binary(max_size=64), st.integers(0, 100))
def test_random_damage_never_gets_far(junk: bytes, at: int) -> None:
    whole = entry()
    data = whole[:at] + junk + whole[at + len(junk):]
    try:
        _, arrays = read(data)
    except (frames.BadFrame, EOFError):
        return
    assert all(a.nbytes <= 64 + len(data) for a in arrays.values() if a.dtype != STRING)
