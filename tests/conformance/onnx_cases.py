"""ONNX's own backend cases, and what becomes of each on the way through the hub.

The verdicts, one a case:

pass          the converted model computes what the case expects
unsupported   a typed refusal, with its reason
runtime       no runtime at hand computes the case's own model as the case expects
error         conversion failed otherwise, or the converted model does not run where the case's own does
wrong         the converted model computes something else
crash         a runtime died on the converted model
"""
from __future__ import annotations

import multiprocessing
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import onnx
from onnx import helper, numpy_helper

from modelport import passes
from modelport.errors import UnsupportedModel
from modelport.formats import onnx as format_onnx
from modelport.formats.onnx import functions, lower
from modelport.hub.canonical import canonical
from modelport.hub.decompose import decompose, rules
from modelport.hub.layout import channels_first, channels_last
from modelport.ir.graph import Graph, Node

RANDOM = {"Bernoulli", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike", "Multinomial"}


@dataclass(frozen=True)
class Case:
    name: str
    model: bytes
    inputs: dict[str, Any]
    expected: tuple[Any, ...]
    rtol: float
    atol: float
    random: bool


@lru_cache(maxsize=1)
def node_cases() -> tuple[Case, ...]:
    """Every node case of the installed onnx package, made anew by it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from onnx.backend.test.case.node import collect_testcases
        made = collect_testcases(None)
    out = []
    for c in made:
        inputs, outputs = c.data_sets[0]
        out.append(_case(c.name, c.model, inputs, outputs, c.rtol, c.atol))
    return tuple(sorted(out, key=lambda c: c.name))


@lru_cache(maxsize=1)
def stored_cases() -> tuple[Case, ...]:
    """The small models that the package stores with data: operator sets 6 to 9 of old exporters, and new ones."""
    from onnx.backend.test.loader import load_model_tests
    out = []
    for kind in ("simple", "pytorch-converted", "pytorch-operator"):
        for c in load_model_tests(kind=kind):
            folder = Path(c.model_dir)
            model = onnx.load(folder / "model.onnx")
            data = folder / "test_data_set_0"
            types = [[v.type for v in model.graph.input if v.name not in {t.name for t in model.graph.initializer}],
                     [v.type for v in model.graph.output]]
            inputs, outputs = ([_stored(data / f"{what}_{k}.pb", t) for k, t in enumerate(some)]
                               for what, some in zip(("input", "output"), types, strict=True))
            out.append(_case(c.name, model, inputs, outputs, c.rtol, c.atol))
    return tuple(out)


def _stored(path: Path, type: onnx.TypeProto) -> Any:
    if type.WhichOneof("value") == "sequence_type":
        return numpy_helper.to_list(onnx.SequenceProto.FromString(path.read_bytes()))
    if type.WhichOneof("value") == "optional_type":
        return numpy_helper.to_optional(onnx.OptionalProto.FromString(path.read_bytes()))
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def _case(name: str, model: onnx.ModelProto, inputs: Sequence[Any], outputs: Sequence[Any], rtol: float,
          atol: float) -> Case:
    given = {t.name for t in model.graph.initializer}
    names = [v.name for v in model.graph.input if v.name not in given]
    if len(names) != len(inputs) and len(model.graph.input) == len(inputs):
        names = [v.name for v in model.graph.input]

    def array(v: Any) -> Any:
        return numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v
    # a case that draws random numbers expects its own; only types and shapes can be compared
    random = any(n.op_type in RANDOM for n in model.graph.node)
    return Case(name, model.SerializeToString(), dict(zip(names, map(array, inputs), strict=False)),
                tuple(map(array, outputs)), rtol, atol, random)


def decomposed(hub: Graph) -> Graph:
    """Every operator that has a decomposition or a function body in simpler ones, these too; but where both refuse."""
    def whole(node: Node) -> bool:
        if node.op not in rules and not functions.has_body(node.op):
            return True
        try:
            decompose(Graph({}, {f"o{k}": o for k, o in enumerate(node.outputs)}), lambda n: n is not node, rules,
                      functions.expand, target="")
        except UnsupportedModel:
            return True
        return False
    return decompose(hub, whole, rules, functions.expand, target="simpler operators")


WAYS: dict[str, Callable[[Graph], Graph]] = {
    "": lambda hub: hub,
    "canonical": canonical,
    "passes": lambda hub: passes.run(hub, passes.named("default,fuse_attention")),
    "layout": lambda hub: channels_first(channels_last(hub)),
    "decomposed": decomposed,
}
"""What is done to a model in the hub, on its way from the reader to the writer."""


@dataclass(frozen=True)
class Route:
    """One column of the record: the operator set that is written, and the way through the hub."""

    opset: int | None = None
    way: str = ""


def convert(model: bytes, route: Route, folder: Path) -> bytes:
    """The model through reader, hub and writer."""
    source, target = folder / "source.onnx", folder / "target.onnx"
    source.write_bytes(model)
    hub = WAYS[route.way](format_onnx.to_hub(format_onnx.read(source)))
    format_onnx.write(format_onnx.from_hub(hub, route.opset), target)
    return target.read_bytes()


def same(got: Sequence[Any], expected: Sequence[Any], case: Case) -> bool:
    """Whether outputs are what a case expects, by ONNX's own bars: rtol and atol of the case, integers exact."""
    if len(got) != len(expected):
        return False
    for g, e in zip(got, expected, strict=True):
        if isinstance(e, (list, tuple)) or e is None:
            if not (isinstance(g, (list, tuple)) and same(g, e, case)) and not (g is None and e is None):
                return False
            continue
        g, e = np.asarray(g), np.asarray(e)
        if g.shape != e.shape or (g.dtype.kind != e.dtype.kind and g.dtype != e.dtype and {g.dtype.kind, e.dtype.kind} \
                - {"U", "O"}):
            return False
        if case.random:
            if g.dtype != e.dtype:
                return False
        elif e.dtype.kind in "OUS":
            if g.astype(str).tolist() != e.astype(str).tolist():
                return False
        elif e.dtype.kind in "iub" and e.dtype.name in np.sctypeDict:
            if not np.array_equal(g, e):
                return False
        else:
            # 2 ** -6: the bar of onnx.backend.test.runner for bfloat16, whose mantissa has 7 bits; one step of an
            # 8-bit float at most likewise
            rtol = case.rtol if e.dtype != ml_dtypes.bfloat16 else max(case.rtol, 2.0 ** -6)
            wide = np.complex128 if e.dtype.kind == "c" else np.float64
            if not np.allclose(g.astype(wide), e.astype(wide), rtol=rtol, atol=case.atol, equal_nan=True):
                return False
    return True


def near(got: Sequence[Any], case: Case) -> bool:
    """Whether float32 outputs are as near as sums in another order are: ONNX's absolute bar of 1e-7 is for terms near
    one, and a sum that cancels keeps the rounding of its terms.  1e-6 of the largest number is a tenth of the bar of
    every proof."""
    for g, e in zip(got, case.expected, strict=False):
        g, e = np.asarray(g), np.asarray(e)
        if g.shape != e.shape or g.dtype != e.dtype or g.dtype != np.float32 or not np.isfinite(e).all() \
                or not (np.abs(g - e) <= case.rtol * np.abs(e) + 1e-6 * np.abs(e).max(initial=0)).all():
            return False
    return len(got) == len(case.expected)


def _run(runtime: str, model: bytes, inputs: dict[str, Any]) -> list[Any]:
    if runtime == "onnxruntime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        feed = {i.name: inputs[i.name] for i in session.get_inputs()}
        feed = {k: onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(v, _NUMBER[v.dtype])
                if isinstance(v, np.ndarray) and v.dtype in _NUMBER else v for k, v in feed.items()}
        if any(isinstance(v, onnxruntime.OrtValue) for v in feed.values()):
            feed = {k: v if isinstance(v, onnxruntime.OrtValue) else onnxruntime.OrtValue.ortvalue_from_numpy(v)
                    for k, v in feed.items()}
            return [v.numpy() for v in session.run_with_ort_values(None, feed)]
        return list(session.run(None, feed))
    from onnx.reference import ReferenceEvaluator
    return list(ReferenceEvaluator(onnx.ModelProto.FromString(model)).run(None, inputs))


_NUMBER = {np.dtype(getattr(ml_dtypes, n)): k for n, k in (
    ("bfloat16", 16), ("float8_e4m3fn", 17), ("float8_e4m3fnuz", 18), ("float8_e5m2", 19), ("float8_e5m2fnuz", 20))}


def _serve(pipe: Any) -> None:
    """The child: runs what it is sent and answers with the outputs or the message of the failure."""
    warnings.simplefilter("ignore")
    np.seterr(all="ignore")
    while (job := pipe.recv()) is not None:
        runtime, model, inputs = job
        try:
            answer: Any = _run(runtime, model, inputs)
        except Exception as e:
            answer = f"{type(e).__name__}: {e}"
        try:
            pipe.send(answer)
        except Exception as e:
            pipe.send(f"{type(e).__name__}: {e}")


class Child:
    """A process that runs models, started again when a model kills it."""

    def __init__(self) -> None:
        self.context = multiprocessing.get_context("spawn")
        self.process: Any = None
        self.pipe: Any = None

    def run(self, runtime: str, model: bytes, inputs: dict[str, Any]) -> list[Any] | str:
        """The outputs, or why there are none; ``"crash"`` if the process died."""
        if self.process is None:
            self.pipe, other = self.context.Pipe()
            self.process = self.context.Process(target=_serve, args=(other,), daemon=True)
            self.process.start()
            other.close()
        try:
            self.pipe.send((runtime, model, inputs))
            if not self.pipe.poll(60):
                raise EOFError
            answer: list[Any] | str = self.pipe.recv()
            return answer
        except (EOFError, OSError):
            self.process.kill()
            self.process.join()
            self.process = None
            return "crash"

    def close(self) -> None:
        if self.process is not None:
            self.pipe.send(None)
            self.process.join(10)


class Runs:
    """Runs of the cases' own models, kept: every column of the table compares with them."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.own: dict[tuple[str, str], list[Any] | str] = {}

    def original(self, case: Case, runtime: str) -> list[Any] | str:
        key = (case.name, runtime)
        if key not in self.own:
            self.own[key] = self.child.run(runtime, case.model, case.inputs)
        return self.own[key]

    def verdict(self, case: Case, route: Route) -> str:
        """What becomes of ``case``.  By default the converted model must run wherever the case's own does; in an
        operator set that was asked for, one runtime that has it is enough."""
        opset = route.opset
        with tempfile.TemporaryDirectory() as folder:
            try:
                model = convert(case.model, route, Path(folder))
            except UnsupportedModel as e:
                return "unsupported (" + "; ".join(sorted({f"{p.op}: {p.reason}" for p in e.problems})) + ")"
            except Exception as e:
                return f"error {type(e).__name__}: {str(e).splitlines()[0] if str(e) else ''}"
        failure = ""
        for runtime in ("onnxruntime", "reference"):
            if opset is not None and opset > lower.RUNNABLE and runtime == "onnxruntime":
                continue
            got = self.child.run(runtime, model, case.inputs)
            if isinstance(got, list) and (same(got, case.expected, case) or (
                    (route.way == "decomposed" or opset is not None) and near(got, case))):
                return "pass"
            own = self.original(case, runtime)
            right = isinstance(own, list) and same(own, case.expected, case)
            if isinstance(got, str):
                if got == "crash" and own != "crash":
                    return f"crash {runtime}"
                lacks = opset is not None and ("NOT_IMPLEMENTED" in got or "No implementation for operator" in got)
                if right and not lacks:
                    failure = failure or f"error {runtime}: {got.splitlines()[0][:200]}"
            elif right:
                return f"wrong {runtime}"
            if failure and opset is None:
                break
        return failure or "runtime"


def verdicts(cases: Sequence[Case], routes: Sequence[Route]) -> Iterator[tuple[str, list[str]]]:
    """Name and verdicts, one for each route, of the cases."""
    child = Child()
    runs = Runs(child)
    try:
        for case in cases:
            yield case.name, [runs.verdict(case, route) for route in routes]
            runs.own.clear()
    finally:
        child.close()


__all__ = ["WAYS", "Case", "Route", "helper", "node_cases", "stored_cases", "verdicts"]
