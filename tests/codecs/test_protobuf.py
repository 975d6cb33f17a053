"""The wire-level scan: what it replaces, what it refuses."""
from __future__ import annotations

from dataclasses import replace

import numpy as np
import onnx
import pytest
from google.protobuf.internal import encoder
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper, numpy_helper

from modelport.codecs.limits import DEFAULT
from modelport.codecs.protobuf import Message, encode, fields, skeleton, varint, varints
from modelport.errors import CorruptFile, LimitExceeded


@given(st.integers(0, (1 << 64) - 1))
def test_varints_are_protobufs(n: int) -> None:
    assert encode(n) == encoder._VarintBytes(n)
    assert varint(memoryview(encode(n)), 0, len(encode(n))) == (n, len(encode(n)))


@given(st.lists(st.integers(0, (1 << 64) - 1), max_size=50))
def test_packed_varints(numbers: list[int]) -> None:
    raw = b"".join(map(encode, numbers))
    assert varints(memoryview(raw), len(numbers)).tolist() == numbers
    with pytest.raises(CorruptFile):
        varints(memoryview(raw), len(numbers) + 1)
    if numbers:
        with pytest.raises(CorruptFile):
            varints(memoryview(raw), len(numbers) - 1)


def test_packed_varints_in_many_pieces() -> None:
    numbers = np.random.default_rng(0).integers(0, 1 << 62, 400_000).astype(np.uint64) >> np.arange(400_000).astype(
        np.uint64) % np.uint64(60)
    raw = b"".join(encode(int(n)) for n in numbers)
    assert len(raw) > 1 << 20  # longer than one piece
    np.testing.assert_array_equal(varints(memoryview(raw), len(numbers)), numbers)


def model() -> onnx.ModelProto:
    big = numpy_helper.from_array(np.arange(1000, dtype=np.float32), "big")
    nodes = [helper.make_node("Constant", [], ["c"], value=big), helper.make_node("Neg", ["c"], ["y"])]
    graph = helper.make_graph(nodes, "g", [], [helper.make_tensor_value_info("y", 1, [1000])], [big])
    return helper.make_model(graph)


TENSOR = Message("TensorProto", {}, lambda buf, start, end: b"\x42\x03new")  # field 8, the name
NODE = Message("NodeProto", {5: Message("AttributeProto", {5: TENSOR})})
MODEL = Message("ModelProto", {7: Message("GraphProto", {1: NODE, 5: TENSOR})})


def test_replaces_messages_at_every_depth() -> None:
    raw = memoryview(model().SerializeToString())
    small = onnx.ModelProto.FromString(bytes(skeleton(raw, MODEL, 100)))
    assert small.graph.initializer[0].name == "new"
    assert small.graph.node[0].attribute[0].t.name == "new"
    assert small.graph.node[1] == model().graph.node[1]
    assert small.opset_import == model().opset_import


def test_leaves_small_messages_alone() -> None:
    raw = memoryview(model().SerializeToString())
    assert skeleton(raw, MODEL, 1 << 20) is raw


def test_refuses_nesting_beyond_the_limit() -> None:
    with pytest.raises(LimitExceeded, match="depth"):
        skeleton(memoryview(model().SerializeToString()), MODEL, 100, replace(DEFAULT, depth=3))


@pytest.mark.parametrize(("raw", "reason"), [
    (b"\x0a\x05abc", "past the end"), (b"\x0b", "wire type 3"), (b"\x0f", "wire type 7"),
    (b"\x02\x00", "without a number"),
    (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "64 bits"),
    (b"\x08\xff", "past its message"), (b"\x09\x00", "past"),
    (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "past the end")])
def test_refuses_what_is_no_message(raw: bytes, reason: str) -> None:
    with pytest.raises(CorruptFile, match=reason):
        list(fields(memoryview(raw), 0, len(raw)))


@given(st.binary(max_size=200))
def test_never_reads_outside(raw: bytes) -> None:
    """A message is either refused or covered by its fields, one after the other."""
    try:
        found = list(fields(memoryview(raw + b"\xff" * 8), 0, len(raw)))
    except CorruptFile:
        return
    assert [f.start for f in found] == [0, *(f.end for f in found)][:len(found)]
    assert not found or found[-1].end == len(raw)
