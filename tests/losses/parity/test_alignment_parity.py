"""InfoNCE beside pytorch-metric-learning's NT-Xent from one batch to the other."""

import pytest
import torch
from torch.testing import assert_close

from equipoise.losses.alignment import info_nce

pml = pytest.importorskip("pytorch_metric_learning.losses")


def test_info_nce_beside_nt_xent():
    first, second = torch.randn(2, 12, 6, dtype=torch.float64)
    theirs, places = pml.NTXentLoss(temperature=0.2), torch.arange(12)
    # the same labels as one object would mean: the same samples, none its own positive
    there = theirs(first, places, ref_emb=second, ref_labels=places.clone())
    back = theirs(second, places, ref_emb=first, ref_labels=places.clone())
    assert_close(info_nce(first, second, temperature=0.2), (there + back) / 2)
