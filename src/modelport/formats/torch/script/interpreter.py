"""Runs the code of a TorchScript archive on values of the hub.

The code is a small part of Python, seen as a syntax tree; sizes, numbers, lists and texts are calculated as they are,
tensors become nodes.  A condition or a count that only a run of the model knows becomes If or Loop (:mod:`.control`).

Source: torch/csrc/jit/serialization/python_print.cpp says what the code may contain."""
from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from ....errors import CorruptFile, LimitExceeded, Unsupported, printable
from ..machine import Box, Machine
from ..values import Sym, known
from .archive import Archive, Obj
from .builtins import BUILTINS, decided, is_a, python
from .control import Grown, branches, conditional, counted, grown
from .signals import Raised, Returned

STEPS = 2_000_000
"""Statements and expressions that a model may take; loops of a known count are written out."""


class Path:
    """A dotted name that is no variable: a function, a class, or the beginning of one."""

    def __init__(self, name: str) -> None:
        self.name = name


Env = dict[str, Any]


class Interpreter:
    """One archive, run by one machine.  ``path`` is the module whose method is being run."""

    def __init__(self, archive: Archive, machine: Machine) -> None:
        self.archive, self.machine = archive, machine
        self.path: list[str] = []
        self.depth = self.steps = 0

    def restore(self) -> None:
        """Gives the objects that were saved by a method of theirs the attributes that its counterpart sets."""
        for o in self.archive.restoring():
            self.method(o, "__setstate__", [o.attributes.pop("state")], {})

    # -- functions

    def method(self, of: Obj, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        found = self.archive.method(of.kind, name)
        if found is None:
            raise Unsupported(f"'{printable(of.kind, 80)}' has no method {printable(name, 40)} in the file")
        return self.function(found, [of, *args], kwargs)

    def function(self, f: ast.FunctionDef, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        env: Env = {}
        names = f.args.args
        defaults = [None] * (len(names) - len(f.args.defaults)) + list(f.args.defaults)
        for k, (p, default) in enumerate(zip(names, defaults, strict=True)):
            if k < len(args):
                env[p.arg] = args[k]
            elif p.arg in kwargs:
                env[p.arg] = kwargs[p.arg]
            elif default is not None:
                env[p.arg] = self.value(default, {})
            else:
                raise CorruptFile(f"{printable(f.name, 40)} is called without '{printable(p.arg, 40)}'")
        self.depth += 1
        if self.depth > 200:
            raise LimitExceeded("functions that call each other more than 200 deep")
        try:
            self.block(f.body, env)
        except Returned as r:
            return r.value
        finally:
            self.depth -= 1
        return None

    # -- statements

    def block(self, body: Sequence[ast.stmt], env: Env) -> None:
        for s in body:
            self.count()
            self.statement(s, env)

    def count(self) -> None:
        self.steps += 1
        if self.steps > STEPS:
            raise LimitExceeded(f"a program of more than {STEPS:,} steps")

    def statement(self, s: ast.stmt, env: Env) -> None:
        if isinstance(s, ast.Return):
            raise Returned(None if s.value is None else self.value(s.value, env))
        if isinstance(s, ast.Assign):
            value = self.value(s.value, env)
            for t in s.targets:
                self.assign(t, value, env)
        elif isinstance(s, ast.AnnAssign):
            if s.value is not None:
                self.assign(s.target, self.value(s.value, env), env)
        elif isinstance(s, ast.Expr):
            self.value(s.value, env)
        elif isinstance(s, ast.If):
            self.choice(s, env)
        elif isinstance(s, ast.For):
            self.loop(s, env)
        elif isinstance(s, ast.While):
            self.repeated(s, env)
        elif isinstance(s, ast.With):  # contexts say how gradients are kept
            self.block(s.body, env)
        elif isinstance(s, ast.Assert):
            if decided(self.value(s.test, env)) is False:
                raise Raised("an assertion fails")
        elif isinstance(s, ast.Raise):
            raise Raised(ast.unparse(s))
        elif not isinstance(s, (ast.Pass, ast.ClassDef, ast.FunctionDef)):
            raise Unsupported(f"a statement of the kind {type(s).__name__}")

    def assign(self, target: ast.expr, value: Any, env: Env) -> None:
        if isinstance(target, ast.Name):
            env[target.id] = value
        elif isinstance(target, (ast.Tuple, ast.List)):
            parts = list(value) if isinstance(value, (list, tuple)) else None
            if parts is None or len(parts) != len(target.elts):
                raise Unsupported(f"{len(target.elts)} names for a {type(value).__name__}")
            for t, v in zip(target.elts, parts, strict=True):
                self.assign(t, v, env)
        elif isinstance(target, ast.Attribute):
            of = self.value(target.value, env)
            if not isinstance(of, Obj):
                raise Unsupported(f"an attribute of a {type(of).__name__} is set")
            of.attributes[target.attr] = value
        elif isinstance(target, ast.Subscript):
            of, key = self.value(target.value, env), self.value(target.slice, env)
            if not isinstance(of, (list, dict)):
                raise Unsupported(f"an element of a {type(of).__name__} is set")
            of[key] = value
        else:
            raise Unsupported(f"{type(target).__name__} is set")

    def choice(self, s: ast.If, env: Env) -> None:
        test = decided(self.value(s.test, env))
        if isinstance(test, bool):
            self.block(s.body if test else s.orelse, env)
            return
        branches(self, s, test, env)

    def loop(self, s: ast.For, env: Env) -> None:
        over = self.value(s.iter, env)
        if isinstance(over, Sym):
            counted(self, s, over, env)
            return
        if isinstance(over, dict):
            over = list(over)
        if not isinstance(over, (list, tuple, range)):
            raise Unsupported(f"a loop over a {type(over).__name__}")
        for v in over:
            self.count()
            self.assign(s.target, v, env)
            self.block(s.body, env)

    def repeated(self, s: ast.While, env: Env) -> None:
        while True:
            self.count()
            test = decided(self.value(s.test, env))
            if not isinstance(test, bool):
                conditional(self, s, test, env)
                return
            if not test:
                return
            self.block(s.body, env)

    # -- expressions

    def value(self, e: ast.expr, env: Env) -> Any:
        if isinstance(e, ast.Constant):
            return e.value
        if isinstance(e, ast.Name):
            return self.name(e.id, env)
        if isinstance(e, ast.Attribute):
            return self.attribute(self.value(e.value, env), e.attr)
        if isinstance(e, ast.Call):
            return self.call(e, env)
        if isinstance(e, ast.List):
            return [self.value(v, env) for v in e.elts]
        if isinstance(e, ast.Tuple):
            return tuple(self.value(v, env) for v in e.elts)
        if isinstance(e, ast.Dict):
            return {self.value(k, env): self.value(v, env) for k, v in zip(e.keys, e.values, strict=True) if k}
        if isinstance(e, ast.Subscript):
            return python(self.machine, "__getitem__", [self.value(e.value, env), self.value(e.slice, env)])
        if isinstance(e, ast.UnaryOp):
            of = self.value(e.operand, env)
            if isinstance(e.op, ast.Not):
                return python(self.machine, "__not__", [of])
            return python(self.machine, "neg", [of]) if isinstance(e.op, ast.USub) else of
        if isinstance(e, ast.IfExp):
            test = decided(self.value(e.test, env))
            if not isinstance(test, bool):
                raise Unsupported("an expression that depends on values")
            return self.value(e.body if test else e.orelse, env)
        if isinstance(e, ast.BoolOp):
            return self.logic(e, env)
        if isinstance(e, (ast.BinOp, ast.Compare)):
            return self.infix(e, env)
        raise Unsupported(f"an expression of the kind {type(e).__name__}")

    def logic(self, e: ast.BoolOp, env: Env) -> Any:
        stop = isinstance(e.op, ast.Or)
        value: Any = not stop
        for v in e.values:
            value = decided(self.value(v, env))
            if not isinstance(value, bool):
                raise Unsupported("an expression that depends on values")
            if value is stop:
                return value
        return value

    def infix(self, e: ast.BinOp | ast.Compare, env: Env) -> Any:
        if isinstance(e, ast.BinOp):
            names = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.FloorDiv: "floordiv",
                     ast.Mod: "remainder", ast.Pow: "pow"}
            name, left, right = names.get(type(e.op), ""), e.left, e.right
        else:
            compared = {ast.Lt: "lt", ast.Gt: "gt", ast.Eq: "eq", ast.NotEq: "ne", ast.LtE: "le", ast.GtE: "ge",
                        ast.Is: "__is__", ast.IsNot: "__isnot__"}
            name, left, right = compared.get(type(e.ops[0]), ""), e.left, e.comparators[0]
        if not name:
            raise Unsupported(f"an expression of the kind {type(e).__name__}")
        return self.operator(name, [self.value(left, env), self.value(right, env)], {})

    def name(self, name: str, env: Env) -> Any:
        if name in env:
            return env[name]
        if name in ("inf", "nan", "infj", "nanj"):
            return float(name.removesuffix("j"))
        return Path(name)

    def attribute(self, of: Any, name: str) -> Any:
        if isinstance(of, Path):
            if of.name == "CONSTANTS":
                number = name[1:]
                if not number.isdigit() or int(number) >= len(self.archive.constants):
                    raise CorruptFile(f"there is no constant {printable(name, 40)}")
                return self.archive.constants[int(number)]
            return Path(f"{of.name}.{name}")
        if isinstance(of, Obj):
            if name in of.attributes:
                return of.attributes[name]
            cls = self.archive.defined(of.kind)
            for s in cls.body if isinstance(cls, ast.ClassDef) else ():  # Final attributes lie in the class
                if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name) and s.target.id == name \
                        and s.value is not None:
                    return self.value(s.value, {})
                if isinstance(s, ast.Assign) and any(isinstance(t, ast.Name) and t.id == name for t in s.targets):
                    return self.value(s.value, {})
            if self.archive.method(of.kind, name) is not None:
                return Bound(of, name)
            raise Unsupported(f"'{printable(of.kind, 80)}' has no attribute {printable(name, 40)}")
        if isinstance(of, Named):
            return of.part(name)
        raise Unsupported(f"the attribute {printable(name, 40)} of a {type(of).__name__}")

    def call(self, e: ast.Call, env: Env) -> Any:
        self.count()
        f = e.func
        if isinstance(f, ast.Name) and f.id not in env:
            return self.builtin(f.id, e, env)
        args = [self.value(a, env) for a in e.args]
        kwargs = {k.arg: self.value(k.value, env) for k in e.keywords if k.arg}
        if isinstance(f, ast.Attribute):
            of = self.value(f.value, env)
            if isinstance(of, Obj):
                return self.called(of, f, args, kwargs)
            if isinstance(of, Path):
                return self.path_call(f"{of.name}.{f.attr}", args, kwargs)
            raise Unsupported(f"the method {printable(f.attr, 40)} of a {type(of).__name__}")
        of = self.value(f, env)
        if isinstance(of, Path):
            return self.path_call(of.name, args, kwargs)
        if isinstance(of, Bound):
            return self.method(of.of, of.name, args, kwargs)
        raise Unsupported(f"a {type(of).__name__} is called")

    def called(self, of: Obj, f: ast.Attribute, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """A method, its nodes labelled by the module's path."""
        own = self.module_name(of)
        if own:
            self.path.append(own)
        try:
            return self.method(of, f.attr, args, kwargs)
        finally:
            if own:
                self.path.pop()

    def module_name(self, of: Obj) -> str:
        """The path of a module in the tree."""
        if not hasattr(self, "_names"):
            self._names: dict[int, str] = {}
            stack: list[tuple[str, Obj]] = [("", self.archive.root)]
            while stack:
                name, o = stack.pop()
                if id(o) in self._names:
                    continue
                self._names[id(o)] = name
                stack += [(f"{name}.{k}".removeprefix("."), v) for k, v in o.attributes.items() if isinstance(v, Obj)]
        return self._names.get(id(of), "")

    def builtin(self, name: str, e: ast.Call, env: Env) -> Any:
        if name in ("annotate", "unchecked_cast"):
            value, kind = self.value(e.args[1], env), e.args[0]
            number = isinstance(kind, ast.Name) and kind.id in ("number", "int", "float")
            return python(self.machine, "item", [value]) if number and isinstance(value, Box) else value
        if name == "uninitialized":
            return None
        if name == "isinstance" and len(e.args) == 2:
            return is_a(self.value(e.args[0], env), e.args[1])
        if name == "getattr":
            key = self.value(e.args[1], env)
            return self.attribute(self.value(e.args[0], env), str(key))
        args = [self.value(a, env) for a in e.args]
        if name == "range":
            bounds = [known(a) for a in args]
            if any(isinstance(b, Sym) for b in bounds):
                if len(bounds) == 1:
                    return bounds[0]
                raise Unsupported("a range that depends on values")
            return range(*bounds)
        return python(self.machine, name, args)

    def path_call(self, path: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if path.startswith("__torch__."):
            if path.endswith(".__new__"):
                return Obj(path.removesuffix(".__new__"), {})
            found = self.archive.defined(path)
            if isinstance(found, ast.FunctionDef):
                return self.function(found, args, kwargs)
            if isinstance(found, ast.ClassDef):
                fields = [s.target.id for s in found.body if isinstance(s, ast.AnnAssign)
                          and isinstance(s.target, ast.Name)]
                return Named(fields, list(args))
            raise Unsupported(f"'{printable(path, 80)}' is not in the file")
        space, _, name = path.rpartition(".")
        if space == "ops.prim" and name == "RaiseException":
            raise Raised(str(args[0]) if args else "")
        if space.startswith("ops.") and space not in ("ops.aten", "ops.prim"):
            from .packed import PACKED
            rule = PACKED.get(f"{space.removeprefix('ops.')}.{name}")
            full = f"{space.removeprefix('ops.')}::{name}"
            if rule is None and full in self.machine.table:
                return self.operator(full, args, kwargs)
            if rule is None:
                raise Unsupported(f"the operator {printable(space.removeprefix('ops.') + '::' + name, 80)}")
            return rule(self, *args)
        return self.operator(name, args, kwargs)

    def operator(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """An operator of ATen, or of Python's own types."""
        if args and isinstance(args[0], Grown):
            return grown(self, name, args, kwargs)
        if name.rstrip("_") in _SCALAR and len(args) > 1 and any(args[1] is c for c in self.archive.constants):
            args = [args[0], scalar(args[1]), *args[2:]]
        if name in BUILTINS or not holds_tensor([*args, *kwargs.values()]):
            made = python(self.machine, name, list(args), dict(kwargs))
            if made is not NotImplemented:
                return made
        self.steps += 9  # an operator is more work than a statement
        # a list of factors tells the overload, whose name the code does not give
        vector = any(isinstance(a, list) and a and isinstance(a[0], float) for a in args)
        overload = "vec" if vector and f"{name}.vec" in self.machine.table else ""
        return self.machine.call(name, list(args), dict(kwargs), overload, self.path[-1] if self.path else "")


class Bound:
    """A method that is passed on."""

    def __init__(self, of: Obj, name: str) -> None:
        self.of, self.name = of, name


class Named(list[Any]):
    """A named tuple."""

    def __init__(self, fields: Sequence[str], values: Sequence[Any]) -> None:
        super().__init__(values)
        self.fields = list(fields)

    def part(self, name: str) -> Any:
        if name not in self.fields:
            raise Unsupported(f"a tuple without '{printable(name, 40)}'")
        return self[self.fields.index(name)]


_SCALAR = frozenset(("add", "sub", "mul", "div", "true_divide"))
"""Operators for which the interpreter of PyTorch takes a constant without axes, on the right, for a number of Python,
which has no say in the element type of the result."""


def scalar(x: Any) -> Any:
    """A constant of one element without axes as a number; anything else as it is."""
    if isinstance(x, Box) and x.value.data is not None and x.value.rank == 0:
        return x.value.numpy().item()
    return x


def holds_tensor(x: Any) -> bool:
    return isinstance(x, Box) or (isinstance(x, (list, tuple)) and any(map(holds_tensor, x)))
