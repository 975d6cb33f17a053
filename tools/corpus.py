"""Converts and proves every model of a folder: ``python tools/corpus.py FOLDER [--to onnx]``.

Prints a line a file and a summary.  Each conversion runs as the command line runs it, in a process of its own."""
from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

SUFFIXES = (".onnx", ".tflite")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prove", action="store_true", help="the thorough suite")
    options = parser.parse_args()
    files = sorted(p for p in options.folder.rglob("*") if p.suffix in SUFFIXES)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        for path in files:
            command = [sys.executable, "-m", "modelport", "convert", str(path), f"{folder}/out.onnx", "--force",
                       "--json", *(["--prove"] if options.prove else [])]
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=900)
                code, out, err = done.returncode, done.stdout, done.stderr
            except subprocess.TimeoutExpired:
                code, out, err = -1, "", "timed out"
            if code == 0:
                report = json.loads(out)["report"]["signed"]
                outcome = f"{report['verdict']} {report['level']}" + (" layer by layer" if report["layers"] else "")
                detail = " | ".join(report["notes"])[:300]
            else:
                outcome = {1: "DIFFERENT", 3: "refused", 4: "unsupported"}.get(code, f"exit {code}")
                detail = " | ".join(err.strip().splitlines()[-6:])[:300]
            counts[outcome] += 1
            print(f"{outcome:<24} {path.relative_to(options.folder)}  {detail}", flush=True)
    print(f"{len(files)} files: " + ", ".join(f"{n} {k}" for k, n in counts.most_common()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
