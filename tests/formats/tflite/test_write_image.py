"""Resizing and sampling as TensorFlow Lite, against ONNX Runtime, at sizes that are known and that are not."""
from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="LiteRT is the oracle")
from written import agrees, floats, model

from modelport.runtimes import isolated

RNG = np.random.default_rng(3)
I64 = np.dtype("i8")
SIZES = [{"n": 1, "h": 5, "w": 8}, {"n": 2, "h": 7, "w": 6}]
MODES = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "half_pixel_symmetric"]


@pytest.fixture(scope="module")
def worker() -> Iterator[isolated.Worker]:
    with isolated.Worker() as w:
        yield w


def resize(shape: tuple[Any, ...], scales: Any = None, sizes: Any = None, opset: int = 19, **attrs: Any) -> bytes:
    constants = {"s": np.asarray(scales, np.float32)} if scales is not None else {"z": np.asarray(sizes, np.int64)}
    order = ["x", "", "s"] if scales is not None else ["x", "", "", "z"]
    return model("Resize", {"x": shape}, constants, order, opset=opset, **attrs)


SHAPES = pytest.mark.parametrize("shape", [("n", 3, 5, 8), ("n", 3, "h", "w")], ids=["static", "dynamic"])


def sizes_for(shape: tuple[Any, ...]) -> list[dict[str, int]]:
    return SIZES if "h" in shape else [{"n": 1}, {"n": 2}]


@SHAPES
@pytest.mark.parametrize("nearest", ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"])
@pytest.mark.parametrize("transformation", MODES)
@pytest.mark.parametrize("scales", [[1, 1, 2, 3]], ids=str)
def test_nearest_by_whole_factors(scales: list[float], transformation: str, nearest: str, shape: tuple[Any, ...],
                                  tmp_path: Path, worker: isolated.Worker) -> None:
    made = resize(shape, scales, mode="nearest", coordinate_transformation_mode=transformation, nearest_mode=nearest)
    agrees(tmp_path, worker, made, sizes_for(shape), tolerance=0)


@SHAPES
@pytest.mark.parametrize("transformation", [m for m in MODES if m != "align_corners"])
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_broken_factors(mode: str, transformation: str, shape: tuple[Any, ...], tmp_path: Path,
                        worker: isolated.Worker) -> None:
    made = resize(shape, [1, 1, 0.7, 2.3], mode=mode, coordinate_transformation_mode=transformation)
    agrees(tmp_path, worker, made, sizes_for(shape))


@SHAPES
@pytest.mark.parametrize("transformation", MODES)
@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("scales", [[1, 1, 2, 4]], ids=str)
def test_interpolation_by_whole_factors(scales: list[float], mode: str, transformation: str, shape: tuple[Any, ...],
                                        tmp_path: Path, worker: isolated.Worker) -> None:
    made = resize(shape, scales, mode=mode, coordinate_transformation_mode=transformation)
    raw = agrees(tmp_path, worker, made, sizes_for(shape))
    assert mode == "cubic" or [n.op for n in raw.nodes].count("RESIZE_BILINEAR") == 1


@SHAPES
@pytest.mark.parametrize("transformation", MODES)
@pytest.mark.parametrize("sizes", [(3, 16), (1, 1), (7, 9)], ids=str)
@pytest.mark.parametrize("mode", ["nearest", "linear", "cubic"])
def test_stated_sizes(mode: str, sizes: tuple[int, int], transformation: str, shape: tuple[Any, ...], tmp_path: Path,
                      worker: isolated.Worker) -> None:
    made = resize(shape, None, sizes, axes=[2, 3], mode=mode, coordinate_transformation_mode=transformation)
    agrees(tmp_path, worker, made, sizes_for(shape))


@pytest.mark.parametrize("sizes", [(3, 4), (2, 11), (5, 3)], ids=str)
@pytest.mark.parametrize("exclude", [0, 1])
@pytest.mark.parametrize("mode", ["linear", "cubic"])
def test_antialias(mode: str, exclude: int, sizes: tuple[int, int], tmp_path: Path, worker: isolated.Worker) -> None:
    if exclude and mode == "linear":
        pytest.skip("ONNX Runtime has it for cubic only")
    made = resize(("n", 3, 9, 12), None, sizes, axes=[2, 3], mode=mode, antialias=1, exclude_outside=exclude)
    agrees(tmp_path, worker, made, [{"n": 2}])


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
@pytest.mark.parametrize("mode", ["nearest", "linear"])
def test_aspect_ratios(mode: str, policy: str, tmp_path: Path, worker: isolated.Worker) -> None:
    made = resize(("n", 3, 9, 12), None, (7, 8), axes=[2, 3], mode=mode, keep_aspect_ratio_policy=policy)
    agrees(tmp_path, worker, made, [{"n": 2}])


@pytest.mark.parametrize("mode", ["nearest", "linear"])
@pytest.mark.parametrize("scales", [[1, 1, 2], [1, 1, 1.5], [1, 1, 2, 3, 2], [1, 1, 1, 2, 2]], ids=str)
def test_one_and_three_axes(scales: list[float], mode: str, tmp_path: Path, worker: isolated.Worker) -> None:
    shape = ("n", 2, *("d", "h", "w")[:len(scales) - 2])
    made = resize(shape, scales, mode=mode)
    agrees(tmp_path, worker, made, [{"n": 1, "d": 4, "h": 5, "w": 3}, {"n": 2, "d": 7, "h": 3, "w": 6}])


def test_sizes_of_another_image(tmp_path: Path, worker: isolated.Worker) -> None:
    """A feature pyramid: as large as a second input."""
    from onnx import TensorProto, helper, numpy_helper
    nodes = [helper.make_node("Shape", ["y"], ["s"], start=2), helper.make_node("Shape", ["x"], ["t"], end=2),
             helper.make_node("Concat", ["t", "s"], ["z"], axis=0),
             helper.make_node("Resize", ["x", "", "", "z"], ["r"], mode="linear"),
             helper.make_node("Resize", ["x", "", "", "z"], ["q"], mode="nearest",
                              coordinate_transformation_mode="asymmetric", nearest_mode="floor")]
    infos = [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w"]),
             helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 4, "H", "W"])]
    graph = helper.make_graph(nodes, "g", infos, [helper.make_empty_tensor_value_info(k) for k in "rq"],
                              [numpy_helper.from_array(np.zeros(1), "unused")])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9).SerializeToString()
    raw = agrees(tmp_path, worker, made, [{**s, "H": 11, "W": 5} for s in SIZES])
    assert "RESIZE_BILINEAR" in [n.op for n in raw.nodes]


@pytest.mark.parametrize("kind", ["u1", "i1", "i4"])
def test_nearest_of_integers(kind: str, tmp_path: Path, worker: isolated.Worker) -> None:
    made = model("Resize", {"x": (np.dtype(kind), ("n", 3, "h", "w"))}, {"s": np.array([1, 1, 2, 2], np.float32)},
                 ["x", "", "s"], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor")
    agrees(tmp_path, worker, made, SIZES)


@SHAPES
@pytest.mark.parametrize(("op", "mode"), [("DepthToSpace", "DCR"), ("DepthToSpace", "CRD"), ("SpaceToDepth", None)])
def test_blocks(op: str, mode: str | None, shape: tuple[Any, ...], tmp_path: Path, worker: isolated.Worker) -> None:
    shape = ("n", 12, *(4 if d == 5 else d for d in shape[2:]))
    made = model(op, {"x": shape}, {}, ["x"], blocksize=2, **({"mode": mode} if mode else {}))
    agrees(tmp_path, worker, made, [{"n": 1, "h": 4, "w": 6}, {"n": 2, "h": 2, "w": 8}], tolerance=0)


@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest", "cubic"])
@pytest.mark.parametrize("known", [True, False], ids=["static", "dynamic"])
def test_grid_sample(known: bool, mode: str, padding: str, align: int, tmp_path: Path,
                     worker: isolated.Worker) -> None:
    shape = ("n", 3, 5, 8) if known else ("n", 3, "h", "w")
    made = model("GridSample", {"x": shape, "g": ("n", 4, 6, 2)}, {}, ["x", "g"], mode=mode, padding_mode=padding,
                 align_corners=align)
    cases = []
    for n, h, w in [(1, 5, 8), (2, 5, 8)] if known else [(1, 5, 8), (2, 7, 3)]:
        grid = RNG.uniform(-2.6, 2.6, (n, 4, 6, 2)).astype(np.float32)
        cases.append({"x": floats(n, 3, h, w), "g": grid})
    agrees(tmp_path, worker, made, cases, tolerance=1e-4)  # places are rounded to 1e-6 of a pixel's distance


@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["linear", "nearest"])
def test_grid_sample_of_volumes(mode: str, padding: str, tmp_path: Path, worker: isolated.Worker) -> None:
    made = model("GridSample", {"x": ("n", 2, "d", "h", "w"), "g": ("n", 2, 3, 4, 3)}, {}, ["x", "g"], mode=mode,
                 padding_mode=padding)
    grid = RNG.uniform(-1.3, 1.3, (2, 2, 3, 4, 3)).astype(np.float32)
    agrees(tmp_path, worker, made, [{"x": floats(2, 2, 4, 5, 3), "g": grid}], tolerance=1e-4)


@pytest.mark.parametrize("mode", ["avg", "max"])
@pytest.mark.parametrize("how", ["half_pixel", "output_half_pixel"])
def test_roi_align(how: str, mode: str, tmp_path: Path, worker: isolated.Worker) -> None:
    made = model("RoiAlign", {"x": ("n", 3, "h", "w"), "r": ("k", 4), "b": (I64, ("k",))}, {}, ["x", "r", "b"],
                 output_height=3, output_width=4, sampling_ratio=2, spatial_scale=0.5, mode=mode,
                 coordinate_transformation_mode=how)
    cases = []
    for k in (1, 5):
        corners = RNG.uniform(-3, 22, (k, 2, 2)).astype(np.float32)
        cases.append({"x": floats(2, 3, 9, 11), "r": np.sort(corners, 1).reshape(k, 4),
                      "b": RNG.integers(0, 2, k)})
    agrees(tmp_path, worker, made, cases, tolerance=1e-4)


@pytest.mark.parametrize("align", [0, 1])
@pytest.mark.parametrize("shape", [[2, 3, 4, 5], [1, 3, 3, 4, 2]], ids=str)
def test_affine_grid(shape: list[int], align: int, tmp_path: Path, worker: isolated.Worker) -> None:
    n = len(shape) - 2
    made = model("AffineGrid", {"t": ("n", n, n + 1)}, {"s": np.array(shape)}, ["t", "s"], align_corners=align)
    agrees(tmp_path, worker, made, [{"n": shape[0]}])


@pytest.mark.parametrize("attrs", [{}, {"strides": [2, 2]}, {"pads": [1, 0, 1, 1]}, {"dilations": [2, 1]}], ids=str)
def test_col2im(attrs: dict[str, Any], tmp_path: Path, worker: isolated.Worker) -> None:
    pads, strides, dilations = (attrs.get(k, d) for k, d in (("pads", [0] * 4), ("strides", [1, 1]),
                                                             ("dilations", [1, 1])))
    count = [(s + pads[a] + pads[a + 2] - (k - 1) * dilations[a] - 1) // strides[a] + 1
             for a, (s, k) in enumerate(((8, 3), (7, 2)))]
    made = model("Col2Im", {"x": ("n", 2 * 6, int(np.prod(count)))}, {"i": np.array([8, 7]), "b": np.array([3, 2])},
                 ["x", "i", "b"], opset=18, **attrs)
    agrees(tmp_path, worker, made, [{"n": 1}, {"n": 2}])


def test_max_roi_pool(tmp_path: Path, worker: isolated.Worker) -> None:
    made = model("MaxRoiPool", {"x": ("n", 3, "h", "w"), "r": ("k", 5)}, {}, ["x", "r"], pooled_shape=[3, 4],
                 spatial_scale=0.5)
    cases = []
    for k, n in ((1, 1), (6, 2)):
        corners = np.sort(RNG.integers(0, 24, (k, 2, 2)), 1).reshape(k, 4)
        rois = np.concatenate([RNG.integers(0, n, (k, 1)), corners], 1).astype(np.float32)
        cases.append({"x": floats(n, 3, 9, 11), "r": rois})
    agrees(tmp_path, worker, made, cases, tolerance=0)


def test_deform_conv(tmp_path: Path, worker: isolated.Worker) -> None:
    """ONNX Runtime lacks it; with offsets of zero it is a convolution."""
    weight, offset = floats(4, 2, 3, 2), np.zeros((2, 2 * 6 * 2, 4, 6), np.float32)
    attrs = {"strides": [2, 1], "pads": [1, 0, 1, 0], "dilations": [1, 2], "group": 2}
    x = floats(2, 4, 8, 8)
    import modelport
    plain = model("Conv", {"x": ("n", 4, 8, 8)}, {"w": weight}, ["x", "w"], **attrs)
    made = model("DeformConv", {"x": ("n", 4, 8, 8), "o": ("n", 24, 4, 6)}, {"w": weight}, ["x", "w", "o"],
                 offset_group=2, **attrs)
    got = {}
    for name, onnx_model in (("plain", plain), ("made", made)):
        (tmp_path / f"{name}.onnx").write_bytes(onnx_model)
        modelport.convert(tmp_path / f"{name}.onnx", tmp_path / f"{name}.tflite", verify=None)
        run = worker.open("tflite", tmp_path / f"{name}.tflite", signature="serving_default")
        got[name] = run.run({k: v for k, v in {"x": x, "o": offset}.items() if k in run.inputs})["y0"]
    np.testing.assert_allclose(got["made"], got["plain"], rtol=0, atol=1e-5)
