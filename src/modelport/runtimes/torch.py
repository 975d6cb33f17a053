"""PyTorch: programs of torch.export, run eagerly on the processor.

Opening such a file may unpickle its sample inputs; it is opened only where the framework was asked for, after our
reader found nothing in it that a model has no business with."""
from __future__ import annotations

import copy
import json
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np

from ..errors import MissingDependency, ModelportError, RuntimeFailed, UsageError, printable
from ..ir.tensor import Array
from ..ir.types import Type
from .session import Session


def start(path: Path, *, threads: int = 1, device: str = "cpu", tensors: Sequence[str] = (),
          inputs: Sequence[str] = (), outputs: Sequence[str] = (), fixed: str = "",
          places: Mapping[str, str] | None = None, compiled: bool = False) -> Session:
    """The file at ``path`` opened by PyTorch; ``tensors`` are results of calls, by the names that the program
    gives them, to be delivered too; ``compiled`` has torch.compile make machine code of it at the first run.

    A module that was written as source has its ``tensors`` in the variables of its ``forward`` that ``places`` names.

    TorchScript and modules that were written as source do not say what goes in and out: ``inputs`` are names and types
    such as "x:float32[batch, 3]", ``outputs`` names, ``fixed`` arguments that are always the same, as JSON."""
    session: _OfTorch = Called(path, threads=threads, device=device, inputs=inputs, outputs=outputs, fixed=fixed,
                               places={t: places[t] for t in tensors if t in places} if places else {}) \
        if inputs else Torch(path, threads=threads, device=device, tensors=tensors)
    if compiled:
        session.compile()
    return session


class _OfTorch(Session):
    name = "PyTorch"
    _module: Any

    def compile(self) -> None:
        """Puts the module that torch.compile makes in the place of the one that was loaded."""
        self._module = self._torch.compile(self._module)
        self.settings += ", torch.compile"

    def _begin(self, threads: int, device: str) -> Any:
        """The framework, with so many threads; what the session says of it."""
        if device != "cpu":
            raise UsageError(f"PyTorch runs on the device 'cpu' here, not on '{printable(device)}'")
        try:
            import torch
        except ImportError:
            raise MissingDependency("torch", "torch", "running a PyTorch file") from None
        self._torch = torch
        torch.set_num_threads(threads)
        if "fbgemm" in torch.backends.quantized.supported_engines:
            torch.backends.quantized.engine = "fbgemm"  # oneDNN's transposed convolutions of 8 bits are wrong (2.13)
        self.version = torch.__version__
        self.settings = f"cpu, {threads} thread{'s' * (threads != 1)}"
        return torch

    def _without_gradients(self, call: Callable[[], object]) -> Callable[[], object]:
        no_grad = self._torch.no_grad

        def quiet() -> object:
            with no_grad():
                return call()
        return quiet


class Torch(_OfTorch):
    """A program of torch.export."""

    def __init__(self, path: Path, *, threads: int, device: str, tensors: Sequence[str]) -> None:
        from ..formats.torch import container
        with self._checked_first():
            raw = container.read(path)
            container.harmless(path)
        torch = self._begin(threads, device)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._program = torch.export.load(path)
                self._module = self._program.module()
        except Exception as e:
            raise RuntimeFailed(f"PyTorch refuses the file: {_message(e)}") from None
        node = next(iter(raw.outputs.values())).node
        assert node is not None
        self._kept = [k for k, n in enumerate(n for n, o in zip(
            node.attrs["program"].outputs, node.attrs["program"].kinds, strict=True) if o) if n is not None]
        self._first = self._snapshot()
        self._fixed = self._constants()
        self.inputs = {k: v.type for k, v in raw.inputs.items()}
        self._tensors = [t for t in tensors if any(n.name == t for n in self._module.graph.nodes)]
        types = node.attrs["program"].block.types
        self._tensors = [t for t in self._tensors if t in types]
        self.outputs = {**{k: v.type for k, v in raw.outputs.items()}, **{t: types[t] for t in self._tensors}}

    def _snapshot(self) -> list[Any]:
        return [(t, t.detach().clone()) for t in self._module.buffers()]

    def _restore(self) -> None:
        """Each run begins as the file does: programs may write to their buffers."""
        for t, first in self._first:
            t.copy_(first)

    def _constants(self) -> list[Any]:
        """The arguments of the caller, those that are no tensors with their values."""
        from torch.export.graph_signature import ConstantArgument, InputKind
        return [(s.arg.value,) if isinstance(s.arg, ConstantArgument) else None
                for s in self._program.graph_signature.input_specs if s.kind == InputKind.USER_INPUT]

    def _flat(self, feeds: Mapping[str, Array]) -> list[Any]:
        """The arguments of the program, flat, those that are no tensors in their places."""
        torch = self._torch
        arrays = iter(self.checked(feeds).items())
        flat: list[Any] = []
        for known in self._fixed:
            if known is not None:
                flat.append(known[0])
                continue
            _, a = next(arrays)
            flat.append(a.item() if not a.ndim and self._is_number(len(flat)) else tensor(torch, a))
        return flat

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        torch, module = self._torch, self._module
        args, kwargs = torch.utils._pytree.tree_unflatten(self._flat(feeds), self._program.call_spec.in_spec)
        return self._without_gradients(lambda: module(*args, **kwargs))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        torch, flat = self._torch, self._flat(feeds)
        seen: dict[str, Any] = {}
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                spec = self._program.call_spec.in_spec
                args, kwargs = torch.utils._pytree.tree_unflatten(flat, spec)
                self._restore()
                made = self._watched(args, kwargs, seen) if self._tensors else self._module(*args, **kwargs)
                results = torch.utils._pytree.tree_leaves(made)
                results = [results[k] for k in self._kept]
                names = [k for k in self.outputs if k not in self._tensors]
                return {k: _array(torch, v) for k, v in zip([*names, *seen], [*results, *seen.values()], strict=True)}
        except Exception as e:
            raise RuntimeFailed(f"PyTorch failed: {_message(e)}") from None

    def _is_number(self, at: int) -> bool:
        from torch.export.graph_signature import InputKind, TensorArgument
        specs = [s for s in self._program.graph_signature.input_specs if s.kind == InputKind.USER_INPUT]
        return not isinstance(specs[at].arg, TensorArgument)

    def _watched(self, args: Sequence[Any], kwargs: Mapping[str, Any], seen: dict[str, Any]) -> Any:
        """A run that copies the tensors asked for when they are made."""
        torch, wanted = self._torch, frozenset(self._tensors)
        interpreter: Any = torch.fx.Interpreter

        class Watch(interpreter):  # type: ignore[misc]
            def run_node(self, n: Any) -> Any:
                made = super().run_node(n)
                if n.name in wanted and isinstance(made, torch.Tensor):
                    seen[n.name] = made.clone()
                return made
        leaves = torch.utils._pytree.tree_leaves((args, kwargs))
        return Watch(self._module).run(*leaves)


class Called(_OfTorch):
    """A module of TorchScript, or one whose source this package wrote: ``load()`` of a .py file makes it."""

    def __init__(self, path: Path, *, threads: int, device: str, inputs: Sequence[str], outputs: Sequence[str],
                 fixed: str, places: Mapping[str, str]) -> None:
        source = path.suffix == ".py"
        pickled = not source and _pickled(path)
        if not source and not pickled:
            from ..formats.torch import container
            with self._checked_first():
                container.harmless(path)
        torch = self._begin(threads, device)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self._module = _made(path) if source else _unpickled(torch, path) if pickled \
                    else torch.jit.load(str(path)).eval()
        except Exception as e:
            raise RuntimeFailed(f"PyTorch refuses the file: {_message(e)}") from None
        self._keeps: bool | None = True if not source and not pickled and \
            "prim::SetAttr" in str(self._module.inlined_graph) else None
        self._arguments: dict[str, Any] = json.loads(fixed) if fixed else {}
        said = [i.rpartition(":") for i in inputs if i]
        self.inputs = {name: _type(type) for name, _, type in said}
        self._named, self._places = list(outputs), places
        self.outputs = {name: Type(np.dtype("f4")) for name in (*outputs, *places)}

    def _given(self, feeds: Mapping[str, Array]) -> tuple[list[Any], dict[str, Any]]:
        """The arguments of a call, by place or by name."""
        given = {k: tensor(self._torch, a) for k, a in self.checked(feeds).items()}
        return ([], {**given, **self._arguments}) if self._arguments else (list(given.values()), {})

    def prepared(self, feeds: Mapping[str, Array]) -> Callable[[], object]:
        flat, named = self._given(feeds)
        return self._without_gradients(lambda: self._module(*flat, **named))

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        torch = self._torch
        flat, named = self._given(feeds)
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                # each run begins as the file does; the first shows whether it would not
                module = self._module if self._keeps is False else copy.deepcopy(self._module)
                before = _written(module)
                made, seen = self._watched(module, flat) if self._places else (module(*flat, **named), {})
                if self._keeps is None:
                    self._keeps = _written(module) != before
                found = torch.utils._pytree.tree_leaves(made)
                names = self._named if len(self._named) == len(found) else \
                    [f"output_{k}" for k in range(len(found))]
                return {k: _array(torch, v) for k, v in zip([*names, *seen], [*found, *seen.values()], strict=True)}
        except Exception as e:
            raise RuntimeFailed(f"PyTorch failed: {_message(e)}") from None

    def _watched(self, module: Any, flat: Sequence[Any]) -> tuple[Any, dict[str, Any]]:
        """A run, and the tensors asked for: code that was written gives each variable one value, and writes to none,
        so all are there when ``forward`` returns."""
        code = type(module).forward.__code__
        ends: dict[str, Any] = {}

        def look(frame: FrameType, event: str, _: object) -> None:
            if event == "return" and frame.f_code is code:
                ends.update(frame.f_locals)
        before = sys.getprofile()
        sys.setprofile(look)
        try:
            made = module(*flat)
        finally:
            sys.setprofile(before)
        return made, {k: v for k, at in self._places.items() if isinstance(v := ends.get(at), self._torch.Tensor)}


def _written(module: Any) -> list[tuple[str, int, int]]:
    """How often the tensors of a module were written to, and where they are."""
    return [(n, t.data_ptr(), t._version) for n, t in (*module.named_buffers(), *module.named_parameters())]


def _made(path: Path) -> Any:
    """The module that a file written as source makes.

    It is compiled anew: Python would take what it once compiled of a file of this name, second and size for it."""
    module = ModuleType("modelport_written")
    module.__file__ = str(path)
    exec(compile(path.read_bytes(), path, "exec"), module.__dict__)
    return module.load()


_NAMED = ("torch.nn.modules.", "torch.nn.parallel.", "torch.nn.parameter.", "torchvision.models.", "torchvision.ops.",
          "torch._utils._rebuild_", "collections.OrderedDict", "torch.nn.functional.", "torch._C._nn.", "torch.ao.nn.",
          "torch.nn.quantized.", "torch.nn.intrinsic.quantized.", "torch.ao.quantization.stubs.")
"""What a pickle may name that is opened for a proof: classes of layers, and what makes tensors."""


def _pickled(path: Path) -> bool:
    """Whether a file holds a module of a pickle; raises :class:`RuntimeFailed` if it names more than layers."""
    from ..formats.torch.modules.states import opened
    from ..formats.torch.modules.translate import chosen
    try:
        found = opened(path)
    except ModelportError:
        return False
    if chosen(found.root) is None:
        return False
    plain = {"builtins.set", "__builtin__.set", *(f"torch.{n.name}" for n in found.names if n.module == "torch" and (
        n.name.endswith("Storage") or n.name in ("Size", "ScriptObject", *_TYPES)))}
    more = [str(n) for n in found.names if not str(n).startswith(_NAMED) and str(n) not in plain]
    if more:
        raise RuntimeFailed(f"PyTorch does not open a pickle that names {printable(more[0], 80)} for the proof")
    return True


_TYPES = ("float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
          "qint8", "quint8", "qint32", "per_tensor_affine", "per_channel_affine", "per_channel_affine_float_qparams")


def _unpickled(torch: Any, path: Path) -> Any:
    found = torch.load(path, map_location="cpu", weights_only=False)
    if isinstance(found, dict):
        modules = {k: v for k, v in found.items() if isinstance(v, torch.nn.Module)}
        found = modules["model"] if len(modules) > 1 else next(iter(modules.values()))
    return found.eval()


def _type(text: str) -> Type:
    """The type that a text such as "float32[batch, 3]" says."""
    import ml_dtypes
    name, _, shape = text.partition("[")
    dims = shape.rstrip("]")
    sizes = [d.strip() for d in dims.split(",")] if dims else []
    return Type(np.dtype(getattr(ml_dtypes, name, name)), None if dims == "..." else tuple(
        int(d) if d.isdigit() else None for d in sizes))


def tensor(torch: Any, a: Array) -> Any:
    """An array as a tensor of PyTorch."""
    if a.dtype.name == "bfloat16" or a.dtype.name.startswith("float8"):  # which numpy has from elsewhere
        kind = getattr(torch, a.dtype.name)
        bits = np.uint16 if a.dtype.itemsize == 2 else np.uint8
        return torch.from_numpy(np.array(a, order="C").view(bits)).view(kind)
    return torch.from_numpy(np.array(a))


def _array(torch: Any, v: Any) -> Array:
    if not isinstance(v, torch.Tensor):
        return np.asarray(v)
    v = v.dequantize() if v.is_quantized else v
    v = v.detach().cpu().contiguous()
    name = str(v.dtype).removeprefix("torch.")
    if name == "bfloat16" or name.startswith("float8"):
        import ml_dtypes
        raw = v.view(torch.int16 if v.dtype == torch.bfloat16 else torch.uint8).numpy()
        return raw.view(getattr(ml_dtypes, name))
    return v.numpy()


def _message(e: Exception) -> str:
    lines = str(e).strip().splitlines()
    return f"{type(e).__name__}: {printable(lines[0] if lines else '', 300)}"
