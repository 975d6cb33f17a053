"""Cases of PyTorch: functions of tensors and modules, as expressions, with the tensors they are asked about.

``F.case("add/alpha", "torch.add(x, y, alpha=2)", "f[2,3] f[3]")`` is a function of x, y, z, ... in this order;
``F.module("linear", "nn.Linear(4, 3)", "f[2,4]")`` a module, which gets random weights and statistics.

A tensor is said by a letter and sizes: ``f`` float32, ``d`` float64, ``h`` float16, ``i`` int64, ``s`` int32, ``u``
uint8, ``b`` bool; then optionally where its values lie: ``f[2,3]0:1`` uniform between, ``i[4]0:9`` integers below 9,
``f[5]=1,2,3,nan,inf`` these.  Without it reals are normal, integers from -5 to 5."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Case:
    """``forms``: how it is written (``pt2``, ``dynamic``: all sizes that torch.export lets be dynamic, ``ts``: traced);
    ``loose``: a relative bar of its own, with its reason in the table of cases; ``step``: that of quantized results,
    which may be one beside the answer where that is a tie, as at most a quarter are."""

    name: str
    expression: str
    inputs: str
    module: bool = False
    forms: tuple[str, ...] = ("pt2", "dynamic", "ts")
    loose: float = 0.0
    step: float = 0.0


@dataclass
class Family:
    cases: dict[str, Case] = field(default_factory=dict)

    def case(self, name: str, expression: str, inputs: str, **how: Any) -> None:
        if name in self.cases:
            raise ValueError(f"two cases '{name}'")
        self.cases[name] = Case(name, expression, inputs, **how)

    def module(self, name: str, expression: str, inputs: str, **how: Any) -> None:
        self.case(name, expression, inputs, module=True, **how)
