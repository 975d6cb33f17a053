"""Thirty small models of tools/torch_models.py: exported by PyTorch, converted, they answer as PyTorch does."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.oracle, pytest.mark.filterwarnings("ignore")]
pytest.importorskip("torch", reason="PyTorch is the oracle")
pytest.importorskip("transformers", reason="the transformers are its")
sys.path.insert(0, str(Path(__file__).parents[2] / "tools"))

NAMES = """nn/mlp GELU|nn/mlp PReLU|nn/LSTM bidirectional|nn/LSTM projected|nn/GRU|nn/RNN relu|nn/UNet bilinear|
    nn/UNet transpose|nn/residual GroupNorm|nn/residual BatchNorm|nn/Transformer|nn/TransformerEncoder padded|
    nn/MultiheadAttention extra|nn/rotary complex|nn/spectrogram|nn/spatial transformer|nn/variational|
    nn/two towers|nn/convolutions 3d|nn/super resolution|transformers/Bert|transformers/DebertaV2|transformers/GPT2|
    transformers/Llama|transformers/Gemma2|transformers/Mixtral|transformers/T5|transformers/ViT|transformers/Swin|
    transformers/Wav2Vec2"""


@pytest.mark.parametrize("name", [n.strip() for n in NAMES.split("|")])
def test_answers_as_pytorch_does(name: str) -> None:
    import torch_models
    row = torch_models.measured(name, torch_models.models()[name])
    assert row[-1] in ("equal", "rounding"), row
    assert int(row[3]) >= 2, row
