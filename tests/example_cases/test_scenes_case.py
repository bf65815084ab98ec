import pytest
import torch
from real_data import trained, whole
from torch.testing import assert_close

import equipoise as eq
from detecting.diagnostics import drawn, object_masks
from detecting.metrics import found, objects_of
from equipoise import Tasks
from equipoise.lab.cases import check_case, with_losses
from equipoise.lab.diagnostics import Predictions
from equipoise.lab.training.evaluate import outputs_of
from equipoise.losses import heat_map_focal
from rendered import render_scenes
from scenes import STRIDE, make_case

COUNTS = {"train": 24, "validation": 12, "test": 6}


@pytest.fixture(scope="module")
def case():
    return make_case(COUNTS)


def test_targets_are_what_was_drawn(case):
    _, targets = whole(case, "train")
    there = objects_of(targets["class"], STRIDE)
    for number, scene in enumerate(render_scenes(24, 0)):
        rows = there[number][~there[number, :, 0].isnan()]
        assert sorted(rows.tolist()) == sorted([thing.shape, *thing.box] for thing in scene.objects)
        drawn = torch.zeros(64, 64, dtype=torch.int64)
        for thing in scene.objects:
            drawn[torch.from_numpy(thing.mask)] = 1 + thing.shape
        assert torch.equal(targets["mask"][number], drawn)
        own = (~targets["box"][number].isnan()).all(dim=0)
        assert int(own.sum()) == len(scene.objects)
        assert torch.equal(own, (targets["class"][number, :5] == 1).any(dim=0))


def test_each_picture_is_in_one_split(case):
    pictures = [picture.numpy().tobytes() for split in COUNTS for picture in case.data[split].inputs]
    assert len(set(pictures)) == sum(COUNTS.values())


def test_an_object_is_what_its_box_holds_of_its_shapes_pixels():
    """So nothing is lost by a mask of shapes, and a box of another shape holds nothing."""
    for scene in render_scenes(50, 0):
        pixels = torch.zeros(64, 64, dtype=torch.int64)
        for thing in scene.objects:
            pixels[torch.from_numpy(thing.mask)] = 1 + thing.shape
        rows = torch.tensor([[thing.shape, *thing.box] for thing in scene.objects])
        assert torch.equal(object_masks(pixels, rows), pixels)
        for thing, row in zip(scene.objects, rows, strict=True):
            assert torch.equal(object_masks(pixels, row[None]) > 0, torch.from_numpy(thing.mask))
            row[0] = (row[0] + 1) % 5
            assert not object_masks(pixels, row[None]).any()


def test_a_faultless_network_is_perfect_and_a_constant_is_not(case):
    _, targets = whole(case, "validation")
    maps = targets["class"]
    outputs = {
        "class": torch.cat([maps[:, :5].logit(1e-6), maps[:, 5:]], dim=1),
        "box": targets["box"].nan_to_num(0.0),
        "mask": 100.0 * torch.nn.functional.one_hot(targets["mask"], 6).movedim(3, 1),
    }
    for task in case.tasks.names:
        for metric in case.metrics[task]:
            assert metric.compute(outputs[task], targets[task]) == pytest.approx(1, abs=1e-6), metric.name
            assert metric.trivial < 0.9


def test_without_boxes_the_first_metric_of_the_maps_is_the_same(case):
    _, targets = whole(case, "validation")
    maps = targets["class"]
    centres, boxes = case.metrics["class"]
    wrong = torch.tensor([30.0, 1.0, 1.0, 1.0])[:, None, None].expand_as(maps[:, 5:])
    pointless = torch.cat([maps[:, :5].logit(1e-6), wrong], dim=1)
    assert centres.compute(pointless, maps) == 1
    assert boxes.compute(pointless, maps) == 0


def test_the_loss_of_the_maps_does_not_see_the_boxes(case):
    generator = torch.Generator().manual_seed(0)
    _, targets = whole(case, "test")
    outputs = torch.randn(6, 9, 16, 16, generator=generator)
    expected = heat_map_focal(outputs[:, :5], targets["class"][:, :5])
    assert_close(case.tasks["class"].loss(outputs, targets["class"]), expected)


@pytest.mark.parametrize("make", [eq.Sum, eq.MGDA], ids=lambda make: make.__name__)
def test_a_step_in_parts_with_unequal_numbers_of_centres_is_the_step(case, make):
    """Of losses that are means: Dice, a ratio of sums over the batch, is none. Normalisation holds still, too."""
    chosen = with_losses(case, {"mask": "cross-entropy"})
    pictures, targets = whole(chosen, "validation")
    targets = {name: t.double() if t.is_floating_point() else t for name, t in targets.items()}
    number = (targets["class"][:, :5] == 1).sum(dim=(1, 2, 3))
    order = number.argsort()
    assert number[order[:4]].sum() < number[order[4:8]].sum() < number[order[8:]].sum()
    found = []
    for parts in ([order], [order[:4], order[4:8], order[8:]]):
        torch.manual_seed(0)
        model = chosen.model(chosen.tasks.names).double().eval()
        model.network.encoder.scales[0].register_forward_pre_hook(lambda module, inputs: inputs[0].double())
        balancer = eq.Balancer(make(), model, tasks=chosen.tasks)
        balancer.accumulate(len(parts))
        for part in parts:
            losses = chosen.tasks.losses(model(pictures[part]), {name: t[part] for name, t in targets.items()})
            (balancer(losses) / len(parts)).backward()
        found.append((balancer.record.losses, [parameter.grad for parameter in model.parameters()]))
    assert_close(found[1], found[0], rtol=1e-9, atol=1e-12)


def test_found_are_the_surest_first():
    maps = torch.full((1, 9, 16, 16), -5.0)
    maps[0, 2, 4, 6], maps[0, 0, 9, 9], maps[0, 5:] = 3.0, 4.0, 6.0
    rows = found(maps, STRIDE)[0]
    assert rows[:2].tolist() == [[0, 32, 32, 44, 44, 4], [2, 20, 12, 32, 24, 3]]


def test_it_can_be_trained_on_all_tasks_and_each_alone(case, tmp_path):
    check_case(case)
    for name in case.tasks.names:
        torch.manual_seed(3)
        alone = case.model([name]).state_dict()
        torch.manual_seed(3)
        whole_model = case.model(case.tasks.names).state_dict()
        assert all(torch.equal(value, whole_model[key]) for key, value in alone.items())
    scores = trained(case, 0, tmp_path, epochs=1)
    assert {task for task, _ in scores} == {"class", "box", "mask"}
    assert scores["class", "map@0.5"] >= 0


def test_a_box_is_drawn_around_its_object_in_the_colour_of_its_shape():
    picture = torch.full((8, 8, 3), 10, dtype=torch.uint8)
    mask = torch.zeros(8, 8, dtype=torch.int64)
    mask[2:4, 1:5] = 2
    pixels = drawn(picture, mask, torch.tensor([[1.0, 1, 2, 5, 4]]))
    assert pixels.shape == (24, 24, 3)
    colour = pixels[6, 3]
    line = (pixels == colour).all(dim=2)
    assert line.nonzero().amin(dim=0).tolist() == [6, 3]
    assert line.nonzero().amax(dim=0).tolist() == [12, 15]
    assert int(line.sum()) == 2 * 13 + 2 * 5
    assert torch.equal(pixels[8, 5], ((10 + colour.float()) / 2).round().byte())
    assert (pixels[0] == 10).all()
    mask[2:4, 1:5] = 1  # of the first shape, without a box
    first = drawn(picture, mask, torch.empty(0, 5))
    assert len(first.reshape(-1, 3).unique(dim=0)) == 2
    assert not torch.equal(first[8, 5], pixels[8, 5])


@pytest.mark.parametrize("names", [["class", "box", "mask"], ["class"], ["box"], ["mask"]])
def test_every_network_shows_what_it_has(case, names):
    torch.manual_seed(0)
    model = case.model(names).eval()
    tasks = Tasks([case.tasks[name] for name in names])
    outputs, targets = outputs_of(model, tasks, [whole(case, "validation")])
    seen = Predictions(model, tasks, outputs, targets, case.data["validation"], case.collate)
    diagnostics = [diagnostic for diagnostic in case.diagnostics if set(diagnostic.tasks) <= set(names)]
    assert {f"{name}-worst" for name in names} <= {diagnostic.name for diagnostic in diagnostics}
    for diagnostic in diagnostics:
        shown = diagnostic.show(seen)
        for card in getattr(shown, "cards", ()):
            assert len(card.pictures) == (2 if names == ["box"] else 3)


@pytest.mark.slow
def test_it_finds_the_shapes_their_boxes_and_their_pixels(tmp_path):
    scores = trained(make_case({"train": 400, "validation": 100, "test": 50}), 0, tmp_path, epochs=10)
    assert scores["class", "map@0.5"] > 0.9
    assert scores["box", "box-iou"] > 0.85
    assert scores["mask", "miou"] > 0.9
