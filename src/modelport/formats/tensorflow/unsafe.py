"""Operators that reach outside of the model: files, processes, the network, Python.

A model that would run one is refused by name and place: as a part of its outputs, or because a runtime runs it when the
model is loaded (the initialiser, the restoring of variables)."""
from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import UnsafeModel, printable

UNSAFE = re.compile(
    r"^(ReadFile|WriteFile|.*PyFunc.*|MatchingFiles|MergeV2Checkpoints|Save|SaveSlices|SaveV2|Restore|RestoreSlice|"
    r"RestoreV2|LoadLibrary.*|.*Dataset.*|.*Iterator.*|.*Reader(V2|Read.*|Num.*|Reset.*|Restore.*|Serialize.*)?|"
    r"ImmutableConst|InitializeTableFromTextFile(V2)?|InitializeTableFromDataset|PrintV2|.*Summary.*|"
    r"DebugIdentity.*|DebugNanCount.*|DebugNumericSummary.*|DumpTensor.*|DecodeProto.*|EncodeProto|Rpc.*|TryRpc|"
    r"Rpc(Server|Client|Call).*|_?Send|_?Recv|_?HostSend|_?HostRecv|Collective.*|"
    r"GetSessionHandle.*|GetSessionTensor|DeleteSessionTensor|RemoteCall|RemoteFusedGraphExecute|Fact|"
    r"LoadAndRemapMatrix|GenerateVocabRemapping|LMDB.*|BigQuery.*|Bigtable.*|GcsConfigure.*|OutfeedEnqueue.*|"
    r"InfeedEnqueue.*|ConfigureDistributed.*|Abort|CheckpointHas.*|CheckpointReader.*|AudioSummary.*|"
    r"KafkaDataset|SleepDataset|StatsAggregator.*|ExperimentalStats.*|RegisterDataset.*|DataServiceDataset.*)$")
"""Names of operators that touch files, processes, the network or Python code, or print what they get."""
HARMLESS = re.compile(r"^(PrintV2|.*Summary.*|Debug.*)$")
"""Those that only report values: they are left out where no output needs them, and refused where one does."""
RESTORING = frozenset({"RestoreV2", "Restore", "RestoreSlice", "MergeV2Checkpoints", "SaveV2"})
TABLES = frozenset({"InitializeTableFromTextFile", "InitializeTableFromTextFileV2"})


def check(nodes: Mapping[str, Any], functions: Mapping[str, Any], roots: Iterable[str], allowed: frozenset[str],
          doing: str) -> bool:
    """Refuses the model if a node that ``roots`` need, in whatever way, is unsafe and not ``allowed``; whether one of
    the nodes assigns a variable.

    Every edge counts, those of control too, and every function that a node names, called or not."""
    found: list[str] = []
    assigns = False
    done: set[str] = set()
    todo = [r.partition(":")[0].lstrip("^") for r in roots]
    called: set[str] = set()
    bodies: list[tuple[str, Any]] = []

    def look(node: Any, where: str) -> bool:
        op = node.op
        if UNSAFE.match(op) and op not in allowed and not HARMLESS.match(op):
            found.append(f"{op} at '{printable(where + node.name, 100)}'")
        names = [op] if op in functions else []
        for a in node.attr.values():
            if a.HasField("func"):
                names.append(a.func.name)
            elif a.HasField("list") and len(a.list.func):
                names += [f.name for f in a.list.func]
        for name in names:
            if name in functions and name not in called:
                called.add(name)
                bodies.append((name, functions[name]))
        return op in ASSIGNS
    while todo:
        name = todo.pop()
        if name in done or name not in nodes:
            continue
        done.add(name)
        node = nodes[name]
        assigns |= look(node, "")
        todo += [i.partition(":")[0].lstrip("^") for i in node.input]
    while bodies:
        name, function = bodies.pop()
        for node in function.node_def:
            assigns |= look(node, f"{name}/")
    if found:
        more = f", and {len(found) - 5} more" if len(found) > 5 else ""
        raise UnsafeModel(f"{doing} would run operators that reach outside of the model: {', '.join(found[:5])}{more}; "
                          "nothing was run",
                          hint="a model that reads or writes files is not only data; there is no option to run it")
    return assigns


ASSIGNS = frozenset(
    "Assign AssignAdd AssignSub AssignVariableOp AssignAddVariableOp AssignSubVariableOp ScatterUpdate ScatterAdd "
    "ScatterSub ScatterMul ScatterDiv ScatterMin ScatterMax ScatterNdUpdate ScatterNdAdd ScatterNdSub "
    "ResourceScatterUpdate ResourceScatterAdd ResourceScatterSub ResourceScatterMul ResourceScatterDiv "
    "ResourceScatterMin ResourceScatterMax ResourceScatterNdUpdate ResourceScatterNdAdd ResourceScatterNdSub "
    "ScatterNdMin ScatterNdMax ResourceScatterNdMin ResourceScatterNdMax "
    "LookupTableInsert LookupTableInsertV2 LookupTableImport LookupTableImportV2 InitializeTable InitializeTableV2 "
    "InitializeTableFromTextFile InitializeTableFromTextFileV2 ResourceStridedSliceAssign StridedSliceAssign "
    "RngReadAndSkip CountUpTo ResourceCountUpTo LookupTableRemoveV2".split())
"""Operators that change a variable or a table."""
