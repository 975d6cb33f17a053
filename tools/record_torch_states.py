"""Records modules of PyTorch that change when they are called: ``python tools/record_torch_states.py OUT.tar.xz``.

Each as a .pt2 file, as TorchScript and as a pickle with its code, with the answers of three calls one after the other.
The environment of tests/recorded/torch_files/states.tar.xz: Python 3.11, torch==2.13.0."""
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


class Writes(nn.Module):
    """Writes to its buffers."""

    def __init__(self):
        super().__init__()
        self.register_buffer("h", torch.zeros(1, 3))
        self.register_buffer("n", torch.tensor(0.0))
        self.fc = nn.Linear(3, 3)

    def forward(self, x):
        self.n += 1
        self.h.copy_(torch.tanh(self.fc(x) + self.h))
        return self.h * self.n


class Sets(nn.Module):
    """Sets its buffers anew."""

    def __init__(self):
        super().__init__()
        self.register_buffer("h", torch.zeros(1, 3))
        self.fc = nn.Linear(3, 3)

    def forward(self, x):
        old = self.h
        self.h = torch.tanh(self.fc(x) + self.h)
        return self.h + old


def main():
    files = {}
    for name, kind in (("writes", Writes), ("sets", Sets)):
        first = kind().eval()
        made = {"pt2": first, "pt": first, "pth": first}
        weights = {k: v.clone() for k, v in first.state_dict().items()}
        out = {k: io.BytesIO() for k in made}
        with torch.no_grad():
            torch.export.save(torch.export.export(first, (torch.randn(1, 3),)), out["pt2"])
            first.load_state_dict(weights)
            torch.jit.save(torch.jit.script(first), out["pt"])
            torch.save(first, out["pth"], _use_new_zipfile_serialization=False)
            xs = torch.randn(3, 1, 3)
            ys = torch.stack([first(x).clone() for x in xs])
        files.update({f"{name}.{k}": clean(buffer.getvalue()) for k, buffer in out.items()})
        arrays = io.BytesIO()
        np.savez_compressed(arrays, x=xs.numpy(), y=ys.numpy(), **{f"after_{k}": v.numpy() for k, v in
                                                                   first.state_dict().items()})
        files[f"{name}.npz"] = arrays.getvalue()
    write(sys.argv[1], files)
    print(torch.__version__, os.path.getsize(sys.argv[1]))


if __name__ == "__main__":
    main()
