"""Quantized modules and programs of PyTorch 1.12 and 2.13, which ``tools/record_quantized_torch.py`` made."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from torch_recordings import arrays, files

import modelport
from modelport.codecs.pickle import Name, Record
from modelport.errors import CorruptFile, Unsupported, UnsupportedModel
from modelport.formats.torch.machine import Box
from modelport.formats.torch.modules.states import opened, tensors
from modelport.formats.torch.packed import Packed, unpacked
from modelport.formats.torch.storage import Storage, quantized

VERSIONS = ("quantized-1.12", "quantized-2.13")
CODELESS = ("net.pth", "rows.pth", "steps.pth", "words.pth")
"""Modules of a class of the user's own, in a zip, which does not hold its code."""


def saved(version: str, name: str, folder: Path) -> Path:
    path = folder / name
    path.write_bytes(files(version)[name])
    return path


def _models() -> list[tuple[str, str]]:
    return [(v, n) for v in VERSIONS for n in files(v) if not n.endswith((".npz", "-state.pth")) and n not in CODELESS
            and not n.startswith("tensors")]


@pytest.mark.parametrize(("version", "name"), _models())
def test_models(version: str, name: str, tmp_path: Path) -> None:
    """What is computed by whole numbers is at most one step beside PyTorch's answer, where that is a tie, and two where
    a linear layer follows (of 1.12, one average is a tie, and all layers before it are equal); the rest is equal but
    for the rounding of float32."""
    stem = name.partition("-")[0].partition(".")[0]
    case = arrays(version, f"{name.rpartition('.')[0]}.npz")
    x, want = case["x"], [case[k] for k in sorted(case) if k != "x"]
    model = modelport.load(saved(version, name, tmp_path), inputs=(f"{x.dtype}[{','.join(map(str, x.shape))}]",))
    made = list(model.run(x).values())
    assert len(made) == len(want)
    bar = {"rows": 2 / 256}.get(stem, 0.0)  # the scale of tanh
    if stem == "net":
        bar = 2 * float(tensors(saved(version, "net-state.pth", tmp_path))["fc.scale"].numpy())
    for a, b in zip(made, want, strict=True):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=max(1.001 * bar, 1e-6))
        assert (np.abs(a - b) > 1e-6).mean() <= 0.3


@pytest.mark.parametrize("version", VERSIONS)
def test_the_layers_say_what_goes_in(version: str, tmp_path: Path) -> None:
    for name, inputs in (("cells.pth", ("batch", 4)), ("half.pth", ("batch", 4)),
                         ("fx.pth", ("batch", 3, "height", "width"))):
        model = modelport.load(saved(version, name, tmp_path))
        assert [v.shape for v in model.graph.inputs.values()] == [inputs]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", CODELESS)
def test_a_class_without_its_code(version: str, name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModel, match="the code of __main__"):
        modelport.load(saved(version, name, tmp_path))
    seen = modelport.inspect(tmp_path / name)
    assert any("torch.nn.quantized" in v for v in seen.meta.values()), seen.meta


@pytest.mark.parametrize("version", VERSIONS)
def test_tensors(version: str, tmp_path: Path) -> None:
    found, want = tensors(saved(version, "tensors.pth", tmp_path)), arrays(version, "tensors.npz")
    assert set(found) == set(want)
    for name, t in found.items():
        np.testing.assert_allclose(t.numpy(), want[name], rtol=2e-7)


@pytest.mark.parametrize("version", VERSIONS)
def test_state_dicts_list_packed_weights(version: str, tmp_path: Path) -> None:
    found = tensors(saved(version, "net-state.pth", tmp_path))
    assert found["c1.weight"].type.shape == (8, 3, 3, 3)
    assert found["fc._packed_params._packed_params.0"].type.shape == (5, 4)
    assert found["fc._packed_params._packed_params.1"].type.shape == (5,)
    found = tensors(saved(version, "steps-state.pth", tmp_path))
    assert sum(t.type.shape == (24, 6) for t in found.values()) == 4


def test_conversions_keep_the_whole_numbers(tmp_path: Path) -> None:
    """The weights are written as they are stored, and the activations between QuantizeLinear and DequantizeLinear."""
    model = modelport.load(saved("quantized-2.13", "net-traced.pt", tmp_path), inputs=("float32[batch,3,8,8]",))
    ops = [n.op for n in model.graph.nodes]
    assert ops.count("QuantizeLinear") >= 12
    held = [v for n in model.graph.nodes if n.op == "DequantizeLinear" for v in n.inputs[:1]
            if v is not None and v.data is not None]
    assert len(held) == 5 and {v.dtype.name for v in held} == {"int8"}


def _record(*args: object) -> Record:
    return Record(Name("torch._utils", "_rebuild_qtensor"), args)


def test_broken_tensors_and_weights() -> None:
    storage = Storage(memoryview(bytes(12)), np.dtype(np.int8))
    affine = Name("torch", "per_tensor_affine")
    assert quantized(_record(storage, 0, (3, 4), (4, 1), (affine, 0.5, 3), False))[3] is None
    with pytest.raises(CorruptFile, match="needs 16 bytes"):
        quantized(_record(storage, 0, (4, 4), (4, 1), (affine, 0.5, 3), False))
    with pytest.raises(CorruptFile, match="without its numbers"):
        quantized(_record(storage, 0))
    with pytest.raises(Unsupported, match="quantized by"):
        quantized(_record(storage, 0, (3, 4), (4, 1), (affine, "wide"), False))
    for kind, state in (("LinearPackedParamsBase", ()), ("Conv2dPackedParamsBase", ("2", [], [])),
                        ("Conv2dPackedParamsBase", 7), ("CellParamsBase", ("quantized_dynamic", [], [], [1], [1, 2])),
                        ("EmbeddingPackedParamsBase", (1, []))):
        with pytest.raises(Unsupported, match="not as they should be"):
            unpacked(f"__torch__.torch.classes.quantized.{kind}", state)
    with pytest.raises(Unsupported, match="packed weights of the class Other"):
        unpacked("__torch__.torch.classes.quantized.Other", ())


def test_weights_of_the_third_layout() -> None:
    from modelport.ir.graph import constant
    weight = Box(constant(np.zeros((4, 2, 3, 3), np.float32)))
    made = unpacked("ConvPackedParamsBase", (3, [2, 1, 2, 0, 1, 1, 1, 0, 0, 2, 0], [None, weight, None]))
    assert isinstance(made, Packed)
    assert (made.stride, made.padding, made.dilation, made.groups) == ([1, 2], [0, 1], [1, 1], 2)
    assert not made.transposed


def test_names_of_a_quantized_module_are_harmless(tmp_path: Path) -> None:
    from modelport.formats.torch.storage import suspicious
    assert not suspicious(opened(saved("quantized-2.13", "rows.pth", tmp_path)).names)
