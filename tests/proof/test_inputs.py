"""The suite: deterministic, within bounds that the graph states, and as wide as it must be."""
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from graphs import IMAGE, ROWS, graph, w
from mutants import tree

from modelport.errors import RuntimeFailed, UsageError
from modelport.proof import suite
from modelport.proof.domains import columns, domains, splits
from modelport.proof.inputs import Feed, Plan, probed, probes, work

WORDS = (["f", "m"], ["A", "B", "C"])


def test_the_same_seed_makes_the_same_inputs_and_another_makes_others() -> None:
    g = graph(lambda op, x: op.Relu(x), x=ROWS)
    one, two, other = suite(g), suite(g), suite(g, seed=1)
    assert [f.sha256 for f in one.feeds] == [f.sha256 for f in two.feeds]
    assert [f.name for f in one.feeds] == [f.name for f in other.feeds]
    assert one.feeds[0].sha256 != other.feeds[0].sha256


def test_batches_scales_and_specials_are_there() -> None:
    feeds = suite(graph(lambda op, x: op.Relu(x), x=ROWS)).feeds
    assert {1, 2, 3, 7} <= {f.rows for f in feeds}
    everything = np.concatenate([f.arrays["x"].ravel() for f in feeds])
    for value in (0.5, -0.5, 1.5, 2.5, 6.0, 88.0, -104.0, 65504.0, 16777217.0, np.inf, -np.inf):
        assert (everything == np.float32(value)).any(), value
    assert np.isnan(everything).any()
    assert ((everything == 0) & np.signbit(everything)).any()
    assert len({f.name for f in feeds}) == len(feeds)


def test_symbols_are_the_same_in_all_inputs_and_different_from_each_other() -> None:
    g = graph(lambda op, a, b: op.Add(*(op.ReduceSum(v, np.array([2]), keepdims=0) for v in (a, b))),
              a=("batch", "seq", 4), b=("batch", "seq", 5))
    for f in suite(g).feeds:
        assert f.arrays["a"].shape[:2] == f.arrays["b"].shape[:2]
    assert len({f.arrays["a"].shape[:2] for f in suite(g).feeds}) >= 4
    two = graph(lambda op, a, b: op.Concat(a, b, axis=1), a=("n", "seq"), b=("n", "past"))
    assert any(f.arrays["a"].shape[1] != f.arrays["b"].shape[1] for f in suite(two).feeds)


@pytest.mark.parametrize("plan", [Plan(aligned=True), Plan(size=64)])
def test_plans_choose_sizes(plan: Plan) -> None:
    g = graph(lambda op, x: op.Relu(x), x=("N", 3, "H", "W"))
    for f in probes(g, plan):
        assert all(d % 32 == 0 for d in f.arrays["x"].shape[2:])


def test_static_dimensions_of_the_target_bind() -> None:
    g = graph(lambda op, x: op.Relu(x), x=ROWS)
    from modelport.ir.types import Type
    feeds = suite(g, types={"x": Type(np.dtype(np.float32), (1, 6))}).feeds
    assert {f.arrays["x"].shape for f in feeds} == {(1, 6)}


def test_indices_stay_in_their_table_through_moves_and_arithmetic() -> None:
    g = graph(lambda op, i: op.Gather(w(9, 4), op.Unsqueeze(op.Cast(i, to=7), np.array([1]))), i=(np.int32, ("N", 3)))
    assert domains(g)["i"].index == 9
    everything = np.concatenate([f.arrays["i"].ravel() for f in suite(g).feeds if "negative" not in f.name])
    assert everything.min() == 0
    assert everything.max() == 8
    negative = next(f for f in suite(g).feeds if "negative" in f.name)
    assert negative.arrays["i"].min() >= -9
    assert negative.arrays["i"].min() < 0
    shifted = graph(lambda op, i: op.Gather(w(9, 4), op.Add(i, np.array(2))), i=(np.int64, ("N",)))
    assert domains(shifted)["i"].index == 2  # zero and one are safe whatever is added within reason


def test_quantized_inputs_cover_their_whole_range() -> None:
    g = graph(lambda op, x: op.DequantizeLinear(x, np.float32(0.1), np.uint8(3)), x=(np.uint8, IMAGE))
    seen = np.unique(np.concatenate([f.arrays["x"].ravel() for f in suite(g).feeds]))
    assert len(seen) == 256


def test_masks_sizes_and_switches() -> None:
    g = graph(lambda op, x, m: op.Mul(x, op.Cast(m, to=1)), x=ROWS, attention_mask=(np.int64, ROWS))
    seen = {int(v) for f in suite(g).feeds for v in f.arrays["attention_mask"].ravel()}
    assert seen == {0, 1}
    sizes = graph(lambda op, x, n: op.Tile(x, n), x=("N", 2), n=(np.int64, (2,)))
    assert max(f.arrays["n"].max() for f in suite(sizes).feeds) < 8  # never a size that eats the memory
    switch = graph(lambda op, r: op.Equal(r, np.array(16000)), r=(np.int64, ()))
    assert any(int(f.arrays["r"]) == 16000 for f in suite(switch).feeds)


def test_categories_known_and_unknown() -> None:
    g = graph(lambda op, s: op.ml.LabelEncoder(s, keys_strings=["red", "green"], values_int64s=[1, 2]), s=(str, ("N",)))
    seen = {v for f in suite(g).feeds for v in f.arrays["s"]}
    assert {"red", "green", ""} <= seen
    assert len(seen) > 4


def test_tree_thresholds_and_their_neighbours_are_reached() -> None:
    g = graph(tree(), x=ROWS)
    found = splits(g, 100)
    assert sorted(s.threshold for s in found) == pytest.approx([-1.7, 0.3, 2.5])
    rows = np.concatenate([f.arrays["x"] for f in suite(g).feeds if f.kind == "threshold"])
    for column, t in ((0, 0.3), (1, -1.7), (2, 2.5)):
        t32 = np.float32(t)
        for x in (t32, np.nextafter(t32, np.float32(-9)), np.nextafter(t32, np.float32(9))):
            at = rows[rows[:, column] == x]
            assert len(at), (column, x)
            if column == 1:
                assert (at[:, 0] <= np.float32(0.3)).any()  # the path to this node
    assert np.isnan(rows).any(0)[:3].all()


def test_features_are_followed_through_casts_and_concatenation() -> None:
    g = graph(lambda op, a, b: op.Concat(op.Cast(a, to=1), b, axis=1), a=(np.float64, ("N", 2)), b=("N", 1))
    assert columns(g, g.outputs["out"]) == [("a", 0), ("a", 1), ("b", 0)]
    computed = graph(lambda op, x: op.Neg(x), x=ROWS)
    assert columns(computed, computed.outputs["out"]) == []


def test_the_budget_bounds_work_and_says_what_it_left_out() -> None:
    big = graph(lambda op, x: op.Conv(x, w(64, 64, 3, 3), pads=[1, 1, 1, 1]), x=(1, 64, 224, 224))
    assert work(big) == 64 * 224 * 224 * 64 * 9
    s = suite(big)
    assert 6 <= len(s.feeds) < 15
    assert s.left_out
    assert len(suite(big, level="thorough").feeds) > len(s.feeds)


def test_a_sample_comes_first_and_is_checked() -> None:
    g = graph(lambda op, x: op.Relu(x), x=(1, 6))
    rows = np.arange(18.0).reshape(3, 6)
    feeds = suite(g, sample={"x": rows}).feeds
    assert [f.name for f in feeds[:3]] == ["sample rows 0", "sample rows 1", "sample rows 2"]
    np.testing.assert_array_equal(np.concatenate([f.arrays["x"] for f in feeds[:3]]), rows)
    with pytest.raises(UsageError, match="no input 'z'"):
        suite(g, sample={"x": rows, "z": rows})
    with pytest.raises(UsageError, match="lacks the input 'x'"):
        suite(g, sample={"y": rows})
    with pytest.raises(UsageError, match="shape"):
        suite(g, sample={"x": rows[0]})
    with pytest.raises(UsageError, match="no suite"):
        suite(g, level="huge")


@pytest.mark.parametrize("joined", [True, False])
def test_some_feeds_have_known_categories_only_each_column_its_own(joined: bool) -> None:
    """An encoder that refuses unknown categories must be tried on known ones, too."""
    def encoded(op: Any, a: Any, b: Any = None) -> Any:
        both = op.Concat(a, b, axis=1) if joined else a
        codes = [op.ml.LabelEncoder(op.Gather(both, np.array([k]), axis=1), keys_strings=words, default_int64=-1,
                                    values_int64s=list(range(len(words)))) for k, words in enumerate(WORDS)]
        return op.Concat(*codes, axis=1)
    g = graph(encoded, a=(object, ("N", 1)), b=(object, ("N", 1))) if joined else graph(encoded, a=(object, ("N", 2)))
    feeds = [np.concatenate(list(f.arrays.values()), axis=1) for f in suite(g).feeds if "known" in f.name]
    assert len(feeds) >= 3 and {len(f) for f in feeds} > {64}
    for k, words in enumerate(WORDS):
        assert {str(t) for f in feeds for t in f[:, k]} == set(words)
        assert {str(t) for f in suite(g).feeds for t in f.arrays["b" if joined and k else "a"].ravel()} > set(words)


def test_known_numbers_are_drawn_as_the_input_holds_them() -> None:
    def encoded(op: Any, x: Any) -> Any:
        return op.ml.LabelEncoder(op.Gather(x, np.array([1]), axis=1), keys_int64s=[10, 11], values_int64s=[0, 1],
                                  default_int64=-1)
    g = graph(encoded, x=(np.int64, ("N", 2)))
    drawn = [f.arrays["x"] for f in suite(g).feeds if "known" in f.name]
    assert drawn and all(x.dtype == np.int64 and set(x[:, 1]) <= {10, 11} for x in drawn)


def test_a_source_that_takes_no_negative_numbers_is_tried_on_others() -> None:
    g = graph(lambda op, x: op.Sqrt(x), x=ROWS)

    def picky(feed: Feed) -> object:
        return RuntimeFailed("negative") if (feed.arrays["x"] < 0).any() else {}
    answers = probed(picky, probes(g, Plan()))
    assert len(answers) > 4 and {} in answers
    assert probed(lambda feed: {}, probes(g, Plan())) == [{}] * 4


@pytest.mark.parametrize("shape", [(), ("N",), ("N", "T"), ("N", 2, 1), (1, "T", 3)], ids=str)
def test_words_of_any_shape_are_drawn(shape: tuple[int | str, ...]) -> None:
    g = graph(lambda op, x: op.ml.LabelEncoder(x, keys_strings=["f", "m"], values_int64s=[0, 1], default_int64=-1),
              x=(object, shape))
    known = [f.arrays["x"] for f in suite(g).feeds if "known" in f.name]
    assert len(known) >= 3 or shape == (1, "T", 3)  # of several columns each would need an encoder of its own
    assert all(str(t) in "fm" for x in known for t in (x[..., 0] if x.ndim > 1 else x).ravel())
