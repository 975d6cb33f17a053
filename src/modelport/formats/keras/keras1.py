"""Keras 1: other names for the same, and weights in other shapes.

Source: the converters of configurations and weights of Keras 2 (facts; none of their code)."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...codecs.limits import DEFAULT
from ...errors import Unsupported
from ...ir.graph import Value
from ...ir.tensor import Tensor
from ...ir.types import Type
from .config import Net, inner
from .layers import OLD_NAMES
from .weights import Scope

_RENAMED = {"border_mode": "padding", "output_dim": "units", "nb_filter": "filters", "bias": "use_bias",
            "inner_activation": "recurrent_activation", "subsample": "strides", "dim_ordering": "data_format",
            "atrous_rate": "dilation_rate", "filter_length": "kernel_size", "subsample_length": "strides",
            "pool_length": "pool_size", "stride": "strides", "concat_axis": "axis", "length": "size"}
_VALUES = {"tf": "channels_last", "th": "channels_first", "default": "channels_last"}
_CONVOLUTIONS = frozenset({"Conv1D", "Conv2D", "Conv3D", "Conv2DTranspose", "SeparableConv2D", "DepthwiseConv2D",
                           "Conv3DTranspose", "LocallyConnected1D", "LocallyConnected2D"})


def modernize(net: Net) -> None:
    """Gives the layers of a net the names and attributes of Keras 2."""
    for layer in net.layers.values():
        layer.kind, layer.config = modern(layer.kind, layer.config)


def modern(kind: str, config: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The class and configuration of Keras 2 that mean the same."""
    kind = OLD_NAMES.get(kind, kind)
    out: dict[str, Any] = {}
    for key, value in config.items():
        if key == "output_dim" and kind == "Embedding":
            out[key] = value
            continue
        out[_RENAMED.get(key, key)] = _VALUES.get(value, value) if key == "dim_ordering" and isinstance(value, str) \
            else value
    if "nb_row" in out:
        out["kernel_size"] = [out.pop("nb_row"), out.pop("nb_col")]
    if "kernel_dim1" in out:
        out["kernel_size"] = [out.pop(f"kernel_dim{k}") for k in (1, 2, 3)]
    if kind == "BatchNormalization":
        mode = out.pop("mode", 0)
        if mode not in (0, 2):
            raise Unsupported(f"BatchNormalization of Keras 1 with mode {mode}")
    if kind == "Merge":
        mode = out.pop("mode", "sum")
        names = {"sum": "Add", "mul": "Multiply", "concat": "Concatenate", "ave": "Average", "max": "Maximum",
                 "dot": "Dot", "cos": "Dot"}
        if mode not in names or config.get("layers"):
            raise Unsupported(f"Merge of Keras 1 with mode '{mode}'")
        kind = names[mode]
        axis, axes = out.pop("axis", -1), out.pop("dot_axes", -1)
        out = {"name": out.get("name")}
        if kind == "Concatenate":
            out["axis"] = axis
        if kind == "Dot":
            out.update(axes=axes, normalize=mode == "cos")
    if kind == "Conv2DTranspose":
        out.pop("output_shape", None)
    if kind in ("Flatten", "Reshape", "Permute", "RepeatVector"):
        out.pop("data_format", None) if out.get("data_format") == "channels_last" else None
    if kind == "GRU":
        out["reset_after"] = False
    if isinstance(out.get("layer"), dict):
        held = inner(out["layer"], DEFAULT)  # it was counted with its model
        new_kind, new_config = modern(held.kind, held.config)
        out["layer"] = {"class_name": new_kind, "config": new_config}
    return kind, out


def weights(kind: str, config: Mapping[str, Any], scope: Scope, spec: Sequence[tuple[str, str]], where: str,
            backend: str, major: int) -> list[Value]:
    """The weights of a layer of Keras 1, or of Keras 2 on Theano, as Keras 2 keeps them on TensorFlow."""
    found = getattr(scope, "found", None)
    if major < 2 and found is not None and kind in ("LSTM", "GRU") and len(found) in (12, 9):
        gates = "icfo" if kind == "LSTM" else "zrh"
        order = "ifco" if kind == "LSTM" else "zrh"
        arrays = [d.numpy() for _, d in found]
        of = {g: arrays[3 * k:3 * k + 3] for k, g in enumerate(gates)}
        return [_constant(np.concatenate([of[g][k] for g in order], axis=-1), f"{where}/{name}")
                for k, (_, name) in enumerate(spec)]
    values = scope.take(spec, where)
    if kind in _CONVOLUTIONS and values:
        kernel = values[0].numpy()
        flip = backend == "theano"
        if major < 2 and kind == "Conv1D" and kernel.ndim == 4:
            first = kernel.shape[0] == _first(config.get("kernel_size")) and kernel.shape[1] == 1
            kernel = kernel[:, 0] if first else kernel[:, :, :, 0].transpose(2, 1, 0)
        elif major < 2 and config.get("data_format") == "channels_first" and kernel.ndim in (4, 5):
            spatial = tuple(range(2, kernel.ndim))
            kernel = kernel.transpose(*spatial, 1, 0)
        if flip and not kind.startswith("Locally"):
            kernel = np.flip(kernel, axis=tuple(range(kernel.ndim - 2)))
        if kernel is not values[0].numpy():
            values[0] = _constant(np.ascontiguousarray(kernel), values[0].name)
    return values


def _first(x: Any) -> Any:
    return x[0] if isinstance(x, list) and x else x


def _constant(array: Any, name: str) -> Value:
    return Value(Type(array.dtype, array.shape), name, data=Tensor(array))
