"""What pickles describe, as plain records."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..errors import printable


@dataclass(frozen=True, slots=True)
class Name:
    """A global that a pickle names: a class or a function, which nobody looked up."""

    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.module}.{self.name}"


@dataclass(eq=False, slots=True)
class Record:
    """An object of a class, or the result of a call, as the pickle describes it.

    ``of`` is the class or function; ``args`` and ``kwargs`` what it was called with; ``state`` what ``__setstate__``
    would have got, most often the attributes; ``items`` and ``entries`` what was appended to it, and set in it."""

    of: Name | Record
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = field(default_factory=dict)
    state: Any = None
    items: list[Any] = field(default_factory=list)
    entries: dict[Any, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """The name of its class, such as "sklearn.svm._classes.SVC"; of a call of a call, that of the first one."""
        of: Any = self
        while isinstance(of, Record):
            of = of.of
        return str(of)

    def __repr__(self) -> str:
        return f"<Record of {printable(self.path, 100)}>"


@dataclass(frozen=True, slots=True)
class Persistent:
    """A reference to something that is kept outside of the pickle."""

    id: Any
