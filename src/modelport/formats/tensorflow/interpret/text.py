"""Text and lookups.  Elements are ``str``; bytes that are no UTF-8 are kept as surrogates."""
from __future__ import annotations

import base64
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from ....ir.tensor import Array
from .hashes import fingerprint64, siphash, together
from .table import Refused, op


def _bytes(s: Any) -> bytes:
    return str(s).encode("utf-8", "surrogateescape")


def _str(b: bytes) -> str:
    return b.decode("utf-8", "surrogateescape")


def texts(values: Any, shape: Any) -> Array:
    flat = list(values)
    out = np.empty(len(flat), object)
    out[:] = flat
    return out.reshape(shape)


def _each(f: Callable[[bytes], Any], x: Array) -> Array:
    return texts([f(_bytes(v)) for v in x.ravel()], x.shape)


@op("StringLower")
def lower(x: Array, *, encoding: str = "") -> Any:
    return _each(lambda b: _str(b).lower() if encoding == "utf-8" else _str(b.lower()), x)


@op("StringUpper")
def upper(x: Array, *, encoding: str = "") -> Any:
    return _each(lambda b: _str(b).upper() if encoding == "utf-8" else _str(b.upper()), x)


@op("StringStrip")
def strip(x: Array) -> Any:
    return _each(lambda b: _str(b.strip()), x)


@op("StringLength")
def length(x: Array, *, unit: str = "BYTE") -> Any:
    return np.array([len(_bytes(v)) if unit == "BYTE" else len(str(v)) for v in x.ravel()],
                    np.int32).reshape(x.shape)


@op("StringJoin")
def join(*xs: Array, separator: str = "") -> Any:
    rows = np.broadcast_arrays(*xs)
    return texts([separator.join(map(str, v)) for v in zip(*(r.ravel() for r in rows), strict=True)], rows[0].shape)


@op("ReduceJoin")
def reduce_join(x: Array, axes: Array, *, keep_dims: bool = False, separator: str = "") -> Any:
    for a in sorted({int(a) % x.ndim for a in np.ravel(axes)}, reverse=True):
        moved = np.moveaxis(x, a, -1)
        x = texts([separator.join(map(str, row)) for row in moved.reshape(-1, moved.shape[-1])], moved.shape[:-1])
        x = np.expand_dims(x, a) if keep_dims else x
    return x


@op("UnsortedSegmentJoin")
def segment_join(x: Array, ids: Array, n: Array, *, separator: str = "") -> Any:
    rows: list[list[str]] = [[] for _ in range(int(n))]
    for v, i in zip(x.ravel(), ids.ravel(), strict=True):
        if i >= 0:
            rows[int(i)].append(str(v))
    return texts([separator.join(r) for r in rows], (int(n),))


@op("Substr")
def substr(x: Array, pos: Array, count: Array, *, unit: str = "BYTE") -> Any:
    x, pos, count = np.broadcast_arrays(x, pos, count)
    out = []
    for v, p, n in zip(x.ravel(), pos.ravel(), count.ravel(), strict=True):
        piece: Any = _bytes(v) if unit == "BYTE" else str(v)
        start = int(p) if p >= 0 else len(piece) + int(p)
        if not 0 <= start <= len(piece):
            raise Refused("a position outside of a text")
        part = piece[start:start + max(int(n), 0)]
        out.append(_str(part) if isinstance(part, bytes) else part)
    return texts(out, x.shape)


def pattern(text: str) -> re.Pattern[str]:
    """A pattern of RE2 for Python's re, where both mean the same; ``$`` is the very end, ``.`` no line feed."""
    if re.search(r"\\[pPQECzA]|\(\?[^:iP]|\[\[:(?!punct|alpha|digit|space|alnum|upper|lower)", text):
        raise Refused(f"the pattern {text!r}")
    classes = {"punct": r"!-/:-@\[-`{-~", "alpha": "A-Za-z", "digit": "0-9", "space": r"\t-\r ",
               "alnum": "0-9A-Za-z", "upper": "A-Z", "lower": "a-z"}
    for name, chars in classes.items():
        text = text.replace(f"[:{name}:]", chars)
    return re.compile(re.sub(r"(?<!\\)\$$", r"\\Z", text), re.ASCII)


def _rewrite(text: str) -> str:
    return re.sub(r"\\(\d)", r"\\g<\1>", text)


@op("StaticRegexReplace")
def regex_replace(x: Array, *, pattern: str, rewrite: str, replace_global: bool = True) -> Any:
    compiled = globals()["pattern"](pattern)
    return texts([compiled.sub(_rewrite(rewrite), str(v), 0 if replace_global else 1) for v in x.ravel()], x.shape)


@op("RegexReplace")
def regex_replace_v2(x: Array, p: Array, rewrite: Array, *, replace_global: bool = True) -> Any:
    return regex_replace(x, pattern=str(p[()]), rewrite=str(rewrite[()]), replace_global=replace_global)


@op("StaticRegexFullMatch")
def regex_match(x: Array, *, pattern: str) -> Any:
    compiled = globals()["pattern"](pattern)
    return np.array([compiled.fullmatch(str(v)) is not None for v in x.ravel()], bool).reshape(x.shape)


@op("RegexFullMatch")
def regex_match_v2(x: Array, p: Array) -> Any:
    return regex_match(x, pattern=str(p[()]))


@op("StringSplitV2")
def string_split(x: Array, separator: Array, *, maxsplit: int = -1) -> Any:
    sep = str(separator[()])
    rows = [str(v).split(sep, maxsplit) if sep else [_str(p) for p in _bytes(v).split(None, maxsplit)]
            for v in x.ravel()]
    # as Python splits, but a rest is there even if nothing is left
    return _sparse([[*r, ""] if not sep and len(r) == maxsplit else r for r in rows])


def _sparse(rows: list[list[str]]) -> tuple[Array, Array, Array]:
    index = [(i, j) for i, r in enumerate(rows) for j in range(len(r))]
    return np.array(index, np.int64).reshape(-1, 2), texts([t for r in rows for t in r], (len(index),)), \
        np.array([len(rows), max(map(len, rows), default=0)], np.int64)


@op("StringSplit")
def string_split_v1(x: Array, delimiter: Array, *, skip_empty: bool = True) -> Any:
    chars = str(delimiter[()])
    rows = []
    for v in x.ravel():
        parts = re.split("[" + re.escape(chars) + "]", str(v)) if chars and v else list(str(v))
        rows.append([p for p in parts if p or not skip_empty])
    return _sparse(rows)


@op("StringNGrams")
def string_grams(words: Array, splits: Array, *, separator: str, ngram_widths: Any, left_pad: str = "",
                 right_pad: str = "", pad_width: int = 0, preserve_short_sequences: bool = False) -> Any:
    if preserve_short_sequences:
        raise Refused("rows kept that are shorter than any run")
    out, ends = [], [0]
    for start, end in pairwise(splits.tolist()):
        for n in ngram_widths:
            pad = min(n - 1, pad_width if pad_width >= 0 else n - 1)
            row = [left_pad] * pad + [str(w) for w in words[start:end]] + [right_pad] * pad
            out += [separator.join(row[k:k + n]) for k in range(len(row) - n + 1)]
        ends.append(len(out))
    return texts(out, (len(out),)), np.array(ends, splits.dtype)


@op("AsString")
def as_string(x: Array, *, precision: int = -1, scientific: bool = False, shortest: bool = False, width: int = -1,
              fill: str = "") -> Any:
    if shortest or fill or width != -1:
        raise Refused("a format of numbers")
    if x.dtype.kind == "b":
        return texts(["true" if v else "false" for v in x.ravel()], x.shape)
    if x.dtype.kind in "iu":
        return texts([str(int(v)) for v in x.ravel()], x.shape)
    p = 6 if precision < 0 else precision
    return texts([f"{float(v):.{p}{'e' if scientific else 'f'}}" for v in x.ravel()], x.shape)


@op("StringToNumber")
def to_number(x: Array, *, out_type: Any = np.float32) -> Any:
    convert: Any = float if np.dtype(out_type).kind == "f" else int
    return np.array([convert(str(v)) for v in x.ravel()], out_type).reshape(x.shape)


@op("StringToHashBucketFast")
def hash_fast(x: Array, *, num_buckets: int) -> Any:
    return np.array([fingerprint64(_bytes(v)) % num_buckets for v in x.ravel()], np.int64).reshape(x.shape)


@op("StringToHashBucketStrong")
def hash_strong(x: Array, *, num_buckets: int, key: Any) -> Any:
    return np.array([siphash(_bytes(v), *key) % num_buckets for v in x.ravel()], np.int64).reshape(x.shape)


@op("SparseCross")
def sparse_cross(*xs: Array, N: int = 0, hashed_output: bool = True, num_buckets: int, hash_key: int,
                 **others: Any) -> Any:
    if N or not hashed_output or any(x.ndim != 2 or x.shape[1] != 1 for x in xs):
        raise Refused("a cross of sparse features, of several columns, or as texts")
    hashed = [[fingerprint64(_bytes(v)) if x.dtype == object else int(v) for v in x.ravel()] for x in xs]
    made = []
    for row in zip(*hashed, strict=True):
        crossed = hash_key
        for one in row:
            crossed = together(crossed, one)
        made.append(crossed % num_buckets)
    at = [[k, 0] for k in range(len(made))]
    return np.array(at, np.int64).reshape(-1, 2), np.array(made, np.int64), np.array([len(made), 1], np.int64)


@op("UnicodeDecode", "UnicodeDecodeWithOffsets")
def decode(x: Array, *, input_encoding: str, replace_control_characters: bool = False, Tsplits: Any = np.int64,
           errors: str = "replace", replacement_char: int = 65533) -> Any:
    if input_encoding.upper() not in ("UTF-8", "UTF8") or replace_control_characters:
        raise Refused("another encoding than UTF-8, or other control characters")
    rows = [str(v) for v in x.ravel()]
    splits = np.cumsum([0, *map(len, rows)]).astype(Tsplits)
    offsets = [len(_bytes(r[:k])) for r in rows for k in range(len(r))]
    return splits, np.array([ord(c) for r in rows for c in r], np.int32), np.array(offsets, np.int64)


@op("UnicodeEncode")
def encode(points: Array, splits: Array, *, output_encoding: str, errors: str = "replace",
           replacement_char: int = 65533) -> Any:
    if output_encoding.upper() not in ("UTF-8", "UTF8"):
        raise Refused("another encoding than UTF-8")
    return texts(["".join(map(chr, points[a:b].tolist())) for a, b in pairwise(splits.tolist())], (len(splits) - 1,))


@op("EncodeBase64")
def encode_base64(x: Array, *, pad: bool = False) -> Any:
    return _each(lambda b: _str(base64.urlsafe_b64encode(b) if pad else base64.urlsafe_b64encode(b).rstrip(b"=")), x)


@op("DecodeBase64")
def decode_base64(x: Array) -> Any:
    return _each(lambda b: _str(base64.urlsafe_b64decode(b + b"=" * (-len(b) % 4))), x)


@op("DecodeRaw")
def decode_raw(x: Array, *, out_type: Any, little_endian: bool = True) -> Any:
    rows = [np.frombuffer(_bytes(v), np.dtype(out_type)) for v in x.ravel()]
    made = np.stack(rows) if rows else np.zeros((0, 0), out_type)
    made = made if little_endian else made.byteswap()
    return made.reshape(*x.shape, -1)


@op("UnicodeTranscode")
def transcode(x: Array, *, input_encoding: str, output_encoding: str, **_: Any) -> Any:
    if input_encoding.upper() != "UTF-8" or output_encoding.upper() != "UTF-8":
        raise Refused("another encoding than UTF-8")
    return x


@op("LookupTableFindV2")
def lookup(keys: Array, values: Array, x: Array, default: Array) -> Any:
    known = dict(zip(keys.ravel().tolist(), values.ravel().tolist(), strict=True))
    other = default.reshape(-1).tolist()[0]
    flat = [known.get(v, other) for v in x.ravel().tolist()]
    return texts(flat, x.shape) if values.dtype == object else np.array(flat, values.dtype).reshape(x.shape)


