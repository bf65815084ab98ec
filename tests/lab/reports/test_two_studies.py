import json

import pytest
from made_study import make_study
from report_reading import Page

from equipoise.cli import main
from equipoise.lab.evaluation import TwoStudies
from equipoise.lab.reports import write_two_page

pytestmark = pytest.mark.usefixtures("blank_images")

TASKS = {"rating": ("mae", False), "liked": ("auroc", True)}


def edit(folder, **changes):
    path = folder / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes), encoding="utf-8")


@pytest.fixture
def two(tmp_path):
    """The second study has other numbers, epochs, and one method more; one less."""
    for name, methods in (("first", ("sum", "uw", "dwa")), ("second", ("sum", "dwa", "mgda"))):
        (tmp_path / name).mkdir()
        make_study(tmp_path / name, methods=methods, tasks=TASKS, epochs=3 if name == "first" else 4)
    return tmp_path / "first", tmp_path / "second"


def test_the_page_shows_both_means_and_the_paired_difference(two):
    page = Page(write_two_page(TwoStudies.from_folders(*two), two[1] / "page.html"))
    expected = {(c.method, c.task): c for c in TwoStudies.from_folders(*two).changes}
    assert {method for method, _ in expected} == {"single-task", "sum", "dwa"}
    for (method, task), change in expected.items():
        cells = page.row("Results", method)[3 * list(TASKS).index(task) :][:3]
        interval = change.comparison.interval
        assert [cell[1] for cell in cells] == [
            [change.first],
            [change.second],
            [interval.mean, interval.low, interval.high],
        ]
        marks = page.figures["panels"][f"differences-{list(TASKS).index(task)}"]["data"]
        mark = next(trace for trace in marks if trace["meta"]["method"] == method)
        assert mark["x"] == [pytest.approx(interval.mean, rel=1e-5)]
        assert change.comparison.verdict in cells[2][0]
    assert "In first only: uw." in page.words
    assert "In second only: mgda." in page.words
    settings = {row[0][0]: [text for text, _ in row[1:]] for row in page.tables["Settings that differ"][1:]}
    assert settings["settings.epochs"] == ["3", "4"]
    assert "settings.batch_size" not in settings
    assert len(page.source.encode()) < 6_000_000


def test_other_data_stand_side_by_side_without_a_verdict(two):
    edit(two[1], data_hash="other")
    comparison = TwoStudies.from_folders(*two)
    assert comparison.headline.startswith("first and second stand side by side without a verdict: their data differ.")
    page = Page(write_two_page(comparison, two[1] / "page.html"))
    assert page.row("Results", "sum")[2][0] == "–"
    assert "nothing can be paired" in page.words


def test_other_budgets_are_stamped_below_the_verdict(two):
    for folder, trials in zip(two, (1, 20), strict=True):
        edit(folder, budgets={"dwa": {"epochs": 3, "trials": trials}, "mgda": {"trials": trials}})
    comparison = TwoStudies.from_folders(*two)
    stamp = "Unequal: epochs (first 3, second 4); search trials of dwa (first 1, second 20)."
    words = Page(write_two_page(comparison, two[1] / "page.html")).words
    places = [words.index(text) for text in ("comparisons of second with first", stamp, "Where the settings differ")]
    assert places == sorted(places)


def test_an_older_study_that_does_not_tell_trainings_had_one_for_each_run(two):
    edit(two[0], budgets={"sum": {"trials": 1}, "dwa": {"trials": 1}})
    alone = {"uw": {"trials": 1, "trainings": 1}}  # that the other study has not is said where methods are
    edit(two[1], budgets={"sum": {"trials": 1, "trainings": 1}, "dwa": {"trials": 1, "trainings": 2}, **alone})
    differing = TwoStudies.from_folders(*two).differing
    assert [row for row in differing if row[0].startswith("budgets.")] == [("budgets.dwa.trainings", "1", "2")]


def test_a_study_against_itself_differs_nowhere(two):
    page = Page(write_two_page(TwoStudies.from_folders(two[0], two[0]), two[0] / "page.html"))
    assert "none shows a significant difference" in page.words
    assert "Unequal" not in page.words
    assert "Nowhere: settings, data" in page.words
    assert page.row("Results", "sum")[2][1] == [0.0, 0.0, 0.0]


def test_the_headline_names_what_changed(two):
    lines = []
    for line in (two[1] / "runs.csv").read_text().splitlines():
        head, _, value = line.rpartition(",")
        shifted = head.startswith("dwa,") and head.endswith(",test,rating,mae")
        lines.append(f"{head},{float(value) - 0.3!r}" if shifted else line)
    (two[1] / "runs.csv").write_text("\n".join(lines) + "\n")
    assert "1 significantly better (dwa on rating)" in TwoStudies.from_folders(*two).headline


def test_the_command_writes_the_page_beside_the_second_study(two, capsys):
    assert main(["report", str(two[0]), str(two[1])]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == f"Report: {two[1] / 'against-first.html'}"
    assert (two[1] / "against-first.html").is_file()
    assert main(["report", str(two[0]), str(two[1]), "--out", str(two[0] / "p.html")]) == 0
    assert (two[0] / "p.html").is_file()


def refuse(capsys, *words):
    with pytest.raises(SystemExit) as left:
        main(["report", *map(str, words)])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    return error


def test_what_cannot_be_compared_is_refused_in_one_line(two, tmp_path, capsys):
    (tmp_path / "third").mkdir()
    make_study(tmp_path / "third", methods=("sum",), tasks={"price": ("rmse", False)}, epochs=2)
    error = refuse(capsys, two[0], tmp_path / "third")
    assert "no task is judged by the same metric in both: rating by mae; liked by auroc, and price by rmse" in error
    (tmp_path / "fourth").mkdir()
    make_study(tmp_path / "fourth", methods=("mgda",), tasks=TASKS, epochs=2, single_task=False)
    assert "no method with a finished run in common" in refuse(capsys, two[0], tmp_path / "fourth")
    assert "is not the folder of a study" in refuse(capsys, two[0], tmp_path / "nowhere")
    assert "name two folders" in refuse(capsys, two[0], "--out", "x.html")


def test_what_was_left_out_and_how_often_it_was_looked_at_is_told_of_both(two):
    looks = [{"seeds": [0], "methods": ["sum"], "runs": 1}, {"seeds": [0, 1], "methods": ["sum"], "runs": 2}]
    edit(two[0], looks=looks)
    edit(two[1], left_out={"methods": ["uw"]})
    notes = TwoStudies.from_folders(*two).notes
    assert any(note.startswith("first: Look 2 at this study") for note in notes)
    assert any(note.startswith("second: Left out after runs were finished: method uw") for note in notes)


def test_a_study_that_lacks_runs_gets_no_verdict_in_its_favour_and_says_so(two):
    edit(two[1], seeds=list(range(9)))
    judged = [change.comparison for change in TwoStudies.from_folders(*two).changes]
    assert all("in the second missing" in one.missing for one in judged if one.verdict == "no verdict")
    assert "better" not in {one.verdict for one in judged}
    assert any(note.startswith("No verdict on") for note in TwoStudies.from_folders(*two).notes)
