import csv
import json

import pytest

from equipoise.lab.evaluation import Summary
from equipoise.lab.studies import write_scores


def write_study(folder, *, slow=0.01):
    """Two balancings and two single-task networks over two seeds, one epoch each."""
    metric = {"higher_is_better": True, "perfect": 1.0, "trivial": 0.0}
    study = {
        "case": "boxes",
        "title": "Boxes",
        "methods": ["sum", "uw"],
        "seeds": [0, 1],
        "metrics": {task: [{"name": "accuracy", **metric}] for task in "ab"},
        "budgets": {"sum": {"trials": 3}, "uw": {"trials": 1}},
        "complete": True,
    }
    (folder / "study.json").write_text(json.dumps(study))
    levels = {"single-task": 0.5, "sum": 0.6, "uw": 0.75}
    runs = ["method,seed,split,task,metric,value"]
    history = ["method,seed,epoch,split,task,quantity,value"]
    costs = [
        "method,seed,task,epochs,best_epoch,steps,seconds_per_step,backwards_per_step,peak_memory_mb,skipped_steps,unsolved_steps"
    ]
    for method, level in levels.items():
        for seed in (0, 1):
            runs += [f"{method},{seed},test,{task},accuracy,{level + 0.01 * seed * (task == 'b')}" for task in "ab"]
            history += [f"{method},{seed},1,validation,{task},accuracy,{level - 0.1}" for task in "ab"]
            history.append(f"{method},{seed},1,validation,all,skill,{level}")
            for task in "ab" if method == "single-task" else ["all"]:
                speed = slow if method == "uw" else 0.01
                costs.append(f"{method},{seed},{task},1,1,10,{speed},1.0,50.0,{seed},0")
    for name, lines in (("runs", runs), ("history", history), ("costs", costs)):
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return folder


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_methods_csv_holds_the_numbers_of_the_summary(tmp_path):
    summary = Summary.from_folder(write_study(tmp_path))
    write_scores(tmp_path, summary)
    single, plain, uw = read(tmp_path / "methods.csv")
    assert [row["method"] for row in (single, plain, uw)] == ["single-task", "sum", "uw"]
    interval = summary.row("uw").delta_m
    ends = (interval.mean, interval.low, interval.high)
    assert tuple(float(uw[name]) for name in ("delta_m", "delta_m_low", "delta_m_high")) == ends
    assert interval.low < interval.mean < interval.high
    assert float(uw["delta_p"]) == -float(uw["delta_m"])
    assert float(uw["geometric_ratio"]) == pytest.approx((0.75 / 0.5 * 0.755 / 0.505) ** 0.5)
    assert (uw["wins"], uw["mean_rank"], plain["mean_rank"]) == ("2", "1.0", "2.0")
    assert float(uw["skill"]) == pytest.approx((0.75 + 0.755) / 2)
    assert (uw["worst_skill_task"], float(uw["worst_skill"])) == ("a", pytest.approx(0.75))
    assert (single["delta_m"], single["wins"], single["rank_by_seed"]) == ("", "", "")
    assert (uw["skipped_steps"], single["skipped_steps"], single["backwards_per_step"]) == ("1", "2", "2.0")
    assert {row["unequal"] for row in (single, plain, uw)} == {"search trials (uw 1, sum 3)"}


def test_ranks_by_seed_are_beside_the_ranks_of_means(tmp_path):
    """On a, where only one of three seeds has uw ahead, and by so much that its mean is."""
    write_study(tmp_path)
    study = json.loads((tmp_path / "study.json").read_text()) | {"methods": ["sum", "uw", "mgda"], "seeds": [0, 1, 2]}
    (tmp_path / "study.json").write_text(json.dumps(study))
    values = {"sum": (0.5, 0.51, 0.5), "uw": (0.4, 0.41, 0.99), "mgda": (0.1, 0.12, 0.1)}
    runs = [
        f"{m},{s},test,{t},accuracy,{v}" for m, by_seed in values.items() for s, v in enumerate(by_seed) for t in "ab"
    ]
    (tmp_path / "runs.csv").write_text("\n".join(["method,seed,split,task,metric,value", *runs]) + "\n")
    write_scores(tmp_path, Summary.from_folder(tmp_path))
    found = {
        row["method"]: (float(row["mean_rank"]), float(row["rank_by_seed"])) for row in read(tmp_path / "methods.csv")
    }
    assert found == {"sum": (2.0, pytest.approx(4 / 3)), "uw": (1.0, pytest.approx(5 / 3)), "mgda": (3.0, 3.0)}


def test_equal_time_csv_shows_who_had_no_time(tmp_path):
    write_scores(tmp_path, Summary.from_folder(write_study(tmp_path, slow=0.05)))
    rows = read(tmp_path / "equal_time.csv")
    assert [(row["method"], row["task"]) for row in rows] == [("sum", "a"), ("sum", "b"), ("uw", "a"), ("uw", "b")]
    assert [float(row["epochs"]) for row in rows] == [1, 1, 0, 0]
    assert float(rows[0]["value"]) == pytest.approx(0.5)
    assert (rows[2]["value"], rows[2]["difference"]) == ("nan", "")
    write_scores(tmp_path, Summary.from_folder(write_study(tmp_path)))
    assert float(read(tmp_path / "equal_time.csv")[2]["difference"]) == pytest.approx(0.15)


def test_the_same_summary_writes_nothing_anew(tmp_path):
    summary = Summary.from_folder(write_study(tmp_path))
    write_scores(tmp_path, summary)
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    write_scores(tmp_path, summary)
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
