"""Every case of the tests of writing TensorFlow Lite, some 1,700, in TensorFlow and in TensorFlow.js."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
LITE = HERE.parent / "tflite"


def ready(target: str) -> None:
    """Skips where the runtime is not installed."""
    if target == "tensorflow":
        pytest.importorskip("tensorflow", reason="TensorFlow is the oracle")
        return
    sys.path.insert(0, str(HERE))
    from modelport.errors import MissingDependency
    from modelport.runtimes import tfjs
    try:
        tfjs.start(HERE / "nothing")
    except MissingDependency as e:
        pytest.skip(e.message)
    except Exception:  # there is no such model, but what would run it
        pass


@pytest.mark.oracle
@pytest.mark.parametrize("target", ["tensorflow", "tfjs"])
def test_every_family(target: str) -> None:
    ready(target)
    pytest.importorskip("ai_edge_litert", reason="the tests read .tflite files too")
    env = {**os.environ, "MODELPORT_WRITTEN": target, "PYTHONPATH": os.pathsep.join(
        [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])}
    files = sorted(map(str, LITE.glob("test_write_*.py")))
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "other_target", "-p", "no:cacheprovider", "-q",
                           "--no-header", *files], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-4000:]
    assert int(done.stdout.splitlines()[-1].split(" passed")[0].split()[-1]) > 1500
