"""Records small files of old versions of PyTorch, with their answers: ``python tools/record_old_torch.py OUT.tar.xz``.

Runs in throw-away environments on whatever Python has wheels of the versions wanted; nothing of modelport is imported.
The environments of tests/recorded/torch_files:

1.4   Python 3.8   torch==1.4.0 numpy==1.21.6
1.12  Python 3.10  torch==1.12.1 numpy==1.23.5
2.1   Python 3.11  torch==2.1.2 numpy==1.26.4
2.5   Python 3.12  torch==2.5.1 numpy==2.1.3
2.13  Python 3.11  torch==2.13.0"""
from __future__ import annotations

import io
import os
import sys
import warnings

import numpy as np
import torch
from torch import nn
from torch_files import clean, write

warnings.simplefilter("ignore")
torch.manual_seed(0)
FILES = {}  # type: dict


class Net(nn.Module):
    """A class of the user's own."""

    def __init__(self):
        super(Net, self).__init__()  # noqa: UP008 - as was written then
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.bn = nn.BatchNorm2d(6)
        self.conv2 = nn.Conv2d(6, 6, 3, stride=2, bias=False)
        self.fc = nn.Linear(6, 4)
        self.register_buffer("shift", torch.tensor([0.5, -0.5, 0.25, 1.0]))

    def forward(self, x):
        x = torch.nn.functional.relu(self.bn(self.conv1(x)))
        y = torch.nn.functional.max_pool2d(self.conv2(x), 2)
        y = y.view(y.size(0), y.size(1), -1).mean(2)
        if self.training:
            y = y * 2
        y = self.fc(y) + self.shift
        return torch.cat([y, torch.softmax(y, dim=1)], 1)


class Turning(nn.Module):
    """What a script can say and a trace cannot."""

    def __init__(self):
        super(Turning, self).__init__()  # noqa: UP008
        self.cells = nn.ModuleList([nn.Linear(4, 4) for _ in range(3)])

    def forward(self, x):
        # type: (torch.Tensor) -> torch.Tensor
        for cell in self.cells:
            x = torch.tanh(cell(x))
        if bool(x.sum() > 0):
            x = x * 2
        else:
            x = x - 1
        for k in range(x.size(1)):
            x = x + k
        return x


class Sentence(nn.Module):
    def __init__(self):
        super(Sentence, self).__init__()  # noqa: UP008
        self.words = nn.Embedding(20, 6)
        self.rnn = nn.LSTM(6, 5, batch_first=True, bidirectional=True)
        self.out = nn.Linear(10, 3)

    def forward(self, ids):
        y, _ = self.rnn(self.words(ids))
        return self.out(y)


def layers():
    return nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(True), nn.MaxPool2d(2),
                         nn.Conv2d(8, 8, 3, groups=4), nn.LeakyReLU(0.1), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
                         nn.Dropout(0.3), nn.Linear(32, 5), nn.Softmax(1))


def answer(model, x):
    with torch.no_grad():
        return model(x).numpy()


def keep(name, data, x=None, y=None, **more):
    FILES[name] = clean(data)
    if x is not None:
        buffer = io.BytesIO()
        np.savez_compressed(buffer, x=x.numpy(), y=y, **more)
        FILES[name.rpartition(".")[0] + ".npz"] = buffer.getvalue()
    print(name, len(data))


def saved(x, **how):
    buffer = io.BytesIO()
    torch.save(x, buffer, **how)
    return buffer.getvalue()


def tried(name, make, *args):
    try:
        make(*args)
    except Exception as e:
        print("left out:", name, type(e).__name__, str(e).splitlines()[0][:100])


def script(name, model, x, y):
    buffer = io.BytesIO()
    torch.jit.save(model, buffer)
    keep(name + ".pt", buffer.getvalue(), x, y)
    if hasattr(model, "_save_to_buffer_for_lite_interpreter"):
        keep(name + "-lite.ptl", model._save_to_buffer_for_lite_interpreter(), x, y)


def traced(name, model, x, y):
    script(name + "-traced", torch.jit.trace(model, x), x, y)


def scripted(name, model, x, y):
    script(name + "-scripted", torch.jit.script(model), x, y)


def exported(name, model, x, dynamic):
    buffer = io.BytesIO()
    if hasattr(torch.export, "Dim"):
        shapes = {k: torch.export.Dim("d" + str(k), min=2, max=64) for k in dynamic}
        program = torch.export.export(model, (x,), dynamic_shapes=(shapes,))
    else:
        program = torch.export.export(model, (x,))
    torch.export.save(program, buffer)
    keep(name + ".pt2", buffer.getvalue(), x, answer(model, x))


def main():
    image, rows, ids = torch.randn(2, 3, 9, 8), torch.randn(3, 4), torch.randint(0, 20, (2, 5))
    models = {"net": (Net(), image), "layers": (layers(), image), "sentence": (Sentence(), ids)}
    for name, (model, x) in models.items():
        for m in model.modules():
            if isinstance(m, nn.BatchNorm2d):
                m.running_mean.normal_()
                m.running_var.uniform_(0.5, 2)
        model.eval()
        y = answer(model, x)
        keep(name + ".pth", saved(model), x, y)
        keep(name + "-state.pth", saved(model.state_dict()))
        tried(name + " traced", traced, name, model, x, y)
        tried(name + " scripted", scripted, name, model, x, y)
        if hasattr(torch, "export"):
            tried(name + " exported", exported, name, model, x, (0,))
        if "_use_new_zipfile_serialization" in torch.save.__code__.co_varnames:
            keep(name + "-legacy.pth", saved(model, _use_new_zipfile_serialization=False), x, y)
    turning = Turning().eval()
    tried("turning", scripted, "turning", turning, rows, answer(turning, rows))
    base = torch.arange(24.0).reshape(4, 6)
    tensors = {"whole": base, "row": base[1], "column": base[:, 2], "turned": base.t(), "part": base[1:3, 2:5],
               "half": base.half(), "long": base.long(), "mask": base > 5, "none": torch.zeros(0, 3),
               "one": torch.tensor(7.5), "parameter": nn.Parameter(base[0].clone()),
               "bfloat16": base.to(torch.bfloat16), "repeated": base[0:1].expand(3, 6)}
    keep("views.pth", saved({"epoch": 3, "tensors": tensors}))
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **{k: v.detach().float().numpy() for k, v in tensors.items()})
    FILES["views.npz"] = buffer.getvalue()


if __name__ == "__main__":
    main()
    write(sys.argv[1], FILES)
    print(torch.__version__, os.path.getsize(sys.argv[1]))
