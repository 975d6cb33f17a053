"""Texts as counts of words and characters."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import DATA, Family, named, texts

FAMILY = Family("text")
add = FAMILY.add
HARD = ["", " ", "the fox", "THE FOX", "the-fox_jumps; over.the,lazy\tdog\n\ndog", "  quick   brown \r\n fox  ", "unseen words",
        "caf\u00e9 CAF\u00c9 na\u00efve NA\u00cfVE", "fox\u2014dog \u201cquick\u201d brown\u2026 lazy\u00a0dog", "a b c a b",
        "it's its' 'its'", "c_d __ _ 12 3rd 1 22", "e.g.e.g.", "\u212aelvin \u0130s UPPER upper", "x\ty\nz", "\t\tfox\t\t",
        "the the the the", "fox\x00dog\x1fcat", "\u65e5\u672c \u0416\u0430", "a\tb", "over over, over! a lazy DOG"]


def hard() -> Any:
    x, y = texts()
    return x, y, np.array(HARD, object)


def foreign() -> Any:
    words = ["\u00c4rger", "\u00dcber", "stra\u00dfe", "\u0416\u0430\u0440\u0430", "\u0432\u043e\u0434\u0430", "\u65e5\u672c",
             "na\u00efve", "El\u00e8ve"]
    rng = np.random.default_rng(2)
    made = [" ".join(words[int(k)] for k in rng.integers(0, len(words), int(n))) for n in rng.integers(1, 7, 40)]
    return np.array(made, object), rng.integers(0, 2, 40), np.array([*HARD, *(m.upper() for m in made[:9])], object)


def hashed() -> Any:
    """Texts of letters that are told apart: Latin, Greek, Cyrillic ones; and what may be taken for a mark of the translation."""
    words = ["\u00c4rger", "stra\u00dfe", "\u0416\u0430\u0440\u0430", "\u0432\u043e\u0434\u0430", "\u0439\u0451\u0419\u0401", "na\u00efve",
             "\u03b1\u03b2\u03b3 \u03ac", "El\u00e8ve", "e\tf", "a\u2009\u2003b", "x\u0416"]
    x, y = texts()
    rng = np.random.default_rng(2)
    made = [" ".join(words[int(k)] for k in rng.integers(0, len(words), int(n))) for n in rng.integers(1, 7, 20)]
    return x, y, np.array([*(t for t in HARD if "\u65e5" not in t), *made, *(m.upper() for m in made[:9]), "   ", " \n"], object)


def mixed() -> Any:
    """A table with a column of texts."""
    import pandas as pd
    x, y = texts()
    return pd.DataFrame({"body": x, "size": np.arange(60) / 7, "kind": np.array(["a", "b"], object)[y % 2]}), y


DATA.update({"hard texts": hard, "foreign texts": foreign, "mixed texts": mixed, "hashed texts": hashed})
for name in ("CountVectorizer", "TfidfVectorizer"):
    for more in ("", "ngram_range=(1, 2)", "ngram_range=(2, 3)", "binary=True", "lowercase=False", "stop_words='english'",
                 "stop_words='english', ngram_range=(1, 2)", "stop_words=['fox', 'the'], ngram_range=(1, 3)",
                 "max_features=8", "min_df=3", "max_df=0.4", "token_pattern=r'(?u)\\\\b\\\\w+\\\\b'",
                 "token_pattern=r'\\\\S+'", "token_pattern=r'\\\\w{3,}', ngram_range=(1, 2)", "token_pattern='[a-z]+'",
                 "strip_accents='unicode'", "strip_accents='ascii'", "analyzer='char'",
                 "analyzer='char', ngram_range=(2, 3)", "analyzer='char_wb', ngram_range=(1, 3)",
                 "analyzer='char_wb', ngram_range=(3, 5), lowercase=False", "vocabulary=['fox', 'dog', 'Quick', 'a', 'the']"):
        if name == "CountVectorizer" or "range" not in more or "(2, 3)" in more:
            add(named(f"{name}({more})".replace("\\\\", "")), f"{name}({more})".replace("\\\\", "\\"), "hard texts")
for more in ("", "ngram_range=(1, 2)", "analyzer='char'", "analyzer='char_wb', ngram_range=(2, 3)", "strip_accents='unicode'"):
    add(named(f"CountVectorizer({more})", "foreign"), f"CountVectorizer({more})", "foreign texts")
for more in ("sublinear_tf=True", "norm='l1'", "norm=None", "use_idf=False", "smooth_idf=False", "dtype=np.float32"):
    add(f"TfidfVectorizer/{more}", f"TfidfVectorizer({more})", "hard texts")
add("CountVectorizer/float", "CountVectorizer(dtype=np.float32)", "hard texts")
add("CountVectorizer/pattern", "CountVectorizer(token_pattern=r'(?<=f)o+')", "texts")
for more in ("", "norm='l1', sublinear_tf=True", "use_idf=False, norm=None", "smooth_idf=False"):
    add(named(f"TfidfTransformer({more})"), f"TfidfTransformer({more})", "counts", near=True)
for more in ("", "ngram_range=(1, 2)", "ngram_range=(2, 3), norm='l1'", "alternate_sign=False, norm=None", "binary=True",
             "lowercase=False", "stop_words='english', ngram_range=(1, 2)", "stop_words=['fox', 'caf\u00e9']",
             "token_pattern=r'\\S+'", "token_pattern='[a-z]+'", "strip_accents='unicode'", "strip_accents='ascii'",
             "analyzer='char'", "analyzer='char', ngram_range=(2, 4), lowercase=False",
             "analyzer='char_wb', ngram_range=(1, 3)", "analyzer='char_wb', ngram_range=(6, 7)", "dtype=np.float32",
             "norm=None, dtype=np.int64"):
    add(named(f"HashingVectorizer({more})".replace("\\", "")), f"HashingVectorizer(n_features=60, {more})".replace("\\\\", "\\"),
        "hashed texts")
add("Pipeline/hashed/SGD", "make_pipeline(HashingVectorizer(), SGDClassifier(random_state=0))", "hashed texts")
add("Pipeline/hashed/logistic", "make_pipeline(HashingVectorizer(n_features=256), LogisticRegression())", "hashed texts")
add("Pipeline/hashed/ridge", "make_pipeline(HashingVectorizer(n_features=256), Ridge())", "hashed texts")
add("Pipeline/hashed/tfidf", "make_pipeline(HashingVectorizer(n_features=128, norm=None, alternate_sign=False), TfidfTransformer(), "
    "MultinomialNB())", "hashed texts")
add("Pipeline/hashed/forest", "make_pipeline(HashingVectorizer(n_features=32), RandomForestClassifier(5, random_state=0))", "hashed texts")
add("FeatureUnion/hashed", "make_union(HashingVectorizer(n_features=32), TfidfVectorizer(max_features=9))", "hashed texts")
add("ColumnTransformer/hashed", "make_pipeline(ColumnTransformer([('t', HashingVectorizer(n_features=32), 'body'), "
    "('n', StandardScaler(), ['size'])]), LogisticRegression())", "mixed texts")
add("Pipeline/texts", "make_pipeline(CountVectorizer(), TfidfTransformer(), LogisticRegression())", "hard texts")
add("Pipeline/texts/forest", "make_pipeline(TfidfVectorizer(), RandomForestClassifier(5, random_state=0))", "hard texts")
add("Pipeline/texts/bayes", "make_pipeline(CountVectorizer(), MultinomialNB())", "hard texts")
add("Pipeline/texts/support", "make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LinearSVC())", "hard texts")
add("FeatureUnion/texts", "make_union(TfidfVectorizer(), TfidfVectorizer(analyzer='char_wb', ngram_range=(2, 3), max_features=30))",
    "hard texts")
add("ColumnTransformer/texts", "make_pipeline(ColumnTransformer([('t', TfidfVectorizer(), 'body'), ('n', StandardScaler(), ['size']), "
    "('k', OneHotEncoder(), ['kind'])]), LogisticRegression())", "mixed texts")
add("Pipeline/texts/reduced", "make_pipeline(TfidfVectorizer(), TruncatedSVD(3, random_state=0))", "hard texts", methods=("transform",))
