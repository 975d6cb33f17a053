"""Modules of PyTorch in memory, and the user's own class for a file of weights."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import modelport
from modelport.errors import RuntimeFailed, UsageError

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]

SOURCE = """
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x):
        return self.fc(self.conv(x).relu().mean((2, 3)))

class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.unknown = nn.Linear(2, 2)

def broken():
    raise ValueError("no such net")
"""


def net() -> torch.nn.Module:
    space: dict[str, object] = {"__name__": "made"}
    exec(SOURCE, space)
    return space["Net"]()  # type: ignore[operator, no-any-return]


def answer(m: torch.nn.Module, *xs: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        return m.eval()(*map(torch.from_numpy, xs)).numpy()  # type: ignore[no-any-return]


def test_a_module_is_dynamic() -> None:
    torch.manual_seed(0)
    m = net().train()
    m.fc.eval()
    model = modelport.load(m, torch.randn(1, 3, 8, 9))
    assert m.training
    assert not m.fc.training  # as it was
    for shape in ((1, 3, 8, 9), (4, 3, 20, 7)):
        x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        np.testing.assert_allclose(next(iter(model.run(x).values())), answer(m, x), atol=1e-6)
        m.train()


def test_a_program(tmp_path: Path) -> None:
    m = net().eval()
    program = torch.export.export(m, (torch.zeros(2, 3, 8, 8),))
    x = np.ones((2, 3, 8, 8), np.float32)
    np.testing.assert_allclose(next(iter(modelport.load(program).run(x).values())), answer(m, x), atol=1e-6)


def test_named_arguments() -> None:
    class Two(torch.nn.Module):
        def forward(self, x, *, y=None):  # type: ignore[no-untyped-def]
            return x - 2 * y
    model = modelport.load(Two(), {"x": torch.ones(2, 3), "y": torch.ones(2, 3)})
    made = model.run(x=np.full((5, 2), 3, np.float32), y=np.ones((5, 2), np.float32))
    np.testing.assert_array_equal(next(iter(made.values())), np.ones((5, 2)))


def test_what_cannot_be_exported_is_traced() -> None:
    class Peeks(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc = torch.nn.Linear(4, 2)

        def forward(self, x):  # type: ignore[no-untyped-def]
            return self.fc(x) if float(x.sum().numpy()) > 0 else self.fc(-x)
    m = Peeks()
    model = modelport.load(m, torch.ones(1, 4))
    assert [n.kind for n in model.notes] == ["changed"]
    assert "traced" in model.notes[0].message
    x = np.ones((3, 4), np.float32)
    np.testing.assert_allclose(next(iter(model.run(x).values())), answer(m, x), atol=1e-6)


def test_an_example_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shapes of its inputs"):
        modelport.load(net())
    with pytest.raises(UsageError, match="example"):
        modelport.load(tmp_path / "a.onnx", torch.ones(1))


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_class_of_ones_own(wrapped: bool, tmp_path: Path) -> None:
    torch.manual_seed(1)
    m = net()
    state = m.state_dict()
    torch.save({"epoch": 1, "state_dict": {f"module.{k}": v for k, v in state.items()}} if wrapped else state,
               tmp_path / "w.pth")
    (tmp_path / "net.py").write_text(SOURCE)
    model = modelport.load(tmp_path / "w.pth", module=f"{tmp_path / 'net.py'}:Net",
                           inputs=("float32[batch,3,height,width]",))
    x = np.random.default_rng(0).standard_normal((3, 3, 9, 12)).astype(np.float32)
    np.testing.assert_allclose(next(iter(model.run(x).values())), answer(m, x), atol=1e-6)


def test_a_class_that_does_not_fit(tmp_path: Path) -> None:
    torch.save(net().state_dict(), tmp_path / "w.pth")
    file = tmp_path / "net.py"
    file.write_text(SOURCE)
    shape = ("float32[batch,3,8,8]",)
    with pytest.raises(UsageError, match="no weights unknown"):
        modelport.load(tmp_path / "w.pth", module=f"{file}:Other", inputs=shape)
    with pytest.raises(RuntimeFailed, match="no such net"):
        modelport.load(tmp_path / "w.pth", module=f"{file}:broken", inputs=shape)
    with pytest.raises(UsageError, match="shapes of its inputs"):
        modelport.load(tmp_path / "w.pth", module=f"{file}:Net")
    with pytest.raises(UsageError, match="expected a file"):
        modelport.load(tmp_path / "w.pth", module="nowhere.py:Net", inputs=shape)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("zipped", [True, False])
def test_quantized_tensors(zipped: bool, tmp_path: Path) -> None:
    """They are read as the reals that they stand for; sparse ones are said to be left out."""
    from modelport.formats.torch.modules.states import tensors
    x = torch.randn(4, 3)
    scales, zeros = torch.tensor([0.1, 0.2, 0.3]), torch.tensor([0, 1, 2])
    state = {"all": torch.quantize_per_tensor(x, 0.1, 3, torch.qint8),
             "channels": torch.quantize_per_channel(x, scales, zeros, 1, torch.quint8),
             "wide": torch.quantize_per_tensor(x, 0.01, 0, torch.qint32), "sparse": x.to_sparse()}
    torch.save(state, tmp_path / "q.pt", _use_new_zipfile_serialization=zipped)
    found = tensors(tmp_path / "q.pt")
    assert sorted(found) == ["all", "channels", "wide"]
    for name, t in found.items():
        np.testing.assert_array_equal(t.numpy(), state[name].dequantize().numpy())
    assert modelport.inspect(tmp_path / "q.pt").meta["torch:tensors of other kinds"] == "sparse"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_pickled_module_is_proven_in_torch(tmp_path: Path) -> None:
    torch.manual_seed(0)
    torch.save(torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 2)), tmp_path / "m.pt")
    done = modelport.convert(tmp_path / "m.pt", tmp_path / "m.onnx", verify="prove")
    assert done.report is not None
    assert "proven (L3)" in done.report.text()
