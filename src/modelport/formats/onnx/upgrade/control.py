"""Old forms of control flow."""
from __future__ import annotations

from typing import Any

from ....errors import Unsupported
from ....ir.graph import Graph, Value
from ....ir.rules import Builder
from ....ir.types import Type
from .table import below


@below(9, "Scan")
def scan_8(op: Builder, sequence_lens: Value | None, *inputs: Value, body: Graph, num_scan_inputs: int,
           directions: tuple[int, ...] | None = None, captures: int = 0) -> Any:
    """Every value had the batch as its first dimension: a scan over the batch whose body is the scan of one sample."""
    if sequence_lens is not None:
        raise Unsupported("lengths for each sequence of the batch")
    assert op.node is not None
    n = len(op.node.outputs)
    formal = len(inputs) - captures
    types = [v.type if k >= formal or v.shape is None else Type(v.dtype, v.shape[1:]) for k, v in enumerate(inputs)]
    inside = [Value(t, v.name) for t, v in zip(types, inputs, strict=True)]
    kept: dict[str, Any] = {"captures": captures} if captures else {}
    outs = op.add("Scan", *inside, body=body, num_scan_inputs=num_scan_inputs, scan_input_directions=directions,
                  outputs=n, **kept)
    sample = Graph({f"in{k}": v for k, v in enumerate(inside)}, {f"out{k}": v for k, v in enumerate(outs)}, "sample")
    return op.add("Scan", *inputs, body=sample, num_scan_inputs=formal, outputs=n, **kept)
