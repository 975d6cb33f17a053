"""What is written for PyTorch, without PyTorch: the layout of the files, names, and that nothing becomes code."""
from __future__ import annotations

import ast
import io
import json
import struct
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from torch_graphs import branch, image, model, node, padded, sequence, weight

import modelport
from modelport.codecs import safetensors
from modelport.errors import UnsafeModel, UsageError

MODELS = {"image": image, "sequence": sequence, "branch": branch}


@pytest.fixture(params=MODELS)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return MODELS[request.param](tmp_path / f"{request.param}.onnx")


def text_of(source: Path, path: Path) -> str:
    modelport.convert(source, path, to="torch-source")
    return path.read_text()


def test_programs_read_back_equal(source: Path, tmp_path: Path) -> None:
    done = modelport.convert(source, tmp_path / "a.pt2")
    assert done.report is not None and done.report.ok


def test_loops_that_gather_rows_read_back_equal(tmp_path: Path) -> None:
    """What is gathered is nothing before the first turn, and grows with each."""
    source = modelport.load(padded(tmp_path / "a.onnx"))
    modelport.convert(source, tmp_path / "a.pt2", verify=None)
    again = modelport.load(tmp_path / "a.pt2")
    rng = np.random.default_rng(0)
    for steps, lengths in ((5, [2, 5, 3]), (1, [1]), (6, [4, 4])):
        x = rng.normal(size=(steps, len(lengths), 3)).astype(np.float32)
        want, got = (m.run({"x": x, "lengths": np.array(lengths, np.int32)}) for m in (source, again))
        for k, v in want.items():
            np.testing.assert_allclose(got[k], v, rtol=0, atol=1e-6, err_msg=k)


@pytest.mark.parametrize("suffix", [".pt2", ".pt", ".py"])
def test_the_same_bytes(source: Path, suffix: str, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        modelport.convert(source, tmp_path / name / f"m{suffix}", verify=None)
    files = sorted(p.name for p in (tmp_path / "a").iterdir())
    assert files == sorted(p.name for p in (tmp_path / "b").iterdir())
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)


@pytest.mark.parametrize("suffix", [".pt2", ".pt"])
def test_records_can_be_mapped(source: Path, suffix: str, tmp_path: Path) -> None:
    """Stored, beneath one folder, each beginning at a multiple of 64 bytes."""
    path = tmp_path / f"m{suffix}"
    modelport.convert(source, path, verify=None)
    data = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        assert z.testzip() is None
        for info in z.infolist():
            assert info.compress_type == zipfile.ZIP_STORED and info.filename.startswith("archive/")
            names, extra = struct.unpack("<HH", data[info.header_offset + 26:info.header_offset + 30])
            assert (info.header_offset + 30 + names + extra) % 64 == 0


def test_the_program_of_a_file(tmp_path: Path) -> None:
    """Names of inputs, outputs and weights are the source's, sizes that are free stay so."""
    modelport.convert(image(tmp_path / "m.onnx"), tmp_path / "m.pt2", verify=None, passes="none")
    with zipfile.ZipFile(tmp_path / "m.pt2") as z:
        said = json.loads(z.read("archive/models/model.json"))
        config = json.loads(z.read("archive/data/weights/model_weights_config.json"))["config"]
    assert {"stem.conv.weight", "stem.bn.running_mean", "blocks.0.conv.weight", "head.bias"} <= config.keys()
    assert config["stem.conv.weight"]["is_param"] and not config["stem.bn.running_var"]["is_param"]
    assert said["range_constraints"] == {"s_batch": {"min_val": 0, "max_val": None}}
    found = modelport.load(tmp_path / "m.pt2")
    assert [str(t) for t in found.inputs.values()] == ["float32[batch, 3, 16, 16]"]
    assert [*found.inputs] == ["image"] and [*found.outputs] == ["scores"]


def test_layers_of_a_module(tmp_path: Path) -> None:
    """Under the names that the state dict of the source has, which it can be loaded with."""
    text = text_of(image(tmp_path / "m.onnx"), tmp_path / "m.py")
    tensors, _ = safetensors.read(tmp_path / "m.safetensors")
    assert "nn.Conv2d(4, 4, 3, padding=1, groups=2)" in text and "nn.Linear(4, 5)" in text
    assert "self.blocks[0].conv(" in text and "self.head(" in text and "self.stem.bn(self" not in text
    assert "nn.BatchNorm2d(4)" in text and "F.adaptive_avg_pool2d(" in text
    assert {"blocks.0.conv.weight", "blocks.0.conv.bias", "head.weight", "head.bias",
            "stem.bn.running_mean"} <= tensors.keys()
    assert "# [batch, 5]" in text


def test_recurrent_layers_of_a_module(tmp_path: Path) -> None:
    text = text_of(sequence(tmp_path / "m.onnx"), tmp_path / "m.py")
    assert "self.embedding.weight[ids]" in text and "nn.Embedding(20, 6)" in text
    assert "nn.LSTM(6, 5, bidirectional=True)" in text
    assert "nn.GRU(10, 3)" in text and "torch.full" not in text
    tensors, _ = safetensors.read(tmp_path / "m.safetensors")
    assert "lstm.weight_hh_l0_reverse" in tensors


def test_branches_and_loops_are_those_of_python(tmp_path: Path) -> None:
    text = text_of(branch(tmp_path / "m.onnx"), tmp_path / "m.py")
    assert "        if " in text and "        else:" in text and "while True:" in text


EVIL = ['"""\nimport os\nos.system("touch x")\n"""', "a'); __import__('os').system('touch x'); ('", "x\ny = 1", "\\",
        "class", "self", "torch", "__init__", "int", "ünïcode", "\u2028import os", "%s{0}", "device", "", "forward"]


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("suffix", [".py", ".pt", ".pt2"])
def test_no_name_becomes_code(evil: str, suffix: str, tmp_path: Path) -> None:
    """Inputs, outputs, weights, layers and sizes named so: the code has the shape that it has with tame names."""
    def made(name: str, folder: Path) -> str:
        folder.mkdir()
        name = name or "empty"
        model(folder / "m.onnx", [
            node("Conv", "in in2", "a", name) if False else _node("Conv", [name + "i", name + "w"], ["a"], name),
            _node("Mul", ["a", name + "k"], [name + "o"], name), _node("Relu", ["a"], [name + "p"], name)],
            {name + "i": [name + "n", 3, 8, 8]}, [name + "o", name + "p"],
            {name + "w": weight(2, 3, 3, 3), name + "k": weight(1, 2, 1, 1)})
        modelport.convert(folder / "m.onnx", folder / f"m{suffix}", verify=None)
        if suffix == ".py":
            return (folder / "m.py").read_text()
        with zipfile.ZipFile(folder / f"m{suffix}") as z:
            if suffix == ".pt2":
                return json.dumps(sorted(json.loads(z.read("archive/models/model.json"))))
            return z.read("archive/code/__torch__.py").decode()

    tame, wild = made("tame", tmp_path / "a"), made(evil, tmp_path / "b")
    if suffix == ".pt2":
        assert tame == wild
        return
    shape = [[type(n).__name__ for n in ast.walk(ast.parse(t.replace(" -> ", " -> ")))] for t in (tame, wild)]
    assert shape[0] == shape[1]
    calls = {ast.unparse(n.func) for n in ast.walk(ast.parse(wild)) if isinstance(n, ast.Call)}
    assert not any("system" in c or "import" in c or "exec" in c or "eval" in c.replace("model.eval", "")
                   for c in calls), calls
    imports = {ast.unparse(n) for n in ast.walk(ast.parse(wild)) if isinstance(n, (ast.Import, ast.ImportFrom))}
    assert imports <= {"from pathlib import Path", "import torch", "import torch.nn.functional as F",
                       "from safetensors.torch import load_file", "from torch import nn"}


def _node(op: str, inputs: list[str], outputs: list[str], name: str) -> object:
    from onnx import helper
    return helper.make_node(op, inputs, outputs, name=name)


def test_python_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "m.py").write_text("raise SystemExit(1)\n")
    with pytest.raises(UnsafeModel, match="Python"):
        modelport.load(tmp_path / "m.py")


def test_weights_alone_are_no_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="without their model"):
        modelport.convert(image(tmp_path / "m.onnx"), tmp_path / "m.safetensors")


def test_tied_weights_are_one(tmp_path: Path) -> None:
    """A table of embeddings that is the last matrix too."""
    table = weight(12, 6)
    path = model(tmp_path / "m.onnx", [
        _node("Gather", ["wte.weight", "ids"], ["a"], "/wte/Gather"), _node("Tanh", ["a"], ["b"], "/Tanh"),
        _node("MatMul", ["b", "head"], ["logits"], "/head/MatMul")], {"ids": (7, ["batch", "seq"])}, ["logits"],
        {"wte.weight": table, "head": np.ascontiguousarray(table.T)})
    text_of(path, tmp_path / "m.py")
    tensors, _ = safetensors.read(tmp_path / "m.safetensors")
    assert [*tensors] == ["wte.weight"]
