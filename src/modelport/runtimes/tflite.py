"""LiteRT, the runtime of TensorFlow Lite files."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingDependency, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from ..ir.types import STRING, Dim, DType, Type
from .session import Session, as_text

KERNELS = {"builtin": "AUTO", "plain": "BUILTIN_WITHOUT_DEFAULT_DELEGATES", "reference": "BUILTIN_REF"}
"""``builtin``: what applications get (XNNPACK and optimised kernels); ``plain``: without XNNPACK; ``reference``: the
kernels that TensorFlow Lite's specification of quantized arithmetic is written by."""


def start(path: Path | bytes, *, threads: int = 1, device: str = "cpu", kernels: str = "builtin",
          signature: str | None = None, like: Sequence[str] = (), tensors: Sequence[str | int] = ()) -> Session:
    """``path`` (or the bytes of a model) opened by LiteRT.

    ``kernels`` is a key of :data:`KERNELS`.  With ``signature`` inputs and outputs have the names of that signature,
    without it those of the main subgraph's tensors; ``like`` are input and output names, and the signature that has
    just these is taken, if there is one.  ``tensors`` (names or indices) are delivered as outputs too."""
    return LiteRT(path, threads=threads, device=device, kernels=kernels, signature=signature, like=like,
                  tensors=tensors)


class LiteRT(Session):
    """A model in LiteRT.  Variables are reset before every run: each run stands alone."""

    name = "LiteRT"

    def __init__(self, path: Path | bytes, *, threads: int, device: str, kernels: str, signature: str | None,
                 like: Sequence[str], tensors: Sequence[str | int]) -> None:
        try:
            from ai_edge_litert import interpreter as litert
        except ImportError:
            raise MissingDependency("ai-edge-litert", "tflite", "running a TensorFlow Lite model") from None
        if device != "cpu":
            raise UsageError(f"LiteRT runs on the device 'cpu' here, not on '{printable(device)}'")
        if kernels not in KERNELS:
            raise UsageError(f"LiteRT has no kernels '{printable(kernels)}'; there are {', '.join(KERNELS)}")
        from importlib.metadata import version
        self.version = version("ai-edge-litert")
        self.settings = f"cpu, {kernels} kernels, {threads} thread{'s' * (threads != 1)}"
        source = {"model_content": path} if isinstance(path, bytes) else {"model_path": str(path)}

        def make() -> Any:
            return litert.Interpreter(**source, num_threads=threads, experimental_preserve_all_tensors=bool(tensors),
                                      experimental_op_resolver_type=getattr(litert.OpResolverType, KERNELS[kernels]))
        self._make = make
        try:
            self._model: Any = make()
            # resource variables are set up once for an interpreter, and no call resets them
            self._stateful = any(d.get("op_name") in ("VAR_HANDLE", "CALL_ONCE")
                                 for d in self._model._get_ops_details())
            signatures = self._model.get_signature_list()
            if signature is not None and signature not in signatures:
                raise UsageError(f"the model has no signature '{printable(signature)}'; it has "
                                 f"{', '.join(map(printable, signatures)) or 'none'}")
            if signature is None and like:
                fit = [k for k, s in signatures.items() if {*s["inputs"], *s["outputs"]} == set(like)]
                signature = "serving_default" if "serving_default" in fit else fit[0] if fit else None
            self._signature, self._ready = signature, False
            self._runner: Any = None
            if signature is None:
                ins = _named(self._model.get_input_details())
                outs = _named(self._model.get_output_details())
            else:
                runner = self._model.get_signature_runner(signature)
                ins, outs = runner.get_input_details(), runner.get_output_details()
                # a signature of the main subgraph is no more than names for its tensors
                main = {d["index"] for d in self._model.get_input_details()} == {d["index"] for d in ins.values()}
                if not (main and getattr(runner, "_subgraph_index", None) == 0):
                    self._runner = runner
        except (ValueError, RuntimeError, TypeError) as e:
            raise RuntimeFailed(f"LiteRT refuses the model: {_message(e)}") from None
        self._ins: Mapping[str, Any] = ins
        self._outs: dict[str, Any] = dict(outs)
        self._outs.update(self._more(tensors))
        self.inputs = {k: _type(d) for k, d in self._ins.items()}
        self.outputs = {k: _type(d) for k, d in self._outs.items()}

    def _more(self, tensors: Sequence[str | int]) -> dict[str, Any]:
        """Details of the intermediate tensors that are asked for, by the name or index they were asked by."""
        if not tensors:
            return {}
        if self._runner is not None:
            raise UsageError("intermediate tensors are those of the main subgraph, the signature has another")
        details = self._model.get_tensor_details()
        by_name = {d["name"]: d for d in reversed(details)}
        by_index = {d["index"]: d for d in details}
        found = {str(t): by_index.get(t) if isinstance(t, int) else by_name.get(t) for t in tensors}
        return {k: d for k, d in found.items() if d is not None}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = {k: _stored(a, self.inputs[k].dtype) for k, a in self.checked(feeds).items()}
        try:
            if self._stateful and self._ready:
                self._model, self._ready = self._make(), False
                if self._runner is not None:
                    self._runner = self._model.get_signature_runner(self._signature)
            if self._runner is not None:
                made = self._by_signature(arrays)
            else:
                made = self._main(arrays)
        except (ValueError, RuntimeError, TypeError) as e:
            raise RuntimeFailed(f"LiteRT failed: {_message(e)}") from None
        return {k: as_text(np.asarray(a)) for k, a in made.items()}

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        arrays = {k: _stored(a, self.inputs[k].dtype) for k, a in self.checked(feeds).items()}
        model, runner = self._model, self._runner
        if runner is not None:  # which gives the inputs their sizes itself
            return lambda: runner(**arrays)
        self._sized(arrays)
        ins = [(self._ins[k]["index"], a) for k, a in arrays.items()]
        outs = [d["index"] for d in self._outs.values()]

        def call() -> object:
            for index, array in ins:
                model.set_tensor(index, array)
            model.invoke()
            return [model.get_tensor(index) for index in outs]
        return call

    def _by_signature(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        # a runner resizes inputs itself; variables are those of the whole interpreter
        if self._ready:
            self._model.reset_all_variables()
        made = self._runner(**arrays)
        self._ready = True
        return {k: np.array(made[k]) for k in self._outs}

    def _sized(self, arrays: Mapping[str, Array]) -> None:
        """Gives the inputs of the main subgraph the sizes of ``arrays``, and plans the memory where they changed."""
        model, changed = self._model, not self._ready
        now = {d["index"]: tuple(d["shape"]) for d in model.get_input_details()}
        for name, array in arrays.items():
            index = self._ins[name]["index"]
            if now[index] != array.shape:
                model.resize_tensor_input(index, list(array.shape), strict=False)
                changed = True
        if changed:
            self._ready = False
            model.allocate_tensors()
            self._ready = True

    def _main(self, arrays: Mapping[str, Array]) -> dict[str, Array]:
        model = self._model
        self._sized(arrays)
        model.reset_all_variables()
        for name, array in arrays.items():
            model.set_tensor(self._ins[name]["index"], array)
        model.invoke()
        made: dict[str, Array] = {}
        for name, detail in self._outs.items():
            try:
                made[name] = np.array(model.get_tensor(detail["index"]))
            except ValueError:  # the interpreter does not hand out an output without elements
                shapes = [d["shape"] for d in model.get_output_details() if d["index"] == detail["index"]]
                if shapes and 0 not in shapes[0]:
                    raise
                if shapes:
                    made[name] = np.zeros(tuple(shapes[0]), self.outputs[name].dtype)
        return made  # an intermediate tensor without data (a constant folded away by a delegate) is left out

    def close(self) -> None:
        self._model = self._runner = None


def _named(details: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Details by tensor name; a name that occurs twice, or none, gets the tensor's index."""
    names = [d["name"] for d in details]
    return {n if n and names.count(n) == 1 else f"{n}:{d['index']}" if n else str(d["index"]): d
            for n, d in zip(names, details, strict=True)}


def _type(detail: Mapping[str, Any]) -> Type:
    raw = detail["dtype"]
    dtype: DType = STRING if raw in (object, bytes, np.bytes_, np.str_) else np.dtype(raw)
    signature = detail.get("shape_signature")
    shape = detail["shape"] if signature is None or len(signature) != len(detail["shape"]) else signature
    dims: tuple[Dim, ...] = tuple(int(d) if d >= 0 else None for d in shape)
    return Type(dtype, dims)


def _stored(array: Array, dtype: DType) -> Array:
    if dtype != STRING:
        whole: Array = np.ascontiguousarray(array).reshape(array.shape)
        return whole
    flat = np.empty(array.size, object)
    flat[:] = [str(s).encode("utf-8", "surrogateescape") for s in array.ravel()]
    shaped: Array = flat.reshape(array.shape)
    return shaped


def _message(e: Exception) -> str:
    return " ".join(str(e).split())[:1000] or type(e).__name__
