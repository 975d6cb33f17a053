"""From a file to the fitted object in it, as a graph of one node."""
from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...codecs import compressed, pickle, skops
from ...codecs.limits import DEFAULT, Limits
from ...codecs.pickle import Name, Record
from ...errors import CorruptFile, UnsafeModel, UsageError, printable
from ...ir.graph import Graph
from .estimator import Estimator
from .interface import graph

_TORCH = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
DANGEROUS = frozenset(
    "os posix nt sys subprocess shutil socket socketserver ctypes importlib runpy pty webbrowser code codeop marshal "
    "pickle _pickle shelve platform multiprocessing threading asyncio signal tempfile urllib http ftplib smtplib pip "
    "telnetlib requests setuptools bdb pdb timeit cProfile profile trace pydoc pkgutil zipimport commands popen2 cffi "
    "pathlib logging uuid types".split())
DANGEROUS_NAMES = frozenset(
    "eval exec compile open __import__ getattr setattr delattr globals locals vars input breakpoint execfile apply "
    "memoryview".split())


def sniff(head: bytes, path: Path) -> bool:
    """A pickle that is not PyTorch's, compressed perhaps."""
    if head.startswith(_TORCH):
        return False
    if head.startswith(ZIP):
        return path.suffix.lower() == ".skops"
    if compressed.is_compressed(head):
        return head.startswith((b"ZF0x", b"\x04\x22\x4d\x18")) or pickle.looks_like(compressed.peek(head, 256))
    return pickle.looks_like(head[:256])


def read(path: Path, limits: Limits = DEFAULT, *, inputs: Sequence[str] = (), outputs: Sequence[str] = (),
         split_at: str = "") -> Graph:
    """The object of a pickle as a graph.

    ``inputs`` are types of columns ("float32" for all that are numbers, or "age:float64", "city:string"), ``outputs``
    the methods whose results are wanted ("predict", "decision_function"), ``split_at`` the step of a pipeline before
    which the conversion ends.  Raises :class:`UnsafeModel` if the file names what a model has no business with."""
    path = Path(path)
    limits.check("file_bytes", path.stat().st_size)
    found = opened(path, limits)
    return graph(found, inputs, outputs, split_at)


ZIP = b"PK\x03\x04"


def opened(path: Path, limits: Limits = DEFAULT) -> Estimator:
    """The estimator in a pickle or a .skops."""
    with open(path, "rb") as f:
        zipped = f.read(4) == ZIP
    return safe(skops.read(path, limits)) if zipped else load(path.read_bytes(), limits, path.parent)


def load(data: bytes, limits: Limits = DEFAULT, folder: Path | None = None) -> Estimator:
    """The estimator in the bytes of a pickle."""
    return safe(pickle.read(compressed.expand(data, limits), limits, folder=folder))


def safe(pickled: pickle.Pickled) -> Estimator:
    """The estimator of a file that names nothing that a model has no business with."""
    bad = dangerous(pickled.names)
    if bad:
        raise UnsafeModel(f"the pickle names {', '.join(printable(n, 60) for n in bad[:3])}: opening it with pickle "
                          "could run that; nothing was run here", hint="modelport inspect lists all that it names")
    return chosen(pickled.root)


def dangerous(names: Any) -> list[Name]:
    """Those of the names that a model has no business with."""
    return [n for n in names
            if n.module.partition(".")[0] in DANGEROUS or "." in n.name or
            (n.module in ("builtins", "__builtin__", "operator") and n.name in DANGEROUS_NAMES)]


def chosen(root: Any) -> Estimator:
    """The one estimator of what a file holds: it itself, or the only one of a list or dictionary."""
    if isinstance(root, Record):
        return Estimator(root)
    items = root.items() if isinstance(root, dict) else enumerate(root) if isinstance(root, (list, tuple)) else ()
    found = {str(k): v for k, v in items if isinstance(v, Record) and isinstance(v.state, dict)}
    if len(found) == 1:
        (name, record), = found.items()
        return Estimator(record, name)
    if found:
        raise UsageError(f"the pickle holds several objects: {', '.join(map(printable, found))}; save the one to "
                         "convert by itself")
    raise CorruptFile(f"the pickle holds a {type(root).__name__}, no model")
