"""Runs the calls of a PyTorch program on values of the hub: the rules of :mod:`.to_onnx`, and what they need not know:
writing in place, and views of other tensors that see it."""
from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any

from ...errors import Unsupported, printable
from ...ir.graph import Node, Value
from ...ir.rules import Builder
from ...ir.types import is_float
from .values import Complex, Quantized, Sym, known, parted, tensor
from .views import UNSURE, VIEWS, written


class Aten(dict[str, Callable[..., Any]]):
    """Operator name, with or without its overload ("add", "max.dim"), -> a function ``f(op, *arguments)`` whose
    parameters have the names and order of the operator's schema."""

    def __call__(self, *names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
        def register(rule: Callable[..., Any]) -> Callable[..., Any]:
            for name in names:
                if name in self:
                    raise ValueError(f"two translations of {name}")
                self[name] = rule
            return rule
        return register

    def rule(self, name: str, overload: str = "", complex_: bool = False,
             quantized: bool = False) -> Callable[..., Any] | None:
        """The rule of an operator; with ``complex_`` or ``quantized`` the one that takes such tensors too."""
        found = self.get(f"{name}.{overload}") or self.get(name)
        if quantized and "::" not in name:
            own = self.get(f"quantized.{name}")
            if own is not None or found is None:
                return own
            if name not in KEEPING:
                raise Unsupported("of quantized tensors")
            return keeping(found)
        if not complex_ or name.startswith("py."):
            return found
        own = self.get(f"complex.{name}.{overload}") or self.get(f"complex.{name}")
        if own is not None or found is None:
            return own
        if name not in PARTWISE:
            raise Unsupported("of complex numbers")
        return partwise(found)


aten = Aten()

NOWHERE = frozenset("layout device pin_memory memory_format non_blocking generator stable_only".split())
"""Arguments that say where a tensor lies or how fast it is made; a rule that does not take them need not."""
COPIES = frozenset("clone lift_fresh_copy lift_fresh _to_copy copy new_tensor empty_like zeros_like ones_like".split())
"""Operators whose result is a tensor of its own, even if it looks the same."""
PARTWISE = frozenset("""view reshape _unsafe_view flatten unflatten unsqueeze squeeze transpose permute t select slice
    narrow expand expand_as cat concat stack unbind split split_with_sizes chunk flip roll clone contiguous alias detach
    repeat tile index index_select gather embedding diagonal movedim swapaxes sum mean neg unfold constant_pad_nd pad
    masked_fill cumsum zeros_like diff sym_size size dim numel sym_numel lift_fresh lift_fresh_copy new_zeros
    where triu tril repeat_interleave numpy_T mT view_as reshape_as hstack vstack ravel copy""".split())
"""Operators that do to complex numbers what they do to each part."""


KEEPING = frozenset("""view reshape _unsafe_view flatten unflatten unsqueeze squeeze transpose permute t select slice
    narrow expand expand_as unbind split split_with_sizes chunk flip clone contiguous alias detach repeat index_select
    movedim swapaxes numpy_T mT view_as reshape_as cat concat stack size sym_size dim numel relu relu6 hardtanh clamp
    clamp_min clamp_max leaky_relu threshold max_pool1d max_pool2d max_pool3d avg_pool1d avg_pool2d avg_pool3d
    adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d mean upsample_nearest1d upsample_nearest2d
    upsample_nearest3d upsample_bilinear2d _upsample_nearest_exact1d _upsample_nearest_exact2d
    _upsample_nearest_exact3d pixel_shuffle channel_shuffle constant_pad_nd pad reflection_pad1d reflection_pad2d
    replication_pad2d dropout masked_fill""".split())
"""Operators whose result has the scale and zero point of their first quantized argument."""


@lru_cache(maxsize=256)
def keeping(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule applied to the reals that quantized arguments stand for; its results are quantized as the first was."""
    from .to_onnx.integer import requantized

    @wraps(rule)
    def quantized(op: Builder, *args: Any, **kwargs: Any) -> Any:
        found: list[Quantized] = []

        def real(x: Any) -> Any:
            if isinstance(x, Quantized):
                found.append(x)
                return x.real
            return [real(v) for v in x] if isinstance(x, (list, tuple)) else x

        def again(x: Any) -> Any:
            if isinstance(x, Value) and is_float(x.dtype):
                return requantized(op, x, found[0])
            return [again(v) for v in x] if isinstance(x, list) else x
        return again(rule(op, *real(args), **{k: real(v) for k, v in kwargs.items()}))
    return quantized


@lru_cache(maxsize=256)
def partwise(rule: Callable[..., Any]) -> Callable[..., Any]:
    """A rule applied to both parts of its complex arguments."""

    @wraps(rule)
    def both(op: Builder, *args: Any, **kwargs: Any) -> Any:
        def part(x: Any, name: str) -> Any:
            if isinstance(x, Complex):
                return getattr(x, name)
            return [part(v, name) for v in x] if isinstance(x, (list, tuple)) else x
        one, two = (rule(op, *part(args, name), **{k: part(v, name) for k, v in kwargs.items()})
                    for name in ("real", "imag"))
        if isinstance(one, list) and all(isinstance(v, Value) for v in one):
            return [Complex(a, b) for a, b in zip(one, two, strict=True)]
        return Complex(one, two) if isinstance(one, Value) else one
    return both


def _complex(x: Any) -> bool:
    if isinstance(x, (list, tuple)):
        return any(map(_complex, x))
    return isinstance(x, complex) or (isinstance(x, Box) and x.value.dtype.kind == "c")


def _quantized(x: Any) -> bool:
    return (isinstance(x, Box) and isinstance(x._value, Quantized)) or (
        isinstance(x, (list, tuple)) and any(map(_quantized, x)))


class Box:
    """A tensor of PyTorch: it may be written to, and may be a view of another one.

    Its ``value`` is made anew when what it is a view of was written to.  ``unsure``: it is a view or a copy, by the
    order in memory of what it was made from, which is not known; once either is written to, the other is refused."""

    __slots__ = ("_again", "_back", "_base", "_lost", "_seen", "_unsure", "_value", "_version")

    def __init__(self, value: Value, base: Box | None = None, again: Callable[[Value], Value] | None = None,
                 back: Callable[[Value, Value], Value] | None = None, unsure: bool = False) -> None:
        self._value, self._base, self._again, self._back, self._unsure = value, base, again, back, unsure
        self._version = 0
        self._lost = False
        self._seen = base.version if base is not None else 0

    @property
    def version(self) -> int:
        return self._version if self._base is None else self._base.version

    @property
    def value(self) -> Value:
        if self._lost:
            raise Unsupported("a tensor after a write to what is a view of it, or a copy")
        if self._base is not None and self._seen != self._base.version:
            if self._unsure:
                raise Unsupported("what is a view or a copy of a tensor, after a write to that")
            assert self._again is not None
            self._value, self._seen = self._again(self._base.value), self._base.version
        return self._value

    @property
    def known(self) -> bool:
        """Whether there is a value: no write to what may be the same memory left it in doubt."""
        try:
            return self.value is not None
        except Unsupported:
            return False

    def lose(self) -> None:
        """Whether this was written to is not known."""
        self._lost = True
        self._version += 1
        if self._base is not None:
            self._base.lose()

    def write(self, new: Value) -> None:
        if self._unsure and self._base is not None:
            assert self.value is not None  # nor may it be in doubt itself
            self._base.lose()
            self._base = None
        if self._base is None:
            self._value = new
            self._version += 1
        else:
            assert self._back is not None
            self._base.write(self._back(self._base.value, new))
            self._value, self._seen = new, self._base.version

    def kept(self) -> tuple[Any, ...]:
        """What the tensor is now; :meth:`restore` brings it back."""
        return tuple(getattr(self, n) for n in self.__slots__)

    def restore(self, kept: tuple[Any, ...]) -> None:
        for n, v in zip(self.__slots__, kept, strict=True):
            setattr(self, n, v)

    def named(self, name: str) -> None:
        if isinstance(self._value, Value) and not self._value.name and self._value.data is None:
            self._value.name = name


@lru_cache(maxsize=4096)
def _parameters(rule: Callable[..., Any]) -> tuple[frozenset[str], bool, int]:
    """The names a rule takes, whether it takes any, and how many by position."""
    found = list(inspect.signature(rule).parameters.values())[1:]
    kinds = inspect.Parameter
    return (frozenset(p.name for p in found), any(p.kind == kinds.VAR_KEYWORD for p in found),
            99 if any(p.kind == kinds.VAR_POSITIONAL for p in found)
            else sum(p.kind in (kinds.POSITIONAL_ONLY, kinds.POSITIONAL_OR_KEYWORD) for p in found))


class Machine:
    """Calls operators.  Tensors are given and returned as :class:`Box`; lists and tuples of anything are lists."""

    def __init__(self, op: Builder, table: Aten = aten, stated: bool = False) -> None:
        """``stated``: what calls result in is stated elsewhere, and held to that."""
        self.op, self.table, self.stated = op, table, stated

    def call(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any], overload: str = "",
             label: str = "") -> Any:
        """The result of the operator ``name`` ("add", "add_"); raises :class:`Unsupported`, located at ``label``."""
        node = Node(f"aten.{name}", (), {}, (), name=label)
        op = self.op.at(node)
        try:
            return self._called(op, name, overload, list(args), dict(kwargs))
        except Unsupported as e:
            e.node = e.node or node
            raise
        except (ArithmeticError, LookupError, ValueError, TypeError, AttributeError, AssertionError) as e:
            # arguments from a file: a list that is too short, a size of zero, a tensor where a number is meant
            raise Unsupported(f"the operator is not as its kernel wants it ({type(e).__name__}: {printable(e, 100)})",
                              node) from e

    def _called(self, op: Builder, name: str, overload: str, args: list[Any], kwargs: dict[str, Any]) -> Any:
        complex_ = _complex(args) or _complex(list(kwargs.values()))
        quantized = _quantized(args) or _quantized(list(kwargs.values()))
        rule = self.table.rule(name, overload, complex_, quantized)
        plain = name.removesuffix("_")
        if rule is None and name.endswith("_") and not name.endswith("__"):
            rule = self.table.rule(plain, overload, complex_, quantized)
            if rule is not None:
                return self._in_place(op, rule, plain, args, kwargs)
        if rule is None:
            raise Unsupported("no translation")
        given = [a for a in (*args, *kwargs.values()) if isinstance(a, Box)]
        if name == "squeeze" and not self.stated and len(args) + len(kwargs) == 1 and not given[0].value.type.static:
            raise Unsupported("squeeze() of sizes that are not known: which are one is found at run time")
        made = applied(rule, op, unboxed(args), unboxed(kwargs))
        view = VIEWS.get(name)
        if view is None or not given:
            return self._boxed(made, [] if name in COPIES else [*given, *_inside(args)])
        base = args[0] if args and isinstance(args[0], Box) else given[0]
        if name == "contiguous":
            return Box(made, base, lambda value: value, lambda value, new: new, unsure=True)
        if not isinstance(made, (list, tuple)):
            return self._view(op, rule, name, base, made, args, kwargs, None)
        return [self._view(op, rule, name, base, v, args, kwargs, k) for k, v in enumerate(made)]

    def _view(self, op: Builder, rule: Callable[..., Any], name: str, base: Box, made: Value, args: list[Any],
              kwargs: dict[str, Any], part: int | None) -> Box:
        if made is base.value:
            return base
        still, named = unboxed(args), unboxed(kwargs)
        first = base is not (args[0] if args else None)
        key = next((k for k, v in kwargs.items() if v is base), "") if first else ""

        def again(value: Value) -> Value:
            out: Any = applied(rule, op, still if first else [value, *still[1:]],
                               {**named, key: value} if first else named)
            found: Value = out if part is None else out[part]
            return found

        def back(value: Value, new: Value) -> Value:
            return written(op, name, value, new, again)
        return Box(made, base, again, back, unsure=name in UNSURE)

    def _in_place(self, op: Builder, rule: Callable[..., Any], name: str, args: list[Any],
                  kwargs: dict[str, Any]) -> Box:
        target = args[0] if args else kwargs.get("self", kwargs.get("input"))
        if not isinstance(target, Box):
            raise Unsupported(f"{name}_ of something that is no tensor")
        old = target.value
        made = applied(rule, op, unboxed(args), unboxed(kwargs))
        if isinstance(made, (Complex, Quantized)) and isinstance(old, type(made)):
            target.write(made)
            return target
        if not isinstance(made, Value):
            raise Unsupported(f"{name}_ of several results")
        new = tensor(op, made, old.dtype)
        if new.shape != old.shape and new.rank != old.rank:
            new = op.Expand(new, op.Shape(old))
        target.write(new)
        return target

    def _boxed(self, made: Any, given: Sequence[Box]) -> Any:
        if isinstance(made, (Value, Complex, Quantized)):
            same = next((b for b in given if b.value is made), None)
            return Box(made) if same is None else same  # type: ignore[arg-type]
        if isinstance(made, (list, tuple)):
            return [self._boxed(x, given) for x in made]
        return known(made) if isinstance(made, Sym) else made


def _inside(args: Sequence[Any]) -> list[Box]:
    return [b for a in args if isinstance(a, (list, tuple)) for b in a if isinstance(b, Box)]


def unboxed(x: Any) -> Any:
    """The same with values in the place of boxes."""
    if isinstance(x, Box):
        return parted(x.value) if isinstance(x.value, Value) else x.value
    if isinstance(x, (list, tuple)):
        return [unboxed(v) for v in x]
    if isinstance(x, dict):
        return {k: unboxed(v) for k, v in x.items()}
    return x


def applied(rule: Callable[..., Any], op: Builder, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What a rule makes of its arguments, or :class:`Unsupported` naming the one that it does not take."""
    names, any_name, most = _parameters(rule)
    kept = {k: v for k, v in kwargs.items() if k in names or any_name or (k not in NOWHERE and v is not None)}
    unknown = [k for k in kept if k not in names and not any_name]
    if unknown:
        raise Unsupported(f"argument not supported: '{printable(unknown[0])}'")
    if len(args) > most:
        if any(a is not None for a in args[most:]):
            raise Unsupported(f"{len(args)} arguments, not {most}")
        args = args[:most]
    return rule(op, *args, **kept)
