"""Hostile and broken files of PyTorch: typed errors, nothing run, time and memory bounded."""
from __future__ import annotations

import contextlib
import io
import json
import os
import pickle
import random
import resource
import struct
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import modelport
from modelport.errors import CorruptFile, LimitExceeded, ModelportError, UnsafeModel, Unsupported
from modelport.formats import torch as reader
from modelport.formats.torch.modules.states import tensors

sys.path.insert(0, str(Path(__file__).parents[2] / "hostile"))
from broken_files import mutant

RECORDED = Path(__file__).parents[2] / "recorded" / "torch_files"
MAGIC = 0x1950A86A20F9469CFC6C


@cache
def recorded(version: str) -> dict[str, bytes]:
    with tarfile.open(RECORDED / f"{version}.tar.xz") as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


@contextlib.contextmanager
def bounded(seconds: float = 5, more: int = 2 << 30) -> Iterator[None]:
    """A block that must end in time, and without much more memory than there is in use."""
    with open("/proc/self/statm") as f:
        used = int(f.read().split()[0]) * resource.getpagesize()
    old = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + more, old[1]))
    began = time.process_time()
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, old)
    assert time.process_time() - began < seconds


def zipped(path: Path, members: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> Path:
    with zipfile.ZipFile(path, "w", how) as z:
        for name, data in members.items():
            z.writestr(name, data)
    return path


class _Calls:
    """Pickled as the call of a global."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.call = function, args

    def __reduce__(self) -> Any:
        return self.call


class _Global:
    """Stands for a global that this process does not have."""

    def __init__(self, module: str, name: str) -> None:
        self.__module__, self.__qualname__ = module, name


class _Pickler(pickle._Pickler):  # type: ignore[name-defined,misc]
    """Writes globals by their names alone, and storages as references."""

    def persistent_id(self, x: Any) -> Any:
        return x.key if isinstance(x, Kept) else None

    def save_global(self, obj: Any, name: Any = None) -> None:
        self.write(b"c" + obj.__module__.encode() + b"\n" + obj.__qualname__.encode() + b"\n")

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, _Global):
            self.save_global(obj)
        elif isinstance(obj, Tensor):
            self.save_reduce(_Global("torch._utils", "_rebuild_tensor_v2"), obj.args)
        else:
            super().save(obj, save_persistent_id)

    def save_reduce(self, func: Any, args: Any, *rest: Any, **more: Any) -> None:
        self.save(func)
        self.save(args)
        self.write(b"R")


class Kept:
    def __init__(self, key: str = "0", count: int = 4) -> None:
        self.key = ("storage", _Global("torch", "FloatStorage"), key, "cpu", count)


class Tensor:
    def __init__(self, offset: Any, size: tuple[Any, ...], stride: tuple[Any, ...], key: str = "0") -> None:
        self.args = (Kept(key), offset, size, stride, False, {})


def dumped(x: Any) -> bytes:
    out = io.BytesIO()
    _Pickler(out, protocol=2).dump(x)
    return out.getvalue()


def state(path: Path, x: Any, storage: bytes = b"\0" * 16) -> Path:
    return zipped(path, {"a/data.pkl": dumped(x), "a/data/0": storage, "a/version": b"3\n"})


def test_what_would_run(tmp_path: Path) -> None:
    """os.system in a state dict, a module, a legacy file, TorchScript, and beside a program."""
    mark = tmp_path / "ran"
    evil = pickle.dumps({"w": _Calls(os.system, f"touch {mark}")}, 2)
    legacy = b"".join(pickle.dumps(x, 2) for x in (MAGIC, 1001, {"little_endian": True})) + evil + pickle.dumps([], 2)
    program = recorded("2.5")["net.pt2"]
    with zipfile.ZipFile(io.BytesIO(program)) as z:
        inside = {n: z.read(n) for n in z.namelist()}
    nested = io.BytesIO()
    with zipfile.ZipFile(nested, "w") as z:
        z.writestr("a/data.pkl", evil)
        z.writestr("a/version", "3")
    weights = next(n for n in inside if "state_dict" in n)
    files = [zipped(tmp_path / "state.pt", {"a/data.pkl": evil, "a/version": b"3"}),
             zipped(tmp_path / "script.pt", {"a/data.pkl": evil, "a/constants.pkl": evil, "a/code/__torch__.py": b"",
                                             "a/version": b"3"}),
             zipped(tmp_path / "program.pt2", {**inside, weights: nested.getvalue()})]
    (tmp_path / "legacy.pth").write_bytes(legacy)
    for path in (*files, tmp_path / "legacy.pth"):
        with pytest.raises(UnsafeModel, match="system"):
            modelport.load(path)
        with contextlib.suppress(ModelportError):
            modelport.inspect(path)
    assert "SUSPICIOUS" in str(modelport.inspect(files[0]).meta)
    inside["serialized_example_inputs.pt"] = evil  # never looked at
    modelport.load(zipped(tmp_path / "sample.pt2", inside))
    assert not mark.exists()


@pytest.mark.parametrize("name", ["../../escaped", "/absolute", "a/../../escaped"])
def test_paths_that_leave_the_archive(name: str, tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.pt", {"a/data.pkl": dumped({}), "a/version": b"3", name: b"x"})
    with pytest.raises(ModelportError):
        modelport.load(path)


def test_storages_outside_of_the_archive(tmp_path: Path) -> None:
    for key in ("../version", "/etc/passwd", "1", "0/../../version"):
        path = state(tmp_path / "a.pt", {"w": Tensor(0, (2,), (1,), key)})
        with pytest.raises(CorruptFile, match="no record"):
            tensors(path)


@pytest.mark.parametrize(("offset", "size", "stride"), [
    (0, (5,), (1,)), (4, (1,), (1,)), (-1, (2,), (1,)), (0, (2, 2), (3, 2)), (0, (-1,), (1,)), (0, (2,), (-1,)),
    (0, (2,), (1, 1)), (2 ** 62, (2,), (1,)), (0, (2,), (2 ** 62,)), (0, (2 ** 63, 2), (0, 0)),
    (0, (2 ** 20, 2 ** 20), (0, 0)), (0, ("a",), (1,)), (None, (1,), (1,))])
def test_views_outside_of_their_storage(offset: Any, size: Any, stride: Any, tmp_path: Path) -> None:
    path = state(tmp_path / "a.pt", {"w": Tensor(offset, size, stride)})
    with bounded(), pytest.raises((CorruptFile, LimitExceeded)):
        modelport.load(path)


def test_bombs(tmp_path: Path) -> None:
    bomb = zipped(tmp_path / "a.pt", {"a/data.pkl": b"\0" * (300 << 20), "a/version": b"3"}, zipfile.ZIP_DEFLATED)
    with bounded(), pytest.raises(LimitExceeded):
        modelport.load(bomb)
    body = dumped({"w": Tensor(0, (2,), (1,))})
    bomb = zipped(tmp_path / "b.pt", {"a/data.pkl": body, "a/data/0": b"\0" * (300 << 20), "a/version": b"3"},
                  zipfile.ZIP_DEFLATED)
    with bounded(), pytest.raises(LimitExceeded):
        modelport.load(bomb)


def test_what_is_no_file_of_pytorch_is_said_plainly(tmp_path: Path) -> None:
    path = tmp_path / "broken.pt2"
    for data, words in ((b"hello, I am no model", r"neither as an archive.* \(at byte 0\)"), (b"", "is empty"),
                        (recorded("2.13")["net.pt2"][:5000], r"cut off in '.*' \(at byte 5000\)")):
        path.write_bytes(data)
        with pytest.raises(CorruptFile, match=words):
            modelport.load(path, format="torch")


def test_legacy_storages(tmp_path: Path) -> None:
    data = recorded("1.4")["layers-legacy.pth"]
    path = tmp_path / "a.pth"
    for cut in (20, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        with pytest.raises(ModelportError):
            modelport.load(path)
    head = b"".join(pickle.dumps(x, 2) for x in (MAGIC, 1001, {"little_endian": True}))
    body = dumped({"w": Tensor(0, (2,), (1,))})
    for count in (-1, 2 ** 62, 1, 3):
        path.write_bytes(head + body + pickle.dumps(["0"], 2) + struct.pack("<q", count) + b"\0" * 8)
        with bounded(), pytest.raises(CorruptFile):
            modelport.load(path)


CODE = {
    "endless": "while True:\n      x = torch.relu(x)", "nothing": "while True:\n      pass",
    "itself": "return (self).forward(x, )", "numbers": "k = 7\n    while True:\n      k = torch.mul(k, k)",
    "power": "k = torch.pow(7, 1000000000)", "shift": "k = torch.__lshift__(1, 1000000000)",
    "lists": "k = [1]\n    while True:\n      k = torch.add(k, k)", "times": "k = torch.mul([1], 100000000000)",
    "texts": "k = 'a'\n    while True:\n      k = torch.add(k, k)",
    "range": "for k in range(1000000000000):\n      pass", "deep": "return " + "(" * 5000 + "x" + ")" * 5000,
    "nested": "return " + "torch.relu(" * 400 + "x" + ")" * 400,
    "eye": "return torch.eye(1000000, 1000000)", "arange": "return torch.arange(100000000000)",
    "linspace": "return torch.linspace(0., 1., 100000000000)",
    "zeros": "k = torch.zeros([100000, 100000])\n    k2 = torch.copy_(torch.select(k, 0, 0), torch.select(k, 0, 1))\n"
             "    return k",
    "import": "import os\n    return x", "attribute": "return x.__class__", "eval": "return eval('1')",
    "open": "return open('/etc/passwd')", "lambda": "return (lambda: x)()"}


@pytest.mark.parametrize("name", CODE)
def test_code(name: str, tmp_path: Path) -> None:
    """TorchScript that never ends, grows without end, nests deep, or reaches for Python."""
    source = ("class Net(Module):\n  __parameters__ = []\n  __buffers__ = []\n  training : bool\n"
              f"  def forward(self: __torch__.Net, x: Tensor) -> Tensor:\n    {CODE[name]}\n")
    if "return" not in CODE[name]:
        source += "    return x\n"
    body = b"\x80\x02c__torch__\nNet\n)\x81}X\x08\x00\x00\x00training\x89sb."
    path = zipped(tmp_path / "a.pt", {"a/data.pkl": body, "a/constants.pkl": dumped(()), "a/version": b"3",
                                      "a/code/__torch__.py": source.encode()})
    with bounded(40), contextlib.suppress(ModelportError):
        model = modelport.load(path, inputs=("float32[2,3]",))
        assert name in ("nested", "zeros")  # which are models, and small ones
        assert len(model.graph.nodes) < 1000


def test_modules_that_hold_themselves(tmp_path: Path) -> None:
    """A module that is part of itself, and sequences nested without end."""
    kind = b"ctorch.nn.modules.container\nSequential\n)\x81"
    own = b"\x80\x02" + kind + b"q\x00}X\x08\x00\x00\x00_modules}X\x01\x00\x00\x000h\x00ssb."
    path = zipped(tmp_path / "a.pt", {"a/data.pkl": own, "a/version": b"3"})
    with bounded(), pytest.raises(ModelportError):
        modelport.load(path, inputs=("float32[2,3]",))
    modelport.inspect(path)
    deep = kind + b"}X\x08\x00\x00\x00_modules}sb"
    for _ in range(3000):
        deep = kind + b"}X\x08\x00\x00\x00_modules}X\x01\x00\x00\x000" + deep + b"ssb"
    path = zipped(tmp_path / "b.pt", {"a/data.pkl": b"\x80\x02" + deep + b".", "a/version": b"3"})
    with bounded(), pytest.raises(ModelportError):
        modelport.load(path, inputs=("float32[2,3]",))


def test_heads_of_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    good = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    for change in ({"shape": [3]}, {"shape": [-1]}, {"shape": [2 ** 62]}, {"data_offsets": [0, 800]},
                   {"data_offsets": [8, 0]}, {"data_offsets": [-8, 0]}, {"data_offsets": "x"}, {"shape": "a"},
                   {"dtype": []}):
        head = json.dumps({"w": {**good["w"], **change}}).encode()
        path.write_bytes(len(head).to_bytes(8, "little") + head + b"\0" * 8)
        with bounded(), pytest.raises(ModelportError):
            tensors(path)
    path.write_bytes((100_000_000).to_bytes(8, "little") + b"{")
    with bounded(), pytest.raises(ModelportError):
        tensors(path)


# -- mutants


def shuffled(data: bytes, rng: random.Random) -> bytes:
    """A file with a mutant for one of its records, the archive around it intact; of no archive a mutant."""
    if not data.startswith(b"PK") or rng.random() < 0.1:
        return mutant(data, rng)
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        members = {n: z.read(n) for n in z.namelist()}
    able = [n for n in members if members[n] and n.endswith((".pkl", ".py", ".json", ".pt"))] or list(members)
    name = rng.choice(able)
    members[name] = shuffled(members[name], rng) if members[name].startswith(b"PK") else mutant(members[name], rng)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as z:
        for n, d in members.items():
            z.writestr(n, d)
    return out.getvalue()


@pytest.mark.parametrize(("version", "name"), [
    (v, n) for v, n in (("2.13", "net.pt2"), ("2.5", "layers.pt2"), ("2.1", "net.pt2"), ("2.13", "net-scripted.pt"),
                        ("1.4", "layers-traced.pt"), ("1.12", "turning-scripted-lite.ptl"), ("2.13", "layers.pth"),
                        ("1.4", "net-legacy.pth"), ("1.4", "layers.pth"), ("2.5", "layers-state.pth"))])
def test_mutants(version: str, name: str, tmp_path: Path) -> None:
    rng = random.Random(f"{version} {name}")
    data = recorded(version)[name]
    path = tmp_path / name
    inputs = () if name.endswith(".pt2") else ("float32[2,4]" if "turning" in name else "float32[2,3,9,8]",)
    for _ in range(80):
        path.write_bytes(shuffled(data, rng))
        began = time.process_time()
        with contextlib.suppress(ModelportError):
            modelport.load(path, format="torch", inputs=inputs)
        with contextlib.suppress(ModelportError, Unsupported):
            reader.contents(path)
        assert time.process_time() - began < 5
