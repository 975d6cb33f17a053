"""Files of PyTorch 1.4 to 2.13, which ``tools/record_old_torch.py`` made, read without PyTorch."""
from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from torch_recordings import arrays, files

import modelport
from modelport.errors import UnsupportedModel
from modelport.formats.torch.modules.states import tensors
from modelport.registry import detect

VERSIONS = ("1.4", "1.12", "2.1", "2.5", "2.13")


def _programs() -> list[tuple[str, str]]:
    return [(v, n) for v in VERSIONS for n in files(v)
            if not n.endswith(".npz") and f"{n.rpartition('.')[0]}.npz" in files(v) and not n.startswith("views")
            and not _codeless(v, n)]


def _codeless(version: str, name: str) -> bool:
    """Whether a file is a zip with a module of a class whose code it lacks, or a program with an operator that only
    oneDNN has (2.1 exports LSTM so)."""
    return (name in ("net.pth", "sentence.pth") and version != "1.4") or \
        (version, name) == ("2.1", "sentence.pt2")


def saved(version: str, name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(files(version)[name])
    return path


@pytest.mark.parametrize(("version", "name"), _programs())
def test_programs(version: str, name: str, tmp_path: Path) -> None:
    path = saved(version, name, tmp_path)
    assert detect(path).name == "torch"
    case = arrays(version, f"{name.rpartition('.')[0]}.npz")
    x, y = case["x"], case["y"]
    inputs = {"net": "float32[batch,3,9,8]", "layers": "float32[batch,3,9,8]", "sentence": "int64[batch,5]",
              "turning": "float32[batch,4]"}[name.partition("-")[0].partition(".")[0]]
    model = modelport.load(path, inputs=() if name.endswith(".pt2") else (inputs,))
    for count in (len(x), 1) if not name.endswith(".pt2") and not name.startswith("turning") else (len(x),):
        made = next(iter(model.run(x[:count]).values()))
        assert made.dtype == y.dtype
        np.testing.assert_allclose(made, y[:count], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("version", VERSIONS[1:])
@pytest.mark.parametrize("name", ["net.pth", "sentence.pth"])
def test_a_class_without_its_code(version: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="the code of __main__") as e:
        modelport.load(saved(version, name, tmp_path))
    assert "--module" in e.value.hint
    seen = modelport.inspect(tmp_path / name)
    assert any("torch.nn" in v for v in seen.meta.values())


def test_an_operator_of_one_library(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="mkldnn_rnn_layer"):
        modelport.load(saved("2.1", "sentence.pt2", tmp_path))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", ["net", "layers", "sentence"])
def test_state_dicts(version: str, name: str, tmp_path: Path) -> None:
    path = saved(version, f"{name}-state.pth", tmp_path)
    state = tensors(path)
    whole = tensors(saved(version, f"{name}.pth", tmp_path))
    assert state and set(state) == set(whole)
    for k, t in state.items():
        np.testing.assert_array_equal(t.numpy(), whole[k].numpy())
    with pytest.raises(UnsupportedModel, match="no code"):
        modelport.load(path)


@pytest.mark.parametrize("version", VERSIONS)
def test_views(version: str, tmp_path: Path) -> None:
    want = arrays(version, "views.npz")
    found = tensors(saved(version, "views.pth", tmp_path))
    assert {k.removeprefix("tensors.") for k in found} == set(want)
    for k, a in want.items():
        got = found[f"tensors.{k}"].numpy()
        assert got.shape == a.shape
        np.testing.assert_array_equal(got.astype(np.float32), a)


def test_a_part_without_its_code(tmp_path: Path) -> None:
    """A class within others that are known, located by its path."""
    data = files("2.13")["layers.pth"]
    old, new = b"torch.nn.modules.activation\nLeakyReLU", b"somewhere.else.of.mine.all\nLeakyReLU"
    assert data.count(old) == 1
    path = tmp_path / "a.pth"
    with zipfile.ZipFile(io.BytesIO(data)) as z, zipfile.ZipFile(path, "w") as made:
        for n in z.namelist():
            made.writestr(n, z.read(n).replace(old, new))
    with pytest.raises(UnsupportedModel, match="the code of somewhere") as e:
        modelport.load(path)
    assert e.value.problems[0].where == "5"
    assert "--module" in e.value.hint
