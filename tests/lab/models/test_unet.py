from functools import partial

import pytest
import torch
from torch.testing import assert_close

from equipoise.lab.models.unet import ConvEncoder, MaskHead, PooledHead


def test_shapes_at_each_scale():
    torch.manual_seed(0)
    scales = ConvEncoder([4, 6, 8])(torch.randint(256, (2, 3, 16, 24), dtype=torch.uint8))
    assert [tuple(scale.shape) for scale in scales] == [(2, 4, 16, 24), (2, 6, 8, 12), (2, 8, 4, 6)]
    assert MaskHead([4, 6, 8], 3)(scales).shape == (2, 3, 16, 24)
    assert PooledHead(8, 5, 0.0)(scales).shape == (2, 5)


def test_a_mask_sees_detail_and_the_whole():
    torch.manual_seed(0)
    encoder, head = ConvEncoder([4, 6, 8]).eval(), MaskHead([4, 6, 8], 3).eval()
    pictures = torch.rand(1, 3, 32, 32, requires_grad=True)
    (gradient,) = torch.autograd.grad(head(encoder(255 * pictures))[0, :, 16, 16].sum(), pictures)
    seen = gradient[0].abs().sum(dim=0) > 0
    assert seen[16, 16]
    assert seen.any(dim=0).sum() > 2 * (4 + 1)  # further than convolutions at full size alone reach


@pytest.mark.parametrize("slope", [0.0, 0.1])
def test_where_all_channels_are_below_zero_a_leaky_rectifier_still_tells_and_teaches(slope):
    torch.manual_seed(0)
    head = MaskHead([4, 6], 3, rectifier=partial(torch.nn.LeakyReLU, slope)).eval()
    normalised: list[torch.Tensor] = []
    *_, last, _ = head.steps[-1]
    torch.nn.init.constant_(last.bias, -100.0)
    last.register_forward_hook(lambda module, inputs, output: normalised.append(output))
    features = torch.randn(1, 4, 8, 8, requires_grad=True)
    logits = head([features, torch.randn(1, 6, 4, 4)])
    assert (normalised[0] < 0).all()
    expected = torch.nn.functional.conv2d(slope * normalised[0], head.logits.weight, head.logits.bias)
    assert_close(logits, expected)
    (gradient,) = torch.autograd.grad(logits.square().sum(), features)
    assert gradient.any() == (slope > 0)


def test_a_pooled_head_does_not_see_where():
    torch.manual_seed(0)
    head = PooledHead(3, 2, 0.0)
    deepest = torch.randn(2, 3, 4, 6)
    assert_close(head([deepest]), head([deepest.flip(3).roll(1, dims=2)]))
    assert not torch.allclose(head([deepest]), head([2 * deepest]))
