"""Pickles of records (:class:`.pickle_objects.Record`), written without the classes that they name.

Protocol 4.  Source: the text of the opcodes in Python's pickletools."""
from __future__ import annotations

import pickle as opcodes
import struct
from typing import Any

import numpy as np

from .pickle_objects import Name, Record

_FUNCTIONS = {"_reconstruct": "numpy.core.multiarray", "scalar": "numpy.core.multiarray"}
"""Where numpy 1 and 2 both find the functions that make arrays and scalars."""
_BATCH = 1000


def dumps(value: Any) -> bytes:
    """The pickle of plain values, tuples, lists, dictionaries, arrays and numbers of numpy, names and records."""
    out = _Writer()
    out.save(value)
    return opcodes.PROTO + b"\x04" + bytes(out.data) + opcodes.STOP


class _Writer:
    def __init__(self) -> None:
        self.data = bytearray()

    def save(self, v: Any) -> None:
        if v is None or isinstance(v, bool):
            self.data += opcodes.NONE if v is None else opcodes.NEWTRUE if v else opcodes.NEWFALSE
        elif type(v) is int:
            self._int(v)
        elif type(v) is float:
            self.data += opcodes.BINFLOAT + struct.pack(">d", v)
        elif type(v) is str:
            text = v.encode("utf-8", "surrogatepass")
            self.data += opcodes.BINUNICODE + struct.pack("<I", len(text)) + text
        elif type(v) is bytes:
            self.data += opcodes.BINBYTES8 + struct.pack("<Q", len(v)) + v
        elif type(v) is tuple:
            self._tuple(v)
        elif type(v) is list:
            self.data += opcodes.EMPTY_LIST
            for k in range(0, len(v), _BATCH):
                self._marked(v[k:k + _BATCH], opcodes.APPENDS)
        elif type(v) is dict:
            self.data += opcodes.EMPTY_DICT
            items = list(v.items())
            for k in range(0, len(items), _BATCH):
                self._marked([x for pair in items[k:k + _BATCH] for x in pair], opcodes.SETITEMS)
        elif isinstance(v, Name):
            self.save(v.module)
            self.save(v.name)
            self.data += opcodes.STACK_GLOBAL
        elif isinstance(v, Record):
            self._record(v)
        elif isinstance(v, (np.ndarray, np.generic, np.dtype)):
            self._numpy(v)
        else:
            raise TypeError(f"a {type(v).__name__} cannot be written")

    def _int(self, v: int) -> None:
        if -(1 << 31) <= v < 1 << 31:
            self.data += opcodes.BININT + struct.pack("<i", v)
        else:
            long = v.to_bytes(v.bit_length() // 8 + 1, "little", signed=True)
            self.data += opcodes.LONG1 + bytes([len(long)]) + long

    def _tuple(self, v: tuple[Any, ...]) -> None:
        if not v:
            self.data += opcodes.EMPTY_TUPLE
        else:
            self._marked(v, opcodes.TUPLE)

    def _marked(self, items: Any, code: bytes) -> None:
        self.data += opcodes.MARK
        for x in items:
            self.save(x)
        self.data += code

    def _record(self, v: Record) -> None:
        """An object made without arguments is made by ``__new__``, as pickle does; any other by a call."""
        self.save(v.of)
        self._tuple(v.args)
        self.data += opcodes.REDUCE if v.args else opcodes.NEWOBJ
        if v.state is not None:
            self.save(v.state)
            self.data += opcodes.BUILD

    def _numpy(self, v: Any) -> None:
        """What numpy itself says of how it is made."""
        of, args, *state = v.__reduce__()
        self.save(Name(_FUNCTIONS.get(of.__name__, "numpy"), of.__name__))
        self._tuple(tuple(Name("numpy", "ndarray") if a is np.ndarray else a for a in args))
        self.data += opcodes.REDUCE
        if state:
            self.save(_plain(state[0]))
            self.data += opcodes.BUILD


def _plain(v: Any) -> Any:
    """The fields of a structured element type, which numpy hands out as a read-only mapping."""
    if isinstance(v, tuple):
        return tuple(_plain(x) for x in v)
    return v if isinstance(v, (dict, np.dtype)) or not hasattr(v, "items") else dict(v.items())
