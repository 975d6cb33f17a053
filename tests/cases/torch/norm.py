"""Normalisation."""
from __future__ import annotations

from . import Family

FAMILY = Family()
F, M = FAMILY.case, FAMILY.module

SIZES = {1: "9", 2: "9,8", 3: "5,5,6"}
LESS = {1: ("pt2", "dynamic", "ts"), 2: ("pt2", "dynamic", "ts"), 3: ("pt2", "ts")}
"""Of volumes fewer forms are recorded."""
for n, size in SIZES.items():
    M(f"batch_norm{n}d", f"nn.BatchNorm{n}d(4)", f"f[2,4,{size}]", forms=LESS[n])
    M(f"batch_norm{n}d/plain", f"nn.BatchNorm{n}d(4, affine=False, eps=1e-3)", f"f[2,4,{size}]", forms=LESS[n])
    M(f"batch_norm{n}d/by batch", f"nn.BatchNorm{n}d(4, track_running_stats=False)", f"f[2,4,{size}]", forms=LESS[n])
    M(f"instance_norm{n}d", f"nn.InstanceNorm{n}d(4)", f"f[2,4,{size}]", forms=LESS[n])
    M(f"instance_norm{n}d/affine", f"nn.InstanceNorm{n}d(4, affine=True)", f"f[2,4,{size}]", forms=LESS[n])
    M(f"instance_norm{n}d/tracked", f"nn.InstanceNorm{n}d(4, affine=True, track_running_stats=True)",
      f"f[2,4,{size}]", forms=LESS[n])
    M(f"group_norm/{n}d", "nn.GroupNorm(2, 4)", f"f[2,4,{size}]", forms=LESS[n])
M("batch_norm1d/rows", "nn.BatchNorm1d(4)", "f[3,4]")
M("layer_norm", "nn.LayerNorm(6)", "f[2,3,6]")
M("layer_norm/two axes", "nn.LayerNorm((3, 6), eps=1e-3)", "f[2,3,6]")
M("layer_norm/plain", "nn.LayerNorm(6, elementwise_affine=False)", "f[2,3,6]")
M("layer_norm/no bias", "nn.LayerNorm(6, bias=False)", "f[2,3,6]")
M("rms_norm", "nn.RMSNorm(6)", "f[2,3,6]")
M("rms_norm/eps", "nn.RMSNorm(6, eps=1e-3, elementwise_affine=False)", "f[2,3,6]")
M("group_norm/plain", "nn.GroupNorm(4, 4, affine=False)", "f[2,4,5]")
M("group_norm/rows", "nn.GroupNorm(2, 12)", "f[3,12]")
M("local_response_norm", "nn.LocalResponseNorm(3)", "f[2,5,4,4]")
M("local_response_norm/even", "nn.LocalResponseNorm(2, alpha=0.1, k=2.0)", "f[2,5,4,4]")
M("cross_map_lrn", "nn.LocalResponseNorm(5, alpha=0.5, beta=0.5)", "f[2,6,4]")
M("weight_norm", "nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))", "f[2,4]")
M("weight_norm/conv", "nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 3, 3))", "f[2,4,7]")
M("spectral_norm", "nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3))", "f[2,4]")
F("normalize", "F.normalize(x, dim=1)", "f[3,5]")
F("normalize/l1", "F.normalize(x, p=1.0, dim=-1)", "f[3,5]")
