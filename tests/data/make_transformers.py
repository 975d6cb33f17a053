"""Makes the exported transformers beside this file: tiny, random weights, batch and sequence symbolic.

Run with torch 2.13, transformers and onnxscript installed: ``python make_transformers.py``."""
from __future__ import annotations

import warnings
from pathlib import Path

import onnx
import torch
from transformers import BertConfig, BertModel, GPT2Config, GPT2Model

HERE = Path(__file__).parent


def models() -> dict[str, tuple[torch.nn.Module, tuple[torch.Tensor, ...], list[str]]]:
    torch.manual_seed(0)
    bert = BertModel(BertConfig(vocab_size=24, hidden_size=8, num_hidden_layers=1, num_attention_heads=2,
                                intermediate_size=16, max_position_embeddings=16), add_pooling_layer=False)
    gpt2 = GPT2Model(GPT2Config(vocab_size=24, n_positions=16, n_embd=8, n_layer=1, n_head=2, use_cache=False))
    ids = torch.randint(0, 24, (2, 5))
    mask = torch.ones_like(ids)
    return {"bert": (bert, (ids, mask), ["input_ids", "attention_mask"]), "gpt2": (gpt2, (ids,), ["input_ids"])}


class Hidden(torch.nn.Module):
    """The last hidden state alone."""

    def __init__(self, inner: torch.nn.Module, names: list[str]) -> None:
        super().__init__()
        self.inner, self.names = inner, names

    def forward(self, *args: torch.Tensor) -> torch.Tensor:
        return self.inner(**dict(zip(self.names, args, strict=True)))[0]


def slim(path: Path) -> None:
    """Takes out the stack traces that the exporter writes beside every node."""
    model = onnx.load(path)
    for node in model.graph.node:
        del node.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    onnx.save(model, path)


def main() -> None:
    warnings.simplefilter("ignore")
    for name, (inner, args, names) in models().items():
        module = Hidden(inner, names).eval()
        batch, seq = torch.export.Dim("batch"), torch.export.Dim("seq", max=16)
        torch.onnx.export(module, args, HERE / f"{name}_dynamo.onnx", input_names=names, output_names=["hidden"],
                          dynamo=True, external_data=False, verbose=False,
                          dynamic_shapes=(tuple({0: batch, 1: seq} for _ in names),))
        slim(HERE / f"{name}_dynamo.onnx")
        if name == "gpt2":  # the older exporter does not know aten::diff, which its mask is made with
            continue
        torch.onnx.export(module, args, HERE / f"{name}_script.onnx", input_names=names, output_names=["hidden"],
                          dynamo=False, opset_version=17, dynamic_axes={n: {0: "batch", 1: "seq"} for n in names})


if __name__ == "__main__":
    main()
