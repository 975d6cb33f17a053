"""The inputs and outputs of what does not say them: TorchScript, modules, state dicts.

``--inputs`` says types and shapes, "float32[batch,3,224,224]" or "x:int64[1,seq]", one for each input, or fixes a
number, "sr=16000"; where nothing is said, what the code takes is found by trying."""
from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import product
from typing import Any

from ...errors import ModelportError, Unsupported, UnsupportedModel, UsageError, printable
from ...ir.graph import Graph, Node, Value
from ...ir.rules import Builder
from ...ir.types import Dim, DType, Type
from .elements import dtype as element
from .machine import Box
from .values import I64, Complex, Quantized, is_number, paired, tensor

_RANKS = (2, 4, 3, 5, 1)
"""How many axes an input is taken to have, in this order, where nothing says it: the first that the code takes."""
_NUMBERS = {"int": "int64", "float": "float64", "bool": "bool"}


def numbers(inputs: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    """What is said of inputs, apart from numbers that are fixed ("sr=16000")."""
    rest, fixed = [], dict[str, Any]()
    for text in inputs:
        name, equal, value = text.partition("=")
        if not equal:
            rest.append(text)
            continue
        try:
            fixed[name.strip()] = ast.literal_eval(value.strip())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            raise UsageError(f"'{printable(value)}' is no number") from None
    return rest, fixed


def parsed(text: str) -> tuple[str, Type]:
    """ "x:float32[batch,3]" as a name and a type."""
    m = re.fullmatch(r"(?:([^:\[\]]+):)?(\w+)(?:\[([^\[\]]*)\])?", text.strip())
    if m is None:
        raise UsageError(f"'{printable(text)}' describes no input", hint="write for example x:float32[batch,3,224,224]")
    shape: list[Dim] = [int(d) if d.isdigit() else d for d in (p.strip() for p in (m[3] or "").split(",")) if d]
    try:
        return m[1] or "", Type(element(m[2]), tuple(shape))
    except TypeError:
        raise UsageError(f"'{printable(m[2])}' is no element type") from None


def said(inputs: Sequence[str], free: Sequence[str], known: Iterable[str]) -> dict[str, Type]:
    """The types that are said of the inputs ``free``, and perhaps of others that are ``known``."""
    found: dict[str, Type] = {}
    for text in inputs:
        own, type = parsed(text)
        if own and own not in free and own not in known:
            raise UsageError(f"the model has no input '{printable(own)}'; it has {', '.join(free)}")
        name = own or next((n for n in free if n not in found), "")
        if not name:
            raise UsageError(f"{len(inputs)} inputs are described, the model has {len(free)}: {', '.join(free)}")
        found[name] = type
    missing = [n for n in free if n not in found]
    if missing:
        raise UsageError(f"the input '{printable(missing[0])}' is not described")
    return found


def guesses(names: Sequence[tuple[str, str]]) -> Iterator[dict[str, Type]]:
    """Types that inputs may have, tensors of all inputs alike first; ``names`` with what the code says of their kind
    ("Tensor", "int")."""
    fixed = {n: Type(element(_NUMBERS[kind]), ()) for n, kind in names if kind in _NUMBERS}
    free = [n for n, _ in names if n not in fixed]
    if not free:
        yield {n: fixed[n] for n, _ in names}
        return
    kinds: Sequence[DType] = (element("float32"), I64)
    alike = [(t,) * len(free) for t in product(kinds, _RANKS)]
    mixed = list(product(product(kinds, _RANKS[:3]), repeat=len(free))) if 1 < len(free) < 4 else []
    for choice in [*alike, *mixed]:
        made: dict[str, Type] = {}
        for k, (n, (kind, rank)) in enumerate(zip(free, choice, strict=True)):
            own = "" if len(free) == 1 else f"{k}"
            sizes = [f"d{own}{'_' * bool(own)}{a}" for a in range(1, rank)]
            made[n] = Type(kind, ("batch", *sizes) if rank else ())
        yield {n: made.get(n) or fixed[n] for n, _ in names}


def hopeless(e: UnsupportedModel) -> bool:
    """Whether it fails with inputs of any shape."""
    return any(text in str(e) for text in ("no translation", "is not in the file"))


def first(choices: Iterable[dict[str, Type]], run: Callable[[dict[str, Type]], Graph], what: str) -> dict[str, Type]:
    """The first types with which ``run`` succeeds; ``what`` does not say them ("TorchScript")."""
    problem: ModelportError | None = None
    names = ""
    for made in choices:
        names = ", ".join(made)
        try:
            return narrowed(made, run(made), run)
        except UnsupportedModel as e:
            problem = problem or e
            if hopeless(e):
                raise
        except ModelportError as e:
            problem = problem or e
    raise UsageError(f"{what} does not say the shapes of its inputs ({names}), and none that was tried runs: "
                     f"{printable(' '.join(str(problem or '').split()), 300)}",
                     hint="say them: --inputs 'float32[batch,3,224,224]'")


def narrowed(types: dict[str, Type], graph: Graph, run: Callable[[dict[str, Type]], Graph]) -> dict[str, Type]:
    """The types with the sizes that weights ask of an input: the channels of a convolution, the width of a product."""
    sizes: dict[tuple[str, int], set[int]] = {}
    names = {v: n for n, v in graph.inputs.items()}
    for node in graph.nodes:
        x, w = [*node.inputs, None, None][:2]
        if x not in names or w is None or w.shape is None or x is None or x.rank is None:
            continue
        axis, size = {"Conv": (1, w.shape[1:2]), "ConvTranspose": (1, w.shape[:1]), "MatMul": (-1, w.shape[:1]),
                      "Gemm": (-1, w.shape[1:2] if node.attrs.get("transB") else w.shape[:1])}.get(node.op, (0, ()))
        if size and isinstance(size[0], int):
            groups = node.attrs.get("group", 1) if node.op == "Conv" else 1
            sizes.setdefault((names[x], axis % x.rank), set()).add(size[0] * groups)
    found = dict(types)
    for (name, axis), known_sizes in sizes.items():
        shape = list(found[name].shape or ())
        if len(known_sizes) == 1 and axis < len(shape):
            shape[axis] = next(iter(known_sizes))
            found[name] = found[name].with_shape(tuple(shape))
    try:
        run(found)
    except ModelportError:
        return types
    return found


def held(op: str, hub: Graph) -> Graph:
    """A raw graph of one node, which holds the hub graph."""
    values = {n: Value(v.type, n) for n, v in hub.inputs.items()}
    node = Node(op, list(values.values()), {"graph": hub}, [v.type for v in hub.outputs.values()], list(hub.outputs),
                "main")
    return Graph(values, dict(zip(hub.outputs, node.outputs, strict=True)), "main")


def outputs(op: Builder, made: Any, name: str = "") -> Iterator[tuple[str, Value]]:
    """The outputs with names: keys of dictionaries, else numbers."""
    if isinstance(made, dict):
        for k, v in made.items():
            yield from outputs(op, v, f"{name}_{k}" if name else str(k))
    elif isinstance(made, (list, tuple)):
        for k, v in enumerate(made):
            yield from outputs(op, v, f"{name}_{k}" if name else "output" if len(made) == 1 else f"output_{k}")
    elif isinstance(made, Box) or is_number(made):
        value = made.value if isinstance(made, Box) else tensor(op, made)
        if isinstance(value, Quantized):
            op.note("changed", f"the output '{printable(name or 'output')}' is quantized in PyTorch; here it is what "
                               "its numbers stand for")
            value = value.real
        value = paired(op, value) if isinstance(value, Complex) else value
        yield name or "output", op.Identity(value) if value.node is None else value
    elif made is not None:
        raise Unsupported(f"an output that is a {type(made).__name__}")
