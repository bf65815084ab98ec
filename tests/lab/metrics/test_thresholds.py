import pytest
import torch
from torch.testing import assert_close

from equipoise.lab.metrics.thresholds import best_thresholds


def f1(said, labels):
    hits = (said & labels).sum().item()
    return 2 * hits / (said.sum().item() + labels.sum().item())


@pytest.mark.parametrize("ties", [False, True])
def test_no_other_threshold_is_better(ties):
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(60, 5, generator=generator)
    logits = (2 * logits).round() if ties else logits
    labels = torch.rand(60, 5, generator=generator) < torch.tensor([0.05, 0.2, 0.5, 0.9, 0.3])
    thresholds = best_thresholds(logits, labels.long())
    for label, threshold in enumerate(thresholds):
        scores, truth = logits[:, label], labels[:, label]
        tried = [-torch.inf, *scores.tolist(), torch.inf]
        assert f1(scores.double() > threshold, truth) == pytest.approx(max(f1(scores > t, truth) for t in tried))
        assert (scores.double() != threshold).all()  # no sample stands on it


def test_a_label_that_no_sample_has_is_never_said_and_one_that_all_have_always():
    thresholds = best_thresholds(torch.tensor([[1.0, 2.0], [3.0, -4.0]]), torch.tensor([[0, 1], [0, 1]]))
    assert thresholds[0] == torch.inf
    assert thresholds[1] < -4.0


def test_scale_moves_thresholds_along():
    logits = torch.randn(30, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = (logits + torch.randn(30, 2, generator=torch.Generator().manual_seed(1)) > 0.4).long()
    assert_close(best_thresholds(3 * logits + 1, labels), 3 * best_thresholds(logits, labels) + 1)


def test_shapes_must_agree():
    for logits, labels in ((torch.zeros(3), torch.zeros(3)), (torch.zeros(3, 2), torch.zeros(3, 1))):
        with pytest.raises(ValueError, match=r"must be \[N, L\]"):
            best_thresholds(logits, labels)
    with pytest.raises(ValueError, match=r"must be \[N, L\]"):
        best_thresholds(torch.zeros(0, 2), torch.zeros(0, 2))
