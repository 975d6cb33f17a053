"""What was written, read again by the package's own reader: the calls as a program, the program as a hub graph."""
from __future__ import annotations

from ...ir.graph import Graph
from ...ir.types import Type, dtype_name


def to_hub(raw: Graph) -> Graph:
    """The hub graph of calls of ATen's operators, as the reader of .pt2 files understands them."""
    from .container import graph
    from .program import parse
    from .pt2_writer import program
    from .translate import to_hub
    said, weights = program(raw)
    made = to_hub(graph(parse(said, weights.get)))
    inputs = dict(zip(raw.inputs, made.inputs.values(), strict=True))
    return made.with_(inputs=inputs, outputs=dict(zip(raw.outputs, made.outputs.values(), strict=True)))


def is_calls(raw: Graph) -> bool:
    """Whether a raw graph is one of calls, made by the writer, not a file that was read."""
    return all(v.node is None or not v.node.op.startswith(("torch.Exported", "torch.TorchScript", "torch.Module"))
               for v in raw.outputs.values())


def described(raw: Graph) -> list[str]:
    """The types of the inputs, as the reader of TorchScript takes them."""
    return [described_one(v.type) for v in raw.inputs.values()]


def described_one(type: Type) -> str:
    """A type such as "float32[batch,3]"."""
    return f"{dtype_name(type.dtype)}[{','.join('?' if d is None else str(d) for d in type.shape or ())}]"
