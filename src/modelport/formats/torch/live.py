"""Modules of PyTorch in memory, and of a file of the user's own, by way of a program of torch.export."""
from __future__ import annotations

import json
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ...codecs.limits import DEFAULT, Limits
from ...errors import UnsupportedModel, UsageError, printable
from ...ir.graph import Graph
from ...ir.types import Type
from ...notes import Note
from .container import read
from .inputs import held


def is_live(source: Any) -> bool:
    """Whether an object is a module, or a program of torch.export."""
    return any((c.__module__, c.__name__) in (("torch.nn.modules.module", "Module"),
                                              ("torch.export.exported_program", "ExportedProgram"))
               for c in type(source).__mro__)


def load(source: Any, limits: Limits = DEFAULT, *, example: Any = None, **options: Any) -> Graph:
    """The raw graph of a module, called with ``example``: a tensor, a tuple of arguments, or a dictionary.

    The module is exported with all sizes dynamic that can be, in eval mode; what torch.export refuses is traced, which
    a note says."""
    import torch
    with tempfile.TemporaryDirectory(prefix="modelport-") as folder:
        path = Path(folder) / "model.pt2"
        if isinstance(source, torch.export.ExportedProgram):
            torch.export.save(source, path)
            return read(path, limits, **options)
        if isinstance(source, torch.jit.ScriptModule):
            source.save(str(path))
            return read(path, limits, **options)
        if example is None:
            raise UsageError("a module of PyTorch does not say the shapes of its inputs",
                             hint="give some: modelport.load(module, torch.zeros(2, 3, 224, 224))")
        args, named = _arguments(example)
        args, named = _doubled(args), dict(zip(named, _doubled(tuple(named.values())), strict=True))
        modes = [(m, m.training) for m in source.modules()]
        source.eval()
        try:
            why = export(source, args, named, path)
            if not why:
                try:
                    return read(path, limits, **options)
                except UnsupportedModel as e:
                    why, problem = "its program cannot be expressed", e
                    try:
                        return _traced(source, args, named, path, limits, why)
                    except UnsupportedModel:
                        raise problem from None
            return _traced(source, args, named, path, limits, why)
        finally:
            for m, training in modes:
                m.training = training


def _arguments(example: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(example, Mapping):
        return (), dict(example)
    return (tuple(example) if isinstance(example, (tuple, list)) else (example,)), {}


def _doubled(args: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same with a batch of two where all have a batch of one, which torch.export would take for the only size."""
    import torch
    tensors = [a for a in args if isinstance(a, torch.Tensor) and a.dim()]
    if not tensors or any(t.shape[0] != 1 for t in tensors):
        return args
    return tuple(torch.cat([a, a]) if isinstance(a, torch.Tensor) and a.dim() else a for a in args)


def export(module: Any, args: tuple[Any, ...], named: Mapping[str, Any], path: Path,
           fixed: Mapping[int, Sequence[int]] | None = None) -> str:
    """Writes the program of a module; why torch.export refuses it, or "".  ``fixed`` are axes, by the number of the
    argument, that are not to be dynamic."""
    import torch
    auto = torch.export.Dim.AUTO

    def sizes(a: Any, keep: Sequence[int] = ()) -> Any:
        if isinstance(a, torch.Tensor):
            return {k: auto for k in range(a.dim()) if k not in keep}
        if isinstance(a, (list, tuple)):
            return type(a)(sizes(v) for v in a)
        return {k: sizes(v) for k, v in a.items()} if isinstance(a, Mapping) else None
    shapes = (*(sizes(a, (fixed or {}).get(k, ())) for k, a in enumerate(args)),)
    dynamic: Any = shapes if not named else {**dict(zip(_names(module), shapes, strict=False)),
                                             **{k: sizes(v) for k, v in named.items()}}
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.export.export(module, args, dict(named), dynamic_shapes=dynamic, strict=False)
            torch.export.save(program, path)
    except Exception as e:  # whatever a module of the user's own raises
        lines = str(e).strip().splitlines()
        return f"{type(e).__name__}: {printable(lines[0] if lines else '', 200)}"
    return ""


def _names(module: Any) -> list[str]:
    import inspect
    return list(inspect.signature(module.forward).parameters)


def _traced(module: Any, args: tuple[Any, ...], named: Mapping[str, Any], path: Path, limits: Limits,
            why: str) -> Graph:
    import torch
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            traced = torch.jit.trace(module, args) if not named else \
                torch.jit.trace(module, example_kwarg_inputs=dict(named))
            traced.save(str(path))
    except Exception as e:
        raise UsageError(f"PyTorch can neither export nor trace the module: {why}; "
                         f"{type(e).__name__}: {printable(e, 200)}") from None
    flat = [*args, *named.values()]
    raw = read(path, limits, inputs=[_said(a, named_by) for a, named_by in zip(
        flat, [*[""] * len(args), *named], strict=True)])
    node = next(iter(raw.outputs.values())).node
    assert node is not None
    hub: Graph = node.attrs["graph"]
    note = Note("changed", f"the module was traced, since torch.export refuses it ({why}): what depends on values is "
                "as with the example")
    return held(node.op, hub.noted(note))


def _said(a: Any, name: str) -> str:
    """The type of an example as the option ``inputs`` says it, with any batch."""
    import torch
    if not isinstance(a, torch.Tensor):
        raise UsageError(f"an argument that is a {type(a).__name__}, and torch.export refuses the module")
    kind = str(a.dtype).removeprefix("torch.")
    shape = ["batch", *map(str, a.shape[1:])] if a.dim() else []
    return f"{name}:" * bool(name) + f"{kind}[{','.join(shape)}]"


# -- the user's own class, in a process of its own: python -m modelport.formats.torch.live


def example(types: Sequence[Type]) -> tuple[tuple[Any, ...], dict[int, list[int]]]:
    """Tensors of the types, dynamic sizes some number above one, and the axes that are not dynamic."""
    import torch
    sizes: dict[str, int] = {}
    found, fixed = [], {}
    for k, t in enumerate(types):
        shape = [d if isinstance(d, int) else sizes.setdefault(str(d), 2 + 5 * len(sizes)) for d in t.shape or ()]
        found.append(torch.from_numpy(np.ones(shape, np.float32)).to(getattr(torch, t.dtype.name)))
        fixed[k] = [a for a, d in enumerate(t.shape or ()) if isinstance(d, int)]
    return tuple(found), fixed


def own(file: str, name: str) -> Any:
    """An instance of the class, or what the function makes, of that name in a file of Python."""
    import importlib.util
    sys.path.insert(0, str(Path(file).resolve().parent))
    spec = importlib.util.spec_from_file_location(Path(file).stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    found = getattr(module, name)
    return found() if callable(found) and not is_live(found) else found


def filled(module: Any, weights: Mapping[str, Any]) -> None:
    """Sets the weights of a module, whatever checkpoints put before their names."""
    import torch
    wanted = module.state_dict()
    prefixes = {"": 0} | {k[:len(k) - len(w)]: 0 for k in weights for w in wanted if k.endswith(f".{w}") or k == w}
    best = max(prefixes, key=lambda p: sum(p + w in weights for w in wanted))
    missing = [w for w in wanted if best + w not in weights and not w.endswith("num_batches_tracked")]
    if missing:
        raise UsageError(f"the file has no weights {', '.join(missing[:5])} of the class")
    state = {}
    for w, old in wanted.items():
        found = weights.get(best + w)
        if found is None:
            continue
        a = np.array(found.numpy())
        kind = getattr(torch, a.dtype.name)
        state[w] = torch.from_numpy(a.view(np.int16)).view(kind) if a.dtype.kind == "V" else torch.from_numpy(a)
        if state[w].shape != old.shape:
            raise UsageError(f"'{w}' has shape {list(state[w].shape)} in the file, {list(old.shape)} in the class")
    module.load_state_dict(state, strict=False)


def main(request: str) -> None:
    """Exports what the request, a file of JSON, asks for."""
    from .inputs import parsed
    from .modules.states import tensors
    asked = json.loads(Path(request).read_text())
    module = own(asked["file"], asked["name"])
    if not is_live(module):
        raise UsageError(f"{asked['name']} makes a {type(module).__name__}, no module")
    filled(module, tensors(Path(asked["weights"])))
    module.eval()
    pairs = [parsed(t) for t in asked["inputs"]]
    args, fixed = example([t for _, t in pairs])
    why = export(module, args, {}, Path(asked["target"]), fixed)
    if why:
        raise UsageError(f"torch.export refuses the module: {why}")


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except UsageError as e:
        print(e.message, file=sys.stderr)
        sys.exit(2)
