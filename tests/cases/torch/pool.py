"""Pooling."""
from __future__ import annotations

from . import Family

FAMILY = Family()
F, M = FAMILY.case, FAMILY.module

SIZES = {1: "9", 2: "9,8", 3: "5,5,6"}
LESS = {1: ("pt2", "dynamic", "ts"), 2: ("pt2", "dynamic", "ts"), 3: ("pt2", "ts")}
"""Of volumes fewer forms are recorded."""
for n, size in SIZES.items():
    M(f"max_pool{n}d", f"nn.MaxPool{n}d(2)", f"f[2,3,{size}]", forms=LESS[n])
    M(f"max_pool{n}d/padding", f"nn.MaxPool{n}d(3, stride=2, padding=1)", f"f[2,3,{size}]", forms=LESS[n])
    M(f"max_pool{n}d/dilation", f"nn.MaxPool{n}d(2, stride=1, dilation=2)", f"f[2,3,{size}]", forms=LESS[n])
    M(f"max_pool{n}d/ceil", f"nn.MaxPool{n}d(2, stride=3, ceil_mode=True)", f"f[2,3,{size}]", forms=LESS[n])
    M(f"max_pool{n}d/indices", f"nn.MaxPool{n}d(2, return_indices=True)", f"f[2,3,{size}]", forms=LESS[n])
    M(f"max_pool{n}d/indices padding", f"nn.MaxPool{n}d(3, stride=2, padding=1, return_indices=True)",
      f"f[2,3,{size}]", forms=LESS[n])
    M(f"max_pool{n}d/alone", f"nn.MaxPool{n}d(2)", f"f[3,{size}]", forms=LESS[n])
    M(f"avg_pool{n}d", f"nn.AvgPool{n}d(2)", f"f[2,3,{size}]", forms=LESS[n])
    M(f"avg_pool{n}d/padding", f"nn.AvgPool{n}d(3, stride=2, padding=1)", f"f[2,3,{size}]", forms=LESS[n])
    M(f"avg_pool{n}d/without", f"nn.AvgPool{n}d(3, stride=2, padding=1, count_include_pad=False)",
      f"f[2,3,{size}]", forms=LESS[n])
    M(f"avg_pool{n}d/ceil", f"nn.AvgPool{n}d(2, stride=3, ceil_mode=True)", f"f[2,3,{size}]", forms=LESS[n])
    M(f"avg_pool{n}d/ceil padding", f"nn.AvgPool{n}d(3, stride=2, padding=1, ceil_mode=True)",
      f"f[2,3,{size}]", forms=LESS[n])
    M(f"avg_pool{n}d/alone", f"nn.AvgPool{n}d(2)", f"f[3,{size}]", forms=LESS[n])
    if n > 1:
        M(f"avg_pool{n}d/divisor", f"nn.AvgPool{n}d(2, divisor_override=3)", f"f[2,3,{size}]", forms=LESS[n])
    for kind in ("Avg", "Max"):
        low = kind.lower()
        M(f"adaptive_{low}_pool{n}d", f"nn.Adaptive{kind}Pool{n}d(1)", f"f[2,3,{size}]", forms=LESS[n])
        M(f"adaptive_{low}_pool{n}d/parts", f"nn.Adaptive{kind}Pool{n}d(3)", f"f[2,3,{size}]", forms=("pt2", "ts"))
        M(f"adaptive_{low}_pool{n}d/uneven", f"nn.Adaptive{kind}Pool{n}d(4)", f"f[2,3,{size}]", forms=("pt2", "ts"))
        M(f"adaptive_{low}_pool{n}d/more", f"nn.Adaptive{kind}Pool{n}d({n * 2 + 5})", f"f[2,3,{size}]",
          forms=("pt2", "ts"))
        M(f"adaptive_{low}_pool{n}d/alone", f"nn.Adaptive{kind}Pool{n}d(2)", f"f[3,{size}]", forms=("pt2", "ts"))
    M(f"adaptive_max_pool{n}d/indices", f"nn.AdaptiveMaxPool{n}d(4, return_indices=True)", f"f[2,3,{size}]",
      forms=("pt2", "ts"))
    M(f"adaptive_max_pool{n}d/all indices", f"nn.AdaptiveMaxPool{n}d(1, return_indices=True)",
      f"f[2,3,{size}]", forms=LESS[n])
    M(f"lp_pool{n}d", f"nn.LPPool{n}d(2, 2)", f"f[2,3,{size}]", forms=LESS[n])
    F(f"max_unpool{n}d", f"F.max_unpool{n}d(*F.max_pool{n}d(x, 2, return_indices=True), 2)",
      f"f[2,3,{','.join('8' * n)}]", forms=("pt2", "ts"))
