"""Pickles are read as data: what plain ones hold, what hostile ones cannot do, and what all of it may cost."""
from __future__ import annotations

import bz2
import collections
import functools
import gzip
import io
import lzma
import os
import pickle
import random
import struct
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelport.codecs.compressed import expand
from modelport.codecs.limits import Limits
from modelport.codecs.pickle import Name, Record, looks_like, read, walk
from modelport.errors import CorruptFile, LimitExceeded, ModelportError, UnsafeModel

CORPUS = Path(__file__).parents[3] / "shared" / "corpus"


class Plain:
    def __init__(self) -> None:
        self.number, self.rows = 3, np.arange(6.0).reshape(2, 3).T


VALUES = {
    "numbers": [0, 1, -1, 255, 65536, -2 ** 31, 2 ** 62, -2 ** 200, 0.5, -0.0, True, False, None, 3 + 4j],
    "text": ["", "a", "\u00e9\u4e2d\U0001f600", "x" * 300, b"", b"\x00\xff", bytearray(b"ab")],
    "containers": {"a": [1, (2, (3,))], (1, "b"): {4, 5}, None: frozenset([6]), "o": collections.OrderedDict(z=1)},
    "slices": [slice(1, None, 2)],
    "arrays": [np.arange(5), np.zeros((0, 3)), np.float32(1.5), np.array(7), np.asfortranarray(np.eye(3)),
               np.array(["a", "bc"]), np.array([True, False]), np.arange(3).astype(">i4"),
               np.array(["2020-01-02"], "datetime64[D]"), np.array([(1, 2.5)], [("a", "i4"), ("b", "f8")])],
    "objects": [np.array([1, "a", None, [2]], object)],
}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        if a.dtype != b.dtype or a.shape != b.shape:
            return False
        return all(map(same, a.ravel().tolist(), b.ravel().tolist())) if a.dtype.hasobject else bool((a == b).all())
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return bool(a == b) and (type(a) is type(b) or isinstance(a, bytearray))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("name", VALUES)
def test_plain_values_come_back(name: str, protocol: int) -> None:
    value = VALUES[name]
    got = read(pickle.dumps(value, protocol)).root
    if isinstance(value, dict):
        value = {**value, "o": dict(value["o"])}
    assert same(value, got)


@pytest.mark.parametrize("protocol", range(6))
def test_an_object_is_a_record_of_its_class(protocol: int) -> None:
    thing = Plain()
    got = read(pickle.dumps([thing, thing], protocol))
    first, second = got.root
    assert isinstance(first, Record) and first is second
    assert first.path.endswith("test_pickle.Plain")
    assert first.state["number"] == 3 and same(first.state["rows"], thing.rows)


def test_several_pickles_in_one_file() -> None:
    assert read(pickle.dumps(1) + pickle.dumps("b")).objects == [1, "b"]
    with pytest.raises(CorruptFile):
        read(pickle.dumps(1) + b"garbage")


def test_a_function_stays_a_name() -> None:
    got = read(pickle.dumps([np.log1p, os.path.join, functools.partial(int, base=2)]))
    assert got.root[0] == Name("numpy", "log1p") or got.root[0].name == "log1p"
    assert isinstance(got.root[2], Record) and got.root[2].path == "functools.partial"


class Call:
    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


def hostile(marker: str) -> dict[str, bytes]:
    touch, m = f"touch {marker}", marker.encode()
    laughs = b"\x80\x02](K\x01K\x02eq\x00" + b"".join(
        b"](h" + bytes([k - 1]) + b"h" + bytes([k - 1]) + b"eq" + bytes([k]) for k in range(1, 60)) + b"."
    return {
        "os.system": pickle.dumps(Call(os.system, touch)),
        "eval": pickle.dumps(Call(eval, f"open({marker!r}, 'w')")),
        "exec": pickle.dumps(Call(exec, f"open({marker!r}, 'w')")),
        "getattr": b"cbuiltins\ngetattr\n(cbuiltins\n__import__\n(S'os'\ntRS'system'\ntR(S'touch " + m + b"'\ntR.",
        "inst": b"(S'touch " + m + b"'\nios\nsystem\n.",
        "obj": b"(cos\nsystem\nS'touch " + m + b"'\no.",
        "newobj_ex": b"\x80\x04cos\nsystem\n(S'touch " + m + b"'\nt}\x92.",
        "dotted": b"\x80\x04\x8c\x05numpy\x8c\x0ef2py.os.system\x93\x8c\x04true\x85R.",
        "setstate": b"\x80\x02ccollections\nOrderedDict\n)R}(X\x0c\x00\x00\x00__setstate__cos\nsystem\nub"
                    b"X\x05\x00\x00\x00touchb.",
        "extension": b"\x80\x02\x82\x01.",
        "buffer": b"\x80\x05\x97.",
        "long memo": b"\x80\x02Nr\xff\xff\xff\x7f.",
        "long bytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"abc.",
        "long text": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 50) + b"a.",
        "long frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 60) + b"N.",
        "long integer": b"\x80\x02\x8b\xff\xff\xff\x7f.",
        "many digits": b"I" + b"9" * 200_000 + b"\n.",
        "laughs": laughs,
        "deep lists": b"\x80\x02" + b"]" * 200_000 + b"a" * 199_999 + b".",
        "deep tuples": b"\x80\x02N" + b"\x85" * 200_000 + b".",
        "deep key": b"\x80\x02}N" + b"\x85" * 200_000 + b"K\x01s.",
        "deep marks": b"(" * 200_000 + b"t" * 200_000 + b".",
        "deep state": b"\x80\x02" + b"cm\nc\n)\x81" * 50_000 + b"b" * 49_999 + b".",
        "object array": pickle.dumps(np.array([1, 2])).replace(b"i8", b"O8"),
        "short array": pickle.dumps(np.arange(4), 2).replace(b"K\x04\x85", b"K\x7f\x85", 1),
        "long shape": pickle.dumps(np.arange(4), 2).replace(b"K\x04\x85", b"\x8a\x08" + b"\x7f" * 8 + b"\x85", 1),
        "large element": b"\x80\x02cnumpy\ndtype\n(S'V2000000000'\nI00\nI01\ntR.",
        "bytearray": b"\x80\x02cbuiltins\nbytearray\n(L99999999999L\ntR.",
        "range": b"cbuiltins\nlist\n(cbuiltins\nrange\n(L999999999999L\ntRtR.",
        "unhashable": b"\x80\x04\x8f(]e\x90.",
        "defaultdict": b"ccollections\ndefaultdict\n(cbuiltins\nexec\ntR.",
        "numpy.load": b"cnumpy\nload\n(S'/etc/passwd'\ntR.",
        "shelve": b"cshelve\nopen\n(S'" + m + b"'\ntR.",
        "side file": b"\x80\x02cjoblib.numpy_pickle\nNDArrayWrapper\n)\x81}X\x08\x00\x00\x00filenameX\x0b\x00\x00\x00"
                     b"/etc/passwdsb.",
        "encode again": b"\x80\x02X\x00\x01\x00\x00" + b"a" * 256 + b"q\x000" + b"".join(
            b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R0" for _ in range(200)) + b"N.",
        "own state": b"\x80\x02cm\nc\n)\x81q\x00h\x00b.",
        "nothing": b".",
        "no end": b"\x80\x02N",
    }


class Watch:
    """What the interpreter does; a hook cannot be taken off again, so there is one for all tests."""

    on, events = False, list[str]()
    kinds = frozenset("import exec compile open os subprocess socket ctypes marshal shutil pickle".split())

    def __call__(self, event: str, args: Any) -> None:
        if self.on and event.partition(".")[0] in self.kinds:
            self.events.append(event)


watch = Watch()


@pytest.fixture(scope="module", autouse=True)
def _hooked() -> None:
    sys.addaudithook(watch)


@pytest.mark.parametrize("name", hostile(""))
def test_hostile_pickles_run_nothing(name: str, tmp_path: Path) -> None:
    """Not one event of the interpreter that a file could have caused: no import, no call, no file, no process."""
    marker = tmp_path / "ran"
    data = hostile(str(marker))[name]
    modules = set(sys.modules)
    began = time.process_time()
    watch.events.clear()
    watch.on = True
    try:
        made = read(data, folder=tmp_path)
        assert sum(1 for _ in walk(made.objects)) < 2_000_000
    except (CorruptFile, UnsafeModel, LimitExceeded):
        pass
    finally:
        watch.on = False
    assert time.process_time() - began < 2
    assert not watch.events and set(sys.modules) <= modules and not marker.exists()


def test_what_constructors_make_is_bounded() -> None:
    many = b"\x80\x02X\x00\x00\x01\x00" + b"a" * 65536 + b"q\x000(" + b"".join(
        b"c_codecs\nencode\nh\x00X\x06\x00\x00\x00latin1\x86R" for _ in range(2000)) + b"l."
    with pytest.raises(LimitExceeded):
        read(many, Limits(expanded_bytes=1 << 20))
    with pytest.raises(LimitExceeded):
        read(b"\x80\x02](" + b"N" * 5000 + b"e.", Limits(operations=1000))


@pytest.mark.parametrize("make", [zlib.compress, gzip.compress, bz2.compress, lzma.compress,
                                  functools.partial(lzma.compress, format=lzma.FORMAT_ALONE)])
def test_compressed_files_are_expanded_within_bounds(make: Any) -> None:
    data = bytes(range(256)) * 400
    assert expand(make(data)) == data
    with pytest.raises(LimitExceeded):
        expand(make(bytes(1 << 24)), Limits(ratio=4))
    for cut in (8, 20, len(make(data)) // 2):
        with pytest.raises(CorruptFile):
            expand(make(data)[:cut])


def test_a_pickle_is_known_by_its_first_bytes() -> None:
    for protocol in range(6):
        assert looks_like(pickle.dumps(Plain(), protocol)[:256])
    for other in (b"", b"PK\x03\x04", b"\x89HDF", b"tree\nversion=v3\n", b'{"a": 1}', b"\x08\x07\x12"):
        assert not looks_like(other)


def test_mutants_end_in_errors_of_ours() -> None:
    rng = random.Random(5)
    seeds = [pickle.dumps(v, p) for v in [*VALUES.values(), Plain()] for p in (0, 2, 4, 5)]
    for turn in range(3000):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.choice([1, 1, 2, 8])):
            at = rng.randrange(len(data))
            what = rng.randrange(4)
            if what == 0:
                data[at] = rng.randrange(256)
            elif what == 1:
                data[at:at] = bytes(rng.randrange(256) for _ in range(rng.randrange(1, 5)))
            elif what == 2 and len(data) > 8:
                del data[at:at + rng.randrange(1, 5)]
            elif len(data) > 1:
                data = data[:at + 1]
        try:
            for _ in walk(read(bytes(data)).objects):
                pass
        except ModelportError:
            pass
        assert data is not None, turn


@pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")
def test_every_layout_of_joblib_is_read() -> None:
    """The files hold the same list: integers, reals, objects and text."""
    folder = CORPUS / "joblib_suite/joblib__joblib/joblib/test/data"
    files = [f for f in sorted(folder.iterdir()) if ".npy" not in f.name and f.name.startswith("joblib_")]
    assert len(files) > 30
    for file in files:
        got = read(expand(file.read_bytes()), folder=folder).root
        assert same(got[0], np.arange(5)) and same(got[1], np.arange(5, dtype=float)), file.name
        assert got[2].tolist()[:2] == [1, "abc"] and got[2].tolist()[2] == {"a": 1, "b": 2}, file.name


def test_io_of_a_stream_is_not_needed() -> None:
    stream = io.BytesIO()
    pickle.dump({"a": 1}, stream)
    assert read(memoryview(stream.getvalue())).root == {"a": 1}
