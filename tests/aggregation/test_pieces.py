import numpy as np
import pytest
import torch

import equipoise as eq
from equipoise.aggregation import pieces
from equipoise.aggregation.trimmed_mean import trimmed_mean

METHODS = [eq.GradDrop, eq.TrimmedMean, eq.Median, eq.MoCo, eq.ExcessMTL, eq.DBMTL, eq.AdaTask]
GENERATOR = torch.Generator().manual_seed(0)
STEPS = [(torch.randn(4, 23, generator=GENERATOR, dtype=torch.float64), torch.tensor([0, 1, 2, 3]))] * 2
STEPS += [(rows[:3], torch.tensor([0, 2, 3])) for rows, _ in STEPS] + STEPS


def trained(make):
    method = make()
    method.bind(4)
    gradients = [method(rows, torch.ones(len(tasks), dtype=torch.float64), tasks) for rows, tasks in STEPS]
    return gradients, method.state_dict()


@pytest.mark.parametrize("make", METHODS)
def test_pieces_change_nothing(make, monkeypatch):
    whole, state = trained(make)
    monkeypatch.setattr(pieces, "_CACHED", 20)
    monkeypatch.setattr(pieces, "_LONG", 4)
    gradients, other = trained(make)
    torch.testing.assert_close(gradients, whole)
    torch.testing.assert_close(other, state)


@pytest.mark.parametrize("cached", [1, 20, 92, 1000])
def test_they_are_all_columns_in_turn(cached, monkeypatch):
    monkeypatch.setattr(pieces, "_CACHED", cached)
    columns = torch.arange(23).expand(4, 23)
    assert torch.cat([columns[0, piece] for piece in pieces.pieces(columns)]).tolist() == list(range(23))
    none = columns[:, :0]
    assert [none[:, piece].shape for piece in pieces.pieces(none)] == [(4, 0)]


@pytest.mark.parametrize("trim", [0, 1, 5, 16, 17, 18])
def test_trimming_by_comparison_and_by_sorting(trim):
    rows = torch.randn(37, 11, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    left = np.sort(rows.numpy(), axis=0)[trim : 37 - trim]
    np.testing.assert_allclose(trimmed_mean(rows, trim).numpy(), left.mean(axis=0), rtol=1e-12, atol=1e-14)
