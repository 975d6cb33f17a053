"""Images: resizing, sampling, and quantization."""
from __future__ import annotations

from . import Family

FAMILY = Family()
F, M = FAMILY.case, FAMILY.module

MODES = {"nearest": (1, 2, 3), "nearest-exact": (1, 2, 3), "linear": (1,), "bilinear": (2,), "bicubic": (2,),
         "trilinear": (3,)}
SIZES = {1: "7", 2: "5,7", 3: "3,4,5"}
for mode, ranks in MODES.items():
    for n in ranks:
        given = f"f[2,2,{SIZES[n]}]"
        tag = f"{mode} {n}d"
        new = {1: (10,), 2: (8, 10), 3: (4, 6, 9)}[n]
        less = {1: (4,), 2: (3, 5), 3: (2, 3, 4)}[n]
        M(f"upsample/{tag}", f"nn.Upsample(scale_factor=2, mode='{mode}')", given)
        M(f"upsample/{tag} size", f"nn.Upsample(size={new}, mode='{mode}')", given)
        M(f"upsample/{tag} smaller", f"nn.Upsample(size={less}, mode='{mode}')", given)
        M(f"upsample/{tag} factor", f"nn.Upsample(scale_factor=1.7, mode='{mode}')", given)
        M(f"upsample/{tag} half", f"nn.Upsample(scale_factor=0.6, mode='{mode}')", given)
        F(f"interpolate/{tag} again", f"F.interpolate(x, scale_factor=1.3, mode='{mode}', recompute_scale_factor=True)",
          given)
        if "nearest" not in mode:
            M(f"upsample/{tag} corners", f"nn.Upsample(scale_factor=2, mode='{mode}', align_corners=True)", given)
            M(f"upsample/{tag} corners size", f"nn.Upsample(size={new}, mode='{mode}', align_corners=True)", given)
            M(f"upsample/{tag} corners factor", f"nn.Upsample(scale_factor=1.7, mode='{mode}', align_corners=True)",
              given)
            M(f"upsample/{tag} corners one", f"nn.Upsample(size={(1,) * n}, mode='{mode}', align_corners=True)", given)
for mode in ("bilinear", "bicubic"):
    for size in ("(3, 4)", "(8, 11)"):
        F(f"interpolate/antialias {mode} {size}",
          f"F.interpolate(x, {size}, mode='{mode}', antialias=True)", "f[1,2,6,9]", forms=("pt2", "ts"))
F("interpolate/nearest 41", "F.interpolate(x, scale_factor=41)", "f[1,1,3]", forms=("pt2",))
F("interpolate/nearest 55", "F.interpolate(x, (3 * 55,))", "f[1,1,3]", forms=("pt2",))
F("interpolate/area", "F.interpolate(x, (3, 4), mode='area')", "f[2,3,6,8]", forms=("pt2", "ts"))
F("interpolate/two factors", "F.interpolate(x, scale_factor=(2, 1.5), mode='bilinear')", "f[2,3,5,6]")
F("interpolate/like", "F.interpolate(x, y.shape[-2:], mode='bilinear')", "f[2,3,5,6] f[2,3,8,9]")
F("interpolate/nearest like", "F.interpolate(x, y.shape[-2:])", "f[2,3,5,6] f[2,3,8,9]")

for mode in ("bilinear", "nearest", "bicubic"):
    for padding in ("zeros", "border", "reflection"):
        for corners in (False, True):
            tag = f"{mode} {padding}{' corners' * corners}"
            how = f"mode='{mode}', padding_mode='{padding}', align_corners={corners}"
            F(f"grid_sample/{tag}", f"F.grid_sample(x, y, {how})", "f[2,2,5,6] f[2,3,4,2]-1.3:1.3")
            if mode != "bicubic":
                F(f"grid_sample/3d {tag}", f"F.grid_sample(x, y, {how})",
                  "f[1,2,3,4,5] f[1,3,2,3,3]-1.3:1.3", forms=("pt2",))
for corners in (False, True):
    F(f"affine_grid/{corners}", f"F.affine_grid(x, (2, 3, 4, 5), align_corners={corners})", "f[2,2,3]")
    F(f"affine_grid/3d {corners}", f"F.affine_grid(x, (2, 3, 4, 5, 3), align_corners={corners})", "f[2,3,4]")
    F(f"affine_grid/size {corners}", f"F.affine_grid(x, y.shape, align_corners={corners})", "f[2,2,3] f[2,3,4,5]")

F("fake_quantize", "torch.fake_quantize_per_tensor_affine(x, 0.1, 3, 0, 255)", "f[4,5]-9:20")
F("fake_quantize/int8", "torch.fake_quantize_per_tensor_affine(x, 0.05, 0, -128, 127)", "f[4,5]-9:9")
F("fake_quantize/narrow", "torch.fake_quantize_per_tensor_affine(x, 0.05, 0, -127, 127)", "f[4,5]-9:9")
F("fake_quantize/four bits", "torch.fake_quantize_per_tensor_affine(x, 0.5, 2, 0, 15)", "f[4,5]-9:9")
F("fake_quantize/channels", "torch.fake_quantize_per_channel_affine(x, y, z, 0, -128, 127)",
  "f[3,5]-9:9 f[3]0.01:0.1 s[3]=0,1,-2")
Q = "torch.ops.quantized_decomposed"
IMPORT = "import torch.ao.quantization.fx._decomposed\n"
F("quantize/per tensor", f"{IMPORT}{Q}.quantize_per_tensor(x, 0.1, 3, -128, 127, torch.int8)", "f[4,5]-20:20",
  forms=("pt2",))
F("quantize/narrow", f"{IMPORT}{Q}.quantize_per_tensor(x, 0.1, 0, -127, 127, torch.int8)", "f[4,5]-20:20",
  forms=("pt2",))
F("quantize/uint8", f"{IMPORT}{Q}.quantize_per_tensor(x, 0.1, 100, 0, 255, torch.uint8)", "f[4,5]-20:20",
  forms=("pt2",))
F("quantize/back", f"{IMPORT}y = {Q}.quantize_per_tensor(x, 0.1, 3, -128, 127, torch.int8)\n"
  f"{Q}.dequantize_per_tensor(y, 0.1, 3, -128, 127, torch.int8)", "f[4,5]-20:20", forms=("pt2",))
F("quantize/per channel", f"{IMPORT}u = {Q}.quantize_per_channel(x, y, z, 0, -128, 127, torch.int8)\n"
  f"{Q}.dequantize_per_channel(u, y, z, 0, -128, 127, torch.int8)", "f[3,5]-9:9 f[3]0.01:0.1 i[3]=0,0,0",
  forms=("pt2",))
