import pytest
from made_diagnostics import add_diagnostics, matrix
from report_reading import Page, write_report

from equipoise import lab

pytestmark = [
    pytest.mark.filterwarnings("ignore:diagnostic 'broken' is not shown"),
    pytest.mark.usefixtures("blank_images"),  # but for the matrices
]
METHODS = ("sum", "mgda")


@pytest.fixture
def study(make):
    folder = make(methods=METHODS, epochs=3)
    add_diagnostics(folder, METHODS)
    return folder


def test_each_method_shows_its_run_of_the_first_seed_and_the_confusions_of_all(study):
    page = Page(write_report(study.path))
    assert "best epoch of seed 0 on the validation split" in page.words
    for shift, method in enumerate(METHODS):
        head, cat, dog = page.tables[f"Title of confusion, all seeds, {method}"]
        assert [text for text, _ in head] == ["true ↓ predicted →", "cat <b>", "dog"]
        right = (3 + shift) + (13 + shift)  # of seed 0 and of seed 1
        assert [text for text, _ in cat] == [
            "cat <b>",
            f"{100 * right / (right + 2):.0f} %{right}",
            f"{100 * 2 / (right + 2):.0f} %2",
        ]
        assert [text for text, _ in dog] == ["dog", "0 %0", "100 %8"]
        rows = page.tables[f"Title of classes, {method}"][1:]
        assert rows[0] == [("cat <b>", []), (f"{0.5 + shift / 100:.3f}", [0.5 + shift / 100]), ("4", [4.0])]
        assert rows[1][1][0] == "–"
    assert "Right on the diagonal. Summed over 2 seeds." in page.words
    assert "Not shown: it failed with ValueError: no <u>luck</u>." in page.words


def test_what_is_the_same_for_all_is_shown_once(study):
    page = Page(write_report(study.path))
    assert [name for name in page.tables if name.startswith("Title of overlap")] == ["Title of overlap"]
    assert page.words.count("Title of overlap") == 1


def test_matrices_are_figures_too_and_the_same_study_gives_the_same_bytes(study):
    page = write_report(study.path).read_bytes()
    figures = {path.name: path.read_bytes() for path in (study.path / "figures").glob("diagnostic-*")}
    assert sorted(figures) == [
        f"diagnostic-{name}.{kind}" for name in ("confusion", "overlap") for kind in ("png", "svg")
    ]
    assert figures["diagnostic-confusion.png"].startswith(b"\x89PNG")
    assert write_report(study.path).read_bytes() == page
    assert {path.name: path.read_bytes() for path in (study.path / "figures").glob("diagnostic-*")} == figures
    assert all(
        (study.path / link).is_file() for link in Page(study.path / "report.html").addresses if link[0] not in "#d"
    )


def test_the_seed_is_the_one_that_most_methods_have(make):
    folder = make(methods=METHODS, epochs=3)
    add_diagnostics(folder, METHODS)
    (folder.path / "exhibits.csv").write_text(
        "method,seed,task,folder\nsum,0,all,runs/sum-0\nsum,1,all,runs/sum-1\nmgda,1,all,runs/mgda-1\n"
    )
    page = Page(write_report(folder.path))
    assert "best epoch of seed 1" in page.words
    assert page.tables["Title of confusion, mgda"][1][1][0].endswith(f"%{matrix(11).counts[0][0]}")


def test_every_figure_of_the_page_is_drawn_by_its_name(study):
    write_report(study.path)
    results = lab.load(study.path)
    files = {path.stem.removeprefix("diagnostic-") for path in (study.path / "figures").glob("*.png")}
    assert {*results.figures} - {"samples"} == files >= {"confusion", "differences"}
    assert [axes.get_title() for axes in results.plot("confusion").axes] == list(METHODS)


def test_samples_are_drawn_with_their_words_and_pictures(study):
    figure = lab.load(study.path).plot("samples")
    words, picture = figure.axes
    assert figure.get_suptitle() == "Title of samples (sum)"
    assert [text.get_text() for text in words.texts] == ["a <i>title</i>\npredicted dog"]
    assert picture.get_title() == 'grey "square"'
    assert picture.images[0].get_size() == (4, 6)


def test_a_study_without_diagnostics_says_so(make):
    assert "Nothing to show" in Page(write_report(make(methods=("sum",)).path)).words


def test_counts_are_left_out_of_a_wide_matrix():
    from equipoise.lab.diagnostics import DiagnosticResult, Matrix
    from equipoise.lab.reports.diagnostics import StudyDiagnostics
    from equipoise.lab.reports.html import environment

    names = tuple(f"label {i}" for i in range(13))
    wide = Matrix(names, names, "given", "also", ((0.25,) * 13,) * 13, ((777,) * 13,) * 13)
    section = environment().get_template("diagnostics.html").module.section
    html = section(StudyDiagnostics({"sum": (DiagnosticResult("m", "M", ("t",), wide),)}, (), 0), "")
    assert html.count("25 %") == 169
    assert "777" not in html
