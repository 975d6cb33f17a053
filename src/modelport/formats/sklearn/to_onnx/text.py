"""Texts as counts of their words or characters.  Source: sklearn/feature_extraction/text.py.

ONNX has no operator that cuts a text where a pattern says so: each character that is no part of a word is replaced by a
space, and texts are split at spaces.  For ASCII that is exact; which characters beyond it are known is in the notes."""
from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import numpy as np

from ....errors import Unsupported
from ....hub import strings
from ....hub.letters import COMMON, SPACE, SPACES, changed
from ....hub.strings import replaced, without
from ....hub.strings import text as word
from ....ir.graph import Value
from ....ir.rules import Builder
from ....ir.tensor import Array
from ....ir.types import STRING
from ..estimator import Estimator, dense, text
from ..methods import Table, columns, features, ints, like, matrix, method, real
from .encode import element_type
from .preprocess import normalized

ACCENTED = "".join(map(chr, [*range(0xc0, 0x180), *range(0x1e00, 0x1f00), *range(0x300, 0x330)]))
"""Letters with accents, and accents by themselves, that are looked at one by one."""
PATTERN = re.compile(r"(?:\(\?u\))?(\\b)?\(?(\\w|\\S|\[(?:[^\]\\]|\\.)+\])(\2*)(\+|\{(\d+),\})\)?(\\b)?")


@method("transform", "CountVectorizer", "TfidfVectorizer")
def vectorizer(op: Builder, x: Any, e: Estimator) -> Value:
    row = documents(op, x, e)
    found = _counts(op, row, e)
    if e.get("binary"):
        found = op.Min(found, like(found, 1))
    if e.name == "CountVectorizer":
        return real(op, found, element_type(e))
    return weighted(op, real(op, found, np.float32 if element_type(e) == np.float32 else np.float64), e["_tfidf"])


@method("transform", "TfidfTransformer")
def tfidf(op: Builder, x: Any, e: Estimator) -> Value:
    return weighted(op, matrix(op, x), e)


def weighted(op: Builder, counts: Value, e: Estimator) -> Value:
    """Counts by how rare each word is, every row divided by its norm."""
    if e.get("sublinear_tf"):
        none = op.Equal(counts, like(counts, 0))
        counts = op.Where(none, counts, op.Add(op.Log(op.Where(none, like(counts, 1), counts)), like(counts, 1)))
    if e.get("use_idf", True):
        counts = op.Mul(counts, like(counts, _rareness(e)))
    norm = text(e.get("norm"))
    return counts if norm is None else normalized(op, counts, norm, e)


def _rareness(e: Estimator) -> Array:
    if "idf_" in e:
        return e.array("idf_")
    found = e["_idf_diag"]
    if isinstance(found, Estimator):
        data = np.asarray(found.state.get("data"), np.float64)
        flat = data.ndim == 1 or (data.ndim == 2 and len(data) == 1)
        return data.ravel() if flat else dense(found.record, e.path).diagonal()
    return np.asarray(found, np.float64).diagonal()


def documents(op: Builder, x: Any, e: Estimator) -> Value:
    """The one column of texts as a row."""
    parts = columns(op, x) if isinstance(x, Table) else [x]
    if len(parts) != 1 or parts[0].dtype != STRING or features(parts[0]) != 1:
        raise Unsupported(f"{e.path}: it takes one column of texts")
    out: Value = op.Reshape(parts[0], ints(-1))
    return out


def analyzed(e: Estimator) -> str:
    """What a text is taken apart into: "word", "char" or "char_wb"."""
    for setting in ("preprocessor", "tokenizer"):
        if e.get(setting) is not None:
            raise Unsupported(f"{e.path}: a {setting} of your own, whose code is not in the file")
    if text(e.get("input", "content")) != "content":
        raise Unsupported(f"{e.path}: texts in files")
    analyzer = text(e.get("analyzer", "word"))
    if analyzer not in ("word", "char", "char_wb"):
        raise Unsupported(f"{e.path}: an analyzer of your own")
    return analyzer


def _counts(op: Builder, row: Value, e: Estimator) -> Value:
    """(texts, terms), float32: how often each term of the vocabulary is in each text."""
    analyzer = analyzed(e)
    vocabulary = {str(k): int(v) for k, v in dict(e["vocabulary_"]).items()}
    if sorted(vocabulary.values()) != list(range(len(vocabulary))):
        raise Unsupported(f"{e.path}: a vocabulary whose numbers have gaps")
    lower = bool(e.get("lowercase", True))
    known = {k: v for k, v in vocabulary.items() if not lower or k == k.lower()}
    letters = set("".join(known))
    row = plain(op, row, letters, lower, e)
    low, high = (int(n) for n in e.get("ngram_range", (1, 1)))
    if analyzer == "word":
        table, terms = _words(op, row, known, low, high, e)
    else:
        table, terms = _characters(op, row, known, analyzer == "char_wb", e.path), \
            {tuple(SPACE if c == " " else c for c in k): v for k, v in known.items()}
    if analyzer != "char_wb":  # where a word is shorter than the shortest, it is a term itself
        terms = {k: v for k, v in terms.items() if low <= len(k) <= high}
    return _counted(op, table, terms, len(vocabulary))


def _counted(op: Builder, table: Value, terms: dict[tuple[str, ...], int], width: int) -> Value:
    """(texts, width), float32: how often each sequence of ``terms`` is among the pieces (texts, pieces)."""
    by_length: dict[int, list[tuple[tuple[str, ...], int]]] = {}
    for term, at in terms.items():
        by_length.setdefault(len(term), []).append((term, at))
    rows = op.Shape(table, start=0, end=1)
    if not by_length:
        return op.Expand(np.zeros((1, 1), np.float32), op.Concat(rows, ints(width), axis=0))
    longest = max(by_length)
    pool: list[str] = []
    starts, places = list[int](), list[int]()
    for n in range(1, longest + 1):
        starts.append(len(pool))
        for term, at in by_length.get(n, []):
            pool += term
            places.append(at)
    # one more piece, so that there always is one; and a term that no text has, so that all terms have a column
    table = op.Concat(table, op.Expand(word(""), op.Concat(rows, ints(1), axis=0)), axis=1)
    shortest = min(by_length)
    y = op.TfIdfVectorizer(table, mode="TF", min_gram_length=shortest, max_gram_length=longest, max_skip_count=0,
                           ngram_counts=starts, ngram_indexes=places, pool_strings=pool)
    missing = width - 1 - max(places)
    if missing > 0:
        y = op.Concat(y, op.Expand(np.zeros((1, 1), np.float32), op.Concat(rows, ints(missing), axis=0)), axis=1)
    out: Value = y
    return out


# -- letters


def plain(op: Builder, row: Value, letters: set[str], lower: bool, e: Estimator) -> Value:
    """Texts in small letters, without accents, where the estimator wants that."""
    accents = text(e.get("strip_accents"))
    if e.get("strip_accents") is not None and accents not in ("unicode", "ascii"):
        raise Unsupported(f"{e.path}: strip_accents by a function of your own")
    if lower:
        wanted = letters | set(ACCENTED if accents else "")
        row = strings.cased(op, row, "LOWER")
        pairs = {c: c.lower() for c in map(chr, range(0x80, 0x1e944)) if c != c.lower()}
        row = changed(op, row, {c: small for c, small in pairs.items() if set(small) & wanted or
                                any(k.isascii() for k in small)})
        if letters & set("\u03c3\u03c2"):
            op.note("approximated", "a capital sigma at the end of a word becomes the sigma of other places")
    if accents:
        looked = dict.fromkeys([*ACCENTED, *COMMON, *sorted(c for c in letters if not c.isascii())])
        bare = {c: _bare(c, accents == "ascii") for c in looked if not lower or c == c.lower()}
        row = changed(op, row, {c: k for c, k in bare.items() if c != k})
        op.note("approximated", "accents are stripped of letters of the Latin blocks; characters of other blocks stay")
    return row


def _bare(character: str, ascii_: bool) -> str:
    apart = unicodedata.normalize("NFKD", character)
    return "".join(c for c in apart if (c.isascii() if ascii_ else not unicodedata.combining(c)))


# -- words


def _words(op: Builder, row: Value, known: dict[str, int], low: int, high: int, e: Estimator) -> \
        tuple[Value, dict[tuple[str, ...], int]]:
    """(texts, words), filled up with empty texts, and the terms."""
    letter, least = word_form(e)
    table, stop = words(op, row, e), stop_words(e)
    terms = {tuple(k.split(" ")): v for k, v in known.items()}
    terms = {k: v for k, v in terms.items() if all(
        len(w) >= least and all(letter.match(c) for c in w) and w not in stop for w in k)}
    if high > 1 and any(len(k) > 1 for k in terms):
        table = left(op, table, least, stop)
    return table, terms


def word_form(e: Estimator) -> tuple[re.Pattern[str], int]:
    """What a character of a word is like, and how many of them a word has at least."""
    pattern = text(e.get("token_pattern")) or ""
    form = PATTERN.fullmatch(pattern)
    if form is None or ((form[1] or form[6]) and form[2] != r"\w"):
        raise Unsupported(f"{e.path}: words by the pattern {pattern!r}")
    letter = re.compile(form[2])
    if letter.match(" "):
        raise Unsupported(f"{e.path}: words that hold spaces, by the pattern {pattern!r}")
    return letter, len(form[3]) // len(form[2]) + (int(form[5]) if form[5] else 1)


def words(op: Builder, row: Value, e: Estimator, further: str = "") -> Value:
    """(texts, words), filled up with empty texts; those that are too short are among them.  The characters of
    ``further`` are looked at too."""
    letter, _ = word_form(e)
    lower = bool(e.get("lowercase", True))
    ascii_ = "".join(map(chr, range(128)))
    between = [c for c in dict.fromkeys(ascii_ + SPACES + COMMON + "\u0307" + (
        ACCENTED if letter.match("\xe9") is None else "") + further) if letter.match(c.lower() if lower else c) is None]
    if letter.pattern != r"\S":
        op.note("approximated", "of the characters beyond ASCII that are no part of words "
                f"{sum(c > chr(127) for c in between)} are known (those of Latin-1, and punctuation); others, such as "
                "pictures, count as part of the word that they touch")
    return split(op, spaced(op, row, between))


USUAL = "\n\t.,;:!?'\"()-/&"
"""Characters between words that most texts have."""


def spaced(op: Builder, row: Value, characters: Iterable[str]) -> Value:
    """Texts with spaces instead of these characters."""
    wanted = [c for c in characters if c != " "]
    row = changed(op, row, {c: " " for c in wanted if c not in USUAL})
    for c in wanted:
        row = replaced(op, row, c, " ") if c in USUAL else row
    return row


def split(op: Builder, row: Value) -> Value:
    """(texts, pieces): what is between spaces; no other white space is left."""
    table, _ = op.add("StringSplit", row, outputs=2)
    out: Value = table
    return out


def left(op: Builder, table: Value, least: int, stop: Iterable[str]) -> Value:
    """The words that count, moved up to each other: those long enough that are no stop words."""
    gone = op.RegexFullMatch(op.Reshape(table, ints(-1)), pattern=f"(?s).{{0,{least - 1}}}")
    gone = real(op, op.Reshape(gone, op.Shape(table), allowzero=1), np.int64)
    words_ = sorted(stop)
    if words_:
        gone = op.Max(gone, op.ml.LabelEncoder(table, keys_strings=words_, values_int64s=[1] * len(words_),
                                               default_int64=0))
    count = op.Shape(table, start=1, end=2)
    place = op.Range(np.int64(0), op.Squeeze(count, ints(0)), np.int64(1))
    order = op.Add(op.Mul(gone, count), op.Unsqueeze(place, ints(0)))
    _, at = op.add("TopK", order, count, axis=1, largest=0, sorted=1, outputs=2)
    kept = op.GatherElements(table, at, axis=1)
    out: Value = op.Where(op.Equal(op.GatherElements(gone, at, axis=1), np.int64(1)), word(""), kept)
    return out


def stop_words(e: Estimator) -> set[str]:
    given = e.get("stop_words")
    if given is None:
        return set()
    if given == "english":
        return set(ENGLISH.split())
    items = getattr(getattr(given, "record", given), "items", given)
    if isinstance(given, str) or not isinstance(items, (list, tuple, set, frozenset, np.ndarray)):
        raise Unsupported(f"{e.path}: stop words {given!r}")
    return {str(w) for w in items}


# -- characters


def _characters(op: Builder, row: Value, known: dict[str, int], by_word: bool, path: str) -> Value:
    """(texts, characters): each character of the vocabulary by itself, others in clumps, the space as U+E000."""
    letters = sorted(set("".join(known)) - {" "})
    if set(letters) & set(SPACES):
        raise Unsupported(f"{path}: a vocabulary of characters with other white space than the space")
    other = next(c for c in map(chr, range(0xe001, 0xf900)) if c not in letters)
    row = replaced(op, row, SPACE, other)  # so that no text has the character that stands for the space
    rows = op.Shape(row)
    if by_word:
        pieces = split(op, spaced(op, row, SPACES))
        pieces = op.Concat(pieces, op.Expand(word(""), op.Concat(rows, ints(1), axis=0)), axis=1)
        end = op.Where(op.Equal(pieces, word("")), word(""), word(SPACE))
        row = op.Reshape(op.StringConcat(op.StringConcat(end, pieces), end), ints(-1))
    else:
        row = replaced(op, replaced(op, _runs(op, row), "\n", other), " ", SPACE)
    for c in [SPACE, *letters]:
        row = replaced(op, row, c, f" {c} ")
    table = split(op, row)
    if by_word:
        width = op.Mul(op.Shape(pieces, start=1, end=2), op.Shape(table, start=1, end=2))
        table = op.Reshape(table, op.Concat(rows, width, axis=0), allowzero=1)
    out: Value = table
    return out


def _runs(op: Builder, row: Value) -> Value:
    """Texts with one space for each run of two or more white spaces; a single one that is no space becomes a "\\n"."""
    for c in SPACES:
        row = row if c in " \n" else replaced(op, row, c, "\n")
    for pair in ("\n\n", " \n", "\n "):
        row = replaced(op, row, pair, "  ")
    return without(op, row, " ", " ", runs=True)


ENGLISH = (
    "a about above across after afterwards again against all almost alone along already also although always am among "
    "amongst amoungst amount an and another any anyhow anyone anything anyway anywhere are around as at back be "
    "became because become becomes becoming been before beforehand behind being below beside besides between beyond "
    "bill both bottom but by call can cannot cant co con could couldnt cry de describe detail do done down due during "
    "each eg eight either eleven else elsewhere empty enough etc even ever every everyone everything everywhere "
    "except few fifteen fifty fill find fire first five for former formerly forty found four from front full further "
    "get give go had has hasnt have he hence her here hereafter hereby herein hereupon hers herself him himself his "
    "how however hundred i ie if in inc indeed interest into is it its itself keep last latter latterly least less "
    "ltd made many may me meanwhile might mill mine more moreover most mostly move much must my myself name namely "
    "neither never nevertheless next nine no nobody none noone nor not nothing now nowhere of off often on once one "
    "only onto or other others otherwise our ours ourselves out over own part per perhaps please put rather re same "
    "see seem seemed seeming seems serious several she should show side since sincere six sixty so some somehow "
    "someone something sometime sometimes somewhere still such system take ten than that the their them themselves "
    "then thence there thereafter thereby therefore therein thereupon these they thick thin third this those though "
    "three through throughout thru thus to together too top toward towards twelve twenty two un under until up upon "
    "us very via was we well were what whatever when whence whenever where whereafter whereas whereby wherein "
    "whereupon wherever whether which while whither who whoever whole whom whose why will with within without would "
    "yet you your yours yourself yourselves"
)
"""The words that scikit-learn leaves out of English texts, by the name "english"."""
