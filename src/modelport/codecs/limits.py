"""The budget of reading an untrusted file: one object, checked before anything is allocated."""
from __future__ import annotations

from dataclasses import dataclass

from ..errors import LimitExceeded


@dataclass(frozen=True, slots=True)
class Limits:
    """Upper bounds of what one file may cost.  Each field is the option ``--limit NAME=NUMBER`` of the command line."""

    file_bytes: int = 64 << 30
    """Size of the file, or of all files of the model together."""
    nodes: int = 1_000_000
    """Nodes of all graphs, after functions are inlined."""
    tensors: int = 2_000_000
    depth: int = 64
    """Nesting of messages, bodies and functions."""
    rank: int = 64
    elements: int = 1 << 40
    """Elements of one tensor."""
    expanded_bytes: int = 8 << 30
    """Bytes that decoding, unpacking or decompressing may make beyond those of the file."""
    ratio: int = 200
    """Decompressed bytes for each stored byte, beyond the first MiB."""
    operations: int = 20_000_000
    """Instructions of a pickle."""
    members: int = 10_000
    """Entries of an archive."""
    name_bytes: int = 65536
    fold_bytes: int = 64 << 20
    """Bytes of one constant that folding may make."""

    def check(self, name: str, amount: int) -> int:
        """``amount`` if it is within the limit of that name, else :class:`LimitExceeded`."""
        bound = int(getattr(self, name))
        if amount > bound:
            raise LimitExceeded(f"the file needs {name} {amount:,}, the limit is {bound:,}",
                                hint=f"raise it with --limit {name}={amount} if you trust the file")
        return amount


DEFAULT = Limits()
