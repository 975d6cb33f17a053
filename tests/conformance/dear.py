"""Cases that take texts apart into characters: graphs of ten thousand operators, a second or two each.

Every eighth of them is among the quick tests, the others among the slow ones."""
from __future__ import annotations

import re
from collections.abc import Iterable

CHARACTERS = re.compile(r"^(Hash|SparseCross|StringToHashBucket|StringLength|UnicodeDecode|Substr/characters|"
                        r"StaticRegexReplace/each_other|StringLookup/\w+_unknown|TextVectorization|CountVectorizer|"
                        r"TfidfVectorizer|FeatureHasher|FeatureUnion/hashed|Pipeline/(hashed|FeatureHasher|Tfidf))")


def quick(names: Iterable[str]) -> set[str]:
    """The names without seven of eight of those that are dear."""
    every = list(names)
    dear = sorted(n for n in every if CHARACTERS.search(n))
    return set(every) - set(dear) | set(dear[::8])
