"""Estimators made of others, and the choice of features."""
from __future__ import annotations

from typing import Any

import numpy as np

from . import DATA, Family, classes, named, numbers

FAMILY = Family("meta")
add = FAMILY.add
LOGISTIC, TREE, BAYES = "LogisticRegression()", "DecisionTreeClassifier(max_depth=3, random_state=0)", "GaussianNB()"
THREE = f"[('a', {LOGISTIC}), ('b', {TREE}), ('c', LinearSVC())]"
SOFT = f"[('a', {LOGISTIC}), ('b', {TREE})]"
NUMBERS = "[('a', Ridge()), ('b', DecisionTreeRegressor(max_depth=3, random_state=0)), ('c', LinearRegression())]"


def labelled(count: int) -> Any:
    x, y = numbers(count)
    return x, (y > 0).astype(int)


def words() -> Any:
    x, y = labelled(3)
    return x, np.array(["no", "yes"], object)[y]


DATA.update({"three yes or no": lambda: labelled(3), "three words": words,
             "minus": lambda: (classes(2)[0], classes(2)[1] * 2 - 1)})
for data in ("classes", "two", "named"):
    add(f"VotingClassifier/hard/{data}", f"VotingClassifier({THREE})", data)
    add(f"VotingClassifier/soft/{data}", f"VotingClassifier({SOFT}, voting='soft')", data)
    add(f"VotingClassifier/weights/{data}", f"VotingClassifier({THREE}, weights=[1, 2.5, 1.5])", data)
    add(f"VotingClassifier/soft weights/{data}", f"VotingClassifier({SOFT}, voting='soft', weights=[1, 3])", data)
    add(f"StackingClassifier/{data}", f"StackingClassifier({THREE}, cv=3)", data)
    add(f"StackingClassifier/passthrough/{data}", f"StackingClassifier({SOFT}, cv=3, passthrough=True)", data)
    add(f"StackingClassifier/predict/{data}", f"StackingClassifier({THREE}, cv=3, stack_method='predict', "
        "final_estimator=RidgeClassifier())", data)
    add(f"BaggingClassifier/{data}", "BaggingClassifier(n_estimators=4, random_state=0)", data)
    add(f"BaggingClassifier/linear/{data}", f"BaggingClassifier({LOGISTIC}, 4, random_state=0, max_features=0.6)", data)
    add(f"BaggingClassifier/hard/{data}", "BaggingClassifier(LinearSVC(), n_estimators=4, random_state=0)", data)
    add(f"AdaBoostClassifier/{data}", "AdaBoostClassifier(n_estimators=6, random_state=0)", data)
    add(f"AdaBoostClassifier/linear/{data}", f"AdaBoostClassifier({LOGISTIC}, n_estimators=4, random_state=0)", data)
    for how in ("sigmoid", "isotonic", "temperature"):
        for model in ("LinearSVC()", BAYES, "DecisionTreeClassifier(max_depth=4, random_state=0)"):
            name = model.partition("(")[0]
            add(f"CalibratedClassifierCV/{how}/{name.removesuffix('Classifier')}/{data}", f"CalibratedClassifierCV({model}, method='{how}', cv=2)",
                data)
    add(f"CalibratedClassifierCV/one/{data}", "CalibratedClassifierCV(LinearSVC(), ensemble=False, cv=3)", data)
    for model in ("LinearSVC()", BAYES, TREE, LOGISTIC):
        name = model.partition("(")[0]
        add(f"OneVsRestClassifier/{name}/{data}", f"OneVsRestClassifier({model})", data)
        add(f"OneVsOneClassifier/{name}/{data}", f"OneVsOneClassifier({model})", data)
        add(f"OutputCodeClassifier/{name}/{data}", f"OutputCodeClassifier({model}, code_size=2, random_state=0)", data)
    if data != "named":
        add(f"SelfTrainingClassifier/{data}", f"SelfTrainingClassifier({LOGISTIC})", data)
    add(f"FrozenEstimator/{data}", f"FrozenEstimator({LOGISTIC}.fit(*DATA['{data}']()))", data)
add("VotingClassifier/dropped", f"VotingClassifier([*{THREE}, ('d', 'drop')], weights=[1, 2, 3, 4])")
add("VotingClassifier/transform", f"VotingClassifier({SOFT}, voting='soft')", methods=("transform",))
add("VotingClassifier/transform hard", f"VotingClassifier({THREE})", methods=("transform",))
add("StackingClassifier/transform", f"StackingClassifier({SOFT}, cv=3)", methods=("transform",))
add("BaggingClassifier/scores", f"BaggingClassifier({LOGISTIC}, 3, random_state=0)", methods=("decision_function",))
add("AdaBoostClassifier/scores", "AdaBoostClassifier(n_estimators=6, random_state=0)", methods=("decision_function",))
add("OneVsRestClassifier/labels", f"OneVsRestClassifier({LOGISTIC})", "three yes or no")
add("OneVsOneClassifier/five", f"OneVsOneClassifier({LOGISTIC})", "five")
add("OneVsRestClassifier/scores", "OneVsRestClassifier(LinearSVC())", "five", methods=("decision_function",))
for name, model in (("VotingRegressor", f"VotingRegressor({NUMBERS})"),
                    ("VotingRegressor/weights", f"VotingRegressor({NUMBERS}, weights=[1, 2, 0.5])"),
                    ("StackingRegressor", f"StackingRegressor({NUMBERS}, cv=3)"),
                    ("StackingRegressor/passthrough", f"StackingRegressor({NUMBERS}, cv=3, passthrough=True)"),
                    ("BaggingRegressor", "BaggingRegressor(n_estimators=4, random_state=0)"),
                    ("BaggingRegressor/features", "BaggingRegressor(Ridge(), 4, random_state=0, max_features=2)"),
                    ("AdaBoostRegressor", "AdaBoostRegressor(n_estimators=5, random_state=0)"),
                    ("AdaBoostRegressor/linear", "AdaBoostRegressor(Ridge(), n_estimators=5, random_state=0)")):
    add(name, model, "numbers")
add("MultiOutputRegressor", "MultiOutputRegressor(GradientBoostingRegressor(n_estimators=4))", "two numbers")
add("RegressorChain", "RegressorChain(Ridge(), order=[1, 0])", "two numbers")
for data in ("three yes or no", "three words"):
    add(f"MultiOutputClassifier/{data}", f"MultiOutputClassifier({LOGISTIC})", data)
add("MultiOutputClassifier/probabilities", f"MultiOutputClassifier({LOGISTIC})", "three words",
    methods=("predict", "predict_proba"))
add("MultiOutputClassifier/pipeline", f"make_pipeline(StandardScaler(), MultiOutputClassifier({TREE}))",
    "three yes or no", methods=("predict_proba",))
add("ClassifierChain", f"ClassifierChain({LOGISTIC}, order=[2, 0, 1])", "three yes or no")
add("ClassifierChain/trees", f"ClassifierChain({TREE})", "three yes or no")
add("ClassifierChain/probabilities", f"ClassifierChain({LOGISTIC}, chain_method='predict_proba')", "three yes or no")
add("ClassifierChain/logarithms", f"ClassifierChain({LOGISTIC}, chain_method='predict_log_proba')", "three yes or no")
for data in ("two", "two named", "minus"):
    add(f"FixedThresholdClassifier/{data}", f"FixedThresholdClassifier({LOGISTIC}, threshold=0.3)", data)
    add(f"FixedThresholdClassifier/auto/{data}", "FixedThresholdClassifier(LinearSVC())", data)
    add(f"TunedThresholdClassifierCV/{data}", f"TunedThresholdClassifierCV({LOGISTIC}, cv=3)", data)
add("FixedThresholdClassifier/positive", f"FixedThresholdClassifier({LOGISTIC}, threshold=0.6, pos_label='ant')",
    "two named")

for name in ("SelectKBest(k=2)", "SelectKBest(f_regression, k='all')", "SelectPercentile(percentile=50)",
             "SelectFpr(alpha=0.3)", "SelectFdr(alpha=0.3)", "SelectFwe(alpha=0.3)", "VarianceThreshold(0.9)",
             "GenericUnivariateSelect(mode='k_best', param=3)", "GenericUnivariateSelect(mode='fwe', param=0.5)",
             "GenericUnivariateSelect(mode='percentile', param=30)", f"RFE({LOGISTIC}, n_features_to_select=2)",
             f"RFECV({LOGISTIC}, cv=3)", f"SelectFromModel({LOGISTIC})", f"SelectFromModel({TREE}, threshold='median')",
             "SelectFromModel(RandomForestClassifier(5, random_state=0), threshold='0.8*mean')",
             "SelectFromModel(GradientBoostingClassifier(n_estimators=3), max_features=2, threshold=-np.inf)",
             "SelectFromModel(AdaBoostClassifier(n_estimators=4, random_state=0))",
             "SelectFromModel(LassoCV())", "SelectFromModel(LinearSVC(penalty='l1', C=0.05))",
             "SelectFromModel(LogisticRegression(), norm_order=2)",
             f"SequentialFeatureSelector({LOGISTIC}, n_features_to_select=2, cv=2)"):
    add(named(name), name, methods=("transform",))
add("RFE/predict", f"RFE({LOGISTIC}, n_features_to_select=2)")
add("RFE/regressor", "RFE(Ridge(), n_features_to_select=2)", "numbers")
add("RFECV/predict", f"RFECV({TREE}, cv=2)", "named")
