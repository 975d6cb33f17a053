"""What a pickle holds and would have imported, without opening it."""
from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from ...codecs import compressed, pickle, skops
from ...codecs.limits import DEFAULT, Limits
from ...codecs.pickle import Pickled, Record
from ...errors import printable
from .container import ZIP, dangerous


def contents(path: Path, limits: Limits = DEFAULT) -> dict[str, str]:
    """The objects of a pickle, the library that wrote them, every global it names, and those that a model has no
    business with."""
    path = Path(path)
    limits.check("file_bytes", path.stat().st_size)
    if path.read_bytes()[:4] == ZIP:
        return described(skops.read(path, limits))
    return described(pickle.read(compressed.expand(path.read_bytes(), limits), limits, folder=path.parent))


def described(found: Pickled) -> dict[str, str]:
    out = {"pickle:holds": "; ".join(_kind(o) for o in found.objects[:8])}
    versions = written_with(found)
    if versions:
        out["pickle:written with"] = ", ".join(f"{k} {v}" for k, v in versions.items())
    by_package: dict[str, list[str]] = defaultdict(list)
    for name in found.names:
        by_package[name.module.partition(".")[0]].append(str(name))
    for package, names in sorted(by_package.items()):
        out[f"pickle:names of {printable(package, 60)}"] = ", ".join(printable(n, 120) for n in sorted(names)[:40])
    bad = dangerous(found.names)
    if bad:
        out["pickle:SUSPICIOUS"] = ", ".join(printable(n, 120) for n in bad[:40])
    return out


def _kind(value: object) -> str:
    if isinstance(value, Record):
        return printable(value.path, 120)
    if isinstance(value, dict):
        parts = ((k, _kind(v) if isinstance(v, Record) else type(v).__name__) for k, v in list(value.items())[:8])
        return "a dictionary of " + ", ".join(f"{printable(k, 40)}: {kind}" for k, kind in parts)
    return f"a {type(value).__name__}"


def written_with(found: Pickled) -> Mapping[str, str]:
    """The versions that the file states: scikit-learn writes its own into every estimator."""
    versions: dict[str, str] = {}
    for x in pickle.walk(found.objects):
        if isinstance(x, Record) and isinstance(x.state, dict):
            version = x.state.get("_sklearn_version")
            if isinstance(version, str):
                versions.setdefault("scikit-learn", version)
    return versions
