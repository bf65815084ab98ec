"""Results are computed once and shown in many ways; the front door is light."""

import io
import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from rich.console import Console
from test_judge import values_of

from equipoise import lab
from equipoise.lab.evaluation import Summary
from equipoise.lab.files import read_json, write_json


@pytest.fixture
def results(rows):
    return lab.judge(rows, title="Boxes & <crates>")


def test_a_folder_is_loaded_as_the_command_shows_it(rows, make_folder):
    folder = make_folder(values_of(rows))
    results, summary = lab.load(folder), Summary.from_folder(folder)
    assert results.summary.rows == summary.rows
    assert summary.headline.startswith(results.verdict.headline)
    assert results.verdict.advice == summary.advice
    assert results.failures == {"uw, seed 9": "ValueError: no"}


def test_loading_a_study_is_a_look_at_it_counted_once(rows, make_folder):
    folder = make_folder(values_of(rows))
    described = json.loads((folder / "study.json").read_text())
    write_json(folder / "study.json", described)  # with the checksum that a study of ours has
    for _ in range(2):
        lab.load(folder)
    assert len(read_json(folder / "study.json")["looks"]) == 1


def test_the_headline_is_one_sentence_and_what_decides_stands_in_it(results):
    assert results.verdict.headline == (
        "Over 5 seeds, uw is significantly better than the plain sum on size and worse on kind, mgda better on kind "
        "and worse on size."
    )
    assert "mgda is significantly worse than the plain sum on size (rmse" in " ".join(results.verdict.details)


def test_the_verdict_is_json(results):
    told = json.loads(json.dumps(results.verdict.to_dict(), allow_nan=False))
    assert told["headline"] == results.verdict.headline
    assert len(told["decisions"]) == len(results.verdict.decisions)
    assert {"method", "task", "estimate", "low", "high", "p_adjusted", "decision", "seeds_needed"} <= {
        *told["decisions"][0]
    }


def test_a_comparison_that_was_not_made_is_named(results):
    with pytest.raises(KeyError, match="uw was not compared with mgda on size"):
        results.verdict.of("uw", "size", "mgda")


def test_the_table_has_every_method_in_every_form(results):
    console = Console(record=True, width=100, file=io.StringIO())
    console.print(results.table())
    forms = [console.export_text(), str(results.table()), results.table().to_markdown(), results.table().to_latex()]
    for form in (*forms, results.table()._repr_html_(), results._repr_html_()):
        for method in ("single-task", "sum", "uw", "mgda", "dwa"):
            assert method in form
    assert "ms per step" not in forms[0]  # nothing is known of costs


def test_html_is_well_formed_and_shows_text_as_text(rows):
    for row in rows:
        row["method"] = row["method"].replace("uw", "u<w>")
        row["task"] = row["task"].replace("size", "a & b")
    text = lab.judge(rows, title="Boxes & <crates>")._repr_html_()
    read = "".join(ElementTree.fromstring(f"<div>{text}</div>").itertext())
    assert all(name in read for name in ("Boxes & <crates>", "u<w>", "a & b"))


def test_figures_are_the_reports(results, rows, make_folder):
    assert results.figures == ("differences", "ranks")
    figure = results.plot("differences")
    assert [axes.get_title() for axes in figure.axes] == ["size", "kind", "Δm, all tasks"]
    with pytest.raises(ValueError, match="no figure 'diferences': there are differences, ranks"):
        results.plot("diferences")
    assert "tradeoff" in lab.load(make_folder(values_of(rows))).figures


def test_a_figure_is_made_alone(rows, make_folder, monkeypatch):
    from equipoise.lab.reports import report as drawing

    results = lab.load(make_folder(values_of(rows)))
    names = [*drawing.OF_VALUES, *drawing.OF_TRAINING]
    charts = {name: make() for name, make in results._drawing._charts.items()}
    assert [*charts] == names
    assert all(chart is None or chart.name == name for name, chart in charts.items())

    def never(*_):
        raise AssertionError("another figure was made")

    of_values = {**dict.fromkeys(drawing.OF_VALUES, never), "ranks": drawing.OF_VALUES["ranks"]}
    monkeypatch.setattr(drawing, "OF_TRAINING", dict.fromkeys(drawing.OF_TRAINING, never))
    monkeypatch.setattr(drawing, "OF_VALUES", of_values)
    lab.load(results.study.folder).plot("ranks")


def test_a_figure_without_anything_to_draw_says_why(rows):
    few = lab.judge([row for row in rows if row["method"] in ("sum", "uw")])
    with pytest.raises(ValueError, match="No ranks: they need at least 3"):
        few.plot("ranks")


def test_the_report_of_values_is_one_file_that_leads_nowhere(results, tmp_path):
    page = results.save_report(tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    text = page.read_text(encoding="utf-8")
    assert results.summary.headline.split(" (")[0] in text
    assert not [link for link in re.findall(r'<a href="([^"]*)"', text) if not link.startswith("#")]


@pytest.mark.slow
def test_the_report_of_a_study_links_to_its_folder_wherever_it_is(rows, make_folder, tmp_path):
    folder = make_folder(values_of(rows))
    page = tmp_path / "pages" / "ours.html"
    page.parent.mkdir()
    lab.load(folder).save_report(page)
    links = re.findall(r'<a href="([^"#][^"]*)"', page.read_text(encoding="utf-8"))
    assert "../study/study.json" in links
    assert "../study/tables/results.tex" in links
    for link in links:
        if not link.startswith("../study/figures/"):  # an empty chart has no file
            assert (page.parent / link).is_file(), link


def test_the_front_door_loads_nothing_until_it_is_asked():
    script = "import sys; from equipoise import lab; print(*sys.modules); assert 'judge' in dir(lab)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    heavy = ("equipoise.lab.", "scipy", "rich", "accelerate", "matplotlib", "plotly", "optuna", "torchmetrics")
    assert [name for name in loaded if name.startswith(heavy)] == []


def test_what_is_missing_is_named_with_how_to_install_it():
    script = "import sys; sys.modules['scipy'] = None; from equipoise import lab; lab.judge"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert 'scipy is missing; the workbench, equipoise.lab, needs it: pip install "equipoise[lab]"' in run.stderr


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'jugde'"):
        _ = lab.jugde


def test_a_report_makes_its_folder(results, tmp_path):
    page = results.save_report(tmp_path / "pages" / "of today" / "report.html")
    assert page.is_file()
