"""A step runs through the files that docs/architecture.md names, in that order, and no further."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from step_files import trace  # noqa: E402


def documented():
    page = (ROOT / "docs" / "architecture.md").read_text()
    block = page.split("## One step, file by file")[1].split("```")[1]
    return re.findall(r"^(\S+\.py) ", block, re.MULTILINE)


@pytest.mark.needs("seen_hooks")
def test_the_files_of_a_step_are_those_of_the_page_in_order():
    assert trace("mgda", "off").order == documented()


def test_a_step_of_a_loss_weighting_walks_no_graph():
    order = trace("uw", "off").order
    assert len([file for file in order if not file.startswith("torch_private/")]) <= 10
    assert "gradients/graph.py" not in order


@pytest.mark.parametrize(("method", "most"), [("sum", 88), ("uw", 92), ("mgda", 1000)])
def test_a_step_makes_few_python_calls(method, most):
    assert trace(method, "warn").calls <= most


def test_a_step_without_monitor_enters_none_of_it():
    assert not [file for file in trace("mgda", "off").order if file.startswith("monitor/")]
