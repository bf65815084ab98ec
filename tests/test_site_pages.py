"""What the build of the site draws and states of single methods and losses is what they do."""

import sys
from pathlib import Path

import pytest
import torch
from torch.testing import assert_close

import equipoise as eq
from equipoise.losses.catalog import ROWS

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import loss_pages  # noqa: E402
import method_pages  # noqa: E402
import plane  # noqa: E402

METHODS = {row.name: row for row in eq.methods()}
LOSSES = {row.name: row for row in ROWS}


def slopes_at(point):
    """The gradients of both quadratic losses."""
    return torch.autograd.functional.jacobian(plane.bowls, point)


def test_on_the_curve_of_best_points_the_gradients_are_opposite():
    for point in plane.best()[::10]:
        first, second = slopes_at(point)
        assert_close(first / first.norm(), -second / second.norm())


def test_arrows_are_minus_the_gradients_of_the_losses_that_are_drawn():
    gradients = torch.autograd.functional.jacobian(plane.slopes, torch.zeros(2, dtype=torch.float64))
    assert_close(-gradients, plane.DOWN)
    assert plane.DOWN[0] @ plane.DOWN[1] < 0  # they conflict, and the sum serves the first one alone
    assert plane.DOWN[1] @ plane.DOWN.sum(dim=0) < 0


def test_steps_that_are_drawn_follow_from_the_formula():
    def last_step(method):
        return [*plane.steps(method, plane.Plane((0.0, 0.0), plane.slopes), 2, hold=True)][-1][1]

    first, second = plane.DOWN
    assert_close(last_step(eq.Sum()), first + second)
    shortest = last_step(eq.MGDA())
    assert_close((first - second) @ shortest, torch.zeros((), dtype=torch.float64), atol=1e-6, rtol=0)


def test_a_training_that_is_drawn_ends_where_the_sum_of_the_gradients_is_0():
    drawn = plane.Plane(plane.STARTS[0], plane.bowls)
    *_, (end, _, _) = plane.steps(eq.Sum(), drawn, plane.WALKED)
    assert_close(slopes_at(end).sum(dim=0), torch.zeros(2, dtype=torch.float64), atol=0.05, rtol=0)


def test_the_sentence_below_a_picture_states_what_it_shows():
    first = plane.DOWN[:1]
    seen = plane.Seen(first, {"first": 1.0, "second": 0.0}, [])
    assert method_pages.numbers(seen) == (
        "weights: first 1.00, second 0.00; 1.09 of the sum's norm; the first loss falls, the second rises"
    )


def test_a_method_for_three_tasks_has_a_sentence_in_place_of_a_picture():
    assert method_pages.picture(METHODS["krum"]) == (
        "<p>No picture: the pictures have two tasks (byzantine=0 needs 3 tasks or more, got 2).</p>\n"
    )


def test_when_not_follows_from_what_was_measured():
    row = METHODS["mgda"]
    found = eq.testing.Invariances(one_loss=True, degree=1.0, copy=False, rotation=True)
    reasons = " ".join(method_pages.when_not(row, found))
    assert "its direction does not depend on it" in reasons
    assert "there twice" in reasons
    assert "one backward pass" in reasons
    assert "Single coordinates" not in reasons


def test_a_page_names_paper_class_file_tests_and_errata():
    text = method_pages.page(METHODS["uw"], True, None)
    for part in (
        "Kendall",
        "`equipoise.UW`",
        "(../../src/equipoise/weighting/uw.py)",
        "test_uw.py",
        "torch-rechub",
        "½",
    ):
        assert part in text


def test_curves_are_the_losses_and_their_gradients():
    lines = loss_pages.curves(LOSSES["BCEWithLogitsLoss"])
    z = loss_pages.GRID
    for name, target in (("a positive", 1.0), ("a negative", 0.0)):
        values, gradients = map(torch.tensor, lines[name])
        assert_close(values, torch.log1p(torch.exp(-z if target else z)))
        assert_close(gradients, torch.sigmoid(z) - target)


@pytest.mark.slow
def test_losses_without_a_curve_take_more_than_one_number():
    of_kind = [row for row in ROWS if row.kinds[0] in loss_pages.LINES]
    several = {"LinearCrossEntropyLoss", "AdaptiveLogSoftmaxWithLoss", "MultiLabelMarginLoss", "GaussianNLLLoss"}
    several |= {"pinball", "gaussian_nll", "laplace_nll", "adaptive_robust_nll", "silog"}
    several |= {row.name for row in of_kind if row.kinds[0] == "gan" and "(" in row.code}
    no_logit = {"BCELoss", "NLLLoss"}
    assert {row.name for row in of_kind if not loss_pages.curves(row)} == (several | no_logit) & {*LOSSES}


def test_the_sidebar_of_a_method_has_all_methods_below_their_list_and_others_are_as_they_were():
    pytest.importorskip("sphinx")
    import site_pages

    def sidebar(page, own):
        def pathto(target):
            return "#" if target == page else f"{target}.html"

        before = f'<li class="toctree-l1"><a class="reference internal" href="{own}">Methods</a></li>'
        context = {"pathto": pathto, "furo_navigation_tree": before}
        site_pages.show_rows(None, page, "page.html", context, None)
        return context["furo_navigation_tree"]

    of_one, of_all = sidebar("docs/methods/uw", "docs/methods.html"), sidebar("docs/methods", "#")
    assert of_one.count('<li class="toctree-l2') == of_all.count('<li class="toctree-l2') == len(method_pages.names())
    assert '<li class="toctree-l2 current-page"><a class="reference internal" href="#">uw</a>' in of_one
    assert 'href="docs/methods/dwa.html">dwa</a>' in of_one
    assert "current-page" not in of_all
    assert "toctree-l2" not in sidebar("docs/faq", "docs/methods.html")
    with pytest.raises(AssertionError, match=r"the sidebar of docs/methods/uw has no line of docs/methods\.md"):
        sidebar("docs/methods/uw", "docs/other.html")
