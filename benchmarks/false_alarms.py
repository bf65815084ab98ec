"""How often a study finds a significant difference: where none exists (false alarms), and where one does (power).

Tables of runs are drawn, not trained: what a seed does to all methods, and each run's own chance, normal, correlated by
0.5 between the tasks of a run. Each study is judged by the code that judges real ones.

    python benchmarks/false_alarms.py [--studies 1000] [--only seeds,power,looks,skew,many]
"""

import argparse
import re
from math import sqrt

import numpy as np
from scipy import stats

from equipoise.lab.evaluation import (
    REFERENCE,
    SINGLE_TASK,
    TUNED,
    TaskMetric,
    levels,
    make_table,
    planned_looks,
    rank_test,
)
from equipoise.lab.evaluation.precision import precision_sentences

SEEDS = (3, 5, 10)
METHODS, TASKS = 8, 3
SHARED = 0.5  # correlation of the chance of one run's tasks
COLLAPSES = 0.15  # of the runs of a method that sometimes collapses
METRICS = [TaskMetric(f"t{k}", "error", False, 0.0, 10.0) for k in range(TASKS)]
ALONE = METRICS[:1]


def draw(generator, seeds, gain=0.0):
    """[method][task][seed]: single-task and 8 methods, from sum to tuned; the second is better by ``gain``."""
    common = 5 + generator.normal(size=(TASKS, seeds))  # easy and hard seeds: what pairing takes out
    alone = common + generator.normal(size=(TASKS, seeds))
    noise = sqrt(SHARED) * generator.normal(size=(METHODS, 1, seeds))
    noise = noise + sqrt(1 - SHARED) * generator.normal(size=(METHODS, TASKS, seeds))
    runs = common + noise
    runs[1] -= gain
    names = (SINGLE_TASK, "sum", *(f"m{i}" for i in range(1, METHODS - 1)), TUNED)
    return {
        name: {metric.task: dict(enumerate(values[k].tolist())) for k, metric in enumerate(METRICS)}
        for name, values in zip(names, (alone, *runs), strict=True)
    }


def differs(table):
    """Which kinds of statement a study makes: against sum, single-task and tuned weights, by rank."""
    scores = [score for row in table.rows for score in row.scores.values()]
    said = {
        other: any(other in s.to and s.to[other].verdict in ("better", "worse") for s in scores)
        for other in (REFERENCE, SINGLE_TASK, TUNED)
    }
    said["ranks"] = bool(table.ranks and table.ranks.differs)
    return said | {"anywhere": any(said.values())}


def rates(seeds, studies, gain=0.0, seed=0):
    """Of so many studies the fraction that says "different", by kind; and that finds m1 better than sum on a task."""
    generator = np.random.default_rng([seed, seeds])
    tables = [make_table(draw(generator, seeds, gain), METRICS, {}) for _ in range(studies)]
    said = [differs(table) for table in tables]
    found = [
        row.scores[metric.task].to_sum for table in tables for row in table.rows[2:3] for metric in METRICS
    ]  # m1, each task
    return {kind: float(np.mean([one[kind] for one in said])) for kind in said[0]} | {
        "m1 on a task": float(np.mean([one.verdict == "better" for one in found])),
        "m1 on a task, alone": float(np.mean([one.interval.p_value < 0.05 and one.interval.mean < 0 for one in found])),
        "wrong": float(np.mean([one.verdict == "worse" for one in found])),
    }


def tasks_as_blocks(seeds, studies):
    """False alarms of Friedman's test where the tasks of one study are its blocks: why they are not."""
    generator = np.random.default_rng([1, seeds])
    alarms = 0
    for _ in range(studies):
        values = draw(generator, seeds)
        names = [name for name in values if name != SINGLE_TASK]
        means = [[float(np.mean(list(values[name][m.task].values()))) for name in names] for m in METRICS]
        alarms += rank_test(names, means).differs
    return alarms / studies


MANY, FEW_METHODS = 300, 3


def many(seeds, studies, tasks=MANY, gains=0.0):
    """Studies of three methods on many tasks, as ``draw`` has a few; m1 is better by ``gains`` on every third task.

    Returns:
        The fraction of studies that says "different" of a mean; of a task, where none differs; that finds m1's mean;
        the fraction of m1's tasks that are found, and of the tasks called better or worse that do not differ.
    """
    generator = np.random.default_rng([4, seeds])
    metrics = [TaskMetric(f"t{k}", "error", False, 0.0, 10.0) for k in range(tasks)]
    said, of_tasks, whole, power, wrong = 0, 0, 0, [], []
    for _ in range(studies):
        common = 5 + generator.normal(size=(tasks, seeds))
        noise = sqrt(SHARED) * generator.normal(size=(FEW_METHODS, 1, seeds))
        runs = common + noise + sqrt(1 - SHARED) * generator.normal(size=(FEW_METHODS, tasks, seeds))
        runs[1, ::3] -= gains
        values = {
            name: {metric.task: dict(enumerate(runs[i, k].tolist())) for k, metric in enumerate(metrics)}
            for i, name in enumerate(("sum", "m1", "m2"))
        }
        rows = make_table(values, metrics, {}).rows[1:]
        means = [score.to_sum.verdict for row in rows for score in row.means.values()]
        found = [[row.scores[metric.task].to_sum.verdict in ("better", "worse") for metric in metrics] for row in rows]
        said += any(word in ("better", "worse") for word in means)
        of_tasks += any(map(any, found))
        whole += means[0] == "better"
        power.append(np.mean(found[0][::3]))
        chance = sum(found[1]) + sum(one for k, one in enumerate(found[0]) if k % 3)
        wrong.append(chance / max(1, sum(map(sum, found))))
    return said / studies, of_tasks / studies, whole / studies, float(np.mean(power)), float(np.mean(wrong))


def print_many(studies):
    print(f"\nThree methods on {MANY} tasks, compared by their means first: % of {studies} studies or of tasks\n")
    print("| m1 is better on every third task by | seeds | a mean | a task | m1's mean | its tasks | wrong |")
    print("|---|---|---|---|---|---|---|")
    for gains in (0.0, 2.0, 4.0):
        for seeds in SEEDS:
            found = many(seeds, studies, gains=gains)
            print(f"| {gains:g} | {seeds} | {' | '.join(f'{100 * rate:.1f}' for rate in found)} |")


def first(values, seeds):
    """The runs of the first seeds."""
    return {
        name: {task: {s: v for s, v in found.items() if s < seeds} for task, found in by_task.items()}
        for name, by_task in values.items()
    }


def found_at(values, seeds, level=0.05):
    """Whether a study of the first seeds says "different" anywhere."""
    return differs(make_table(first(values, seeds), ALONE, {}, level=level))["anywhere"]


def looks(studies, last=20):
    """Of so many studies of three methods on a task, where nothing differs, the fraction that says "different"."""
    generator = np.random.default_rng(2)
    kinds = ("3 seeds, one look", "3 to 20 seeds, a look after each", "5 seeds, then as many as advised")
    plans = {f"--looks {count} --seeds {last}": planned_looks(last, count) for count in (2, 3, 5)}
    alarms = dict.fromkeys((*kinds, *plans), 0)
    for _ in range(studies):
        drawn = draw(generator, 200)
        values = {name: {"t0": drawn[name]["t0"]} for name in ("sum", "m1", "m2")}
        found = next((n for n in range(3, last + 1) if found_at(values, n)), None)
        alarms[kinds[0]] += found == 3
        alarms[kinds[1]] += found is not None
        alarms[kinds[2]] += _as_advised(values)
        for name, at in plans.items():
            alarms[name] += any(found_at(values, n, level) for n, level in zip(at, levels(at), strict=True))
    return {kind: count / studies for kind, count in alarms.items()}


def _as_advised(values):
    table = make_table(first(values, 5), ALONE, {})
    advised = re.search(r"about (\d+) more seed", precision_sentences(table, ALONE))
    more = int(advised[1]) if advised else 0
    return differs(table)["anywhere"] or (more > 0 and found_at(values, min(5 + more, 200)))


def skewed(seeds, studies, gain=4.0, methods=METHODS):
    """Studies of as good a mean: all but sum collapse in 15 % of their runs and are better by ``gain`` in the others.

    Returns:
        Of so many studies the fraction that says "better" of any of them; and of those comparisons that say "better"
        the fraction that is checked as not roughly symmetric.
    """
    generator = np.random.default_rng([3, seeds])
    found, wrong, marked = 0, 0, 0
    for _ in range(studies):
        common = 5 + generator.normal(size=seeds)
        runs = common + generator.normal(size=(methods, seeds))
        gone = generator.random(size=(methods, seeds)) < COLLAPSES
        lost = gain * (1 - COLLAPSES) / COLLAPSES  # so that the mean is that of sum
        runs[1:] += np.where(gone, lost, -gain)[1:]
        names = ["sum", *(f"m{i}" for i in range(1, methods))]
        values = {n: {"t0": dict(enumerate(one.tolist()))} for n, one in zip(names, runs, strict=True)}
        scores = [row.scores["t0"].to_sum for row in make_table(values, ALONE, {}, "").rows[1:]]
        better = [one for one in scores if one.verdict == "better"]
        found += bool(better)
        wrong += len(better)
        marked += sum(one.check is not None for one in better)
    return found / studies, marked / wrong if wrong else float("nan")


def print_looks(studies):
    print("\nThree equal methods, looked at more than once: % of studies with a significant difference\n")
    print("| looks | % |")
    print("|---|---|")
    for kind, rate in looks(studies).items():
        print(f"| {kind} | {100 * rate:.1f} |")


def print_skew(studies):
    print("\nEqual means, but 15 % of runs collapse: % of studies with the verdict better\n")
    print("| methods that collapse | seeds | better | of these comparisons checked |")
    print("|---|---|---|---|")
    for methods in (2, METHODS):
        for seeds in SEEDS:
            found, marked = skewed(seeds, studies, methods=methods)
            print(f"| {methods - 1} | {seeds} | {100 * found:.1f} | {100 * marked:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    parser.add_argument("--only", default="seeds,power,looks,skew,many", help="which tables")
    arguments = parser.parse_args()
    prints = {"seeds": print_seeds, "power": print_power, "looks": print_looks, "skew": print_skew, "many": print_many}
    for name in arguments.only.split(","):
        prints[name](arguments.studies)


def print_seeds(studies):
    print(f"Equal methods: % of {studies} studies with a significant difference ({METHODS} methods, {TASKS} tasks)\n")
    print("| seeds | anywhere | against sum | against single-task | against tuned | by rank | tasks as blocks |")
    print("|---|---|---|---|---|---|---|")
    for seeds in SEEDS:
        found, wrong_blocks = rates(seeds, studies), tasks_as_blocks(seeds, studies)
        kinds = ("anywhere", REFERENCE, SINGLE_TASK, TUNED, "ranks")
        print(f"| {seeds} | {' | '.join(f'{100 * value:.1f}' for value in (*map(found.get, kinds), wrong_blocks))} |")


def print_power(studies):
    print("\nOne method is better on every task: % of comparisons with that verdict\n")
    print("| true difference | seeds | in the study | alone, uncorrected | by t-test's formula, alone | worse |")
    print("|---|---|---|---|---|---|")
    for errors in (2, 4, 8):
        for seeds in SEEDS:
            effect = errors / sqrt(seeds)  # of the standard deviation of a paired difference, sqrt(2) here
            found = rates(seeds, studies, gain=effect * sqrt(2), seed=errors)
            bound = stats.t.ppf(0.975, seeds - 1)
            expected = stats.nct.sf(bound, seeds - 1, errors)
            cells = (found["m1 on a task"], found["m1 on a task, alone"], expected, found["wrong"])
            print(f"| {errors} standard errors | {seeds} | {' | '.join(f'{100 * cell:.1f}' for cell in cells)} |")


if __name__ == "__main__":
    main()
