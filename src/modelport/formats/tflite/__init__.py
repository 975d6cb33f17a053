"""TensorFlow Lite: ``.tflite`` files of the FlatBuffers schema version 3."""
from .container import read, sniff
from .translate import to_hub
from .writer import write

__all__ = ["read", "sniff", "to_hub", "write"]
