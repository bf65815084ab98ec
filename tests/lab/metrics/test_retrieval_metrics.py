import math

import pytest
import torch
from torchmetrics.functional.retrieval import retrieval_recall

from equipoise.lab.metrics import RetrievalRecallAt, metric, recall_at


def draws(queries=20, items=12):
    draw = torch.Generator().manual_seed(0)
    return torch.randn(queries, items, generator=draw), torch.rand(queries, items, generator=draw) < 0.25


@pytest.mark.parametrize("k", [1, 3, 12, 50])
def test_each_query_is_that_of_torchmetrics(k):
    similarities, relevant = draws()
    relevant[3] = False
    answerable = relevant.any(dim=1)
    positive = similarities - similarities.min() + 1  # torchmetrics never retrieves what is not positive
    expected = [retrieval_recall(s, r, top_k=k).item() for s, r in zip(positive, relevant, strict=True) if r.any()]
    assert recall_at(similarities, relevant, k).tolist() == pytest.approx(expected)
    assert len(expected) == int(answerable.sum())


def test_an_index_is_one_relevant_item():
    similarities, _ = draws()
    targets = torch.arange(20) % 12
    relevant = torch.nn.functional.one_hot(targets, 12).bool()
    assert recall_at(similarities, targets, 3).tolist() == recall_at(similarities, relevant, 3).tolist()


@pytest.mark.parametrize("make", [lambda: RetrievalRecallAt(3), lambda: metric("recall@k", k=3)])
def test_unequal_batches_are_one_pass_and_missing_queries_do_not_count(make):
    similarities, _ = draws()
    targets = torch.arange(20) % 12
    expected = recall_at(similarities[:15], targets[:15], 3).mean().item()
    targets[15:] = -100
    metric = make()
    metric.update(similarities[:2], targets[:2])
    metric.update(similarities[2:], targets[2:])
    assert metric.compute().item() == pytest.approx(expected)
    masked = make()
    masked.update(similarities, torch.arange(20) % 12, torch.arange(20) < 15)
    assert masked.compute().item() == pytest.approx(expected)
    assert math.isnan(make().compute().item())


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="targets must be items 0 to 2, got 3"):
        recall_at(torch.ones(2, 3), torch.tensor([0, 3]), 1)
    with pytest.raises(ValueError, match="targets must be items 0 to 2, got -1"):
        recall_at(torch.ones(2, 3), torch.tensor([0, -1]), 1)
    with pytest.raises(ValueError, match=r"targets must be \[N\] or \(2, 3\), got \(2, 4\)"):
        recall_at(torch.ones(2, 3), torch.ones(2, 4), 1)
    with pytest.raises(ValueError, match="k must be a positive integer, got 0"):
        RetrievalRecallAt(0)
