"""Statistics of categories (CTRs): numbers that CatBoost looks up for a category, or for several together, and asks
about as it does about any feature.

A table maps the hash of a combination to counts.  Each hash is a linear function, modulo 2^64, of the hashes of its
categories, so that the combinations behind the keys of a table can be found again.

Sources: catboost/libs/model (ctr_provider.h, static_ctr_provider.cpp, ctr_value_table.cpp, hash.h)."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...codecs.flatbuffer import Reader, Schema, Table, schema
from ...codecs.limits import Limits
from ...errors import CorruptFile, Unsupported
from ...ir.tensor import Array

TYPES = ("Borders", "Buckets", "BinarizedTargetMeanValue", "FloatTargetMeanValue", "Counter", "FeatureFreq")
MEANS, TOTALS = TYPES[2:4], TYPES[4:]
_STEP, _ALL = 0x4906ba494954cb65, (1 << 64) - 1
_TRIES = 1 << 27
"""How many combinations are tried for the keys of a table."""
EMPTY = _ALL
UNKNOWN = ("categories that are texts: the file holds their hashes only, and ONNX has no such hash; save the model as "
           "JSON with the data of training (save_model(path, format='json', pool=pool)), which then holds the texts, "
           "or train with categories that are whole numbers")


@dataclass(frozen=True, eq=False)
class Question:
    """Is a feature above ``border`` (``missing`` says what NaN is), or the category of the hash ``value``?"""

    feature: int
    border: float = 0.0
    missing: bool = False
    value: int | None = None

    @property
    def key(self) -> tuple[int, float, int | None]:
        return self.feature, self.border, self.value


@dataclass(frozen=True, eq=False)
class Combination:
    """Categories (numbers of features) and questions about others, in the order in which they are hashed."""

    categories: tuple[int, ...]
    questions: tuple[Question, ...] = ()

    @property
    def key(self) -> tuple[Any, ...]:
        return self.categories, tuple(q.key for q in self.questions)

    def factors(self) -> list[int]:
        """What the hash of each part is multiplied with."""
        count = len(self.categories) + len(self.questions)
        return [pow(_STEP, count - k + 1, 1 << 64) for k in range(count)]


@dataclass(frozen=True, eq=False)
class Counts:
    """``keys``: (n) hashes; ``found``: (n, k) what was counted for each, or its sum and number."""

    keys: Array
    found: Array
    denominator: int


@dataclass(frozen=True, eq=False)
class Ctr:
    """One statistic: of what, how it is made of counts, and the borders that are asked about."""

    of: Combination
    kind: str
    counts: Counts
    target: int
    numerator: float
    prior: float
    shift: float
    scale: float
    borders: Array

    def values(self) -> tuple[Array, np.float32]:
        """The statistic of each key, and that of combinations without one, in float32 as CatBoost computes."""
        found = self.counts.found
        if self.kind in MEANS:
            good, total, none = found[:, 0], found[:, 1], 0
        elif self.kind in TOTALS:
            good, total, none = found[:, 0], np.full(len(found), self.counts.denominator), self.counts.denominator
        else:
            first = self.target if self.kind == "Buckets" else self.target + 1
            last = first + 1 if self.kind == "Buckets" else found.shape[1]
            if self.kind == "Borders" and found.shape[1] <= 2:
                first, last = 1, 2
            if not 0 <= first < last <= found.shape[1]:
                raise CorruptFile("a CatBoost model with a statistic of a class that is not there")
            good, total, none = found[:, first:last].sum(1), found.sum(1), 0
        f = np.float32
        both = f(np.append(good, 0)), f(np.append(total, none))
        with np.errstate(all="ignore"):
            made = ((both[0] + f(self.numerator)) / (both[1] + f(self.prior)) + f(self.shift)) * f(self.scale)
        return made[:-1], made[-1]


# -- files


def parts(data: memoryview, limits: Limits) -> dict[Any, Counts]:
    """The tables behind the trees of a .cbm file, by :func:`name`."""
    made: dict[Any, Counts] = {}
    count, at = _size(data, 0)
    own = schema("catboost")
    for _ in range(count):
        size, at = _size(data, at)
        if at + size > len(data):
            raise CorruptFile("a CatBoost model whose tables are cut off")
        t = _root(data[at:at + size], own, "TCtrValueTable", limits)
        at += size
        base, index, blob = t["ModelCtrBase"], t["IndexHashRaw"], t["CTRBlob"]
        if base is None or index is None or blob is None or len(index) % 12 or len(blob) % 4:
            raise CorruptFile("a CatBoost model with a table of counts that is none")
        buckets = np.frombuffer(index.tobytes(), np.dtype([("hash", "<u8"), ("at", "<u4")]))
        buckets = buckets[buckets["hash"] != EMPTY]
        kind = base["CtrType"]
        made[name(base)] = Counts(buckets["hash"].astype(np.uint64), _counted(
            kind, blob.tobytes(), t["TargetClassesCount"], buckets["at"]), t["CounterDenominator"])
    return made


def _size(data: memoryview, at: int) -> tuple[int, int]:
    short = int.from_bytes(data[at:at + 4], "little")
    if len(data) < at + 4 or short == 0xffffffff:
        raise CorruptFile("a CatBoost model whose tables are cut off")
    return short, at + 4


def _root(data: memoryview, own: Schema, table: str, limits: Limits) -> Table:
    reader = Reader(data, own, None, limits)
    return Table(reader, table, reader.follow(0), 0)


def _counted(kind: str, blob: bytes, classes: int, at: Array) -> Array:
    if kind in MEANS:
        rows = np.frombuffer(blob[:len(blob) // 8 * 8], np.dtype([("sum", "<f4"), ("count", "<i4")]))
        found = np.stack([rows["sum"].astype(np.float64), rows["count"].astype(np.float64)], 1)
    else:
        width = 1 if kind in TOTALS else classes
        if not 0 < width <= max(1, len(blob) // 4):
            raise CorruptFile("a CatBoost model with a table of counts that is none")
        found = np.frombuffer(blob, "<i4")[:len(blob) // 4 // width * width].reshape(-1, width).astype(np.int64)
    if len(at) and at.max() >= len(found):
        raise CorruptFile("a CatBoost model with a count that is not there")
    return found[at]


def name(base: Table) -> tuple[Any, ...]:
    """What tells one table from others: what it is of, by the numbers in the file, and its kind."""
    c = base["FeatureCombination"]
    return (*(tuple(np.asarray(c[k] if c[k] is not None else (), np.int64).tolist())
              for k in ("CatFeatures", "FloatSplits", "OneHotSplits")), base["CtrType"])


def binary(features: Sequence[Table], tables: Mapping[Any, Counts], flat: Mapping[int, int],
           floats: Mapping[int, tuple[int, bool]]) -> list[Ctr]:
    """The statistics of a .cbm file; ``flat``: each category's number among all features, ``floats``: each number's,
    and what NaN is."""
    made = []
    for f in features:
        c = f["Ctr"]
        if c is None or c["Base"] is None or c["Base"]["FeatureCombination"] is None:
            raise CorruptFile("a CatBoost model with a statistic of nothing")
        key = name(c["Base"])
        if key not in tables:
            raise CorruptFile("a CatBoost model without the counts of a statistic")
        above = np.array(key[1], np.int64).view("<i4").reshape(-1, 2)
        exact = np.array(key[2], np.int64).view("<i4").reshape(-1, 2)
        asked = [Question(floats[int(k)][0], float(np.array(b).view(np.float32)), floats[int(k)][1]) for k, b in above]
        asked += [Question(flat[int(k)], value=int(v)) for k, v in exact]
        borders = np.asarray(f["Borders"] if f["Borders"] is not None else (), np.float32)
        made.append(Ctr(Combination(tuple(flat[k] for k in key[0]), tuple(asked)), key[3], tables[key],
                        c["TargetBorderIdx"], c["PriorNum"], c["PriorDenom"], c["Shift"], c["Scale"], borders))
    return made


def from_json(ctrs: Sequence[Mapping[str, Any]], data: Mapping[str, Any], flat: Mapping[int, int],
              floats: Mapping[int, tuple[int, bool]]) -> list[Ctr]:
    """The statistics of a JSON file, as :func:`binary`."""
    made, known = [], dict[str, Counts]()
    for c in ctrs:
        own, kind = c["identifier"], c["ctr_type"]
        if kind not in TYPES:
            raise Unsupported("a kind of statistics of categories that is not known")
        if own not in known:
            table = data[own]
            stride = int(table["hash_stride"])
            if stride < 2 or len(table["hash_map"]) % stride:
                raise CorruptFile("a CatBoost model with a table of counts that is none")
            rows = [table["hash_map"][k:k + stride] for k in range(0, len(table["hash_map"]), stride)]
            rows = [r for r in rows if int(r[0]) != EMPTY]
            found = np.array([r[1:] for r in rows], np.float64 if kind in MEANS else np.int64).reshape(-1, stride - 1)
            known[own] = Counts(np.array([int(r[0]) for r in rows], np.uint64), found,
                                int(table["counter_denominator"]))
        categories, asked = [], list[Question]()
        for e in c["elements"]:
            what = e["combination_element"]
            if what == "cat_feature_value":
                categories.append(flat[e["cat_feature_index"]])
            elif what == "float_feature":
                feature, missing = floats[e["float_feature_index"]]
                asked.append(Question(feature, float(np.float32(e["border"])), missing))
            elif what == "cat_feature_exact_value":
                asked.append(Question(flat[e["cat_feature_index"]], value=int(e["value"])))
            else:
                raise Unsupported("a combination of categories with an unknown part")
        asked.sort(key=lambda q: q.value is not None)  # numbers are hashed first
        made.append(Ctr(Combination(tuple(categories), tuple(asked)), kind, known[own],
                        int(c.get("target_border_idx", 0)), float(c["prior_numerator"]),
                        float(c["prior_denomerator"]), float(c["shift"]), float(c["scale"]),
                        np.asarray(c["borders"], np.float32)))
    return made


# -- keys


def inverse(odd: int) -> int:
    return pow(odd, -1, 1 << 64)


def alone(keys: Array) -> Array:
    """The hashes of categories behind the keys of a table of one category."""
    hashes = (keys * np.uint64(inverse(pow(_STEP, 2, 1 << 64)))).astype(np.int64)
    if len(hashes) and not -1 << 31 <= hashes.min() <= hashes.max() < 1 << 31:
        raise CorruptFile("a CatBoost model with a table of categories whose keys are no hashes of them")
    return hashes


def behind(of: Combination, keys: Array, candidates: Mapping[int, Array]) -> list[tuple[int, tuple[int, ...],
                                                                                    tuple[int, ...]]] | None:
    """(number of the key, hashes of the categories, answers) of all combinations of ``candidates`` that are keys;
    ``None`` if there are keys without any."""
    factors = of.factors()
    count = len(of.categories)
    free = max(range(count), key=lambda k: len(candidates[of.categories[k]]))  # solved for, not tried
    tried = [np.sort(candidates[f]) if k != free else np.zeros(1, np.int64) for k, f in enumerate(of.categories)]
    tried += [np.array([0, 1])] * len(of.questions)
    total = int(np.prod([float(len(t)) for t in tried]))
    if total * max(1, len(keys)) > _TRIES:
        raise Unsupported(f"a combination of {count} categories with too many values ({total} x {len(keys)})")
    sums = np.zeros(1, np.uint64)
    for part, factor in zip(tried, factors, strict=True):
        sums = (sums[:, None] + part.astype(np.uint64) * np.uint64(factor)).ravel()
    back = np.uint64(inverse(factors[free]))
    known = np.sort(candidates[of.categories[free]])
    made, seen = [], np.zeros(len(keys), bool)
    shape = [len(t) for t in tried]
    for k, key in enumerate(keys):
        rest = ((key - sums) * back).astype(np.int64)
        near = np.minimum(np.searchsorted(known, rest), len(known) - 1)
        for at in np.flatnonzero(known[near] == rest) if len(known) else ():
            place = np.unravel_index(int(at), shape)
            parts_ = [int(t[p]) for t, p in zip(tried, place, strict=True)]
            parts_[free] = int(rest[at])
            made.append((k, tuple(parts_[:count]), tuple(parts_[count:])))
            seen[k] = True
    return made if seen.all() else None


@dataclass(frozen=True, eq=False)
class Lookup:
    """The statistics of one combination as a table.

    ``categories``: for each the number of its feature and the place of each known hash.  ``rows``: the row of
    ``table`` for each known key, a number whose digits, of the ``bases``, are the places (one more is that of all
    others) and the answers to the questions; the last row of ``table`` (rows + 1, statistics) is that of other keys."""

    categories: tuple[tuple[int, Mapping[int, int]], ...]
    questions: tuple[Question, ...]
    bases: tuple[int, ...]
    rows: Mapping[int, int]
    table: Array


def lookups(ctrs: Sequence[Ctr], candidates: Mapping[int, Array], others: Array) -> tuple[list[Lookup], list[int]]:
    """A table for each combination, and the column of each statistic, all tables side by side.

    ``candidates``: the hashes that a feature is known to have; ``others``: those that any may have."""
    groups: dict[Any, list[int]] = {}
    for k, c in enumerate(ctrs):
        groups.setdefault(c.of.key, []).append(k)
    made, column, at = list[Lookup](), [0] * len(ctrs), 0
    for group in groups.values():
        of = ctrs[group[0]].of
        keys = np.unique(np.concatenate([ctrs[k].counts.keys for k in group]))
        table = np.empty((len(keys) + 1, len(group)), np.float32)
        for n, k in enumerate(group):
            values, none = ctrs[k].values()
            table[:, n] = none
            table[np.searchsorted(keys, ctrs[k].counts.keys), n] = values
            column[k] = at + n
        at += len(group)
        own = {f: candidates.get(f, others) for f in of.categories}
        found = behind(of, keys, own) or behind(of, keys, dict.fromkeys(of.categories, others))
        if found is None:
            raise Unsupported(UNKNOWN)
        places = [{h: p for p, h in enumerate(sorted({f[1][n] for f in found}))} for n in range(len(of.categories))]
        bases = [len(p) + 1 for p in places] + [2] * len(of.questions)
        if np.prod([float(b) for b in bases]) > 1 << 62:
            raise Unsupported("a combination of too many categories")
        rows = {}
        for k, hashes, answers in found:
            digits = [places[n][h] for n, h in enumerate(hashes)] + list(answers)
            number = 0
            for digit, base in zip(digits, bases, strict=True):
                number = number * base + digit
            rows[number] = k
        made.append(Lookup(tuple(zip(of.categories, places, strict=True)), of.questions, tuple(bases), rows, table))
    return made, column


def told(ctrs: Sequence[Ctr]) -> dict[int, set[int]]:
    """The hashes that a feature had in training, where a table is of it alone."""
    made: dict[int, set[int]] = {}
    for c in ctrs:
        if len(c.of.categories) == 1 and not c.of.questions:
            made.setdefault(c.of.categories[0], set()).update(alone(c.counts.keys).tolist())
    return made
