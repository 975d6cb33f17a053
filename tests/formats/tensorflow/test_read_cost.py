"""What reading costs: a frozen graph of 587 MB is converted in little memory of its own."""
from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tf_graphs import graph, node, placeholder

from modelport.codecs.protobuf import header

ROWS, COLUMNS, COUNT = 17920, 2048, 4
MOST = 150  # MB of anonymous memory


def field(number: int, data: bytes) -> bytes:
    return header(number, len(data)) + data


def large_constant(name: str) -> tuple[bytes, int, bytes]:
    """A Const as it stands in a GraphDef: what comes before its elements, their size, and what comes after."""
    size = ROWS * COLUMNS * 4
    dims = b"".join(field(2, b"\x08" + bytes([d & 127 | 128, d >> 7 & 127 | 128, d >> 14])) for d in (ROWS, COLUMNS))
    tensor = b"\x08\x01" + field(2, dims) + header(4, size)
    value = header(8, len(tensor) + size) + tensor
    entry = field(1, b"value") + header(2, len(value) + size) + value
    dtype = field(5, field(1, b"dtype") + field(2, b"\x30\x01"))
    inside = field(1, name.encode()) + field(2, b"Const") + dtype + header(5, len(entry) + size) + entry
    return header(1, len(inside) + size) + inside, size, b""


def write(path: Path) -> None:
    """The payloads are holes: the file takes no room on disk."""
    g = graph()
    placeholder(g, shape=(-1, ROWS))
    last = ""
    with open(path, "wb") as f:
        for k in range(COUNT):
            before, size, _ = large_constant(f"w{k}")
            f.write(before)
            f.seek(size, 1)
            node(g, "MatMul", f"m{k}", "x", f"w{k}", T=np.float32)
            if last:
                node(g, "AddV2", f"s{k}", last, f"m{k}", T=np.float32)
            last = f"s{k}" if last else f"m{k}"
        f.write(g.SerializeToString())


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_frozen_graph_of_587_mb(tmp_path: Path) -> None:
    source, target = tmp_path / "model.pb", tmp_path / "model.onnx"
    write(source)
    assert source.stat().st_size > 550e6
    code = "import sys, modelport; modelport.convert(sys.argv[1], sys.argv[2], verify=None)"
    with subprocess.Popen([sys.executable, "-c", code, str(source), str(target)]) as process:
        most = 0
        while process.poll() is None:
            status = Path(f"/proc/{process.pid}/status").read_text()
            if found := re.search(r"RssAnon:\s+(\d+) kB", status):
                most = max(most, int(found[1]) // 1024)
            time.sleep(0.002)
    assert process.returncode == 0
    assert 0 < most <= MOST
    assert target.stat().st_size > 550e6
