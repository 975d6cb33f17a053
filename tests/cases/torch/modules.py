"""Modules: convolutions, pooling, normalisation, activations, padding, embeddings, products."""
from __future__ import annotations

from . import Family

FAMILY = Family()
F, M = FAMILY.case, FAMILY.module

SIZES = {1: "9", 2: "9,8", 3: "5,6,7"}
for n, size in SIZES.items():
    conv = f"nn.Conv{n}d"
    M(f"conv{n}d", f"{conv}(4, 6, 3)", f"f[2,4,{size}]")
    M(f"conv{n}d/strides", f"{conv}(4, 6, 3, stride=2, padding=1, bias=False)", f"f[2,4,{size}]")
    M(f"conv{n}d/groups", f"{conv}(4, 6, 3, groups=2, dilation=2, padding=2)", f"f[2,4,{size}]")
    M(f"conv{n}d/depthwise", f"{conv}(4, 8, 3, groups=4)", f"f[2,4,{size}]")
    M(f"conv{n}d/same", f"{conv}(4, 6, 4, padding='same')", f"f[2,4,{size}]")
    M(f"conv{n}d/valid", f"{conv}(4, 6, 2, padding='valid')", f"f[2,4,{size}]")
    M(f"conv{n}d/alone", f"{conv}(4, 6, 3)", f"f[4,{size}]")
    M(f"conv{n}d/reflect", f"{conv}(4, 6, 3, padding=1, padding_mode='{'reflect' if n < 3 else 'replicate'}')",
      f"f[2,4,{size}]")
    turned = f"nn.ConvTranspose{n}d"
    M(f"conv_transpose{n}d", f"{turned}(4, 6, 3)", f"f[2,4,{size}]")
    M(f"conv_transpose{n}d/strides", f"{turned}(4, 6, 3, stride=2, padding=1, output_padding=1)", f"f[2,4,{size}]")
    M(f"conv_transpose{n}d/groups", f"{turned}(4, 6, 3, groups=2, dilation=2, bias=False)", f"f[2,4,{size}]")
    M(f"conv_transpose{n}d/alone", f"{turned}(4, 6, 2, stride=2)", f"f[4,{size}]")
    M(f"max_pool{n}d", f"nn.MaxPool{n}d(2)", f"f[2,3,{size}]")
    M(f"max_pool{n}d/padding", f"nn.MaxPool{n}d(3, stride=2, padding=1)", f"f[2,3,{size}]")
    M(f"max_pool{n}d/dilation", f"nn.MaxPool{n}d(2, stride=1, dilation=2)", f"f[2,3,{size}]")
    M(f"max_pool{n}d/ceil", f"nn.MaxPool{n}d(2, stride=3, ceil_mode=True)", f"f[2,3,{size}]")
    M(f"max_pool{n}d/indices", f"nn.MaxPool{n}d(2, return_indices=True)", f"f[2,3,{size}]")
    M(f"max_pool{n}d/indices padding", f"nn.MaxPool{n}d(3, stride=2, padding=1, return_indices=True)", f"f[2,3,{size}]")
    M(f"max_pool{n}d/alone", f"nn.MaxPool{n}d(2)", f"f[3,{size}]")
    M(f"avg_pool{n}d", f"nn.AvgPool{n}d(2)", f"f[2,3,{size}]")
    M(f"avg_pool{n}d/padding", f"nn.AvgPool{n}d(3, stride=2, padding=1)", f"f[2,3,{size}]")
    M(f"avg_pool{n}d/without", f"nn.AvgPool{n}d(3, stride=2, padding=1, count_include_pad=False)", f"f[2,3,{size}]")
    M(f"avg_pool{n}d/ceil", f"nn.AvgPool{n}d(2, stride=3, ceil_mode=True)", f"f[2,3,{size}]")
    M(f"avg_pool{n}d/ceil padding", f"nn.AvgPool{n}d(3, stride=2, padding=1, ceil_mode=True)", f"f[2,3,{size}]")
    M(f"avg_pool{n}d/alone", f"nn.AvgPool{n}d(2)", f"f[3,{size}]")
    if n > 1:
        M(f"avg_pool{n}d/divisor", f"nn.AvgPool{n}d(2, divisor_override=3)", f"f[2,3,{size}]")
    for kind in ("Avg", "Max"):
        low = kind.lower()
        M(f"adaptive_{low}_pool{n}d", f"nn.Adaptive{kind}Pool{n}d(1)", f"f[2,3,{size}]")
        M(f"adaptive_{low}_pool{n}d/parts", f"nn.Adaptive{kind}Pool{n}d(3)", f"f[2,3,{size}]", forms=("pt2", "ts"))
        M(f"adaptive_{low}_pool{n}d/uneven", f"nn.Adaptive{kind}Pool{n}d(4)", f"f[2,3,{size}]", forms=("pt2", "ts"))
        M(f"adaptive_{low}_pool{n}d/more", f"nn.Adaptive{kind}Pool{n}d({n * 2 + 5})", f"f[2,3,{size}]",
          forms=("pt2", "ts"))
        M(f"adaptive_{low}_pool{n}d/alone", f"nn.Adaptive{kind}Pool{n}d(2)", f"f[3,{size}]", forms=("pt2", "ts"))
    M(f"adaptive_max_pool{n}d/indices", f"nn.AdaptiveMaxPool{n}d(4, return_indices=True)", f"f[2,3,{size}]",
      forms=("pt2", "ts"))
    M(f"adaptive_max_pool{n}d/all indices", f"nn.AdaptiveMaxPool{n}d(1, return_indices=True)", f"f[2,3,{size}]")
    M(f"lp_pool{n}d", f"nn.LPPool{n}d(2, 2)", f"f[2,3,{size}]")
    F(f"max_unpool{n}d", f"F.max_unpool{n}d(*F.max_pool{n}d(x, 2, return_indices=True), 2)",
      f"f[2,3,{','.join('8' * n)}]", forms=("pt2", "ts"))
    M(f"batch_norm{n}d", f"nn.BatchNorm{n}d(4)", f"f[2,4,{size}]")
    M(f"batch_norm{n}d/plain", f"nn.BatchNorm{n}d(4, affine=False, eps=1e-3)", f"f[2,4,{size}]")
    M(f"batch_norm{n}d/by batch", f"nn.BatchNorm{n}d(4, track_running_stats=False)", f"f[2,4,{size}]")
    M(f"instance_norm{n}d", f"nn.InstanceNorm{n}d(4)", f"f[2,4,{size}]")
    M(f"instance_norm{n}d/affine", f"nn.InstanceNorm{n}d(4, affine=True)", f"f[2,4,{size}]")
    M(f"instance_norm{n}d/tracked", f"nn.InstanceNorm{n}d(4, affine=True, track_running_stats=True)", f"f[2,4,{size}]")
    M(f"group_norm/{n}d", "nn.GroupNorm(2, 4)", f"f[2,4,{size}]")
    for kind in ("Constant", "Reflection", "Replication", "Zero", "Circular"):
        how = "1, 2.5" if kind == "Constant" else str((1, 2) * n)
        M(f"pad{n}d/{kind.lower()}", f"nn.{kind}Pad{n}d({how})", f"f[2,3,{size}]")
M("conv2d/uneven", "nn.Conv2d(4, 6, (3, 5), stride=(2, 1), padding=(0, 2), dilation=(1, 2))", "f[2,4,9,11]")
M("conv2d/one", "nn.Conv2d(4, 6, 1)", "f[2,4,5,5]")
F("conv2d/weights", "F.conv2d(x, y)", "f[2,3,6,6] f[4,3,3,3]")
M("batch_norm1d/rows", "nn.BatchNorm1d(4)", "f[3,4]")
M("layer_norm", "nn.LayerNorm(6)", "f[2,3,6]")
M("layer_norm/two axes", "nn.LayerNorm((3, 6), eps=1e-3)", "f[2,3,6]")
M("layer_norm/plain", "nn.LayerNorm(6, elementwise_affine=False)", "f[2,3,6]")
M("layer_norm/no bias", "nn.LayerNorm(6, bias=False)", "f[2,3,6]")
M("rms_norm", "nn.RMSNorm(6)", "f[2,3,6]")
M("rms_norm/eps", "nn.RMSNorm(6, eps=1e-3, elementwise_affine=False)", "f[2,3,6]")
M("group_norm/plain", "nn.GroupNorm(4, 4, affine=False)", "f[2,4,5]")
M("group_norm/rows", "nn.GroupNorm(2, 4)", "f[3,4]")
M("local_response_norm", "nn.LocalResponseNorm(3)", "f[2,5,4,4]")
M("local_response_norm/even", "nn.LocalResponseNorm(2, alpha=0.1, k=2.0)", "f[2,5,4,4]")
M("cross_map_lrn", "nn.LocalResponseNorm(5, alpha=0.5, beta=0.5)", "f[2,6,4]")
M("weight_norm", "nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))", "f[2,4]")
M("weight_norm/conv", "nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 3, 3))", "f[2,4,7]")
M("spectral_norm", "nn.utils.parametrizations.spectral_norm(nn.Linear(4, 3))", "f[2,4]")
F("normalize", "F.normalize(x, dim=1)", "f[3,5]")
F("normalize/l1", "F.normalize(x, p=1.0, dim=-1)", "f[3,5]")

for act in ("ReLU ReLU6 ELU SELU CELU GELU SiLU Mish Hardtanh Hardswish Hardsigmoid LeakyReLU LogSigmoid Sigmoid Tanh "
            "Softplus Softsign Softshrink Hardshrink Tanhshrink RReLU").split():
    M(f"act/{act}", f"nn.{act}()", "f[2,3,4]-4:4")
M("act/ELU alpha", "nn.ELU(0.5)", "f[2,3]")
M("act/CELU alpha", "nn.CELU(0.7)", "f[2,3]")
M("act/GELU tanh", "nn.GELU(approximate='tanh')", "f[2,3]")
M("act/Hardtanh bounds", "nn.Hardtanh(-2, 0.5)", "f[2,3]-4:4")
M("act/LeakyReLU slope", "nn.LeakyReLU(0.3)", "f[2,3]")
M("act/Softplus beta", "nn.Softplus(beta=2, threshold=3)", "f[2,9]-4:4")
M("act/Softshrink lambda", "nn.Softshrink(0.3)", "f[2,9]")
M("act/Hardshrink lambda", "nn.Hardshrink(0.3)", "f[2,9]")
M("act/Threshold", "nn.Threshold(0.1, 20)", "f[2,9]")
M("act/PReLU", "nn.PReLU()", "f[2,3,4]")
M("act/PReLU channels", "nn.PReLU(3)", "f[2,3,4,5]")
M("act/PReLU rows", "nn.PReLU(3)", "f[2,3]")
M("act/GLU", "nn.GLU()", "f[2,6]")
M("act/GLU axis", "nn.GLU(1)", "f[2,4,3]")
M("act/Softmax", "nn.Softmax(1)", "f[2,3,4]")
M("act/Softmax none", "nn.Softmax()", "f[2,3]")
M("act/Softmax2d", "nn.Softmax2d()", "f[2,3,4,4]")
M("act/LogSoftmax", "nn.LogSoftmax(-1)", "f[2,3,4]")
M("act/Softmin", "nn.Softmin(1)", "f[2,3]")
F("act/logit", "torch.logit(x)", "f[6]0.1:0.9")
F("act/logit eps", "torch.logit(x, 0.2)", "f[6]0:1")
F("act/gumbel", "F.softmax(x / 0.5, -1, dtype=torch.float64)", "f[2,5]")

M("linear", "nn.Linear(4, 3)", "f[2,4]")
M("linear/many", "nn.Linear(4, 3, bias=False)", "f[2,5,2,4]")
M("linear/vector", "nn.Linear(4, 3)", "f[4]")
M("bilinear", "nn.Bilinear(3, 4, 5)", "f[2,3] f[2,4]")
M("embedding", "nn.Embedding(9, 4, padding_idx=0)", "i[2,3]0:9")
M("embedding_bag", "nn.EmbeddingBag(9, 4)", "i[2,3]0:9")
M("embedding_bag/sum", "nn.EmbeddingBag(9, 4, mode='sum')", "i[2,3]0:9")
M("embedding_bag/max", "nn.EmbeddingBag(9, 4, mode='max')", "i[2,3]0:9")
F("embedding_bag/weights", "F.embedding_bag(x, y, mode='sum', per_sample_weights=z)", "i[2,3]0:9 f[9,4] f[2,3]")
F("embedding_bag/offsets", "F.embedding_bag(x, y, torch.tensor([0, 2, 5]), mode='sum')", "i[7]0:9 f[9,4]",
  forms=("pt2", "ts"))
F("embedding_bag/any offsets", "F.embedding_bag(x, y, z)", "i[7]0:9 f[9,4] i[3]=0,2,5")
F("embedding_bag/empty bag", "F.embedding_bag(x, y, z, mode='sum')", "i[7]0:9 f[9,4] i[3]=0,2,2")
M("identity", "nn.Identity()", "f[2,3]")
M("flatten", "nn.Flatten()", "f[2,3,4]")
M("unflatten", "nn.Unflatten(1, (2, 3))", "f[2,6,4]")
M("dropout", "nn.Dropout()", "f[2,3]")
M("pixel_shuffle", "nn.PixelShuffle(2)", "f[2,8,3,4]")
M("pixel_unshuffle", "nn.PixelUnshuffle(2)", "f[2,2,6,4]")
M("channel_shuffle", "nn.ChannelShuffle(2)", "f[2,6,3,4]")
M("fold", "nn.Fold((5, 6), (2, 3))", "f[2,12,16]", forms=("pt2", "ts"))
M("fold/strides", "nn.Fold((6, 6), 3, padding=1, stride=2)", "f[2,18,9]", forms=("pt2", "ts"))
M("fold/dilation", "nn.Fold((6, 6), 2, dilation=2)", "f[8,16]", forms=("pt2", "ts"))
M("unfold", "nn.Unfold((2, 3))", "f[2,2,5,6]")
M("unfold/strides", "nn.Unfold(3, dilation=2, padding=2, stride=2)", "f[2,2,7,6]")
M("cosine_similarity", "nn.CosineSimilarity(dim=1)", "f[3,5] f[3,5]")
M("pairwise_distance", "nn.PairwiseDistance()", "f[3,5] f[3,5]")
M("pairwise_distance/p", "nn.PairwiseDistance(p=1, keepdim=True)", "f[3,5] f[3,5]")
F("cdist", "torch.cdist(x, y)", "f[2,4,3] f[2,5,3]")
F("cdist/one", "torch.cdist(x, y, p=1.0)", "f[4,3] f[5,3]")
F("cdist/three", "torch.cdist(x, y, p=3.0)", "f[4,3] f[5,3]")
F("cdist/inf", "torch.cdist(x, y, p=float('inf'))", "f[4,3] f[5,3]")
F("cdist/large", "torch.cdist(x, y)", "f[30,3] f[30,3]", forms=("pt2", "ts"))
F("cdist/batches", "torch.cdist(x, y)", "f[2,1,4,3] f[5,5,3]")
F("pdist", "F.pdist(x)", "f[5,3]", forms=("pt2", "ts"))

for loss, inputs in {"MSELoss": "f[3,4] f[3,4]", "L1Loss": "f[3,4] f[3,4]", "SmoothL1Loss": "f[3,4] f[3,4]",
                     "HuberLoss": "f[3,4] f[3,4]", "BCELoss": "f[3,4]0.1:0.9 f[3,4]0:1",
                     "BCEWithLogitsLoss": "f[3,4] f[3,4]0:1", "KLDivLoss": "f[3,4] f[3,4]0.1:1",
                     "CrossEntropyLoss": "f[3,4] i[3]0:4", "NLLLoss": "f[3,4] i[3]0:4",
                     "SoftMarginLoss": "f[3,4] f[3,4]=1,-1,1,1,-1,1,1,1,-1,-1,1,1",
                     "PoissonNLLLoss": "f[3,4] f[3,4]0:3", "HingeEmbeddingLoss": "f[4] f[4]=1,-1,1,-1",
                     "GaussianNLLLoss": "f[3,4] f[3,4] f[3,4]0.1:1", "TripletMarginLoss": "f[3,4] f[3,4] f[3,4]",
                     "CosineEmbeddingLoss": "f[3,4] f[3,4] i[3]=1,-1,1",
                     "MarginRankingLoss": "f[3] f[3] f[3]=1,-1,1"}.items():
    M(f"loss/{loss}", f"nn.{loss}()", inputs, forms=("pt2", "ts"))
for way in ("none", "sum"):
    M(f"loss/MSELoss {way}", f"nn.MSELoss(reduction='{way}')", "f[3,4] f[3,4]")
    M(f"loss/CrossEntropyLoss {way}", f"nn.CrossEntropyLoss(reduction='{way}')", "f[3,4] i[3]0:4")
M("loss/CrossEntropyLoss smooth", "nn.CrossEntropyLoss(label_smoothing=0.1)", "f[3,4] i[3]0:4")
M("loss/CrossEntropyLoss ignore", "nn.CrossEntropyLoss(ignore_index=1)", "f[3,4] i[3]=0,1,2")
M("loss/CrossEntropyLoss weight", "nn.CrossEntropyLoss(weight=torch.tensor([0.5, 1.0, 2.0, 1.5]))", "f[3,4] i[3]0:4")
M("loss/CrossEntropyLoss image", "nn.CrossEntropyLoss()", "f[2,4,3,3] i[2,3,3]0:4")
M("loss/CrossEntropyLoss shares", "nn.CrossEntropyLoss()", "f[3,4] f[3,4]0:1")
