"""docs/convergence.md and the command that measures it."""

import sys

import page


def test_rows_that_are_missing_or_state_another_limit_are_named(tmp_path, monkeypatch):
    """tests/test_written.py holds the page itself to it."""
    text = page.PAGE.read_text(encoding="utf-8")
    assert page.stale() is None
    monkeypatch.setattr(page, "PAGE", tmp_path / "convergence.md")
    lines = text.splitlines(keepends=True)
    for changed, lacking in [
        ([line for line in lines if not line.startswith("| `mgda`")], ["mgda"]),
        ([line.replace("losses.max()", "losses.min()") for line in lines], ["group-dro", "tchebycheff"]),
        ([*lines[:-2], *lines[:-3:-1]], []),
        (lines[1:], []),
    ]:
        page.PAGE.write_text("".join(changed), encoding="utf-8")
        assert page.stale() == lacking


def test_one_method_is_measured_and_the_other_rows_stay(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(page, "PAGE", tmp_path / "convergence.md")
    monkeypatch.setattr(page, "STEPS", 3)
    monkeypatch.setattr(page, "TOY_STEPS", 3)
    page.PAGE.write_text("| `sum` | kept |\n| `gone` | of no method |\n| `mgda` | old |\n")
    monkeypatch.setattr(sys, "argv", ["page.py", "--methods", "mgda"])
    page.main()
    *_, kept, measured = page.PAGE.read_text().splitlines()
    assert kept == "| `sum` | kept |"
    assert measured.startswith(page.stated("mgda"))
    assert capsys.readouterr().out == f"{measured}\n"
