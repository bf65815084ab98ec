"""``equipoise report THEIR_FOLDER`` trusts nothing that is in the folder."""

import base64
import hashlib
import io
import json
import os
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser

import pytest
from hostile_folder import PAYLOADS, PNG, entries, hostile_study, named, plain
from matplotlib.figure import Figure
from plotly.offline import get_plotlyjs
from report_reading import write_report
from rich.console import Console

from equipoise.lab.diagnostics import read_diagnostics
from equipoise.lab.evaluation import Summary, TwoStudies
from equipoise.lab.reports import print_summary, write_two_page
from equipoise.lab.reports.static import write_png, write_svg
from equipoise.lab.studies import write_scores


class Markup(HTMLParser):
    """Which elements a page has, with which attributes, and its text."""

    def __init__(self, source):
        super().__init__()
        self.elements, self.attributes, self.text = set(), [], []
        self.policy = ""
        self.scripts = 0
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.elements.add(tag)
        self.attributes += attrs
        self.scripts += tag == "script"
        given = dict(attrs)
        if given.get("http-equiv") == "Content-Security-Policy":
            self.policy = given["content"]

    def handle_comment(self, data):
        self.elements.add("<!--")

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def studies(tmp_path_factory):
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        leave_out_image_files(patch)
        for kind, names in (("hostile", named), ("harmless", plain)):
            folder = tmp_path_factory.mktemp(kind) / "study"
            folder.mkdir()
            made[kind] = hostile_study(folder, names).path
            write_report(made[kind])
            write_two_page(TwoStudies.from_folders(made[kind], made[kind]), made[kind] / "two.html")
    return made


def leave_out_image_files(patch):
    """They take most of the time."""
    patch.setattr("equipoise.lab.reports.report.save", lambda chart, look, folder: ())
    patch.setattr("equipoise.lab.reports.report.save_matrices", lambda diagnostics, folder: ())


@pytest.fixture(autouse=True)
def no_image_files(request, monkeypatch):
    if "slow" not in request.keywords:
        leave_out_image_files(monkeypatch)


@pytest.mark.parametrize("page", ["report.html", "two.html"])
def test_a_hostile_page_has_the_elements_of_a_harmless_one_and_no_handlers(studies, page):
    hostile, harmless = (Markup((studies[kind] / page).read_text(encoding="utf-8")) for kind in ("hostile", "harmless"))
    assert hostile.elements == harmless.elements
    assert hostile.scripts == harmless.scripts == 3
    assert {name for name, _ in hostile.attributes} == {name for name, _ in harmless.attributes}
    assert not [name for name, _ in hostile.attributes if name.startswith("on")]
    addresses = [value for name, value in hostile.attributes if name in ("href", "src")]
    assert all(re.match(r"#|figures/|tables/|data:image/png;base64,|[a-z]+\.(json|csv)$", one) for one in addresses)
    assert PAYLOADS[0] in "".join(hostile.text)  # shown as what it is


def test_a_text_where_a_number_belongs_is_not_shown(tmp_path):
    study = hostile_study(tmp_path, plain)
    matrix, table, *_ = entries(plain)
    payload = PAYLOADS[0]
    broken = [
        {**matrix, "name": "counts", "counts": [[payload, 1], [0, 2]]},
        {**matrix, "name": "shares", "shares": [[payload, 1], [0, 2]]},
        {**matrix, "name": "rows", "rows": [{"a": payload}, "b"]},
        {**matrix, "name": "shape", "counts": [[1, 2, 3]]},
        {**table, "name": "cells", "rows": [["a", [payload], 1]]},
        {**matrix, "name": "field", payload: 1},
        {"name": "none", "title": "t", "tasks": [], "kind": payload},
        [payload],
    ]
    for run in (tmp_path / "runs").iterdir():
        (run / "exhibits.json").write_text(json.dumps([*broken, table]))
    found = read_diagnostics(tmp_path / "runs" / "0")
    assert all(isinstance(one.result, str) and "exhibits.json" in one.result for one in found[:-1])
    assert not isinstance(found[-1].result, str)  # one that is damaged costs itself alone
    page = write_report(study.path).read_text(encoding="utf-8")
    assert "<img src=x" not in page


METRIC = {"name": "rmse", "higher_is_better": False, "perfect": 10**400, "trivial": 1}
NO_STUDIES = (
    *({"planned_looks": at} for at in ([0], [-1, 3], [5, 3], [3, 3], [1, 10**400])),
    {"budgets": {"sum": {"epochs": "a"}, "uw": {"epochs": 1}}},
    {"budgets": {"sum": {"epochs": [1]}}},
    {"losses": {"sum": {"a": {"b": 1}}}},
    {"metrics": {"a": [METRIC]}},
    {"question": "nonsense"},
)


@pytest.mark.parametrize("what", NO_STUDIES, ids=lambda what: str(what)[:40])
def test_what_no_study_asks_is_refused_in_a_line_that_names_it(tmp_path, what):
    study = hostile_study(tmp_path, plain)
    path = study.path / "study.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | what), encoding="utf-8")
    with pytest.raises(ValueError, match=f"no description of a study.*{next(iter(what))}"):
        Summary.from_folder(study.path)


SECRET = "the words of a local file"


@pytest.mark.parametrize("how", ["absolute", "above", "link", "folder link", "no picture"])
def test_a_picture_cannot_be_a_file_outside_the_folder(tmp_path, how):
    (tmp_path / "study").mkdir()
    study = hostile_study(tmp_path / "study", plain)
    outside = tmp_path / "secret"
    outside.mkdir()
    (outside / "0.png").write_bytes(PNG + SECRET.encode())
    diagnostics = study.path / "runs" / "0" / "exhibits"
    file = {"absolute": str(outside / "0.png"), "above": "../../../../secret/0.png"}.get(how, "0.png")
    _, _, gallery, _ = entries(plain)
    gallery["cards"][0]["pictures"][0]["file"] = file
    (diagnostics.parent / "exhibits.json").write_text(json.dumps([gallery]))
    if how == "no picture":
        (diagnostics / "0.png").write_text(SECRET)
    elif how == "link":
        (diagnostics / "0.png").unlink()
        (diagnostics / "0.png").symlink_to(outside / "0.png")
    elif how == "folder link":
        (diagnostics / "0.png").unlink()
        diagnostics.rmdir()
        diagnostics.symlink_to(outside)
    (shown,) = read_diagnostics(diagnostics.parent)
    assert "picture" in shown.result
    page = write_report(study.path).read_text(encoding="utf-8")
    assert base64.b64encode(SECRET.encode()).decode()[4:-8] not in page.replace("\n", "")
    assert base64.b64encode(PNG + SECRET.encode()).decode()[:-8] not in page


@pytest.mark.parametrize("place", ["../elsewhere", "/ABSOLUTE", "link"])
def test_a_run_cannot_lie_outside_the_folder(tmp_path, place):
    (tmp_path / "study").mkdir()
    study = hostile_study(tmp_path / "study", plain)
    outside = tmp_path / "elsewhere"
    os.rename(study.path / "runs" / "0", outside)
    (study.path / "link").symlink_to(outside)
    lines = (study.path / "exhibits.csv").read_text().replace("runs/0", place.replace("/ABSOLUTE", str(outside)))
    (study.path / "exhibits.csv").write_text(lines)
    with pytest.raises(ValueError, match=r"exhibits\.csv.*outside"):
        write_report(study.path)


@pytest.mark.parametrize("name", ["study.json", "runs.csv", "history.csv", "costs.csv", "exhibits.csv"])
def test_a_file_of_the_folder_that_is_a_link_to_elsewhere_is_not_read(tmp_path, name):
    (tmp_path / "study").mkdir()
    study = hostile_study(tmp_path / "study", plain)
    os.rename(study.path / name, tmp_path / name)
    (study.path / name).symlink_to(tmp_path / name)
    with pytest.raises(ValueError, match=rf"{name}.*outside"):
        write_report(study.path)


@pytest.mark.parametrize(
    "name",
    ["report.html", "report.html.unfinished", "figures", "tables", "tables/results.tex"],
)
def test_what_is_written_follows_no_link(tmp_path, name):
    (tmp_path / "study").mkdir()
    study = hostile_study(tmp_path / "study", plain)
    victim = tmp_path / "victim"
    if name in ("figures", "tables"):
        victim.mkdir()
        (victim / "results.tex").write_text("mine")
        (victim / "losses.png").write_text("mine")
    else:
        victim.write_text("mine")
    (study.path / name).parent.mkdir(exist_ok=True)
    (study.path / name).symlink_to(victim)
    if victim.is_dir():
        with pytest.raises(ValueError, match=rf"{name} is a link"):
            write_report(study.path)
        assert {path.read_text() for path in victim.iterdir()} == {"mine"}
    else:
        write_report(study.path)
        assert victim.read_text() == "mine"
        assert not (study.path / "report.html").is_symlink()


@pytest.mark.parametrize("name", ["methods.csv", "equal_time.csv.unfinished"])
def test_nor_do_the_tables_of_the_summary(tmp_path, name):
    (tmp_path / "study").mkdir()
    study = hostile_study(tmp_path / "study", plain)
    victim = tmp_path / "victim"
    victim.write_text("mine")
    (study.path / name).symlink_to(victim)
    write_scores(study.path, Summary.from_folder(study.path))
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("page", ["report.html", "two.html"])
def test_the_policy_names_our_scripts_by_their_hashes_and_allows_no_other(studies, page):
    source = (studies["hostile"] / page).read_text(encoding="utf-8")
    rules = dict(rule.strip().split(" ", 1) for rule in Markup(source).policy.split(";"))
    assert "unsafe" not in rules["script-src"]
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    (ours,) = re.findall(r"<script>(.*?)</script>", source, re.S)
    hashes = {
        "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"
        for text in (ours, get_plotlyjs())
    }
    assert set(rules["script-src"].split()) == hashes


def test_nor_does_a_figure(tmp_path):
    for write, name in ((lambda figure, path: write_png(figure, path, dpi=20), "a.png"), (write_svg, "a.svg")):
        (tmp_path / "victim").write_text("mine")
        (tmp_path / name).symlink_to(tmp_path / "victim")
        write(Figure(), tmp_path / name)
        assert (tmp_path / "victim").read_text() == "mine"
        assert not (tmp_path / name).is_symlink()


@pytest.mark.slow
def test_figures_hold_no_markup_of_the_names(tmp_path):
    write_report(hostile_study(tmp_path).path)
    paths = list((tmp_path / "figures").glob("*.svg"))
    assert len(paths) > 5
    for path in paths:
        for element in ElementTree.parse(path).iter():
            assert element.tag.rpartition("}")[2] not in ("script", "img", "a", "foreignObject"), path
            assert not [name for name in element.attrib if name.startswith("on")], path


def test_tables_for_papers_hold_text_alone(studies):
    text = (studies["hostile"] / "tables" / "results.tex").read_text(encoding="utf-8")
    commands = set(re.findall(r"\\([a-zA-Z]+)", re.sub(r"(?m)^%.*$", "", text)))
    plain_text = (studies["harmless"] / "tables" / "results.tex").read_text(encoding="utf-8")
    assert commands - set(re.findall(r"\\([a-zA-Z]+)", plain_text)) <= {
        "textbackslash",
        "textasciitilde",
        "textasciicircum",
    }
    text = (studies["hostile"] / "tables" / "results.md").read_text(encoding="utf-8")
    assert not re.search(r"(?<!\\)<\w", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    harmless = (studies["harmless"] / "tables" / "results.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) == len(harmless.splitlines())


def test_no_control_character_reaches_the_terminal(studies):
    out = io.StringIO()
    summary = Summary.from_folder(studies["hostile"])
    print_summary(Console(file=out, width=80, force_terminal=False), summary)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", out.getvalue())
    assert "window.hacked" in out.getvalue()
