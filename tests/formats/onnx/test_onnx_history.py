"""Every change of every operator in the history of the installed onnx package is either harmless or has a rule."""
from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from typing import Any

import onnx
import pytest

from modelport.formats.onnx.upgrade import FAMILIES, history, table
from modelport.hub.opset import OPSET, unheld


def steps() -> list[tuple[str, Any, Any]]:
    """Operator, schema before, schema after, of every change up to the hub's operator sets."""
    found = defaultdict(list)
    for s in onnx.defs.get_all_schemas_with_history():
        if s.domain in OPSET and s.since_version <= OPSET[s.domain]:
            found[f"{s.domain}.{s.name}" if s.domain else s.name].append(s)
    out = []
    for op, forms in sorted(found.items()):
        forms.sort(key=lambda s: s.since_version)
        out += [(op, a, b) for a, b in pairwise(forms) if not unheld(op)]
    return out


def only_wider(a: Any, b: Any) -> bool:
    """Whether nothing changed but that more element types are allowed."""
    def attribute(x: Any) -> tuple[Any, ...]:
        return x.type, x.required, x.default_value.SerializeToString(deterministic=True)
    def parameters(x: Any) -> list[Any]:
        return [(p.option, p.is_homogeneous, p.min_arity) for p in x]
    return (a.deprecated == b.deprecated
            and {k: attribute(v) for k, v in a.attributes.items()} == {k: attribute(v) for k, v in b.attributes.items()}
            and parameters(a.inputs) == parameters(b.inputs) and parameters(a.outputs) == parameters(b.outputs)
            and all(set(x.types) <= set(y.types) for x, y in zip([*a.inputs, *a.outputs], [*b.inputs, *b.outputs],
                                                                 strict=True)))


STEPS = steps()


def test_the_history_is_there() -> None:
    assert len(STEPS) > 400
    assert FAMILIES


@pytest.mark.parametrize(("op", "before", "after"), STEPS, ids=[f"{op}-{b.since_version}" for op, _, b in STEPS])
def test_a_change_is_harmless_or_has_a_rule(op: str, before: Any, after: Any) -> None:
    version = after.since_version
    ruled = version in table.covered(op)
    if (op, version) in history.SILENT:
        assert ruled
    elif not only_wider(before, after):
        assert ruled or (op, version) in history.COMPATIBLE


def test_the_table_says_nothing_of_what_is_not_there() -> None:
    real = {(op, b.since_version): only_wider(a, b) for op, a, b in STEPS}
    for key in history.COMPATIBLE:
        assert key in real
        assert not real[key], f"{key} needs no entry"
        assert key[1] not in table.covered(key[0]), f"{key} has a rule and an entry"
    for key in (*history.SILENT, *history.ERRATA):
        assert key in real
