"""Methods by the names that papers, code and people use: one table, and no guess where it has one."""

import pytest
from torch import nn

import equipoise as eq
from equipoise import listings
from equipoise.cli import main
from equipoise.lab.search.tune import make_tuning
from equipoise.lab.studies.plan import make_plan
from equipoise.names import key_of
from equipoise.registry import ALIASES, AROUND, find_methods, read_costs

ROWS = (*eq.methods(), *AROUND)


def names_of(name):
    return [row.name for row in find_methods(name)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("uncertainty", ["uw"]),
        ("UW", ["uw"]),
        ("Kendall", ["uw"]),
        ("gradnorm", ["gradnorm"]),
        ("GradNorm", ["gradnorm"]),
        ("grad-norm", ["gradnorm"]),
        ("eq.GradNorm()", ["gradnorm"]),
        ("pareto", ["mgda"]),
        ("MGDA-UB", ["mgda"]),
        ("cagrad", ["cagrad"]),
        ("nash", ["nash-mtl"]),
        ("NashMTL", ["nash-mtl"]),
        ("nash_mtl", ["nash-mtl"]),
        ("equal weights", ["sum"]),
        ("imtl", ["imtl-g", "imtl-l"]),
        ("per group", ["per-group"]),
        ("magnitude", ["log-sum", "uw", "db-mtl", "nash-mtl"]),
        ("量级", ["log-sum", "uw", "db-mtl", "nash-mtl"]),
    ],
)
def test_a_method_is_found_by_what_people_call_it(name, expected):
    assert names_of(name) == expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_is_found_by_its_name_and_by_its_class(row):
    assert find_methods(row.name) == find_methods(row.cls.__name__) == (row,)


def test_every_alias_finds_rows_that_are_there_and_hides_none():
    own = {key_of(name) for row in ROWS for name in (row.name, row.cls.__name__)}
    for alias, found in ALIASES.items():
        assert key_of(alias) == alias
        assert alias not in own
        assert names_of(alias) == list(found)


def test_a_method_is_made_by_any_of_its_names():
    assert repr(eq.method("UW")) == repr(eq.method("uw")) == repr(eq.method("uncertainty"))
    assert repr(eq.method("GradNorm", alpha=0.5)) == repr(eq.GradNorm(alpha=0.5))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("imtl", "'imtl' is several methods: name one of 'imtl-g', 'imtl-l'"),
        ("every", r"'every' goes around another method: write eq.Every\("),
        ("pcgradd", "no method 'pcgradd'; did you mean 'pcgrad'?"),
        ("", "no method ''"),
    ],
)
def test_a_name_that_makes_no_method_says_why(name, message):
    with pytest.raises(ValueError, match=message):
        eq.method(name)


def test_a_study_calls_a_method_by_the_name_of_its_row():
    plan = make_plan("reviews", ["sum", "UW", "nash"], [0])
    assert [*map(str, plan.arms)] == ["sum", "uw", "nash-mtl"]
    with pytest.raises(ValueError, match="method uw is named twice"):
        make_plan("reviews", ["sum", "UW", "uw"], [0])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_one_method_is_shown_in_full_in_80_columns(capsys, monkeypatch, row):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["methods", row.cls.__name__]) == 0
    output = capsys.readouterr().out
    flat = " ".join(output.split())
    assert output.startswith(f"{row.name}  ({row.cls.__name__})\n")
    for words in (row.idea, row.formula.replace("`", ""), row.paper, row.needs, row.when, row.errata, row.signature):
        assert " ".join(words.split()) in flat
    assert "eq.Balancer(" in flat
    if row.name in (costs := read_costs()):
        assert f"{costs[row.name].three:.1f}" in flat
    assert max(map(len, output.splitlines())) <= 80


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_line_to_paste_makes_the_method(row):
    model = nn.ModuleDict({"encoder": nn.Linear(2, 3)})
    model.encoder = model["encoder"]
    made = eval(row.example, {"eq": eq, "model": model})
    assert isinstance(made, row.cls)


def test_a_word_for_two_methods_shows_both_and_an_unknown_one_is_one_line(capsys):
    assert main(["methods", "imtl"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("2 methods match 'imtl':\n\nimtl-g  (IMTLG)\n")
    assert "\n\nimtl-l  (IMTLL)\n" in output
    with pytest.raises(SystemExit) as end:
        main(["methods", "pcgradd"])
    assert end.value.code == 2
    assert capsys.readouterr().err == "equipoise: no method 'pcgradd'; did you mean 'pcgrad'?\n"
    with pytest.raises(SystemExit):
        main(["methods", "uw", "--markdown"])
    assert capsys.readouterr().err == "equipoise: a NAME shows one method: leave out --markdown\n"


def test_a_search_calls_a_method_by_the_name_of_its_row(tmp_path):
    tuning = make_tuning("reviews", "CAGrad", ["c=0.1:0.9"], "random", 2, tmp_path / "one")
    assert tuning.method == "cagrad"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("cagrad", "norm of a step: the sum's, where all gradients are equal; 1.5/K of that with scale='paper'"),
        ("pcgrad", "norm of a step: the sum's, where all gradients are equal\n"),
        ("stch", "1/K² of that with scale='paper'"),
        ("nash-mtl", "norm of a step: its own: sqrt(sum p) by definition, whatever the gradients' norms"),
    ],
)
def test_a_method_shows_the_norm_of_its_steps(name, words):
    assert words in listings.method(name, 200)
