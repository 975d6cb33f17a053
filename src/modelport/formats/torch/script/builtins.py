"""Python's own types in TorchScript: numbers, lists, texts, dictionaries, and what is asked of tensors without
computing anything.  ``NotImplemented`` from a rule means that it is an operator on tensors after all."""
from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ....errors import LimitExceeded, Unsupported, printable
from ....hub.shapes import known as elements
from ....ir.types import is_float
from ..elements import to_c10
from ..machine import Box, Machine
from ..values import Quantized, Sym, is_number, known

Rule = Callable[..., Any]
BUILTINS: dict[str, Rule] = {}
"""Operators that are tried before those of ATen, whatever they are given: ``f(machine, *args)``."""


def builtin(*names: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        for n in names:
            BUILTINS[n] = rule
        return rule
    return register


def decided(x: Any) -> Any:
    """The truth of a value as a ``bool`` if it is known; else the value."""
    x = known(x)
    if isinstance(x, Box):
        found = elements(x.value)
        if found is None:
            return x
        x = found.reshape(-1)[0].item() if found.size == 1 else bool(found.any())
    return x if isinstance(x, Sym) else bool(x)


_PY = {"add": "add", "sub": "sub", "mul": "mul", "div": "truediv", "floordiv": "floordiv", "remainder": "mod",
       "neg": "neg", "eq": "eq", "ne": "ne", "lt": "lt", "le": "le", "gt": "gt", "ge": "ge", "pow": "pow",
       "__and__": "and_", "__or__": "or_", "sqrt": "sqrt", "ceil": "ceil", "floor": "floor", "min": "min",
       "max": "max", "fmod": "mod"}


def python(machine: Machine, name: str, args: list[Any], kwargs: Mapping[str, Any] | None = None) -> Any:
    """What an operator makes of things that are no tensors, or ``NotImplemented``."""
    if name in _GROWING:
        _affordable(name, [known(a) for a in args])
    rule = BUILTINS.get(name)
    if rule is not None:
        return rule(machine, *args, **(kwargs or {}))
    if args and all(map(is_number, args)) and name in _PY and not kwargs:
        return machine.call(f"py.{_PY[name]}", args, {})
    if name in ("min", "max") and len(args) == 1 and isinstance(args[0], list) and not kwargs:
        found = args[0][0]
        for x in args[0][1:]:
            found = machine.call(f"py.{name}", [found, x], {})
        return found
    if name in ("eq", "ne") and len(args) == 2 and all(isinstance(a, (list, tuple)) for a in args):
        same = _same(machine, *args)
        return same if name == "eq" else not_(machine, same)
    plain = [known(a) for a in args]
    if name in _PLAIN and not any(isinstance(a, (Sym, Box)) for a in plain):
        return _PLAIN[name](*plain)
    return NotImplemented


_GROWING = frozenset("add mul pow list extend __lshift__ append".split())
_LONGEST = 1_000_000


def _affordable(name: str, args: list[Any]) -> None:
    """Bounds what a file can make of little: lists and texts that double, numbers that are squared again and again."""
    held = [a for a in args if isinstance(a, (list, tuple, str, range))]
    whole = [a for a in args if isinstance(a, int)]
    count = sum(map(len, held)) * (max([1, *whole]) if name == "mul" else 1)
    if held and count > _LONGEST:
        raise LimitExceeded(f"a list or text of {count:,} parts")
    if len(whole) == 2 and not held:
        bits = [abs(n).bit_length() for n in whole]
        made = {"pow": bits[0] * abs(whole[1]), "__lshift__": bits[0] + abs(whole[1])}.get(name, max(sum(bits), 0))
        if made > 192:
            raise LimitExceeded("a whole number that no tensor can hold")


def _same(machine: Machine, a: Any, b: Any) -> Any:
    """Whether lists are equal; sizes that are the same symbol are."""
    if isinstance(a, (list, tuple)) and isinstance(b, (list, tuple)):
        parts = [_same(machine, x, y) for x, y in zip(a, b, strict=True)] if len(a) == len(b) else [False]
        if False in [p for p in parts if isinstance(p, bool)]:
            return False
        open_ = [p for p in parts if not isinstance(p, bool)]
        found: Any = open_[0] if open_ else True
        for p in open_[1:]:
            found = machine.call("py.and_", [found, p], {})
        return found
    if isinstance(a, Sym) and isinstance(b, Sym) and a.value.elements is not None \
            and a.value.elements == b.value.elements:
        return True
    return known(machine.call("py.eq", [a, b], {})) if is_number(a) and is_number(b) else a == b


_PLAIN: dict[str, Rule] = {
    "add": lambda a, b: [*a, *b] if isinstance(a, list) else a + b, "mul": lambda a, b: a * b,
    "eq": operator.eq, "ne": operator.ne, "abs": abs, "round": round, "exp": math.exp, "log": math.log,
    "lower": lambda s: s.lower(), "upper": lambda s: s.upper(), "str": str, "startswith": lambda s, t: s.startswith(t),
    "endswith": lambda s, t: s.endswith(t), "strip": lambda s, *t: s.strip(*t), "split": lambda s, *t: s.split(*t),
    "join": lambda s, parts: s.join(parts), "hex": hex, "sorted": sorted, "sum": sum, "ord": ord, "chr": chr,
    "__xor__": operator.xor, "__lshift__": operator.lshift, "__rshift__": operator.rshift}


@builtin("__getitem__")
def getitem(m: Machine, of: Any, key: Any) -> Any:
    key = known(key)
    if isinstance(of, (list, tuple, dict, str)):
        if isinstance(key, Sym):
            raise Unsupported("an element whose place is known at run time only")
        return of[key]
    return m.call("select", [of, 0, key], {}) if isinstance(of, Box) else NotImplemented


def _list(name: str, test: Callable[[Any], bool]) -> None:
    """Of a list of truth values; of a tensor it is another operator."""
    def rule(m: Machine, xs: Any, *how: Any, **named: Any) -> Any:
        if not isinstance(xs, list) or how or named:
            return NotImplemented
        found = [decided(x) for x in xs]
        if not all(isinstance(x, bool) for x in found):
            raise Unsupported(f"{name} of values that are known at run time only")
        return test(found)
    BUILTINS[name] = rule


_list("any", any)
_list("all", all)


@builtin("slice")
def slice_(m: Machine, of: Any, *key: Any) -> Any:
    return of[slice(*map(known, key)) if len(key) > 1 else slice(known(key[0]) if key else None, None)] \
        if isinstance(of, (list, str)) else NotImplemented


@builtin("__contains__")
def contains(m: Machine, of: Any, x: Any) -> Any:
    return x in of


@builtin("__is__")
def is_(m: Machine, a: Any, b: Any) -> bool:
    return a is b or (is_number(a) and not isinstance(a, Sym) and type(a) is type(b) and a == b)


@builtin("__isnot__")
def is_not(m: Machine, a: Any, b: Any) -> bool:
    return not is_(m, a, b)


@builtin("__not__")
def not_(m: Machine, x: Any) -> Any:
    found = decided(x)
    return m.call("py.not_", [truth(m, x)], {}) if isinstance(found, (Sym, Box)) else not found


def truth(m: Machine, x: Any) -> Any:
    """A number or tensor of one element as a truth value."""
    if isinstance(x, Box):
        x = m.call("item", [x], {})
    return m.call("py.ne", [x, 0], {}) if isinstance(x, Sym) and x.dtype != np.bool_ else x


@builtin("bool", "Bool")
def bool_(m: Machine, x: Any) -> Any:
    found = decided(x)
    return truth(m, x) if isinstance(found, (Sym, Box)) else found


@builtin("int", "Int")
def int_(m: Machine, x: Any) -> Any:
    return m.call("py.int", [_number(m, x)], {}) if not isinstance(x, str) else int(x)


@builtin("float", "Float")
def float_(m: Machine, x: Any) -> Any:
    return m.call("py.float", [_number(m, x)], {}) if not isinstance(x, str) else float(x)


def _number(m: Machine, x: Any) -> Any:
    """The only element of a tensor, known if it is."""
    if isinstance(x, Box):
        found = elements(x.value)
        return found.reshape(-1)[0].item() if found is not None and found.size == 1 else m.call("item", [x], {})
    return x


@builtin("IntImplicit", "FloatImplicit", "ScalarImplicit", "item")
def implicit(m: Machine, x: Any) -> Any:
    return _number(m, x)


@builtin("NumToTensor")
def num_to_tensor(m: Machine, x: Any) -> Any:
    return m.call("scalar_tensor", [x], {}) if is_number(x) else x


@builtin("len")
def len_(m: Machine, x: Any) -> Any:
    return m.call("size", [x, 0], {}) if isinstance(x, Box) else len(x)


_TYPES = {"int": int, "float": float, "bool": bool, "str": str}


def is_a(x: Any, kind: ast.expr) -> bool:
    """Whether a value is of a type of TorchScript, or of one of several; raises :class:`Unsupported` where the value
    does not tell."""
    if isinstance(kind, (ast.List, ast.Tuple)):
        return any(is_a(x, k) for k in kind.elts)
    name, inside = ast.unparse(kind).partition("[")[::2]
    if name == "Tensor" or (isinstance(x, Box) and name in ("List", "Tuple", "Dict", "NoneType", *_TYPES)):
        return name == "Tensor" and isinstance(x, Box)
    if name in _TYPES and isinstance(x, (int, float, str, list, tuple, dict, type(None))):
        return type(x) is _TYPES[name]
    if name == "List" and isinstance(kind, ast.Subscript) and isinstance(x, list) and x:
        return all(is_a(v, kind.slice) for v in x)
    raise Unsupported(f"whether a {type(x).__name__} is a {printable(name, 40)}{'[' * bool(inside)}{inside}")


@builtin("append")
def append(m: Machine, xs: list[Any], x: Any) -> Any:
    xs.append(x)
    return xs


@builtin("extend")
def extend(m: Machine, xs: list[Any], more: Sequence[Any]) -> None:
    xs.extend(more)


@builtin("insert")
def insert(m: Machine, xs: list[Any], at: int, x: Any) -> None:
    xs.insert(at, x)


@builtin("pop")
def pop(m: Machine, xs: Any, *at: Any) -> Any:
    return xs.pop(*at)


@builtin("clear")
def clear(m: Machine, xs: Any) -> None:
    xs.clear()


@builtin("reverse")
def reverse(m: Machine, xs: list[Any]) -> None:
    xs.reverse()


@builtin("list")
def list_(m: Machine, xs: Any) -> Any:
    return list(xs)


@builtin("list_with_default")
def list_with_default(m: Machine, xs: Any, default: Any) -> Any:
    return list(xs)


@builtin("dict", "OrderedDict")
def dict_(m: Machine, *xs: Any) -> Any:
    return dict(*xs)


@builtin("keys", "values", "items", "get", "__delitem__", "setdefault")
def no_dictionary(m: Machine, of: Any, *args: Any) -> Any:
    return NotImplemented if isinstance(of, Box) else _dictionary(of, *args)


def _dictionary(of: Any, *args: Any) -> Any:
    raise Unsupported("a dictionary that is changed")


BUILTINS["keys"] = lambda m, d: list(d)
BUILTINS["values"] = lambda m, d: list(d.values()) if isinstance(d, dict) else NotImplemented
BUILTINS["items"] = lambda m, d: [tuple(i) for i in d.items()]
BUILTINS["get"] = lambda m, d, k, *x: d.get(k, *x)


@builtin("_set_item")
def set_item(m: Machine, of: Any, key: Any, x: Any) -> Any:
    of[known(key)] = x
    return of


@builtin("copy")
def copy(m: Machine, of: Any, *src: Any) -> Any:
    return list(of) if isinstance(of, list) and not src else NotImplemented


@builtin("__range_length")
def range_length(m: Machine, low: Any, high: Any, step: Any) -> Any:
    if any(isinstance(known(v), Sym) for v in (low, high, step)):
        gap = m.call("py.sub", [m.call("py.add", [m.call("py.sub", [high, low], {}), step], {}), 1], {})
        return m.call("py.max", [m.call("py.floordiv", [gap, step], {}), 0], {})
    return len(range(known(low), known(high), known(step)))


@builtin("__derive_index")
def derive_index(m: Machine, at: Any, low: Any, step: Any) -> Any:
    return m.call("py.add", [low, m.call("py.mul", [at, step], {})], {})


@builtin("format", "percentFormat")
def format_(m: Machine, *xs: Any) -> str:
    return " ".join(str(x) for x in xs if not isinstance(x, (Box, Sym)))


@builtin("warn", "print")
def warn(m: Machine, *xs: Any, **named: Any) -> None:
    """Messages are not part of a model."""


@builtin("device")
def device(m: Machine, *xs: Any) -> str:
    return "cpu"


@builtin("dtype")
def dtype(m: Machine, x: Any) -> Any:
    return to_c10(x.value.dtype) if isinstance(x, Box) else NotImplemented


@builtin("layout")
def layout(m: Machine, x: Any) -> int:
    return 0


@builtin("shape")
def shape(m: Machine, x: Any) -> Any:
    return m.call("size", [x], {})


@builtin("data", "requires_grad_", "detach_", "get_device")
def data(m: Machine, x: Any, *how: Any) -> Any:
    return x


@builtin("is_cuda", "requires_grad", "is_mkldnn", "is_sparse", "is_grad_enabled", "is_autocast_enabled",
         "is_scripting", "is_autocast_cpu_enabled", "is_nested", "is_tracing")
def no(m: Machine, *x: Any) -> bool:
    return False


@builtin("is_quantized")
def is_quantized(m: Machine, x: Box) -> bool:
    return isinstance(x.value, Quantized)


@builtin("set_grad_enabled", "_set_grad_enabled", "is_contiguous")
def yes(m: Machine, *x: Any) -> bool:
    return True


@builtin("is_floating_point")
def is_floating_point(m: Machine, x: Box) -> bool:
    return is_float(x.value.dtype)


@builtin("is_complex")
def is_complex(m: Machine, x: Box) -> bool:
    return False


@builtin("ndim")
def ndim(m: Machine, x: Any) -> Any:
    return m.call("dim", [x], {})


@builtin("type")
def type_(m: Machine, x: Any, *to: Any) -> Any:
    if isinstance(x, str):  # of a device
        return x
    raise Unsupported("the name of a type")


@builtin("str")
def str_(m: Machine, x: Any) -> Any:
    return "" if isinstance(x, (Box, Sym)) else str(x)


@builtin("unchecked_unwrap_optional", "_unwrap_optional", "unchecked_cast")
def unwrapped(m: Machine, *x: Any) -> Any:
    return x[-1]


@builtin("TupleIndex")
def tuple_index(m: Machine, xs: Any, at: int) -> Any:
    return xs[at]


@builtin("ListUnpack", "TupleUnpack")
def unpacked(m: Machine, xs: Any) -> Any:
    return list(xs)


@builtin("floordiv")
def floordiv(m: Machine, a: Any, b: Any) -> Any:
    return m.call("py.floordiv", [a, b], {}) if is_number(a) and is_number(b) else NotImplemented
