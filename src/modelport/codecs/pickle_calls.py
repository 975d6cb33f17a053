"""The calls of a pickle that are carried out, by code of ours: constructors of plain values."""
from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import pickle_numpy as nd
from .pickle_objects import Name, Record

if TYPE_CHECKING:
    from .pickle import _Machine


def construct(machine: _Machine, of: Name, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What one of the known constructors makes, without it; ``None`` for all others."""
    make = _CONSTRUCTORS.get((of.module.replace("__builtin__", "builtins").replace("copy_reg", "copyreg"), of.name))
    if make is not None:
        return make(machine, *args, **kwargs)
    if args and isinstance(args[0], Name):
        if of.name.startswith("__pyx_unpickle_"):  # Cython: class, checksum, state
            return Record(args[0], state=args[2] if len(args) > 2 else None)
        if of.name == "newObj" or (of.module.startswith("pandas") and of.name in ("_new_Index", "new_Index")):
            return Record(args[0], state=args[1] if len(args) > 1 else None)
    return nd.construct(machine, str(of), args)


def _reconstructor(machine: _Machine, cls: Any, base: Any = None, state: Any = None) -> Any:
    if not isinstance(cls, Name):
        return None
    made = Record(cls, () if state is None else (state,))
    if isinstance(state, dict):
        made.entries.update(state)
    if isinstance(state, (list, tuple)):
        made.items.extend(state)
    return made


def _encode(machine: _Machine, text: Any = "", encoding: Any = "utf-8", *_: Any) -> Any:
    if not isinstance(text, str) or str(encoding).lower().replace("-", "") not in ("latin1", "utf8", "ascii"):
        return None
    machine.shared.spend(len(text))
    return text.encode(str(encoding), "surrogateescape")


def _bytearray(machine: _Machine, content: Any = b"", encoding: Any = "latin-1") -> Any:
    content = _encode(machine, content, encoding) if isinstance(content, str) else content
    if not isinstance(content, (bytes, bytearray)):
        return None
    machine.shared.spend(len(content))
    return bytes(content)


def _set(machine: _Machine, items: Any = ()) -> Any:
    if not isinstance(items, (list, tuple, set, frozenset)):
        return None
    machine.shared.spend(8 * len(items))
    return {machine.key(x) for x in items}


def _dict(machine: _Machine, items: Any = (), *_: Any) -> Any:
    pairs = list(items.items()) if isinstance(items, dict) else items
    if not isinstance(pairs, (list, tuple)):
        return None
    machine.shared.spend(16 * len(pairs))
    return {machine.key(k): v for k, v in pairs}


def _newobj(machine: _Machine, cls: Any, *args: Any) -> Any:
    return machine.call(cls, tuple(args))


def _ufunc(machine: _Machine, module: Any, name: Any) -> Any:
    return machine.name(module, name)


_CONSTRUCTORS: dict[tuple[str, str], Callable[..., Any]] = {
    ("collections", "OrderedDict"): _dict,
    ("collections", "Counter"): _dict,
    ("collections", "defaultdict"): lambda machine, factory=None, items=(): _dict(machine, items),
    ("builtins", "dict"): _dict,
    ("builtins", "set"): _set,
    ("builtins", "frozenset"): lambda machine, items=(): _frozen(_set(machine, items)),
    ("builtins", "bytearray"): _bytearray,
    ("builtins", "bytes"): _bytearray,
    ("builtins", "complex"): lambda machine, real=0.0, imaginary=0.0: complex(float(real), float(imaginary)),
    ("builtins", "slice"): lambda machine, *a: slice(*a),
    ("_codecs", "encode"): _encode,
    ("copyreg", "_reconstructor"): _reconstructor,
    ("copyreg", "__newobj__"): _newobj,
    ("numpy.core", "_ufunc_reconstruct"): _ufunc,
    ("numpy._core", "_ufunc_reconstruct"): _ufunc,
}


def _frozen(made: Any) -> Any:
    return None if made is None else frozenset(made)
