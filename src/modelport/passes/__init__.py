"""Passes: functions from hub graph to hub graph, and the pipeline that ``convert`` runs by default."""
from __future__ import annotations

from collections.abc import Callable, Sequence

from ..errors import UsageError
from ..ir.graph import Graph
from .clean import clean
from .fold import fold
from .fuse_blocks import fuse_attention, fuse_blocks
from .fuse_conv import fuse_conv
from .fuse_matmul import fuse_matmul

Pass = Callable[[Graph], Graph]

PASSES: dict[str, Pass] = {
    "fold": fold, "clean": clean, "fuse_conv": fuse_conv, "fuse_matmul": fuse_matmul, "fuse_blocks": fuse_blocks,
    "fuse_attention": fuse_attention,
}
DEFAULT = ("fold", "clean", "fuse_conv", "fuse_matmul", "fuse_blocks", "fold", "clean")
"""The default pipeline; it never changes a result beyond rounding.  ``fuse_attention`` is left out because its operator
needs opset 23, newer than many runtimes."""


def named(names: str) -> tuple[Pass, ...]:
    """The passes of a comma-separated list; ``default`` stands for the default pipeline, ``none`` for nothing."""
    out: list[Pass] = []
    for name in filter(None, (n.strip() for n in names.split(","))):
        if name == "default":
            out += [PASSES[n] for n in DEFAULT]
        elif name in PASSES:
            out.append(PASSES[name])
        elif name != "none":
            raise UsageError(f"there is no pass '{name}'", hint=f"passes: default, none, {', '.join(PASSES)}")
    return tuple(out)


def run(graph: Graph, passes: Sequence[Pass]) -> Graph:
    """The graph after the passes, in order, repeated until nothing changes (at most four times)."""
    for _ in range(4):
        before = graph
        for step in passes:
            graph = step(graph)
        if graph is before:
            break
    return graph
