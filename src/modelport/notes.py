"""What a conversion changed, dropped or approximated without failing."""
from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Note:
    """One remark.  ``kind`` is a stable word for programs: ``dropped``, ``approximated``, ``changed`` or ``info``."""

    kind: str
    message: str
    where: str = ""

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}" + (f" (at '{self.where}')" if self.where else "")
