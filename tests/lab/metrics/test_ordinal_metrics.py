import math

import pytest
import torch

from equipoise.lab.metrics import LevelDistance, LevelsWithin, metric
from equipoise.lab.metrics.ordinal import to_levels
from equipoise.losses import corn_levels


def value(metric, *batches):
    for batch in batches:
        metric.update(*batch)
    return metric.compute().item()


LEVELS, TRUE = torch.tensor([0, 1, 4, 2, 3]), torch.tensor([0, 2, 1, 2, 4])  # off by 0, 1, 3, 0, 1


def test_values_by_hand():
    assert value(LevelDistance(), (LEVELS, TRUE)) == pytest.approx(1.0)
    assert [value(LevelsWithin(d), (LEVELS, TRUE)) for d in (0, 1, 3)] == pytest.approx([0.4, 0.8, 1.0])


def test_the_three_forms_of_outputs_say_the_same_level():
    cumulative = torch.where(torch.arange(4) < LEVELS[:, None], 0.1, -0.1)
    assert to_levels(cumulative, "cumulative").tolist() == LEVELS.tolist()
    assert to_levels(torch.eye(5)[LEVELS], "classes").tolist() == LEVELS.tolist()
    assert to_levels(LEVELS + 0.4).tolist() == to_levels(LEVELS - 0.4).tolist() == LEVELS.tolist()
    assert to_levels(torch.eye(5)[LEVELS].T[None], "classes").tolist() == [LEVELS.tolist()]  # [N, K, pixels]
    assert to_levels(torch.zeros(1, 4), "cumulative").tolist() == [0]  # no more likely above than not
    dense = cumulative.T.reshape(1, 4, 5)  # [N, K - 1, pixels]
    assert to_levels(dense, "cumulative").tolist() == [LEVELS.tolist()]
    with pytest.raises(ValueError, match="'conditional' or 'classes', got 'logits'"):
        to_levels(LEVELS, "logits")


@pytest.mark.parametrize("make", [LevelDistance, LevelsWithin])
def test_missing_and_masked_levels_count_as_if_they_were_not_there(make):
    removed = value(make(), (LEVELS[:3], TRUE[:3]))
    assert value(make(), (LEVELS, torch.cat([TRUE[:3], torch.tensor([-100, -100])]))) == removed
    assert value(make(), (LEVELS, torch.cat([TRUE[:3].float(), torch.tensor([math.nan] * 2)]))) == removed
    assert value(make(missing=-1), (LEVELS, torch.cat([TRUE[:3], torch.tensor([-1, -1])]))) == removed
    assert value(make(), (LEVELS, TRUE, torch.arange(5) < 3)) == removed
    assert value(make(), (LEVELS, TRUE)) != removed


@pytest.mark.parametrize("make", [LevelDistance, LevelsWithin])
def test_unequal_batches_are_one_pass_and_none_is_no_value(make):
    whole = value(make(), (LEVELS, TRUE))
    assert value(make(), (LEVELS[:1], TRUE[:1]), (LEVELS[1:], TRUE[1:])) == pytest.approx(whole, rel=1e-12)
    assert math.isnan(make().compute().item())


def test_quadratic_kappa_by_its_definition():
    # Cohen 1968: 1 - Σ (i - j)² O_ij / Σ (i - j)² E_ij, E from the margins
    kappa = metric("quadratic-kappa", num_classes=5)
    kappa.update(LEVELS, TRUE)
    observed = ((LEVELS - TRUE) ** 2).double().mean()
    expected = ((LEVELS[:, None] - TRUE[None]) ** 2).double().mean()
    assert kappa.compute().item() == pytest.approx((1 - observed / expected).item(), rel=1e-6)


def test_outputs_of_another_form_are_refused():
    with pytest.raises(ValueError, match=r"outputs read as 'levels' are levels \(5, 4\), but targets are \(5,\)"):
        LevelDistance().update(torch.ones(5, 4), TRUE)


def test_conditional_logits_are_read_as_corn_reads_them():
    """P(level > 1) = 0.57 · 0.57 is below 1/2 though both logits are above 0."""
    logits = torch.tensor([[0.3, 0.3, 0.3], [-1.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    assert to_levels(logits, "conditional").tolist() == corn_levels(logits).tolist() == [1, 0, 3]
    dense = logits.T.reshape(1, 3, 3)  # [N, K - 1, pixels]
    assert to_levels(dense, "conditional").tolist() == [[1, 0, 3]]
