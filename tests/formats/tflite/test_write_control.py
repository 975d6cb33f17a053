"""If, Loop and Scan as TensorFlow Lite, against ONNX Runtime."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
import pytest

import modelport
from modelport.runtimes import isolated

RNG = np.random.default_rng(11)


@pytest.fixture(scope="module")
def worker() -> Any:
    with isolated.Worker() as w:
        yield w


def check(folder: Path, worker: isolated.Worker, text: str, cases: Sequence[Mapping[str, Any]]) -> None:
    """A model in ONNX's own text, run by both runtimes."""
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : 20]> {text}').SerializeToString()
    (folder / "a.onnx").write_bytes(model)
    modelport.convert(folder / "a.onnx", folder / "a.tflite", verify=None)
    session = ort.InferenceSession(model)
    for kernels in ("builtin", "plain"):
        run = worker.open("tflite", folder / "a.tflite", kernels=kernels, signature="serving_default")
        for case in cases:
            got = run.run(case)
            for o, want in zip(session.get_outputs(), session.run(None, dict(case)), strict=True):
                made = got[o.name]
                assert made.dtype == want.dtype
                if not want.size:  # of no turns ONNX Runtime knows no element's shape, and takes 0 for what is unknown
                    assert (made.size, made.ndim) == (0, want.ndim)
                    continue
                assert made.shape == want.shape, (o.name, kernels)
                np.testing.assert_allclose(made, want, 1e-6, 1e-6, err_msg=f"{o.name} {kernels}")


def f(*shape: int) -> np.ndarray:
    return RNG.normal(0, 1, shape).astype(np.float32)


def n(value: Any) -> np.ndarray:
    return np.asarray(value, np.int64)


@pytest.mark.parametrize("shape", ["[2, 3]", "[n, 3]"])
def test_if(tmp_path: Path, worker: Any, shape: str) -> None:
    """Captured values, a branch that gives a captured value, one that gives a constant, another shape a branch."""
    check(tmp_path, worker, f"""m (float{shape} x, bool c) => (float[] y, float[] z, float[] s) {{
        w = Constant <value = float[3] {{1, 2, 3}}> ()
        y, z, s = If (c) <
          then_branch = t () => (ty, tz, ts) {{ ty = Mul(x, w)  tz = Identity(x)  ts = ReduceSum <keepdims = 0> (x) }},
          else_branch = e () => (ey, ez, es) {{ ey = Sub(x, w)
             axes = Constant <value = int64[1] {{0}}> ()  ez = ReduceSum <keepdims = 0> (x, axes)
             es = Constant <value = float[3] {{4, 5, 6}}> () }}>
        }}""", [{"x": f(2, 3), "c": np.array(c)} for c in (True, False, True)])


def test_if_without_captures(tmp_path: Path, worker: Any) -> None:
    check(tmp_path, worker, """m (bool c, float[2] x) => (float[2] y, int64[2] z) {
        a, z = If (c) <
          then_branch = t () => (ty, tz) { ty = Constant <value = float[2] {1, 2}> ()
                                           tz = Constant <value = int64[2] {5000000000, 2}> () },
          else_branch = e () => (ey, ez) { ey = Constant <value = float[2] {4, 3}> ()
                                           ez = Constant <value = int64[2] {-1, 0}> () }>
        y = Add(a, x) }""", [{"c": np.array(c), "x": f(2)} for c in (True, False)])


def test_nested(tmp_path: Path, worker: Any) -> None:
    check(tmp_path, worker, """m (float[n, 2] x, int64 k) => (float[n, 2] y) {
        go = Constant <value = bool {1}> ()
        y = Loop (k, go, x) <
          body = b (int64 i, bool g, float[n, 2] v) => (more, w) { more = Identity(g)
             two = Constant <value = int64 {2}> ()  r = Mod(i, two)  odd = Cast <to = 9> (r)
             w = If (odd) < then_branch = t () => (p) { p = Add(v, x) },
                            else_branch = e () => (q) { ten = Constant <value = float {0.5}> ()  q = Mul(v, ten) }> }>
        }""", [{"x": f(3, 2), "k": n(k)} for k in (0, 1, 4)])


def test_swapped_and_unchanged_states(tmp_path: Path, worker: Any) -> None:
    """States that change places, one that stays, one that becomes a constant, one that is read twice."""
    check(tmp_path, worker, """m (float[2] a, float[2] b, int64 k) => (float[2] p, float[2] q, float[2] r, float[2] s) {
        go = Constant <value = bool {1}> ()
        p, q, r, s = Loop (k, go, a, b, a, b) <
          body = l (int64 i, bool g, float[2] u, float[2] v, float[2] w, float[2] z) => (more, nu, nv, nw, nz) {
             more = Identity(g)  nu = Identity(v)  nv = Identity(u)  nw = Identity(w)
             nz = Constant <value = float[2] {7, 8}> () }>
        }""", [{"a": f(2), "b": f(2), "k": n(k)} for k in (0, 1, 2, 3)])


@pytest.mark.parametrize("trips", ["k", "", "six"])
def test_while(tmp_path: Path, worker: Any, trips: str) -> None:
    """Until a condition: with a bound that is computed, without one, with a constant one; what is stacked till then."""
    check(tmp_path, worker, f"""m (float[2] a, float limit, int64 k)
            => (float[2] y, float[t, 2] all, int64[t] turns, int64 kk) {{
        kk = Identity(k)  six = Constant <value = int64 {{6}}> ()
        first = Constant <value = bool {{1}}> ()
        y, all, turns = Loop ({trips}, first, a) <
          body = l (int64 i, bool g, float[2] v) => (more, w, x, j) {{
             two = Constant <value = float {{2}}> ()  w = Mul(v, two)  s = ReduceMax <keepdims = 0> (w)
             more = Less(s, limit)  x = Identity(w)  j = Identity(i) }}>
        }}""", [{"a": np.array([1, 0.5], np.float32), "limit": np.array(limit, np.float32), "k": n(k)}
               for limit, k in ((9, 10), (9, 2), (0, 4), (30, 5))])


@pytest.mark.parametrize("trips", [0, 1, 3])
@pytest.mark.parametrize("start", [True, False])
def test_stacked(tmp_path: Path, worker: Any, trips: int, start: bool) -> None:
    """Constant trip counts and first conditions; scalars, booleans, integers and rows are stacked."""
    check(tmp_path, worker, f"""m (float[n, 2] x)
            => (float[n, 2] y, float[t] a, bool[t, n, 2] b, int64[t] c, float[t, n, 2] d) {{
        k = Constant <value = int64 {{{trips}}}> ()  go = Constant <value = bool {{{int(start)}}}> ()
        y, a, b, c, d = Loop (k, go, x) <
          body = l (int64 i, bool g, float[n, 2] v) => (more, w, s, p, j, e) {{
             more = Identity(g)  one = Constant <value = float {{1}}> ()  w = Add(v, one)
             s = ReduceMax <keepdims = 0> (w)  zero = Constant <value = float {{0.5}}> ()  p = Greater(w, zero)
             j = Add(i, i)  e = Mul(w, x) }}>
        }}""", [{"x": f(k, 2)} for k in (3, 1)])


def test_first_condition_computed(tmp_path: Path, worker: Any) -> None:
    check(tmp_path, worker, """m (float[2] x, bool c, int64 k) => (float[2] y, float[t, 2] d) {
        y, d = Loop (k, c, x) <
          body = l (int64 i, bool g, float[2] v) => (more, w, e) { more = Identity(g)  w = Add(v, x)  e = Mul(w, x) }>
        }""", [{"x": f(2), "c": np.array(c), "k": n(k)} for c in (True, False) for k in (0, 2)])


def test_growing_state(tmp_path: Path, worker: Any) -> None:
    """A value whose shape changes from turn to turn, and the stacked sums of it."""
    check(tmp_path, worker, """m (float[n] x, int64 k) => (float[m] y, float[t] d) {
        go = Constant <value = bool {1}> ()
        y, d = Loop (k, go, x) <
          body = l (int64 i, bool g, float[] v) => (more, w, e) { more = Identity(g)
             w = Concat <axis = 0> (v, x)  e = ReduceSum <keepdims = 0> (w) }>
        }""", [{"x": f(k), "k": n(t)} for k in (2, 3) for t in (0, 1, 3)])


def test_unstated_shapes(tmp_path: Path, worker: Any) -> None:
    """Bodies of exporters state no shapes: they follow from what flows in."""
    check(tmp_path, worker, """m (float[b, 3] x, int64 k) => (float[b, 3] y, float[t, b, 3] d) {
        go = Constant <value = bool {1}> ()
        y, d = Loop (k, go, x) <
          body = l (int64 i, bool g, float v) => (more, w, e) { more = Identity(g)
             m = ReduceMean <keepdims = 1> (v)  w = Sub(v, m)  e = Softmax <axis = -1> (w) }>
        }""".replace("float v", "float[] v"), [{"x": f(k, 3), "k": n(t)} for k in (2, 1) for t in (1, 3)])


def test_integer_states(tmp_path: Path, worker: Any) -> None:
    """64-bit integers flow round as they are; indices are computed from the turn."""
    check(tmp_path, worker, """m (int64[5] x, int64 k) => (int64 y, int64[t] d) {
        go = Constant <value = bool {1}> ()  zero = Constant <value = int64 {0}> ()
        y, d = Loop (k, go, zero) <
          body = l (int64 i, bool g, int64 v) => (more, w, e) { more = Identity(g)
             a = Gather <axis = 0> (x, i)  w = Add(v, a)  e = Mul(w, w) }>
        }""", [{"x": n([2, -3, 1 << 40, 5, -1]), "k": n(t)} for t in (0, 1, 5)])


@pytest.mark.parametrize("length", [3, 40, "t"])
@pytest.mark.parametrize("ways", [((0, 0), (0, 0)), ((1, 0), (0, 1))], ids=str)
@pytest.mark.parametrize("axes", [((0, 0), (0, 0)), ((1, 2), (1, 0))], ids=str)
def test_scan(tmp_path: Path, worker: Any, length: Any, ways: Any, axes: Any) -> None:
    """Two sequences along any axes and in both directions, two stacked results, a captured value."""
    def shape(axis: int, *others: Any) -> str:
        dims = list(others)
        dims.insert(axis, length)
        return "[" + ", ".join(map(str, dims)) + "]"
    def with_(axis: int, n: int, *others: int) -> np.ndarray:
        dims = list(others)
        dims.insert(axis, n)
        return f(*dims)
    (a, b), (c, d) = axes
    (e, g), (i, j) = ways
    check(tmp_path, worker, f"""m (float{shape(a, 2)} x, float{shape(b, 2, 3)} z, float[2] w)
            => (float[2] h, float[] p, float[] q) {{
        zero = Constant <value = float[2] {{0, 0}}> ()
        h, p, q = Scan <num_scan_inputs = 2, scan_input_axes = [{a}, {b}], scan_output_axes = [{c}, {d}],
                  scan_input_directions = [{e}, {g}], scan_output_directions = [{i}, {j}],
          body = l (float[2] v, float[2] e, float[2, 3] g) => (u, r, s) {{
             k = ReduceMax <keepdims = 0> (g)  i = Add(v, e)  j = Mul(i, w)  u = Tanh(j)
             r = Sub(u, k)  s = Add(g, k) }}> (zero, x, z)
        }}""", [{"x": with_(a, t, 2), "z": with_(b, t, 2, 3), "w": f(2)}
               for t in ((3, 1) if length == "t" else (length,))])


def test_a_branch_that_holds_for_some_sizes(tmp_path: Path, worker: Any) -> None:
    """Both branches are prepared whatever the sizes are."""
    check(tmp_path, worker, """m (float[n, 4] x) => (float[k, 2, 4] y) {
        s = Shape <start = 0, end = 1> (x)  two = Constant <value = int64 {2}> ()
        zero = Constant <value = int64 {0}> ()  r = Mod(s, two)  even = Equal(r, zero)
        y = If (even) <
          then_branch = t () => (p) { a = Constant <value = int64[3] {-1, 2, 4}> ()  p = Reshape(x, a) },
          else_branch = e () => (q) { c = Constant <value = int64[3] {1, 2, 1}> ()
             d = Constant <value = int64[3] {1, 1, 4}> ()  f = Constant <value = int64[2] {0, 0}> ()
             g = Constant <value = int64[2] {1, 4}> ()  h = Slice(x, f, g)  i = Reshape(h, d)  q = Tile(i, c) }>
        }""", [{"x": f(k, 4)} for k in (2, 3, 6, 1)])


def test_branches_of_different_ranks(tmp_path: Path, worker: Any) -> None:
    """As exporters squeeze an axis that may be one long: what follows is in both branches."""
    check(tmp_path, worker, """m (float[n, 3, k] x) => (float[n] y, float[n, 3, k] z) {
        one = Constant <value = int64 {1}> ()  last = Constant <value = int64[1] {2}> ()
        s = Shape <start = 2, end = 3> (x)  c = Equal(s, one)
        v = If (c) < then_branch = t () => (p) { p = Squeeze(x, last) }, else_branch = e () => (q) { q = Identity(x) }>
        w = Tanh(v)  r = Shape(w)  m = Size(r)  three = Constant <value = int64 {3}> ()  d = Equal(m, three)
        u = If (d) < then_branch = a () => (g) { g = ReduceSum <keepdims = 0> (w, last) },
                     else_branch = b () => (h) { h = Identity(w) }>
        i = Constant <value = int64[1] {1}> ()  y = ReduceSum <keepdims = 0> (u, i)  z = Neg(x)
        }""", [{"x": f(2, 3, k)} for k in (1, 4)])


def test_a_branch_that_can_not_be_run(tmp_path: Path, worker: Any) -> None:
    """The source fails there too."""
    text = """m (float[n, 3, k] x) => (float[n, 2] y) {
        one = Constant <value = int64 {1}> ()  last = Constant <value = int64[1] {2}> ()
        s = Shape <start = 2, end = 3> (x)  c = Equal(s, one)
        v = If (c) < then_branch = t () => (p) { p = Squeeze(x, last) }, else_branch = e () => (q) { q = Identity(x) }>
        w = Constant <value = float[3, 2] {1, 2, 3, 4, 5, 6}> ()  y = Gemm(v, w)
        }"""
    check(tmp_path, worker, text, [{"x": f(2, 3, 1)}])
