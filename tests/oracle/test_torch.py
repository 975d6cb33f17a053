"""PyTorch is the oracle: modules exported by its two exporters, converted, must compute what PyTorch computes.

Batch and sequence are symbolic; every model runs at five shapes.  Needs torch, onnxscript and transformers."""
from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import modelport

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
pytest.importorskip("onnxscript", reason="PyTorch's exporter needs it")
transformers = pytest.importorskip("transformers", reason="the transformers are its")


class Case(NamedTuple):
    """A module, a function that makes its inputs for a batch and a length, and which of their axes are symbolic."""

    module: Any
    inputs: Callable[[int, int], tuple[Any, ...]]
    dims: tuple[dict[int, str], ...]


def text(batch: int, seq: int) -> tuple[Any, ...]:
    generator = torch.Generator().manual_seed(batch * 31 + seq)
    mask = (torch.arange(seq) < torch.randint(1, seq + 1, (batch, 1), generator=generator)).long()
    return torch.randint(0, 50, (batch, seq), generator=generator), mask


def sequence(batch: int, seq: int) -> tuple[Any, ...]:
    return (torch.randn(batch, seq, 8, generator=torch.Generator().manual_seed(batch + seq)),)


def image(batch: int, size: int) -> tuple[Any, ...]:
    return (torch.randn(batch, 3, 16 + 8 * size, 16 + 8 * size, generator=torch.Generator().manual_seed(size)),)


class Hidden(torch.nn.Module):
    """The last hidden state of a transformer."""

    def __init__(self, inner: Any, names: tuple[str, ...]) -> None:
        super().__init__()
        self.inner, self.names = inner, names

    def forward(self, *args: Any) -> Any:
        return self.inner(**dict(zip(self.names, args, strict=True)))[0]


class Recurrent(torch.nn.Module):
    def __init__(self, kind: str) -> None:
        super().__init__()
        self.rnn = getattr(torch.nn, kind)(8, 6, num_layers=2, bidirectional=True, batch_first=True)

    def forward(self, x: Any) -> Any:
        return self.rnn(x)[0]


class UNet(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        nn = torch.nn
        self.a = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())
        self.b = nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.Hardswish())
        self.up, self.c = nn.ConvTranspose2d(16, 8, 2, stride=2), nn.Conv2d(16, 4, 1)

    def forward(self, x: Any) -> Any:
        a = self.a(x)
        y = self.c(torch.cat([a, self.up(self.b(a))], 1))
        return torch.nn.functional.interpolate(y, scale_factor=2, mode="bilinear")


TEXT = ({0: "batch", 1: "seq"}, {0: "batch", 1: "seq"})


def cases() -> dict[str, Callable[[], Case]]:
    small = {"num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 16, "intermediate_size": 32}
    t = transformers
    return {
        "bert": lambda: Case(Hidden(t.BertModel(t.BertConfig(vocab_size=50, max_position_embeddings=32, **small),
                                                add_pooling_layer=False), ("input_ids", "attention_mask")), text, TEXT),
        "distilbert": lambda: Case(Hidden(t.DistilBertModel(t.DistilBertConfig(
            vocab_size=50, max_position_embeddings=32, n_layers=2, n_heads=2, dim=16, hidden_dim=32)),
            ("input_ids", "attention_mask")), text, TEXT),
        "gpt2": lambda: Case(Hidden(t.GPT2Model(t.GPT2Config(
            vocab_size=50, n_positions=32, n_embd=16, n_layer=2, n_head=2, use_cache=False)), ("input_ids",)),
            lambda b, s: text(b, s)[:1], TEXT[:1]),
        "llama": lambda: Case(Hidden(t.LlamaModel(t.LlamaConfig(
            vocab_size=50, max_position_embeddings=32, use_cache=False, num_key_value_heads=1, **small)),
            ("input_ids",)),
            lambda b, s: text(b, s)[:1], TEXT[:1]),
        "encoder": lambda: Case(torch.nn.TransformerEncoder(torch.nn.TransformerEncoderLayer(
            8, 2, 16, batch_first=True, norm_first=True), 2, enable_nested_tensor=False), sequence, TEXT[:1]),
        "lstm": lambda: Case(Recurrent("LSTM"), sequence, TEXT[:1]),
        "gru": lambda: Case(Recurrent("GRU"), sequence, TEXT[:1]),
        "unet": lambda: Case(UNet(), image, ({0: "batch", 2: "height", 3: "width"},)),
    }


SCRIPT = ("bert", "distilbert", "lstm", "gru", "unet")
"""What the older exporter exports rightly; it bakes batch and sequence into the shapes of a TransformerEncoder."""


def export(case: Case, exporter: str, path: Path) -> None:
    module, args = case.module.eval(), case.inputs(2, 5)
    names = [f"x{k}" for k in range(len(args))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            dims = tuple(dict.fromkeys(d, torch.export.Dim.DYNAMIC) for d in case.dims)
            torch.onnx.export(module, args, path, input_names=names, output_names=["y"], dynamo=True,
                              external_data=False, verbose=False, dynamic_shapes=(dims,) if isinstance(module, Hidden)
                              else dims)
        else:
            torch.onnx.export(module, args, path, input_names=names, output_names=["y"], dynamo=False, opset_version=17,
                              dynamic_axes=dict(zip(names, case.dims, strict=True)))


@pytest.mark.parametrize(("name", "exporter"), [(n, "dynamo") for n in cases()] + [(n, "script") for n in SCRIPT])
def test_computes_what_torch_computes(name: str, exporter: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    case = cases()[name]()
    export(case, exporter, tmp_path / "a.onnx")
    done = modelport.convert(tmp_path / "a.onnx", tmp_path / "b.onnx")
    assert done.report is not None
    assert done.report.proven
    graph = onnx.load(tmp_path / "b.onnx").graph
    for value, dims in zip(graph.input, case.dims, strict=True):
        for axis in dims:
            assert value.type.tensor_type.shape.dim[axis].dim_param, f"axis {axis} of {value.name} is fixed"
    first, out = (v.type.tensor_type.shape.dim[0].dim_param for v in (graph.input[0], graph.output[0]))
    assert out == first
    session = ort.InferenceSession(str(tmp_path / "b.onnx"))
    for batch, seq in [(1, 1), (2, 5), (3, 7), (1, 12), (5, 2)]:
        args = case.inputs(batch, seq)
        with torch.no_grad():
            want = case.module(*args).numpy()
        got = session.run(None, {f"x{k}": a.numpy() for k, a in enumerate(args)})[0]
        assert got.shape == want.shape
        # float32 networks of a few layers: rounding stays below 1e-5 of the range
        np.testing.assert_allclose(got, want, atol=2e-5 * max(1.0, float(np.abs(want).max())))


@pytest.mark.parametrize("name", ["bert", "lstm"])
def test_other_operator_sets(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    case = cases()[name]()
    export(case, "dynamo", tmp_path / "a.onnx")
    args = case.inputs(3, 4)
    with torch.no_grad():
        want = case.module(*args).numpy()
    for opset in (13, 15, 17, 21):
        modelport.convert(tmp_path / "a.onnx", tmp_path / f"{opset}.onnx", opset=opset, verify=None)
        assert onnx.load(tmp_path / f"{opset}.onnx").opset_import[0].version == opset
        session = ort.InferenceSession(str(tmp_path / f"{opset}.onnx"))
        got = session.run(None, {f"x{k}": a.numpy() for k, a in enumerate(args)})
        np.testing.assert_allclose(got[0], want, atol=2e-5 * max(1.0, float(np.abs(want).max())))


@pytest.mark.parametrize(("name", "exporter"), [(n, "dynamo") for n in cases()] + [(n, "script") for n in SCRIPT])
def test_runs_on_a_phone(name: str, exporter: str, tmp_path: Path) -> None:
    """The same as TensorFlow Lite, batch and length still free, in LiteRT with builtin operators."""
    pytest.importorskip("ai_edge_litert", reason="LiteRT runs it")
    from modelport.formats import tflite
    from modelport.runtimes import start
    torch.manual_seed(0)
    case = cases()[name]()
    export(case, exporter, tmp_path / "a.onnx")
    done = modelport.convert(tmp_path / "a.onnx", tmp_path / "b.tflite")
    assert done.report is not None
    assert done.report.proven
    assert not [n.op for n in tflite.read(tmp_path / "b.tflite").walk() if n.op.startswith(("custom.", "flex."))]
    session = start("tflite", tmp_path / "b.tflite", signature="serving_default")
    for batch, seq in [(1, 1), (2, 5), (3, 7), (1, 12), (5, 2)]:
        args = case.inputs(batch, seq)
        with torch.no_grad():
            want = case.module(*args).numpy()
        got = next(iter(session.run({f"x{k}": a.numpy() for k, a in enumerate(args)}).values()))
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, atol=2e-5 * max(1.0, float(np.abs(want).max())))
