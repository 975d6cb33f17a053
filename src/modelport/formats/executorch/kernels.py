"""The kernels of ExecuTorch by their schemas: which arguments they have, in order, and how many results."""
from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class Kernel:
    """``arguments``: names and types ("Tensor", "int[]", "Scalar?") before the results, the first ``positional`` of
    them without names; ``results`` how many there are; ``listed``: the results are one list."""

    name: str
    arguments: tuple[tuple[str, str], ...]
    positional: int
    results: int
    listed: bool = False


@cache
def kernels() -> dict[str, Kernel]:
    """Every kernel of the stock runtime, by "aten::add.out" (made by ``tools/schemas.py executorch_kernels``)."""
    text = resources.files("modelport.codecs").joinpath("schemas/executorch_kernels.txt").read_text("utf-8")
    return {k.name: k for k in map(_parsed, text.splitlines())}


def _parsed(line: str) -> Kernel:
    name, _, rest = line.partition("(")
    inside = rest[:rest.index(") ->")]
    arguments: list[tuple[str, str]] = []
    results, listed, positional = 0, False, -1
    for piece in re.split(r", (?![^\[]*\])", inside):
        if piece == "*":
            positional = len(arguments)
        if not piece or piece == "*":
            continue
        m = re.match(r"(\w+)(\([a-z]!\))?((?:\[\d*\])?\??(?:\[\])?\??) (\w+)", piece)
        if m is None:
            raise ValueError(f"no schema of a kernel: {line}")
        if m[2] and not name.endswith("_"):
            results += 1
            listed = m[3].startswith("[]")
        else:
            arguments.append((m[4], m[1] + re.sub(r"\d", "", m[3])))
    return Kernel(name, tuple(arguments), positional if positional >= 0 else len(arguments), results, listed)
