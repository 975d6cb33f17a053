"""How the calls of ATen's operators are spelled in Python that people read."""
from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...ir.graph import Node
from .raw import In, is_number, keywords, positional

if TYPE_CHECKING:
    from .source_writer import Source

_INFIX = {"add.Tensor": "+", "sub.Tensor": "-", "mul.Tensor": "*", "div.Tensor": "/", "eq.Tensor": "==",
          "ne.Tensor": "!=", "lt.Tensor": "<", "le.Tensor": "<=", "gt.Tensor": ">", "ge.Tensor": ">=",
          "eq.Scalar": "==", "ne.Scalar": "!=", "lt.Scalar": "<", "le.Scalar": "<=", "gt.Scalar": ">",
          "ge.Scalar": ">=", "pow.Tensor_Scalar": "**", "bitwise_and.Tensor": "&", "bitwise_or.Tensor": "|",
          "bitwise_xor.Tensor": "^"}
_NUMBERS = {"_operator.add": "+", "_operator.sub": "-", "_operator.mul": "*", "_operator.floordiv": "//"}
_TORCH = frozenset("""
abs neg ceil floor round sign exp log sqrt reciprocal sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
erf logical_not isnan isinf sigmoid relu clamp clamp_min clamp_max selu celu threshold prelu remainder.Tensor
fmod.Tensor pow.Tensor_Tensor logical_and logical_or logical_xor bitwise_not bitwise_left_shift.Tensor
bitwise_right_shift.Tensor maximum minimum where.self where.ScalarOther where.ScalarSelf rsub.Scalar div.Tensor_mode
sum.dim_IntList mean.dim amax amin prod.dim_int any.dims all.dims logsumexp argmax argmin cumsum cumprod matmul
einsum conv1d conv2d conv3d conv_transpose1d conv_transpose2d.input conv_transpose3d.input max_pool1d max_pool2d
max_pool3d batch_norm instance_norm softmax.int log_softmax.int embedding flip index_select gather tril triu nonzero
masked_select pixel_shuffle grid_sampler cat stack lstm.input gru.input rnn_tanh.input rnn_relu.input clone full
arange.start_step scalar_tensor layer_norm group_norm rms_norm split_with_sizes unbind.int transpose.int index_put
sort.stable
""".split())
"""Operators that torch has under their own name, with the arguments of the schema."""
_FUNCTIONAL = frozenset("""
linear gelu hardsigmoid hardswish elu leaky_relu softplus silu mish scaled_dot_product_attention avg_pool1d
avg_pool2d avg_pool3d adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d
""".split())
_METHODS = frozenset("reshape permute expand repeat unsqueeze squeeze.dim squeeze.dims to.dtype view.dtype contiguous "
                     "flatten.using_ints".split())
_MADE = frozenset({"full", "arange.start_step", "scalar_tensor"})


class Spelling:
    """Expressions for calls."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __call__(self, node: Node) -> str:
        """The expression of a call that is no layer."""
        op = node.op
        if op in _NUMBERS:
            return f"{self.value(node, node.attrs['a'])} {_NUMBERS[op]} {self.value(node, node.attrs['b'])}"
        if op.startswith("torch.sym_"):
            return f"{op[10:]}({self.value(node, node.attrs['a'])}, {self.value(node, node.attrs['b'])})"
        name = op.removeprefix("aten.").removesuffix(".default")
        by_place, by_name = positional(node)
        if name in _INFIX and len(by_place) == 2 and not by_name:
            a, b = (self.value(node, v) for v in by_place.values())
            return f"{a} {_INFIX[name]} {b}"
        special = _SPECIAL.get(name)
        if special is not None:
            return special(self, node, dict(node.attrs))
        args = [self.value(node, v) for v in by_place.values()]
        named = [f"{k}={self.value(node, v)}" for k, v in by_name.items()]
        if name in _MADE and self._source.graph.inputs:
            self._source.device = True
            named.append("device=device")
        plain = name.partition(".")[0]
        if name in _METHODS:
            return f"{args[0]}.{plain}({', '.join([*args[1:], *named])})"
        space = "torch" if name in _TORCH else "F" if name in _FUNCTIONAL else ""
        if space:
            return f"{space}.{plain}({', '.join([*args, *named])})"
        overload = name.partition(".")[2] or "default"
        return f"torch.ops.aten.{plain}.{overload}({', '.join([*args, *named])})"

    def value(self, node: Node, a: Any) -> str:
        """An argument."""
        if isinstance(a, In):
            v = node.inputs[a.place]
            assert v is not None
            return self._source.reference(v)
        if isinstance(a, (tuple, list)):
            return f"[{', '.join(self.value(node, x) for x in a)}]"
        if isinstance(a, np.dtype):
            return f"torch.{a.name}"
        if isinstance(a, float) and not math.isfinite(a):
            return f'float("{a}")'
        return repr(a)


def _slice(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    first, last, step = (s.value(node, a[k]) for k in ("start", "end", "step"))
    first = "" if first == "0" else first
    last = "" if isinstance(a["end"], int) and a["end"] >= 1 << 31 else last
    said = f"{first}:{last}" + (f":{step}" if step != "1" else "")
    return f"{s.value(node, a['self'])}[{':, ' * a['dim']}{said}]"


def _select(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    return f"{s.value(node, a['self'])}[{':, ' * a['dim']}{s.value(node, a['index'])}]"


def _index(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    where = ", ".join(":" if x is None else s.value(node, x) for x in a["indices"])
    return f"{s.value(node, a['self'])}[{where}]"


def _put(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    where = ", ".join(s.value(node, x) for x in a["indices"])
    return (f"torch.index_put({s.value(node, a['self'])}, ({where},), {s.value(node, a['values'])}, "
            f"accumulate={bool(a.get('accumulate', False))})")


def _pad(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    said = f"F.pad({s.value(node, a['self'])}, {s.value(node, a['pad'])}"
    if "mode" in a:
        return f"{said}, mode={a['mode']!r})"
    return f"{said}, value={s.value(node, a['value'])})" if a.get("value") else f"{said})"


def _size(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    return f"{s.value(node, a['self'])}.size({a['dim']})"


def _several(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    """A method whose list may be given as arguments."""
    own, many = (s.value(node, v) for v in a.values())
    return f"{own}.{node.op.split('.')[1]}({many if many == '[]' else many[1:-1]})"


def _flatten(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    return f"{s.value(node, a['self'])}.flatten({a['start_dim']})"


def _pool(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    """A window of equal sizes as one number, and what is not the default."""
    name, kernel = node.op.split(".")[1], _short(a.get("kernel_size", a.get("output_size")))
    said = [s.value(node, a["self"]), kernel]
    if "stride" in a and _short(a["stride"]) != kernel:
        said.append(f"stride={_short(a['stride'])}")
    said += [f"{k}={_short(a[k])}" for k, d in (("padding", 0), ("dilation", 1)) if k in a and set(a[k]) != {d}]
    said += [f"{k}={a[k]}" for k, d in (("ceil_mode", False), ("count_include_pad", True)) if a.get(k, d) != d]
    return f"F.{name}({', '.join(said)})"


def _short(values: Any) -> str:
    return str(values[0]) if len(set(values)) == 1 else str(tuple(values))


def _item(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    return f"int({s.value(node, a['self'])})"


def _layer_norm(s: Spelling, node: Node, a: dict[str, Any]) -> str:
    return f"F.layer_norm({', '.join(s.value(node, v) for v in a.values())})"


_SPECIAL: dict[str, Callable[[Spelling, Node, dict[str, Any]], str]] = {
    "slice.Tensor": _slice, "select.int": _select, "index.Tensor": _index, "index_put": _put, "constant_pad_nd": _pad,
    "pad": _pad, "sym_size.int": _size, "item": _item, "layer_norm": _layer_norm,
    "flatten.using_ints": _flatten, **dict.fromkeys(("reshape", "permute", "expand", "repeat"), _several),
    **{f"{k}{n}d": _pool for k in ("max_pool", "avg_pool", "adaptive_avg_pool") for n in (1, 2, 3)}}

__all__ = ["Spelling", "is_number", "keywords"]
