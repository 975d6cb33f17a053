"""Two reports compared: which lines became slower, by more than their noise."""
from __future__ import annotations

from dataclasses import dataclass

from .report import Measurement
from .text import milliseconds, percent


@dataclass(frozen=True)
class Change:
    """One line of both reports: ``ratio`` is the new latency to the old one, ``noise`` what both noises allow,
    ``slower`` whether it is slower by more than the noise and the bound together."""

    name: str
    before: float
    after: float
    noise: float
    slower: bool
    faster: bool
    gone: bool = False

    @property
    def ratio(self) -> float:
        return self.after / self.before

    def text(self) -> str:
        if self.gone:
            return f"{self.name}: was {milliseconds(self.before)}, is not measured any more"
        word = "SLOWER" if self.slower else "faster" if self.faster else "the same within the noise" \
            if abs(self.ratio - 1) <= self.noise else "slower, within the bound"
        return (f"{self.name}: {milliseconds(self.before)} before, {milliseconds(self.after)} now: x {self.ratio:.2f} "
                f"(\u00b1{percent(self.noise)}): {word}")


def changes(new: Measurement, old: Measurement, bound: float = 0.0) -> list[Change]:
    """Every line that the old report has figures of, by file and runtime.

    A line that has none any more counts as slower: nothing says that it still runs."""
    found, out = {r.name: r for r in new.measured}, []
    for r in old.measured:
        was, now = r.latency[0], found.get(r.name)
        if now is None:
            out.append(Change(r.name, was.median, was.median, 0.0, True, False, gone=True))
            continue
        one = now.latency[0]
        noise, ratio = was.noise + one.noise, one.median / was.median
        out.append(Change(r.name, was.median, one.median, noise, ratio > 1 + bound + noise, ratio < 1 - noise))
    return out


def warnings(new: Measurement, old: Measurement) -> list[str]:
    """What makes two reports less comparable than they look."""
    out = []
    if old.measured and not {r.name for r in new.measured} & {r.name for r in old.measured}:
        out.append("the baseline has no line of these files in these runtimes: it is of something else")
    if new.machine.processor != old.machine.processor:
        out.append(f"the baseline is of another processor: {old.machine.processor}")
    if (new.threads, new.seed) != (old.threads, old.seed):
        out.append("the baseline was measured with other threads or another seed")
    a, b = old.machine.yardstick, new.machine.yardstick
    if a and b and abs(b / a - 1) > 0.1:
        out.append(f"the machine itself was {percent(abs(b / a - 1))} {'slower' if b > a else 'faster'} than for the "
                   "baseline (a fixed piece of work)")
    return out
