"""A user's arrays as the feeds of a model."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .errors import UsageError, printable
from .ir.tensor import Array
from .ir.types import STRING, Type, dtype_name


def bind(inputs: Mapping[str, Type], feeds: Mapping[str, Any] | Array | None,
         named: Mapping[str, Any]) -> dict[str, Array]:
    """Arrays by input name, each of the input's element type; one array alone is the only input, and a table of pandas
    has the columns that the inputs are named after.

    Raises :class:`UsageError` on a missing or unknown name, a shape that does not fit, or a cast that would change a
    value."""
    if feeds is None:
        given: dict[str, Any] = dict(named)
    elif isinstance(feeds, Mapping):
        given = {**feeds, **named}
    elif len(inputs) == 1:
        given = {next(iter(inputs)): feeds, **named}
    elif hasattr(feeds, "columns"):
        given = {str(c): feeds[c].to_numpy().reshape(-1, 1) for c in feeds.columns if str(c) in inputs}
    else:
        raise UsageError(f"the model has {len(inputs)} inputs: {_names(inputs)}; give each by name")
    unknown, missing = set(given) - set(inputs), set(inputs) - set(given)
    if unknown:
        raise UsageError(f"the model has no input {', '.join(map(printable, sorted(unknown)))}",
                         hint=f"its inputs: {_names(inputs)}")
    if missing:
        raise UsageError(f"missing input {', '.join(map(printable, sorted(missing)))}")
    return {name: _array(name, type, given[name]) for name, type in inputs.items()}


def _names(inputs: Mapping[str, Type]) -> str:
    return ", ".join(f"{printable(k)}: {t}" for k, t in inputs.items())


def _array(name: str, type: Type, value: Any) -> Array:
    if hasattr(value, "to_numpy"):  # a pandas frame or series
        value = value.to_numpy()
    array = np.asarray(value)
    if type.dtype == STRING:  # which has no missing value: the empty text stands for it
        texts = ["" if v is None or v != v else str(v) for v in array.ravel().tolist()]
        array = np.array([*texts, None], object)[:-1].reshape(array.shape)
    elif array.dtype != type.dtype:
        cast = array.astype(type.dtype)
        exact = array.dtype.kind in "biuf" and ((type.dtype.kind == "f" and array.dtype.kind == "f")
                                                or bool((cast.astype(array.dtype) == array).all()))
        if not exact:
            raise UsageError(f"input '{printable(name)}' takes {dtype_name(type.dtype)}; casting the "
                             f"{dtype_name(array.dtype)} given would change values")
        array = cast
    if type.shape is not None and (array.ndim != len(type.shape) or any(
            isinstance(d, int) and d != n for d, n in zip(type.shape, array.shape, strict=True))):
        raise UsageError(f"input '{printable(name)}' takes {type}, the array given has shape {list(array.shape)}")
    return array
