"""``equipoise tune``: wrong use in a line, a stop and a going on, and what is left in the folder."""

import csv
import html
import json
import os
import re
import signal
import subprocess
import sys
from contextlib import closing
from functools import partial

import pytest
from planted import direct
from rich.console import Console

from equipoise import cli
from equipoise.interrupt import STOPPED
from equipoise.lab.api.tuning import watch_of
from equipoise.lab.cases import CASES
from equipoise.lab.search import search
from equipoise.lab.search.tune import make_tuning
from equipoise.lab.search.watch import Watch
from equipoise.lab.studies import Event


@pytest.fixture(autouse=True)
def one_reading(reviews_case, monkeypatch):
    monkeypatch.setitem(CASES, "reviews", lambda: reviews_case)


METRICS = {"rating": "rmse", "recommended": "auroc", "department": "accuracy"}


def evaluate(self, job, report):
    """Instead of a training: a loss that likes the third task's weight."""
    report(1, 1, 0.5, {})
    share = self.space.weights(job.point).get("department", 1.0) / 3
    return [1.0 - 0.1 * share, 0.9, 0.4 + 0.5 * share]


@pytest.fixture
def one_process(monkeypatch):
    """Trials run in this process."""
    original = search.Search.run
    monkeypatch.setattr(search.Search, "run", lambda self, work, jobs, _: original(self, work, jobs, execute=direct))


@pytest.fixture
def quick(one_process, monkeypatch):
    """Trials take no time and no process."""
    monkeypatch.setattr("equipoise.lab.search.training.CaseTraining.__call__", evaluate)


def tune(*words):
    return cli.main(["tune", "reviews", *words])


def read(folder):
    with (folder / "trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_it_ends_in_weights_to_paste_a_table_and_a_page(quick, tmp_path, capsys):
    assert tune("--search", "weights,lr", "--trials", "12", "--out", str(tmp_path / "a")) == 0
    out = capsys.readouterr().out
    rows = read(tmp_path / "a")
    assert [int(row["trial"]) for row in rows] == list(range(12))
    best = min(rows, key=lambda row: float(row["delta_m"]))
    weights = {task: float(f"{float(best[f'weight {task}']):.4g}") for task in METRICS}
    assert f"method = eq.Fixed({weights})" in out
    assert f"Trial {best['trial']} is chosen" in out
    assert (
        f"learning_rate = {float(best['lr']):.4g}\n# on the command line: --learning-rate {float(best['lr']):.4g}\n"
        in out
    )
    page = html.unescape((tmp_path / "a" / "report.html").read_text())
    assert f"eq.Fixed({weights})" in page
    assert page.count("<svg") == 1
    assert set(re.findall(r"https?://[\w.]+", page)) <= {
        "http://www.w3.org",
        "http://purl.org",
        "http://creativecommons.org",
    }
    assert (tmp_path / "a" / "figures" / "tradeoff.png").stat().st_size > 1000
    about = json.loads((tmp_path / "a" / "search.json").read_text())
    assert (about["case"], about["method"], about["seed"]) == ("reviews", "fixed", 0)


@pytest.mark.parametrize(("words", "equal"), [("lr,wd", False), ("weights,lr", True)])
def test_the_first_trial_has_the_defaults_and_equal_weights_only_where_weights_are_searched(
    words, equal, quick, tmp_path, capsys
):
    tune("--search", words, "--sampler", "random", "--trials", "3", "--out", str(tmp_path / "a"))
    said = capsys.readouterr().out + (tmp_path / "a" / "report.html").read_text()
    assert "0 (default)" in said
    assert "against the defaults" in " ".join(said.split())
    assert ("equal" in said) == equal


def test_the_same_command_goes_on_and_another_is_refused(quick, tmp_path, capsys, monkeypatch):
    words = ["--trials", "6", "--out", str(tmp_path / "a")]
    shown = Watch.show

    def stop(self, event):
        shown(self, event)
        if event.kind == "finished" and event.item.number == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Watch, "show", stop)
        assert tune(*words) == 130
    assert "Stopped: 3 of 6 trials are finished" in capsys.readouterr().err
    assert tune(*words) == 0
    assert "Resuming: 3 of 6" in capsys.readouterr().out
    assert tune(*words) == 0
    assert "Complete: all 6" in capsys.readouterr().out
    assert tune(*words[:2], "--out", str(tmp_path / "b")) == 0
    assert (tmp_path / "a" / "trials.csv").read_bytes() == (tmp_path / "b" / "trials.csv").read_bytes()
    with pytest.raises(SystemExit):
        tune("--trials", "6", "--seed", "1", "--out", str(tmp_path / "a"))
    assert "holds another search (seed is 0, now 1" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        tune("--trials", "7", "--out", str(tmp_path / "a"))
    assert "holds another search (strategy.trials is 6, now 7): choose" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--sampler", "tpee"], "unknown sampler 'tpee'; did you mean 'tpe'"),
        (["--search", "weights,momentum"], "nothing named 'momentum' to search: weights, lr, wd"),
        (["--method", "mgdaa"], "no method 'mgdaa'"),
        (["--method", "uw", "--search", "temperature"], "nothing named 'temperature'"),
        (["--method", "imtl-g"], "imtl-g does not depend on the tasks' weights"),
        (["--sampler", "grid", "--trials", "2"], "needs 4 trials, got 2"),
        (["--sampler", "population", "--search", "weights,lr"], "leave out 'lr'"),
        (["--choose", "elbow"], "choose must be one of delta-m, knee, preference"),
        (["--choose", "preference"], "choose 'preference' needs prefer, a number by task (--prefer TASK=X)"),
        (["--prefer", "rating=2"], "prefer needs choose 'preference' (--choose preference), got 'delta-m'"),
        (["--prefer", "rating"], "tasks with numbers"),
        (["--prefer", "rating=2,recommended=1,rating=1"], "each task once, got 'rating' twice"),
        (["--target", "rating:regression"], "has columns, and 'reviews' is none"),
        (["--seed", "-1"], "a whole number of at least 0"),
    ],
)
def test_wrong_use_is_one_line(quick, words, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        tune(*words, "--out", str(tmp_path / "a"))
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


TABLE = ["tune", "shop.csv", "--target", "rating:regression", "--target", "liked:binary", "--number", "age"]
TABLE += ["--sampler", "random", "--epochs", "1"]


@pytest.fixture
def shop(tmp_path, monkeypatch):
    """A small table, where we are."""
    rows = (f"{20 + i % 30},{1 + i % 5},{['no', 'yes'][i % 4 < 2]}\n" for i in range(80))
    (tmp_path / "shop.csv").write_text("age,rating,liked\n" + "".join(rows))
    monkeypatch.chdir(tmp_path)


def test_a_table_is_searched_with_its_columns(shop, one_process, tmp_path, capsys):
    assert cli.main([*TABLE, "--trials", "2"]) == 0
    assert "method = eq.Fixed({'rating': " in capsys.readouterr().out
    rows = read(tmp_path / "equipoise-runs" / "shop-tune")
    assert [float(rows[0][f"weight {task}"]) for task in ("rating", "liked")] == [1.0, 1.0]
    assert all(float(row["rating rmse"]) > 0 and row["failed"] == "" for row in rows)


def test_a_table_of_another_name_is_the_same_search(shop, one_process, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("equipoise.lab.search.training.CaseTraining.__call__", lambda *_: [1.0, 0.9])
    assert cli.main([*TABLE, "--trials", "2"]) == 0
    (tmp_path / "shop.csv").rename(tmp_path / "goods.csv")
    renamed = [word.replace("shop", "goods") for word in TABLE]
    for words in (renamed, [*renamed, "--out", "equipoise-runs/shop-tune"]):
        capsys.readouterr()
        assert cli.main([*words, "--trials", "2"]) == 0
        assert "Complete: all 2 trials are finished in equipoise-runs/shop-tune" in capsys.readouterr().out
    with (tmp_path / "goods.csv").open("a") as file:
        file.write("20,1,no\n")
    assert cli.main([*renamed, "--trials", "2"]) == 0
    assert sorted(path.name for path in (tmp_path / "equipoise-runs").iterdir()) == ["goods-tune", "shop-tune"]


def test_a_case_in_a_file_is_searched_in_a_folder_by_its_name_or_where_it_was(quick, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_case.py").write_text("from equipoise.lab.cases import CASES\nmake_case = CASES['reviews']\n")
    words = ["tune", "my_case.py:make_case", "--trials", "2"]
    assert cli.main(words) == 0
    runs = tmp_path / "equipoise-runs"
    assert [path.name for path in runs.iterdir()] == ["reviews-tune"]
    (runs / "reviews-tune").rename(runs / "my_case-tune")
    assert cli.main(words) == 0
    assert [path.name for path in runs.iterdir()] == ["my_case-tune"]


def test_a_strange_folder_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SystemExit):
        tune("--out", str(tmp_path))
    assert "holds something else than a search" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_terminal_shows_the_best_and_what_runs(tmp_path):
    made = make_tuning("reviews", "fixed", ["weights"], "random", 6, tmp_path)
    console = Console(force_terminal=True, width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    with (
        closing(made.search.run(lambda job, report: evaluate(made.evaluate, job, report), execute=direct)) as events,
        watch_of(made, console) as watch,
    ):
        for event in events:
            if event.kind == "started" and event.item.number == 3:
                break
        watch.show(event)
        watch.show(Event("progress", event.item, (2, 8, 0.5, {"rating": 0.25, "recommended": 1.5})))
        console.print(watch._bars.get_renderable())
    text = console.export_text()
    assert "0 (default)" in text
    assert "3/6" in text
    assert "epoch 2/8  skill 0.500" in text
    assert "loss: rating 0.2500, recommended 1.5000" in text


def test_stages_end_in_a_whole_trial(quick, tmp_path, capsys):
    for sampler in ("halving", "population"):
        assert tune("--sampler", sampler, "--trials", "4", "--epochs", "4", "--out", str(tmp_path / sampler)) == 0
        rows = read(tmp_path / sampler)
        chosen = capsys.readouterr().out.split("Trial ")[1].split()[0]
        assert float(rows[int(chosen)]["share"]) == 1.0


@pytest.mark.slow
def test_a_real_search_is_stopped_by_ctrl_c_and_goes_on(shop, one_process, capsys):
    words = [*TABLE, "--trials", "20", "--jobs", "1"]
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell ignores it in what runs in the background
    started = [sys.executable, "-m", "equipoise", *words]
    process = subprocess.Popen(started, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard)
    for line in process.stdout:
        if "[1/" in line:
            process.send_signal(signal.SIGINT)
            break
    assert "Stopped" in process.communicate(timeout=240)[1]
    assert process.returncode == STOPPED
    assert cli.main(words) == 0
    done = capsys.readouterr().out
    assert "Resuming" in done
    assert "eq.Fixed(" in done
