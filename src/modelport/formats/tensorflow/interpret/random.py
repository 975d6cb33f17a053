"""Random operators: refused, but what their shape alone decides."""
from __future__ import annotations

from typing import Any

from .table import Refused, op


@op("RandomUniform", "RandomUniformInt", "RandomStandardNormal", "TruncatedNormal", "RandomShuffle", "Multinomial",
    "RandomGamma", "RandomPoisson", "RandomPoissonV2", "StatelessRandomUniform", "StatelessRandomNormal",
    "StatelessRandomUniformV2", "StatelessRandomNormalV2", "StatelessRandomUniformInt", "StatelessTruncatedNormal",
    "StatelessMultinomial", "ParameterizedTruncatedNormal", "RandomCrop", fold=False)
def random(*_: Any, **__: Any) -> Any:
    raise Refused("a random operator: no two runs are alike")
