"""Combinations of torch.nn's modules, and models of torchvision and timm, for :mod:`torch_models`."""
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


def image(side: int, channels: int = 3) -> Callable[..., Any]:
    return lambda batch, length: (torch.randn(batch, channels, side, side,
                                              generator=torch.Generator().manual_seed(batch)),)


def video(side: int, frames: int) -> Callable[..., Any]:
    return lambda batch, length: (torch.randn(batch, 3, frames, side, side,
                                              generator=torch.Generator().manual_seed(batch)),)


def steps(width: int) -> Callable[..., Any]:
    return lambda batch, length: (torch.randn(batch, length, width,
                                              generator=torch.Generator().manual_seed(batch + length)),)


def signal(channels: int) -> Callable[..., Any]:
    return lambda batch, length: (torch.randn(batch, channels, 8 * length,
                                              generator=torch.Generator().manual_seed(batch + length)),)


def rows(width: int) -> Callable[..., Any]:
    return lambda batch, length: (torch.randn(batch, width, generator=torch.Generator().manual_seed(batch)),)


def words(batch: int, length: int) -> tuple[Any, ...]:
    return (torch.randint(0, 50, (batch, length), generator=torch.Generator().manual_seed(batch + length)),)


class Recurrent(nn.Module):
    """Words through a recurrent layer to classes."""

    def __init__(self, kind: str, **how: Any) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 8)
        self.rnn = getattr(nn, kind)(8, 12, batch_first=True, **how)
        self.head = nn.Linear((how.get("proj_size") or 12) * (1 + how.get("bidirectional", False)), 5)

    def forward(self, x: Any) -> Any:
        y, state = self.rnn(self.embed(x))
        return self.head(y), state


class UNet(nn.Module):
    def __init__(self, mode: str) -> None:
        super().__init__()
        self.down = nn.ModuleList([nn.Sequential(nn.Conv2d(a, b, 3, padding=1), nn.BatchNorm2d(b), nn.ReLU())
                                   for a, b in ((3, 8), (8, 16), (16, 24))])
        self.up = nn.ModuleList([nn.ConvTranspose2d(a, b, 2, 2) if mode == "transpose" else nn.Sequential(
            nn.Upsample(scale_factor=2, mode=mode), nn.Conv2d(a, b, 1)) for a, b in ((24, 16), (16, 8))])
        self.mix = nn.ModuleList([nn.Conv2d(2 * b, b, 3, padding=1) for b in (16, 8)])
        self.head = nn.Conv2d(8, 4, 1)

    def forward(self, x: Any) -> Any:
        kept = []
        for k, layer in enumerate(self.down):
            x = layer(x if not k else F.max_pool2d(x, 2))
            kept.append(x)
        for layer, mix, old in zip(self.up, self.mix, kept[-2::-1], strict=True):
            x = F.relu(mix(torch.cat([layer(x), old], 1)))
        return self.head(x)


class Residual(nn.Module):
    def __init__(self, norm: Callable[[int], nn.Module], act: nn.Module) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 16, 3, 2, 1)
        self.blocks = nn.ModuleList([nn.Sequential(nn.Conv2d(16, 16, 3, padding=1, bias=False), norm(16), act,
                                                   nn.Conv2d(16, 16, 3, padding=1, groups=4), norm(16))
                                     for _ in range(2)])
        self.act, self.head = act, nn.Linear(16, 10)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        for block in self.blocks:
            x = self.act(x + block(x))
        return self.head(F.adaptive_avg_pool2d(x, 1).flatten(1)).softmax(-1)


class Translator(nn.Module):
    """Both halves of nn.Transformer."""

    def __init__(self, **how: Any) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.inner = nn.Transformer(16, 4, 2, 2, 32, batch_first=True, **how)

    def forward(self, x: Any) -> Any:
        y = self.embed(x)
        mask = torch.triu(torch.full((x.shape[1], x.shape[1]), float("-inf")), 1)
        return self.inner(y, y, tgt_mask=mask, tgt_is_causal=True)


class Encoder(nn.Module):
    def __init__(self, padded: bool = False, **how: Any) -> None:
        super().__init__()
        self.embed = nn.Embedding(50, 16)
        self.inner = nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 4, 32, batch_first=True, **how), 2)
        self.padded = padded

    def forward(self, x: Any) -> Any:
        mask = (x == 0) if self.padded else None
        return self.inner(self.embed(x), src_key_padding_mask=mask)


class Attention(nn.Module):
    def __init__(self, **how: Any) -> None:
        super().__init__()
        self.inner = nn.MultiheadAttention(16, 4, batch_first=True, **how)

    def forward(self, x: Any) -> Any:
        return self.inner(x, x, x)


class Rotary(nn.Module):
    """Rotary embeddings by complex numbers, as Llama's own code has them."""

    def forward(self, x: Any) -> Any:
        n, d = x.shape[1], x.shape[2]
        angles = torch.outer(torch.arange(n).float(), 10000.0 ** (-torch.arange(0, d, 2).float() / d))
        turned = torch.polar(torch.ones_like(angles), angles)
        y = torch.view_as_complex(x.reshape(x.shape[0], n, d // 2, 2)) * turned
        return torch.view_as_real(y).flatten(2)


class Spectrogram(nn.Module):
    def __init__(self, bins: int = 16) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(32))
        self.register_buffer("mel", torch.rand(17, bins))

    def forward(self, x: Any) -> Any:
        z = torch.stft(x, 32, 8, window=self.window, return_complex=True)
        power = z.abs() ** 2
        return torch.log(power.transpose(1, 2) @ self.mel + 1e-3)


class SpatialTransformer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.where = nn.Sequential(nn.Conv2d(3, 4, 5, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
                                   nn.Linear(64, 6))

    def forward(self, x: Any) -> Any:
        theta = self.where(x).view(-1, 2, 3)
        return F.grid_sample(x, F.affine_grid(theta, x.shape, align_corners=False), align_corners=False)


class Mixture(nn.Module):
    """Experts, all computed and weighted."""

    def __init__(self) -> None:
        super().__init__()
        self.gate, self.w = nn.Linear(16, 4), nn.Parameter(torch.randn(4, 16, 16))

    def forward(self, x: Any) -> Any:
        p, at = self.gate(x).softmax(-1).topk(2, -1)
        weights = torch.zeros(x.shape[0], 4).scatter(1, at, p)
        return torch.einsum("be,bi,eio->bo", weights, x, self.w)


class Variational(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.enc, self.dec = nn.Linear(12, 8), nn.Sequential(nn.Linear(4, 16), nn.ELU(), nn.Linear(16, 12))

    def forward(self, x: Any) -> Any:
        mean, log = self.enc(x).chunk(2, -1)
        return torch.sigmoid(self.dec(mean)), mean, log.exp()


class TemporalConv(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv1d(6, 6, 3, dilation=2 ** k) for k in range(3)])

    def forward(self, x: Any) -> Any:
        for k, layer in enumerate(self.layers):
            x = x + torch.tanh(layer(F.pad(x, (2 ** (k + 1), 0))))
        return x


class TwoTower(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.EmbeddingBag(50, 8), nn.Linear(8, 8)

    def forward(self, x: Any) -> Any:
        v = self.a(x)
        return F.cosine_similarity(v, self.b(v)), torch.cdist(v, self.b(v))


def mlp(act: nn.Module) -> Any:
    return nn.Sequential(nn.Linear(12, 24), act, nn.LayerNorm(24), nn.Dropout(0.3), nn.Linear(24, 5))


def _combinations() -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name in ("ReLU", "GELU", "SiLU", "Mish", "ELU", "SELU", "CELU", "Softplus", "Hardswish", "Hardsigmoid",
                 "LeakyReLU", "PReLU", "Tanh", "LogSigmoid", "Softsign", "Tanhshrink", "GLU"):
        act = getattr(nn, name)
        out[f"nn/mlp {name}"] = (lambda a: lambda: (nn.Sequential(nn.Linear(12, 24), a(), nn.Linear(12, 5))
                                                    if a is nn.GLU else mlp(a()), rows(12), "fixed"))(act)
    for kind in ("LSTM", "GRU", "RNN"):
        for label, how in {"": {}, " bidirectional": {"bidirectional": True, "num_layers": 2},
                           " no bias": {"bias": False}}.items():
            out[f"nn/{kind}{label}"] = (lambda k, h: lambda: (Recurrent(k, **h), words, "length"))(kind, how)
    out["nn/LSTM projected"] = lambda: (Recurrent("LSTM", proj_size=6, num_layers=2), words, "length")
    out["nn/RNN relu"] = lambda: (Recurrent("RNN", nonlinearity="relu"), words, "length")
    for mode in ("transpose", "nearest", "bilinear", "bicubic"):
        out[f"nn/UNet {mode}"] = (lambda m: lambda: (UNet(m), image(32), "fixed"))(mode)
    norms: dict[str, Any] = {"BatchNorm": nn.BatchNorm2d, "InstanceNorm": lambda c: nn.InstanceNorm2d(c, affine=True),
                             "GroupNorm": lambda c: nn.GroupNorm(4, c),
                             "LocalResponseNorm": lambda c: nn.LocalResponseNorm(5)}
    for label, norm in norms.items():
        out[f"nn/residual {label}"] = (lambda n: lambda: (Residual(n, nn.ReLU()), image(24), "fixed"))(norm)
    out["nn/Transformer"] = lambda: (Translator(), words, "length")
    out["nn/Transformer norm first"] = lambda: (Translator(norm_first=True, activation="gelu"), words, "length")
    out["nn/TransformerEncoder"] = lambda: (Encoder(), words, "length")
    out["nn/TransformerEncoder padded"] = lambda: (Encoder(True, activation="gelu"), words, "length")
    out["nn/TransformerEncoder norm first"] = lambda: (Encoder(norm_first=True), words, "length")
    out["nn/MultiheadAttention"] = lambda: (Attention(), steps(16), "length")
    out["nn/MultiheadAttention extra"] = lambda: (Attention(add_bias_kv=True, add_zero_attn=True), steps(16), "length")
    out["nn/rotary complex"] = lambda: (Rotary(), steps(8), "length")
    out["nn/spectrogram"] = lambda: (Spectrogram(), lambda b, n: (signal(1)(b, n)[0][:, 0],), "length")
    out["nn/spatial transformer"] = lambda: (SpatialTransformer(), image(20), "fixed")
    out["nn/mixture of experts"] = lambda: (Mixture(), rows(16), "fixed")
    out["nn/variational"] = lambda: (Variational(), rows(12), "fixed")
    out["nn/temporal convolutions"] = lambda: (TemporalConv(), signal(6), "length")
    out["nn/two towers"] = lambda: (TwoTower(), words, "fixed")
    out["nn/convolutions 3d"] = lambda: (nn.Sequential(nn.Conv3d(3, 8, 3, padding=1), nn.BatchNorm3d(8), nn.ReLU(),
                                                       nn.MaxPool3d(2), nn.AdaptiveAvgPool3d((1, 2, 2)), nn.Flatten(),
                                                       nn.Linear(32, 4)), video(8, 4), "fixed")
    out["nn/super resolution"] = lambda: (nn.Sequential(nn.Conv2d(3, 12, 5, padding=2), nn.PReLU(12),
                                                        nn.Conv2d(12, 12, 3, padding=1), nn.PixelShuffle(2)),
                                          image(16), "fixed")
    return out


VISION = """alexnet convnext_tiny densenet121 efficientnet_b0 efficientnet_v2_s googlenet inception_v3
    mnasnet0_5 mnasnet1_0 mobilenet_v2 mobilenet_v3_small mobilenet_v3_large regnet_x_400mf regnet_y_400mf
    resnet18 resnet34 resnet50 resnext50_32x4d shufflenet_v2_x0_5 shufflenet_v2_x1_0 squeezenet1_0 squeezenet1_1
    swin_t swin_v2_t vgg11_bn vit_b_32 maxvit_t wide_resnet50_2""".split()
SIDES = {"inception_v3": 96, "vit_b_32": 224, "maxvit_t": 224}
SEGMENTATION = "deeplabv3_mobilenet_v3_large fcn_resnet50 lraspp_mobilenet_v3_large".split()
VIDEO = {"r3d_18": (32, 4), "mc3_18": (32, 4), "r2plus1d_18": (32, 4), "swin3d_t": (32, 4)}
TIMM = """test_vit test_vit2 test_vit3 test_vit4 test_resnet test_efficientnet test_efficientnet_ln
    test_efficientnet_gn test_efficientnet_evos test_convnext test_convnext2 test_convnext3 test_byobnet
    test_mambaout test_nfnet tf_efficientnet_lite0 mobilenetv4_conv_small efficientvit_b0 efficientvit_m0
    mobileone_s0 repvgg_a0 fastvit_t8 ghostnet_050 ghostnetv2_100 lcnet_050 tinynet_e mixnet_s hardcorenas_a
    fbnetc_100 semnasnet_075 spnasnet_100 rexnet_100 resnet10t resnetv2_50d_gn skresnet18 seresnet18
    ecaresnet26t res2net50_14w_8s resnest14d gcresnext26ts botnet26t_256 halonet26t lambda_resnet26t
    convnext_atto convnextv2_atto edgenext_xx_small mobilevit_xxs mobilevitv2_050 poolformer_s12
    poolformerv2_s12 convformer_s18 caformer_s18 pvt_v2_b0 twins_pcpvt_small twins_svt_small cait_xxs24_224
    xcit_nano_12_p16_224 deit_tiny_patch16_224 vit_tiny_patch16_224 mixer_s32_224 gmlp_ti16_224 resmlp_12_224
    convmixer_768_32 crossvit_tiny_240 coat_lite_tiny levit_128s pit_ti_224 tiny_vit_5m_224 efficientformer_l1
    efficientformerv2_s0 swin_tiny_patch4_window7_224 swinv2_cr_tiny_ns_224 maxvit_nano_rw_256
    coatnet_nano_rw_224 nest_tiny visformer_tiny volo_d1_224 sequencer2d_s beit_base_patch16_224
    eva02_tiny_patch14_224 focalnet_tiny_srf davit_tiny gcvit_xxtiny hrnet_w18_small dla34 dpn48b vovnet39a
    selecsls42b cspresnet50 darknet53 nf_regnet_b0 inception_next_atto repghostnet_050 repvit_m0_9 starnet_s1
    hgnetv2_b0 mambaout_femto rdnet_tiny inception_v4 xception41 densenet121 regnety_002 regnetz_b16 vgg11
    legacy_seresnet18 tresnet_m ese_vovnet19b_dw pnasnet5large hiera_tiny_224 swiftformer_xs shvit_s1
    tnt_s_patch16_224 mvitv2_tiny naflexvit_base_patch16_gap crossvit_9_240 convit_tiny resnet18d resnet26
    resnext26ts""".split()
LARGE = frozenset("pnasnet5large beit_base_patch16_224 naflexvit_base_patch16_gap".split())
"""Over a minute each."""


def _torchvision(name: str) -> Any:
    import torchvision
    side = SIDES.get(name, 64)
    how = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    return torchvision.models.get_model(name, weights=None, **how), image(side), "fixed"


class Out(nn.Module):
    """The segmentation, of a dictionary."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Any) -> Any:
        return self.inner(x)["out"]


def _segmentation(name: str) -> Any:
    import torchvision
    return Out(torchvision.models.get_model(name, weights=None, weights_backbone=None)), image(64), "fixed"


def _video(name: str) -> Any:
    import torchvision
    return torchvision.models.get_model(name, weights=None), video(*VIDEO[name]), "fixed"


def _timm(name: str) -> Any:
    import timm
    module = timm.create_model(name, pretrained=False)
    side = module.pretrained_cfg["input_size"][-1]
    if side > 96:  # smaller images take less time, where a model takes them
        try:
            smaller = timm.create_model(name, pretrained=False)
            with torch.no_grad():
                smaller.eval()(torch.zeros(1, 3, 96, 96))
            module, side = smaller, 96
        except Exception:
            pass
    return module, image(side), "fixed"


def _there(name: str) -> bool:
    """Whether a library can be imported."""
    try:
        __import__(name)
    except (ImportError, RuntimeError):
        return False
    return True


def _declared() -> Any:
    """A build of torchvision for another device lacks its own operators here, which none of these models calls: they
    get a declaration, for as long as the result lives."""
    from importlib.util import find_spec
    if find_spec("torchvision") is None:
        return None
    library = torch.library.Library("torchvision", "FRAGMENT")
    names = ("roi_align", "ps_roi_align", "roi_pool", "ps_roi_pool", "deform_conv2d")
    for name in ("nms", "qnms", *names, *(f"_{n}_backward" for n in names)):
        if not hasattr(torch.ops.torchvision, name):
            library.define(f"{name}(Tensor x) -> Tensor")
    return library


_LIBRARY = _declared()


def models() -> dict[str, Any]:
    """Name -> a function that makes the module, its inputs by batch and length, and what is dynamic."""
    out = _combinations()
    if _there("torchvision"):
        for names, make in ((VISION, _torchvision), (SEGMENTATION, _segmentation), (VIDEO, _video)):
            for n in names:
                out[f"torchvision/{n}"] = (lambda m, k: lambda: m(k))(make, n)
        if _there("timm"):
            import timm
            known = set(timm.list_models())
            for n in TIMM:
                if n in known and n not in LARGE:
                    out[f"timm/{n}"] = (lambda k: lambda: _timm(k))(n)
    return out
