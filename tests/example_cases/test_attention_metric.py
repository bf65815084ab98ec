"""Attention inside a box, by the pixels."""

import numpy as np
import torch
from torch.testing import assert_close

from captioning.landing import attention_inside


def boxes_of(count, size, seed=0):
    corners = np.sort(np.random.default_rng(seed).integers(0, size + 1, (count, 2, 2)), axis=1)
    return torch.tensor(corners.reshape(count, 4))


def test_it_is_the_sum_over_pixels_that_share_their_places_mass():
    size, count = 24, 30
    maps = torch.rand(count, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    maps = maps / maps.sum(dim=(1, 2), keepdim=True)
    boxes = boxes_of(count, size)
    pixels = maps.repeat_interleave(6, dim=1).repeat_interleave(8, dim=2) / (6 * 8)
    expected = [pixels[number, y0:y1, x0:x1].sum() for number, (x0, y0, x1, y1) in enumerate(boxes.tolist())]
    assert_close(attention_inside(maps, boxes, size), torch.stack(expected))


def test_even_attention_has_the_boxs_share_of_the_picture():
    boxes = boxes_of(20, 64, seed=1)
    x0, y0, x1, y1 = boxes.double().unbind(dim=1)
    even = torch.full((20, 8, 8), 1 / 64, dtype=torch.float64)
    assert_close(attention_inside(even, boxes, 64), (x1 - x0) * (y1 - y0) / 64**2)
