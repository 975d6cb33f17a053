"""The cases of TensorFlow Lite's operators; importing the package makes them all."""
from . import control, layers, maths, shapes, windows
from .case import CASES, Case

__all__ = ["CASES", "Case", "control", "layers", "maths", "shapes", "windows"]
