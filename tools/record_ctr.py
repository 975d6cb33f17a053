"""Records small models of CatBoost with statistics of categories (CTRs), with what they answer:
``python tools/record_ctr.py OUTPUT.tar.xz``, in any environment with CatBoost and pandas; nothing of modelport is
imported.  The archives of tests/recorded/tabular/catboost are named by their versions."""
from __future__ import annotations

import io
import json
import os
import sys
import tarfile
import tempfile

import catboost as cb
import numpy as np
import pandas as pd

RNG = np.random.RandomState(1)
ROWS = 160
FRAME = pd.DataFrame({
    "size": np.where(RNG.uniform(size=ROWS) < 0.1, np.nan, np.round(RNG.normal(size=ROWS), 2)).astype(np.float32),
    "city": RNG.choice(["Bern", "Rom", "", "a place with a long name"], ROWS),
    "kind": RNG.choice(["red", "blue", "7", "08"], ROWS), "rooms": RNG.randint(-2, 9, ROWS),
    "zip": RNG.choice([3011, 8001, 75001, 123456], ROWS)})
SCORE = (FRAME["size"].fillna(1) + (FRAME.city == "Rom") * 2 + (FRAME.rooms % 3) * (FRAME.kind == "red")
         + (FRAME.zip == 8001)).to_numpy()
ASK = pd.concat([FRAME] + [FRAME.apply(lambda c, k=k: c.sample(frac=1, random_state=k).to_numpy())  # type: ignore
                           for k in range(2)], ignore_index=True)
ASK.loc[:9, "city"] = "unseen"
ASK.loc[5:14, "rooms"] = 4711
ASK.loc[10:20, "kind"] = "?"
TARGETS = {"two": (SCORE > 1.5).astype(int), "three": np.digitize(SCORE, [1, 2]), "reg": SCORE}
FEW = {"iterations": 10, "depth": 4, "verbose": 0, "allow_writing_files": False, "l2_leaf_reg": 0.1,
       "model_size_reg": 0}  # else combinations are too dear
MODELS = {
    "plain": {}, "hot": {"one_hot_max_size": 4, "max_ctr_complexity": 4, "iterations": 40},
    "leafwise": {"grow_policy": "Depthwise"},
    **{kind: {"simple_ctr": [kind + ":Prior=0.3:Prior=2/1"], "combinations_ctr": [kind]}
       for kind in ("Borders", "Buckets", "BinarizedTargetMeanValue", "Counter")}}
OTHER = {"BinarizedTargetMeanValue": "FloatTargetMeanValue", "Counter": "FeatureFreq"}
"""Those that CatBoost trains on a GPU only, and those whose tables have the same form."""


def main(path):
    files = {}
    with tempfile.TemporaryDirectory() as folder:
        for target, y in TARGETS.items():
            for name, more in MODELS.items():
                if target != "two" and name not in ("hot", "Buckets", "BinarizedTargetMeanValue"):
                    continue
                for table, columns in (("texts", ["city", "kind", "rooms", "zip"]), ("whole", ["rooms", "zip"])):
                    if target == "reg" and name == "Buckets":
                        continue
                    numbers = ["size", *columns] if table == "texts" else ["rooms", "size", "zip"]
                    pool = cb.Pool(FRAME[numbers], y, cat_features=columns)
                    make = cb.CatBoostRegressor if target == "reg" else cb.CatBoostClassifier
                    model = make(**dict(dict(FEW, one_hot_max_size=2), **more)).fit(pool)
                    keep(files, folder, f"{target}-{name}-{table}", model, make, pool, ASK[numbers])
    with tarfile.open(path, "w:xz") as tar:
        for name, data in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))


def keep(files, folder, name, model, make, pool, rows):
    path = os.path.join(folder, "m")
    made = {}
    if name.endswith("whole"):
        model.save_model(path)
        with open(path, "rb") as f:
            made["cbm"] = f.read()
    model.save_model(path, format="json", pool=pool)
    with open(path) as f:
        text = f.read()
    document = json.loads(text)
    made["json"] = json.dumps(document).encode()
    answer(files, name, made, model, rows)
    for kind, other in OTHER.items():
        if f"-{kind}-" in name and not name.startswith("three"):
            with open(path, "w") as f:
                f.write(text.replace('"' + kind, '"' + other).replace('\\"' + kind, '\\"' + other))
            changed = make().load_model(path, format="json")
            with open(path) as f:
                data = f.read().encode()
            answer(files, name.replace(kind, other), {"json": data}, changed, rows)


def answer(files, name, made, model, rows):
    buffer = io.BytesIO()
    given = {"x:" + c: rows[c].to_numpy().astype(str) if rows[c].dtype == object or rows[c].dtype.kind not in "fi"
             else rows[c].to_numpy() for c in rows}
    np.savez_compressed(buffer, margin=model.predict(rows, prediction_type="RawFormulaVal"), **given)
    files.update({f"{name}.{suffix}": data for suffix, data in made.items()})
    files[name + ".npz"] = buffer.getvalue()
    ctrs = json.loads(made["json"])["features_info"].get("ctrs", [])
    print(name, {k: len(v) for k, v in made.items()}, {c["ctr_type"] for c in ctrs},
          {e["combination_element"] for c in ctrs for e in c["elements"]}, max(len(c["elements"]) for c in ctrs))


if __name__ == "__main__":
    main(sys.argv[1])
