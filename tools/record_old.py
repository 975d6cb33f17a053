"""Records small files of old libraries, with what they answer: ``python tools/record_old.py OUTPUT.tar.xz``.

Runs in throw-away environments on whatever Python has wheels of the versions wanted (3.7 and newer), with whatever of
scikit-learn, XGBoost, LightGBM and CatBoost is installed; nothing of modelport is imported.  The environments of
tests/recorded/tabular/old:

a  3.7   scikit-learn==0.20.4 numpy==1.16.6 scipy==1.2.3 xgboost==0.90 lightgbm==2.3.1 catboost==0.26
b  3.8   scikit-learn==0.24.2 numpy==1.19.5 scipy==1.5.4 xgboost==1.2.1 lightgbm==3.3.5 pandas==1.2.5 catboost==1.0.6
c  3.9   scikit-learn==1.1.3 numpy==1.23.5 xgboost==1.7.6 pandas==1.5.3
d  3.11  scikit-learn==1.3.2 numpy==1.26.4 xgboost==2.1.4 lightgbm==4.3.0 pandas==2.1.4
e  3.12  scikit-learn==1.5.2 numpy==2.1.3"""
from __future__ import annotations

import contextlib
import io
import os
import pickle
import sys
import tarfile
import tempfile
import warnings

import numpy as np

warnings.simplefilter("ignore")
RNG = np.random.RandomState(0)
X = np.round(RNG.normal(size=(80, 4)), 2)
SCORE = X.dot([1, -1, 0.5, 0.2]) + np.round(RNG.normal(size=80) / 4, 3)
Y3, Y2 = np.digitize(SCORE, [-0.7, 0.7]), (SCORE > 0).astype(int)
NAMED = np.array(["ant", "bee", "cat"])[Y3]
HOLES = np.where(RNG.uniform(size=X.shape) < 0.15, np.nan, X)
FILES = {}  # type: dict


def keep(name, data, x, **answers):
    buffer = io.BytesIO()
    arrays = {k: np.asarray(v) for k, v in answers.items()}
    np.savez(buffer, x=x, **{k: v.astype(str) if v.dtype == object else v for k, v in arrays.items()})
    FILES[name], FILES[name.rpartition(".")[0] + ".npz"] = data, buffer.getvalue()
    print(name, len(data))


def estimator(name, model, x, y, *methods):
    try:
        model.fit(x, y)
        keep(name + ".pkl", pickle.dumps(model, protocol=4), x, **{m: getattr(model, m)(x) for m in methods})
    except Exception as e:
        print("left out:", name, type(e).__name__, str(e)[:90])


def sklearn():
    from sklearn import ensemble, tree
    with contextlib.suppress(ImportError):
        from sklearn.experimental import enable_hist_gradient_boosting  # noqa: F401
    few, both = {"random_state": 0}, ("predict", "predict_proba")
    estimator("tree", tree.DecisionTreeClassifier(max_depth=3, **few), X, NAMED, *both)
    estimator("tree-regressor", tree.DecisionTreeRegressor(max_depth=4, **few), X, SCORE, "predict")
    for name, make in (("forest", ensemble.RandomForestClassifier), ("extra", ensemble.ExtraTreesClassifier)):
        estimator(name, make(n_estimators=5, max_depth=3, **few), X, Y3, *both)
        estimator(name + "-two", make(n_estimators=5, **few), X, Y2, *both)
    estimator("forest-regressor", ensemble.RandomForestRegressor(n_estimators=4, max_depth=4, **few), X, SCORE,
              "predict")
    for name, y, more in (("boosting", Y3, {}), ("boosting-two", Y2, {}), ("boosting-exponential", Y2,
                          {"loss": "exponential"}), ("boosting-zero", Y3, {"init": "zero"})):
        estimator(name, ensemble.GradientBoostingClassifier(n_estimators=4, max_depth=2, **dict(few, **more)), X, y,
                  "predict", "predict_proba", "decision_function")
    for loss in ("ls", "squared_error", "lad", "absolute_error", "huber", "quantile"):
        estimator("boosting-" + loss, ensemble.GradientBoostingRegressor(n_estimators=4, max_depth=2, loss=loss, **few),
                  X, SCORE, "predict")
    estimator("isolation", ensemble.IsolationForest(n_estimators=6, contamination=0.1, **few), X, None,
              "predict", "decision_function", "score_samples")
    make, regressor = (getattr(ensemble, "HistGradientBoosting" + k, None) for k in ("Classifier", "Regressor"))
    if make:
        few = {"max_iter": 4, "min_samples_leaf": 5, "random_state": 0}
        estimator("histogram", make(**few), HOLES, Y3, "predict", "predict_proba", "decision_function")
        estimator("histogram-two", make(**few), HOLES, Y2, "predict", "predict_proba", "decision_function")
        estimator("histogram-regressor", regressor(**few), HOLES, SCORE, "predict")
        whole = np.round(np.abs(X) * 3)
        with contextlib.suppress(TypeError):
            estimator("histogram-categories", make(categorical_features=[0, 2], **few), whole, Y3, "predict",
                      "predict_proba")


def xgboost():
    import xgboost as xgb
    few = {"n_estimators": 4, "max_depth": 3}
    estimator("xgb", xgb.XGBClassifier(**few), HOLES, Y3, "predict", "predict_proba")
    estimator("xgb-two", xgb.XGBClassifier(**few), HOLES, Y2, "predict", "predict_proba")
    estimator("xgb-regressor", xgb.XGBRegressor(base_score=0.3, **few), HOLES, SCORE, "predict")
    for name, more, y in (
            ("logistic", {"objective": "binary:logistic"}, Y2), ("logitraw", {"objective": "binary:logitraw"}, Y2),
            ("hinge", {"objective": "binary:hinge"}, Y2),
            ("softmax", {"objective": "multi:softmax", "num_class": 3}, Y3),
            ("softprob", {"objective": "multi:softprob", "num_class": 3}, Y3),
            ("squared", {"objective": "reg:squarederror", "base_score": 1.7}, SCORE),
            ("poisson", {"objective": "count:poisson"}, np.exp(SCORE / 3)),
            ("gamma", {"objective": "reg:gamma"}, np.exp(SCORE / 3)),
            ("tweedie", {"objective": "reg:tweedie"}, np.exp(SCORE / 3)),
            ("linear", {"booster": "gblinear", "objective": "reg:squarederror"}, SCORE),
            ("dart", {"booster": "dart", "objective": "reg:squarederror", "rate_drop": 0.4}, SCORE),
            ("rounds", {"num_parallel_tree": 2, "subsample": 0.7, "objective": "reg:squarederror"}, SCORE)):
        x = X if name == "linear" else HOLES
        made = xgb.train(dict({"max_depth": 3, "verbosity": 0, "seed": 0}, **more), xgb.DMatrix(x, y), 4)
        rows = xgb.DMatrix(x)
        kw = {"ntree_limit": 4} if name == "dart" and xgb.__version__ < "1" else {}  # else it drops at random
        answers = {"margin": made.predict(rows, output_margin=True, **kw), "predict": made.predict(rows, **kw),
                   "leaf": made.predict(rows, pred_leaf=True) if name != "linear" else np.zeros(0)}
        for suffix in ("model", "json", "ubj"):
            path = os.path.join(tempfile.gettempdir(), "made." + suffix)
            try:
                made.save_model(path)
            except Exception as e:
                print("left out:", name, suffix, str(e)[:60])
                continue
            with open(path, "rb") as f:
                keep(f"xgb-{name}-{suffix}.{suffix}", f.read(), x, **answers)


def lightgbm():
    import lightgbm as lgb
    few = {"n_estimators": 4, "min_child_samples": 5, "num_leaves": 8}
    estimator("lgb", lgb.LGBMClassifier(**few), HOLES, NAMED, "predict", "predict_proba")
    estimator("lgb-two", lgb.LGBMClassifier(**few), HOLES, Y2, "predict", "predict_proba")
    estimator("lgb-regressor", lgb.LGBMRegressor(**few), HOLES, SCORE, "predict")
    whole = np.round(np.abs(X) * 3)
    for name, more, x, y in (
            ("categories", {"objective": "regression", "categorical_feature": [0, 2], "min_data_per_group": 2,
                            "cat_smooth": 1}, whole, SCORE),
            ("zero", {"objective": "regression", "zero_as_missing": True}, whole, SCORE),
            ("forest", {"objective": "binary", "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.6}, HOLES,
             Y2),
            ("rank", {"objective": "lambdarank"}, HOLES, Y3), ("ova", {"objective": "multiclassova", "num_class": 3},
                                                              HOLES, Y3)):
        data = lgb.Dataset(x, y, group=[40, 40] if name == "rank" else None)
        made = lgb.train(dict({"min_data_in_leaf": 5, "num_leaves": 8, "verbose": -1}, **more), data, 4)
        keep(f"lgb-{name}.txt", made.model_to_string().encode(), x, margin=made.predict(x, raw_score=True),
             predict=made.predict(x), leaf=made.predict(x, pred_leaf=True))


def catboost():
    import catboost as cb
    few = {"iterations": 4, "depth": 3, "verbose": 0, "allow_writing_files": False}
    for name, model, y in (("reg", cb.CatBoostRegressor(**few), SCORE), ("two", cb.CatBoostClassifier(**few), Y2),
                           ("three", cb.CatBoostClassifier(**few), Y3), ("named", cb.CatBoostClassifier(**few), NAMED),
                           ("leafwise", cb.CatBoostRegressor(grow_policy="Lossguide", **few), SCORE)):
        model.fit(HOLES, y)
        for suffix, kind in (("cbm", "cbm"), ("json", "json")):
            path = os.path.join(tempfile.gettempdir(), "made." + suffix)
            model.save_model(path, format=kind)
            with open(path, "rb") as f:
                keep(f"cb-{name}-{suffix}.{suffix}", f.read(), HOLES, margin=model.predict(
                    HOLES, prediction_type="RawFormulaVal"), predict=np.asarray(model.predict(HOLES)).ravel())


if __name__ == "__main__":
    for part in (sklearn, xgboost, lightgbm, catboost):
        try:
            part()
        except ImportError as e:
            print("left out:", part.__name__, e)
    with tarfile.open(sys.argv[1], "w:xz") as tar:
        for file, content in sorted(FILES.items()):
            entry = tarfile.TarInfo(file)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
