"""Writes a program of kernels as a .pte file: values, calls, constants in a segment, memory planned greedily.

Source: exir/_serialize/program.fbs and _program.py, exir/memory_planning.py of ExecuTorch."""
from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ...codecs import flatbuffer
from ...errors import Unsupported, UnsupportedModel
from ...ir.graph import Graph, Value
from ..torch.elements import to_c10
from .container import HEADER
from .kernels import kernels
from .raw import At

_ALIGN = 16
_TUPLE = '{"type": "builtins.tuple", "context": "null", "children_spec": '
_LEAF = '{"type": null, "context": null, "children_spec": []}'


def write(raw: Graph, path: Path) -> None:
    """Raises :class:`UnsupportedModel` if the program does not fit the format."""
    with open(path, "wb") as f:
        save(raw, f)


class _Values:
    """The table of values: each tensor once, each number where it is used."""

    def __init__(self, raw: Graph) -> None:
        self.entries: list[dict[str, Any]] = []
        self.constants: list[Value] = []
        self.offsets, self.size = planned(raw)
        self._places: dict[Value, int] = {}

    def add(self, kind: str, **fields: Any) -> int:
        self.entries.append({"val_type": flatbuffer.schema("executorch").unions["KernelTypes"].index(kind),
                             "val": fields})
        return len(self.entries) - 1

    def tensor(self, v: Value) -> int:
        if v not in self._places:
            shape = [d for d in v.shape or () if isinstance(d, int)]
            fields: dict[str, Any] = {"scalar_type": to_c10(v.dtype), "sizes": shape,
                                      "dim_order": bytes(range(len(shape)))}
            if v.data is not None:
                self.constants.append(v)
                fields["data_buffer_idx"] = len(self.constants)
            else:
                at = self.offsets[v]
                fields["allocation_info"] = {"memory_id": 1, "memory_offset_low": at & 0xFFFFFFFF,
                                             "memory_offset_high": at >> 32}
            self._places[v] = self.add("Tensor", **fields)
        return self._places[v]

    def argument(self, x: Any, kind: str, inputs: Sequence[Value | None]) -> int:
        """A value for an argument of that kind ("Scalar", "int[]?", "Tensor?[]")."""
        if isinstance(x, At):
            v = inputs[x.input]
            assert v is not None
            return self.tensor(v)
        if x is None:
            return self.add("Null")
        if isinstance(x, tuple):
            if kind.startswith("Tensor"):
                optional = "?" in kind.partition("[")[0]
                items = [-1 if i is None else self.argument(i, "Tensor", inputs) for i in x]
                return self.add("OptionalTensorList" if optional else "TensorList", items=items)
            if kind.startswith("float"):
                return self.add("DoubleList", items=[float(i) for i in x])
            return self.add("IntList", items=[self.add("Int", int_val=int(i)) for i in x])
        if isinstance(x, str):
            return self.add("String", string_val=x)
        if isinstance(x, bool):
            return self.add("Bool", bool_val=x)
        if isinstance(x, float) or kind.startswith("float"):
            return self.add("Double", double_val=float(x))
        return self.add("Int", int_val=int(x))


def planned(raw: Graph) -> tuple[dict[Value, int], int]:
    """Where each tensor lies, and how many bytes that takes: the first gap among those alive at the same time."""
    nodes = raw.nodes
    born: dict[Value, int] = dict.fromkeys(raw.inputs.values(), -1)
    last: dict[Value, int] = dict.fromkeys(raw.inputs.values(), -1)
    for at, node in enumerate(nodes):
        for v in node.outputs:
            born[v] = last[v] = at
        last.update({v: at for v in node.inputs if v is not None and v.data is None})
    last.update(dict.fromkeys(raw.outputs.values(), len(nodes)))
    placed: dict[Value, tuple[int, int]] = {}
    total = 0
    for v in sorted(born, key=lambda v: (-_bytes(v), born[v])):
        size = -(-max(_bytes(v), 1) // _ALIGN) * _ALIGN
        busy = sorted(placed[o] for o in placed if born[o] <= last[v] and born[v] <= last[o])
        at = 0
        for start, end in busy:
            if at + size <= start:
                break
            at = max(at, end)
        placed[v] = at, at + size
        total = max(total, at + size)
    return {v: start for v, (start, _) in placed.items()}, total


def _bytes(v: Value) -> int:
    size = v.type.size
    assert size is not None
    return size * v.dtype.itemsize


def program(raw: Graph) -> tuple[Mapping[str, Any], list[Value]]:
    """The fields of the FlatBuffer, without the offsets of constants, and the constants in order."""
    values = _Values(raw)
    inputs = [values.tensor(v) for v in raw.inputs.values()]
    operators: dict[str, int] = {}
    instructions = []
    for node in raw.nodes:
        kernel = kernels()[node.op]
        args = [values.argument(a, kind, node.inputs)
                for a, (_, kind) in zip(node.attrs["arguments"], kernel.arguments, strict=True)]
        outs = [values.tensor(v) for v in node.outputs]
        end = outs if len(outs) == 1 else [values.add("TensorList", items=outs)]
        call = {"op_index": operators.setdefault(node.op, len(operators)), "args": [*args, *outs, *end]}
        instructions.append({"instr_args_type": 1, "instr_args": call})
    outputs = [values.tensor(v) for v in raw.outputs.values()]
    spec = f"{_TUPLE}[{', '.join([_LEAF] * len(inputs))}]}}"
    empty = '{"type": "builtins.dict", "context": "[]", "children_spec": []}'
    made = f"{_TUPLE}[{', '.join([_LEAF] * len(outputs))}]}}"
    plan = {
        "name": "forward", "values": values.entries, "inputs": inputs, "outputs": outputs,
        "container_meta_type": {
            "encoded_inp_str": f"[1, {_TUPLE}[{spec}, {empty}]}}]",
            "encoded_out_str": f"[1, {_LEAF if len(outputs) == 1 else made}]"},
        "chains": [{"inputs": [], "outputs": [], "instructions": instructions}],
        "operators": [dict(zip(("name", "overload"), k.partition(".")[::2], strict=True)) for k in operators],
        "delegates": [], "non_const_buffer_sizes": [0, values.size]}
    return plan, values.constants


def save(raw: Graph, file: BinaryIO) -> None:
    """Writes the header, the program, and the segment of constants."""
    plan, constants = program(raw)
    offsets, at = [0], 0
    for v in constants:
        at = -(-at // _ALIGN) * _ALIGN
        offsets.append(at)
        at += max(_bytes(v), 1)  # also of nothing the runtime wants to see a place
    root = {"version": 0, "execution_plan": [plan], "constant_buffer": [], "backend_delegate_data": [],
            "segments": [{"offset": 0, "size": at}], "constant_segment": {"segment_index": 0, "offsets": offsets}}
    buffer = io.BytesIO()
    try:
        flatbuffer.Writer(flatbuffer.schema("executorch")).write(root, buffer)
    except ValueError as e:
        raise UnsupportedModel([Unsupported(str(e))], "ExecuTorch") from None
    data = buffer.getvalue()
    start = struct.unpack_from("<I", data, 0)[0]
    size = len(data) + HEADER
    base = -(-size // 128) * 128
    file.write(struct.pack("<I", start + HEADER) + data[4:8] + b"eh00")
    file.write(struct.pack("<IQQQ", HEADER, size, base, at) + data[8:] + bytes(base - size))
    done = 0
    for v, offset in zip(constants, offsets[1:], strict=True):
        assert v.data is not None
        file.write(bytes(offset - done))
        v.data.copy_to(file)
        done = offset + _bytes(v)
    file.write(bytes(at - done))
