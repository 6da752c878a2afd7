#!/usr/bin/env python3
"""Samplers and stopping rules of Gannet and of Optuna side by side, on the same functions, with the same number of evaluations.

    python3 bench/search_peers.py BUILD [--seeds 30] [--rows branin,zdt1] [--cache optuna.json] [--markdown]

Gannet's side is the program BUILD/bench/search_functions; Optuna is imported here.  Both compute the functions below by the same
formulas.  For every row: mean and standard deviation over the seeds of both, the difference of the means in its own standard errors, and
a verdict: "no worse" when Gannet's mean is not worse than Optuna's by more than twice the standard error of the difference; "better" when
it is better by more than that.  --cache keeps what Optuna computed, so that only Gannet's side runs again.

Functions: Branin and Hartmann 6 (Dixon and Szego 1978; the loss is the distance to the optimum), ZDT1 to ZDT3 (Zitzler, Deb, Thiele
2000; the hypervolume to the point (11, 11)), `mixed` (a surrogate of tuning networks: choices, whole numbers, logarithms, parameters
that depend on choices) and `curves` (learning curves with noise, trained until a budget of epochs is used up; the loss of the best
trial that was trained to the end).
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import json
import math
import pathlib
import statistics
import subprocess

# --- functions -----------------------------------------------------------------------------------------------------------


def branin(x, y):
    b, c = 5.1 / (4 * math.pi**2), 5 / math.pi
    return (y - b * x * x + c * x - 6)**2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


BRANIN_BEST = 0.39788735772973816
H6_ALPHA = [1.0, 1.2, 3.0, 3.2]
H6_A = [[10, 3, 17, 3.5, 1.7, 8], [0.05, 10, 17, 0.1, 8, 14], [3, 3.5, 1.7, 10, 17, 8], [17, 8, 0.05, 10, 0.1, 14]]
H6_P = [[1312, 1696, 5569, 124, 8283, 5886], [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650], [4047, 8828, 8732, 5743, 1091, 381]]
HARTMANN6_BEST = -3.32236801141551


def hartmann6(x):
    return -sum(alpha * math.exp(-sum(a * (v - 1e-4 * p)**2 for a, p, v in zip(row_a, row_p, x)))
                for alpha, row_a, row_p in zip(H6_ALPHA, H6_A, H6_P))


def zdt(kind, x):
    g = 1 + 9 * sum(x[1:]) / (len(x) - 1)
    r = x[0] / g
    if kind == 1:
        h = 1 - math.sqrt(r)
    elif kind == 2:
        h = 1 - r * r
    else:
        h = 1 - math.sqrt(r) - r * math.sin(10 * math.pi * x[0])
    return x[0], g * h


def hypervolume(points, reference=(11.0, 11.0)):
    volume, lowest = 0.0, reference[1]
    for a, b in sorted(points):
        if a < reference[0] and b < lowest:
            volume += (reference[0] - a) * (lowest - b)
            lowest = b
    return volume


MIXED_BASE = [0.30, 0.22, 0.20, 0.26]
MIXED_RATE = [-2.0, -2.5, -3.5, -4.2]
MIXED_SHIFT = [0.7, 0.0, 0.1]
MIXED_PENALTY = [0.03, 0.01, 0.0]


def mixed(model, rate, optimizer, momentum, batch, width, decay):
    off = math.log10(rate) - MIXED_RATE[model] - MIXED_SHIFT[optimizer] - 0.3 * (math.log2(batch) - 5)
    return (MIXED_BASE[model] + 0.06 * off * off + MIXED_PENALTY[optimizer] +
            (0.4 * (momentum - 0.9)**2 if optimizer == 0 else 0) + 0.01 * (math.log2(batch) - 5)**2 +
            0.1 / width + 0.005 * width + 0.05 * (decay - 0.3)**2)


CURVE_EPOCHS = 64
CURVE_BUDGET = 2000


def curve(x, epoch):
    """Loss after an epoch: its limit, and how fast it is reached, depend on the four parameters in different ways."""
    limit = 0.1 + 0.5 * (x[0] - 0.3)**2 + 0.3 * abs(x[1] - 0.6) + 0.1 * x[2]
    speed = 0.4 + 0.8 * (1 - x[2]) + 0.4 * x[3]
    return limit + (0.8 - 0.3 * x[3]) * epoch**-speed


CURVE_NOISE = 0.01

# --- Optuna --------------------------------------------------------------------------------------------------------------


def reals(trial, n):
    return [trial.suggest_float(f"x{i}", 0, 1) for i in range(n)]


def objective_of(function):
    def of_branin(t):
        return branin(t.suggest_float("x", -5, 10), t.suggest_float("y", 0, 15)) - BRANIN_BEST

    def of_mixed(t):
        model = t.suggest_categorical("model", [0, 1, 2, 3])
        rate = t.suggest_float("rate_small", 1e-4, 1e-1, log=True) if model < 2 else \
            t.suggest_float("rate_large", 1e-6, 1e-2, log=True)
        optimizer = t.suggest_categorical("optimizer", [0, 1, 2])
        momentum = t.suggest_float("momentum", 0.5, 0.99) if optimizer == 0 else 0
        return mixed(model, rate, optimizer, momentum, t.suggest_int("batch", 8, 128, log=True),
                     t.suggest_int("width", 1, 8), t.suggest_float("decay", 0, 1))

    if function == "branin":
        return of_branin
    if function == "hartmann6":
        return lambda t: hartmann6(reals(t, 6)) - HARTMANN6_BEST
    if function == "mixed":
        return of_mixed
    kind, n = int(function[3]), int(function[5:])
    return lambda t: zdt(kind, reals(t, n))


def optuna_sampler(name, seed):
    import optuna
    if name == "nsga2":
        return optuna.samplers.NSGAIISampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, multivariate=name == "tpe_mv", group=name == "tpe_mv")


def optuna_run(function, evaluations, name, seed):
    import optuna
    is_multi = function.startswith("zdt")
    study = optuna.create_study(directions=["minimize"] * (2 if is_multi else 1), sampler=optuna_sampler(name, seed))
    study.optimize(objective_of(function), n_trials=evaluations)
    return hypervolume([t.values for t in study.trials]) if is_multi else study.best_value


def optuna_pruner(name):
    import optuna
    return {"asha": lambda: optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=4),
            "hyperband": lambda: optuna.pruners.HyperbandPruner(1, CURVE_EPOCHS, reduction_factor=4),
            "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=0),
            "none": optuna.pruners.NopPruner}[name]()


def optuna_curves(name, seed):
    """Random configurations, pruned by Optuna's rule, until the budget of epochs is used up."""
    import optuna
    import random
    noise = random.Random(seed)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed), pruner=optuna_pruner(name))
    used, best = 0, 1.0
    while used < CURVE_BUDGET:
        trial = study.ask()
        x = reals(trial, 4)
        is_pruned = False
        for epoch in range(1, CURVE_EPOCHS + 1):
            loss = curve(x, epoch)
            trial.report(loss + noise.gauss(0, CURVE_NOISE), epoch)
            used += 1
            if epoch < CURVE_EPOCHS and trial.should_prune():
                is_pruned = True
                break
            if used >= CURVE_BUDGET:
                break
        if not is_pruned and epoch == CURVE_EPOCHS:
            best = min(best, loss)
        study.tell(trial, None if is_pruned else loss,
                   state=optuna.trial.TrialState.PRUNED if is_pruned else optuna.trial.TrialState.COMPLETE)
    return best


# --- rows ----------------------------------------------------------------------------------------------------------------

# Function, evaluations, Gannet's sampler or rule, Optuna's, is more better.
ROWS = [("branin", 60, "tpe", "tpe", False), ("branin", 60, "tpe", "tpe_mv", False),
        ("hartmann6", 120, "tpe", "tpe", False), ("hartmann6", 120, "tpe", "tpe_mv", False),
        ("mixed", 120, "tpe", "tpe", False), ("mixed", 120, "tpe", "tpe_mv", False)]
ROWS += [(f"zdt{k}_{n}", e, s, o, True) for k in (1, 2, 3)
         for n, e, s, o in ((8, 100, "tpe", "tpe"), (8, 100, "tpe", "tpe_mv"), (8, 500, "nsga2", "nsga2"),
                            (30, 500, "nsga2", "nsga2"))]
ROWS += [("curves", CURVE_BUDGET, rule, rule, False) for rule in ("asha", "hyperband", "median")]


def theirs(row, seeds, cache, path):
    function, evaluations, _, name, _ = row
    key = f"{function} {evaluations} {name}"
    values = cache.setdefault(key, [])
    for seed in range(len(values), seeds):
        values.append(optuna_curves(name, seed) if function == "curves" else
                      optuna_run(function, evaluations, name, seed))
        if path:
            path.write_text(json.dumps(cache))
    return values[:seeds]


def ours(build, row, seeds):
    out = subprocess.run([str(build / "bench" / "search_functions"), row[0], row[2], str(row[1]), str(seeds)],
                         check=True, capture_output=True, text=True).stdout
    return [float(v) for v in out.split()]


def verdict(mine, other, is_more_better):
    gain = statistics.mean(mine) - statistics.mean(other)
    error = math.sqrt(statistics.variance(mine) / len(mine) + statistics.variance(other) / len(other))
    z = (gain if is_more_better else -gain) / error if error > 0 else 0.0
    return z, "WORSE" if z < -2 else "better" if z > 2 else "no worse"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--rows", default="", help="functions, or function:Optuna's sampler, between commas; all when left out")
    parser.add_argument("--cache", type=pathlib.Path)
    parser.add_argument("--markdown", action="store_true")
    args = parser.parse_args()
    cache = json.loads(args.cache.read_text()) if args.cache and args.cache.exists() else {}
    try:
        import optuna
        optuna.logging.set_verbosity(optuna.logging.ERROR)
    except ImportError:
        print("Optuna is missing: only what the cache holds can be compared")
    form = "| {} | {} | {} | {} | {} | {} | {} |" if args.markdown else "{:10} {:>5} {:6} {:10} {:>20} {:>20} {}"
    print(form.format("function", "evaluations", "Gannet", "Optuna", "Gannet's mean (sd)", "Optuna's mean (sd)", "verdict"))
    if args.markdown:
        print("|---|---|---|---|---|---|---|")
    n_worse = 0
    for row in ROWS:
        if args.rows and not {row[0], f"{row[0]}:{row[3]}"} & set(args.rows.split(",")):
            continue
        other = theirs(row, args.seeds, cache, args.cache)
        mine = ours(args.build, row, args.seeds)
        z, word = verdict(mine, other, row[4])
        n_worse += word == "WORSE"
        print(form.format(row[0], row[1], row[2], row[3],
                          *(f"{statistics.mean(v):.4g} ({statistics.stdev(v):.2g})" for v in (mine, other)),
                          f"{word} ({z:+.1f})"), flush=True)
    raise SystemExit(1 if n_worse else 0)


if __name__ == "__main__":
    main()
