"""Variables of a .tflite model: what an operator changes in place becomes values that flow.

Two kinds: tensors with ``is_variable``, which recurrent operators update, and resources, which READ_VARIABLE and
ASSIGN_VARIABLE use by handle and CALL_ONCE fills."""
from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...ir.graph import Value
from ...ir.tensor import Tensor
from ...ir.types import Type
from ...notes import Note

UPDATED: Mapping[str, tuple[int, ...]] = {
    "LSTM": (18, 19), "UNIDIRECTIONAL_SEQUENCE_LSTM": (18, 19), "BIDIRECTIONAL_SEQUENCE_LSTM": (35, 36, 37, 38),
    "RNN": (4,), "UNIDIRECTIONAL_SEQUENCE_RNN": (4,), "BIDIRECTIONAL_SEQUENCE_RNN": (4, 8), "SVDF": (4,)}
"""The inputs that an operator updates in place; in a raw graph their new values are its last outputs, in this order."""


def initial(type: Type) -> Tensor:
    """What a variable tensor holds at first and after a reset: the number zero, whatever its quantization."""
    stored = 0 if type.quant is None or type.quant.zero_point.ndim else int(type.quant.zero_point)
    shape = tuple(d if isinstance(d, int) else 1 for d in type.shape or ())
    return Tensor(np.broadcast_to(np.asarray(stored).astype(type.dtype), shape), Type(type.dtype, shape, type.quant))


class Variables:
    """The values of the variables of one run, by name, as far as the operators have been followed."""

    def __init__(self, explicit: bool = False, *, fixed: bool = False) -> None:
        self.explicit, self.fixed = explicit, fixed  # fixed: inside a body, where a change cannot flow out
        self._start: dict[str, Value] = {}
        self._inputs: dict[str, Value] = {}
        self.now: dict[str, Value] = {}
        self.changed: dict[str, None] = {}

    def begin(self, name: str, value: Value) -> None:
        """States the initial value of a variable, before any operator uses it."""
        self._start[name] = value

    def get(self, name: str, type: Type) -> Value | None:
        """The present value of a variable; ``None`` if nothing has been assigned to it."""
        if name not in self.now:
            if self.explicit:
                self._inputs[name] = self.now[name] = Value(type, f"state:{name}")
            elif name in self._start:
                self.now[name] = self._start[name]
        return self.now.get(name)

    def set(self, name: str, value: Value) -> None:
        self.now[name] = value
        self.changed[name] = None

    def inputs(self) -> dict[str, Value]:
        return {f"state:{k}": v for k, v in self._inputs.items()}

    def outputs(self) -> dict[str, Value]:
        """The values after the run, of the variables that ``explicit`` asked for and that changed."""
        return {f"state:{k}:next": self.now[k] for k in self.changed} if self.explicit else {}

    def notes(self) -> list[Note]:
        if not self.changed:
            return []
        if self.explicit:
            return [Note("changed", f"{len(self.changed)} variables are inputs state:<name> and outputs "
                                    "state:<name>:next")]
        names = ", ".join(list(self.changed)[:3]) + (", ..." if len(self.changed) > 3 else "")
        return [Note("changed", f"{len(self.changed)} variables ({names}) start from their initial values in each run, "
                                "as after reset_all_variables()")]
