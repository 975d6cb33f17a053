"""A target as applications load it: with the rewrites that ONNX Runtime makes by default, which a proof leaves out."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..errors import ModelportError, RuntimeFailed, printable
from ..ir.graph import Graph
from . import compare as cmp
from .inputs import Feed
from .noise import Again, too_far
from .sides import Runners

HOW = "with the rewrites that ONNX Runtime makes by default"
OFF = "switch them off with graph_optimization_level = ORT_DISABLE_ALL"


def trouble(graph: Graph, feeds: Sequence[Feed], plain: Again, opened: Callable[[], Again],
            bars: Mapping[str, cmp.Bar], runners: Runners) -> str:
    """What the rewrites break: that the file loads and runs, or an output farther than rounding explains; empty if
    nothing.  ``plain`` and ``opened()`` answer one of the ``feeds`` (the first ordinary one) without and with them;
    ``graph`` is what both compute."""
    feed = next((f for f in feeds if f.kind in ("sample", "ordinary")), None)
    if feed is None:
        return ""
    try:
        again = opened()
        made = again(feed.arrays)
    except RuntimeFailed as e:
        made = e
    if isinstance(made, ModelportError):
        return f"{HOW} this file does not run ({printable(made.message, 200)}); {OFF}"
    got = plain(feed.arrays)
    if isinstance(got, ModelportError):
        return ""
    apart = {k: d for k, bar in bars.items() if not (d := cmp.compare(got[k], made[k], bar)).passed}
    far = [k for k, d in apart.items() if too_far(graph, [(feed, k)], plain, again, runners)]
    said = ", ".join(f"'{printable(k)}' ({apart[k].reason or f'{apart[k].error:.2g} of range'})" for k in far)
    return f"{HOW} this file computes something else: {said}; {OFF}" if far else ""
