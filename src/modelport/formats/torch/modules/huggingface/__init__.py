"""Architectures of Hugging Face: what the weights of a folder compute, by its config.json.

A rule is registered under the ``model_type`` of the configuration and gets the class that ``architectures`` names; it
calls operators on the weights, which :class:`.common.Weights` holds.  A weight that no rule asked for is an error: the
model is then not what its rule takes it for."""
from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .....errors import Unsupported, UnsupportedModel, printable
from .....ir.graph import Graph
from .....ir.tensor import Tensor
from .....ir.types import Type
from ..run import Run
from ..translate import called
from . import decoders, encoders, images
from .common import ARCHITECTURES, Config, Weights

__all__ = ["decoders", "encoders", "graph", "images"]


def graph(said: Mapping[str, Any], found: Mapping[str, Tensor], inputs: Sequence[str] = ()) -> Graph:
    """The raw graph of weights with the configuration ``said``."""
    config = Config(said)
    rule = ARCHITECTURES.get(config.type)
    if rule is None:
        why = f"the architecture {printable(config.type, 60)} of Hugging Face: {len(found)} tensors, and no code"
        raise UnsupportedModel(
            [Unsupported(why)], "ONNX",
            hint=f"modelport knows {', '.join(ARCHITECTURES)}; of others the model has to be exported (torch.export)")

    def call(run: Run, weights: Weights, *xs: Any, **named: Any) -> Any:
        weights.run = run
        made = rule.forward(run, config, weights, *xs, **named)
        weights.complete()
        return made

    def likely(_: Weights) -> Iterator[list[Type]]:
        yield rule.inputs(config)
    return called(lambda: Weights(found), call, inputs, lambda _: list(rule.names(config)), likely,
                  certain=True)
