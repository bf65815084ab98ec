import numpy as np
import pytest
import torch
from real_data import needs, trained, whole
from torch.testing import assert_close

from equipoise.lab.cases import CASES, coffee_leaf, with_losses
from equipoise.lab.cases.coffee_leaf import REGIONS, list_leaves, read_masks, read_pictures
from equipoise.missing import MISSING

Image = pytest.importorskip("PIL.Image")
HEADER = "id,predominant_stress,miner,rust,phoma,cercospora,severity"


def picture(path, colour, mode="RGB"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, (256, 128), colour).save(path)


def write(folder):
    """Leaves 1 to 6 with masks, two in each split; 7 to 30 without. Whole leaves are green, crops blue."""
    rows = [HEADER, *(f"{n},{n % 6},0,0,0,0,{n % 5}" for n in range(1, 31))]
    drawn, cropped = folder / "segmentation" / "dataset", folder / "classification" / "dataset"
    for n in range(1, 31):
        picture(cropped / "leaf" / f"{n}.jpg", (0, 0, 8 * n))
    for n, split in zip(range(1, 7), ["train", "train", "val", "val", "test", "test"], strict=True):
        picture(drawn / "images" / split / f"{n}.jpg", (0, 30 * n, 0))
        mask = np.zeros((128, 256, 3), dtype=np.uint8)
        mask[64:] = REGIONS["leaf"]
        mask[96:, 128:] = REGIONS["symptom"]
        path = drawn / "annotations" / split / f"{n}_mask.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(mask).save(path)
    (drawn / "dataset.csv").write_text("\n".join(rows))
    (cropped / "dataset-full.csv").write_text("\n".join(rows))
    return folder


def test_labels_masks_and_splits_are_those_of_the_files(tmp_path):
    leaves = list_leaves(write(tmp_path))
    assert [int(leaf.picture.stem) for leaf in leaves] == [1, 2, 3, 4, 5, 6]
    assert [leaf.split for leaf in leaves] == ["train"] * 2 + ["validation"] * 2 + ["test"] * 2
    assert [leaf.stress for leaf in leaves] == [1, 2, 3, 4, MISSING, 0]  # 5 is undetermined
    assert [leaf.severity for leaf in leaves] == [1, 2, 3, 4, 0, 1]
    mask = read_masks(leaves, 4, 8)[0]
    assert mask.tolist() == [[0] * 8, [0] * 8, [1] * 8, [1] * 4 + [2] * 4]
    pictures = read_pictures(leaves, 4, 8)
    assert pictures.shape == (6, 3, 4, 8)
    assert_close(pictures[:, 1].float().mean(dim=(1, 2)), torch.arange(30.0, 181.0, 30.0), atol=3, rtol=0)


def test_a_crop_never_meets_a_mask(tmp_path):
    leaves = list_leaves(write(tmp_path), all_pictures=True)
    assert [int(leaf.picture.stem) for leaf in leaves] == list(range(1, 31))
    for leaf in leaves:
        whole_leaf = "segmentation" in leaf.picture.parts
        assert whole_leaf == (leaf.mask is not None) == (int(leaf.picture.stem) <= 6)
    assert {leaf.split for leaf in leaves[6:]} == {"train", "validation", "test"}
    masks = read_masks(leaves, 4, 8)
    assert (masks[6:] == MISSING).all()
    assert (masks[:6] != MISSING).all()


def test_missing_masks_and_stresses_are_absent_labels(tmp_path):
    case = coffee_leaf(write(tmp_path), all_pictures=True)
    inputs, targets = whole(case, "train")
    losses = case.tasks.losses(case.model(case.tasks.names)(inputs), targets)
    assert losses.counts["mask"] == 2 * 32 * 64
    assert losses.counts["severity"] == len(inputs)
    assert losses.counts["stress"] == len(inputs) - int((targets["stress"] == MISSING).sum())
    assert losses.counts["stress"] < len(inputs)


def test_heads_have_the_shapes_of_their_tasks_and_seeds_are_shared(tmp_path):
    case = coffee_leaf(write(tmp_path))
    inputs, targets = whole(case, "test")
    torch.manual_seed(1)
    model = case.model(case.tasks.names).eval()
    outputs = model(inputs)
    assert {name: tuple(output.shape) for name, output in outputs.items()} == {
        "stress": (2, 5),
        "severity": (2, 4),
        "mask": (2, 3, 32, 64),
    }
    assert targets["mask"].shape == (2, 32, 64)
    for name in case.tasks.names:
        torch.manual_seed(1)
        for key, value in case.model([name]).state_dict().items():
            assert torch.equal(value, model.state_dict()[key])


def test_a_height_is_another_case(tmp_path):
    case = coffee_leaf(write(tmp_path), height=8)
    inputs, targets = whole(case, "test")
    assert inputs.shape[2:] == targets["mask"].shape[1:] == case.model(["mask"])(inputs)["mask"].shape[2:] == (8, 16)
    assert case.name == "coffee-leaf-8"
    assert coffee_leaf(tmp_path, all_pictures=True, height=8).name == "coffee-leaf-all-8"
    with pytest.raises(ValueError, match="height must be 4 or more, got 3"):
        coffee_leaf(tmp_path, height=3)


def test_where_all_of_a_pixels_channels_are_below_zero_its_mask_is_still_learnt(tmp_path):
    head = coffee_leaf(write(tmp_path)).model(["mask"]).head("mask")
    assert not any(isinstance(module, torch.nn.ReLU) for module in head.modules())


def test_losses_by_name_and_their_mixture(tmp_path):
    case = coffee_leaf(write(tmp_path))
    logits, target = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    loss = {
        name: with_losses(case, {"mask": name}).tasks["mask"].loss(logits, target)
        for name in ("cross-entropy", "dice", "cross-entropy-dice:proportion=0.2")
    }
    assert_close(case.tasks["mask"].loss(logits, target), (loss["cross-entropy"] + loss["dice"]) / 2)
    mixed = 0.8 * loss["cross-entropy"] + 0.2 * loss["dice"]
    assert_close(loss["cross-entropy-dice:proportion=0.2"], mixed)
    assert_close(loss["cross-entropy"], torch.nn.functional.cross_entropy(logits, target))
    assert list(case.losses) == ["stress", "mask"]


def break_table(folder):
    path = folder / "segmentation" / "dataset" / "dataset.csv"
    path.write_text(path.read_text().replace("2,2,0,0,0,0,2", "2,2,0,0,0,0,9"))


def repeat_a_leaf(folder):
    path = folder / "segmentation" / "dataset" / "dataset.csv"
    path.write_text(path.read_text() + "\n1,1,0,0,0,0,1")


def colour_a_mask(folder):
    picture(folder / "segmentation" / "dataset" / "annotations" / "val" / "3_mask.png", (1, 2, 3))


def lose_a_mask(folder):
    (folder / "segmentation" / "dataset" / "annotations" / "val" / "3_mask.png").unlink()


def spoil_a_picture(folder):
    (folder / "segmentation" / "dataset" / "images" / "train" / "1.jpg").write_bytes(b"no jpeg")


def empty_a_split(folder):
    for path in (folder / "segmentation" / "dataset" / "images" / "test").iterdir():
        path.unlink()


def name_a_picture(folder):
    (folder / "segmentation" / "dataset" / "images" / "test" / "leaf.jpg").write_bytes(b"")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (break_table, r"dataset\.csv row 3, column 'severity': '9' is none of 0, 1"),
        (repeat_a_leaf, r"dataset\.csv, column 'id': must be unique"),
        (colour_a_mask, r"3_mask\.png: must have the colours .*, got \(1, 2, 3\)"),
        (lose_a_mask, r"3_mask\.png is missing; .*lara2018"),
        (spoil_a_picture, r"1\.jpg is no picture"),
        (empty_a_split, r"test holds no pictures; .*lara2018"),
        (name_a_picture, r"leaf\.jpg: must be called by a leaf's number"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, spoil, message):
    spoil(write(tmp_path))
    with pytest.raises(ValueError, match=message):
        coffee_leaf(tmp_path)


@needs("coffee-leaf")
def test_on_the_real_pictures_most_masks_are_missing():
    leaves = list_leaves(coffee_folder(), all_pictures=True)
    assert len(leaves) == 1747
    assert sum(leaf.mask is not None for leaf in leaves) == 500
    official = list_leaves(coffee_folder())
    assert [sum(leaf.split == split for leaf in official) for split in ("train", "validation", "test")] == [400, 50, 50]


def coffee_folder():
    from equipoise.lab.data.folder import data_folder

    return data_folder("coffee-leaf", "")


@needs("coffee-leaf")
@pytest.mark.slow
def test_on_the_real_pictures_it_learns_all_three(tmp_path):
    scores = trained(CASES["coffee-leaf"](), 0, tmp_path)
    assert scores["mask", "miou"] > 0.70
    assert scores["stress", "accuracy"] > 0.60
    assert scores["severity", "level-mae-cumulative"] < 0.55
