#!/usr/bin/env python3
"""Compare the importance of knobs with Optuna's fANOVA: shares of functions with numbers and categories.

    python3 tests/oracle/importance.py BUILD

Needs optuna and scikit-learn.  Both fit random forests of 64 trees to the same 400 points; shares (of the sum of the main effects, as
Optuna normalises them) must agree within 0.05, since the forests are drawn differently.
SPDX-License-Identifier: Apache-2.0
"""
import math
import pathlib
import subprocess
import sys
import tempfile

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution
from optuna.trial import create_trial

N = 400
LIMIT = 0.05


def ishigami(p):
    a, b, c = (math.pi * (2 * p[k] - 1) for k in "abc")
    return math.sin(a) + 7 * math.sin(b) ** 2 + 0.1 * c ** 4 * math.sin(a)


def search(p):
    """As a search might score: a network's level, a learning rate with an optimum, a knob of little effect."""
    level = [0.2, 0.5, 0.55, 0.3, 0.45][p["model"]]
    return level - 0.4 * (p["lr"] - 0.6) ** 2 + 0.02 * p["decay"]


CASES = [
    ("linear", {"a": 0, "b": 0, "c": 0}, lambda p: 4 * p["a"] + 2 * p["b"] + 0.5 * p["c"]),
    ("ishigami", {"a": 0, "b": 0, "c": 0}, ishigami),
    ("search", {"model": 5, "lr": 0, "decay": 0}, search),
]


def draw(factors, sampler_seed):
    import random
    rng = random.Random(sampler_seed)
    for _ in range(N):
        yield {k: rng.randrange(n) if n else rng.random() for k, n in factors.items()}


def optuna_shares(factors, points, values):
    study = optuna.create_study()
    kinds = {k: CategoricalDistribution(list(range(n))) if n else FloatDistribution(0, 1) for k, n in factors.items()}
    for p, y in zip(points, values):
        study.add_trial(create_trial(params=p, distributions=kinds, value=y))
    evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=64, seed=0)
    return optuna.importance.get_param_importances(study, evaluator=evaluator)


def our_shares(build, factors, points, values):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "table"
        rows = [" ".join(str(n) for n in factors.values())]
        rows += [" ".join(repr(float(p[k])) for k in factors) + f" {y!r}" for p, y in zip(points, values)]
        path.write_text("\n".join(rows) + "\n")
        out = subprocess.run([f"{build}/tests/test_importance", str(path)], check=True, capture_output=True, text=True)
    shares = [float(x) for x in out.stdout.split()[:-1]]
    return {k: s / sum(shares) for k, s in zip(factors, shares)}


def main():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    bad = 0
    for name, factors, function in CASES:
        points = list(draw(factors, 7))
        values = [function(p) for p in points]
        theirs, ours = optuna_shares(factors, points, values), our_shares(sys.argv[1], factors, points, values)
        for k in factors:
            is_off = abs(theirs[k] - ours[k]) > LIMIT
            bad += is_off
            print(f"{name:10} {k:6} optuna {theirs[k]:.4f}  gannet {ours[k]:.4f}{'  OFF' if is_off else ''}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
