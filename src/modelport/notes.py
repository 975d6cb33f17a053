"""What a conversion changed, dropped or approximated without failing."""
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Note:
    """One remark.  ``kind`` is a stable word for programs: ``dropped``, ``approximated``, ``changed`` or ``info``."""

    kind: str
    message: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" + (f" (at '{self.where}')" if self.where else "")


def lines(notes: Iterable[Note]) -> list[str]:
    """The notes for people: one line for all that say the same, with their number and the first place."""
    groups: dict[tuple[str, str], list[str]] = {}
    for n in notes:
        groups.setdefault((n.kind, n.message), []).append(n.where)
    out = []
    for (kind, message), places in groups.items():
        named = [p for p in places if p]
        where = f" (at '{named[0]}')" if len(named) == 1 else \
            f" ({len(named)} places, the first at '{named[0]}')" if named else ""
        out.append(f"{kind}: {message}{where}")
    return out
