"""Programs of torch.export 2.1, whose schema has number 1, in the form that later ones have."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def is_old(module: Mapping[str, Any]) -> bool:
    return "inputs_to_parameters" in module["signature"]


def modern(module: Mapping[str, Any]) -> dict[str, Any]:
    """The module of a program, its types without the level that they had, its signature as a list of what each input
    and output is."""
    graph, old = module["graph"], module["signature"]
    inputs = []
    for arg in graph["inputs"]:
        held = arg.get("as_tensor")
        name = held["name"] if held else ""
        if name in old["inputs_to_parameters"]:
            inputs.append({"parameter": {"arg": held, "parameter_name": old["inputs_to_parameters"][name]}})
        elif name in old["inputs_to_buffers"]:
            inputs.append({"buffer": {"arg": held, "buffer_name": old["inputs_to_buffers"][name]}})
        else:
            inputs.append({"user_input": {"arg": arg}})
    outputs = []
    for arg in graph["outputs"]:
        name = (arg.get("as_tensor") or {}).get("name", "")
        changed = old["buffers_to_mutate"].get(name)
        outputs.append({"user_output": {"arg": arg}} if changed is None else
                       {"buffer_mutation": {"arg": arg["as_tensor"], "buffer_name": changed}})
    types = {k: v.get("meta", v) for k, v in graph["tensor_values"].items()}
    return {**module, "graph": {**graph, "tensor_values": types},
            "signature": {"input_specs": inputs, "output_specs": outputs}}
