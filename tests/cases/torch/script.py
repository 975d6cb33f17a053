"""What torch.jit.script compiles: conditions, loops and lists that depend on sizes and on values."""
from __future__ import annotations

from typing import Any

from . import Family

FAMILY = Family()


def F(name: str, expression: str, inputs: str, **how: Any) -> None:
    FAMILY.case(name, expression, inputs, forms=("script",), **how)


F("plain", "torch.relu(x @ y) + 1", "f[3,4] f[4,5]")
F("if/rank", "if x.dim() == 2:\n    z = x.sum(1)\nelse:\n    z = x\nz", "f[3,4]")
F("if/size", "if x.size(0) > 2:\n    z = x * 2\nelse:\n    z = x - 1\nz", "f[3,4]")
F("if/value", "if bool(x.sum() > 0):\n    z = x * 2\nelse:\n    z = x - 1\nz", "f[3,4]")
F("if/two", "if bool(x.sum() > y.sum()):\n    a = x\n    b = y * 2\nelse:\n    a = y\n    b = x - 1\na - b", "f[3,4] f[3,4]")
F("if/nested", "z = x\nif bool(x.sum() > 0):\n    if bool(x.max() > 1):\n        z = x * 2\n    else:\n        z = x * 3\nz",
  "f[3,4]")
F("if/number", "n = 1\nif bool(x.sum() > 0):\n    n = 5\nx * n", "f[3,4]")
F("if/raise", "if x.size(1) < 2:\n    raise ValueError('too small')\nx + 1", "f[3,4]")
F("if/logic", "if bool(x.sum() > 0) and bool(x.max() < 3):\n    z = x * 2\nelse:\n    z = -x\nz", "f[3,4]")
F("if/return", "if bool(x.sum() > 0):\n    return x * 2\nz = x - 1\nz", "f[3,4]")
F("if/none", "w: Optional[torch.Tensor] = None\nif w is None:\n    w = x * 0\nx + w", "f[3,4]")
F("for/fixed", "z = x\nfor i in range(3):\n    z = z * 0.5 + i\nz", "f[3,4]")
F("for/size", "z = torch.zeros_like(x[0])\nfor i in range(x.size(0)):\n    z = z * 0.5 + x[i]\nz", "f[3,4]")
F("for/list", "out = []\nfor i in range(x.size(0)):\n    out.append(x[i] * i)\ntorch.stack(out)", "f[3,4]")
F("for/cat", "out = []\nh = torch.zeros(4)\nfor i in range(x.size(0)):\n    h = torch.tanh(h + x[i])\n"
  "    out.append(h.unsqueeze(0))\ntorch.cat(out, 0), h", "f[3,4]=.1,.2,.3,.4,.5,.6,.7,.8,.9,1,1.1,1.2")
F("for/fixed list", "out = []\nfor k in [1, 2, 3]:\n    out.append(x * k)\ntorch.stack(out, 1)", "f[3,4]")
F("for/enumerate", "z = x\nfor i, k in enumerate([0.5, 2.0]):\n    z = z * k + i\nz", "f[3,4]")
F("for/steps", "z = torch.zeros(1)\nfor i in range(1, x.size(0), 2):\n    z = z + x[i].sum()\nz", "f[5,4]")
F("for/break", "z = x\nfor i in range(5):\n    if i == 2:\n        break\n    z = z + 1\nz", "f[3,4]")
F("while", "z = x\nwhile bool(z.abs().max() > 0.5):\n    z = z * 0.5\nz", "f[3,4]")
F("while/count", "z = x\nn = 0\nwhile n < 4:\n    z = z + n\n    n += 1\nz", "f[3,4]")
F("dict", "d = {'a': x, 'b': x * 2}\nd['a'] + d['b']", "f[3,4]")
F("tuple", "a, b = x.split(2, 1)\na * b", "f[3,4]=1,2,3,4,5,6,7,8,9,10,11,12")
F("list", "xs = [x, x * 2]\nxs.append(x * 3)\ntorch.cat(xs[1:], 1)", "f[3,4]")
F("shape", "b, n = x.shape\nx.reshape(b * n)", "f[3,4]")
F("shape/arithmetic", "x.view(x.size(0) * 2, x.size(1) // 2)", "f[3,4]=1,2,3,4,5,6,7,8,9,10,11,12")
F("string", "mode = 'mul'\nif mode == 'mul':\n    z = x * 2\nelse:\n    z = x\nz", "f[3,4]")
F("inplace", "z = x.clone()\nz[0] = 1.0\nz.add_(1)\nz[:, 1] *= 2\nz", "f[3,4]")
F("item", "n = int(x.sum().item())\nx * n", "f[3,4]")
F("len", "x[: len(x) - 1]", "f[3,4]")
F("functional", "F.layer_norm(F.gelu(x), [4])", "f[3,4]=1,2,3,4,5,6,7,8,9,10,11,12")
F("interpolate", "F.interpolate(x, scale_factor=2.0, mode='nearest')", "f[1,2,3,4]")
F("pad", "F.pad(x, [1, 2])", "f[3,4]")
F("cast", "x.to(torch.int64).to(torch.float32)", "f[3,4]-9:9")
F("type", "if x.dtype == torch.float32:\n    z = x * 2\nelse:\n    z = x\nz", "f[3,4]")

PACKED = """w = [torch.sin(torch.arange(48.0)).view(16, 3), torch.cos(torch.arange(64.0)).view(16, 4)]
p = nn.utils.rnn.pack_padded_sequence(x[:, :, :3], torch.arange({lengths}), {how})
a, b, c = torch.lstm(p.data, p.batch_sizes, [torch.zeros([1, {batch}, 4]), torch.ones([1, {batch}, 4])], w, False,
                     1, 0.0, False, False)
q = nn.utils.rnn.PackedSequence(a, p.batch_sizes, p.sorted_indices, p.unsorted_indices)
nn.utils.rnn.pad_packed_sequence(q, {more}), b"""
F("packed", PACKED.format(lengths="1, x.size(0) + 1", batch="x.size(0)", how="True, False", more="True"), "f[3,5,3]")
F("packed/ordered", PACKED.format(lengths="x.size(1), 0, -1", batch="x.size(1)", how="False, True",
                                  more="False, 0.5, 9"), "f[5,3,3]")
F("packed/list", "p = nn.utils.rnn.pack_padded_sequence(x, [3, 1, 1], True)\n"
  "nn.utils.rnn.pad_packed_sequence(p, True)", "f[3,5,2]=" + ",".join(str(k % 7 / 7 - 0.4) for k in range(30)))


def M(name: str, expression: str, inputs: str) -> None:
    FAMILY.module(f"nn/{name}", expression, inputs, forms=("script",))


M("Sequential", "nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(),"
  " nn.Linear(36, 5), nn.Softmax(1))", "f[2,3,6,6]=" + ",".join(str(k % 17 / 7) for k in range(216)))
M("TransformerEncoder", "nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)", "f[2,5,8]="
  + ",".join(str(k % 13 / 5) for k in range(80)))
M("MultiheadAttention", "nn.MultiheadAttention(8, 2)", "f[5,2,8]=" + ",".join(str(k % 13 / 5) for k in range(80)) +
  " f[5,2,8]=" + ",".join(str(k % 11 / 5) for k in range(80)) + " f[5,2,8]=" + ",".join(
      str(k % 7 / 5) for k in range(80)))
M("LSTM", "nn.Sequential(nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True))", "f[2,5,4]=" + ",".join(
    str(k % 13 / 5) for k in range(40)))
M("GRU", "nn.Sequential(nn.GRU(4, 3))", "f[5,2,4]=" + ",".join(str(k % 13 / 5) for k in range(40)))
M("LayerNorm", "nn.LayerNorm(4)", "f[2,4]=1,2,3,4,5,6,7,9")
M("AdaptiveAvgPool2d", "nn.AdaptiveAvgPool2d(1)", "f[2,3,4,5]")
M("Upsample", "nn.Upsample(scale_factor=2, mode='bilinear')", "f[1,2,3,4]")
M("Dropout", "nn.Sequential(nn.Linear(4, 3), nn.Dropout(), nn.GELU())", "f[2,4]=1,2,3,4,5,6,7,9")
M("Embedding", "nn.Embedding(9, 4)", "i[2,3]0:9")
M("GroupNorm", "nn.GroupNorm(2, 4)", "f[2,4,3]=" + ",".join(str(k % 13 / 5) for k in range(24)))
M("ConvTranspose2d", "nn.ConvTranspose2d(2, 3, 3, stride=2)", "f[1,2,3,3]=" + ",".join(str(k / 5) for k in range(18)))
