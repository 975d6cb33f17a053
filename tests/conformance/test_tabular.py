"""The verdict on every fitted estimator is the one on record; wrong and crash do not occur."""
from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from dear import quick
from tabular_cases import FAMILIES, cases, expected, recorded, recording, run


def table(family: str) -> dict[str, str]:
    return {line[:56].strip(): line[56:].strip() for line in expected(family).read_text().splitlines()}


def agree(family: str, names: set[str]) -> None:
    found, wanted = recorded(family), table(family)
    assert set(found) == set(wanted)
    assert dict(run(family, {k: v for k, v in found.items() if k in names})) == {k: wanted[k] for k in names}, \
        f"python tests/conformance/tabular_cases.py {family} --recorded writes the new table"


@pytest.mark.parametrize("family", FAMILIES)
def test_verdicts_are_those_on_record(family: str) -> None:
    """From pickles and answers that the libraries made; none of them is needed."""
    agree(family, quick(table(family)))


@pytest.mark.slow
@pytest.mark.parametrize("family", FAMILIES)
def test_verdicts_of_dear_cases(family: str) -> None:
    agree(family, set(table(family)) - quick(table(family)))


NO_ANSWER = frozenset(
    "AgglomerativeClustering ClassicalMDS DBSCAN EmpiricalCovariance GraphicalLasso GraphicalLassoCV HDBSCAN "
    "LedoitWolf MDS MinCovDet NearestNeighbors OAS OPTICS ShrunkCovariance SpectralBiclustering SpectralClustering "
    "SpectralCoclustering SpectralEmbedding TSNE".split())
"""Estimators that say nothing of other rows than those they were fitted on."""
NO_ROWS = frozenset(["PatchExtractor"])
"""Those that take images in the place of rows."""


def test_every_public_estimator_has_a_case() -> None:
    """The list is that of scikit-learn 1.9.1 (``sklearn.utils.all_estimators``)."""
    names = set((expected("x").parent / "sklearn-estimators.txt").read_text().split())
    tried = {case.partition("/")[0] for family in FAMILIES for case in table(family)}
    assert names - tried - NO_ANSWER - NO_ROWS == set()
    passed = {case.partition("/")[0] for family in FAMILIES for case, v in table(family).items() if v == "pass"}
    assert len(names & passed) > 165


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_on_record_is_wrong(family: str) -> None:
    assert set(table(family)) == set(cases(family))
    assert not {k: v for k, v in table(family).items() if v != "pass" and not v.startswith("unsupported: ")}
    assert recording(family).stat().st_size < 400_000
