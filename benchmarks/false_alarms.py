"""How often a study says "different": where nothing differs (false alarms), and where one method does (power).

Tables of runs are drawn, not trained: what a seed does to all methods, and the luck of each run, normal, correlated by
0.5 between the tasks of a run. Each study is judged by the code that judges real ones.

    python benchmarks/false_alarms.py [--studies 1000]
"""

import argparse
from math import sqrt

import numpy as np
from scipy import stats

from equipoise.lab.evaluation import REFERENCE, SINGLE_TASK, TUNED, TaskMetric, make_table, rank_test

SEEDS = (3, 5, 10)
METHODS, TASKS = 8, 3
SHARED = 0.5  # correlation of the luck of one run's tasks
METRICS = [TaskMetric(f"t{k}", "error", False, 0.0, 10.0) for k in range(TASKS)]


def draw(generator, seeds, gain=0.0):
    """[method][task][seed]: single-task and 8 balancings, from sum to tuned; the second is better by ``gain``."""
    common = 5 + generator.normal(size=(TASKS, seeds))  # easy and hard seeds: what pairing takes out
    alone = common + generator.normal(size=(TASKS, seeds))
    luck = sqrt(SHARED) * generator.normal(size=(METHODS, 1, seeds))
    luck = luck + sqrt(1 - SHARED) * generator.normal(size=(METHODS, TASKS, seeds))
    runs = common + luck
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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=1000)
    studies = parser.parse_args().studies
    print(f'Nothing differs: % of {studies} studies that say "different" ({METHODS} methods, {TASKS} tasks)\n')
    print("| seeds | anywhere | against sum | against single-task | against tuned | by rank | tasks as blocks |")
    print("|---|---|---|---|---|---|---|")
    for seeds in SEEDS:
        found, wrong_blocks = rates(seeds, studies), tasks_as_blocks(seeds, studies)
        kinds = ("anywhere", REFERENCE, SINGLE_TASK, TUNED, "ranks")
        print(f"| {seeds} | {' | '.join(f'{100 * value:.1f}' for value in (*map(found.get, kinds), wrong_blocks))} |")
    print("\nOne method is better on every task: % of comparisons that say so\n")
    print("| true difference | seeds | in the study | alone, uncorrected | by t-test's formula, alone | says worse |")
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
