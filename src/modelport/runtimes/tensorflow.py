"""TensorFlow: SavedModels by signature, frozen graphs by the names of their inputs and outputs."""
from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import MissingDependency, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from ..ir.types import STRING, Dim, DType, Type
from .session import Session, as_text

DEFAULT = "serving_default"


def start(path: Path, *, threads: int = 1, device: str = "cpu", signature: str | None = None,
          loader: str = "auto", inputs: Sequence[str] = (), outputs: Sequence[str] = (),
          state: Sequence[str] = (), reset: Sequence[str] = ()) -> Session:
    """The SavedModel in the folder ``path``, or the frozen graph (.pb) at it, opened by TensorFlow.

    ``signature`` is by default ``serving_default``, or the only one.  ``loader``: ``v2`` is ``tf.saved_model.load``,
    ``v1`` the loader of TensorFlow Serving, ``auto`` the first of them that takes the model.  ``inputs`` and
    ``outputs`` name the tensors of a frozen graph (``name`` or ``name:0``).  The variables named ``state`` are set
    before each run and read after it, as inputs ``state:<name>`` and outputs ``state:<name>:next``, those named
    ``reset`` have their saved values again before each run; only the loader of TensorFlow Serving knows their names."""
    return TensorFlow(path, threads=threads, device=device, signature=signature, loader=loader, inputs=inputs,
                      outputs=outputs, state=state, reset=reset)


class TensorFlow(Session):
    """A model in TensorFlow."""

    name = "TensorFlow"

    def __init__(self, path: Path, *, threads: int, device: str, signature: str | None, loader: str,
                 inputs: Sequence[str], outputs: Sequence[str], state: Sequence[str],
                 reset: Sequence[str]) -> None:
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")  # the plain kernels: the same rounding on every machine
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
        try:
            import tensorflow as tf
        except ImportError:
            raise MissingDependency("tensorflow", "tensorflow", "running a TensorFlow model") from None
        if device != "cpu":
            raise UsageError(f"TensorFlow runs on the device 'cpu' here, not on '{printable(device)}'")
        if loader not in ("auto", "v1", "v2"):
            raise UsageError(f"TensorFlow has no loader '{printable(loader)}'; there are auto, v1, v2")
        with contextlib.suppress(RuntimeError):  # they can be set only before the first operator runs
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        self._tf, self.version = tf, str(tf.__version__)
        self._call: Callable[[Mapping[str, Array]], Mapping[str, Any]]
        self._prepare: Callable[[Mapping[str, Array]], Callable[[], object]] | None = None
        self._state, self._reset = state, reset
        how = ""
        try:
            if not path.is_dir():
                self._frozen(path, inputs, outputs)
            elif loader == "v1" or state or reset:
                self._served(path, signature)
                how = ", the loader of TensorFlow Serving"
            else:
                try:
                    self._loaded(path, signature)
                except UsageError:
                    raise
                except Exception:
                    if loader == "v2":
                        raise
                    self._served(path, signature)
                    how = ", the loader of TensorFlow Serving"
        except UsageError:
            raise
        except Exception as e:
            raise RuntimeFailed(f"TensorFlow refuses the model: {_message(e)}") from None
        self.settings = f"cpu, {threads} thread{'s' * (threads != 1)}{how}"

    def _loaded(self, path: Path, signature: str | None) -> None:
        model = self._tf.saved_model.load(str(path))
        function = model.signatures[_chosen(signature, list(model.signatures))]
        self._model = model  # the signature alone does not keep its variables alive
        specs = function.structured_input_signature[1]
        self.inputs = {k: self._type(s.dtype, s.shape) for k, s in specs.items()}
        self.outputs = {k: self._type(s.dtype, s.shape) for k, s in function.structured_outputs.items()}

        def given(feeds: Mapping[str, Array]) -> dict[str, Any]:
            return {k: self._tf.constant(_native(v, specs[k].dtype.as_numpy_dtype)) for k, v in feeds.items()}
        self._call = lambda feeds: function(**given(feeds))
        self._prepare = lambda feeds: partial(function, **given(feeds))

    def _served(self, path: Path, signature: str | None) -> None:
        v1 = self._tf.compat.v1
        graph = self._tf.Graph()
        session = v1.Session(graph=graph)
        with graph.as_default():
            meta = v1.saved_model.loader.load(session, ["serve"], str(path))
        defined = meta.signature_def
        found = defined[_chosen(signature, [k for k in defined if k != "__saved_model_init_op"])]
        self._session(session, {k: v.name for k, v in found.inputs.items()},
                      {k: v.name for k, v in found.outputs.items()})

    def _frozen(self, path: Path, inputs: Sequence[str], outputs: Sequence[str]) -> None:
        v1 = self._tf.compat.v1
        definition = v1.GraphDef()
        if path.suffix == ".pbtxt":
            from google.protobuf import text_format
            text_format.Parse(path.read_text("utf-8"), definition)
        else:
            definition.ParseFromString(path.read_bytes())
        graph = self._tf.Graph()
        with graph.as_default():
            self._tf.import_graph_def(definition, name="")
        if not inputs or not outputs:
            raise UsageError("TensorFlow runs a frozen graph by the names of its inputs and outputs: none are given")
        self._session(v1.Session(graph=graph), {n: n if ":" in n else f"{n}:0" for n in inputs},
                      {n: n if ":" in n else f"{n}:0" for n in outputs})

    def _session(self, session: Any, ins: Mapping[str, str], outs: Mapping[str, str]) -> None:
        """Inputs and outputs by the names of their tensors."""
        graph = session.graph
        tensors = {k: graph.get_tensor_by_name(n) for k, n in ins.items()}
        made = {k: graph.get_tensor_by_name(n) for k, n in outs.items()}
        self._model = session
        assign, after = [], {}
        for name in self._state:
            tensors[f"state:{name}"], op, after[f"state:{name}:next"] = self._variable(graph, name)
            assign.append(op)
        saved: dict[Any, Array] = {}
        for name in self._reset:
            value, op, now = self._variable(graph, name)
            assign.append(op)
            saved[value] = session.run(now)
        self.inputs = {k: self._type(t.dtype, t.shape) for k, t in tensors.items()}
        self.outputs = {k: self._type(t.dtype, t.shape) for k, t in {**made, **after}.items()}

        def call(feeds: Mapping[str, Array]) -> Mapping[str, Any]:
            given = {tensors[k]: _native(v, tensors[k].dtype.as_numpy_dtype) for k, v in feeds.items()}
            session.run(assign, {**given, **saved})
            out: dict[str, Any] = session.run(made, given)
            return {**out, **session.run(after)}
        self._call = call
        if not assign:
            self._prepare = lambda feeds: partial(session.run, made, {
                tensors[k]: _native(v, tensors[k].dtype.as_numpy_dtype) for k, v in feeds.items()})

    def _variable(self, graph: Any, name: str) -> tuple[Any, Any, Any]:
        """A new value for the variable of that name, the operator that assigns it, and the variable's value."""
        def called(op: Any) -> bool:
            return op.type in ("VarHandleOp", "VariableV2", "Variable") and \
                (op.get_attr("shared_name").decode() or op.name) == name
        op = next((op for op in graph.get_operations() if called(op)), None)
        if op is None:
            raise UsageError(f"the model has no variable '{printable(name)}'")
        raw, dtype = self._tf.raw_ops, op.get_attr("dtype")
        with graph.as_default():
            value = self._tf.compat.v1.placeholder(dtype, self._tf.TensorShape(op.get_attr("shape")))
            if op.type == "VarHandleOp":
                return (value, raw.AssignVariableOp(resource=op.outputs[0], value=value),
                        raw.ReadVariableOp(resource=op.outputs[0], dtype=dtype))
            return value, self._tf.compat.v1.assign(op.outputs[0], value).op, self._tf.identity(op.outputs[0])

    def _type(self, dtype: Any, shape: Any) -> Type:
        of: DType = STRING if dtype == self._tf.string else np.dtype(dtype.as_numpy_dtype)
        if shape.rank is None:
            return Type(of, None)
        dims: tuple[Dim, ...] = tuple(shape.as_list())
        if of.kind == "c":  # as everywhere here: pairs of real numbers
            return Type(np.dtype(f"f{of.itemsize // 2}"), (*dims, 2))
        return Type(of, dims)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = self.checked(feeds)
        try:
            made = self._call(arrays)
        except Exception as e:
            raise RuntimeFailed(f"TensorFlow failed: {_message(e)}") from None
        return {k: as_text(_pairs(np.asarray(v.numpy() if hasattr(v, "numpy") else v)))
                for k, v in ((k, made[k]) for k in self.outputs)}

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        return super().prepared(feeds) if self._prepare is None else self._prepare(self.checked(feeds))

    def close(self) -> None:
        self._model = None


def _chosen(signature: str | None, known: Sequence[str]) -> str:
    """The signature asked for, the default one, or the only one."""
    if signature is None:
        signature = DEFAULT if DEFAULT in known or len(known) != 1 else known[0]
    if signature not in known:
        raise UsageError(f"the model has no signature '{printable(signature)}'; it has "
                         f"{', '.join(map(printable, known)) or 'none'}")
    return signature


def _pairs(array: Array) -> Array:
    return np.stack([array.real, array.imag], -1) if array.dtype.kind == "c" else array


def _native(array: Array, dtype: Any) -> Array:
    """Text as the bytes that TensorFlow holds, complex numbers from their pairs."""
    if np.issubdtype(dtype, np.complexfloating):
        return np.ascontiguousarray(array).view(dtype)[..., 0]
    if array.dtype != STRING:
        return array
    flat = np.empty(array.size, object)
    flat[:] = [str(s).encode("utf-8", "surrogateescape") for s in array.ravel()]
    shaped: Array = flat.reshape(array.shape)
    return shaped


def _message(e: Exception) -> str:
    return " ".join(str(e).split())[:1000] or type(e).__name__
