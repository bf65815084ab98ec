"""Gradient diagnostics are a value: measured once, shown as a terminal, a notebook and a page."""

from xml.etree import ElementTree

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise import lab
from equipoise.cli import main
from equipoise.lab.cases import Case
from equipoise.lab.data.arrays import Arrays
from equipoise.lab.models.heads import SharedEncoder, scalar_head


def model(names):
    return SharedEncoder(nn.Sequential(nn.Linear(3, 6), nn.Tanh()), {name: scalar_head(6) for name in names})


@pytest.fixture(scope="module")
def case():
    x = torch.randn(120, 3, generator=torch.Generator().manual_seed(0))
    tasks = eq.Tasks([eq.Task("a & b", nn.MSELoss()), eq.Task("c", nn.MSELoss())])
    return Case("opposed", tasks, Arrays(x, {"a & b": x.sum(1), "c": -x.sum(1)}), model, {}, 20)


@pytest.fixture(scope="module")
def found(case):
    return lab.probe(case, batches=4, steps=5)


def test_the_headline_is_one_sentence_and_names_the_conflict(found):
    assert found.headline.startswith(
        "After 5 steps of the plain sum, 1 of 1 pairs of tasks conflicts over 4 batches: a & b"
    )
    assert len(found.headline.split()) <= 25


def test_every_form_shows_the_same(found):
    page = "".join(ElementTree.fromstring(f"<div>{found._repr_html_()}</div>").itertext())
    for form in (str(found), page):
        shown = " ".join(form.split())
        for sentence in (found.headline, *found.details):
            assert " ".join(sentence.split()) in shown
        assert all(task in shown for task in ("a & b", "c"))
    assert found.headline in repr(found)


def test_details_are_what_the_conflict_means_the_cost_per_step_and_the_reason_for_the_weights(found):
    conflict, cost, reason = found.details
    assert "conflict" in conflict
    assert cost.startswith("A step takes, in steps of the plain sum: ")
    assert reason == found.probe.suggestion.reason


def test_weights_are_those_of_the_code(found):
    assert sum(found.weights.values()) == pytest.approx(2.0)
    names = {"eq": eq, "model": model(("a & b", "c"))}
    exec(found.code, names)
    assert names["balancer"].names == ("a & b", "c")


@pytest.mark.parametrize("name", ["norms", "cosines"])
def test_a_figure_has_a_panel_for_each_moment(found, name):
    assert name in found.figures
    titles = [axes.get_title() for axes in found.plot(name).axes]
    assert titles == ["At initialisation", "After 5 steps of the plain sum"]


def test_an_unknown_figure_lists_those_that_there_are(found):
    with pytest.raises(ValueError, match="no figure 'losses': there are norms, cosines"):
        found.plot("losses")


def test_the_page_is_one_file(found, tmp_path):
    page = found.save_report(tmp_path / "probe.html")
    assert found.headline.replace("&", "&amp;") in page.read_text(encoding="utf-8")


def test_the_command_prints_what_the_function_gives(capsys, tmp_path):
    arguments = ["probe", "reviews", "--batches", "2", "--steps", "0", "--html", str(tmp_path / "page.html")]
    assert main(arguments) == 0
    printed = " ".join(capsys.readouterr().out.split())
    found = lab.probe("reviews", batches=2, steps=0)
    assert found.headline in printed
    assert found.details[0] in printed


def test_a_name_that_is_no_case_is_named():
    with pytest.raises(ValueError, match="reviwes"):
        lab.probe("reviwes")


def test_random_numbers_of_the_caller_are_not_touched(case):
    before = torch.get_rng_state()
    lab.probe(case, batches=2, steps=1)
    assert torch.equal(torch.get_rng_state(), before)
