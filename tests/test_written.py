"""Files that follow from others are as ``docs/write.py`` writes them."""

import sys
from pathlib import Path

import pytest

import equipoise as eq

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import write  # noqa: E402
from written import measured, name_types, paper_table, trainer_table  # noqa: E402

PAGES = write.pages()
FILES = name_types.FILES | paper_table.FILES | trainer_table.FILES | PAGES
NEEDS = {"losses.md": pytest.mark.needs("every_loss")}


def named(paths):
    return [
        pytest.param(path, id=path.relative_to(ROOT).as_posix(), marks=NEEDS.get(path.name, ())) for path in [*paths]
    ]


@pytest.mark.parametrize("path", named(FILES))
def test_a_file_is_as_it_is_written(path):
    is_fresh = path.read_text(encoding="utf-8") == FILES[path]()
    assert is_fresh, f"{path.relative_to(ROOT)} is stale: run python docs/write.py"


@pytest.mark.parametrize("path", named(measured.COMMANDS))
def test_what_is_measured_is_there_of_every_method(path):
    lacking = measured.STALE[path]()
    assert lacking is None, f"{path.relative_to(ROOT)} is stale, and lacks {lacking}: run python docs/write.py"


def test_only_what_is_stale_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(write, "ROOT", tmp_path)
    texts = {tmp_path / "new.md": lambda: "new\n", tmp_path / "same.md": lambda: "same\n"}
    (tmp_path / "same.md").write_text("same\n")
    write.put(texts)
    assert capsys.readouterr().out == "new.md\n"
    assert (tmp_path / "new.md").read_text() == "new\n"


def test_a_new_method_is_measured_and_the_order_is_that_of_the_registry(monkeypatch):
    rows = eq.methods()
    known = [row.name for row in rows if row.name != "mgda"]
    monkeypatch.setattr(measured, "read_costs", lambda: dict.fromkeys(known))
    assert measured.without_cost() == ["mgda"]
    monkeypatch.setattr(measured, "read_costs", lambda: dict.fromkeys(row.name for row in reversed(rows)))
    assert measured.without_cost() == []


def test_the_tests_of_a_method_are_of_its_file_or_name_it_most():
    rows = {row.name: row for row in eq.methods()}
    files = {name: [path.name for path in paper_table.tests_of(rows[name])] for name in ("uw", "clip", "imtl-l")}
    assert files == {
        "uw": ["test_uw.py"],
        "clip": ["test_norms.py"],
        "imtl-l": ["test_log_family.py", "test_weightings_parity.py"],
    }


def test_a_row_of_papers_that_is_no_row_is_written_anew(tmp_path, monkeypatch):
    text = paper_table.PAGE.read_text(encoding="utf-8")
    monkeypatch.setattr(paper_table, "PAGE", tmp_path / "papers.md")
    paper_table.PAGE.write_text(text.replace("| `mgda` |", "| mgda |"), encoding="utf-8")
    assert paper_table.page() == text


def test_the_row_of_a_trainer_is_the_first_line_of_its_example(tmp_path):
    path = tmp_path / "a.py"
    path.write_text('"""A trainer, twice: ``f(x)`` in ``g``; what it trains.\n\nMore.\n"""\n')
    page = {"integrations/a.md": "[example](../../examples/trainers/a.py)"}
    assert trainer_table.row(path, {}) == "| A trainer, twice | `f(x)` in `g` | [a.py](../examples/trainers/a.py) |"
    assert trainer_table.row(path, page).startswith("| [A trainer, twice](integrations/a.md) | ")


def test_an_example_without_that_line_is_an_error(tmp_path):
    (tmp_path / "a.py").write_text('"""A trainer."""\n')
    with pytest.raises(ValueError, match=r"a\.py must begin with 'TRAINER: .*', got 'A trainer\.'"):
        trainer_table.row(tmp_path / "a.py", {})
