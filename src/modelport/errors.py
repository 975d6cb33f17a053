"""Everything that modelport raises on purpose, drawn as one tree.

::

    ModelportError                                                       exit code
    ├── UsageError             the request makes no sense as asked            2
    ├── UnknownFormat          what the file looks like, what could read it   3
    ├── CorruptFile            not what it claims: path, byte offset          3
    ├── UnsafeModel            would need to run code from the file           3
    ├── LimitExceeded          a budget was reached, and which option raises it  3
    ├── UnsupportedModel       everything in the way, counted and located     4
    ├── StrictFailure          something was dropped or approximated, and --strict  4
    ├── MissingDependency      which extra to install                         5
    ├── RuntimeFailed          a runtime refused or crashed: its message      6
    └── VerificationFailed     outputs differ: the report                     1
"""
from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .ir.graph import Node


def printable(text: object, limit: int = 400) -> str:
    """``text`` from an untrusted file made safe to print: control characters escaped, length bounded."""
    s = str(text)
    s = "".join(c if c.isprintable() else c.encode("unicode_escape", "backslashreplace").decode()
                for c in s[:limit + 1])
    return s if len(s) <= limit else s[:limit] + "..."


class ModelportError(Exception):
    """Base of every error that modelport raises on purpose.  ``hint`` says what the user can do."""

    exit_code = 70

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message, self.hint = message, hint


class UsageError(ModelportError):
    """The request makes no sense as asked: a wrong option, a destination that exists, a name not in the model."""

    exit_code = 2


class UnknownFormat(ModelportError):
    """No known format has this content."""

    exit_code = 3


class CorruptFile(ModelportError):
    """The file is not what it claims to be.  ``path`` and, where known, the byte ``offset`` say where."""

    exit_code = 3

    def __init__(self, reason: str, *, path: object = None, offset: int | None = None, hint: str = "") -> None:
        self.reason, self.path, self.offset = reason, path, offset
        super().__init__(self._text(), hint=hint)

    def _text(self) -> str:
        where = "" if self.path is None else f"{printable(self.path)}: "
        at = "" if self.offset is None else f" (at byte {self.offset})"
        return f"{where}{printable(self.reason, 2000)}{at}"

    def at(self, path: object) -> CorruptFile:
        """The same error, naming ``path`` if it named no file yet."""
        if self.path is None:
            self.path = path
            self.message = self._text()
            self.args = (self.message,)
        return self


class UnsafeModel(ModelportError):
    """Reading the file as asked would open a path outside of its folder or run code from it."""

    exit_code = 3


class LimitExceeded(ModelportError):
    """A budget of :class:`modelport.codecs.limits.Limits` was reached; the message names the option that raises it."""

    exit_code = 3


class Unsupported(Exception):
    """Raised by a rule that cannot express its node; ``translate`` collects them into :class:`UnsupportedModel`."""

    def __init__(self, reason: str, node: Node | None = None) -> None:
        super().__init__(reason)
        self.reason, self.node = reason, node

    @property
    def op(self) -> str:
        return self.node.op if self.node is not None else "?"

    @property
    def where(self) -> str:
        """The node's name in the source, or that of its first output."""
        n = self.node
        return "" if n is None else n.origin or n.name or next((o.name for o in n.outputs if o.name), "")


class UnsupportedModel(ModelportError):
    """All that stands between a model and a target, found in one go.  ``problems`` holds one entry per node."""

    exit_code = 4

    def __init__(self, problems: Sequence[Unsupported], target: str, source: object = None, *,
                 hint: str = "") -> None:
        self.problems, self.target = tuple(problems), target
        groups: dict[str, list[Unsupported]] = {}
        for p in self.problems:
            groups.setdefault(f"{p.op}: {p.reason}", []).append(p)
        n = len(self.problems)
        of = f" of {printable(source)}" if source else ""
        head = f"{n} operator{'s' * (n != 1)}{of} cannot be expressed as {target}"
        lines = [f"  {len(g)} x {printable(line)}" + (f"  (first at '{printable(g[0].where)}')" if g[0].where else "")
                 for line, g in sorted(groups.items(), key=lambda item: -len(item[1]))]
        super().__init__("\n".join([head, *lines]), hint=hint)

    def in_file(self, source: object) -> UnsupportedModel:
        """The same error, naming the source file."""
        return UnsupportedModel(self.problems, self.target, source, hint=self.hint)


class StrictFailure(ModelportError):
    """The conversion dropped or approximated something, and ``strict`` was asked for; the message lists the notes."""

    exit_code = 4


class MissingDependency(ModelportError):
    """An optional package is needed; the message names the extra that installs it."""

    exit_code = 5

    def __init__(self, package: str, extra: str, why: str) -> None:
        super().__init__(f"{why} needs the package '{package}', which is not installed",
                         hint=f"pip install 'modelport[{extra}]'")


class RuntimeFailed(ModelportError):
    """A runtime refused the model, crashed or timed out; the message is the runtime's own."""

    exit_code = 6


class VerificationFailed(ModelportError):
    """Source and target compute different results; ``report`` says where."""

    exit_code = 1

    def __init__(self, message: str, report: Any = None, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.report = report
