"""The FlatBuffers codec: what it writes the reference implementation reads, what it reads it checks."""
from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import pytest

from modelport.codecs.flatbuffer import Reader, Writer, schema, schema_of
from modelport.errors import CorruptFile, LimitExceeded, ModelportError

TOY = schema_of({
    "identifier": "TOY1", "root": "Root",
    "enums": {"Colour": {"RED": 0, "BLUE": 5}},
    "unions": {"Any": ["NONE", "Leaf", "Root"]},
    "tables": {"Leaf": [["x", "d", 1.5], ["name", "s"], ["flag", "?", False]],
               "Root": [["colour", "b", 0, "Colour"], ["any_type", "B", 0], ["any", "U:Any"], ["leaf", "T:Leaf"],
                        ["leaves", "[T:Leaf"], ["numbers", "[q"], ["names", "[s"], ["data", "[B"], ["big", "Q", 0],
                        ["root", "T:Root"], ["roots", "[T:Root"]]}})


def made(value: dict[str, Any]) -> bytes:
    f = io.BytesIO()
    Writer(TOY).write(value, f)
    return f.getvalue()


def read(data: bytes) -> dict[str, Any]:
    return Reader(memoryview(data), TOY, "toy").root().fields()


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(np.array_equal(a, b))


FULL = {"colour": "BLUE", "any_type": 1, "any": {"x": 2.5, "flag": True}, "leaf": {"x": -1.0, "name": "β"},
        "leaves": [{"name": "a"}, {}, {"x": 3.0}], "numbers": np.array([1, -2, 1 << 40]), "names": ["", "x" * 70],
        "data": np.arange(37, dtype=np.uint8), "big": (1 << 64) - 1, "root": {"colour": "RED"}}


def test_round_trip() -> None:
    got = read(made(FULL))
    assert got["colour"] == "BLUE"
    assert got["any"] == {"x": 2.5, "flag": True}
    assert [v["x"] for v in got["leaves"]] == [1.5, 1.5, 3.0]
    assert [v.get("name") for v in got["leaves"]] == ["a", None, None]
    assert got["big"] == (1 << 64) - 1
    assert got["names"] == ["", "x" * 70]
    assert same(read(made(got)), got)


def test_the_reference_implementation_reads_what_we_write() -> None:
    data = made(FULL)
    table = flatbuffers.table.Table(bytearray(data), struct.unpack_from("<I", data)[0])
    n = flatbuffers.number_types
    assert table.Get(n.Int8Flags, table.Pos + table.Offset(4)) == 5
    assert table.Get(n.Uint64Flags, table.Pos + table.Offset(20)) == (1 << 64) - 1
    leaf = flatbuffers.table.Table(bytearray(data), table.Indirect(table.Pos + table.Offset(10)))
    assert leaf.String(leaf.Pos + leaf.Offset(6)).decode() == "β"
    assert table.VectorLen(table.Offset(14)) == 3


def test_we_read_what_the_reference_implementation_writes() -> None:
    b = flatbuffers.Builder(0)
    name = b.CreateString("leaf")
    b.StartObject(3)
    b.PrependFloat64Slot(0, 7.0, 1.5)
    b.PrependUOffsetTRelativeSlot(1, name, 0)
    leaf = b.EndObject()
    numbers = b.CreateNumpyVector(np.array([5, 6]))
    b.StartObject(11)
    b.PrependInt8Slot(0, 5, 0)
    b.PrependUOffsetTRelativeSlot(3, leaf, 0)
    b.PrependUOffsetTRelativeSlot(5, numbers, 0)
    b.Finish(b.EndObject(), b"TOY1")
    got = read(bytes(b.Output()))
    assert got["leaf"] == {"x": 7.0, "name": "leaf", "flag": False}
    assert got["colour"] == "BLUE"
    assert got["numbers"].tolist() == [5, 6]


def test_numbers_that_the_schema_does_not_know_have_a_name() -> None:
    assert read(made({"colour": 7}))["colour"] == "unknown(7)"
    data = bytearray(made({"any_type": 1, "any": {"x": 2.0}}))
    table = Reader(memoryview(bytes(data)), TOY).root()
    place = table._offset(TOY.tables["Root"]["any_type"].slot, 1)
    data[place] = 9
    got = Reader(memoryview(bytes(data)), TOY).root()["any"]
    assert got.name == "unknown"
    assert got.fields() == {}


def test_payloads_are_aligned_and_streamed() -> None:
    class Payload:
        nbytes = 5

        def copy_to(self, file: Any) -> None:
            file.write(b"hello")

    f = io.BytesIO()
    assert Writer(TOY).write({"data": Payload(), "leaves": [{}]}, f) == len(f.getvalue())
    root = Reader(memoryview(f.getvalue()), TOY).root()
    assert root["data"].tobytes() == b"hello"
    assert root.location("data") % 16 == 0


def test_every_truncation_is_a_typed_error_or_harmless() -> None:
    data = made(FULL)
    for n in range(len(data)):
        with contextlib.suppress(CorruptFile):
            read(data[:n])


@pytest.mark.parametrize("value", [0, 1, 3, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_every_word_replaced_is_a_typed_error_or_harmless(value: int) -> None:
    data = made(FULL)
    for at in range(len(data) - 3):
        mutant = bytearray(data)
        struct.pack_into("<I", mutant, at, value)
        with contextlib.suppress(ModelportError):
            read(bytes(mutant))


def test_nesting_is_bounded() -> None:
    value: dict[str, Any] = {}
    for _ in range(100):
        value = {"root": value}
    with pytest.raises(LimitExceeded, match="depth"):
        read(made(value))


def test_shared_tables_cannot_multiply() -> None:
    """Vectors of offsets to one table, whose vector shares again, and so on: 1000 ** 5 tables in 20 KB."""
    # each block is a table's layout, the table and its vector, whose offsets all lead to the table of the next block
    blocks: list[bytes] = []
    count, levels = 1000, 5
    size = 4 + 2 * 11 + 2 + 8 + 4 + 4 * count  # vtable padded to 28, table of 8, vector
    size += -size % 4
    for level in range(levels):
        vtable = struct.pack("<13H", 26, 8, *[0] * 10, 4) + b"\0\0"
        table = struct.pack("<iI", len(vtable), 4)
        first = len(vtable) + len(table) + 4
        step = size - first + len(vtable) if level < levels - 1 else 0
        offsets = b"".join(struct.pack("<I", step - 4 * k if step else 4) for k in range(count))
        vector = struct.pack("<I", count if step else 0) + offsets
        blocks.append((vtable + table + vector).ljust(size, b"\0"))
    data = bytearray(struct.pack("<I", 8 + 28) + b"TOY1" + b"".join(blocks))
    tracemalloc.start()
    with pytest.raises(ModelportError):
        read(bytes(data))
    assert tracemalloc.get_traced_memory()[1] < 200 << 20
    tracemalloc.stop()


def test_the_schema_of_tensorflow_lite_is_whole() -> None:
    s = schema("tflite")
    assert len(s.enums["BuiltinOperator"]) == 210
    assert s.unions["BuiltinOptions"][:3] == ("NONE", "Conv2DOptions", "DepthwiseConv2DOptions")
    known = {*s.tables, *s.unions}
    for fields in s.tables.values():
        for f in fields.values():
            assert not f.enum or f.enum in s.enums
            name = f.kind.rpartition(":")[2]
            assert ":" not in f.kind or name in known


def test_every_table_of_tensorflow_lite_round_trips() -> None:
    """Each table with every field set: what is written is read back."""
    s = schema("tflite")

    def example(name: str, depth: int) -> dict[str, Any]:
        out: dict[str, Any] = {}
        for key, f in s.tables[name].items():
            if key.startswith("removed_") or (key.endswith("_type") and f"U:{key}" in f.kind):
                continue
            kind = f.kind
            if f.enum:
                out[key] = list(s.enums[f.enum])[-1]
            elif kind in "?bBhHiIqQfd":
                out[key] = {"?": True}.get(kind, 3.5 if kind in "fd" else 7)
            elif kind == "s":
                out[key] = "text"
            elif kind == "[s":
                out[key] = ["a", "b"]
            elif kind.startswith("U:"):
                out[key + "_type"] = 1
                out[key] = example(s.unions[kind[2:]][1], depth + 1)
            elif kind.startswith(("T:", "[T:")):
                inner = example(kind.rpartition(":")[2], depth + 1) if depth < 3 else {}
                out[key] = [inner, inner] if kind[0] == "[" else inner
            else:
                out[key] = np.array([1, 0, 1]).astype({"?": "?"}.get(kind[1], "<" + kind[1]))
        return out

    for name in s.tables:
        value = example(name, 0)
        here = type(s)(s.identifier, name, s.tables, s.unions, s.enums, s.names)
        f = io.BytesIO()
        Writer(here).write(value, f)
        got = Reader(memoryview(f.getvalue()), here).root().fields()
        assert covers(got, value), name


def covers(got: Any, value: Any) -> bool:
    if isinstance(value, dict):
        return all(k in got and covers(got[k], v) for k, v in value.items())
    if isinstance(value, list):
        return len(got) == len(value) and all(map(covers, got, value))
    return bool(np.array_equal(got, value))


def test_the_schema_of_tensorflow_lite_is_the_one_of_the_installed_runtime() -> None:
    spec = importlib.util.find_spec("ai_edge_litert")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("ai-edge-litert is not installed")
    root = Path(__file__).parents[2]
    tools = importlib.util.spec_from_file_location("schemas", root / "tools" / "schemas.py")
    assert tools is not None
    assert tools.loader is not None
    schemas = importlib.util.module_from_spec(tools)
    tools.loader.exec_module(schemas)
    source = Path(next(iter(spec.submodule_search_locations)), "schema_py_generated.py").read_text("utf-8")
    stored = json.loads((root / "src/modelport/codecs/schemas/tflite.json").read_text("utf-8"))
    assert schemas.from_generated(source, "Model", "TFL3") == stored


def test_a_schema_in_its_own_language() -> None:
    root = Path(__file__).parents[2]
    tools = importlib.util.spec_from_file_location("schemas", root / "tools" / "schemas.py")
    assert tools is not None
    assert tools.loader is not None
    schemas = importlib.util.module_from_spec(tools)
    tools.loader.exec_module(schemas)
    assert schemas.from_fbs("""
        file_identifier "ABCD";  // a comment
        enum Kind : byte { A, B = 5, C }
        union Any { One, Two }
        table One { x:float = 1.5; flags:[ubyte]; kind:Kind = B; }
        table Two { any:Any; ones:[One]; name:string; names:[string]; deep:One; on:bool = true; }
        root_type Two;""") == {
        "identifier": "ABCD", "root": "Two", "enums": {"Kind": {"A": 0, "B": 5, "C": 6}},
        "unions": {"Any": ["NONE", "One", "Two"]},
        "tables": {"One": [["x", "f", 1.5], ["flags", "[B"], ["kind", "b", 5, "Kind"]],
                   "Two": [["any_type", "B", 0], ["any", "U:Any"], ["ones", "[T:One"], ["name", "s"], ["names", "[s"],
                           ["deep", "T:One"], ["on", "?", True]]}}
