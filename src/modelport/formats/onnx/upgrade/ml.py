"""Old forms of the operators of ai.onnx.ml."""
from __future__ import annotations

from ....errors import Unsupported
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.types import STRING
from .table import below


@below(2, "ai.onnx.ml.LabelEncoder")
def label_encoder(op: Builder, x: Value, *, classes_strings: tuple[str, ...] = (), default_int64: int = -1,
                  default_string: str = "_Unused") -> Value:
    """Text became its place in ``classes_strings``, and numbers the text at that place."""
    places = tuple(range(len(classes_strings)))
    if not classes_strings:
        raise Unsupported("without classes")
    if x.dtype == STRING:
        made: Value = op.ml.LabelEncoder(x, keys_strings=classes_strings, values_int64s=places,
                                         default_int64=default_int64)
    else:
        made = op.ml.LabelEncoder(x, keys_int64s=places, values_strings=classes_strings, default_string=default_string)
    return made


@below(2, "ai.onnx.ml.ZipMap")
def zip_map(op: Builder, x: Value, *, classlabels_strings: tuple[str, ...] = (),
            classlabels_int64s: tuple[int, ...] = ()) -> Value:
    """The numbers of which maps were made."""
    count = len(classlabels_strings or classlabels_int64s)
    if x.rank not in (None, 2) or (x.shape is not None and isinstance(x.shape[1], int) and x.shape[1] != count):
        raise Unsupported(f"maps of {count} classes from {x.type}")
    op.note("info", f"maps from {count} classes to probabilities are read as the tensor (rows, classes)")
    made: Value = op.Identity(x)
    return made
