"""Modules whose code the file holds: legacy files have the text of classes, torch.fx.GraphModule that of its forward.

It is looked at as a syntax tree and carried out on values of the hub, as TorchScript is; Python runs nothing of it.
``torch``, ``nn``, ``F``, ``math`` are taken for what these names always are."""
from __future__ import annotations

import ast
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ....errors import CorruptFile, Unsupported, printable
from ..elements import QUANTIZED
from ..elements import dtype as element
from ..machine import Box
from ..script.builtins import python
from ..script.interpreter import Env, Interpreter, Path
from ..values import Sym, known
from . import packed
from .functional import METHODS, called, method
from .indexing import indexed, stored
from .quantized import FUNCTIONALS, functional
from .run import Run, forward
from .tree import Module

_DTYPES = frozenset("float32 float64 float16 bfloat16 int8 int16 int32 int64 uint8 bool".split())
_ALIASES = {"float": "float32", "double": "float64", "half": "float16", "long": "int64", "int": "int32",
            "short": "int16"}
_SPACES = {"F": "torch.nn.functional", "nn.functional": "torch.nn.functional", "np.math": "math"}
_CONTEXTS = frozenset("torch.no_grad torch.enable_grad torch.inference_mode torch.set_grad_enabled".split())
_SAFE = {"sqrt": math.sqrt, "log": math.log, "log2": math.log2, "exp": math.exp, "ceil": math.ceil,
         "floor": math.floor, "prod": math.prod, "cos": math.cos, "sin": math.sin, "pow": math.pow}
_IN_PLACE = {ast.Add: "add_", ast.Sub: "sub_", ast.Mult: "mul_", ast.Div: "div_"}


class _NoArchive:
    """What an interpreter of modules has in the place of an archive of TorchScript."""

    constants: list[Any] = []  # noqa: RUF012 - never changed

    def defined(self, path: str) -> None:
        return None

    def method(self, kind: str, name: str) -> None:
        return None


def by_source(run: Run, m: Module, *args: Any, **kwargs: Any) -> Any:
    """Calls ``forward`` as the text of the class has it."""
    return Source(run).own(m, "forward", args, kwargs)


def definition(m: Module) -> tuple[dict[str, ast.FunctionDef], list[str]]:
    """The methods that a module's text defines, and its bases."""
    try:
        body = ast.parse(textwrap.dedent(m.source)).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as e:
        raise CorruptFile(f"the code of {printable(m.cls, 80)} is no Python: {printable(e, 100)}") from None
    bases: list[str] = []
    for s in body:
        if isinstance(s, ast.ClassDef):
            body, bases = s.body, [ast.unparse(b) for b in s.bases]
            break
    return {s.name: s for s in body if isinstance(s, ast.FunctionDef)}, bases


class Source(Interpreter):
    """Carries out the methods of modules."""

    def __init__(self, run: Run) -> None:
        super().__init__(_NoArchive(), run.machine)  # type: ignore[arg-type]
        self.run = run

    def own(self, m: Module, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        methods, bases = definition(m)
        if name in methods:
            if any(ast.unparse(d) not in ("torch.no_grad()", "staticmethod") for d in methods[name].decorator_list):
                raise Unsupported(f"a decorated method {printable(name, 40)}", m.node)
            static = any(ast.unparse(d) == "staticmethod" for d in methods[name].decorator_list)
            return self.function(methods[name], args if static else [m, *args], kwargs)
        return self.inherited(m, name, bases, args, kwargs)

    def inherited(self, m: Module, name: str, bases: Sequence[str], args: Sequence[Any],
                  kwargs: Mapping[str, Any]) -> Any:
        """A method of a base class that has a rule, such as nn.Sequential."""
        base = f"torch.nn.{bases[0].rpartition('.')[2]}" if len(bases) == 1 and bases[0].startswith(
            ("nn.", "torch.nn.")) else ""
        rule = forward.get(base) if name == "forward" else None
        if rule is not None:
            own, m.kind = m.kind, base  # rules look at the class, such as for the number of axes
            try:
                return rule(self.run, m, *args, **kwargs)
            finally:
                m.kind = own
        raise Unsupported(f"the method {printable(name, 40)} of {printable(m.cls, 80)} is not in the file", m.node)

    def function(self, f: ast.FunctionDef, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if f.args.vararg or f.args.kwarg or f.args.kwonlyargs:
            raise Unsupported(f"the method {printable(f.name, 40)} takes any number of arguments")
        return super().function(f, args, kwargs)

    # -- statements

    def statement(self, s: ast.stmt, env: Env) -> None:
        if isinstance(s, ast.AugAssign):
            old = self.value(s.target, env)
            new = self.value(s.value, env)
            name = _IN_PLACE.get(type(s.op))
            if isinstance(old, Box) and name:
                self.assign(s.target, self.machine.call(name, [old, new], {}, label=self.run.label), env)
            else:
                self.assign(s.target, self.binary(type(s.op), old, new), env)
        elif isinstance(s, ast.With):
            for item in s.items:
                text = ast.unparse(item.context_expr).partition("(")[0]
                if text not in _CONTEXTS:
                    raise Unsupported(f"a block with {printable(text, 60)}")
            self.block(s.body, env)
        elif isinstance(s, (ast.Import, ast.ImportFrom, ast.Try, ast.Global)):
            raise Unsupported(f"a statement of the kind {type(s).__name__}")
        else:
            super().statement(s, env)

    def assign(self, target: ast.expr, value: Any, env: Env) -> None:
        if isinstance(target, ast.Attribute) and isinstance(of := self.value(target.value, env), Module):
            (of.tensors if target.attr in of.tensors else of.attributes)[target.attr] = value
        elif isinstance(target, ast.Subscript) and isinstance(of := self.value(target.value, env), Box):
            stored(self.run, of, self.key(target.slice, env), value)
        else:
            super().assign(target, value, env)

    def loop(self, s: ast.For, env: Env) -> None:
        over = self.value(s.iter, env)
        if s.orelse or not isinstance(over, (list, tuple, range, dict, Module)):
            raise Unsupported(f"a loop over a {type(over).__name__}")
        for v in over.parts() if isinstance(over, Module) else list(over):
            self.count()
            self.assign(s.target, v, env)
            self.block(s.body, env)

    # -- expressions

    def value(self, e: ast.expr, env: Env) -> Any:
        if isinstance(e, ast.Subscript):
            return self.element(self.value(e.value, env), self.key(e.slice, env))
        if isinstance(e, ast.UnaryOp) and isinstance(e.op, ast.USub) and isinstance(
                of := self.value(e.operand, env), Box):
            return self.machine.call("neg", [of], {}, label=self.run.label)
        if isinstance(e, (ast.ListComp, ast.GeneratorExp)) and len(e.generators) == 1 and not e.generators[0].ifs:
            over, own = self.value(e.generators[0].iter, env), dict(env)
            found = []
            for v in over.parts() if isinstance(over, Module) else over:
                self.count()
                self.assign(e.generators[0].target, v, own)
                found.append(self.value(e.elt, own))
            return found
        if isinstance(e, ast.JoinedStr):
            return ast.unparse(e)
        return super().value(e, env)

    def key(self, e: ast.expr, env: Env) -> Any:
        if isinstance(e, ast.Slice):
            return slice(*(None if p is None else self.value(p, env) for p in (e.lower, e.upper, e.step)))
        if isinstance(e, ast.Tuple):
            return tuple(self.key(p, env) for p in e.elts)
        return self.value(e, env)

    def element(self, of: Any, key: Any) -> Any:
        if isinstance(of, Box):
            return indexed(self.run, of, key)
        if isinstance(of, Module):
            parts = of.parts()
            if isinstance(key, str):
                return of.children[key]
            return parts[known(key)]
        if isinstance(key, slice):
            return of[slice(*(known(k) for k in (key.start, key.stop, key.step)))]
        return python(self.machine, "__getitem__", [of, key])

    def infix(self, e: ast.BinOp | ast.Compare, env: Env) -> Any:
        if isinstance(e, ast.BinOp):
            return self.binary(type(e.op), self.value(e.left, env), self.value(e.right, env))
        if len(e.ops) != 1:
            raise Unsupported("a comparison of three")
        left, right = self.value(e.left, env), self.value(e.comparators[0], env)
        kind = type(e.ops[0])
        if kind in (ast.Is, ast.IsNot) and (left is None or right is None):
            return (left is right) is (kind is ast.Is)
        if kind in (ast.In, ast.NotIn):
            return (left in right) is (kind is ast.In)
        names: dict[type, str] = {ast.Lt: "lt", ast.Gt: "gt", ast.Eq: "eq", ast.NotEq: "ne", ast.LtE: "le",
                                  ast.GtE: "ge"}
        if isinstance(left, (Module, Path)) or isinstance(right, (Module, Path)) or kind not in names:
            raise Unsupported("a comparison of things that are no numbers")
        return self.operator(names[kind], [left, right], {})

    def binary(self, kind: type, left: Any, right: Any) -> Any:
        names: dict[type, str] = {
            ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv",
            ast.Mod: "remainder", ast.Pow: "pow", ast.MatMult: "matmul", ast.BitAnd: "__and__", ast.BitOr: "__or__"}
        name = names.get(kind, "")
        if not name:
            raise Unsupported(f"an expression of the kind {kind.__name__}")
        tensors = isinstance(left, Box) or isinstance(right, Box)
        if tensors and not isinstance(left, Box) and name in ("sub", "div"):
            return self.machine.call("rsub", [right, left], {}, label=self.run.label) if name == "sub" else \
                self.machine.call("mul", [self.machine.call("reciprocal", [right], {}), left], {}, label=self.run.label)
        if tensors and not isinstance(left, Box) and name in ("add", "mul"):
            left, right = right, left
        if tensors and name == "floordiv":
            name = "floor_divide"
        if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)) and name == "add":
            return [*left, *right]
        return self.operator(name, [left, right], {})

    def name(self, name: str, env: Env) -> Any:
        return env[name] if name in env else Path(name)

    def attribute(self, of: Any, name: str) -> Any:
        if isinstance(of, Path):
            full = f"{of.name}.{name}"
            if of.name == "torch" and (name in _DTYPES or name in _ALIASES):
                return element(_ALIASES.get(name, name))
            if of.name == "torch" and name in QUANTIZED:
                return QUANTIZED[name]
            if full in ("math.pi", "np.pi", "torch.pi"):
                return math.pi
            if full in ("math.inf", "torch.inf", "np.inf"):
                return math.inf
            return Path(full)
        if isinstance(of, Module):
            return False if name == "training" else getattr(of, name) if name in of else self.of_class(of, name)
        if isinstance(of, Box):
            return method(self.run, of, name)
        return super().attribute(of, name)

    def of_class(self, m: Module, name: str) -> Any:
        """An attribute that the text of the class sets."""
        for s in ast.parse(textwrap.dedent(m.source)).body if m.source else ():
            for part in s.body if isinstance(s, ast.ClassDef) else ():
                if isinstance(part, ast.Assign) and [ast.unparse(t) for t in part.targets] == [name]:
                    return self.value(part.value, {})
        return getattr(m, name)

    def call(self, e: ast.Call, env: Env) -> Any:
        self.count()
        f = e.func
        args: list[Any] = []
        if isinstance(f, ast.Attribute) and isinstance(f.value, ast.Call) and ast.unparse(f.value.func) == "super":
            m = env.get("self")
            if not isinstance(m, Module):
                raise Unsupported("super() outside of a method")
            return self.inherited(m, f.attr, definition(m)[1], [self.value(a, env) for a in e.args], {})
        for a in e.args:
            if isinstance(a, ast.Starred):
                args += self.value(a.value, env)
            else:
                args.append(self.value(a, env))
        if any(k.arg is None for k in e.keywords):
            raise Unsupported("arguments from a dictionary")
        kwargs = {str(k.arg): self.value(k.value, env) for k in e.keywords}
        if isinstance(f, ast.Attribute):
            of = self.value(f.value, env)
            if isinstance(of, Box):
                return METHODS[f.attr](self.run, of, *args, **kwargs) if f.attr in METHODS else \
                    self.run.machine.call(f.attr, [of, *args], kwargs, label=self.run.label)
            if isinstance(of, Module):
                return self.of_module(of, f.attr, args, kwargs)
            if isinstance(of, Path):
                return self.path_call(f"{of.name}.{f.attr}", args, kwargs)
            made = python(self.machine, f.attr, [of, *args], kwargs)
            if made is NotImplemented:
                raise Unsupported(f"the method {printable(f.attr, 40)} of a {type(of).__name__}")
            return made
        of = self.value(f, env)
        if isinstance(of, Module):
            return self.run(of, *args, **kwargs)
        if isinstance(of, Path):
            return self.path_call(of.name, args, kwargs)
        return self.run.function(of, *args)

    def of_module(self, m: Module, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if name in m.children and m.children[name] is not None:
            return self.run(m.children[name], *args, **kwargs)
        if name in ("children", "values", "modules") and not args and name != "modules":
            return m.parts()
        if name in ("named_children", "items"):
            return list(m.children.items())
        if name in m.attributes:
            return self.run.function(m.attributes[name], *args)
        if m.kind in FUNCTIONALS:
            return functional(self.run, m, name, *args, **kwargs)
        if name == "forward" and not m.source:
            return self.run(m, *args, **kwargs)
        return self.own(m, name, args, kwargs)

    def path_call(self, path: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        for short, long in _SPACES.items():
            if path.startswith(short + "."):
                path = long + path[len(short):]
        space, _, name = path.rpartition(".")
        if name in packed.FUNCTIONS and space in ("", "torch.nn.utils.rnn", "nn.utils.rnn", "rnn_utils"):
            return packed.FUNCTIONS[name](self.run, *args, **kwargs)
        if not space:
            return self.plain(name, args, kwargs)
        if space in ("math", "np", "numpy") and name in _SAFE and all(
                isinstance(known(a), (int, float)) or (name == "prod" and isinstance(a, (list, tuple))) for a in args):
            found: Any = _SAFE[name]
            return found(*map(known, args))
        if space in ("torch", "torch.nn.functional", "torch.functional", "torch._C._nn"):
            return called(self.run, space, name, args, kwargs)
        if space.startswith("torch.ops.aten."):
            overload = "" if name == "default" else name
            return self.machine.call(space.rpartition(".")[2], args, kwargs, overload, self.run.label)
        operator = path.removeprefix("torch.ops.").replace(".", "::", 1)
        if path.startswith("torch.ops.") and operator in self.machine.table:
            return self.machine.call(operator, args, kwargs, label=self.run.label)
        raise Unsupported(f"the function {printable(path, 80)}: its code is not in the file")

    def plain(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A function of Python itself."""
        xs = [a.parts() if isinstance(a, Module) else a for a in args]
        if name == "range":
            bounds = [known(a) for a in xs]
            if any(isinstance(b, Sym) for b in bounds):
                raise Unsupported("a range that depends on values")
            return range(*bounds)
        if name == "slice":
            return slice(*xs)
        if name == "print":
            return None
        if name == "torchvision_ops_stochastic_depth_stochastic_depth" and \
                (kwargs.get("training") is False or args[3:] == [False]):
            return args[0]  # as torch.fx names a function of a module
        if name in ("enumerate", "zip", "reversed"):
            return list({"enumerate": enumerate, "zip": zip, "reversed": reversed}[name](*xs))
        if name in ("list", "tuple"):
            return list(*xs)
        if name in ("hasattr", "getattr") and isinstance(args[0], Module):
            here = args[1] in args[0]
            return here if name == "hasattr" else self.attribute(args[0], args[1]) if here or len(args) < 3 else args[2]
        if name in ("len", "int", "float", "bool", "min", "max", "abs", "sum", "round", "str"):
            if name == "sum" and any(isinstance(x, Box) for x in xs[0]):
                total = xs[0][0]
                for x in xs[0][1:]:
                    total = self.binary(ast.Add, total, x)
                return total
            made = python(self.machine, name, xs, kwargs)
            if made is not NotImplemented:
                return made
            if isinstance(xs[0], Box) and name == "abs":
                return self.machine.call("abs", xs, {}, label=self.run.label)
        raise Unsupported(f"the function {printable(name, 80)}: its code is not in the file")



