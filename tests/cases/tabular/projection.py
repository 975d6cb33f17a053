"""Rows in other coordinates."""
from __future__ import annotations

from typing import Any

from . import Family

FAMILY = Family("projection")


def add(name: str, expression: str, data: str = "small", **more: Any) -> None:
    FAMILY.add(name, expression, data, **more)


for name in ("PCA", "IncrementalPCA"):
    add(name, f"{name}()")
    add(f"{name}/whiten", f"{name}(2, whiten=True)")
    add(f"{name}/float32", f"{name}(2)", inputs=("float32",))
for solver in ("full", "covariance_eigh", "arpack", "randomized"):
    add(f"PCA/{solver}", f"PCA(3, svd_solver='{solver}', random_state=0)", "small wide")
add("PCA/share", "PCA(0.8)", "small wide")
add("PCA/score", "PCA(2)", methods=("score_samples",))
add("PCA/score/whiten", "PCA(2, whiten=True)", methods=("transform", "score_samples"))
add("PCA/offset", "PCA(2)", "offset", loose=1e-11)  # there a difference of products, far from zero
add("TruncatedSVD", "TruncatedSVD(2, random_state=0)")
add("TruncatedSVD/sparse", "TruncatedSVD(2, algorithm='arpack', random_state=0)", "sparse")
for whiten in ("'unit-variance'", "'arbitrary-variance'", "False"):
    add(f"FastICA/{whiten.strip(chr(39))}", f"FastICA(whiten={whiten}, random_state=0)")
add("FactorAnalysis", "FactorAnalysis(2)", methods=("transform", "score_samples"))
add("FactorAnalysis/varimax", "FactorAnalysis(2, rotation='varimax')")
for name in ("SparsePCA", "MiniBatchSparsePCA"):
    add(name, f"{name}(3, random_state=0)")
    add(f"{name}/alpha", f"{name}(2, alpha=0.2, ridge_alpha=0.5, random_state=0)", "small wide")
for kernel in ("linear", "poly", "rbf", "sigmoid", "cosine", "precomputed"):
    add(f"KernelPCA/{kernel}", f"KernelPCA(2, kernel='{kernel}')", near=kernel == "precomputed",
        data="precomputed" if kernel == "precomputed" else "small")
    add(f"KernelRidge/{kernel}", f"KernelRidge(kernel='{kernel}')", near=kernel == "precomputed",
        data="precomputed" if kernel == "precomputed" else "small numbers")
    if kernel != "precomputed":
        count = 4 if kernel in ("linear", "cosine") else 9  # more than the rank divides by the root of 1e-12
        add(f"Nystroem/{kernel}", f"Nystroem(kernel='{kernel}', n_components={count}, random_state=0)")
add("KernelPCA/all", "KernelPCA(kernel='poly', degree=2, coef0=0.5, gamma=0.3, remove_zero_eig=True)")
add("KernelPCA/callable", "KernelPCA(2, kernel=np.dot)")
add("KernelRidge/two", "KernelRidge(kernel='rbf', gamma=0.2)", "two small numbers")
for kernel in ("laplacian", "chi2", "additive_chi2"):
    add(f"KernelRidge/{kernel}", f"KernelRidge(kernel='{kernel}', gamma=0.5)", "small positive", near=True)
    add(f"Nystroem/{kernel}", f"Nystroem(kernel='{kernel}', n_components=9, random_state=0)", "unit", near=True)
add("Nystroem/settings", "Nystroem(kernel='poly', degree=2, coef0=2, gamma=0.1, n_components=9, random_state=0)")
add("RBFSampler", "RBFSampler(gamma=0.5, n_components=9, random_state=0)")
add("RBFSampler/scale", "RBFSampler(gamma='scale', n_components=9, random_state=0)")
add("SkewedChi2Sampler", "SkewedChi2Sampler(n_components=9, random_state=0)", "unit", near=True)
for steps in (1, 2, 3):
    add(f"AdditiveChi2Sampler/{steps}", f"AdditiveChi2Sampler(sample_steps={steps})", "counts", near=True)
add("AdditiveChi2Sampler/interval", "AdditiveChi2Sampler(sample_steps=4, sample_interval=0.3)", "unit", near=True)
add("PolynomialCountSketch", "PolynomialCountSketch(n_components=20, random_state=0)")
add("PolynomialCountSketch/settings", "PolynomialCountSketch(n_components=15, degree=3, coef0=2, gamma=0.5, random_state=0)")
add("GaussianRandomProjection", "GaussianRandomProjection(3, random_state=0)", "small wide")
add("SparseRandomProjection", "SparseRandomProjection(3, random_state=0)", "small wide")
for name in ("PLSRegression", "PLSCanonical", "CCA"):
    for data in ("two small numbers", "small numbers"):
        parts = 2 if name == "PLSRegression" or data == "two small numbers" else 1
        add(f"{name}/{data}", f"{name}({parts})", data, methods=("predict", "transform"))
    add(f"{name}/unscaled", f"{name}(1, scale=False)", "two small numbers", methods=("predict", "transform"))
add("PLSSVD", "PLSSVD(2)", "two small numbers")
add("BernoulliRBM", "BernoulliRBM(5, random_state=0)")
ALL = ("predict", "decision_function", "score_samples")
add("EllipticEnvelope", "EllipticEnvelope(random_state=0)", methods=ALL)
add("EllipticEnvelope/centered", "EllipticEnvelope(assume_centered=True, contamination=0.3, random_state=0)", methods=ALL)
add("EllipticEnvelope/without precision", "EllipticEnvelope(store_precision=False, random_state=0)", methods=ALL)
for solver in ("svd", "eigen", "lsqr"):
    add(f"LinearDiscriminantAnalysis/{solver}", f"LinearDiscriminantAnalysis(solver='{solver}')", "small",
        methods=("predict", "predict_proba") + (("transform",) if solver != "lsqr" else ()))
add("LinearDiscriminantAnalysis/few", "LinearDiscriminantAnalysis(n_components=1)", "small", methods=("transform",))
add("Isomap", "Isomap(n_components=2)")
add("DictionaryLearning/omp", "DictionaryLearning(5, random_state=0)")
add("DictionaryLearning/omp three", "DictionaryLearning(7, transform_n_nonzero_coefs=3, random_state=0)")
add("DictionaryLearning/lasso", "DictionaryLearning(5, transform_algorithm='lasso_lars', random_state=0)")
add("SparseCoder/omp", "SparseCoder(np.random.default_rng(1).normal(size=(8, 4)), transform_n_nonzero_coefs=2)")
add("SparseCoder/all", "SparseCoder(np.eye(4)[:3] + 0.1, transform_n_nonzero_coefs=3, split_sign=True)")
add("DictionaryLearning/threshold", "DictionaryLearning(5, transform_algorithm='threshold', transform_alpha=0.3, random_state=0)")
add("DictionaryLearning/alpha", "DictionaryLearning(5, transform_algorithm='threshold', alpha=0.4, random_state=0)")
add("MiniBatchDictionaryLearning/split",
    "MiniBatchDictionaryLearning(5, transform_algorithm='threshold', split_sign=True, random_state=0)")
add("SparseCoder/threshold", "SparseCoder(np.eye(4)[:3], transform_algorithm='threshold', positive_code=True)")
for settings in ("tol=1e-8, max_iter=1000", "alpha_W=0.02, l1_ratio=0.5", "max_iter=3", "shuffle=True",
                 *(f"solver='mu', {more}" for more in (
                     "tol=0, max_iter=25", "beta_loss=1", "beta_loss=0, alpha_W=0.01", "beta_loss=0.5, alpha_W=0.01, l1_ratio=0.3",
                     "beta_loss=1.5", "beta_loss=3", "beta_loss=-0.5", "beta_loss=1, alpha_W=0.01, l1_ratio=0.2, tol=1e-9",
                     "beta_loss=1, alpha_W=0.01, l1_ratio=1, max_iter=37"))):
    add(f"NMF/{settings}".replace("solver='mu'", "mu")[:55], f"NMF(3, {settings}, random_state=0)", "small positive", near=True)
add("NMF/chance", "NMF(3, shuffle=True)", "small positive", near=True)
for settings in ("tol=1e-6", "beta_loss=1, alpha_W=0.01, l1_ratio=0.5", "beta_loss=0, transform_max_iter=20", "beta_loss=2.5"):
    add(f"MiniBatchNMF/{settings}", f"MiniBatchNMF(3, {settings}, random_state=0)", "small positive", near=True)
for name in ("NMF", "MiniBatchNMF"):
    add(name, f"{name}(2, random_state=0)", "counts", near=True)
add("LatentDirichletAllocation", "LatentDirichletAllocation(3, random_state=0)", "counts", near=True)
add("LatentDirichletAllocation/settings", "LatentDirichletAllocation(5, max_doc_update_iter=7, mean_change_tol=1e-8, "
    "doc_topic_prior=0.01, random_state=0)", "counts", near=True)
add("LocallyLinearEmbedding/three", "LocallyLinearEmbedding(n_neighbors=3, n_components=3, reg=0.01)")
add("LocallyLinearEmbedding", "LocallyLinearEmbedding()")
