"""Records small quantized models of PyTorch, with their answers: ``python tools/record_quantized_torch.py OUT.tar.xz``.

Eager and torch.fx, static and dynamic, as pickled modules, state dicts and TorchScript.  Runs wherever PyTorch does;
nothing of modelport is imported.  The environments of tests/recorded/torch_files/quantized-*:

1.12  Python 3.10  torch==1.12.1 numpy==1.23.5
2.13  Python 3.11  torch==2.13.0"""
from __future__ import annotations

import io
import os
import sys
import warnings

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.ao import quantization as Q
from torch.ao.quantization import quantize_fx
from torch_files import clean, write

try:  # 1.13 and newer
    from torch.ao.nn.quantized import FloatFunctional
except ImportError:
    from torch.nn.quantized import FloatFunctional

warnings.simplefilter("ignore")
torch.manual_seed(0)
ENGINE = torch.backends.quantized.engine = "fbgemm"  # oneDNN, the usual one, is wrong about transposed convolutions
FILES = {}  # type: dict


class Net(nn.Module):
    """Convolutions, a shortcut, a concatenation, pools and a linear layer, as torchvision's quantized models."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
        self.c1, self.b1, self.r1 = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU()
        self.c2, self.b2 = nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.BatchNorm2d(8)
        self.add, self.cat, self.mul = FloatFunctional(), FloatFunctional(), FloatFunctional()
        self.gate, self.act = nn.Conv2d(8, 8, 1), nn.Hardsigmoid()
        self.up = nn.ConvTranspose2d(16, 4, 2, stride=2)
        self.b3 = nn.BatchNorm2d(4)
        self.fc = nn.Linear(4, 5)

    def forward(self, x):
        x = self.quant(x)
        a = self.r1(self.b1(self.c1(x)))
        b = self.b2(self.c2(a))
        y = self.add.add_relu(a, b)
        y = self.mul.mul(y, self.act(self.gate(F.adaptive_avg_pool2d(y, 1))))
        y = self.cat.cat([y, b], 1)
        y = F.max_pool2d(y, 2)
        y = self.b3(self.up(y))
        y = F.interpolate(y, scale_factor=2.0, mode="nearest")
        y = torch.flatten(F.adaptive_avg_pool2d(y, (1, 1)), 1)
        return self.dequant(self.fc(y))


class Rows(nn.Module):
    """One-dimensional layers, norms and activations."""

    def __init__(self):
        super().__init__()
        self.quant, self.dequant = Q.QuantStub(), Q.DeQuantStub()
        self.conv, self.relu = nn.Conv1d(4, 6, 3, stride=2), nn.ReLU()
        self.norm, self.elu, self.leaky = nn.LayerNorm(6), nn.ELU(), nn.LeakyReLU(0.1)
        self.group = nn.GroupNorm(2, 6)
        self.fc, self.fr = nn.Linear(6, 6), nn.ReLU()
        self.swish, self.tanh = nn.Hardswish(), nn.Tanh()

    def forward(self, x):
        x = self.relu(self.conv(self.quant(x)))
        x = self.leaky(self.group(x)).permute(0, 2, 1)
        x = self.swish(self.norm(self.elu(x)))
        x = self.fr(self.fc(x))
        return self.dequant(self.tanh(x)[:, 1:].reshape(x.shape[0], -1))


class Whole(nn.Module):
    """What torch.fx quantizes with no more said: functions and operators too."""

    def __init__(self):
        super().__init__()
        self.w, self.b = nn.Parameter(torch.randn(4, 3, 3, 3)), nn.Parameter(torch.randn(4))
        self.c, self.n, self.l = nn.Conv2d(4, 4, 1), nn.BatchNorm2d(4), nn.Linear(4, 3)

    def forward(self, x):
        x = F.relu(F.conv2d(x, self.w, self.b, (1, 1), (1, 1), (1, 1), 1))
        x = F.relu(self.n(self.c(x)) + x)
        x = torch.cat([x, x * 0.5], 1)[:, 2:6]
        return F.softmax(self.l(x.mean([2, 3])), 1)


class Steps(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.LSTM(4, 6, 2, bidirectional=True)
        self.g, self.f = nn.GRU(12, 5, batch_first=False), nn.Linear(5, 3)

    def forward(self, x):
        y, _ = self.l(x)
        y, h = self.g(y)
        return self.f(y), h


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(10, 8)
        self.f = nn.Linear(8, 3)

    def forward(self, ids):
        return self.f(self.e(ids).sum(1))


def listed(y):
    return [y] if isinstance(y, torch.Tensor) else list(y)


def keep(name, data, x=None, y=None):
    FILES[name] = clean(data)
    if x is not None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=x.numpy(), **{"y" + str(k): v.detach().numpy() for k, v in enumerate(listed(y))})
        FILES[name.rpartition(".")[0] + ".npz"] = buffer.getvalue()
    print(name, len(data))


def written(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def recorded(name, model, x):
    with torch.no_grad():
        y = model(x)
        keep(name + ".pth", written(lambda f: torch.save(model, f)), x, y)
        keep(name + "-legacy.pth", written(lambda f: torch.save(model, f, _use_new_zipfile_serialization=False)), x, y)
        keep(name + "-state.pth", written(lambda f: torch.save(model.state_dict(), f)))
        for how, make in (("traced", lambda: torch.jit.trace(model, x)), ("scripted", lambda: torch.jit.script(model)),
                          ("frozen", lambda: torch.jit.freeze(torch.jit.script(model)))):
            try:
                made = make()
                data = written(lambda f, made=made: torch.jit.save(made, f))
                again = torch.jit.load(io.BytesIO(data))(x)  # torch.jit.script does not fit all quantized modules
                if not all(torch.equal(a, b) for a, b in zip(listed(y), listed(again))):  # noqa: B905 - of Python 3.8
                    raise ValueError("another answer")
            except Exception as e:
                print("left out:", name, how, type(e).__name__, str(e).splitlines()[0][:100])
                continue
            keep(name + "-" + how + ".pt", data, x, y)


def settled(model):
    for m in model.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2)
    return model.eval()


def main():
    image, rows = torch.randn(2, 3, 8, 8), torch.randn(3, 4, 9)
    net = Q.fuse_modules(settled(Net()), [["c1", "b1", "r1"], ["c2", "b2"]])
    model = settled(Rows())
    model = Q.fuse_modules(model, [["conv", "relu"], ["fc", "fr"]])
    for name, m, x in (("net", net, image), ("rows", model, rows)):
        m.qconfig = Q.get_default_qconfig(ENGINE)
        if name == "net":  # transposed convolutions have no weights by channel
            m.up.qconfig = Q.QConfig(activation=m.qconfig.activation, weight=Q.default_weight_observer)
        m = Q.prepare(m)
        for _ in range(4):
            m(torch.randn_like(x))
        recorded(name, Q.convert(m), x)
    model, name = settled(Whole()), Q.get_default_qconfig(ENGINE)
    if hasattr(Q, "get_default_qconfig_mapping"):
        p = quantize_fx.prepare_fx(model, Q.get_default_qconfig_mapping(ENGINE), (image,))
    else:
        p = quantize_fx.prepare_fx(model, {"": name})
    for _ in range(4):
        p(torch.randn_like(image))
    recorded("fx", quantize_fx.convert_fx(p), image)
    steps, small = torch.randn(7, 2, 4), torch.randn(3, 4)
    recorded("steps", Q.quantize_dynamic(Steps().eval(), {nn.LSTM, nn.GRU, nn.Linear}, dtype=torch.qint8), steps)
    recorded("cells", Q.quantize_dynamic(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).eval(), {nn.Linear},
                                         dtype=torch.qint8), small)
    recorded("half", Q.quantize_dynamic(nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)).eval(), {nn.Linear},
                                        dtype=torch.float16), small)
    words = Words().eval()
    words.e.qconfig = Q.float_qparams_weight_only_qconfig
    recorded("words", Q.convert(Q.prepare(words)), torch.randint(0, 10, (2, 3)))
    weights, by = torch.randn(4, 3), torch.tensor([0.01, 0.02, 0.005, 0.03])
    tensors = {"tensor": torch.quantize_per_tensor(weights, 0.02, 100, torch.quint8),
               "channels": torch.quantize_per_channel(weights, by, torch.tensor([0, 3, -5, 1]), 0, torch.qint8),
               "turned": torch.quantize_per_tensor(weights, 0.02, 0, torch.qint8).t(),
               "wide": torch.quantize_per_tensor(weights, 1e-6, 0, torch.qint32)}
    keep("tensors.pth", written(lambda f: torch.save(tensors, f)))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{k: v.dequantize().numpy() for k, v in tensors.items()})
    FILES["tensors.npz"] = buffer.getvalue()


if __name__ == "__main__":
    main()
    write(sys.argv[1], FILES)
    print(torch.__version__, os.path.getsize(sys.argv[1]))
