"""``recommend``: the file to take for a target, from what was measured and from what the target can hold."""
from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from ..errors import UsageError
from .report import Measurement, Row, even
from .targets import TARGETS
from .text import agreement, digits, milliseconds, percent, size

_RUNTIMES = {
    "cloud": (), "edge": ("onnxruntime", "tflite", "executorch", "torch", "torchscript", "tensorflow", "keras", "tfjs",
                          "tfjs-wasm", "sklearn", "xgboost", "lightgbm", "catboost"),
    "browser": ("onnxruntime", "tflite", "tfjs-wasm", "tfjs"),
    "ios": ("onnxruntime", "tflite", "executorch"), "android": ("onnxruntime", "tflite", "executorch"),
    "jetson": ("onnxruntime", "tflite", "executorch", "torch", "torchscript", "tensorflow"),
    "mcu": ("tflite-reference", "tflite", "executorch")}
"""The runtimes whose figures are asked for a target, those nearest to what runs there first; none: all."""


NEAR = 1.1
"""Files that are larger by no more than this factor count as equally small: then the error decides."""


@dataclass(frozen=True)
class Limits:
    """What the target allows: milliseconds, bytes of the file, bytes of memory, the share of equal labels."""

    latency: float | None = None
    size: float | None = None
    memory: float | None = None
    agreement: float | None = None


@dataclass(frozen=True)
class Advice:
    """The rows that a target can take, the best first, and why the others can't; ``estimated`` says what is known of
    a target that was not measured, and by which formula."""

    target: str
    ranked: tuple[Row, ...]
    refused: tuple[tuple[str, str], ...]
    estimated: tuple[str, ...]
    limits: Limits
    model: str
    here: bool
    """Whether the figures are of a machine of the target's kind."""

    @property
    def best(self) -> Row | None:
        return self.ranked[0] if self.ranked else None

    def as_data(self) -> dict[str, Any]:
        """For JSON."""
        return {"target": self.target, "model": self.model, "text": self.text(), "estimated": list(self.estimated),
                "ranked": [asdict(r) for r in self.ranked],
                "refused": [{"what": a, "why": b} for a, b in self.refused], "limits": asdict(self.limits)}

    def text(self) -> str:
        """Two sentences of advice, the command, the runners-up, what was refused, what is estimated."""
        title, best = TARGETS[self.target], self.best
        if best is None:
            lines = [f"nothing that was measured fits {title}:"]
            return "\n".join([*lines, *(f"  {a}: {why}" for a, why in self.refused), *self.estimated])
        lines = [*self._sentences(best, title)]
        lines.append(best.command if best.command.startswith("modelport") else "no command is needed: it is the model "
                     "as it is")
        for r in self.ranked[1:4]:
            lines.append(f"  then {r.name}: {milliseconds(r.latency[0].median)}, {size(r.bytes)}, error "
                         f"{agreement(r)[1]}")
        lines += [f"  not {a}: {why}" for a, why in self.refused]
        return "\n".join([*lines, *self.estimated])

    def _sentences(self, best: Row, title: str) -> list[str]:
        one, where = best.latency[0], "" if self.here else " on this machine (not on the target)"
        rivals = [r for r in self.ranked[1:] if r.file != best.file]
        first = (f"for {title}: {best.file} ({best.title}): {milliseconds(one.median)} a run "
                 f"(\u00b1{percent(one.noise)}){where}, {size(best.bytes)}")
        if rivals:
            factor = _latency(rivals[0]) / _latency(best)
            noise = one.noise + rivals[0].latency[0].noise
            than = f"{rivals[0].file} in {rivals[0].title}"
            if abs(factor - 1) > noise:
                first += f", {digits(factor)} times as fast as {than}"
            else:
                better = "smaller" if rivals[0].bytes > best.bytes * NEAR else "nearer to the source"
                first += f"; as fast as {than} within the noise, and {better}"
        proof = best.agreement
        if proof is None:
            second = "It is the source itself; nothing was converted."
        else:
            said = {"L2": "proven against an independent runtime", "L3": "proven against the original framework",
                    "L1": "consistent, not proven"}.get(proof.level, "not proven")
            labels = f", labels {proof.labels[0]} of {proof.labels[1]} equal" if proof.labels[1] else ""
            error = "" if proof.error is None else f", largest error {proof.error:.1e} of the range"
            second = f"It is {said} ({proof.level}{error}{labels})."
        return [first + ".", f"{second} Why there: {best.deploys[self.target][1]}."]


def recommend(m: Measurement, target: str, limits: Limits | None = None) -> Advice:
    """Ranks the rows of a comparison for ``target``, a key of :data:`~.targets.TARGETS`.

    Kept are rows whose file can be deployed there, within the limits, whose proof did not fail.  They are ordered by
    latency; rows within the noise of the fastest are ordered by size, those of nearly one size by error."""
    limits = limits or Limits()
    if m.measured and not any(r.deploys for r in m.rows):
        raise UsageError("the report does not say where its files can be deployed: it is one of modelport bench",
                         hint="recommend takes the report of a comparison, or a model")
    rows, refused = [], []
    here = measured_here(m, target)
    order = _RUNTIMES[target]
    for r in m.measured:
        able, why = r.deploys[target]
        no = why if not able else _beyond(r, limits, here)
        if able and order and r.runtime not in order:
            continue  # a runtime that is not there; the file's other rows speak for it
        if no:
            refused.append((r.name if able and here and no.endswith(_OF_A_RUN) else r.file, no))
        else:
            rows.append(r)
    nearest: dict[str, Row] = {}
    for r in rows:  # of each file the runtime that is nearest to the target's
        if r.file not in nearest or (order and order.index(r.runtime) < order.index(nearest[r.file].runtime)):
            nearest[r.file] = r
    ranked = sorted(nearest.values() if order else rows, key=_latency)
    if ranked:
        first = ranked[0]
        near = [r for r in ranked if even(r, first)]
        small = min(r.bytes for r in near) * NEAR
        near.sort(key=lambda r: (max(r.bytes, small), _error(r), _latency(r)))
        ranked = near + [r for r in ranked if r not in near]
    estimated: tuple[str, ...] = () if here else estimates(m, target)
    if not here and (limits.latency is not None or limits.memory is not None):
        estimated += ("limits of latency and memory were not judged: figures of this machine say nothing of it",)
    if limits.agreement is not None and not any(r.agreement is not None and r.agreement.labels[1] for r in m.rows):
        estimated += ("the least agreement was not judged: the model gives no labels to compare",)
    return Advice(target, tuple(ranked), tuple(dict.fromkeys(refused)), estimated, limits, m.model, here)


def measured_here(m: Measurement, target: str) -> bool:
    """Whether the machine of a report is one of the target's kind: any server, and for the edge one of 64-bit ARM."""
    return target == "cloud" or (target == "edge" and "aarch64" in m.machine.system)


_OF_A_RUN = (" a run", " of memory")
"""What the refusals end with that are of a runtime, not of a file."""


def _latency(r: Row) -> float:
    return r.latency[0].median / r.latency[0].rows


def _error(r: Row) -> float:
    return 0.0 if r.agreement is None or r.agreement.error is None else r.agreement.error


def _beyond(r: Row, limits: Limits, here: bool) -> str:
    """Which limit a row breaks, or nothing."""
    one = r.latency[0]
    if limits.latency is not None and one.median > limits.latency and here:
        return f"{milliseconds(one.median)}, more than {milliseconds(limits.latency)} a run"
    if limits.size is not None and r.bytes > limits.size:
        return f"{size(r.bytes)}, more than {size(int(limits.size))}"
    if limits.memory is not None and r.memory is not None and r.memory > limits.memory and here:
        return f"{size(r.memory)}, more than {size(int(limits.memory))} of memory"
    if r.agreement is not None and r.agreement.verdict == "fail":
        return "its proof failed"
    if limits.agreement is not None and r.agreement is not None:
        same, of = r.agreement.labels
        if of and same / of < limits.agreement:
            return f"labels {same} of {of} equal, less than {percent(limits.agreement)}"
    return ""


def estimates(m: Measurement, target: str) -> tuple[str, ...]:
    """What is known of a target that is not at hand: counts of the model, with their formulas; no time."""
    s = m.summary
    title = TARGETS[target]
    out = [f"not measured on {title}: no such device is here; latency and memory above are of {m.machine.processor}"]
    macs, weights, live = s.get("macs"), s.get("weights"), s.get("activations")
    if macs:
        out.append(f"estimated: {macs:,} multiply-accumulates a run = sum over convolutions, products and recurrent "
                   "layers of outputs x inputs of each (free sizes as 1)")
    if weights is not None and live is not None:
        moved = _moved(s)
        out.append(f"estimated: at least {size(moved)} moved a run = {size(weights)} of weights, read once, + "
                   f"{size(live)}, the most that live activations take at once")
        if macs and moved:
            out.append(f"estimated: {digits(macs / moved)} multiply-accumulates a byte moved; a run takes at least the "
                       "larger of operations / rate and bytes / bandwidth, and these two only the device tells")
    return tuple(out)


def _moved(s: Mapping[str, Any]) -> int:
    return int(s.get("weights") or 0) + int(s.get("activations") or 0)


def amount(text: str, units: Mapping[str, float]) -> float | None:
    """A number with a unit, such as 10ms or 5MB; ``None`` if it is none."""
    t = text.strip().lower().replace(" ", "")
    unit = next((u for u in sorted(units, key=len, reverse=True) if u and t.endswith(u.lower())), "")
    try:
        number = float(t[:len(t) - len(unit)])
    except ValueError:
        return None
    return number * units[unit] if unit in units and math.isfinite(number) and number > 0 else None


BYTES: Mapping[str, float] = {"": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
SPANS: Mapping[str, float] = {"": 1, "ms": 1, "us": 1e-3, "s": 1e3}
SHARES: Mapping[str, float] = {"": 1, "%": 0.01}
