"""Convolutions and products of matrices' windows."""
from __future__ import annotations

from . import Family

FAMILY = Family()
F, M = FAMILY.case, FAMILY.module

SIZES = {1: "9", 2: "9,8", 3: "5,5,6"}
LESS = {1: ("pt2", "dynamic", "ts"), 2: ("pt2", "dynamic", "ts"), 3: ("pt2", "ts")}
"""Of volumes fewer forms are recorded."""
for n, size in SIZES.items():
    conv = f"nn.Conv{n}d"
    M(f"conv{n}d", f"{conv}(4, 6, 3)", f"f[2,4,{size}]", forms=LESS[n])
    M(f"conv{n}d/strides", f"{conv}(4, 6, 3, stride=2, padding=1, bias=False)", f"f[2,4,{size}]", forms=LESS[n])
    M(f"conv{n}d/groups", f"{conv}(4, 6, 3, groups=2, dilation=2, padding=2)", f"f[2,4,{size}]", forms=LESS[n])
    M(f"conv{n}d/depthwise", f"{conv}(4, 8, 3, groups=4)", f"f[2,4,{size}]", forms=LESS[n])
    M(f"conv{n}d/same", f"{conv}(4, 6, 4, padding='same')", f"f[2,4,{size}]", forms=LESS[n])
    M(f"conv{n}d/valid", f"{conv}(4, 6, 2, padding='valid')", f"f[2,4,{size}]", forms=LESS[n])
    M(f"conv{n}d/alone", f"{conv}(4, 6, 3)", f"f[4,{size}]", forms=LESS[n])
    M(f"conv{n}d/reflect", f"{conv}(4, 6, 3, padding=1, padding_mode='{'reflect' if n < 3 else 'replicate'}')",
      f"f[2,4,{size}]", forms=LESS[n])
    turned = f"nn.ConvTranspose{n}d"
    M(f"conv_transpose{n}d", f"{turned}(4, 6, 3)", f"f[2,4,{size}]", forms=LESS[n])
    M(f"conv_transpose{n}d/strides", f"{turned}(4, 6, 3, stride=2, padding=1, output_padding=1)",
      f"f[2,4,{size}]", forms=LESS[n])
    M(f"conv_transpose{n}d/groups", f"{turned}(4, 6, 3, groups=2, dilation=2, bias=False)",
      f"f[2,4,{size}]", forms=LESS[n])
    M(f"conv_transpose{n}d/alone", f"{turned}(4, 6, 2, stride=2)", f"f[4,{size}]", forms=LESS[n])
M("conv2d/uneven", "nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(0, 2), dilation=(1, 2))", "f[2,4,9,11]")
M("conv2d/one", "nn.Conv2d(4, 6, 1)", "f[2,4,5,5]")
F("conv2d/weights", "F.conv2d(x, y)", "f[2,3,6,6] f[4,3,3,3]")
