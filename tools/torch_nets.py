"""Modules as people write them, for ``tools/record_torch_modules.py``: files in the format before 1.6 hold their text."""
# ruff: noqa
# mypy: ignore-errors
import math, torch
import torch.nn as nn
import torch.nn.functional as F
import numpy as np

class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 6, 5); self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16*5*5, 20); self.fc2 = nn.Linear(20, 10)
        self.drop = nn.Dropout2d()
    def num_flat_features(self, x):
        size = x.size()[1:]
        num_features = 1
        for s in size:
            num_features *= s
        return num_features
    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
        x = F.max_pool2d(F.relu(self.drop(self.conv2(x))), 2)
        x = x.view(-1, self.num_flat_features(x))
        x = F.relu(self.fc1(x))
        x = F.dropout(x, training=self.training)
        return F.log_softmax(self.fc2(x), dim=1)

class Block(nn.Module):
    expansion = 1
    def __init__(self, a, b, s=1):
        super().__init__()
        self.conv = nn.Conv2d(a, b, 3, s, 1, bias=False); self.bn = nn.BatchNorm2d(b)
        self.relu = nn.ReLU(inplace=True)
        self.shortcut = nn.Sequential()
        if s != 1 or a != self.expansion * b:
            self.shortcut = nn.Sequential(nn.Conv2d(a, b, 1, s), nn.BatchNorm2d(b))
    def forward(self, x):
        identity = x
        out = self.relu(x)
        out = self.bn(self.conv(out))
        out += self.shortcut(identity)
        out = F.relu(out)
        return out

class Res(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.layers = nn.ModuleList([Block(4, 4), Block(4, 8, 2)])
        self.linear = nn.Linear(8, 3)
    def forward(self, x):
        assert x.shape[1] == 3, f"bad {x.shape}"
        out = self.stem(x)
        feats = []
        for i, l in enumerate(self.layers):
            out = l(out)
            feats.append(out)
        out = F.avg_pool2d(out, out.size()[3])
        out = out.view(out.size(0), -1)
        return {'logits': self.linear(out), 'first': feats[0].mean([2, 3])}

class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.d = nn.ModuleDict({'a': nn.Conv2d(3, 4, 3, padding=1), 'b': nn.Conv2d(4, 8, 3, padding=1)})
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2); self.out = nn.Conv2d(8, 2, 1)
    def forward(self, x):
        x1 = torch.relu(self.d['a'](x))
        x2 = self.d["b"](F.max_pool2d(x1, 2)).relu()
        y = self.up(x2)
        dy = x1.size()[2] - y.size()[2]; dx = x1.size()[3] - y.size()[3]
        y = F.pad(y, [dx // 2, dx - dx // 2, dy // 2, dy - dy // 2])
        y = torch.cat([x1, y], dim=1)
        y = F.interpolate(self.out(y), scale_factor=2, mode='bilinear', align_corners=True)
        return torch.sigmoid(y)

class RNNNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden, self.n = 5, 2
        self.emb = nn.Embedding(20, 4)
        self.lstm = nn.LSTM(4, 5, 2, batch_first=True)
        self.fc = nn.Linear(5, 3)
    def forward(self, x):
        h0 = torch.zeros(self.n, x.size(0), self.hidden).to(x.device)
        c0 = torch.zeros(self.n, x.size(0), self.hidden, device=x.device)
        out, (h, c) = self.lstm(self.emb(x), (h0, c0))
        return self.fc(out[:, -1, :]), h[-1]

class PE(nn.Module):
    def __init__(self, d=8, m=20):
        super().__init__()
        pe = torch.zeros(m, d)
        pos = torch.arange(0, m).unsqueeze(1).float()
        div = torch.exp(torch.arange(0, d, 2).float() * (-math.log(10000.0) / d))
        pe[:, 0::2] = torch.sin(pos * div); pe[:, 1::2] = torch.cos(pos * div)
        self.register_buffer('pe', pe.unsqueeze(0))
    def forward(self, x):
        return x + self.pe[:, :x.size(1)]

class Attn(nn.Module):
    def __init__(self, d=8, h=2):
        super().__init__()
        self.h, self.d = h, d
        self.qkv = nn.Linear(d, 3*d, bias=False); self.proj = nn.Linear(d, d); self.pe = PE(d)
        self.norm = nn.LayerNorm(d); self.scale = nn.Parameter(torch.ones(1)*.7); self.act = F.gelu
    def split(self, t):
        b, n, _ = t.shape
        return t.view(b, n, self.h, self.d // self.h).transpose(1, 2)
    def forward(self, x, mask=None):
        x = self.pe(x)
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        q, k, v = [self.split(t) for t in (q, k, v)]
        s = torch.einsum('bhid,bhjd->bhij', q, k) / math.sqrt(self.d // self.h)
        if mask is not None:
            s = s.masked_fill(mask == 0, -1e9)
        a = nn.functional.softmax(s, dim=-1)
        y = torch.matmul(a, v).permute(0, 2, 1, 3).contiguous()
        b, n = y.size(0), y.size(1)
        y = y.view(b, n, -1)
        y = self.norm(self.act(self.proj(y)) * self.scale + x)
        return y.mean(dim=1, keepdim=True).squeeze(1)

class SE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Sequential(nn.Linear(4, 2), nn.ReLU(inplace=True), nn.Linear(2, 4), nn.Sigmoid())
        self.pool = nn.AdaptiveAvgPool2d(1); self.c = nn.Conv2d(3, 4, 1)
    def forward(self, x):
        x = self.c(x)
        b, c, _, _ = x.size()
        y = self.pool(x).view(b, c)
        y = self.fc(y).view(b, c, 1, 1)
        return x * y.expand_as(x)

class Ops(nn.Module):
    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.randn(4, 4)); self.l = nn.Linear(4, 4); self.fs = [1, 2, 3]
    def swish(self, x): return x * torch.sigmoid(x)
    @staticmethod
    def twice(x): return x + x
    def forward(self, x):
        y = self.swish(x) @ self.w
        y = (1 - y) * 2 ** 2 - 1 / (y.abs() + 1.5)
        y = -y / 2 + sum([f * y for f in self.fs])
        m, idx = torch.max(y, 1)
        y = torch.where(y > 0, y, y * 0.1)
        z = torch.stack([y, self.twice(y)], dim=1)[:, 1, ::2]
        z = z.clamp(min=-1, max=2)[..., None]
        k = x.size(0) if x.dim() > 1 else 1
        n = torch.arange(4, device=x.device).float().unsqueeze(0)
        q = (y * n).max(dim=1)[0] + m
        p = F.normalize(y, dim=1) + F.leaky_relu(self.l(x), 0.2, inplace=True) ** 2
        r = y.clone()
        r[:, 0] = 5.
        r[:, 1:3] += 1
        t = x.reshape(-1, 2, 2).transpose(1, 2).flatten(1)
        return z, q, p, r, idx, t.sum(-1) / max(len(self.fs), 2), torch.pow(x, 2).sqrt(), 3 - x, x.t().mean(), 2 * x if not self.training else x

class SubSeq(nn.Sequential):
    def forward(self, x):
        return super().forward(x) + x

class Inherits(nn.Module):
    def __init__(self):
        super().__init__()
        self.s = SubSeq(nn.Linear(4, 4), nn.Tanh()); self.g = nn.GRUCell(4, 4); self.lst = [nn.ReLU()]
    def forward(self, x):
        h = x.new_zeros(x.size(0), 4)
        outs = []
        for t in range(3):
            h = self.g(self.s(x), h)
            outs += [h]
        return torch.stack(outs, 1), h.detach().cpu()

class Many(nn.Module):
    def __init__(self):
        super().__init__(); self.l = nn.Linear(6, 6); self.n = nn.LayerNorm(6); self.alpha = 0.5
    def forward(self, x):
        a, b = x.split(3, dim=1)
        c, d, e = torch.split(x, [1, 2, 3], dim=1)
        m = torch.max(a, b)
        s = torch.std(x, dim=1, keepdim=True) + x.var(1, unbiased=False, keepdim=True)
        n = torch.norm(x, p=2, dim=1) + x.norm(dim=1) + x.norm()
        gx, gy = torch.meshgrid(x[0], x[1], indexing='ij')
        q = x.sum((0, 1)) + x.mean() + x.prod(1).sum() + x.amax(dim=-1).sum()
        t, i = x.topk(2, dim=1)
        u = x.sort(dim=1, descending=True)[0]
        g = x.gather(1, i) + F.softmax(t, -1) + F.relu6(t) + F.elu(t, 0.3) + F.hardtanh(t, -.5, .5) + F.silu(t)
        w = F.linear(x, self.l.weight, self.l.bias) + F.layer_norm(x, (6,), self.n.weight, self.n.bias)
        r = torch.cat((c, d, e), -1).repeat(1, 2).reshape(x.shape[0], 2, -1).permute(0, 2, 1).contiguous().view(-1, 12)
        v = x.view(x.shape[0], 2, 3).sum(dim=(1, 2)) * self.alpha
        o = torch.ones(2, 3) * 2 + torch.zeros((2, 3)) + torch.full((2, 3), 1.5) + torch.tensor([1., 2., 3.])
        k = (x > 0).float() * x + (x.eq(0) | (x < -1)).type_as(x) + torch.exp(-x.abs()).log1p()
        z = torch.addmm(self.l.bias, x, self.l.weight.t()) + x.unsqueeze(0).squeeze(0) + torch.bmm(x[:, :, None], x[:, None, :]).sum(-1)
        p = torch.tanh_(x * 1.0) + torch.sin(x) + torch.cos(x).add(1).mul_(2).sub(x, alpha=2) + x.pow(2).rsqrt().clamp_max(3.)
        h = x.std() + torch.mean(x, 1, True) + x.cumsum(1) + x.flip(1) + x.roll(1, 1) + torch.flip(x, [0])
        y = x.masked_fill(x > 0.5, 0.) + x.float().double().float() + x.expand(x.size()) + x.narrow(1, 0, 1) + x.index_select(1, torch.arange(6))
        aa = F.pad(x, (1, 1), value=2.) 
        bb = F.pad(x[:, None], (1, 2), mode='reflect')[:, 0]
        cc = F.conv1d(x[:, None], self.l.weight[:3, None, :3], padding=1, stride=2)
        dd = F.adaptive_avg_pool1d(cc, 2) + F.max_pool1d(cc, 2, stride=1)
        ee = F.batch_norm(cc, torch.zeros(3), torch.ones(3)) + F.interpolate(cc, size=3)
        ff = F.unfold(x.view(-1, 1, 2, 3), (2, 2)) + F.gelu(x[0, 0]) + F.gelu(x[0, 0], approximate='tanh')
        hh = F.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None]) + F.cosine_similarity(x, x + 1, dim=1).sum()
        ii = F.one_hot(x.argmax(1), 6).float() + x.argmax(dim=1, keepdim=True) + torch.argmin(x)
        jj = x.tril() + torch.triu(x, diagonal=1) if x.size(1) == 6 else x
        kk = x.round() + x.floor() // 2 + x % 2 + torch.floor_divide(x, 2) + torch.fmod(x, 0.7)
        ll = 1 if x.shape[-1] % 2 == 0 and not self.training else 0
        return m, s, n, gx + gy, q, u, g, w, r, v, o, k, z, p, h, y, aa, bb, cc, dd, ee, ff, hh, ii, jj, kk + ll


class ScaledConv(nn.Conv2d):
    gain = 0.5
    kinds = ("a", "b")
    def forward(self, x):
        y = super().forward(x)
        if len(self.kinds) == 2:
            y = y + super(ScaledConv, self).forward(x * 2) * self.gain
        return y

class Standardized(nn.Linear):
    def forward(self, x):
        w = self.weight - self.weight.mean(dim=1, keepdim=True)
        return F.linear(x, w / (w.std(1, keepdim=True) + 1e-5), self.bias)

class Derived(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = ScaledConv(3, 6, 3, padding=1); self.p = nn.AdaptiveAvgPool2d((1, 1)); self.l = Standardized(6, 2)
    def forward(self, x):
        x = self.p(self.c(x)).flatten(start_dim=1)
        for _ in range(2):
            x = x + 0.1 * x.tanh()
        return self.l(x)

class Lengths(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(20, 4, padding_idx=0)
        self.lstm = nn.LSTM(4, 5, 2, batch_first=True, bidirectional=True)
        self.gru = nn.GRU(10, 3)
    def forward(self, x):
        n = (x != 0).sum(dim=1)
        p = nn.utils.rnn.pack_padded_sequence(self.emb(x), n.cpu(), batch_first=True, enforce_sorted=False)
        p, (h, c) = self.lstm(p)
        q = torch.nn.utils.rnn.PackedSequence(torch.relu(p.data), p.batch_sizes, p.sorted_indices, p.unsorted_indices)
        _, last = self.gru(q, h[:1, :, :3].contiguous())
        y, m = nn.utils.rnn.pad_packed_sequence(p, batch_first=True, padding_value=-1., total_length=x.size(1))
        return y, m, h, c, last
