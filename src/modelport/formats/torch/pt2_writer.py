"""Programs of torch.export (.pt2), as torch 2.9 and newer write them, without PyTorch.

A zip archive whose records are stored and begin at multiples of 64 bytes, so that weights can be mapped; the program is
JSON.  Source: torch/export/pt2_archive, torch/_export/serde/schema.py (version 8)."""
from __future__ import annotations

import ast
import json
import math
import re
import struct
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from ...codecs.atomic import WriteFailed
from ...errors import Unsupported, UnsupportedModel
from ...hub.symbols import poly, product
from ...ir.graph import Graph, Node, Value
from ...ir.tensor import Tensor
from ...ir.types import Dim, DType, Type
from .elements import to_export
from .plan import Names, Plan, Scope, plan
from .raw import LISTS, In, full, is_number, positional
from .storage_writer import sample

_ROOT = "archive"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_ALIGNED = 64
_HINT = 2  # the size that symbols are thought to have: neither nothing nor one


class Records:
    """A zip archive as PyTorch writes it."""

    def __init__(self, file: IO[bytes], root: str = _ROOT) -> None:
        self._zip, self._file, self._root = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED), file, root

    def add(self, name: str, data: str | bytes | Tensor, packed: bool = False) -> None:
        """A record: text, bytes, or the elements of a tensor, which are copied a piece at a time; ``packed``:
        compressed, which takes from it that it can be mapped."""
        data = data.encode() if isinstance(data, str) else data
        size = data.nbytes if isinstance(data, Tensor) else len(data)
        info = zipfile.ZipInfo(f"{self._root}/{name}", _EPOCH)
        info.file_size = size
        if packed:
            info.compress_type = zipfile.ZIP_DEFLATED
        head = self._file.tell() + 30 + len(info.filename.encode()) + 4 + 20 * (size * 1.05 > zipfile.ZIP64_LIMIT)
        pad = -head % _ALIGNED
        info.extra = b"FB" + struct.pack("<H", pad) + b"Z" * pad
        with self._zip.open(info, "w") as f:
            if isinstance(data, Tensor):
                data.copy_to(cast(Any, f))
            else:
                f.write(data)

    def close(self) -> None:
        self._zip.close()


def write(raw: Graph, path: Path) -> None:
    """Writes a .pt2 file."""
    made = _Program(plan(raw))
    try:
        with open(path, "wb") as f:
            records = Records(f)
            records.add("archive_format", "pt2")
            records.add("archive_version", "0")
            records.add("byteorder", "little")
            records.add(".data/version", "6\n")
            config = {}
            for k, w in enumerate(made.plan.weights):
                assert w.value.data is not None
                records.add(f"data/weights/weight_{k}", w.value.data)
                config[w.path] = {"path_name": f"weight_{k}", "is_param": w.trained, "use_pickle": False,
                                  "tensor_meta": made.meta(w.value.type, w.trained)}
            records.add("data/weights/model_weights_config.json", json.dumps({"config": config}))
            records.add("data/constants/model_constants_config.json", json.dumps({"config": {}}))
            records.add("models/model.json", json.dumps(made.said(), allow_nan=False))
            records.add("data/sample_inputs/model.pt", sample([
                Type(v.dtype, tuple(made.example(d) for d in v.shape or ())) for v in raw.inputs.values()]))
            records.close()
    except OSError as e:
        raise WriteFailed(f"cannot write {path}: {e.strerror or e}") from e


def program(raw: Graph) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The JSON of a program, and its weights by their names."""
    made = _Program(plan(raw))
    return made.said(), {w.path: w.value.data for w in made.plan.weights if w.value.data is not None}


def named(raw: Graph) -> Mapping[Value, str]:
    """The names that a program gives to its tensors and numbers, those inside of bodies left out."""
    made = _Program(plan(raw))
    made.said()
    return made.scope.of


class _Program:
    """The JSON of a program."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.graph = plan.graph
        self.symbols: dict[str, str] = {}
        self.ranges: dict[str, dict[str, int | None]] = {}
        self.unbacked = self.bodies = 0
        self.hint = _HINT
        self.bound: set[str] = set()
        for v in self.graph.inputs.values():
            for d in v.shape or ():
                if isinstance(d, str) and d not in self.symbols and _alone(d):
                    self._symbol(d)
        self._anonymous: dict[tuple[Value, int], str] = {}
        for v in self.graph.inputs.values():
            for k, d in enumerate(v.shape or ()):
                if d is None or (isinstance(d, str) and not self._says(d)):
                    self._anonymous[v, k] = self._symbol(f"dim_{len(self.symbols)}")
        self.types: dict[Value, tuple[Any, ...]] = {
            v: tuple(self._anonymous.get((v, k), d) for k, d in enumerate(v.shape or ()))
            for v in self.graph.inputs.values()}
        self._fits()

    # sizes

    def _fits(self) -> None:
        """Takes a size for the symbols with which no tensor has a negative one."""
        sizes = {d for n in self.graph.walk() for v in n.outputs for d in v.shape or ()
                 if isinstance(d, str) and d not in self.symbols and self._says(d)}
        while self.hint < 1 << 16 and any(self._value(d) < 1 for d in sizes):
            self.hint *= 2

    def _symbol(self, name: str) -> str:
        """A new symbol; its name begins with an s, which to PyTorch means a size of an input."""
        base = "s_" + (re.sub(r"\W", "_", name, flags=re.ASCII)[:40] or "dim")
        made = base
        while made in self.symbols.values():
            made += "_"
        self.symbols[name] = made
        low, _, high = self.graph.meta.get(f"torch:range:{name}", "..").partition("..")
        self.ranges[made] = {"min_val": int(low) if low.isdigit() else 0, "max_val": int(high) if high.isdigit()
                             else None}
        return name

    def example(self, d: Any) -> int:
        """A number for a size."""
        return d if isinstance(d, int) else self._value(d) if isinstance(d, str) and self._says(d) else self.hint

    def _hint(self, symbol: str) -> int:
        r = self.ranges.get(symbol, {})
        low, high = r.get("min_val") or 0, r.get("max_val")
        return min(max(low, self.hint), high if high is not None else 1 << 30)

    def _says(self, text: str) -> bool:
        """Whether an expression is one of symbols that are known."""
        try:
            self._walk(text, lambda s: 2, _calculate)
        except (KeyError, ArithmeticError):
            return False
        return True

    def _value(self, text: str) -> int:
        return int(self._walk(text, self._hint, _calculate))

    def _expression(self, text: str) -> str:
        return str(self._walk(text, lambda s: f"Symbol('{s}', positive=True, integer=True)" if s.startswith("s")
                              else f"Symbol('{s}', integer=True)", _spell))

    def _walk(self, text: str, leaf: Callable[[str], Any], join: Callable[[str, Sequence[Any]], Any]) -> Any:
        """A size computed from its parts: sums of products of symbols, quotients, minima."""
        terms = []
        for monomial, factor in poly(text).items():
            parts: list[Any] = [join("int", [factor])] if factor != 1 or not monomial else []
            parts += [leaf(self.symbols[s]) if s in self.symbols else self._opaque(s, leaf, join) for s in monomial]
            terms.append(parts[0] if len(parts) == 1 else join("Mul", parts))
        return terms[0] if len(terms) == 1 else join("Add", terms) if terms else join("int", [0])

    def _opaque(self, symbol: str, leaf: Callable[[str], Any], join: Callable[[str, Sequence[Any]], Any]) -> Any:
        try:
            e = ast.parse(symbol, mode="eval").body
        except (SyntaxError, ValueError, RecursionError):
            raise KeyError(symbol) from None
        if isinstance(e, ast.BinOp) and isinstance(e.op, ast.FloorDiv):
            name, args = "FloorDiv", [e.left, e.right]
        elif isinstance(e, ast.Call) and isinstance(e.func, ast.Name) and e.func.id in ("min", "max"):
            name, args = e.func.id.capitalize(), e.args
        else:
            raise KeyError(symbol)
        return join(name, [self._walk(ast.unparse(a), leaf, join) for a in args])

    def size(self, d: Any) -> dict[str, Any]:
        """A size as the file says it; one that nothing is known of is a symbol of its own."""
        if isinstance(d, int):
            return {"as_int": d}
        if isinstance(d, str) and self._says(d):
            text = self._expression(d)
            hint = None if "Symbol('u" in text else {"as_int": self._value(d)}
            return {"as_expr": {"expr_str": text, "hint": hint}}
        name = f"u{self.unbacked}"
        self.unbacked += 1
        self.ranges[name] = {"min_val": 0, "max_val": None}
        if isinstance(d, str) and _alone(d):
            self.symbols[d] = name
        return {"as_expr": {"expr_str": f"Symbol('{name}', integer=True)", "hint": None}}

    def meta(self, type: Type, grad: bool = False, shape: Sequence[Any] | None = None) -> dict[str, Any]:
        """Element type, sizes and strides of a tensor."""
        shape = list(type.shape or ()) if shape is None else list(shape)
        said = [self.size(d) for d in shape]
        strides: list[Any] = []
        for k in range(len(shape)):
            after = product(d if isinstance(d, int) or (isinstance(d, str) and self._says(d)) else None
                            for d in shape[k + 1:])
            if after is None:  # of sizes that nothing is known of: their own symbols
                tail = [s["as_int"] if "as_int" in s else s["as_expr"]["expr_str"] for s in said[k + 1:]]
                text = f"Mul({', '.join(t if isinstance(t, str) else f'Integer({t})' for t in tail)})" \
                    if len(tail) > 1 else str(tail[0])
                strides.append({"as_expr": {"expr_str": text, "hint": None}})
            else:
                strides.append(self.size(after if not isinstance(after, int) else max(after, 1)))
        return {"dtype": to_export(type.dtype), "sizes": said, "requires_grad": grad,
                "device": {"type": "cpu", "index": None}, "strides": strides, "storage_offset": {"as_int": 0},
                "layout": 7}

    # the program

    def said(self) -> dict[str, Any]:
        """The whole of it."""
        graph = self.graph
        self.scope = outer = Scope(Names())
        block = _Block(self, outer)
        specs: list[dict[str, Any]] = []
        arguments = []
        user = [(self.plan.inputs[v], v) for v in graph.inputs.values()]
        for name, _ in user:  # the names of the user's inputs are theirs
            outer.names.new(name)
        for name, v in user:
            outer.of[v] = name
        for w in self.plan.weights:
            name = outer.add(w.value, ("p_" if w.trained else "b_") + w.path)
            specs.append({"parameter": {"arg": {"name": name}, "parameter_name": w.path}} if w.trained else
                         {"buffer": {"arg": {"name": name}, "buffer_name": w.path, "persistent": True}})
            arguments.append(name)
            block.tensors[name] = self.meta(w.value.type, w.trained)
        for name, v in user:
            specs.append({"user_input": {"arg": {"as_tensor": {"name": name}}}})
            arguments.append(name)
            block.tensors[name] = self.meta(v.type, shape=self.types[v])
        names = list(graph.outputs)
        if len(names) == 1:  # a program of one output is named after it
            out = graph.outputs[names[0]]
            if out.node is not None and out not in outer.of:
                outer.add(out, names[0], "output")
        block.run(graph)
        outputs = [outer.of[v] for v in graph.outputs.values()]
        leaf: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
        single = len(names) == 1
        out_spec = leaf if single else {"type": "builtins.dict", "context": json.dumps(names),
                                        "children_spec": [leaf] * len(names)}
        in_spec = {"type": "builtins.tuple", "context": "null", "children_spec": [
            {"type": "builtins.tuple", "context": "null", "children_spec": [leaf] * len(user)},
            {"type": "builtins.dict", "context": "[]", "children_spec": []}]}
        return {
            "graph_module": {
                "graph": block.said(arguments, outputs),
                "signature": {"input_specs": specs, "output_specs": [
                    {"user_output": {"arg": {"as_tensor": {"name": n}}}} for n in outputs]},
                "module_call_graph": [{"fqn": "", "signature": {
                    "inputs": [], "outputs": [], "in_spec": json.dumps([1, in_spec]),
                    "out_spec": json.dumps([1, out_spec]), "forward_arg_names": [n for n, _ in user]}}],
                "metadata": {"custom": json.dumps({"modelport:outputs": names})} if single else {},
                "treespec_namedtuple_fields": {}},
            "opset_version": {"aten": 10}, "range_constraints": self.ranges,
            "schema_version": {"major": 8, "minor": 8}, "verifiers": ["TRAINING"], "torch_version": "2.9.0",
            "guards_code": []}


class _Block:
    """The calls of a graph or body."""

    def __init__(self, program: _Program, scope: Scope) -> None:
        self.program, self.scope = program, scope
        self.nodes: list[dict[str, Any]] = []
        self.tensors: dict[str, Any] = {}
        self.numbers: dict[str, Any] = {}

    def said(self, inputs: Sequence[str], outputs: Sequence[str], single: bool = False) -> dict[str, Any]:
        return {"inputs": [{"as_tensor": {"name": n}} for n in inputs],
                "outputs": [{"as_tensor": {"name": n}} for n in outputs], "nodes": self.nodes,
                "tensor_values": self.tensors, "sym_int_values": self.numbers, "sym_bool_values": {},
                "is_single_tensor_return": single, "custom_obj_values": {}, "sym_float_values": {}}

    def run(self, graph: Graph) -> None:
        for node in graph.nodes:
            self.call(node)

    def call(self, node: Node) -> None:
        """One node, and what is known of its results."""
        read = list(dict.fromkeys(v for b in node.bodies.values() for v in b.constants))
        bodies = {k: self._body(b, read, k == "0" and node.op == "higher_order.while_loop")
                  for k, b in node.bodies.items()}
        by_place, by_name = positional(node)
        inputs = [{"name": k if not k.isdigit() else "", "arg": self.argument(node, a) if k not in bodies
                   else bodies[k], "kind": 1 + (k in by_name)} for k, a in {**by_place, **by_name}.items()]
        if node.bodies and read:
            captured: Any = inputs[-1]["arg"]
            captured["as_tensors"] += [{"name": self.scope.of[v]} for v in read]
        outputs: list[Any] = []
        # a call of several results has a name of its own
        names = [self.scope.names.new(node.op.split(".")[1])] if len(node.outputs) > 1 or node.op in LISTS \
            or node.bodies else []
        for k, v in enumerate(node.outputs):
            name = self.scope.of.get(v) or self.scope.result(node, k)
            names.append(name)
            if is_number(v):
                self.numbers[name] = self._number(node, v)
                outputs.append({"as_sym_int": {"as_name": name}})
            else:
                self.tensors[name] = self.program.meta(v.type)
                outputs.append({"as_tensor": {"name": name}})
        if node.op in LISTS:
            outputs = [{"as_tensors": [o["as_tensor"] for o in outputs]}]
        higher = node.op.startswith("higher_order.")
        target = node.op if node.op.startswith("_operator.") or node.op.startswith("torch.") else \
            f"torch.ops.{full(node.op.removeprefix('aten.'))}" if not higher else f"torch.ops.{node.op}"
        self.nodes.append({"target": target, "inputs": inputs, "outputs": outputs, "metadata": self._metadata(node),
                           "is_hop_single_tensor_return": False if higher else None, "name": names[0]})

    def _metadata(self, node: Node) -> dict[str, str]:
        from .plan import module_path
        path = module_path(node.origin)
        return {"nn_module_stack": f"L__self__,,torch.nn.modules.module.Module;{path},{path},"
                                   "torch.nn.modules.module.Module"} if path else {}

    def _number(self, node: Node, v: Value) -> dict[str, Any]:
        """The expression of a number, as far as it is known."""
        if node.op == "aten.sym_size.int":
            x = node.inputs[0]
            assert x is not None
            known = self.tensors[self.scope.of[x]]["sizes"][node.attrs["dim"]]
            return cast("dict[str, Any]", known)
        if node.op == "aten.item.default":
            return self.program.size(None)
        parts: list[tuple[str, int | None]] = []
        for k in ("a", "b"):
            a = node.attrs[k]
            if isinstance(a, int):
                parts.append((f"Integer({a})", a))
                continue
            of = node.inputs[a.place]
            assert of is not None
            said = self.numbers[self.scope.of[of]]
            if "as_int" in said:
                parts.append((f"Integer({said['as_int']})", said["as_int"]))
            else:
                hint = said["as_expr"]["hint"]
                parts.append((said["as_expr"]["expr_str"], None if hint is None else hint["as_int"]))
        (a_text, a), (b_text, b) = parts
        name = node.op.rpartition(".")[2]
        text = {"add": f"Add({a_text}, {b_text})", "sub": f"Add({a_text}, Mul(Integer(-1), {b_text}))",
                "mul": f"Mul({a_text}, {b_text})", "floordiv": f"FloorDiv({a_text}, {b_text})",
                "sym_max": f"Max({a_text}, {b_text})", "sym_min": f"Min({a_text}, {b_text})"}[name]
        value = None if a is None or b is None else {
            "add": a + b, "sub": a - b, "mul": a * b, "floordiv": a // b if b else 0, "sym_max": max(a, b),
            "sym_min": min(a, b)}[name]
        return {"as_expr": {"expr_str": text, "hint": None if value is None else {"as_int": value}}}

    def argument(self, node: Node, a: Any) -> dict[str, Any]:
        """An argument in the union of the schema."""
        if isinstance(a, In):
            v = node.inputs[a.place]
            assert v is not None
            name = self.scope.of[v]
            return {"as_sym_int": {"as_name": name}} if is_number(v) else {"as_tensor": {"name": name}}
        if a is None:
            return {"as_none": True}
        if isinstance(a, bool):
            return {"as_bool": a}
        if isinstance(a, int):
            return {"as_int": a}
        if isinstance(a, float):
            return {"as_float": a if math.isfinite(a) else "NaN" if a != a else "Infinity" if a > 0 else "-Infinity"}
        if isinstance(a, str):
            return {"as_string": a}
        if isinstance(a, np.dtype):
            return {"as_scalar_type": to_export(a)}
        if isinstance(a, tuple):
            return self._list(node, a)
        raise UnsupportedModel([Unsupported(f"an argument that is {type(a).__name__}", node)], "PyTorch")

    def _list(self, node: Node, a: Sequence[Any]) -> dict[str, Any]:
        values = [node.inputs[x.place] if isinstance(x, In) else x for x in a]
        tensors = [v for v in values if isinstance(v, Value) and not is_number(v)]
        if tensors:
            if any(v is None for v in values):
                return {"as_optional_tensors": [{"as_none": True} if v is None else {"as_tensor": {
                    "name": self.scope.of[cast(Value, v)]}} for v in values]}
            if node.op in ("aten.index.Tensor", "aten.index_put.default"):
                return {"as_optional_tensors": [{"as_tensor": {"name": self.scope.of[v]}} for v in tensors]}
            return {"as_tensors": [{"name": self.scope.of[v]} for v in tensors]}
        if any(isinstance(v, Value) for v in values):
            return {"as_sym_ints": [{"as_name": self.scope.of[v]} if isinstance(v, Value) else {"as_int": v}
                                    for v in values]}
        if not a and node.op.startswith("higher_order."):
            return {"as_tensors": []}
        if any(isinstance(v, float) for v in a):
            return {"as_floats": list(a)}
        if any(isinstance(v, bool) for v in a):
            return {"as_bools": list(a)}
        return {"as_ints": [int(v) for v in a]}

    def _body(self, body: Graph, read: Sequence[Value], single: bool) -> dict[str, Any]:
        """A body, closed: the weights that it or another one reads are passed in after what it captures."""
        scope = Scope(Names())
        block = _Block(self.program, scope)
        inputs = []
        self.program.bodies += 1
        number = self.program.bodies
        for k, v in body.inputs.items():
            inputs.append(scope.add(v, v.name or k, "arg"))
            block.tensors[inputs[-1]] = self.program.meta(v.type)
        for v in read:
            inputs.append(scope.add(v, v.name, "weight"))
            block.tensors[inputs[-1]] = self.program.meta(v.type)
        block.run(body)
        return {"as_graph": {"name": f"body_{number}", "graph": block.said(
            inputs, [scope.of[v] for v in body.outputs.values()], single)}}


def _alone(d: str) -> bool:
    """Whether a size is a symbol, not an expression of others."""
    return dict(poly(d)) == {(d,): 1} and "//" not in d and "(" not in d


def _calculate(name: str, parts: Sequence[Any]) -> int:
    if name == "FloorDiv":
        return int(parts[0] // parts[1])
    ways: dict[str, Callable[[Any], Any]] = {"int": lambda p: p[0], "Add": sum, "Mul": math.prod, "Min": min,
                                             "Max": max}
    return int(ways[name](parts))


def _spell(name: str, parts: Sequence[Any]) -> str:
    return f"Integer({parts[0]})" if name == "int" else f"{name}({', '.join(map(str, parts))})"


__all__ = ["DType", "Dim", "Mapping", "Records", "write"]
