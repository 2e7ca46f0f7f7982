"""Trains the two models of the demo and writes what is needed to judge them.

usage: train.py DIR

Writes tumor.onnx (a gradient-boosted classifier, exported with skl2onnx defaults and so with its
ZipMap), diabetes.onnx (a gradient-boosted regressor), and for each NAME.csv, the held-out rows, and
NAME.json, scikit-learn's own answers for them. Rows are exact in FP32, so both sides see the same
numbers. Nothing is trained again while the files are there.
"""

import json
import pathlib
import sys

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
from sklearn.model_selection import train_test_split

HELD_OUT = 24


def split(bunch):
    rows = bunch.data.astype(np.float32).astype(np.float64)
    return train_test_split(rows, bunch.target, test_size=HELD_OUT, random_state=7)


def write_csv(path, rows):
    names = [f"x{i}" for i in range(rows.shape[1])]
    lines = [",".join(names)]
    lines += [",".join(repr(float(v)) for v in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")


def save(folder, name, model, rows, answers):
    onnx = to_onnx(model, rows[:1].astype(np.float32), target_opset={"": 17, "ai.onnx.ml": 3})
    (folder / f"{name}.onnx").write_bytes(onnx.SerializeToString())
    write_csv(folder / f"{name}.csv", rows)
    (folder / f"{name}.json").write_text(json.dumps({"rows": rows.tolist(), "answers": answers}))


def main():
    folder = pathlib.Path(sys.argv[1])
    wanted = [folder / f"{n}.{e}" for n in ("tumor", "diabetes") for e in ("onnx", "csv", "json")]
    if all(p.exists() for p in wanted):
        print("  already trained: " + str(folder))
        return
    train_x, test_x, train_y, _ = split(load_breast_cancer())
    classifier = GradientBoostingClassifier(n_estimators=30, random_state=7).fit(train_x, train_y)
    save(folder, "tumor", classifier, test_x,
         {"label": classifier.predict(test_x).tolist(),
          "probability": classifier.predict_proba(test_x).tolist()})
    train_x, test_x, train_y, _ = split(load_diabetes())
    regressor = GradientBoostingRegressor(random_state=7).fit(train_x, train_y)
    save(folder, "diabetes", regressor, test_x, {"value": regressor.predict(test_x).tolist()})


main()
