from dataclasses import replace

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.lab import diagnostics as ex
from equipoise.lab.diagnostics.classification import diagnostics_by_loss
from equipoise.lab.metrics.table import metric

CLASSES = ("cat", "dog", "owl")


def seen(outputs, targets, tasks, samples=None):
    return ex.Predictions(nn.Identity(), eq.Tasks(tasks), outputs, targets, samples, list)


@pytest.fixture
def animals():
    """Five labelled samples and one without a label; dogs are never predicted, owls never true."""
    predicted = torch.tensor([0, 0, 0, 2, 0, 1])
    true = torch.tensor([0, 0, 1, 1, 1, -100])
    logits = 5.0 * nn.functional.one_hot(predicted, 3)
    return seen({"kind": logits}, {"kind": true}, [eq.Task("kind", nn.CrossEntropyLoss())])


def test_confusion_counts_pairs_of_true_and_said(animals):
    matrix = ex.confusion("kind", CLASSES, ex.largest).show(animals)
    assert matrix.counts == ((2, 0, 0), (2, 0, 1), (0, 0, 0))
    assert matrix.shares == ((1.0, 0.0, 0.0), (2 / 3, 0.0, 1 / 3), (None, None, None))
    assert (matrix.row_title, matrix.rows) == ("true", CLASSES)


def test_the_sum_of_confusions_is_the_confusion_of_all_their_samples():
    generator = torch.Generator().manual_seed(1)
    logits, true = torch.randn(30, 3, generator=generator), torch.randint(3, (30,), generator=generator)
    task = eq.Task("kind", nn.CrossEntropyLoss())
    show = ex.confusion("kind", CLASSES, ex.largest).show
    parts = [show(seen({"kind": logits[part]}, {"kind": true[part]}, [task])) for part in (slice(7), slice(7, 30))]
    whole = show(seen({"kind": logits}, {"kind": true}, [task]))
    assert ex.sum_of_confusions(parts) == replace(whole, note=f"{whole.note} Summed over 2 seeds.")


def test_matrices_of_other_shares_or_classes_have_no_sum(animals):
    of_animals = ex.confusion("kind", CLASSES, ex.largest).show(animals)
    of_others = ex.confusion("kind", CLASSES[::-1], ex.largest).show(animals)
    columnwise = replace(of_animals, shares=((0.5, None, 0.0), (0.5, None, 1.0), (0.0, None, 0.0)))
    for pair in ((of_animals, of_others), (of_animals, columnwise), (columnwise, columnwise)):
        assert ex.sum_of_confusions(pair) is None


def test_scores_of_classes_are_their_definitions(animals):
    table = ex.class_table("kind", CLASSES, ex.largest).show(animals)
    assert table.columns == ("kind", "precision", "recall", "F1", "support")
    assert table.rows == (
        ("cat", 0.5, 1.0, pytest.approx(2 / 3), 2),
        ("dog", None, 0.0, 0.0, 3),  # never predicted
        ("owl", 0.0, None, 0.0, 0),  # never true
    )


def test_scores_of_regions_are_their_definitions_and_their_mean_is_the_metric():
    generator = torch.Generator().manual_seed(0)
    logits, true = torch.randn(4, 3, 6, 5, generator=generator), torch.randint(3, (4, 6, 5), generator=generator)
    true[0] = -100
    masks = seen({"mask": logits}, {"mask": true}, [eq.Task("mask", nn.CrossEntropyLoss())])
    table = ex.region_table("mask", CLASSES).show(masks)
    assert table.columns == ("mask", "IoU", "precision", "recall", "pixels")
    predicted = logits.argmax(dim=1)[1:]
    for region, row in enumerate(table.rows):
        said, are = predicted == region, true[1:] == region
        both, either = (said & are).sum().item(), (said | are).sum().item()
        expected = (both / either, both / said.sum().item(), both / are.sum().item(), are.sum().item())
        assert row == (CLASSES[region], *map(pytest.approx, expected))
    miou = metric("miou", num_classes=3)
    miou.update(logits, true)
    assert float(miou.compute()) == pytest.approx(sum(row[1] for row in table.rows) / 3)


def test_tokens_are_counted_one_by_one(animals):
    """[B, T, V] and [B, T]: the same table as of their tokens, and what follows from the loss counts V classes."""
    tagger = eq.losses.PerToken(nn.CrossEntropyLoss())
    sentences = seen(
        {"kind": animals.outputs["kind"].view(3, 2, 3)},
        {"kind": animals.targets["kind"].view(3, 2)},
        [eq.Task("kind", tagger)],
    )
    for show in (ex.confusion, ex.class_table):
        assert show("kind", CLASSES, ex.largest).show(sentences) == show("kind", CLASSES, ex.largest).show(animals)
    matrix, _ = diagnostics_by_loss(sentences)
    assert matrix.show(sentences).counts == ((2, 0, 0), (2, 0, 1), (0, 0, 0))


def test_pixels_of_masks_are_counted_and_levels_read():
    logits = torch.zeros(1, 2, 2, 2)
    logits[0, 1, 0] = 1.0  # the upper row is predicted to be class 1
    masks = seen(
        {"mask": logits}, {"mask": torch.tensor([[[1, 0], [0, -100]]])}, [eq.Task("mask", nn.CrossEntropyLoss())]
    )
    assert ex.confusion("mask", ("a", "b"), ex.largest, "pixels").show(masks).counts == ((1, 1), (0, 1))
    levels = seen(
        {"level": torch.tensor([[3.0, 1.0], [3.0, -1.0]])},
        {"level": torch.tensor([2, 0])},
        [eq.Task("level", eq.losses.CoralLoss())],
    )
    counts = ex.confusion("level", ("0", "1", "2"), ex.level("cumulative")).show(levels).counts
    assert counts == ((0, 1, 0), (0, 0, 0), (0, 0, 1))


def test_binary_outputs_are_cut_at_one_half():
    task = eq.Task("ill", nn.BCEWithLogitsLoss())
    one = seen({"ill": torch.tensor([0.1, -0.1, 9.0])}, {"ill": torch.tensor([1.0, 1.0, torch.nan])}, [task])
    assert ex.confusion("ill", ("no", "yes"), ex.above_half).show(one).counts == ((0, 0), (1, 1))


@pytest.fixture
def labels():
    """Three labels of four samples, a fourth label of another task that is not known of the last sample."""
    many = torch.tensor([[1.0, 1, 0], [1, 0, 0], [0, 0, 0], [1, 1, 0]])
    one = torch.tensor([1.0, 0.0, 1.0, torch.nan])
    tasks = [eq.Task("many", nn.BCEWithLogitsLoss()), eq.Task("one", nn.BCEWithLogitsLoss())]
    return seen({"many": 2 * many - 1.5, "one": torch.ones(4)}, {"many": many, "one": one}, tasks)


def test_overlap_is_the_share_among_samples_where_both_are_known(labels):
    matrix = ex.label_cooccurrence(("many", "one"), "abcd").show(labels)
    assert matrix.counts == ((3, 2, 0, 1), (2, 2, 0, 1), (0, 0, 0, 0), (1, 1, 0, 2))
    assert matrix.shares == (
        (1.0, 2 / 3, 0.0, 1 / 2),
        (1.0, 1.0, 0.0, 1.0),
        (None, None, None, None),
        (1 / 2, 1 / 2, 0.0, 1.0),
    )


def test_overlap_of_what_is_said_is_on_the_same_samples(labels):
    predicted = ex.predicted_cooccurrence(("many", "one"), "abcd").show(labels)  # many as it is; one always
    assert predicted.counts[3] == (2, 1, 0, 3)
    assert predicted.counts[0] == (3, 2, 0, 2)


def test_tasks_share_the_samples_that_have_labels_of_both(labels):
    matrix = ex.labelled_together(("many", "one")).show(labels)
    assert matrix.counts == ((4, 3), (3, 3))
    assert matrix.shares == ((1.0, 3 / 4), (1.0, 1.0))


def test_scores_of_labels_follow_their_thresholds(labels):
    at_half = ex.label_table(("many", "one"), "abcd").show(labels)
    assert at_half.rows[:2] == (("a", 1.0, 1.0, 1.0, 3), ("b", 1.0, 1.0, 1.0, 2))
    assert at_half.rows[2:] == (("c", None, None, None, 0), ("d", 2 / 3, 1.0, 0.8, 2))
    never = ex.label_table(("many",), "abc", lambda logits, labels: torch.full((3,), torch.inf)).show(labels)
    assert never.rows[0] == ("a", None, 0.0, 0.0, 3)
    assert "chosen on these same samples" in never.note


def test_the_loss_says_what_is_shown_and_classes_and_labels_are_called_by_their_numbers(labels):
    tasks = [*labels.tasks, eq.Task("level", eq.losses.CoralLoss()), eq.Task("size", nn.MSELoss())]
    outputs = {**labels.outputs, "level": torch.zeros(4, 2), "size": torch.ones(4)}
    targets = {**labels.targets, "level": torch.tensor([0, 1, 2, 2]), "size": torch.ones(4)}
    view = seen(outputs, targets, tasks)
    names = {
        one.name: [row if isinstance(row, str) else row[0] for row in one.show(view).rows]
        for one in diagnostics_by_loss(view)
    }
    assert names == {
        "many-labels": ["0", "1", "2"],
        "label-cooccurrence": ["0", "1", "2"],
        "one-confusion": ["0", "1"],
        "one-classes": ["0", "1"],
        "level-confusion": ["0", "1", "2"],  # a level more than there are thresholds
        "level-classes": ["0", "1", "2"],
    }


def test_one_label_has_no_other_to_occur_with():
    task = eq.Task("ill", nn.BCEWithLogitsLoss())
    column = seen({"ill": torch.zeros(2, 1)}, {"ill": torch.ones(2, 1)}, [task])
    assert [one.name for one in diagnostics_by_loss(column)] == ["ill-labels"]


def describe(seen, place):
    return ex.Card((f"sample {place}", f"predicted {int(seen.outputs['kind'][place].argmax())}"))


def test_worst_samples_have_the_largest_losses_and_first_samples_come_first(animals):
    worst = ex.worst_samples("kind", describe, count=2).show(animals)
    losses = nn.functional.cross_entropy(animals.outputs["kind"][:5], animals.targets["kind"][:5], reduction="none")
    assert [card.lines[0] for card in worst.cards] == ["sample 2", "sample 3"]
    assert worst.cards[0].lines[2] == f"loss {losses[2]:.3g}, mean {losses.mean():.3g}"
    first = ex.first_samples(("kind",), describe, count=9).show(animals)
    assert [card.lines[0] for card in first.cards] == [f"sample {i}" for i in range(5)]


def test_inputs_are_collated_as_the_model_takes_them(animals):
    samples = [(torch.tensor(i), {}) for i in range(6)]

    def collate(some):
        return torch.stack([inputs for inputs, _ in some]), {}

    view = ex.Predictions(animals.model, animals.tasks, animals.outputs, animals.targets, samples, collate)
    assert view.inputs([4, 1]).tolist() == [4, 1]
