"""What a file of PyTorch holds, for ``modelport inspect``: the tree of a module, or the tensors of a state dict."""
from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from ....codecs.limits import DEFAULT, Limits
from ....codecs.pickle import Record
from ....errors import printable
from ....ir.tensor import Tensor
from ..machine import Box
from ..storage import Records, suspicious
from .states import opened, tensors
from .translate import chosen
from .tree import Module, Tree, weights

_MOST = 400


def contents(path: Path, limits: Limits = DEFAULT) -> dict[str, str]:
    """The modules of a file with their parameters, or its tensors, and names that a model has no business with;
    nothing of programs, which say themselves what they are."""
    path = Path(path)
    if path.is_dir():
        return _listed(tensors(path, limits))
    with open(path, "rb") as f:
        zipped = f.read(4) == b"PK\x03\x04"
    if zipped:
        records = Records(path, limits)
        names = records.names
        records.close()
        if "data.pkl" not in names or "constants.pkl" in names or any(n.startswith("code/") for n in names):
            return {}
    else:
        with open(path, "rb") as f:
            if f.read(9)[8:] == b"{":
                return _listed(tensors(path, limits))
    saved = opened(path, limits)
    out: dict[str, str] = {}
    bad = suspicious(saved.names)
    if bad:
        out["torch:SUSPICIOUS"] = ", ".join(printable(n, 120) for n in bad[:40])
    found = chosen(saved.root)
    if found is None:
        left: list[str] = []
        listed = _listed(weights(saved.root, left))
        if left:
            out["torch:tensors of other kinds"] = printable(", ".join(left[:20]), 300)
        return {**out, **_extras(saved.root), **listed}
    return {**out, **_tree(Tree(saved.sources).module(found))}


def _extras(root: Any) -> dict[str, str]:
    """What a checkpoint says beside its tensors."""
    if not isinstance(root, dict):
        return {"torch:holds": root.path if isinstance(root, Record) else f"a {type(root).__name__}"}
    return {f"torch:{printable(k, 60)}": printable(v, 80) for k, v in list(root.items())[:40]
            if isinstance(v, (int, float, str, bool))}


def _listed(found: dict[str, Tensor]) -> dict[str, str]:
    out = {"torch:tensors": f"{len(found)}, {sum(t.type.size or 0 for t in found.values()):,} numbers"}
    for name, t in list(found.items())[:_MOST]:
        out[f"torch:{printable(name, 120)}"] = str(t.type)
    if len(found) > _MOST:
        out["torch:..."] = f"{len(found) - _MOST} more"
    return out


def _tree(root: Module) -> dict[str, str]:
    modules = list(root.walk())
    kinds = Counter(m.kind for m in modules)
    out = {"torch:module": printable(root.cls, 120),
           "torch:classes": ", ".join(f"{n} {printable(k, 80)}" for k, n in kinds.most_common(20))}
    for m in modules[:_MOST]:
        held = ", ".join(f"{printable(k, 40)} {t.value.type}" for k, t in m.tensors.items() if isinstance(t, Box))
        said = ", ".join(f"{printable(k, 40)}={printable(v, 40)}" for k, v in m.attributes.items()
                         if not k.startswith("_") and k not in ("training", "in_features", "out_features") and
                         isinstance(v, (int, float, str, bool, tuple)))
        out[f"torch:{printable(m.path or '(root)', 120)}"] = printable(
            f"{m.kind}({said})" + f": {held}" * bool(held), 300)
    if len(modules) > _MOST:
        out["torch:..."] = f"{len(modules) - _MOST} more modules"
    return out
