import torch
from torch.testing import assert_close

from detecting.detector import Detector, HeatHead, SidesHead
from equipoise.lab.models.unet import ConvEncoder, MaskHead

WIDTHS, USUAL = (4, 6, 8), torch.tensor([3.0, 4.0, 5.0, 6.0])
PICTURES = torch.randint(256, (2, 3, 16, 24), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def detector(*names):
    torch.manual_seed(0)
    heads = {
        "class": HeatHead(WIDTHS[1:], 3),
        "box": SidesHead(WIDTHS[1:], USUAL),
        "mask": MaskHead(WIDTHS, 4),
    }
    return Detector(ConvEncoder(WIDTHS), {name: heads[name] for name in names}, USUAL)


def test_maps_are_of_the_second_scale_and_pixels_of_the_first():
    outputs = detector("class", "box", "mask")(PICTURES)
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "class": (2, 3 + 4, 8, 12),
        "box": (2, 4, 8, 12),
        "mask": (2, 4, 16, 24),
    }


def test_what_the_maps_find_has_the_boxes_of_the_other_head_without_their_gradient():
    model = detector("class", "box")
    outputs = model(PICTURES)
    assert torch.equal(outputs["class"][:, 3:], outputs["box"])
    outputs["class"].sum().backward()
    boxes, maps = (dict(model.network.heads.named_children())[key] for key in ("box", "class"))
    assert all(parameter.grad is None for parameter in boxes.parameters())
    assert all(parameter.grad is not None for parameter in maps.parameters())


def test_without_a_head_for_boxes_they_are_the_usual_ones():
    maps = detector("class")(PICTURES)["class"]
    assert_close(maps[:, 3:], USUAL[None, :, None, None].expand(2, 4, 8, 12))
    assert list(detector("mask")(PICTURES)) == ["mask"]


def test_at_first_boxes_are_about_the_usual_ones_and_objects_are_rare():
    """Exactly so where the last layer sees nothing."""
    model = detector("class", "box")
    for parameter in [p for p in model.parameters() if p.dim() > 1]:
        torch.nn.init.zeros_(parameter)
    outputs = model(PICTURES)
    assert_close(outputs["box"], USUAL[None, :, None, None].expand(2, 4, 8, 12))
    assert_close(outputs["class"][:, :3].sigmoid(), torch.full((2, 3, 8, 12), 0.01))


def test_distances_are_positive_whatever_the_features():
    torch.manual_seed(1)
    head = SidesHead(WIDTHS[1:], USUAL).eval()
    sides = head([1e4 * torch.randn(2, 6, 8, 12), 1e4 * torch.randn(2, 8, 4, 6)])
    assert (sides >= 0).all()
    assert sides.isfinite().all()
    assert (sides > 2 * USUAL.max()).any()
