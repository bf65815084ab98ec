import pytest
from driving import bound, weights_of

from equipoise.testing import check_method
from equipoise.weighting.cvar import CVaR

LOSSES = [3.0, 1.0, 4.0, 1.5, 9.0]


@pytest.mark.parametrize("alpha", [0.1, 0.5, 0.6, 1.0])
def test_laws(alpha):
    check_method(lambda: CVaR(alpha))


@pytest.mark.parametrize(
    ("alpha", "weights"),
    [
        (0.1, [0, 0, 0, 0, 1]),  # less than one task
        (0.2, [0, 0, 0, 0, 1]),
        (0.4, [0, 0, 1 / 2, 0, 1 / 2]),
        (0.5, [0.2, 0, 0.4, 0, 0.4]),  # two and a half
        (0.6, [1 / 3, 0, 1 / 3, 0, 1 / 3]),
        (1.0, [1 / 5] * 5),
    ],
)
def test_the_worst_share_of_tasks_counts_equally(alpha, weights):
    assert weights_of(bound(CVaR(alpha), 5), LOSSES) == pytest.approx(weights)


@pytest.mark.parametrize("alpha", [0.1, 0.3, 0.5, 0.73, 1.0])
def test_it_is_the_minimum_of_rockafellar_and_uryasev(alpha):
    # CVaR = min_t t + mean(max(loss - t, 0)) / alpha, whose minimum is at one of the losses
    bounds = [t + sum(max(loss - t, 0) for loss in LOSSES) / len(LOSSES) / alpha for t in LOSSES]
    weights = weights_of(bound(CVaR(alpha), 5), LOSSES)
    assert sum(w * loss for w, loss in zip(weights, LOSSES, strict=True)) == pytest.approx(min(bounds))
    assert max(weights) <= 1 / (alpha * 5) + 1e-12 or alpha * 5 < 1


def test_k_counts_the_tasks_of_the_step():
    assert weights_of(bound(CVaR(0.5), 5), [3.0, 1.0], [0, 3]) == [1.0, 0.0]


@pytest.mark.parametrize("alpha", [0, -0.1, 1.1, float("nan")])
def test_errors(alpha):
    with pytest.raises(ValueError, match=rf"alpha must be in \(0, 1\], got {alpha}"):
        CVaR(alpha)
