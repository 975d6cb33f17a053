"""Losses, distances."""
from __future__ import annotations

from . import Family

FAMILY = Family()
F, M = FAMILY.case, FAMILY.module

for loss, inputs in {"MSELoss": "f[3,4] f[3,4]", "L1Loss": "f[3,4] f[3,4]", "SmoothL1Loss": "f[3,4] f[3,4]",
                     "HuberLoss": "f[3,4] f[3,4]", "BCELoss": "f[3,4]0.1:0.9 f[3,4]0:1",
                     "BCEWithLogitsLoss": "f[3,4] f[3,4]0:1", "KLDivLoss": "f[3,4] f[3,4]0.1:1",
                     "CrossEntropyLoss": "f[3,4] i[3]0:4", "NLLLoss": "f[3,4] i[3]0:4",
                     "SoftMarginLoss": "f[3,4] f[3,4]=1,-1,1,1,-1,1,1,1,-1,-1,1,1",
                     "PoissonNLLLoss": "f[3,4] f[3,4]0:3", "HingeEmbeddingLoss": "f[4] f[4]=1,-1,1,-1",
                     "TripletMarginLoss": "f[3,4] f[3,4] f[3,4]",
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
