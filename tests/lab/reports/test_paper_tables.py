import csv
import random
import re
from statistics import fmean

import pytest
from report_reading import write_report

from equipoise.lab.evaluation import Summary
from equipoise.lab.reports.paper_tables import RULE, latex, markdown

pytestmark = pytest.mark.usefixtures("blank_images")

SEEDS = range(5)
TASKS = {"rating": ("rmse", False), "liked": ("auroc", True)}


def changed(make, **means):
    """A study whose primary test metrics are these means by method (rating, liked), with noise of 0.002 over seeds."""
    means = {method.replace("_", "-"): both for method, both in means.items()}
    study = make(methods=tuple(m for m in means if m != "single-task"), tasks=TASKS, seeds=SEEDS)
    rows = [row for row in study.runs if row[2] != "test"]
    for method, both in means.items():
        draw = random.Random(method)
        for (task, (metric, _)), mean in zip(TASKS.items(), both, strict=True):
            rows += [[method, str(s), "test", task, metric, repr(mean + draw.gauss(0, 0.002))] for s in SEEDS]
    with (study.path / "runs.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["method", "seed", "split", "task", "metric", "value"], *rows])
    return Summary.from_folder(study.path)


def bold(summary):
    return [re.findall(r"\*\*(.*?)\*\*", line) for line in markdown(summary).splitlines()[2 : 2 + len(summary.rows)]]


def test_the_best_is_bold_where_it_is_set_apart(make):
    summary = changed(make, single_task=(0.9, 0.70), sum=(0.8, 0.75), uw=(0.7, 0.7500), mgda=(0.75, 0.7502))
    found = dict(zip([row.method for row in summary.rows], bold(summary), strict=True))
    assert len(found["uw"]) == 1  # rating: far below sum and single-task
    assert found["uw"][0].startswith("0.70")
    assert found["mgda"] == found["sum"] == found["single-task"] == []  # liked: best, but not distinguishable from sum


def test_sum_or_single_task_is_bold_where_every_other_is_worse(make):
    summary = changed(make, single_task=(0.5, 0.70), sum=(0.8, 0.95), uw=(0.7, 0.75), mgda=(0.75, 0.76))
    found = dict(zip([row.method for row in summary.rows], bold(summary), strict=True))
    assert [len(found[m]) for m in ("single-task", "sum", "uw", "mgda")] == [1, 1, 0, 0]


def test_a_best_that_one_rival_reaches_is_not_bold(make):
    summary = changed(make, single_task=(0.9, 0.70), sum=(0.5, 0.95), uw=(0.5001, 0.75), mgda=(0.75, 0.76))
    found = dict(zip([row.method for row in summary.rows], bold(summary), strict=True))
    assert [len(found[m]) for m in ("single-task", "sum", "uw", "mgda")] == [0, 1, 0, 0]


def test_both_hold_the_means_and_intervals_of_runs_csv(make):
    report = make()
    write_report(report.path)
    summary = Summary.from_folder(report.path)
    for name, sign in (("results.md", "−"), ("results.tex", "$-$")):
        text = (report.path / "tables" / name).read_text(encoding="utf-8")
        assert RULE.format(reference="the plain sum", single_task="single-task") in text
        for row in summary.rows:
            line = next(line for line in text.splitlines() if line.lstrip("| ").startswith(f"{row.method} "))
            for metric in summary.metrics:
                key = [row.method, "test", metric.task, metric.name]
                values = [float(r[5]) for r in report.runs if [r[0], *r[2:5]] == key]
                assert f"{fmean(values):.4f}" in line
                comparison = row.scores[metric.task].to_sum
                if comparison is not None:
                    ends = (comparison.interval.mean, comparison.interval.low, comparison.interval.high)
                    assert "{} [{}, {}]".format(*(f"{v:+.4f}".replace("-", sign) for v in ends)) in line


def test_latex_has_one_column_for_each_head_and_escapes_names(make):
    names = ("sum", "lib/my_file.py:New%_$&{}~^\\#")
    study = make(methods=names, tasks={"a_b & c": ("m#1", False)}, epochs=2)
    text = latex(Summary.from_folder(study.path))
    columns = len(re.search(r"\\begin\{tabular\}\{(l r*|lr*)\}", text).group(1))
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in rows} == {columns}
    assert r"a\_b \& c (m\#1 $\downarrow$)" in text
    assert r"lib/my\_file.py:New\%\_\$\&\{\}\textasciitilde{}\textasciicircum{}\textbackslash{}\#" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 1


def test_markdown_has_one_column_for_each_head_and_escapes_names(make):
    study = make(methods=("sum", "lib/a|b*c.py:New"), tasks={"x|y": ("m", False)}, epochs=2)
    lines = markdown(Summary.from_folder(study.path)).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len({len(re.findall(r"(?<!\\)\|", line)) for line in table}) == 1
    assert r"lib/a\|b\*c.py:New" in table[4]
