"""TensorFlow's operators in numpy, and raw graphs run with them: an independent reading of what they mean."""
from . import arrays, cudnn, image, integers, lists, maths, nn, quant, ragged, random, text, warp
from .lists import call, run
from .table import OPS, UNFOLDED, Refused, TensorList, evaluate

FOLDABLE = frozenset(OPS) - UNFOLDED
"""Operators that may be computed when a model is read."""

__all__ = ["FOLDABLE", "OPS", "UNFOLDED", "Refused", "TensorList", "arrays", "call", "cudnn", "evaluate", "image",
           "integers", "lists", "maths", "nn", "quant", "ragged", "random", "run", "text", "warp"]
