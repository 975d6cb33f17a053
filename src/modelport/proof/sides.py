"""The two sides of a comparison: files and graphs made ready to run."""
from __future__ import annotations

import json
import mmap
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from .. import registry
from ..codecs.atomic import size
from ..codecs.limits import DEFAULT, Limits
from ..errors import (
    ModelportError,
    RuntimeFailed,
    Unsupported,
    UnsupportedModel,
    UsageError,
    printable,
)
from ..ir.graph import Graph
from ..ir.tensor import Array
from ..ir.types import STRING, Type
from ..passes import interface
from ..runtimes import Session, start
from ..runtimes.isolated import TITLES, IsolatedSession, Worker
from . import precision
from .report import FileRecord, Participant, record


@dataclass(frozen=True, eq=False)
class Side:
    """A model to compare: its hub graph and, where it comes from a file, the raw graph, the path and the format.

    ``perms``: the axes of these inputs and outputs have another order in the file than in ``graph``; then ``inside``
    is the graph in the order of the file."""

    graph: Graph
    raw: Graph | None = None
    path: Path | None = None
    format: str = ""
    shown: str = ""
    perms: Mapping[str, list[int]] = field(default_factory=dict)
    inside: Graph | None = None

    def files(self) -> tuple[FileRecord, ...]:
        """The files of the model, external data included."""
        if self.path is None:
            return ()
        name = Path(self.shown).name if self.shown else self.path.name
        if self.path.is_dir():
            return inside(self.path, name)
        beside = external(self.path) if self.format == "onnx" else []
        return (record(self.path, name), *(record(self.path.parent / b, b) for b in beside))


def side(model: Any, limits: Limits = DEFAULT, shown: Path | None = None, opaque: bool = False,
         **options: Any) -> Side:
    """A side from a path, a hub graph, or a model object with ``graph``, ``raw``, ``path`` and ``format``.

    ``options`` are the format's own of reading a file.  With ``opaque`` a file whose operators the hub cannot hold is a
    side too, its graph that of its own operators: its runtime can run it all the same."""
    if isinstance(model, Side):
        return model
    if isinstance(model, Graph):
        return Side(model, shown="" if shown is None else str(shown))
    if isinstance(model, (str, Path)):
        path = Path(model)
        spec = registry.detect(path)
        module = spec.load()
        limits.check("file_bytes", size(path))
        raw = module.read(path, limits, **options)
        try:
            graph = module.to_hub(raw)
        except UnsupportedModel:
            if not opaque:
                raise
            graph = raw
        return Side(graph, raw, path, spec.name, str(shown or path))
    if isinstance(getattr(model, "graph", None), Graph):
        path = model.path
        return Side(model.graph, model.raw, path, model.format, str(shown or path or ""))
    raise UsageError(f"cannot verify a {type(model).__name__}", hint="give a path, a model or a graph")


def moved_back(s: Side, perms: Mapping[str, list[int]]) -> Side:
    """A side whose inputs and outputs named have their axes in another order, seen in the order of the source."""
    if not perms:
        return s
    back = {k: [p.index(n) for n in range(len(p))] for k, p in perms.items()}
    return replace(s, graph=interface.moved(s.graph, back), perms=perms, inside=s.graph)


class Moved(Session):
    """A session whose inputs and outputs are seen with their axes permuted back."""

    def __init__(self, inner: Session, perms: Mapping[str, list[int]]) -> None:
        self._inner, self._perms = inner, perms
        self.name, self.version, self.settings = inner.name, inner.version, inner.settings
        self.inputs = {k: self._seen(k, t) for k, t in inner.inputs.items()}
        self.outputs = {k: self._seen(k, t) for k, t in inner.outputs.items()}

    def _seen(self, name: str, t: Type) -> Type:
        perm = self._perms.get(name)
        return t if perm is None or t.shape is None else t.with_shape(tuple(
            t.shape[perm.index(k)] for k in range(len(perm))))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        made = self._inner.run({k: np.ascontiguousarray(a.transpose(self._perms[k])) if k in self._perms else a
                                for k, a in feeds.items()})
        return {k: a.transpose(np.argsort(self._perms[k])) if k in self._perms else a for k, a in made.items()}

    def close(self) -> None:
        self._inner.close()


def inside(folder: Path, name: str) -> tuple[FileRecord, ...]:
    """The files of a model that is a folder, each by its path beneath ``name``."""
    return tuple(record(p, f"{name}/{p.relative_to(folder).as_posix()}")
                 for p in sorted(folder.rglob("*")) if p.is_file())


def external(path: Path) -> list[str]:
    """The files that an .onnx refers to for its constants, relative to its folder.

    The reader has validated the names; a file that does not contain the key ``location`` refers to none."""
    if path.stat().st_size == 0:
        return []
    with open(path, "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as view:
        if view.find(b"location") < 0:
            return []
    import onnx
    model = onnx.load(str(path), load_external_data=False)
    found: dict[str, None] = {}
    graphs = [model.graph]
    for g in graphs:
        tensors = [*g.initializer]
        for node in g.node:
            tensors += [a.t for a in node.attribute if a.HasField("t")]
            graphs += [a.g for a in node.attribute if a.HasField("g")]
        for t in tensors:
            if t.data_location == onnx.TensorProto.EXTERNAL:
                found.update((e.value, None) for e in t.external_data if e.key == "location")
    return [name for name in found if (path.parent / name).is_file()]


def write_onnx(graph: Graph, path: Path, opset: int | None = None) -> Path:
    """A hub graph as an .onnx that ONNX Runtime can run; in the operator set asked for if that holds it."""
    module = registry.named("onnx").load()
    try:
        raw = module.from_hub(graph, opset=opset)
    except (UnsupportedModel, UsageError):
        if opset is None:
            raise
        raw = module.from_hub(graph)
    module.write(raw, path)
    return path


@dataclass
class Runners:
    """Opens sides in workers of their own (or in this process) and runs pairs of them at the same time.

    With ``framework`` a file runs in the framework that its format belongs to, where that is installed."""

    folder: Path
    isolated: bool = True
    threads: int = 1
    device: str = "cpu"
    timeout: float = 120
    optimize: bool = False
    framework: bool = False
    _workers: list[Worker] = field(default_factory=list)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(2))
    _made: int = 0

    def close(self) -> None:
        for w in self._workers:
            w.close()
        self._pool.shutdown(wait=False)

    def end(self, session: Session) -> None:
        """Ends a session of :meth:`open` before :meth:`close`, and frees its memory."""
        session.close()
        if isinstance(session, IsolatedSession):
            session.worker.close()

    def open(self, runtime: str, path: Path, **options: Any) -> Session:
        """``worker``: one that has other sessions open, in place of one of its own."""
        worker: Worker | None = options.pop("worker", None)
        options = {"threads": self.threads, "device": "cpu" if runtime != "onnxruntime" else self.device, **options}
        if not self.isolated:
            return start(runtime, path, **options)
        if worker is None:
            worker = Worker(timeout=self.timeout)
            self._workers.append(worker)
        return worker.open(runtime, path, **options)

    def hub(self, graph: Graph, like: Side | None = None, **options: Any) -> Session:
        """A hub graph in ONNX Runtime, in the operator set of the file ``like`` if that holds it: kernels of one
        operator in two versions may add in another order."""
        self._made += 1
        opset = "" if like is None or like.raw is None else like.raw.meta.get("onnx:opset:ai.onnx", "")
        try:
            path = write_onnx(graph, self.folder / f"hub{self._made}.onnx", int(opset) if opset.isdigit() else None)
        except (UnsupportedModel, Unsupported) as e:
            raise RuntimeFailed(f"the graph can't be written as ONNX: {e}") from None
        return self.open("onnxruntime", path, **options)

    def target(self, s: Side) -> Session:
        """The target in the runtime that will run it; as it was read back where there is none to be had."""
        optimize = {"optimize": True} if self.optimize and s.format in ("", "onnx") else {}
        session = self.hub(s.graph, None, **optimize) if self.unrun(s) else self.native(s, **optimize)
        return Moved(session, s.perms) if s.perms else session

    def rewritten(self, s: Side, plain: Session) -> Session:
        """An .onnx with the rewrites that its runtime makes by default, beside the session that leaves them out."""
        session = self.native(s, optimize=True, worker=getattr(plain, "worker", None))
        return Moved(session, s.perms) if s.perms else session

    def unrun(self, s: Side) -> bool:
        """Whether no runtime of the format of a file is at hand."""
        if s.path is None:
            return True
        own = registry.named(s.format).runtime in ("", "trees")  # the reader of what was written does not judge it
        return own and not (self.framework and framework_of(s))

    def native(self, s: Side, **options: Any) -> Session:
        """A file in the official runtime of its format; :class:`RuntimeFailed` if there is none or it refuses."""
        if s.path is None:
            raise RuntimeFailed("the source is a graph in memory")
        spec = registry.named(s.format)
        runtime = spec.runtime
        if self.framework and (framework := framework_of(s)):
            session = self.open(framework, s.path, **options_of(s), **state_of(s))
            if (len(session.inputs), len(session.outputs)) != (len(s.graph.inputs), len(s.graph.outputs)):
                raise UsageError(f"{session.name} runs the file with the inputs {_list(session.inputs)}, it is read "
                                 f"with {_list(s.graph.inputs)}")
            return session
        if s.format == "sklearn" and s.raw is not None and import_module(f"{spec.module}.evaluation").evaluable(s.raw):
            runtime = "trees"
        if not runtime and spec.framework:
            raise RuntimeFailed(f"{spec.title} itself is not started unasked", hint="--prove runs files in it")
        if not runtime:
            raise RuntimeFailed(f"no runtime of {spec.title} files is known")
        if runtime == "trees":
            return self.open(runtime, s.path, **options_of(s))
        if runtime == "graphdef":
            return self.open(runtime, s.path, **options_of(s), state="reset" if "reset" in state_of(s) else "explicit")
        if runtime == "tflite":
            like = [*s.graph.inputs, *s.graph.outputs]
            kernels = options.get("kernels") or (
                "reference" if precision.precision(s.graph) == "int8" else "builtin")
            try:
                return self.open(runtime, s.path, kernels=kernels, like=like)
            except RuntimeFailed:
                return self.open(runtime, s.path, kernels="plain", like=like)
        path = s.path
        if runtime == "onnxruntime" and s.raw is not None and external(path):
            path = self.folder / f"copy{self._made}.onnx"  # what the path policy has read, not what a link may say now
            registry.named("onnx").load().write(s.raw, path)
        return self.open(runtime, path, **options)

    def pair(self, a: Session, b: Session, feeds: Mapping[str, Array], more: Mapping[str, Array],
             ) -> tuple[dict[str, Array] | ModelportError, dict[str, Array] | ModelportError]:
        """Both sessions at once; what one raised in place of its outputs."""
        if not self.isolated:
            return attempt(a, feeds), attempt(b, more)
        first, second = self._pool.submit(attempt, a, feeds), self._pool.submit(attempt, b, more)
        return first.result(), second.result()


def framework_of(s: Side) -> str:
    """The framework that the format of a file belongs to, where it is another than the runtime and is installed."""
    framework = registry.named(s.format).framework if s.path is not None else ""
    return framework if framework and find_spec(framework) is not None else ""


def original(s: Side, session: Session) -> bool:
    """Whether a session is the framework that the format of a file belongs to."""
    framework = framework_of(s)
    return bool(framework) and session.name.startswith(TITLES[framework])


def options_of(s: Side) -> dict[str, Any]:
    """What a runtime needs to know of a file: its signature, or its inputs and outputs."""
    if s.format in ("sklearn", "xgboost", "lightgbm", "catboost") and s.raw is not None:
        node = next(iter(s.raw.outputs.values())).node
        return dict(node.attrs["options"]) if node is not None else {}
    if s.format.startswith("torch") and s.path is not None and s.path.suffix != ".pt2":
        fixed = s.raw.meta.get("torch:fixed") if s.raw is not None else None
        return {"inputs": [f"{k}:{v.type}" for k, v in s.graph.inputs.items()], "outputs": list(s.graph.outputs),
                **({"fixed": fixed} if fixed else {})}
    if s.format != "tensorflow" or s.raw is None:
        return {}
    if s.path is not None and s.path.is_dir():
        signature = s.raw.meta.get("tensorflow:signature")
        return {"signature": signature} if signature else {}
    state = state_of(s).get("state", ())
    return {"inputs": [k for k in s.raw.inputs if k.removeprefix("state:") not in state],
            "outputs": [k for k in s.raw.outputs if k.removeprefix("state:").removesuffix(":next") not in state]}


def state_of(s: Side) -> dict[str, list[str]]:
    """The variables of a model of TensorFlow that are ``state``, inputs ``state:<name>`` and outputs
    ``state:<name>:next``, and those that each run finds ``reset`` to what was saved."""
    if s.format != "tensorflow" or s.raw is None:
        return {}
    return {k: json.loads(s.raw.meta[f"tensorflow:{k}"]) for k in ("state", "reset")
            if f"tensorflow:{k}" in s.raw.meta}


def attempt(session: Session, feeds: Mapping[str, Array]) -> dict[str, Array] | ModelportError:
    try:
        return session.run(feeds)
    except ModelportError as e:
        return e


def match(mine: Mapping[str, Type], theirs: Mapping[str, Type], what: str) -> tuple[dict[str, str], list[str]]:
    """Which of ``theirs`` each of ``mine`` is: by name, else by position; and notes.

    Raises :class:`UsageError` if the numbers differ: an interface is never guessed."""
    if set(mine) == set(theirs):
        return {k: k for k in mine}, []
    if len(mine) != len(theirs):
        raise UsageError(f"the source has {len(mine)} {what}s ({_list(mine)}), the target {len(theirs)} "
                         f"({_list(theirs)})")
    pairs = {a: a for a in mine if a in theirs}
    rest = [b for b in theirs if b not in pairs.values()]
    for a in mine:
        if a not in pairs:
            pairs[a] = rest.pop(0)
    notes = [f"{what} '{printable(a)}' is matched with '{printable(b)}' by position"
             for a, b in pairs.items() if a != b]
    return pairs, notes


def _list(names: Mapping[str, Any]) -> str:
    return ", ".join(printable(n, 60) for n in list(names)[:6])


def labelled(target: Side, like: Array, made: Array, retyped: bool) -> Array:
    """The labels that the target's numbers of classes stand for, where it lists them and the source has such; in the
    source's element type, if types may be others."""
    told = (target.raw or target.graph).meta.get(f"{target.format}:labels", "")
    if made.dtype.kind not in "iu" or not (like.dtype == STRING or (like.dtype.kind in "iu" and told)):
        return made.astype(like.dtype) if retyped and made.dtype != like.dtype else made
    listed = dict(enumerate(told.split("\n")))
    flat = [listed.get(n, str(n)) for n in made.ravel().tolist()]
    return np.array([*flat, None], STRING)[:-1].reshape(made.shape).astype(like.dtype)


def participant(s: Side, session: Session | None) -> Participant:
    """Who ran what, for the report."""
    if session is None:
        return Participant(s.format or "hub", s.files())
    return Participant(s.format or "hub", s.files(), session.name, session.version, session.settings)


def unfit(mine: Mapping[str, Type], theirs: Mapping[str, Type], pairs: Mapping[str, str]) -> Sequence[str]:
    """Pairs whose element types or ranks cannot be the same value."""
    bad = []
    for a, b in pairs.items():
        x, y = mine[a], theirs[b]
        if x.dtype != y.dtype or (x.rank is not None and y.rank is not None and x.rank != y.rank):
            bad.append(f"'{printable(a)}' is {x} in the source and '{printable(b)}' {y} in the target")
    return bad
