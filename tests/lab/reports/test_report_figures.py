import pytest
from report_reading import Page, write_report

from equipoise.lab.evaluation import StudyResults, Summary
from equipoise.lab.reports.chart import Chart, Panel, Series, log_ticks
from equipoise.lab.reports.palette import DARK, LIGHT, NEUTRAL, looks
from equipoise.lab.reports.report import OF_TRAINING, OF_VALUES
from equipoise.lab.reports.static import save, some_of

NAMES = (
    *("tradeoff", "differences", "ranks", "losses", "weights", "gradient_norms", "cosines", "part_cosines"),
    *("magnitude_similarity", "condition_number", "costs"),
)


def test_every_figure_is_written_as_png_and_svg(make):
    study = make(methods=("sum", "uw", "mgda"), seeds=(0, 1), epochs=3)
    write_report(study.path)
    written = {path.name: path.read_bytes() for path in (study.path / "figures").iterdir()}
    assert sorted(written) == sorted(f"{name}.{kind}" for name in NAMES for kind in ("png", "svg"))
    for name in NAMES:
        assert written[f"{name}.png"].startswith(b"\x89PNG")
        assert written[f"{name}.svg"].rstrip().endswith(b"</svg>")
        assert b"dc:date" not in written[f"{name}.svg"]


def test_the_same_study_gives_the_same_page(make, blank_images):
    study = make()
    page = write_report(study.path).read_bytes()
    assert write_report(study.path).read_bytes() == page


@pytest.mark.parametrize("charts", [["differences", "losses"], pytest.param(NAMES, marks=pytest.mark.slow)])
def test_the_same_study_gives_the_same_images(charts, make, tmp_path):
    study = StudyResults.from_folder(make(methods=("sum", "uw", "mgda"), seeds=(0, 1), epochs=3).path)
    look = looks(study.methods)
    for name in charts:
        of = Summary.of_study(study) if name in OF_VALUES else study
        written = []
        for folder in (tmp_path / f"{name} once", tmp_path / f"{name} again"):
            folder.mkdir()
            save((OF_VALUES | OF_TRAINING)[name](of, look), look, folder)
            written.append([path.read_bytes() for path in sorted(folder.iterdir())])
        assert written[0] == written[1]
        assert len(written[0]) == 2


def test_names_that_matplotlib_could_misread_are_drawn(make):
    study = make(
        methods=("mgda", "_hidden", "sum", "path/to/cost$_{$.py:M"),
        tasks={"a$^$": ("mae", False), "_b": ("auroc", True)},
        seeds=(0, 1),
        epochs=2,
    )
    write_report(study.path)
    assert len(list((study.path / "figures").iterdir())) == 2 * len(NAMES)


@pytest.mark.parametrize(
    "poor",
    [
        {"seeds": (0,), "single_task": False, "epochs": 1, "cosines": False},
        pytest.param({"methods": ("uw",), "single_task": False, "norms": False}, marks=pytest.mark.slow),
        pytest.param({"tasks": {"rating": ("mae", False)}, "methods": ("sum",)}, marks=pytest.mark.slow),
    ],
    ids=["one seed and epoch", "no sum", "one task"],
)
def test_a_poor_study_leaves_only_figures_with_something_in_them(make, poor):
    study = make(**poor)
    write_report(study.path)
    written = {path.stem for path in (study.path / "figures").iterdir()}
    assert written == {name.rsplit("-", 1)[0] for name in Page(study.path / "report.html").figures["panels"]}
    assert written < set(NAMES)


def contrast(color, background):
    def luminance(text):
        parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    light, dark = sorted((luminance(color), luminance(background)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_colours_stand_out_from_their_background():
    # WCAG 2.1, 1.4.11: graphics need at least 3 to 1
    for color in (*LIGHT, NEUTRAL[0]):
        assert contrast(color, "#ffffff") >= 3, color
    for color in (*DARK, NEUTRAL[1]):
        assert contrast(color, "#171b21") >= 3, color


def test_methods_differ_by_mark_too_and_keep_their_look():
    methods = ("single-task", *(f"m{i}" for i in range(12)))
    found = looks(methods)
    assert len({(look.light, look.plotly_mark) for look in found.values()}) == len(methods)
    assert len({look.plotly_mark for look in list(found.values())[:8]}) == 8
    assert all((found[m].label == m) for m in methods)


def test_paths_are_shortened_only_as_far_as_they_stay_apart():
    found = looks(("a/very/long/folder/mine.py:Mine", "x/one.py:M", "y/one.py:M"))
    assert [look.label for look in found.values()] == ["mine.py:Mine", "x/one.py:M", "y/one.py:M"]


@pytest.mark.parametrize(("low", "high"), [(0.3, 1.6), (2.1, 11.0), (1e-9, 1e6), (0.011, 0.06)])
def test_a_logarithmic_axis_has_a_few_ticks_in_its_range(low, high):
    ticks = log_ticks(low, high)
    assert 2 <= len(ticks) <= 12
    assert all(low <= tick <= high for tick in ticks)


@pytest.mark.slow
def test_of_many_panels_a_file_has_the_first_and_says_so(tmp_path):
    names = [f"pair {i}" for i in range(26)]
    panels = tuple(Panel(name, "x", "y", (Series("points", "sum", (0.0, 1.0), (0.0, 1.0)),)) for name in names)
    for count, words in ((26, "the first 24 of 26 panels; report.html has all"), (24, "")):
        chart = Chart("many", "Many", "Points.", panels[:count])
        assert some_of(chart) == words
        _, svg = save(chart, looks(["sum"]), tmp_path)
        text = svg.read_text()
        assert [f"<!-- {name} -->" in text for name in names] == [True] * 24 + [False] * 2
        assert ("the first" in text) == bool(words)


def test_it_tells_what_it_is_doing(make, blank_images):
    told = []
    write_report(make(methods=("sum",), seeds=(0,), epochs=2).path, doing=told.append)
    assert told[0].startswith("figure 1 of 11, ")
    assert told[-1] == "the page"
