"""docs/works-with.md says what a run of every set-up shows."""

import re
from pathlib import Path

import joint_by_hand
import pytest
from setups import SETUPS
from team import Team
from works_with import EXPLAINED, INTRODUCTION, explanation, head, notes, row

PAGE = Path(__file__).parents[2] / "docs" / "works-with.md"


def committed():
    """Set-up -> its cells."""
    table = PAGE.read_text(encoding="utf-8").partition("\n## ")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    return {name: cells for name, *cells in (line.strip("| ").split(" | ") for line in lines[1:])}


def test_the_page_has_every_set_up_with_every_kind_and_no_cell_that_is_not_explained():
    """After a change: python tests/distributed/works_with.py > docs/works-with.md."""
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(f"{INTRODUCTION}\n{head()}\n")
    assert text.rstrip().endswith(notes())
    assert list(committed()) == list(SETUPS)
    for name, cells in committed().items():
        numbers = cells[: len(joint_by_hand.KINDS)]
        assert len(numbers) == len(joint_by_hand.KINDS)
        for cell in numbers:
            explained = re.fullmatch(r"\[(\d+)\]", cell)
            assert 0 < int(explained[1]) <= len(EXPLAINED) if explained else float(cell) < 1, f"{name}: {cell}"


def test_an_error_that_nobody_explained_has_no_number():
    assert explanation("a gradient method: call eq.compile_safe() before") == 2
    assert explanation("size mismatch") is None


@pytest.fixture(scope="module")
def teams(two, four):
    one = Team(1)
    yield {1: one, 2: two, 4: four}
    one.dismiss()


@pytest.mark.slow
@pytest.mark.parametrize("name", SETUPS)
def test_no_cell_is_worse_than_the_page_says(teams, name):
    cells, _ = row(teams, name)  # raises where an error is not explained, too large, or ranks differ
    for found, said in zip(cells, committed()[name], strict=False):
        if said.startswith("["):
            assert found == said
        else:
            assert float(found) <= 10 * float(said)
