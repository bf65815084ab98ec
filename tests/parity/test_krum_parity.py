import pytest
import torch

from equipoise.aggregation.krum import Krum

torchjd = pytest.importorskip("torchjd.aggregation")


def score(rows, chosen, neighbours):
    """The paper's: the squared distances to the nearest others."""
    return float((rows - rows[chosen]).square().sum(dim=1).sort().values[1 : neighbours + 1].sum())


@pytest.mark.parametrize("byzantine", [0, 1, 2])
def test_where_torchjd_chooses_otherwise_the_papers_score_is_worse(byzantine):
    # TorchJD sums distances where the paper sums their squares
    generator = torch.Generator().manual_seed(byzantine)
    agreed = worse = 0
    for trial in range(300):
        rank = (2, 5, 20)[trial % 3]
        lengths = 10 ** ((trial % 4) * (torch.rand(7, 1, generator=generator, dtype=torch.float64) - 0.5))
        mixing = torch.randn(7, rank, generator=generator, dtype=torch.float64)
        rows = lengths * mixing @ torch.randn(rank, 20, generator=generator, dtype=torch.float64)
        gramian = rows @ rows.T
        ours = int(Krum(byzantine)(gramian, torch.ones(7, dtype=torch.float64)).argmax())
        theirs = int(torchjd.KrumWeighting(byzantine)(gramian).argmax())
        agreed += ours == theirs
        if ours != theirs:
            assert score(rows, ours, 5 - byzantine) < score(rows, theirs, 5 - byzantine)
            worse += 1
    assert agreed > 150
    assert worse > 0
