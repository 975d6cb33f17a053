"""FlexBuffers: what the reference implementation writes is read, anything else is a typed error."""
from __future__ import annotations

import contextlib
from typing import Any

import pytest
from flatbuffers import flexbuffers
from hypothesis import given, settings
from hypothesis import strategies as st

from modelport.codecs.flexbuffer import read
from modelport.errors import CorruptFile

TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False, width=32)
    | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=20),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.text(st.characters(exclude_characters="\0", codec="ascii"), min_size=1, max_size=8), inner,
                      max_size=4), max_leaves=20)


@settings(max_examples=200, deadline=None)
@given(TREES)
def test_what_is_written_is_read(tree: Any) -> None:
    assert read(bytes(flexbuffers.Dumps(tree))) == tree


def test_typed_and_fixed_vectors_blobs_and_indirect_numbers() -> None:
    b = flexbuffers.Builder()
    with b.Vector():
        b.TypedVectorFromElements([1, 2, 3])
        b.FixedTypedVectorFromElements([1.5, 2.5])
        b.Blob(b"\0\1")
        b.IndirectInt(-70000)
        b.IndirectFloat(0.25)
    assert read(bytes(b.Finish())) == [[1, 2, 3], [1.5, 2.5], b"\0\1", -70000, 0.25]


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    with contextlib.suppress(CorruptFile):
        read(data)


def test_every_byte_replaced_is_read_or_refused() -> None:
    data = bytes(flexbuffers.Dumps({"a": [1, 2.5, "x"], "b": {"c": None, "d": [True, False]}, "e": 1 << 40}))
    for at in range(len(data)):
        for value in (0, 1, 0x7F, 0xFF, data[at] ^ 4):
            mutant = bytearray(data)
            mutant[at] = value
            with contextlib.suppress(CorruptFile):
                read(bytes(mutant))


def test_sharing_is_bounded() -> None:
    """A vector of vectors of vectors, all elements the same offset, would be 255 ** 5 values."""
    data = bytearray(b"\0")
    inner, at = 0, 0
    for level in range(5):
        data.append(255 if level else 0)  # the length in front of the vector
        start = len(data)
        if level:
            data += bytes([min(255, start + k - at) for k in range(255)]) + bytes([10 << 2]) * 255
        at, inner = start, level
    data += bytes([min(255, len(data) - at), 10 << 2, 1])
    assert inner == 4
    with contextlib.suppress(CorruptFile):
        read(bytes(data))


def test_nesting_is_bounded() -> None:
    tree: list[Any] = []
    for _ in range(100):
        tree = [tree]
    with pytest.raises(CorruptFile, match="nested"):
        read(bytes(flexbuffers.Dumps(tree)))
