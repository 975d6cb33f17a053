"""Every PyTorch file of the corpus: converted with its recorded answers, or a true reason why it is not."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelport
from modelport.errors import CorruptFile, UnsupportedModel
from modelport.formats.torch.modules.states import tensors
from modelport.registry import detect

CORPUS = Path(__file__).parents[4] / "shared" / "corpus"
pytestmark = pytest.mark.skipif(not CORPUS.is_dir(), reason="the corpus is not beside the checkout")

PROGRAMS = sorted(p for p in (CORPUS / "derived").rglob("*") if p.suffix in (".pt", ".pt2", ".ptl"))
WEIGHTS = sorted(p for f in ("torch_module", "torch_state", "safetensors") for p in (CORPUS / f).rglob("*")
                 if p.is_file())
SILERO = CORPUS / "torchscript/snakers4__silero-vad/src/silero_vad/data/silero_vad.jit"


def _name(path: Path) -> str:
    return "/".join(path.relative_to(CORPUS).parts[-3:])


def test_there_are_files() -> None:
    assert len(PROGRAMS) == 9
    assert len(WEIGHTS) == 73


@pytest.mark.parametrize("path", PROGRAMS, ids=_name)
def test_programs(path: Path) -> None:
    assert detect(path).name == "torch"
    with np.load(path.parent / "io.npz") as z:
        arrays = [z[k] for k in z.files]
    x, *want = arrays
    made = list(modelport.load(path).run(x).values())
    assert len(made) == len(want)
    for b in want:
        a = next(a for a in made if a.shape == b.shape and np.abs(a - b).max() <= 1e-5 * max(1, np.abs(b).max()))
        assert a.dtype == b.dtype


def test_silero() -> None:
    model = modelport.load(SILERO, inputs=("x:float32[1,512]", "sr=16000"))
    made = model.run(np.zeros((1, 512), np.float32))
    assert [a.shape for a in made.values()] == [(1, 1)]
    assert any("_state" in n.message for n in model.notes)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_silero_in_torch() -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    model = modelport.load(SILERO, inputs=("x:float32[1,512]", "sr=16000"))
    for scale in (0.01, 0.1, 1):
        x = (rng.standard_normal((1, 512)) * scale).astype(np.float32)
        want = torch.jit.load(str(SILERO))(torch.from_numpy(x), 16000).detach().numpy()
        np.testing.assert_allclose(next(iter(model.run(x).values())), want, atol=1e-6)


NET = """
import torch.nn.functional as F
from torch import nn

class Block(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(outer)
        self.conv2, self.bn2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer)
        self.more = outer - inner

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.more:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more // 2))
        return F.relu(y + x)

class ResNet20(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16)
        for k, (a, b) in enumerate(((16, 16), (16, 32), (32, 64))):
            blocks = [Block(a, b, 1 + (k > 0)), Block(b, b, 1), Block(b, b, 1)]
            setattr(self, f"layer{k + 1}", nn.Sequential(*blocks))
        self.linear = nn.Linear(64, 10)

    def forward(self, x):
        x = F.relu(self.bn1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean((2, 3)))
"""


def test_weights_with_a_class(tmp_path: Path) -> None:
    """A checkpoint of CIFAR-10 with a class of the same names, against the answers of its own exports."""
    pytest.importorskip("torch")
    (tmp_path / "net.py").write_text(NET)
    path = CORPUS / "torch_state/akamaster__pytorch_resnet_cifar10/pretrained_models/resnet20-12fca82f.th"
    model = modelport.load(path, module=f"{tmp_path / 'net.py'}:ResNet20", inputs=("float32[batch,3,32,32]",))
    with np.load(CORPUS / "derived/resnet20_cifar10/io.npz") as z:
        np.testing.assert_allclose(next(iter(model.run(z["x"]).values())), z["y0"], atol=1e-4)


@pytest.mark.parametrize("path", WEIGHTS, ids=_name)
def test_weights(path: Path) -> None:
    """All are weights without code: recognised whatever their suffix, listed, and refused with what is missing."""
    assert detect(path).name == "torch"
    if path.name == "broken.pt":
        with pytest.raises(CorruptFile):
            modelport.load(path)
        return
    found = tensors(path)
    assert found
    seen = modelport.inspect(path)
    assert seen.meta["torch:tensors"].startswith(f"{len(found)}, ")
    assert seen.unsupported
    with pytest.raises(UnsupportedModel, match=f"{len(found)} tensors and no code") as e:
        modelport.load(path)
    assert "--module" in e.value.hint


@pytest.mark.parametrize("path", WEIGHTS, ids=_name)
def test_weights_in_torch(path: Path) -> None:
    torch = pytest.importorskip("torch")
    if path.name == "broken.pt":
        return
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file
        state = load_file(path)
    else:
        state = torch.load(path, map_location="cpu", weights_only=False)
    want: dict[str, object] = {}
    _flat(torch, state, "", want)
    found = tensors(path)
    assert set(found) == set(want)
    for name, t in want.items():
        t = t.detach()  # type: ignore[attr-defined]
        a = found[name].numpy()
        assert list(a.shape) == list(t.shape)
        t = t.float() if t.dtype == torch.bfloat16 else t
        np.testing.assert_array_equal(a.astype(t.numpy().dtype), t.numpy())


def _flat(torch: object, x: object, name: str, out: dict[str, object]) -> None:
    if isinstance(x, torch.Tensor):  # type: ignore[attr-defined]
        out[name] = x
    elif isinstance(x, (dict, list, tuple)):
        for k, v in x.items() if isinstance(x, dict) else enumerate(x):
            _flat(torch, v, f"{name}.{k}".removeprefix("."), out)
