"""LightGBM: texts that are no models."""
from __future__ import annotations

import re
import tarfile
from pathlib import Path

import pytest

from modelport.errors import CorruptFile, ModelportError, Unsupported
from modelport.formats.lightgbm.model import parse

OLD = Path(__file__).parents[2] / "recorded/tabular/old/d.tar.xz"


def member(name: str) -> str:
    with tarfile.open(OLD) as tar:
        stream = tar.extractfile(name)
        assert stream is not None
        return stream.read().decode()


@pytest.mark.parametrize(("line", "new"), [
    ("left_child", "0 0 0 0 0 0 0"), ("right_child", "99 98 97 96 95 94 93"), ("split_feature", "9 9 9 9 9 9 9"),
    ("threshold", "nan nan nan nan nan nan nan"), ("num_leaves", "100000000"), ("leaf_value", "1 2"),
    ("decision_type", "1 1 1 1 1 1 1"), ("left_child", "x"), ("num_leaves", "-3")])
def test_a_tree_that_is_none_is_corrupt(line: str, new: str) -> None:
    text = member("lgb-categories.txt")
    changed = re.sub(rf"^{line}=.*$", f"{line}={new}", text, count=1, flags=re.MULTILINE)
    assert changed != text
    with pytest.raises(CorruptFile):
        parse(changed.encode())


def test_whatever_is_cut_off_or_changed_is_a_typed_error_or_a_model() -> None:
    data = member("lgb-categories.txt").encode()
    for at in range(0, len(data), max(1, len(data) // 150)):
        for bad in (data[:at], data[:at] + b"9" + data[at + 1:]):
            try:
                parse(bad)
            except (ModelportError, Unsupported):
                continue
