"""Support vector machines."""
from __future__ import annotations

from . import Family

FAMILY = Family("svm")
add = FAMILY.add
for kernel in ("linear", "poly", "rbf", "sigmoid"):
    for data in ("classes", "two"):
        add(f"SVC/{kernel}/{data}", f"SVC(kernel='{kernel}')", data)
    add(f"SVR/{kernel}", f"SVR(kernel='{kernel}')", "numbers")
    add(f"NuSVR/{kernel}", f"NuSVR(kernel='{kernel}')", "numbers")
    add(f"OneClassSVM/{kernel}", f"OneClassSVM(kernel='{kernel}')", "classes",
        methods=("predict", "decision_function", "score_samples"),
        loose=1e-10 if kernel in ("linear", "poly") else 0)  # a small difference of large numbers
for name in ("SVC", "NuSVC"):
    for data in ("classes", "two", "five")[:3 if name == "SVC" else 2]:
        add(f"{name}/probability/{data}", f"{name}(probability=True, random_state=0)", data,
            methods=("predict", "predict_proba", "decision_function"))
for name in ("SVC", "NuSVC"):
    add(f"{name}/named", f"{name}()", "named")
    add(f"{name}/ovo", f"{name}(decision_function_shape='ovo')", "five")
    add(f"{name}/break_ties", f"{name}(break_ties=True)", "five")
add("SVC/log", "SVC(probability=True, random_state=0)", "classes", methods=("predict", "predict_log_proba"))
add("SVC/degree 2", "SVC(kernel='poly', degree=2, coef0=1, gamma=0.5)")
add("SVC/degree 7", "SVC(kernel='poly', degree=7, gamma='auto')")
add("SVC/degree 0", "SVC(kernel='poly', degree=0)")
add("SVC/gamma", "SVC(gamma=3.0, C=10)")
add("SVC/weights", "SVC(class_weight='balanced', C=0.1)", "five")
add("SVC/ties", "SVC(kernel='linear')", "grid")
add("SVC/sparse", "SVC(probability=True, random_state=0)", "sparse five")
add("SVR/sparse", "SVR()", "sparse numbers")
add("SVC/offset", "SVC()", "offset")
add("SVC/scaled", "make_pipeline(StandardScaler(), SVC(probability=True, random_state=0))", "five")
add("SVC/callable", "SVC(kernel=np.dot)", "precomputed", near=True)
add("SVC/precomputed", "SVC(kernel='precomputed')", "precomputed", near=True)
add("SVC/float32", "SVC(probability=True, random_state=0)", "classes", inputs=("float32",))
for loss in ("hinge", "squared_hinge"):
    add(f"LinearSVC/{loss}", f"LinearSVC(loss='{loss}')", "classes")
for loss in ("epsilon_insensitive", "squared_epsilon_insensitive"):
    add(f"LinearSVR/{loss}", f"LinearSVR(loss='{loss}')", "numbers")
add("LinearSVC/crammer_singer", "LinearSVC(multi_class='crammer_singer')", "classes")
add("LinearSVC/crammer_singer/two", "LinearSVC(multi_class='crammer_singer')", "two")
add("SVR/none", "SVR(epsilon=1000)", "numbers")
add("SVC/without vectors", "SVC(tol=3)", "two", methods=("predict", "decision_function"))
