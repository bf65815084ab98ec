import torch
from torch import nn
from torch.testing import assert_close

from equipoise.lab.models.resnet import Residual, ResNet

PICTURES = torch.randint(256, (2, 3, 16, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_depth_sizes_and_widths_are_those_of_the_paper():
    network = ResNet((16, 32, 64), blocks=3)
    layers = [layer for layer in network.modules() if isinstance(layer, nn.Conv2d) and layer.kernel_size == (3, 3)]
    assert len(layers) + 1 == 6 * 3 + 2  # and the head
    shapes = []
    for block in network.blocks:
        block.register_forward_hook(lambda _, inputs, output: shapes.append(tuple(output.shape[1:])))
    assert network(PICTURES).shape == (2, 64)
    assert shapes == [(16, 16, 24)] * 3 + [(32, 8, 12)] * 3 + [(64, 4, 6)] * 3


def test_a_block_whose_convolutions_give_nothing_is_its_shortcut():
    x = torch.randn(2, 4, 6, 6)
    for block, expected in (
        (same := Residual(4, 4, 1), x),
        (halved := Residual(4, 5, 2), halved.shortcut(x)),
    ):
        nn.init.zeros_(block.convolutions[4].weight)
        block.eval(), block.shortcut.train()
        assert_close(block(x), expected.relu())
    assert isinstance(same.shortcut, nn.Identity)


def test_bytes_become_numbers_from_minus_1_to_1():
    network = ResNet((2,), blocks=1).eval()
    seen = []
    network.first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    network(torch.tensor([0, 255], dtype=torch.uint8).reshape(1, 1, 1, 2).expand(1, 3, 1, 2))
    assert_close(seen[0][0, 0, 0], torch.tensor([-1.0, 1.0]))
