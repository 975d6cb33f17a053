"""Hub graphs as ONNX of an older operator set."""
from __future__ import annotations

from collections.abc import Sequence

from onnx import helper

from ....errors import Unsupported, UnsupportedModel, UsageError
from ....hub.opset import NHWC, OPSET, split
from ....ir.graph import Graph, Node, rebuild
from .. import meta
from .fits import misfit

LOWEST, USUAL = 13, 20
_ML = (3, 5)


def from_hub(hub: Graph, opset: int | None = None, ir_version: int | None = None) -> Graph:
    """The graph in the operators of ``opset`` (13 to 28); by default the lowest from 20 on that holds it.

    Raises :class:`UnsupportedModel` naming every node that the operator set does not hold."""
    if opset is not None and not LOWEST <= opset <= OPSET[""]:
        raise UsageError(f"opset {opset} can't be written; {LOWEST} to {OPSET['']} can")
    if any(n.op.startswith(NHWC) for n in hub.walk()):
        from ....hub.layout import channels_first
        hub = channels_first(hub)
    versions = (opset,) if opset is not None else range(USUAL, OPSET[""] + 1)
    for version in versions:
        problems, lowered = _lower(hub, version)
        if not problems:
            break
    else:
        raise UnsupportedModel(problems, f"ONNX of opset {versions[-1]}")
    imports = {"": version}
    domains = {split(n.op)[0] for n in lowered.walk()}
    if "ai.onnx.ml" in domains:
        imports["ai.onnx.ml"] = 5 if any(n.op == "ai.onnx.ml.TreeEnsemble" for n in lowered.walk()) else 3
    ir = ir_version or helper.find_min_ir_version_for([helper.make_opsetid(d, v) for d, v in imports.items()])
    return lowered.with_(meta={**meta.with_imports(lowered.meta, imports), "onnx:ir_version": str(ir)})


def _lower(hub: Graph, version: int) -> tuple[Sequence[Unsupported], Graph]:
    problems: list[Unsupported] = []

    def rule(node: Node) -> Sequence[object] | None:
        if split(node.op)[0]:
            return None
        got = misfit(node, version)
        if isinstance(got, str):
            problems.append(Unsupported(f"{got} in opset {version}", node))
            return None
        return None if got == node.attrs else node.with_(attrs=got).outputs

    return problems, rebuild(hub, rule)
