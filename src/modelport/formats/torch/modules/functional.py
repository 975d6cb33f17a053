"""Functions of ``torch`` and ``torch.nn.functional`` and methods of tensors, as Python's code calls them: where their
arguments are not those of the operator of ATen."""
from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ....errors import Unsupported, printable
from ..elements import dtype as element
from ..machine import Box
from ..values import Quantized, Sym
from .layers import interpolated
from .run import Run

Rule = Callable[..., Any]
FUNCTIONS: dict[str, Rule] = {}
METHODS: dict[str, Rule] = {}
_MANY = frozenset("view reshape permute expand repeat flip tile new_zeros new_ones".split())
"""Take their sizes one by one, too."""


def _function(*names: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        for n in names:
            FUNCTIONS[n] = rule
        return rule
    return register


def called(run: Run, space: str, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """``torch.name(...)`` or ``torch.nn.functional.name(...)``"""
    named = {"dim" if k == "axis" else k: v for k, v in kwargs.items() if k != "out" or v is not None}
    rule = FUNCTIONS.get(name)
    if rule is not None:
        return rule(run, *args, **named)
    if space == "torch" and name in METHODS and args and isinstance(args[0], Box):
        return METHODS[name](run, *args, **named)
    if named.pop("inplace", False):
        name += "_"
    named.pop("_stacklevel", None)
    if name in ("zeros", "ones") and args and all(isinstance(a, (int, Sym)) for a in args):
        args = [list(args)]
    if run.machine.table.rule(name) is None and run.machine.table.rule(name.removesuffix("_")) is None:
        raise Unsupported(f"the function {printable(space, 40)}.{printable(name, 40)}")
    return run.machine.call(name, list(args), named, label=run.label)


@_function("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout", "feature_alpha_dropout")
def dropout(run: Run, x: Any, p: float = 0.5, training: Any = True, inplace: bool = False) -> Any:
    if training and p:
        raise Unsupported("dropout that is random in inference, too (training=True)")
    return x


def _softmax(name: str) -> None:
    @_function(name)
    def softmax(run: Run, x: Any, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Any:
        if dim is None:
            dim = 0 if run.rank(x) in (0, 1, 3) else 1
        if dtype is not None:
            x = run.call("to", x, dtype)
        return run.call(name, x, dim)


_softmax("softmax")
_softmax("log_softmax")


@_function("interpolate", "upsample")
def interpolate(run: Run, x: Any, *args: Any, **kwargs: Any) -> Any:
    return interpolated(run, x, *args, **kwargs)


@_function("pad")
def pad(run: Run, x: Any, pad: Any, mode: str = "constant", value: Any = None) -> Any:
    return run.call("pad", x, list(pad), mode, value)


def _pool(name: str, indices: bool) -> None:
    @_function(name)
    def pool(run: Run, x: Any, kernel_size: Any, stride: Any = None, *rest: Any, **kwargs: Any) -> Any:
        if kwargs.pop("return_indices", False):
            return run.call(f"{name}_with_indices", x, kernel_size, kernel_size if stride is None else stride, *rest,
                            **kwargs)
        return run.call(name, x, kernel_size, kernel_size if stride is None else stride, *rest, **kwargs)


for _n in (1, 2, 3):
    _pool(f"max_pool{_n}d", True)
    _pool(f"avg_pool{_n}d", False)


@_function("batch_norm")
def batch_norm(run: Run, x: Any, running_mean: Any = None, running_var: Any = None, weight: Any = None,
               bias: Any = None, training: Any = False, momentum: float = 0.1, eps: float = 1e-5) -> Any:
    return run.call("batch_norm", x, weight, bias, running_mean, running_var, training, momentum, eps, False)


@_function("embedding")
def embedding(run: Run, input: Any, weight: Any, padding_idx: Any = None, max_norm: Any = None, **rest: Any) -> Any:
    if max_norm is not None:
        raise Unsupported("an embedding that bounds its rows (max_norm)")
    return run.call("embedding", weight, input)


@_function("normalize")
def normalize(run: Run, x: Any, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> Any:
    length = run.call("clamp_min", run.call("linalg_vector_norm", x, p, [dim], True), eps)
    return run.call("div", x, length)


def _gathered(name: str, first: int) -> None:
    """Functions that take their tensors one by one, or as a list."""
    @_function(name)
    def rule(run: Run, *args: Any, **named: Any) -> Any:
        head, rest = args[:first], args[first:]
        tensors = list(rest[0]) if len(rest) == 1 and isinstance(rest[0], (list, tuple)) else list(rest)
        return run.call(name, *head, tensors, **named)


_gathered("einsum", 1)
_gathered("meshgrid", 0)
_gathered("broadcast_tensors", 0)


@_function("logsigmoid")
def logsigmoid(run: Run, x: Any) -> Any:
    return run.call("log_sigmoid", x)


@_function("unfold")
def unfold(run: Run, x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    return run.call("im2col", x, *(list(v) if isinstance(v, (list, tuple)) else [v, v]
                                   for v in (kernel_size, dilation, padding, stride)))


# -- methods of tensors


def method(run: Run, x: Box, name: str) -> Any:
    """An attribute of a tensor that is no method."""
    if name == "shape":
        return METHODS["size"](run, x)
    if name == "ndim":
        return run.rank(x)
    if name == "dtype":
        return x.value.dtype
    if name in ("data", "real"):
        return x
    if name == "device":
        return None
    if name in ("T", "mT"):
        return run.call("numpy_T" if name == "T" else "mT", x)
    if name == "is_quantized":
        return isinstance(x.value, Quantized)
    if name in ("is_cuda", "requires_grad", "is_sparse", "is_mkldnn"):
        return False
    raise Unsupported(f"the attribute {printable(name, 40)} of a tensor")



def _size(run: Run, x: Box, dim: Any = None) -> Any:
    return [run.size(x, k) for k in range(run.rank(x))] if dim is None else run.size(x, dim)


def _cast(name: str, kind: str) -> None:
    METHODS[name] = lambda run, x, **_: run.call("to", x, element(kind))


def _spread(name: str) -> None:
    METHODS[name] = lambda run, x, *sizes, **named: run.call(
        name, x, *([list(sizes)] if sizes and not isinstance(sizes[0], (list, tuple, np.dtype)) else sizes), **named)


def _to(run: Run, x: Box, *args: Any, **named: Any) -> Any:
    for a in (*args, *named.values()):
        if isinstance(a, np.dtype):
            return run.call("to", x, a)
        if isinstance(a, Box):
            return run.call("to", x, a.value.dtype)
    return x


METHODS["size"] = _size
METHODS["to"] = _to
METHODS["dim"] = METHODS["ndimension"] = lambda run, x: run.rank(x)
for _name, _kind in (("float", "float32"), ("double", "float64"), ("half", "float16"), ("long", "int64"),
                     ("int", "int32"), ("short", "int16"), ("bool", "bool"), ("byte", "uint8")):
    _cast(_name, _kind)
for _name in _MANY:
    _spread(_name)
for _name in ("cuda", "cpu", "detach", "contiguous", "requires_grad_"):
    METHODS[_name] = lambda run, x, *_, **__: x
