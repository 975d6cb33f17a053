"""Modules: activations, padding, embeddings, products, images put together and apart."""
from __future__ import annotations

from . import Family

FAMILY = Family()
F, M = FAMILY.case, FAMILY.module

SIZES = {1: "9", 2: "9,8", 3: "5,5,6"}
LESS = {1: ("pt2", "dynamic", "ts"), 2: ("pt2", "dynamic", "ts"), 3: ("pt2", "ts")}
"""Of volumes fewer forms are recorded."""
for n, size in SIZES.items():
    for kind in ("Constant", "Reflection", "Replication", "Zero", "Circular"):
        how = "1, 2.5" if kind == "Constant" else str((1, 2) * n)
        M(f"pad{n}d/{kind.lower()}", f"nn.{kind}Pad{n}d({how})", f"f[2,3,{size}]", forms=LESS[n])
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

