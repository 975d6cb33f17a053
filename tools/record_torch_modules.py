"""Records modules and folders of Hugging Face with their answers: ``python tools/record_torch_modules.py FOLDER``.

Runs where PyTorch 2.13 is, with torchvision and transformers for what needs them; nothing of modelport is imported.
Weights are of a short period, so that megabytes of them are kilobytes of xz; FOLDER gets nn.tar.xz, vision.tar.xz,
source.tar.xz and huggingface.tar.xz (tests/recorded/torch_files)."""
from __future__ import annotations

import io
import sys
import tarfile
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch_files import clean

warnings.simplefilter("ignore")
torch.manual_seed(0)


class Recording:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def arrays(self, name: str, **arrays: np.ndarray) -> None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, **arrays)
        self.files[name] = buffer.getvalue()

    def module(self, name: str, model: nn.Module, *xs: torch.Tensor, legacy: bool = False) -> None:
        patterned(model)
        name = f"{len(self.files) // 2:02d}-{name}"
        buffer = io.BytesIO()
        torch.save(model, buffer, _use_new_zipfile_serialization=not legacy)
        self.files[f"{name}.pt"] = clean(buffer.getvalue())
        with torch.no_grad():
            made = torch.utils._pytree.tree_leaves(model(*(x.clone() for x in xs)))
        ys = [y for y in made if isinstance(y, torch.Tensor)]
        self.arrays(f"{name}.npz", **{f"x{k}": x.numpy() for k, x in enumerate(xs)},
                    **{f"y{k}": y.numpy() for k, y in enumerate(ys)})

    def write(self, path: Path) -> None:
        with tarfile.open(path, "w:xz", preset=9) as tar:
            for name, data in self.files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))
        print(path.name, len(self.files), path.stat().st_size)


def patterned(model: nn.Module) -> None:
    """Weights that repeat, of a size that keeps a deep network in range, and statistics that do something."""
    model.eval()
    for k, (_, p) in enumerate(model.named_parameters()):
        if p.numel() > 256:
            scale = (p[0].numel() / 12) ** -0.5
            flat = torch.arange(p.numel()) * (37 + 2 * k) % 61
            p.data = ((flat.float() / 61 - 0.5) * scale).reshape(p.shape)
        else:
            p.data = (p.data + torch.randn_like(p) * 0.1).mul(256).round().div(256)
    for name, b in model.named_buffers():
        if name.endswith("running_mean"):
            b.copy_(torch.arange(len(b)) % 13 / 26 - 0.2)
        elif name.endswith("running_var"):
            b.copy_(torch.arange(len(b)) % 11 / 11 + 0.5)


def r(*shape: int) -> torch.Tensor:
    return torch.randn(*shape)


def layers(out: Recording) -> None:
    def keep(model: nn.Module, *xs: torch.Tensor) -> None:
        out.module(type(model).__name__, model, *xs)
    for name in ("ReLU ReLU6 SELU Sigmoid Tanh LogSigmoid Softsign SiLU Mish Hardsigmoid Hardswish ELU CELU LeakyReLU "
                 "Hardtanh Softplus Softshrink Hardshrink PReLU RReLU GELU Tanhshrink Softmin Softmax LogSoftmax "
                 "GLU").split():
        keep(nn.Sequential(nn.Linear(4, 6), getattr(nn, name)()), r(3, 4) * 2)
    keep(nn.Sequential(nn.Linear(4, 6), nn.Threshold(0.1, 20.), nn.GELU("tanh")), r(3, 4))
    keep(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, padding_mode="reflect"), nn.BatchNorm2d(8), nn.ReLU(True),
                       nn.MaxPool2d(2), nn.Flatten(), nn.Dropout(), nn.Linear(128, 5), nn.Softmax(1)), r(2, 3, 8, 8))
    keep(nn.Sequential(nn.Conv1d(3, 8, 3, padding="same"), nn.InstanceNorm1d(8, affine=True), nn.AvgPool1d(2),
                       nn.AdaptiveAvgPool1d(1), nn.Flatten()), r(2, 3, 9))
    keep(nn.Sequential(nn.Conv3d(2, 4, 2, stride=2, groups=2), nn.GroupNorm(2, 4), nn.AdaptiveMaxPool3d(1)),
         r(2, 2, 4, 4, 4))
    keep(nn.Sequential(nn.ConvTranspose2d(3, 4, 3, stride=2, output_padding=1, dilation=2), nn.LocalResponseNorm(3),
                       nn.PixelShuffle(2), nn.LPPool2d(2, 2), nn.ZeroPad2d((1, 2, 0, 1)), nn.ReflectionPad2d(1),
                       nn.ReplicationPad2d(1), nn.ConstantPad2d(1, 3.)), r(2, 3, 5, 5))
    for mode in ("nearest", "bilinear", "bicubic"):
        keep(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Upsample(scale_factor=2, mode=mode)), r(2, 3, 5, 5))
    corners = nn.Upsample(size=(7, 9), mode="bilinear", align_corners=True)
    keep(nn.Sequential(nn.Conv2d(3, 4, 1), corners), r(2, 3, 5, 5))
    ids = torch.randint(0, 10, (2, 5))
    keep(nn.Sequential(nn.Embedding(10, 6), nn.LayerNorm(6), nn.Linear(6, 2)), ids)
    for mode in ("sum", "mean", "max"):
        keep(nn.Sequential(nn.EmbeddingBag(10, 6, mode=mode)), ids)
    keep(nn.LSTM(4, 5, 2, bidirectional=True, batch_first=True), r(2, 7, 4))
    keep(nn.GRU(4, 5), r(7, 2, 4))
    keep(nn.RNN(4, 5, nonlinearity="relu"), r(7, 2, 4))
    keep(nn.LSTM(4, 5, proj_size=3), r(7, 2, 4))
    for cell in (nn.LSTMCell, nn.GRUCell, nn.RNNCell):
        keep(cell(4, 5), r(2, 4))
    keep(nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2), r(2, 5, 8))
    keep(nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", norm_first=True), 2,
                               norm=nn.LayerNorm(8)), r(5, 2, 8))
    keep(nn.Transformer(8, 2, 1, 1, 16, batch_first=True), r(2, 5, 8), r(2, 4, 8))
    keep(nn.MultiheadAttention(8, 2, kdim=8, vdim=8, batch_first=True), r(2, 5, 8), r(2, 4, 8), r(2, 4, 8))
    keep(nn.Bilinear(3, 4, 5), r(2, 3), r(2, 4))
    keep(nn.CosineSimilarity(), r(2, 3), r(2, 3))
    keep(nn.PairwiseDistance(), r(2, 3), r(2, 3))
    keep(nn.Sequential(nn.Linear(4, 6), nn.Unflatten(1, (2, 3)), nn.BatchNorm1d(2), nn.RMSNorm(3)), r(3, 4))
    keep(torch.nn.utils.weight_norm(nn.Linear(4, 6)), r(3, 4))
    keep(torch.nn.utils.spectral_norm(nn.Conv2d(4, 6, 3)), r(3, 4, 5, 5))
    keep(nn.DataParallel(nn.Linear(4, 4)), r(3, 4))
    keep(nn.Sequential(nn.ConvTranspose1d(3, 4, 3, stride=2), nn.BatchNorm1d(4), nn.MaxPool1d(2), nn.CircularPad1d(1),
                       nn.ReplicationPad1d(1), nn.ReflectionPad1d(2), nn.ConstantPad1d(1, 0.5), nn.ZeroPad1d(1),
                       nn.LPPool1d(2, 2), nn.AdaptiveMaxPool1d(1)), r(2, 3, 8))
    keep(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, padding_mode="circular"), nn.ChannelShuffle(2),
                       nn.CircularPad2d(1), nn.InstanceNorm2d(8), nn.UpsamplingNearest2d(scale_factor=2),
                       nn.AdaptiveMaxPool2d(1), nn.Softmax2d()), r(2, 3, 6, 6))
    keep(nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, padding_mode="replicate"), nn.Dropout2d(),
                       nn.UpsamplingBilinear2d(scale_factor=2), nn.AvgPool2d((1, 3), ceil_mode=True)), r(2, 3, 6, 6))
    keep(nn.Sequential(nn.ConvTranspose3d(2, 4, 2), nn.BatchNorm3d(4), nn.AvgPool3d(2, 1), nn.MaxPool3d(2, 1),
                       nn.ReplicationPad3d(1), nn.ReflectionPad3d(1), nn.ZeroPad3d(1), nn.ConstantPad3d(1, 2.),
                       nn.CircularPad3d(1), nn.InstanceNorm3d(4), nn.AdaptiveMaxPool3d(1)), r(2, 2, 4, 4, 4))
    keep(nn.TransformerDecoder(nn.TransformerDecoderLayer(8, 2, 16, batch_first=True), 1), r(2, 5, 8), r(2, 4, 8))
    keep(nn.GRU(4, 5, 2, bias=False, bidirectional=True, batch_first=True), r(2, 7, 4))
    keep(torch.fx.symbolic_trace(Own()), r(3, 4))


class Own(nn.Module):
    """Whose code torch.fx writes down."""

    def __init__(self) -> None:
        super().__init__()
        self.steps = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])
        self.w = nn.Parameter(r(4))

    def forward(self, x):  # type: ignore[no-untyped-def] # torch.fx would write annotations down
        for step in self.steps:
            x = torch.nn.functional.relu(step(x)) + self.w
        return x[:, 1:].sum(-1, keepdim=True) * 2 - x.view(x.size(0), -1)


def vision(out: Recording) -> None:
    from torchvision import models
    from torchvision.models import convnext, densenet, efficientnet, mobilenetv3, regnet, resnet, shufflenetv2, vgg
    few = {"num_classes": 5}
    keep, x = out.module, r(2, 3, 64, 64)
    keep("resnet", resnet.ResNet(resnet.BasicBlock, [1, 1, 1, 1], **few), x)
    keep("resnext", resnet.ResNet(resnet.Bottleneck, [1, 1, 1, 1], groups=8, width_per_group=2, **few), x)
    for name, model in (("vgg", vgg.VGG(vgg.make_layers([8, "M", 16, "M"], True), **few)),
                        ("alexnet", models.AlexNet(**few))):
        wide = next(m for m in model.classifier if isinstance(m, nn.Linear)).in_features
        model.avgpool = nn.AdaptiveAvgPool2d(1)
        model.classifier = nn.Sequential(nn.Dropout(), nn.Linear(16 if name == "vgg" else wide // 36, 5))
        keep(name, model, x)
    keep("mobilenet-v2", models.MobileNetV2(width_mult=0.2, **few), x)
    setting, last = mobilenetv3._mobilenet_v3_conf("mobilenet_v3_small", width_mult=0.25)
    keep("mobilenet-v3", models.MobileNetV3(setting, last, **few), x)
    keep("densenet", densenet.DenseNet(4, (2, 3), 8, **few), x)
    keep("squeezenet", models.SqueezeNet("1_1", **few), x)
    setting, last = efficientnet._efficientnet_conf("efficientnet_b0", width_mult=0.25, depth_mult=0.5)
    keep("efficientnet", models.EfficientNet(setting, 0.2, last_channel=last, **few), x)
    setting = [efficientnet.FusedMBConvConfig(2, 3, 1, 8, 8, 1), efficientnet.MBConvConfig(2, 3, 2, 8, 16, 2)]
    keep("efficientnet-v2", models.EfficientNet(setting, 0.2, last_channel=32, **few), x)
    block = convnext.CNBlockConfig
    keep("convnext", models.ConvNeXt([block(8, 16, 2), block(16, None, 1)], layer_scale=0.5, **few), x)
    keep("vit", models.VisionTransformer(32, 8, 2, 2, 16, 32, **few), r(2, 3, 32, 32))
    keep("shufflenet", shufflenetv2.ShuffleNetV2([2, 2, 2], [8, 8, 16, 32, 64], **few), x)
    keep("regnet", regnet.RegNet(regnet.BlockParams.from_init_params(4, 8, 8.0, 2.5, 8, se_ratio=0.25), **few), x)
    keep("mnasnet", models.MNASNet(0.25, **few), x)


def sources(out: Recording) -> None:
    import torch_nets as nets
    inputs = {"LeNet": r(2, 1, 32, 32), "Res": r(2, 3, 8, 8), "UNet": r(2, 3, 10, 12), "SE": r(2, 3, 5, 6),
              "RNNNet": torch.randint(0, 20, (2, 6)), "Attn": r(2, 5, 8), "Ops": r(3, 4), "Inherits": r(3, 4),
              "Many": r(4, 6), "Derived": r(2, 3, 6, 5),
              "Lengths": torch.tensor([[3, 9, 0, 0, 0], [7, 1, 2, 19, 0], [4, 0, 0, 0, 0]])}
    for name, x in inputs.items():
        out.module(name, getattr(nets, name)(), x, legacy=True)


def hugging_face(out: Recording) -> None:
    import transformers as t
    small = {"vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2,
             "intermediate_size": 24, "max_position_embeddings": 32}
    distil = t.DistilBertConfig(vocab_size=50, dim=16, n_layers=2, n_heads=2, hidden_dim=24, max_position_embeddings=32)
    roberta = t.RobertaConfig(**small, pad_token_id=1, type_vocab_size=1)
    rope = {"rope_type": "llama3", "rope_theta": 500., "factor": 4., "low_freq_factor": 1., "high_freq_factor": 4.,
            "original_max_position_embeddings": 16}
    llama3 = t.LlamaConfig(**{**small, "hidden_size": 64}, num_key_value_heads=1, tie_word_embeddings=True,
                           attention_bias=True, rope_parameters=rope)
    vit = t.ViTConfig(hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=24, image_size=32,
                      patch_size=8)
    sizes = {"embedding_size": 8, "hidden_sizes": [8, 16, 16], "depths": [1, 2, 1]}
    heads = "Model ForSequenceClassification ForMaskedLM ForTokenClassification ForQuestionAnswering".split()
    wanted = [(f"{stem}{head}", config) for stem, config in (("Bert", t.BertConfig(**small)), ("DistilBert", distil))
              for head in heads]
    wanted += [(f"Roberta{head}", roberta) for head in heads[:3]]
    wanted += [(f"GPT2{head}", t.GPT2Config(vocab_size=50, n_embd=16, n_layer=2, n_head=2, n_positions=32))
               for head in ("Model", "LMHeadModel")]
    wanted += [("LlamaModel", t.LlamaConfig(**small, num_key_value_heads=1)), ("LlamaForCausalLM", llama3),
               ("MistralForCausalLM", t.MistralConfig(**small, num_key_value_heads=1, sliding_window=None)),
               ("Qwen2ForCausalLM", t.Qwen2Config(**small, num_key_value_heads=1)),
               ("ViTModel", vit), ("ViTForImageClassification", vit),
               ("ResNetModel", t.ResNetConfig(**sizes, layer_type="bottleneck")),
               ("ResNetForImageClassification", t.ResNetConfig(**sizes, layer_type="basic"))]
    for name, config in wanted:
        folder(out, name, getattr(t, name)(config), config.model_type)


def folder(out: Recording, name: str, model: nn.Module, kind: str) -> None:
    patterned(model)
    with tempfile.TemporaryDirectory() as place:
        model.save_pretrained(place)
        for file in ("model.safetensors", "config.json"):
            out.files[f"{name}/{file}"] = (Path(place) / file).read_bytes()
    found: dict[str, np.ndarray] = {}
    for k, (batch, length) in enumerate([(1, 5), (3, 9), (2, 1)]):
        if kind in ("vit", "resnet"):
            given = {"pixel_values": r(batch, 3, 32, 32 if kind == "vit" else 32 + 16 * k)}
        else:
            ids, mask = torch.randint(3, 50, (batch, length)), torch.ones(batch, length, dtype=torch.long)
            if batch > 1 and length > 2:
                mask[1, -3:] = 0
            if kind == "roberta":
                ids[mask == 0] = 1
            given = {"input_ids": ids, "attention_mask": mask}
            if kind == "bert":
                given["token_type_ids"] = torch.randint(0, 2, (batch, length))
        with torch.no_grad():
            made = model(**given)
        found |= {f"{k}/in/{n}": v.numpy() for n, v in given.items()}
        found |= {f"{k}/out/{n}": v.numpy() for n, v in made.items() if isinstance(v, torch.Tensor)}
    out.arrays(f"{name}/case.npz", **found)


if __name__ == "__main__":
    for file, make in (("nn", layers), ("vision", vision), ("source", sources),
                       ("huggingface", hugging_face)):
        if not sys.argv[2:] or file in sys.argv[2:]:
            recording = Recording()
            make(recording)
            recording.write(Path(sys.argv[1]) / f"{file}.tar.xz")
