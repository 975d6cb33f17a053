"""How the code of an archive leaves a block."""
from __future__ import annotations

from typing import Any


class Returned(Exception):
    """A function returns."""

    def __init__(self, value: Any) -> None:
        self.value = value


class Raised(Exception):
    """The code raises an exception, whatever its inputs are."""


class Left(Exception):
    """A loop is left, or its next turn begun (``again``)."""

    def __init__(self, again: bool) -> None:
        self.again = again
