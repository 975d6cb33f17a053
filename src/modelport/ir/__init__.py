"""The model in memory: immutable graphs of values and nodes, and rules that turn one into another."""
from .graph import Graph, Node, Value, constant, rebuild
from .rules import Builder, Rules, static, translate
from .tensor import Tensor
from .types import Dim, Quant, Shape, Type

__all__ = ["Builder", "Dim", "Graph", "Node", "Quant", "Rules", "Shape", "Tensor", "Type", "Value", "constant",
           "rebuild", "static", "translate"]
