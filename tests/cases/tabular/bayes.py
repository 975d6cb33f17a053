"""Classes by their densities."""
from __future__ import annotations

from . import Family

FAMILY = Family("bayes")
add = FAMILY.add
BOTH = ("predict", "predict_proba", "predict_log_proba")
for data in ("classes", "two", "named"):
    add(f"GaussianNB/{data}", "GaussianNB()", data, methods=BOTH)
    add(f"BernoulliNB/{data}", "BernoulliNB()", data, methods=BOTH)
add("GaussianNB/priors", "GaussianNB(priors=[0.2, 0.2, 0.6], var_smoothing=0.1)")
add("GaussianNB/float32", "GaussianNB()", inputs=("float32",))
add("BernoulliNB/binarize", "BernoulliNB(binarize=0.5, fit_prior=False)")
add("BernoulliNB/none", "BernoulliNB(binarize=None, alpha=30)", "unit", near=True)
for name in ("MultinomialNB", "ComplementNB", "CategoricalNB"):
    add(name, f"{name}()", "counts", methods=BOTH, near=name == "CategoricalNB")
    add(f"{name}/alpha", f"{name}(alpha=0.3, fit_prior=False)", "counts", methods=BOTH, near=name == "CategoricalNB")
add("ComplementNB/norm", "ComplementNB(norm=True)", "counts", methods=BOTH)
add("CategoricalNB/categories", "CategoricalNB(min_categories=20)", "counts", near=True)
for data in ("classes", "two", "named", "five"):
    add(f"QuadraticDiscriminantAnalysis/{data}", "QuadraticDiscriminantAnalysis()", data,
        methods=("predict", "predict_proba", "decision_function"))
add("QuadraticDiscriminantAnalysis/shrunk", "QuadraticDiscriminantAnalysis(reg_param=0.3, priors=[0.5, 0.3, 0.2])")
add("QuadraticDiscriminantAnalysis/eigen", "QuadraticDiscriminantAnalysis(solver='eigen', shrinkage=0.2)")
for strategy in ("most_frequent", "prior", "stratified", "uniform"):
    add(f"DummyClassifier/{strategy}", f"DummyClassifier(strategy='{strategy}')", "five")
add("DummyClassifier/constant", "DummyClassifier(strategy='constant', constant='bee')", "named",
    methods=("predict", "predict_proba"))
for strategy in ("mean", "median", "quantile", "constant"):
    add(f"DummyRegressor/{strategy}", f"DummyRegressor(strategy='{strategy}', quantile=0.3, constant=2)", "numbers")
add("DummyRegressor/two", "DummyRegressor()", "two numbers")
