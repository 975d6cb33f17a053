"""Pickles read as data: every global becomes a :class:`Name`, every call a :class:`Record`, nothing is run.

A pickle is a program for a stack machine (pickletools.py of CPython describes its 68 instructions).  This machine
carries out those that make plain values, writes down those that name or call something, and makes by itself what a
short list of constructors would have made: arrays, element types and scalars of numpy, sets, ordered dictionaries.
Names are never looked up, so there is nothing that a file could reach.  Lengths are checked against the bytes that are
there, steps, nesting and made bytes against :class:`Limits`; nothing recurses with the file."""
from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import CorruptFile, LimitExceeded, UnsafeModel, printable
from . import pickle_numpy as nd
from .limits import DEFAULT, Limits
from .pickle_calls import construct
from .pickle_objects import Name, Persistent, Record

__all__ = ["Name", "Persistent", "Pickled", "Record", "looks_like", "read", "walk"]


@dataclass
class Pickled:
    """What a file of pickles holds: the objects one after the other, and how often it names which global."""

    objects: list[Any]
    names: dict[Name, int]
    end: int = 0
    """The offset behind the last one."""

    @property
    def root(self) -> Any:
        return self.objects[0] if len(self.objects) == 1 else self.objects


def read(data: bytes | memoryview, limits: Limits = DEFAULT, *, folder: Path | None = None,
         persistent: Callable[[Any], Any] = Persistent, count: int = 0) -> Pickled:
    """All pickles of ``data``, one behind the other, or the first ``count`` of them.

    ``folder`` is where joblib before 0.10 kept the arrays of a pickle as files of their own; ``persistent`` makes
    something of the references of a format that has them (PyTorch).  Raises :class:`CorruptFile` with the offset,
    :class:`LimitExceeded`, or :class:`UnsafeModel` for what can only be meant to run or to reach something."""
    shared = _Shared(limits, limits.expanded_bytes, folder, persistent)
    view, at, objects = memoryview(data).cast("B"), 0, []
    while True:
        machine = _Machine(view, at, shared)
        try:
            objects.append(machine.run())
        except (IndexError, KeyError, TypeError, ValueError, OverflowError, RecursionError, MemoryError, struct.error,
                AttributeError) as e:  # instructions that do not fit each other
            raise CorruptFile(f"no pickle: {type(e).__name__}: {printable(e, 100)}", offset=machine.at) from e
        at = machine.at
        if at == len(view) or len(objects) == count:
            return Pickled(objects, shared.names, at)
        if len(objects) >= limits.depth:
            raise LimitExceeded(f"more than {limits.depth} pickles in one file")


def looks_like(head: bytes) -> bool:
    """Whether a file that begins so may be a pickle: one with a protocol, or an old one that begins with an object."""
    if head[:1] == b"\x80":
        return len(head) > 1 and head[1] <= 5
    return re.match(rb"\(?[cildp]?[A-Za-z_(]", head[:4]) is not None and b"\n" in head[:256] and \
        re.match(rb"(\(i|c)[A-Za-z_][\w.]*\n[A-Za-z_]\w*\n|\(dp?|\(lp?|ccopy_reg\n", head[:256]) is not None


def walk(value: Any, limit: int = 20_000_000) -> Iterator[Any]:
    """Every object that can be reached, each container once, without recursion."""
    stack, seen = [value], set()
    while stack:
        x = stack.pop()
        limit -= 1
        if limit < 0:
            raise LimitExceeded("a pickle of too many objects")
        if isinstance(x, (list, tuple, dict, set, frozenset, Record)) or nd.holds_objects(x):
            if id(x) in seen:
                continue
            seen.add(id(x))
        yield x
        if isinstance(x, Record):
            stack += [x.of, x.args, x.kwargs, x.state, x.items, x.entries]
        elif isinstance(x, dict):
            stack += [*x.values(), *x.keys()]
        elif isinstance(x, (list, tuple, set, frozenset)):
            stack += x
        elif nd.holds_objects(x):
            stack += x.ravel().tolist()


# -- the machine


@dataclass
class _Shared:
    limits: Limits
    budget: int
    folder: Path | None
    persistent: Callable[[Any], Any]
    names: dict[Name, int] = field(default_factory=dict)
    steps: int = 0

    def spend(self, count: int) -> None:
        """Accounts for bytes that are made, not read."""
        self.budget -= count
        if self.budget < 0:
            raise LimitExceeded("the pickle makes more bytes than expanded_bytes allows",
                                hint="raise it with --limit expanded_bytes=N if you trust the file")


LONGEST = 1786  # bytes of an integer of 4,300 digits, the longest that Python reads as text
_STOP, _PROTO, _FRAME = 0x2E, 0x80, 0x95


class _Machine:
    """One pickle.  ``stack`` is what is above the last mark, ``below`` the stacks under the marks."""

    def __init__(self, data: memoryview, at: int, shared: _Shared, depth: int = 0) -> None:
        self.data, self.at, self.end, self.shared, self.depth = data, at, len(data), shared, depth
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []
        self.memo: dict[Any, Any] = {}

    def run(self) -> Any:
        table, data, shared = _TABLE, self.data, self.shared
        last = shared.limits.operations
        if self.at < self.end and data[self.at] == _STOP:
            raise self.corrupt("no pickle: there is nothing before its end")
        while True:
            if self.at >= self.end:
                raise self.corrupt("the pickle ends before its end mark")
            code = data[self.at]
            self.at += 1
            shared.steps += 1
            if code == _STOP:
                if len(self.stack) != 1 or self.below:
                    raise self.corrupt("the pickle ends with more or less than one object")
                return nd.settled(self.stack[0])
            if shared.steps > last:
                raise LimitExceeded(f"the pickle takes more than operations {last:,}",
                                    hint="raise it with --limit operations=N if you trust the file")
            step = table.get(code)
            if step is None:
                raise self.corrupt(f"no instruction of a pickle: 0x{code:02x}")
            step(self)

    def corrupt(self, reason: str) -> CorruptFile:
        return CorruptFile(reason, offset=self.at - 1 if self.at else 0)

    # -- bytes

    def take(self, count: int) -> memoryview:
        if not 0 <= count <= self.end - self.at:
            raise self.corrupt(f"{count} bytes are said to follow, {self.end - self.at} do")
        piece = self.data[self.at:self.at + count]
        self.at += count
        return piece

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "little")

    def line(self) -> bytes:
        for window in (128, 4096, 1 << 20):
            found = bytes(self.data[self.at:self.at + window]).find(b"\n")
            if found >= 0:
                piece = bytes(self.data[self.at:self.at + found])
                self.at += found + 1
                return piece
        raise self.corrupt("a line without an end")

    # -- objects

    def marked(self) -> list[Any]:
        if not self.below:
            raise self.corrupt("a mark is wanted that was not set")
        items = self.stack
        self.stack = self.below.pop()
        return items

    def name(self, module: Any, name: Any) -> Name:
        if not (isinstance(module, str) and isinstance(name, str)):
            raise self.corrupt("a global whose name is no text")
        if len(module) + len(name) > 4096:
            raise self.corrupt("a global whose name is too long")
        made = Name(module, name)
        self.shared.names[made] = self.shared.names.get(made, 0) + 1
        return made

    def call(self, of: Any, args: Any, kwargs: Any = None) -> Any:
        if not isinstance(args, tuple):
            raise self.corrupt("arguments that are no tuple")
        if isinstance(of, nd.STUBS):
            raise self.corrupt("an array that is called")
        if not isinstance(of, (Name, Record)):
            raise UnsafeModel(f"the pickle calls {printable(type(of).__name__)}, which is no name")
        if isinstance(of, Name):
            made = construct(self, of, args, kwargs or {})
            if made is not None:
                return made
        return Record(of, args, dict(kwargs) if isinstance(kwargs, dict) else {})

    def build(self) -> None:
        state = self.stack.pop()
        target = self.stack[-1]
        if isinstance(target, nd.STUBS):
            made = target.build(state, self)
            self.stack[-1] = made
            for key in target.keys:
                self.memo[key] = made
        elif isinstance(target, Record):
            if isinstance(target.state, dict) and isinstance(state, dict):
                target.state.update(state)
            else:
                target.state = state
        elif isinstance(target, (dict, set)) or nd.is_array(target):
            pass  # attributes of a subclass, of which only the content is kept
        else:
            raise UnsafeModel(f"the pickle sets the state of {printable(type(target).__name__)}")

    def put(self, key: Any) -> None:
        top = self.stack[-1]
        self.memo[key] = top
        if isinstance(top, nd.STUBS):
            top.keys.append(key)

    def get(self, key: Any) -> None:
        if key not in self.memo:
            raise self.corrupt(f"object {printable(key)} is used before it is there")
        self.stack.append(self.memo[key])

    def extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(items)
        elif isinstance(target, Record):
            target.items.extend(items)
        else:
            raise self.corrupt(f"items for {type(target).__name__}")

    def fill(self, target: Any, items: list[Any]) -> None:
        if len(items) % 2:
            raise self.corrupt("a key without a value")
        table = target.entries if isinstance(target, Record) else target
        if not isinstance(table, dict):
            raise self.corrupt(f"entries for {type(target).__name__}")
        for k, v in zip(items[::2], items[1::2], strict=True):
            table[self.key(k)] = v

    def key(self, x: Any, depth: int = 0) -> Any:
        """``x`` if it can be a key, which hashing a deep tuple would not survive."""
        if isinstance(x, tuple):
            if depth > 8:
                raise self.corrupt("a key that is nested too deep")
            for v in x:
                self.key(v, depth + 1)
        elif isinstance(x, frozenset):
            for v in x:
                self.key(v, depth + 1)
        elif isinstance(x, (list, dict, set, bytearray, *nd.STUBS)) or nd.is_array(x):
            raise self.corrupt(f"a key that is a {type(x).__name__}")
        return x


# -- the instructions

Step = Callable[[_Machine], None]
_TABLE: dict[int, Step] = {}


def _at(*codes: int | str) -> Callable[[Step], Step]:
    def add(step: Step) -> Step:
        for c in codes:
            _TABLE[ord(c) if isinstance(c, str) else c] = step
        return step
    return add


def _push(code: int | str, make: Callable[[_Machine], Any]) -> None:
    def step(m: _Machine) -> None:
        made = make(m)  # first: it may change the stack
        m.stack.append(made)
    _at(code)(step)


def _utf8(piece: memoryview) -> str:
    return str(piece, "utf-8", "surrogatepass")


def _long(m: _Machine, size: int) -> int:
    if not 0 <= size <= LONGEST:
        raise LimitExceeded(f"an integer of {size} bytes in a pickle")
    return int.from_bytes(m.take(size), "little", signed=True)


def _decimal(m: _Machine) -> Any:
    text = m.line()
    if text in (b"00", b"01"):
        return text == b"01"
    if len(text) > 4300:
        raise LimitExceeded("an integer of more than 4,300 digits in a pickle")
    return int(text.rstrip(b"L"))


def _quoted(m: _Machine) -> str:
    text = m.line().strip()
    if len(text) < 2 or text[:1] not in (b"'", b'"') or text[-1:] != text[:1]:
        raise m.corrupt("a text without its quotes")
    return re.sub(rb"\\(x[0-9a-fA-F]{2}|.)", _unescaped, text[1:-1]).decode("latin-1")


_ESCAPES = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"0": b"\0", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def _unescaped(found: re.Match[bytes]) -> bytes:
    code = found[1]
    return bytes([int(code[1:], 16)]) if code[:1] == b"x" and len(code) == 3 else _ESCAPES.get(code, code)


_push("N", lambda m: None)
_push(0x88, lambda m: True)
_push(0x89, lambda m: False)
_push("K", lambda m: m.number(1))
_push("M", lambda m: m.number(2))
_push("J", lambda m: int.from_bytes(m.take(4), "little", signed=True))
_push(0x8A, lambda m: _long(m, m.number(1)))
_push(0x8B, lambda m: _long(m, int.from_bytes(m.take(4), "little", signed=True)))
_push("I", _decimal)
_push("L", _decimal)
_push("G", lambda m: struct.unpack(">d", m.take(8))[0])
_push("F", lambda m: float(m.line()))
_push("X", lambda m: _utf8(m.take(m.number(4))))
_push(0x8C, lambda m: _utf8(m.take(m.number(1))))
_push(0x8D, lambda m: _utf8(m.take(m.number(8))))
_push("V", lambda m: m.line().decode("raw-unicode-escape"))
_push("S", _quoted)
_push("T", lambda m: str(m.take(int.from_bytes(m.take(4), "little", signed=True)), "latin-1"))
_push("U", lambda m: str(m.take(m.number(1)), "latin-1"))
_push("B", lambda m: bytes(m.take(m.number(4))))
_push("C", lambda m: bytes(m.take(m.number(1))))
_push(0x8E, lambda m: bytes(m.take(m.number(8))))
_push(0x96, lambda m: bytes(m.take(m.number(8))))
_push("]", lambda m: [])
_push("}", lambda m: {})
_push(")", lambda m: ())
_push(0x8F, lambda m: set())
_push("l", lambda m: m.marked())
_push("t", lambda m: tuple(m.marked()))
_push(0x91, lambda m: frozenset(m.key(x) for x in m.marked()))
_push("P", lambda m: m.shared.persistent(m.line().decode("latin-1")))


@_at("(")
def _mark(m: _Machine) -> None:
    m.below.append(m.stack)
    m.stack = []
    if len(m.below) > 10_000:
        raise LimitExceeded("a pickle that is nested more than 10,000 deep")


@_at("d")
def _entries(m: _Machine) -> None:
    items, made = m.marked(), {}  # type: ignore[var-annotated]
    m.fill(made, items)
    m.stack.append(made)


@_at(0x85, 0x86, 0x87)
def _tuple(m: _Machine) -> None:
    count = m.data[m.at - 1] - 0x84
    if len(m.stack) < count:
        raise m.corrupt("a tuple of more than there is")
    m.stack[-count:] = [tuple(m.stack[-count:])]


@_at("0")
def _pop(m: _Machine) -> None:
    if m.stack:
        m.stack.pop()
    else:
        m.marked()


@_at("1")
def _pop_mark(m: _Machine) -> None:
    m.marked()


@_at("2")
def _twice(m: _Machine) -> None:
    m.stack.append(m.stack[-1])


@_at("a")
def _append(m: _Machine) -> None:
    item = m.stack.pop()
    m.extend([item])


@_at("e")
def _appends(m: _Machine) -> None:
    items = m.marked()
    m.extend(items)


@_at(0x90)
def _additems(m: _Machine) -> None:
    items, target = m.marked(), m.stack[-1]
    if isinstance(target, set):
        target.update(m.key(x) for x in items)
    else:
        m.extend(items)


@_at("s")
def _setitem(m: _Machine) -> None:
    value, key = m.stack.pop(), m.stack.pop()
    m.fill(m.stack[-1], [key, value])


@_at("u")
def _setitems(m: _Machine) -> None:
    items = m.marked()
    m.fill(m.stack[-1], items)


_at("p")(lambda m: m.put(m.line()))
_at("q")(lambda m: m.put(m.number(1)))
_at("r")(lambda m: m.put(m.number(4)))
_at(0x94)(lambda m: m.put(len(m.memo)))
_at("g")(lambda m: m.get(m.line()))
_at("h")(lambda m: m.get(m.number(1)))
_at("j")(lambda m: m.get(m.number(4)))


@_at("c")
def _global(m: _Machine) -> None:
    module = m.line().decode("utf-8")
    m.stack.append(m.name(module, m.line().decode("utf-8")))


@_at(0x93)
def _stack_global(m: _Machine) -> None:
    name, module = m.stack.pop(), m.stack.pop()
    m.stack.append(m.name(module, name))


@_at("R")
def _reduce(m: _Machine) -> None:
    args, of = m.stack.pop(), m.stack.pop()
    m.stack.append(m.call(of, args))


@_at(0x81)
def _new(m: _Machine) -> None:
    args, of = m.stack.pop(), m.stack.pop()
    m.stack.append(m.call(of, args))


@_at(0x92)
def _new_ex(m: _Machine) -> None:
    kwargs, args, of = m.stack.pop(), m.stack.pop(), m.stack.pop()
    m.stack.append(m.call(of, args, kwargs))


@_at("i")
def _inst(m: _Machine) -> None:
    module = m.line().decode("utf-8")
    of = m.name(module, m.line().decode("utf-8"))
    args = m.marked()
    m.stack.append(m.call(of, tuple(args)))


@_at("o")
def _obj(m: _Machine) -> None:
    of, *args = m.marked()
    m.stack.append(m.call(of, tuple(args)))


@_at("b")
def _build(m: _Machine) -> None:
    m.build()


@_at("Q")
def _persistent(m: _Machine) -> None:
    m.stack.append(m.shared.persistent(m.stack.pop()))


@_at(_PROTO)
def _proto(m: _Machine) -> None:
    version = m.number(1)
    if version > 5:
        raise m.corrupt(f"protocol {version} of pickle, the newest known one is 5")


@_at(_FRAME)
def _frame(m: _Machine) -> None:
    size = m.number(8)
    if size > m.end - m.at:
        raise m.corrupt("a frame that ends behind the file")


@_at(0x82, 0x83, 0x84)
def _extension(m: _Machine) -> None:
    raise UnsafeModel("the pickle names a class by the number of a private registry (EXT)")


@_at(0x97, 0x98)
def _buffers(m: _Machine) -> None:
    raise UnsafeModel("the pickle wants buffers from outside of the file")
