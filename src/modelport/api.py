"""The Python face: the same verbs, in the same words, as the command line."""
from __future__ import annotations

import contextlib
import importlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import passes as pass_list
from . import registry
from .codecs.atomic import size, staged
from .codecs.limits import DEFAULT, Limits
from .describe import Difference, Summary, difference, summarize
from .errors import (
    CorruptFile,
    StrictFailure,
    UnsafeModel,
    Unsupported,
    UnsupportedModel,
    UsageError,
    VerificationFailed,
    printable,
)
from .hub import layout
from .ir.graph import Graph
from .ir.tensor import Array
from .ir.types import Type
from .notes import Note, lines
from .passes import dimensions, interface

if TYPE_CHECKING:
    from .bench import How, Measurement
    from .proof import Report

PathLike = str | Path
Progress = Callable[[str], None]


def _silent(stage: str) -> None:
    pass


@dataclass(frozen=True, eq=False)
class Model:
    """A trained model, whatever file it came from.

    ``graph`` is the model in the hub's terms (ONNX operators), ``raw`` in the source's own, ``path`` the file."""

    graph: Graph
    raw: Graph
    format: str
    path: Path | None = None

    @property
    def inputs(self) -> dict[str, Type]:
        """Names and types of the inputs."""
        return {k: v.type for k, v in self.graph.inputs.items()}

    @property
    def outputs(self) -> dict[str, Type]:
        """Names and types of the outputs."""
        return {k: v.type for k, v in self.graph.outputs.items()}

    @property
    def notes(self) -> tuple[Note, ...]:
        """What was changed or dropped while reading."""
        return self.graph.notes

    def run(self, feeds: Mapping[str, Any] | Array | None = None, /, **named: Any) -> dict[str, Array]:
        """The outputs for one set of inputs, computed by ONNX Runtime: ``model.run(x=array)`` or ``model.run(array)``.

        Arrays are cast to the input's element type where no value changes.  Raises :class:`UsageError` on a wrong
        name, and what the runtime raises as :class:`RuntimeFailed`."""
        from .feeds import bind
        return self._session.run(bind(self.inputs, feeds, named))

    @cached_property
    def _session(self) -> Any:
        from .runtimes import start
        onnx = registry.named("onnx").load()
        with tempfile.TemporaryDirectory(prefix="modelport-") as folder:  # the runtime has it open or in memory
            path = Path(folder) / "model.onnx"
            onnx.write(onnx.from_hub(self.graph), path)
            return start("onnxruntime", path)

    def save(self, path: PathLike, *, to: str | None = None, force: bool = False, **options: Any) -> Path:
        """Writes the model to ``path`` in the format of its suffix (or ``to``); see :func:`convert` for the options."""
        return convert(self, path, to=to, force=force, verify=None, **options).path

    def summary(self) -> Summary:
        """Operators, parameters, arithmetic, memory and quantization of the model."""
        return summarize(self.graph, self.raw, self.format, self.path)

    def __repr__(self) -> str:
        name = printable(self.path.name) if self.path is not None else self.graph.name
        ins = ", ".join(f"{printable(k)}: {t}" for k, t in self.inputs.items())
        outs = ", ".join(f"{printable(k)}: {t}" for k, t in self.outputs.items())
        return f"<modelport.Model {name} ({self.format}): ({ins}) -> ({outs}), {len(self.graph.nodes)} operators>"

    def _repr_html_(self) -> str:
        return self.summary().html()


@dataclass(frozen=True)
class Conversion:
    """What :func:`convert` did: the file, the proof (or ``None``), the notes, and the seconds of each stage."""

    path: Path
    report: Report | None
    notes: tuple[Note, ...]
    seconds: Mapping[str, float]
    format: str = ""
    raw: Graph | None = field(default=None, repr=False)

    def written(self) -> Path | Model:
        """What was written, for :func:`load`: the path, or a model where the file alone does not say all (TorchScript
        has no types of inputs, source no graph)."""
        return self.path if self.raw is None else _as_written(self.path, registry.named(self.format), self.raw)

    def __repr__(self) -> str:
        proof = "not verified" if self.report is None else self.report.text().partition("\n")[0]
        return f"<modelport.Conversion {printable(self.path)}: {proof}>"


@contextlib.contextmanager
def _located(path: object) -> Iterator[None]:
    """Names the file in errors that do not name it yet; nothing but :class:`ModelportError` leaves."""
    try:
        yield
    except CorruptFile as e:
        raise e.at(path) from e.__cause__
    except Unsupported as e:
        raise UnsupportedModel([e], "ONNX operators", path) from None
    except UnsupportedModel as e:
        raise e.in_file(path) from None
    except (RecursionError, MemoryError, OverflowError) as e:
        raise CorruptFile(f"reading it exhausts the machine ({type(e).__name__})", path=path) from e


def load(source: Any, example: Any = None, *, format: str | None = None, limits: Limits = DEFAULT,
         **options: Any) -> Model:
    """The model of a file or folder, or of an object in memory: an ``onnx.ModelProto``, a Keras model, a TensorFlow
    module or function, a module of PyTorch with an ``example`` of what it is called with.

    ``format`` overrides what the content says (``onnx``, ``tflite``); ``options`` are the format's own, such as
    ``signature`` for TensorFlow Lite.  Raises :class:`UnknownFormat`, :class:`CorruptFile`, :class:`UnsafeModel`,
    :class:`LimitExceeded` or :class:`UnsupportedModel`."""
    if isinstance(source, Model):
        return source
    if hasattr(source, "SerializeToString") and hasattr(source, "graph"):
        with tempfile.TemporaryDirectory(prefix="modelport-") as folder:
            path = Path(folder) / "model.onnx"
            path.write_bytes(source.SerializeToString())
            model = load(path, format="onnx", limits=limits)
        return Model(model.graph, model.raw, "onnx")
    if not isinstance(source, (str, Path)):
        return _live(source, example, limits, options)
    if example is not None:
        raise UsageError("an example of the inputs belongs to a module of PyTorch in memory, not to a file")
    path = Path(source)
    spec = registry.named(format) if format else registry.detect(path)
    if not (path.is_file() or (spec.folder and path.is_dir())):
        raise UsageError(f"there is no file {printable(path)}")
    _check_options(options, spec.read_options, f"{spec.title} files have")
    module = spec.load()
    with _located(path):
        limits.check("file_bytes", size(path))
        raw = module.read(path, limits, **options)
        return Model(module.to_hub(raw), raw, spec.name, path)


def _live(source: Any, example: Any, limits: Limits, options: Mapping[str, Any]) -> Model:
    """A model of a framework in memory, by way of a file in a temporary folder."""
    family = {c.__module__.split(".")[0] for c in type(source).__mro__}
    keras = family & {"keras", "tf_keras", "tensorflow"}
    tabular = family & {"sklearn", "xgboost", "lightgbm", "catboost"}
    for name in ("keras", "tensorflow") if keras else ("torch",) if "torch" in family else ("sklearn",) if tabular \
            else ():
        spec = registry.named(name)
        live = importlib.import_module(f"{spec.module}.live")
        if not (live.is_live(source) or (name == "tensorflow" and family & {"keras"})):
            continue
        _check_options(options, spec.read_options, f"{spec.title} files have")
        module = spec.load()
        try:
            raw = live.load(source, limits, **({**options, "example": example} if name == "torch" else options))
            return Model(module.to_hub(raw), raw, name)
        except (UnsafeModel, UnsupportedModel):
            if name != "keras" or not hasattr(source, "export"):
                raise  # what layers can't say, a graph may
    raise UsageError(f"cannot load a {type(source).__name__}",
                     hint="give a path, an onnx.ModelProto, a Keras model, a TensorFlow module or function, a module "
                          "of PyTorch, or a fitted estimator of scikit-learn, XGBoost, LightGBM or CatBoost")


def prepare(graph: Graph, target: registry.Format, *, passes: str = "default",
            shapes: Mapping[str, tuple[int | str, ...]] | None = None, batch: int | str | None = None,
            perms: Mapping[str, list[int]] | None = None) -> Graph:
    """The hub graph as a target wants it: asked-for dimensions, the target's layout, the passes.

    ``shapes`` gives inputs new shapes, ``batch`` the first dimension of every input (a number, or a name that makes
    it dynamic), ``perms`` the order of the axes of inputs and outputs (see :mod:`.passes.interface`)."""
    steps = pass_list.named(target.passes if passes == "default" else passes)
    if shapes or batch is not None:
        graph = dimensions.with_dimensions(graph, shapes or {}, batch)
    if perms:
        graph = interface.moved(graph, perms)
    if target.layout == "first":  # a writer of channels last moves the axes once it has its operators
        # without what cleaning removes: an identity among products would fix their layout
        early = [p for p in pass_list.named("fold,clean") if p in steps]
        graph = layout.channels_first(pass_list.run(graph, early))
    return pass_list.run(graph, steps)


def convert(source: Any, path: PathLike, *, to: str | None = None, format: str | None = None,
            passes: str = "default", shapes: Mapping[str, tuple[int | str, ...]] | None = None,
            batch: int | str | None = None, verify: str | None = "auto", force: bool = False, strict: bool = False,
            limits: Limits = DEFAULT, read: Mapping[str, Any] | None = None, seed: int = 0,
            sample: PathLike | None = None, golden: tuple[PathLike, PathLike] | None = None,
            layout: str | Mapping[str, str] | None = None, progress: Progress = _silent,
            **options: Any) -> Conversion:
    """Converts ``source`` (a path or a :class:`Model`) and writes ``path`` in the format of its suffix (or ``to``).

    ``verify`` is ``"auto"`` (the cheapest honest proof), ``"prove"`` (the highest level there is) or ``None``;
    ``sample`` is an ``.npz`` of your own inputs, ``golden`` one of inputs and one of the outputs they must give;
    ``layout`` (``"nhwc"``, ``"nchw"``, or one for each name) is the order of the axes of images in the result, by
    default the source's; ``options`` are the target's own (``opset``, ``external_data`` for ONNX; ``float16``,
    ``float32``, ``recurrent`` for TensorFlow Lite), ``read`` the source's.  With ``strict`` a note is an error.  A
    conversion that fails, or whose result does not verify, leaves ``path`` as it was."""
    path = Path(path)
    _check_seed(seed)
    target = registry.named(to) if to else registry.for_suffix(path)
    if target is None:
        raise UsageError(f"the suffix of {printable(path)} names no format",
                         hint=f"name it with --to: {', '.join(f.name for f in registry.formats() if f.writes)}")
    if not target.writes:
        raise UsageError(f"modelport cannot write {target.title} yet",
                         hint=f"it writes {', '.join(f.title for f in registry.formats() if f.writes)}")
    options = {k: v for k, v in options.items() if v is not None}
    _check_options(options, target.write_options, f"{target.title} has")
    if not isinstance(source, (str, Path, Model)):
        source = load(source)
    from_file = source.path if isinstance(source, Model) else Path(source)
    if from_file is not None and from_file.exists() and path.exists() and from_file.samefile(path):
        raise UsageError(f"{path} is the source itself; it is never written to")
    if os.path.lexists(path) and not force:
        raise UsageError(f"{path} exists", hint="--force overwrites it")
    if not path.parent.is_dir():
        raise UsageError(f"there is no folder {path.parent}")

    clock = _Clock(progress)
    clock.start("read")
    model = load(source, format=format, limits=limits, **(read or {}))
    if model.format and registry.named(model.format).doubles and "float32" in target.write_options:
        options.setdefault("float32", True)
    clock.start("passes")
    with _located(model.path):
        source, perms = interface.with_layout(model.graph, {"": layout} if isinstance(layout, str) else layout) \
            if layout else (model.graph, {})
        hub = prepare(model.graph, target, passes=passes, shapes=shapes, batch=batch, perms=perms).noted(*source.notes)
        clock.start("write")
        module = target.load()
        raw = module.from_hub(hub, **{k: v for k, v in options.items() if k != "external_data"})
    with staged(path, force=force) as folder:
        module.write(raw, folder / path.name, **{k: v for k, v in options.items() if k == "external_data"})
        notes = raw.notes
        report = None
        if verify is not None:
            clock.start("verify")
            from .proof import verify as check
            if model.path is None:
                report = None
                notes = (*notes, Note("info", "not verified: the source is an object in memory, not a file"))
            else:
                resized = None  # only with other sizes is the interface not the source's
                if shapes or batch is not None:
                    resized = prepare(model.graph, target, passes=passes, shapes=shapes, batch=batch) if perms else hub
                report = check(model, _as_written(folder / path.name, target, raw), level=verify, seed=seed,
                               shown=path, hub=resized, sample=sample, golden=golden, perms=perms,
                               lower=_lowered(options), retyped=_retyped(hub, raw))
                if not report.ok:
                    raise VerificationFailed(report.text(), report,
                                             hint="nothing was written; --no-verify writes it all the same")
        clock.stop()
        if strict and any(n.kind != "info" for n in notes):
            raise StrictFailure("\n".join(["notes, which --strict makes errors",
                                           *(f"  {printable(n)}" for n in lines(notes))]))
    return Conversion(path, report, notes, clock.seconds, target.name, raw)


_STORED = {"uint8": "int8 weights", "uint16": "float16", "float16": "float16"}
"""What ``quantize`` may say, and the precision that weights of so many bits come to."""


def _lowered(options: Mapping[str, Any]) -> str | None:
    """The precision that the options of a target lower to, if any."""
    return next((name for name in ("float16", "float32") if options.get(name)), None) \
        or ("float32" if options.get("fast") else None) \
        or _STORED.get(str(options.get("quantize", "")))


def _as_written(path: Path, target: registry.Format, raw: Graph) -> Path | Model:
    """The file that was written, read for the results that it was written with where it has others too."""
    module = target.load()
    if not target.reads:  # its calls, as they were written
        return Model(module.to_hub(raw), raw, target.name, path)
    written = getattr(module, "written_options", None)
    if written is not None and (said := written(raw, path)):
        return load(path, format=target.name, **said)
    node = next((v.node for v in raw.outputs.values()), None)
    options = node.attrs.get("options") if node is not None and node.op.startswith(f"{target.name}.") else None
    return load(path, format=target.name, **options) if options else path


def _retyped(hub: Graph, raw: Graph) -> bool:
    """Whether the target's interface has other element types than the source's, as that of TensorFlow.js has."""
    ends = [(hub.inputs, raw.inputs), (hub.outputs, raw.outputs)]
    return any(k in new and new[k].dtype != v.dtype for old, new in ends for k, v in old.items())


def _check_options(given: Mapping[str, Any], known: Sequence[str], who: str) -> None:
    unknown = set(given) - set(known)
    if unknown:
        raise UsageError(f"{who} no option {', '.join(sorted(unknown))}",
                         hint=f"there is {', '.join(known)}" if known else "")


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise UsageError("the seed must not be negative")


class _Clock:
    """Seconds of each stage, and the progress callback at its start."""

    def __init__(self, progress: Progress) -> None:
        self.seconds: dict[str, float] = {}
        self._progress, self._stage, self._since = progress, "", 0.0

    def start(self, stage: str) -> None:
        self.stop()
        self._progress(stage)
        self._stage, self._since = stage, time.perf_counter()

    def stop(self) -> None:
        if self._stage:
            self.seconds[self._stage] = time.perf_counter() - self._since
            self._stage = ""


def verify(source: Any, target: Any, *, level: str = "auto", seed: int = 0, sample: PathLike | None = None,
           golden: tuple[PathLike, PathLike] | None = None, limits: Limits = DEFAULT) -> Report:
    """Feeds the same inputs to two model files and compares; see :mod:`modelport.proof`.

    ``level`` is ``"auto"`` or ``"prove"``; ``sample`` an ``.npz`` with inputs of the user's own, ``golden`` one of
    inputs and one of the outputs they must give (level L3)."""
    from .proof import verify as check
    _check_seed(seed)
    model = load(source, limits=limits)
    other = load(target, limits=limits)
    if model.path is None or other.path is None:
        raise UsageError("verify compares two files")
    return check(model, other, level=level, seed=seed, sample=sample, golden=golden)


def inspect(source: Any, *, limits: Limits = DEFAULT, **options: Any) -> Summary:
    """What a model file holds, without converting it; what the hub can't hold is listed, not raised."""
    if not isinstance(source, (str, Path)):
        return load(source, limits=limits, **options).summary()
    path = Path(source)
    spec = registry.detect(path)
    _check_options(options, spec.read_options, f"{spec.title} files have")
    module = spec.load()
    contents = getattr(module, "contents", None)  # of a pickle: what it holds, a model or not
    hub: Graph | None = None
    problems: tuple[Unsupported, ...] = ()
    with _located(path):
        found = contents(path, limits) if contents is not None else {}
        raw = Graph({}, {}, meta=found)
        try:
            raw = module.read(path, limits, **options)
            raw = raw.with_(meta={**raw.meta, **found})
            hub = module.to_hub(raw)
        except UnsupportedModel as e:
            problems = e.problems
        except (UnsafeModel, UsageError, CorruptFile) as e:
            if contents is None or options:
                raise
            problems = (Unsupported(e.message),)
    return summarize(hub, raw, spec.name, path, problems)


def obstacles(source: Any, target: str, *, limits: Limits = DEFAULT, **options: Any) -> UnsupportedModel | None:
    """What keeps a model from being written as ``target``, or ``None`` if nothing does."""
    spec = registry.named(target)
    if not spec.writes:
        raise UsageError(f"modelport cannot write {spec.title} yet",
                         hint=f"it writes {', '.join(f.title for f in registry.formats() if f.writes)}")
    _check_options(options, spec.write_options, f"{spec.title} has")
    try:
        model = load(source, limits=limits)
        with _located(model.path):
            spec.load().from_hub(prepare(model.graph, spec), **options)
    except UnsupportedModel as e:
        return e
    return None


def diff(a: Any, b: Any, *, limits: Limits = DEFAULT) -> Difference:
    """How two models differ as graphs: interface, operators, constants, and the first nodes that are not the same."""
    first, second = load(a, limits=limits), load(b, limits=limits)
    return difference(first.graph, second.graph, str(first.path or "a"), str(second.path or "b"))


def compare(source: PathLike, folder: PathLike | None = None, *, variants: Sequence[str] = (), how: How | None = None,
            budget: float = 0.0, prove: bool = False, read: Mapping[str, Any] | None = None, limits: Limits = DEFAULT,
            progress: Progress = _silent, command: str = "") -> Measurement:
    """``source`` in every format that can hold it, each proven and timed: see :func:`modelport.bench.compare`.

    ``folder`` takes the files and what is needed to go on later (default: the name of the source with ``-compare``,
    in the working folder); ``variants`` are names or formats of :data:`modelport.bench.variants.VARIANTS`;
    ``prove`` asks for the highest level of proof; ``budget`` are seconds after which nothing new is begun."""
    from . import bench
    from .bench.compare import compare as compared
    from .proof.sides import framework_of, side
    path = Path(source)
    path = path if path.name.strip(".") else path.resolve()  # "." has no name to show
    model = load(path, limits=limits, **(read or {}))
    chosen = bench.chosen(tuple(variants))
    place = Path(folder) if folder is not None else Path(f"{path.name.split('.')[0] or 'model'}-compare")
    if path.is_dir() and place.resolve().is_relative_to(path.resolve()):
        raise UsageError(f"{printable(place)} would be inside the model", hint="--out names another folder")
    if place.exists() and not place.is_dir():
        raise UsageError(f"{printable(place)} is no folder")
    if place.is_dir() and any(place.iterdir()) and not (place / "state.json").is_file():
        raise UsageError(f"the folder {printable(place)} is there, and no comparison made it",
                         hint="--out names another one")
    place.mkdir(parents=True, exist_ok=True)

    origin = side(model)
    level = "prove" if prove else "L3" if framework_of(origin) else "auto"  # it is started to be timed in any case

    def made(target: Path, variant: bench.Variant, batch: int | None,
             shapes: Mapping[str, tuple[int | str, ...]]) -> Conversion:
        nonlocal level
        done = convert(path, target, to=variant.format, batch=batch, shapes=shapes, verify=level, force=True, read=read,
                       limits=limits, **variant.options)
        if level == "L3" and done.report is not None and done.report.level in ("L0", "L1"):
            level = "auto"  # the framework does not open the file (any more)
            return made(target, variant, batch, shapes)
        return done
    return compared(origin, place, made, chosen, how=how or bench.How(), summary=asdict(model.summary()),
                    budget=budget, progress=progress, command=command, read=read, prove=prove)
