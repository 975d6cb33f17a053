"""Gaussian processes and mixtures."""
from __future__ import annotations

from . import Family

FAMILY = Family("gaussian")
add = FAMILY.add
K = "sklearn.gaussian_process.kernels."
KERNELS = {
    "RBF": f"{K}RBF()", "RBF each": f"{K}RBF([1., 2., 3., 4.])", "Matern 0.5": f"{K}Matern(nu=0.5)",
    "Matern 1.5": f"{K}Matern()", "Matern 2.5": f"{K}Matern(nu=2.5, length_scale=[1., 2., 3., 4.])",
    "Matern inf": f"{K}Matern(nu=np.inf)", "Matern 0.7": f"{K}Matern(nu=0.7)",
    "RationalQuadratic": f"{K}RationalQuadratic()", "ExpSineSquared": f"{K}ExpSineSquared(2., 3.)",
    "DotProduct": f"{K}DotProduct() + {K}WhiteKernel()", "constant": f"2. * {K}RBF() + {K}WhiteKernel(0.5)",
    "product": f"{K}RBF() * {K}DotProduct()", "power": f"{K}DotProduct() ** 2 + {K}WhiteKernel()",
    "power 2.5": f"({K}RBF() + 1.) ** 2.5", "only constant": f"{K}ConstantKernel() + {K}WhiteKernel()",
    "pairwise": f"{K}PairwiseKernel(metric='laplacian', gamma=0.3)",
    "pairwise poly": f"{K}PairwiseKernel(metric='poly', gamma=0.3, pairwise_kernels_kwargs={{'degree': 2}})"}
CANCELS = 1e-11
"""The probabilities are a sum of five terms of up to 3500 that cancel."""
for name, k in KERNELS.items():
    if name != "ExpSineSquared":
        add(f"GaussianProcessRegressor/{name}", f"GaussianProcessRegressor({k}, alpha=0.1, optimizer=None)",
            "small numbers")
    if name != "only constant":
        add(f"GaussianProcessClassifier/{name}", f"GaussianProcessClassifier({k}, optimizer=None)", "two small",
            loose=CANCELS)
for name in ("RBF", "ExpSineSquared", "product"):
    add(f"GaussianProcessClassifier/{name}/three", f"GaussianProcessClassifier({KERNELS[name]}, optimizer=None)", "small",
        loose=CANCELS)
add("GaussianProcessRegressor", "GaussianProcessRegressor(alpha=0.1)", "small numbers")
add("GaussianProcessRegressor/fitted", f"GaussianProcessRegressor({K}RBF() + {K}WhiteKernel())", "small numbers")
add("GaussianProcessRegressor/normalized", "GaussianProcessRegressor(alpha=0.1, normalize_y=True)", "small numbers")
add("GaussianProcessRegressor/two", "GaussianProcessRegressor(alpha=0.1, normalize_y=True)", "two small numbers", loose=1e-11)  # rows where both are small
add("GaussianProcessClassifier", "GaussianProcessClassifier()", "small", loose=CANCELS)
add("GaussianProcessClassifier/pairs", "GaussianProcessClassifier(multi_class='one_vs_one')", "small")
for name in ("GaussianMixture", "BayesianGaussianMixture"):
    for kind in ("full", "tied", "diag", "spherical"):
        add(f"{name}/{kind}", f"{name}(n_components=3, covariance_type='{kind}', random_state=0)",
            methods=("predict", "predict_proba", "score_samples"))
    add(name, f"{name}(random_state=0)")
add("BayesianGaussianMixture/dirichlet", "BayesianGaussianMixture(n_components=3, random_state=0, "
    "weight_concentration_prior_type='dirichlet_distribution')", methods=("predict", "predict_proba", "score_samples"))
