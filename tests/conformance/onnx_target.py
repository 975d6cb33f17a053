"""ONNX -> hub -> a format -> its runtime over the cases of the onnx package: what becomes of each, whatever the format.

pass          the runtime computes from the file what the case expects
unsupported   a typed refusal, with its reason
error         conversion failed otherwise, or the runtime does not load or run the file
wrong         the runtime computes something else
crash         the runtime died

The table of a format is in ``expected/<format>-target.txt``; ``MODELPORT_UPDATE=1`` writes it anew."""
from __future__ import annotations

import os
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from onnx_cases import Case, near, node_cases, same, stored_cases

from modelport import api, registry
from modelport.errors import ModelportError, RuntimeFailed, UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.ir.graph import Graph
from modelport.runtimes import isolated

OUTSIDE = re.compile(r"sequence type|sequences|optional|training")
"""What is no tensor, or no inference, in the verdict of a case."""
Verdicts = Callable[[Sequence[Case]], Iterator[tuple[str, str]]]


def cases() -> tuple[Case, ...]:
    return tuple(sorted(node_cases() + stored_cases(), key=lambda c: c.name))


def converted(case: Case, target: Path, name: str) -> tuple[str, Graph]:
    """What keeps a case from being written at ``target`` in a format (empty if nothing does), and the hub graph."""
    source = target.with_name("source.onnx")
    source.write_bytes(case.model)
    spec = registry.named(name)
    module = spec.load()
    hub = Graph({}, {})
    try:
        hub = format_onnx.to_hub(format_onnx.read(source))
        module.write(module.from_hub(api.prepare(hub, spec)), target)
    except UnsupportedModel as e:
        return "unsupported (" + "; ".join(sorted({f"{p.op}: {p.reason}" for p in e.problems})) + ")", hub
    except ModelportError as e:
        return f"unsupported ({type(e).__name__}: {e.message.splitlines()[0]})", hub
    except Exception as e:
        return f"error {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}", hub
    return "", hub


def failed(e: ModelportError, how: str = "") -> str:
    """The verdict of a file that does not load or run; ``how`` it was run."""
    kind = "crash" if isinstance(e, RuntimeFailed) and "crashed" in e.message else "error"
    return f"{kind}{' ' * bool(how)}{how}: {e.message.splitlines()[0]}"


def agrees(got: Sequence[Any], case: Case) -> bool:
    return same(got, case.expected, case) or near(got, case)


def judged(cases: Sequence[Case], verdict: Callable[[Case, Path, isolated.Worker], str]) -> Iterator[tuple[str, str]]:
    """Name and verdict of every case; the runtime is in a process of its own."""
    with tempfile.TemporaryDirectory() as folder, isolated.Worker() as worker:
        for case in cases:
            yield case.name, verdict(case, Path(folder), worker)


def main(verdicts: Verdicts) -> int:
    """Prints the verdicts of the cases whose name matches the pattern of the command line."""
    pattern = re.compile(sys.argv[1] if len(sys.argv) > 1 else "")
    counts: Counter[str] = Counter()
    for name, what in verdicts([c for c in cases() if pattern.search(c.name)]):
        counts[what.split()[0].rstrip(":")] += 1
        print(f"{name} {what}", flush=True)
    print(dict(counts), file=sys.stderr)
    return 0


class Record:
    """The table on record of a format."""

    def __init__(self, name: str) -> None:
        self.path = Path(__file__).parent / "expected" / f"{name}-target.txt"

    def read(self) -> dict[str, str]:
        return dict(line.split(" ", 1) for line in self.path.read_text().splitlines())

    def holds(self, found: Mapping[str, str]) -> None:
        """Asserts that every case is as it is on record; writes the record anew if that is asked for."""
        if os.environ.get("MODELPORT_UPDATE"):
            self.path.write_text("".join(f"{name} {what}\n" for name, what in found.items()))
        self.agrees(found)
        other = found.keys() ^ self.read().keys()
        assert not other, other

    def agrees(self, found: Mapping[str, str]) -> None:
        """Asserts that these cases are as they are on record."""
        on_record = self.read()
        changed = {k: (v, on_record.get(k)) for k, v in found.items() if on_record.get(k) != v}
        assert not changed, changed

    def nothing_is_wrong(self) -> None:
        kinds = Counter(v.split()[0] for v in self.read().values())
        assert kinds.keys() <= {"pass", "unsupported"}, kinds

    def most_pass(self, lacking: re.Pattern[str], share: float, least: int) -> None:
        """Asserts that of the cases of inference whose element types the format has, at least a share passes."""
        held = [v for k, v in self.read().items() if not OUTSIDE.search(v) and not lacking.search(k + v)]
        passed = sum(v == "pass" for v in held)
        assert len(held) > least, len(held)
        assert passed >= share * len(held), f"{passed} of {len(held)}"
