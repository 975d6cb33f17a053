"""Pickled modules of torch.nn and torchvision, and folders of Hugging Face, which ``tools/record_torch_modules.py``
made, against the answers of PyTorch."""
from __future__ import annotations

import io
import json
import tarfile
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import modelport
from modelport.codecs import safetensors
from modelport.errors import ModelportError, UnsupportedModel

FOLDER = Path(__file__).parents[2] / "recorded" / "torch_files"


@cache
def files(name: str) -> dict[str, bytes]:
    with tarfile.open(FOLDER / f"{name}.tar.xz") as tar:
        return {m.name: tar.extractfile(m).read() for m in tar if m.isfile()}  # type: ignore[union-attr]


def arrays(data: bytes) -> dict[str, np.ndarray]:
    with np.load(io.BytesIO(data)) as z:
        return {k: z[k] for k in z.files}


def close(made: np.ndarray, want: np.ndarray) -> None:
    assert made.shape == want.shape
    assert made.dtype == want.dtype
    assert np.abs(made - want).max() <= 1e-5 * max(np.abs(want).max(), 1e-3)
    assert want.std() > 0 or want.size == 1  # else the case says nothing


@pytest.mark.parametrize("name", [f"{f}/{m}" for f in ("nn", "vision") for m in files(f) if not m.endswith(".npz")])
def test_modules(name: str, tmp_path: Path) -> None:
    family, _, file = name.partition("/")
    path = tmp_path / "m.pt"
    path.write_bytes(files(family)[file])
    case = arrays(files(family)[file.replace(".pt", ".npz")])
    xs = [a for k, a in case.items() if k[0] == "x"]
    ys = [a for k, a in case.items() if k[0] == "y"]
    model = modelport.load(path)
    made = list(model.run(dict(zip(model.inputs, xs, strict=True))).values())
    assert len(made) == len(ys)
    for a, b in zip(made, ys, strict=True):
        close(a, b)


@pytest.mark.parametrize("name", [m for m in files("source") if not m.endswith(".npz")])
def test_code_of_ones_own(name: str, tmp_path: Path) -> None:
    """Classes whose text the file holds."""
    path = tmp_path / "m.pt"
    path.write_bytes(files("source")[name])
    case = arrays(files("source")[name.replace(".pt", ".npz")])
    x = case["x0"]
    sizes = ",".join(map(str, x.shape[1:]))
    made = list(modelport.load(path, inputs=(f"{x.dtype}[batch,{sizes}]",)).run(x).values())
    ys = [a for k, a in case.items() if k[0] == "y"]
    assert len(made) == len(ys)
    for a, b in zip(made, ys, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5 * max(np.abs(b).max(), 1))


@pytest.mark.parametrize("name", sorted({n.partition("/")[0] for n in files("huggingface")}))
def test_hugging_face(name: str, tmp_path: Path) -> None:
    if name.startswith("GPT2") and onnxruntime.__version__.startswith("1.23"):
        pytest.skip("ONNX Runtime 1.23 takes Tanh from a shorter series, whose errors the layers add up to 3e-5")
    for file in ("model.safetensors", "config.json"):
        (tmp_path / file).write_bytes(files("huggingface")[f"{name}/{file}"])
    case = arrays(files("huggingface")[f"{name}/case.npz"])
    for source in (tmp_path, tmp_path / "model.safetensors"):  # a folder, or the file in it
        model = modelport.load(source)
        assert model.format == "torch"
        for k in range(3):
            made = model.run({n.split("/")[2]: a for n, a in case.items() if n.startswith(f"{k}/in/")})
            wanted = {n.split("/")[2]: a for n, a in case.items() if n.startswith(f"{k}/out/")}
            assert wanted.keys() <= made.keys()
            for n, want in wanted.items():
                close(made[n], want)


def test_weights_in_several_files(tmp_path: Path) -> None:
    """An index and two files of safetensors, one of the names being one that leads elsewhere."""
    whole = tmp_path / "whole.safetensors"
    whole.write_bytes(files("huggingface")["BertModel/model.safetensors"])
    tensors, _ = safetensors.read(whole)
    halves = [dict(list(tensors.items())[k::2]) for k in range(2)]
    folder = tmp_path / "bert"
    folder.mkdir()
    for k, half in enumerate(halves):
        safetensors.write(folder / f"model-{k}.safetensors", half)
    index = {n: f"model-{k}.safetensors" for k, half in enumerate(halves) for n in half}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    (folder / "config.json").write_bytes(files("huggingface")["BertModel/config.json"])
    case = arrays(files("huggingface")["BertModel/case.npz"])
    made = modelport.load(folder).run({n.split("/")[2]: a for n, a in case.items() if n.startswith("1/in/")})
    close(made["last_hidden_state"], case["1/out/last_hidden_state"])
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": "../whole.safetensors"}}))
    with pytest.raises(ModelportError):
        modelport.load(folder)


def test_weights_that_the_architecture_lacks(tmp_path: Path) -> None:
    """A configuration that does not fit the weights is refused, whichever of both has more."""
    config = files("huggingface")["BertModel/config.json"]
    (tmp_path / "model.safetensors").write_bytes(files("huggingface")["BertModel/model.safetensors"])
    for old, new in ((b'"num_hidden_layers": 2', b'"num_hidden_layers": 1'),
                     (b'"num_hidden_layers": 2', b'"num_hidden_layers": 3'),
                     (b'"model_type": "bert"', b'"model_type": "distilbert"'),
                     (b'"model_type": "bert"', b'"model_type": "unheard_of"')):
        assert old in config
        (tmp_path / "config.json").write_bytes(config.replace(old, new))
        with pytest.raises(UnsupportedModel):
            modelport.load(tmp_path)
