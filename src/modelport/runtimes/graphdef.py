"""TensorFlow's models in numpy: the raw graph run by an independent reading of the operators, no TensorFlow needed."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from ..errors import RuntimeFailed, UsageError, printable
from ..formats.tensorflow.container import read
from ..formats.tensorflow.interpret import Refused, run
from ..ir.graph import Graph, Value
from ..ir.tensor import Array
from ..ir.types import Type
from .session import Session


def start(path: Path, *, threads: int = 1, device: str = "cpu", signature: str | None = None, tags: str | None = None,
          inputs: str | Sequence[str] = (), outputs: str | Sequence[str] = (), state: str = "explicit",
          tensors: Sequence[str] = ()) -> Session:
    """The model at ``path`` (see :func:`modelport.formats.tensorflow.read` for the options), run by numpy.

    ``tensors`` are names of nodes whose results are delivered too.  Threads are accepted and not used."""
    if device != "cpu":
        raise UsageError(f"the interpreter runs on the device 'cpu', not on '{printable(device)}'")
    return GraphDef(read(path, signature=signature, tags=tags, inputs=inputs, outputs=outputs, state=state), tensors)


class GraphDef(Session):
    """A raw graph of TensorFlow's operators."""

    name, version, settings = "modelport's GraphDef interpreter", "1", "numpy"

    def __init__(self, graph: Graph, tensors: Sequence[str] = ()) -> None:
        self._graph = graph
        by_name: dict[str, Value] = {o.name: o for n in graph.nodes for o in n.outputs if o.name}
        missing = [t for t in tensors if t not in by_name]
        if missing:
            raise UsageError(f"the graph has no node '{printable(missing[0])}'")
        self._also = {t: by_name[t] for t in tensors if t not in graph.outputs}
        self.inputs = {k: Type(v.dtype, v.shape) for k, v in graph.inputs.items()}
        self.outputs = {k: Type(v.dtype, v.shape) for k, v in {**graph.outputs, **self._also}.items()}

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        arrays = self.checked(feeds)
        try:
            made = run(self._graph, arrays, self._also)
        except Refused as e:
            raise RuntimeFailed(f"the interpreter of GraphDefs: {e}") from e
        except (MemoryError, RecursionError, FloatingPointError) as e:
            raise RuntimeFailed(f"the interpreter of GraphDefs: {type(e).__name__}") from e
        return {k: np.asarray(made[k]) for k in self.outputs if not hasattr(made[k], "items") or isinstance(
            made[k], np.ndarray)}
