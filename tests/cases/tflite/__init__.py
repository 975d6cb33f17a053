"""The cases of TensorFlow Lite's operators; importing the package makes them all."""
from . import layers, maths, shapes
from .case import CASES, Case

__all__ = ["CASES", "Case", "layers", "maths", "shapes"]
