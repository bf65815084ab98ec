import contextlib
import io
import os
import re
import runpy
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import equipoise as eq
from equipoise.cli import COMMANDS, main
from equipoise.lab.cases.recipe import ReadyCase
from equipoise.lab.studies import Study, make_plan
from equipoise.lab.studies.plan import run_name
from equipoise.lab.training import RunResult
from equipoise.losses.catalog import ROWS, narrowed
from equipoise.losses.catalog.losses_page import markdown

METRICS = {"rating": "rmse", "recommended": "auroc", "department": "accuracy"}


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def finished(here, blank_images):
    """The folder of a study in which everything is done."""
    folder = here / "equipoise-runs" / "mine"
    plan = make_plan("reviews", ["sum", "uw"], [0, 1], epochs=2)
    Study(plan, folder).write()
    for place, run in enumerate(plan.runs):
        (folder / "runs" / run.folder_name).mkdir(parents=True)
        scores = [("test", task, METRICS[task], 0.5 + place / 100) for task in run.tasks]
        history = [(1, "train", task, "loss", 0.3) for task in run.tasks]
        result = RunResult(
            scores,
            history,
            1,
            2,
            10,
            1.0,
            0.1,
            1.0,
            300.0,
            False,
            0,
            0,
            run=f"{run_name(run, plan.identity_hash)}: made",
        )
        result.write(folder / "runs" / run.folder_name / "result.json")
    Study(plan, folder).write()
    return folder


def refuse(capsys, *words):
    """The one line that these words end in."""
    with pytest.raises(SystemExit) as left:
        main(words)
    output = capsys.readouterr()
    assert left.value.code == 2
    assert output.out == ""
    assert output.err.count("\n") == 1
    assert output.err.startswith("equipoise: ")
    return output.err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["comapre"], "unknown command 'comapre'; did you mean 'compare'"),
        (["--versoin"], "unknown option '--versoin'; did you mean '--version'"),
        (["demo", "--sedes", "3"], "unknown option '--sedes'; did you mean '--seeds'"),
        (["demo", "--epoch=3"], "unknown option '--epoch'; did you mean '--epochs'"),
        (["compare", "--metods", "sum"], "unknown option '--metods'; did you mean '--methods'"),
        (["methods", "--al"], "unknown option '--al'"),
        (["demo", "extra"], "unrecognized arguments: extra"),
        (["compare"], "CASE"),
        (["compare", "reviws"], "unknown case 'reviws'; did you mean 'reviews'?"),
        (["compare", "reviews", "--methods", "sum,nash-mlt"], "did you mean 'nash-mtl'?"),
        (["compare", "reviews", "--methods", "sum,,uw"], "got 'sum,,uw'"),
        (["compare", "reviews", "--methods", "nowhere.py:Mine"], "nowhere.py"),
        (["compare", "reviews", "--methods", "fixed"], "'fixed'"),
        (["compare", "reviews", "--question", "freez"], "unknown question 'freez'; did you mean 'freeze'"),
        (["compare", "reviews", "--tuned-trials", "-1"], "a whole number of at least 0, got '-1'"),
        (["compare", "reviews", "--question", "tuned", "--tuned-trials", "0"], "needs tuned_trials of at least 1"),
        (["demo", "--methods", "single-task"], "part of every study"),
        (["demo", "--seeds", "0"], "argument --seeds: a number of at least 1, or a list like 0,3,7; got '0'"),
        (["demo", "--seeds", "-1"], "got '-1'"),
        (["demo", "--seeds", "-1,-2"], "argument --seeds: seeds are 0 or more, got '-1'"),
        (["demo", "--seeds", "1,x"], "got '1,x'"),
        (["demo", "--seeds", "1,1"], "seed 1 is named twice"),
        (["demo", "--epochs", "-1"], "argument --epochs: a whole number of at least 1, got '-1'"),
        (["demo", "--epochs", "2.5"], "got '2.5'"),
        (["demo", "--jobs", "x"], "argument --jobs: a whole number of at least 1, got 'x'"),
        (["demo", "--jobs"], "--jobs"),
        (["losses", "--task", "multilabl"], "no kind of task 'multilabl'; did you mean 'multilabel'?"),
        (["losses", "--imbalance"], "unknown option '--imbalance'; did you mean '--imbalanced'"),
        (["losses", "gan"], "'gan' is a kind of task: equipoise losses --task gan"),
        (["losses", "--markdown", "--task", "gan"], "--markdown writes the whole list: leave out the other options"),
        (["losses", "--markdown", "--outliers"], "--markdown writes the whole list"),
        (["report", "nowhere"], "'nowhere' is not the folder of a study; equipoise demo makes one"),
    ],
)
def test_wrong_use_is_one_line_that_names_the_nearest(here, capsys, words, expected):
    assert expected in refuse(capsys, *words)


def test_an_unknown_folder_names_the_nearest_study(finished, capsys):
    nearest = str(Path("equipoise-runs") / "mine")
    assert f"did you mean {nearest!r}?" in refuse(capsys, "report", "equipoise-runs/mien")


def test_the_folder_of_a_search_is_told_from_that_of_a_study(here, capsys):
    (here / "search.json").write_text("{}")
    assert "is the folder of a search, whose page is " in refuse(capsys, "report", str(here))


def test_a_folder_of_another_study_is_refused(finished, capsys):
    line = refuse(capsys, "compare", "reviews", "--epochs", "3", "--out", str(finished))
    assert "settings.epochs is 2, now 3" in line


def test_a_folder_of_something_else_is_refused(here, capsys):
    (here / "thesis.txt").write_text("mine")
    assert "something else than a study" in refuse(capsys, "demo", "--out", str(here))


@pytest.mark.parametrize(
    ("words", "methods", "seeds", "epochs"),
    [
        (["demo"], ("sum", "uw", "dwa", "pcgrad", "mgda", "nash-mtl"), (0, 1, 2, 3, 4), None),
        (["compare", "reviews"], ("sum", "uw", "dwa", "pcgrad", "mgda", "nash-mtl"), (0, 1, 2, 3, 4), None),
        (["compare", "reviews", "--question", "sharing"], ("sum",), (0, 1, 2, 3, 4), None),
        (["compare", "reviews", "--methods", "sum, uw", "--seeds", "2"], ("sum", "uw"), (0, 1), None),
        (["demo", "--seeds=0,3,7", "--epochs=1", "--methods=mgda"], ("mgda",), (0, 3, 7), 1),
        (["demo", "--seeds", "5,", "--methods", "mgda"], ("mgda",), (5,), None),
    ],
)
def test_what_the_options_mean(capsys, monkeypatch, words, methods, seeds, epochs):
    asked = []

    def note(*arguments, **named):
        asked.append((arguments, named))
        raise ValueError("enough")

    monkeypatch.setattr("equipoise.lab.studies.make_plan", note)
    assert "enough" in refuse(capsys, *words)
    question = "sharing" if "sharing" in words else ""
    trials = None if words[0] == "compare" and not question else 0
    options = {"epochs": epochs, "tuned_trials": trials, "question": question, "looks": 0, "sklearn": True}
    options["single_task"] = None
    assert asked == [((ReadyCase("reviews"), methods, seeds), options)]


@pytest.mark.parametrize(
    ("words", "trials"),
    [
        (["compare", "reviews", "--tuned-trials", "0"], 0),
        (["compare", "reviews", "--question", "freeze"], 0),
        (["compare", "reviews", "--question", "tuned"], 10),
        (["compare", "reviews", "--question", "freeze", "--tuned-trials=3"], 3),
        (["demo", "--tuned-trials", "4"], 4),
    ],
)
def test_how_many_weights_are_tried(capsys, monkeypatch, words, trials):
    def note(*arguments, **named):
        raise ValueError(f"asked for {named['tuned_trials']}")

    monkeypatch.setattr("equipoise.lab.studies.make_plan", note)
    assert f"asked for {trials}\n" in refuse(capsys, *words)


def test_a_finished_study_says_so_and_shows_its_table_again(finished, capsys):
    words = [
        "compare",
        "reviews",
        "--tuned-trials=0",
        "--methods=sum,uw",
        "--seeds=2",
        "--epochs=2",
        f"--out={finished}",
    ]
    assert main(words) == 0
    (finished / "report.html").write_text("as it was")
    capsys.readouterr()
    assert main(words) == 0
    output = capsys.readouterr().out
    assert output.startswith(f"Complete: all 10 runs are finished in {finished}")
    assert "Over only 2 seeds" in output
    assert output.endswith(f"Report: {finished / 'report.html'}\n")
    assert (finished / "report.html").read_text() == "as it was"
    os.utime(finished / "report.html", (0, 0))  # of an earlier state of the study
    assert main(words) == 0
    assert (finished / "report.html").read_text() != "as it was"


def test_what_is_left_for_later_ends_in_the_command_that_trains_it(finished, capsys):
    plan = make_plan("reviews", ["sum", "uw"], [0, 1], epochs=2)
    later = {"minutes": 2.0, "methods": [], "seeds": [2], "more_minutes": 3.4}
    Study(replace(plan, postponed=later), finished).write()
    words = ["compare", "reviews", "--tuned-trials=0", "--methods=sum,uw", "--seeds=3", "--epochs=2"]
    assert main([*words, "--minutes", "2", f"--out={finished}"]) == 0
    output = capsys.readouterr().out
    note = "Note: Left for later, to have a verdict within 2 minutes: seed 2, about 3 minutes more."
    assert output.count("Left for later") == " ".join(output.split()).count(note) == 1
    assert output.endswith(
        "\nTo train what is left for later, a second look at the data (for a confirmation start anew in another "
        "folder, with other seeds and --minutes all):\n"
        f"equipoise {' '.join(words)} --out={finished} --minutes all\n"
    )


def test_ctrl_c_says_what_is_kept(finished, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("equipoise.lab.search.watch.Watch.show", interrupt)
    words = [
        "compare",
        "reviews",
        "--tuned-trials=0",
        "--methods=sum,uw",
        "--seeds=3",
        "--epochs=2",
        f"--out={finished}",
    ]
    assert main(words) == 130
    last = capsys.readouterr().err
    assert last == f"Stopped: 10 of 15 runs are finished and kept in {finished}; the same command resumes it.\n"


def test_a_failed_run_is_named_and_the_status_is_1(finished, capsys, monkeypatch):
    from equipoise.lab.studies import Event

    def fail(work, items, jobs):
        for item in items:
            yield Event("started", item)
            yield Event("failed", item, ("ValueError: no luck", "trace"))

    monkeypatch.setattr("equipoise.lab.studies.Workers.run", lambda self, *asked: fail(*asked))
    (finished / "runs" / "uw-all-seed1" / "result.json").unlink()
    monkeypatch.setattr("equipoise.lab.reports.write_report", lambda study, *_: study.folder / "report.html")
    words = [
        "compare",
        "reviews",
        "--tuned-trials=0",
        "--methods=sum,uw",
        "--seeds=2",
        "--epochs=2",
        f"--out={finished}",
    ]
    assert main(words) == 1
    output = capsys.readouterr()
    assert output.err == "equipoise: uw, seed 1 failed: ValueError: no luck\n"
    assert output.out.count("uw: no finished run for seed 1.") == 1


def test_methods_lists_every_method_in_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["methods"]) == 0
    output = capsys.readouterr().out
    for row in eq.methods():
        assert f"{row.name}  ({row.cls.__name__})" in output.splitlines()
        assert " ".join(row.paper.split()) in " ".join(output.split())
    assert "temperature=2.0" in output
    assert max(map(len, output.splitlines())) <= 80


def test_the_losses_are_listed_with_their_pitfalls_in_80_columns(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["losses"]) == 0
    output = capsys.readouterr().out
    entries = {entry.split("  ")[0]: " ".join(entry.split()) for entry in re.split(r"\n+(?! )", output)}
    for row in ROWS:
        for words in (row.formula, row.use, row.pitfalls, row.paper):
            assert " ".join(words.split()) in entries[row.name]
    assert "equipoise losses --task multilabel --imbalanced" in output
    assert max(map(len, output.splitlines())) <= 80


@pytest.mark.parametrize(
    ("words", "kind", "conditions"),
    [
        (["--task", "multilabel", "--imbalanced"], "multilabel", ["imbalanced"]),
        (["--task=regression", "--missing-labels", "--outliers"], "regression", ["outliers", "missing labels"]),
        (["--task", "gan"], "gan", []),
        (["--small-regions"], None, ["small regions"]),
    ],
)
def test_losses_are_narrowed_with_reasons_and_the_code_to_paste(capsys, monkeypatch, words, kind, conditions):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["losses", *words]) == 0
    output = capsys.readouterr().out
    lines = output.splitlines()
    matches = narrowed(kind, conditions)
    assert matches
    assert [line for line in lines if line in {row.name for row in ROWS}] == [match.row.name for match in matches]
    flat = " ".join(output.split())
    for match in matches:
        assert lines[lines.index(match.row.name) + 1] == f"    {match.row.code}"
        assert all(reason in flat for reason in match.reasons)
        assert " ".join(match.row.pitfalls.split()) in flat
    assert max(len(line) for line in lines if "eq.losses." not in line) <= 80


def test_a_loss_by_its_name_is_shown_in_full(capsys):
    assert main(["losses", "dice"]) == 0
    output = " ".join(capsys.readouterr().out.split())
    row = next(row for row in ROWS if row.name == "dice")
    assert all(text in output for text in (row.code, row.formula, row.use, row.pitfalls, row.paper, row.checked))


def test_conditions_that_no_loss_answers_say_so(capsys):
    assert main(["losses", "--task", "vae", "--ratios"]) == 0
    assert capsys.readouterr().out == "No loss for vae, ratios; equipoise losses lists them all.\n"


def test_the_page_of_losses_is_printed(capsys):
    assert main(["losses", "--markdown"]) == 0
    assert capsys.readouterr().out == f"{markdown()}\n"


@pytest.mark.parametrize("listed", ["methods", "losses"])
def test_docstrings_are_listed_where_python_has_stripped_them(listed, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main([listed]) == 0
    command = [sys.executable, "-OO", "-m", "equipoise", listed]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == capsys.readouterr().out


def test_losses_are_listed_without_greek(monkeypatch):
    printed = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(printed, encoding="ascii"))
    assert main(["losses"]) == 0
    sys.stdout.flush()
    assert b"CrossEntropyLoss  ?w_t log softmax" in printed.getvalue()


def test_losses_are_listed_into_a_closed_pipe():
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([sys.executable, "-m", "equipoise", "losses"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (0, b"")


@pytest.mark.parametrize("words", [[], ["--help"], *([name, "--help"] for name in COMMANDS)])
def test_help_reads_well_in_80_columns(capsys, monkeypatch, words):
    monkeypatch.setenv("COLUMNS", "200")
    with contextlib.suppress(SystemExit):  # argparse's own --help
        assert main(words) == 0
    output = capsys.readouterr().out
    assert len(output.splitlines()) > 2
    assert max(map(len, output.splitlines())) <= 80


def test_bare_equipoise_names_every_command(capsys):
    assert main([]) == 0
    output = capsys.readouterr().out
    assert all(f"equipoise {name}" in output for name in COMMANDS)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"equipoise {eq.__version__}\n"


def test_without_the_workbench_one_line_says_how_to_install_it():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(['rich', 'scipy', 'accelerate'])); "
        "from equipoise.cli import main; assert main(['methods']) == 0; main(['demo'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.count("\n") == 1
    assert 'pip install "equipoise[lab]"' in ended.stderr


def test_the_package_runs_as_a_module(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["equipoise", "dmeo"])
    with pytest.raises(SystemExit) as left:
        runpy.run_module("equipoise", run_name="__main__")
    assert left.value.code == 2
    assert capsys.readouterr() == ("", "equipoise: unknown command 'dmeo'; did you mean 'demo'?\n")


SHOP = "title,age,colour,rating,liked\n" + "".join(
    f"thing {i},{20 + i % 30},{['red', 'green', 'blue'][i % 3]},{1 + i % 5},{['no', 'yes'][i % 2]}\n" for i in range(80)
)


def asked_of(monkeypatch, capsys, *words):
    """What a study is asked for."""
    asked = []

    def note(*arguments, **named):
        asked.append((arguments, named))
        raise ValueError("enough")

    monkeypatch.setattr("equipoise.lab.studies.make_plan", note)
    assert "enough" in refuse(capsys, *words)
    return asked[0]


def test_a_configuration_means_what_its_options_mean(here, capsys, monkeypatch):
    for name in ("data.csv", "more.csv"):
        (here / name).write_text("a: b;title;price, net;age;colour;user;rating;x\n")
    (here / "study.yaml").write_text(
        'case: data.csv\ntarget: {rating: regression, "a: b": "ordinal:low,high"}\ntext: [title, "price, net"]\n'
        "number: age\ncategory: [colour]\ngroup: user\nmethods: [sum, uw]\nseeds: [7]\nepochs: 3\ndelimiter: ';'\n"
    )
    words = [
        "compare",
        "data.csv",
        "--target",
        "rating:regression",
        "--number",
        "age",
        "--category",
        "colour",
        "--group",
        "user",
        "--methods",
        "sum,uw",
        "--seeds",
        "7,",
        "--epochs",
        "3",
        "--delimiter",
        ";",
    ]
    by_words = asked_of(
        monkeypatch, capsys, *words, "--target", "a: b:ordinal:low,high", "--text", 'title,"price, net"'
    )
    assert asked_of(monkeypatch, capsys, "compare", "--config", "study.yaml") == by_words
    (recipe, methods, seeds), named = by_words
    assert (methods, seeds, named) == (
        ("sum", "uw"),
        (7,),
        {"epochs": 3, "tuned_trials": None, "question": "", "looks": 0, "single_task": None, "sklearn": True},
    )
    assert recipe.text == ("title", "price, net")
    # the command line wins, whole options at a time
    (other, _, seeds), named = asked_of(
        monkeypatch, capsys, "compare", "more.csv", "--config=study.yaml", "--epochs=5", "--target", "x:binary"
    )
    assert (other.path, [str(target) for target in other.targets]) == ("more.csv", ["x:binary"])
    assert (seeds, named["epochs"]) == ((7,), 5)


def test_init_writes_a_study_that_is_understood(here, capsys, monkeypatch):
    (here / "data.csv").write_text(SHOP)
    assert main(["init", "data.csv", "--target", "rating", "--target", "liked"]) == 0
    output = capsys.readouterr().out
    assert (here / "study.yaml").read_text() in output
    assert "Written to study.yaml" in output
    (recipe, *_), _ = asked_of(monkeypatch, capsys, "compare", "--config", "study.yaml")
    assert [str(target) for target in recipe.targets] == ["rating:regression", "liked:binary"]
    assert (recipe.text, recipe.number, recipe.category) == (("title",), ("age",), ("colour",))
    assert "study.yaml is there already" in refuse(capsys, "init", "data.csv")


def test_init_without_targets_offers_them(here, capsys):
    (here / "data.csv").write_text(SHOP)
    assert main(["init", "data.csv"]) == 0
    text = (here / "study.yaml").read_text()
    assert "#   rating: regression  # 5 whole numbers from 1 to 5" in text
    capsys.readouterr()
    assert "nothing to predict" in refuse(capsys, "compare", "--config", "study.yaml")


def test_init_asks_what_may_be_missing_and_takes_patterns(here, capsys):
    rows = "".join(f"{('NA', 'a', 'b')[i % 3]},{i % 2},{i if i % 9 else 'NA'},{i * i}\n" for i in range(60))
    (here / "data.csv").write_text(f"y_kind,y_flag,age,area\n{rows}")
    assert main(["init", "data.csv", "--target", "y_*", "--out", "one.yaml"]) == 0
    output = capsys.readouterr().out
    assert (
        "# Cells that may mean an empty one: 'NA' in 27. If they do, run equipoise init again with --missing" in output
    )
    assert "  y_kind: multiclass  # 3 different values" in output
    assert "  y_flag: binary" in output
    assert main(["init", "data.csv", "--target", "y_kind:multiclass", "--missing", "NA", "--out", "two.yaml"]) == 0
    output = capsys.readouterr().out
    assert 'missing: ["NA"]' in output
    assert "  - age  # numbers from 1 to 59, 7 empty" in output
    (here / "data.csv").write_text(f"y_kind,y_flag,age,area\n{rows}null,0,1,1\n")
    assert main(["init", "data.csv", "--missing", "NA", "--out", "three.yaml"]) == 0
    output = capsys.readouterr().out
    assert 'missing: ["NA"]' in output
    assert "an empty one: 'null' in 1. If they do, run equipoise init" in output
    assert "with --missing 'NA,null'" in output
    assert "write missing: 'NA,'" in output


def test_init_of_many_pairs_looks_at_some_targets_for_leaks_and_says_so(here, capsys, monkeypatch):
    monkeypatch.setattr(sys.modules["equipoise.cli.init"], "MOST_PAIRS", 8)
    rows = [[i * i, i * i % 7, *[i * i * i % (5 + k) for k in range(4)]] for i in range(50)]
    rows = [[*row, *row[2:]] for row in rows]  # the inputs are the targets
    lines = ["", *(",".join(map(str, row)) for row in rows)]
    (here / "data.csv").write_text("a,b,y0,y1,y2,y3,c0,c1,c2,c3" + "\n".join(lines))
    assert main(["init", "data.csv", "--target", "y*"]) == 0
    output = capsys.readouterr().out
    assert "# Of 3 targets one was looked at for inputs that hold its answer" in output
    assert "c0: its correlation with 'y0' is 1.000" in output
    assert "'y3' is 1.000" in output
    assert "'y1' is 1.000" not in output


def test_init_names_ids_and_leaks_in_lines_of_their_own(here, capsys):
    rows = [f"{1000 + i},{i % 7},{2 * (i % 7)},x{i % 9}" for i in range(90)]
    (here / "data.csv").write_text("\n".join(['id,score,"double\nof it",no', *rows]))
    assert main(["init", "data.csv", "--target", "score", "--out", "my.yaml"]) == 0
    text = (here / "my.yaml").read_text()
    assert "#   id: every row has its own value, as an id has" in text
    assert "#   \"double\\nof it\": its correlation with 'score' is 1.000 in size" in text
    assert '  - "no"  # 9 different values' in text
    assert "'score'" in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nowhere.csv"], "there is no file 'nowhere.csv'"),
        (["data.txt"], "'data.txt' must end in one of .csv"),
        (["data.csv", "--target", "ratng:regression"], "data.csv has no column 'ratng'; did you mean 'rating'?"),
        (["data.csv", "--target", "ratng"], "data.csv has no column 'ratng'; did you mean 'rating'?"),
        (["data.csv", "--target", "title"], "'title' is nothing to predict: 80 different texts"),
        (["data.csv", "--out", "no/where.yaml"], "no/where.yaml cannot be written (No such file or directory)"),
    ],
)
def test_init_refuses_in_one_line(here, capsys, words, expected):
    (here / "data.csv").write_text(SHOP)
    assert expected in refuse(capsys, "init", *words)
