"""The check of .ci/run on the seconds of each folder of tests."""

import runpy
from pathlib import Path

import pytest

BUDGET = runpy.run_path(str(Path(__file__).parents[1] / ".ci" / "budget.py"))


@pytest.fixture
def ended(tmp_path, capsys):
    """Status and lines for tests of these files and seconds."""

    def end(*tests):
        cases = "".join(f'<testcase file="{file}" time="{seconds}"/>' for file, seconds in tests)
        (tmp_path / "junit.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
        return BUDGET["main"](str(tmp_path / "junit.xml")), capsys.readouterr().out

    return end


def test_seconds_within_the_budget_pass(ended):
    status, printed = ended(("tests/lab/api/test_a.py", 0.5), ("tests/lab/data/test_b.py", 1.5), ("tests/test_c.py", 3))
    assert status == 0
    assert "2.0 s" in next(line for line in printed.splitlines() if line.endswith("tests/lab"))


@pytest.mark.parametrize(("times", "status"), [(1.4, 0), (3, 1)])
def test_a_folder_over_its_budget_is_named_and_fails_where_no_busy_machine_explains_it(ended, times, status):
    seconds = times * BUDGET["read_budgets"]()["tests/weighting"]
    left, printed = ended(("tests/weighting/test_a.py", seconds), ("tests/test_c.py", 3))
    assert left == status
    assert f"tests/weighting took {seconds:.0f} s, its budget is" in printed


@pytest.mark.parametrize(("times", "other", "status"), [(1.9, 1.9, 0), (2.1, 2.1, 1), (1.2, 2.2, 1)])
def test_a_busy_machine_slows_all_folders_down_alike(ended, times, other, status):
    """All may take nearly twice their seconds, and none much more than the others of its own."""
    budgets = BUDGET["read_budgets"]()
    assert budgets["tests/weighting"] >= 20
    tests = [(f"{name}/test_a.py", times * seconds) for name, seconds in budgets.items() if name != "tests/weighting"]
    left, _ = ended(*tests, ("tests/weighting/test_a.py", other * budgets["tests/weighting"] + 8))
    assert left == status


def test_a_folder_without_a_budget_is_named(ended):
    status, printed = ended(("elsewhere/test_a.py", 1))
    assert status == 1
    assert "elsewhere has no budget: give it one in budget.txt" in printed
