"""What numpy and joblib put into pickles, made from the bytes that are there."""
from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import CorruptFile, LimitExceeded, UnsafeModel, printable
from .paths import open_beneath

if TYPE_CHECKING:
    from .pickle import _Machine

_PLAIN = re.compile(r"[<>|=]?(?:[biufc]\d{1,2}|[SU]\d{0,9}|V\d{1,6}|[mM]8(?:\[\d*[A-Za-z]{1,2}\])?|\?|O[48]?|"
                    r"[bBhHiIlLqQpPefdgFDG])\Z")
_NAMES = {"numpy.bool_": "?", "numpy.object_": "O", "builtins.object": "O", "builtins.float": "f8",
          "builtins.int": "i8", "builtins.bool": "?", "numpy.str_": "U", "builtins.str": "U"}


def is_array(x: Any) -> bool:
    return isinstance(x, np.ndarray)


def holds_objects(x: Any) -> bool:
    return isinstance(x, np.ndarray) and x.dtype.hasobject


class DType:
    """An element type before its state is known."""

    def __init__(self, spec: Any) -> None:
        self.spec, self.keys = spec, list[Any]()

    def build(self, state: Any, machine: _Machine) -> Any:
        """(version, order, subarray, names, fields, size, alignment, flags[, metadata]), see numpy's descriptor.c."""
        if not isinstance(state, tuple) or len(state) < 5:
            raise CorruptFile("the state of an element type", offset=machine.at)
        order, sub, names, fields = (_text(v) for v in state[1:5])
        if sub is not None:
            raise CorruptFile("an element type of arrays", offset=machine.at)
        if names is not None:
            return _structured(names, fields, state[5], machine)
        made = dtype(self, machine)
        if made.kind in "mM" and len(state) > 8 and state[8]:
            unit = state[8][-1] if isinstance(state[8], tuple) and isinstance(state[8][-1], tuple) else state[8]
            name = _text(unit[0])
            made = np.dtype(f"{made.kind}8[{name}]") if re.fullmatch(r"[A-Za-z]{1,2}|generic", str(name)) else made
        return made.newbyteorder(order) if order in ("<", ">") else made


class Ndarray:
    """An array before its elements are known."""

    def __init__(self) -> None:
        self.keys = list[Any]()

    def build(self, state: Any, machine: _Machine) -> Any:
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise CorruptFile("the state of an array", offset=machine.at)
        shape, kind, fortran, raw = state[-4:]
        return array(raw, kind, shape, "F" if fortran else "C", machine)


class Wrapper:
    """joblib's stand-in for an array whose bytes follow in the stream, or are in a file of their own."""

    def __init__(self, of: str, args: tuple[Any, ...]) -> None:
        self.of, self.args, self.keys = of, args, list[Any]()

    def build(self, state: Any, machine: _Machine) -> Any:
        if not isinstance(state, dict):
            raise CorruptFile("the state of an array of joblib", offset=machine.at)
        if self.of == "NumpyArrayWrapper":
            return _inline(state, machine)
        return _beside(self.of, state, machine)


STUBS = (DType, Ndarray, Wrapper)


def settled(x: Any) -> Any:
    """The object of a whole pickle, which may be an element type without a state."""
    if isinstance(x, DType):
        raise CorruptFile("an element type by itself")
    if isinstance(x, (Ndarray, Wrapper)):
        raise CorruptFile("an array without elements")
    return x


def construct(machine: _Machine, of: str, args: tuple[Any, ...]) -> Any:
    """What a constructor of numpy or joblib makes; ``None`` for anything else."""
    module, _, name = of.rpartition(".")
    if of == "numpy.dtype" and args:
        return DType(args[0])
    if module in ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric"):
        if name == "_reconstruct":
            return Ndarray()
        if name == "scalar" and len(args) == 2:
            made = array(args[1], args[0], (), "C", machine) if not dtype(args[0], machine).hasobject else None
            return args[1] if made is None else made[()]
        if name == "_frombuffer" and len(args) == 4:
            return array(*args, machine)
    if module.endswith(("joblib.numpy_pickle", "joblib.numpy_pickle_compat")):
        if name in ("NumpyArrayWrapper", "NDArrayWrapper", "ZNDArrayWrapper"):
            return Wrapper(name, args)
    return None


def _text(x: Any) -> Any:
    return x.decode("latin-1") if isinstance(x, bytes) else x


def dtype(x: Any, machine: _Machine) -> np.dtype[Any]:
    """The element type that a pickle describes; only those that numpy's arrays on disk have."""
    if isinstance(x, np.dtype):
        return x
    spec = _text(x.spec) if isinstance(x, DType) else _text(x)
    if isinstance(x, DType) and isinstance(x.spec, np.dtype):
        return x.spec
    if not isinstance(spec, str):
        spec = _NAMES.get(str(spec).replace("__builtin__", "builtins"), "?!")
    if not _PLAIN.match(spec):
        raise CorruptFile(f"the element type {printable(spec, 40)!r}", offset=machine.at)
    try:
        return np.dtype("O" if spec.strip("|") in ("O4", "O8") else spec)
    except TypeError as e:
        raise CorruptFile(f"the element type {printable(spec, 40)!r}", offset=machine.at) from e


def _structured(names: Any, fields: Any, size: Any, machine: _Machine) -> np.dtype[Any]:
    if not isinstance(fields, dict) or not isinstance(size, int) or not 0 < size < 1 << 20:
        raise CorruptFile("the fields of an element type", offset=machine.at)
    described = [fields[n] for n in names]
    kinds, offsets = [dtype(d[0], machine) for d in described], [int(d[1]) for d in described]
    if any(not 0 <= o <= size - k.itemsize for o, k in zip(offsets, kinds, strict=True)) or \
            any(k.hasobject for k in kinds):
        raise CorruptFile("the fields of an element type", offset=machine.at)
    return np.dtype({"names": [str(n) for n in names], "formats": kinds, "offsets": offsets, "itemsize": size})


def _count(shape: Any, machine: _Machine) -> int:
    if not isinstance(shape, (tuple, list)) or len(shape) > 32 or \
            not all(isinstance(d, (int, np.integer)) and d >= 0 for d in shape):
        raise CorruptFile("the shape of an array", offset=machine.at)
    return machine.shared.limits.check("elements", math.prod(int(d) for d in shape))


def array(raw: Any, kind: Any, shape: Any, order: Any, machine: _Machine) -> Any:
    """An array over the bytes, read-only, or of the objects of a list."""
    t, count = dtype(kind, machine), _count(shape, machine)
    if t.hasobject:
        if not isinstance(raw, list) or len(raw) != count or t != np.dtype(object):
            raise CorruptFile("the objects of an array", offset=machine.at)
        machine.shared.spend(8 * count)
        made = np.empty(count, object)
        for k, v in enumerate(raw):
            made[k] = v
        return made.reshape(shape, order="F" if order == "F" else "C")
    if isinstance(raw, str):  # of Python 2
        machine.shared.spend(len(raw))
        raw = raw.encode("latin-1")
    if not isinstance(raw, (bytes, memoryview)) or len(raw) != count * t.itemsize:
        raise CorruptFile(f"an array of {count * t.itemsize} bytes, where there are "
                          f"{len(raw) if isinstance(raw, (bytes, memoryview)) else 'none'}", offset=machine.at)
    if not t.itemsize or not count:
        return np.zeros(shape, t)
    return np.frombuffer(raw, t).reshape(shape, order="F" if order == "F" else "C")


def _inline(state: dict[str, Any], machine: _Machine) -> Any:
    """joblib >= 0.10: the bytes follow this instruction, objects as a pickle of their own."""
    t, count = dtype(state.get("dtype"), machine), _count(state.get("shape"), machine)
    if t.hasobject:
        inner = nested(machine, machine.data, machine.at)
        made = inner.run()
        machine.at = inner.at
        return made
    if state.get("numpy_array_alignment_bytes"):
        machine.take(machine.number(1))
    return array(machine.take(count * t.itemsize), t, state["shape"], state.get("order"), machine)


def nested(machine: _Machine, data: memoryview, at: int) -> _Machine:
    """A machine for a pickle inside of a pickle, within the same limits."""
    inner = type(machine)(data, at, machine.shared, machine.depth + 1)
    if inner.depth > machine.shared.limits.depth:
        raise LimitExceeded(f"pickles more than {machine.shared.limits.depth} deep inside of each other")
    return inner


def _beside(of: str, state: dict[str, Any], machine: _Machine) -> Any:
    """joblib < 0.10: a file beside this one, an .npy or compressed bytes."""
    from .compressed import expand
    folder, name = machine.shared.folder, state.get("filename")
    if folder is None or not isinstance(name, str):
        raise UnsafeModel("the pickle wants arrays from other files")
    with open(open_beneath(folder, name), "rb") as stored:
        machine.shared.limits.check("file_bytes", os.fstat(stored.fileno()).st_size)
        data = expand(stored.read(), machine.shared.limits)
    if of == "NDArrayWrapper":
        return npy(data, machine)
    inner = state.get("state")
    if not isinstance(inner, tuple) or len(inner) < 3:
        raise CorruptFile("the state of an array of joblib", offset=machine.at)
    shape, kind, fortran = inner[-3:]
    return array(data, kind, shape, "F" if fortran else "C", machine)


def npy(data: bytes, machine: _Machine) -> Any:
    """The array of an .npy; its objects are a pickle of their own."""
    import io

    from numpy.lib import format as npy_format
    stream = io.BytesIO(data)
    try:
        version = npy_format.read_magic(stream)
        header = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
        shape, fortran, t = header(stream)
    except (ValueError, EOFError) as e:
        raise CorruptFile(f"no .npy: {printable(e, 100)}") from e
    if t.hasobject:
        return nested(machine, memoryview(data), stream.tell()).run()
    return array(data[stream.tell():], dtype(t.str if t.names is None else "?!", machine), shape,
                 "F" if fortran else "C", machine)
