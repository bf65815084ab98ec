import pytest
import torch
from torch import nn
from torch.testing import assert_close

import equipoise as eq
from equipoise import losses
from equipoise.losses.suggest import suggest
from equipoise.losses.suggest.labels import class_weights
from equipoise.losses.suggest.suggestion import Call, Suggestion
from equipoise.losses.suggest.values import Spread


def draw(seed=0):
    return torch.Generator().manual_seed(seed)


def classes(*counts):
    """So many of class 0, of class 1, ..."""
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


def labels(samples, *counts):
    """[samples, L], so many positives of each label, spread over the samples."""
    columns = [torch.arange(samples).roll(place) < count for place, count in enumerate(counts)]
    return torch.stack(columns, dim=1).float()


def with_gaps(targets, share=0.2, seed=1):
    gaps = torch.rand(targets.shape, generator=draw(seed)) < share
    return targets.masked_fill(gaps, torch.nan if targets.is_floating_point() else -100)


NORMAL = torch.randn(2000, generator=draw())
HEAVY = torch.distributions.Cauchy(0.0, 1.0).icdf(torch.linspace(0.001, 0.999, 2000))
PIXELS = torch.rand(4, 12, 12, generator=draw())
TARGETS = {  # what is planted -> task, targets
    "balanced binary": ("binary", (torch.arange(200) % 2).float()),
    "rare binary": ("binary", (torch.arange(200) % 40 == 0).float()),
    "rare binary column": ("binary", (torch.arange(200) % 40 == 0)[:, None].float()),
    "rare binary, gaps": ("binary", with_gaps((torch.arange(400) % 40 == 0).float())),
    "integer binary, gaps": ("binary", with_gaps((torch.arange(400) % 40 == 0).long())),
    "boolean binary": ("binary", torch.arange(200) % 40 == 0),
    "one-sided binary": ("binary", torch.zeros(50)),
    "balanced classes": ("multiclass", classes(50, 40, 30)),
    "unequal classes": ("multiclass", classes(900, 300, 30)),
    "long tail": ("multiclass", classes(5000, 300, 20)),
    "absent class": ("multiclass", classes(900, 0, 30)),
    "classes, gaps": ("multiclass", with_gaps(classes(900, 300, 30))),
    "one-hot": ("multiclass", nn.functional.one_hot(classes(900, 300, 30)).float()),
    "balanced one-hot": ("multiclass", nn.functional.one_hot(classes(30, 30, 30)).float()),
    "shares": ("multiclass", torch.rand(100, 4, generator=draw()).softmax(dim=1)),
    "balanced labels": ("multilabel", labels(200, 80, 90, 100)),
    "rare labels": ("multilabel", labels(1000, 300, 50, 25)),
    "many negatives": ("multilabel", labels(1000, 30, 50, 25, 20)),
    "integer labels": ("multilabel", labels(1000, 300, 50, 25).long()),
    "labels, gaps": ("multilabel", with_gaps(labels(1000, 300, 50, 25))),
    "integer labels, gaps": ("multilabel", with_gaps(labels(1000, 300, 50, 25).long())),
    "label without positives": ("multilabel", labels(1000, 300, 0)),
    "levels": ("ordinal", classes(30, 50, 20, 10)),
    "levels, gaps": ("ordinal", with_gaps(classes(30, 50, 20, 10))),
    "normal": ("regression", NORMAL),
    "normal columns": ("regression", NORMAL.reshape(-1, 2) * torch.tensor([1.0, 500.0])),
    "normal column": ("regression", NORMAL[:, None]),
    "normal, gaps": ("regression", with_gaps(NORMAL)),
    "heavy": ("regression", 300 * HEAVY),
    "heavy, gaps": ("regression", with_gaps(300 * HEAVY)),
    "ratios": ("regression", (2 * NORMAL).exp()),
    "ratios, gaps": ("regression", with_gaps((2 * NORMAL).exp())),
    "heavy ratios": ("regression", HEAVY.clamp(-30, 30).exp()),
    "counts": ("regression", torch.poisson(torch.full((500,), 6.0), generator=draw())),
    "integer counts": ("regression", torch.poisson(torch.full((500,), 6.0), generator=draw()).long()),
    "amounts": ("regression", torch.arange(0, 10_000, 7)),
    "stars": ("regression", torch.arange(100) % 5 + 1.0),
    "shares of one": ("regression", torch.rand(200, generator=draw())),
    "half zeros": ("regression", NORMAL.where(NORMAL > 0.2, 0.0)),
    "constant": ("regression", torch.full((20,), 3.0)),
    "constant columns": ("regression", torch.tensor([[1.0, 2.0]]).repeat(20, 1)),
    "integer ratios": ("regression", (3 * NORMAL).exp().ceil().long()),
    "one class": ("multiclass", torch.zeros(50, dtype=torch.long)),
    "rooms": ("depth", 1 + 9 * PIXELS),
    "streets": ("depth", (80 * PIXELS**2).clamp(min=0.5)[:, None]),
    "streets, gaps": ("depth", with_gaps((80 * PIXELS**2).clamp(min=0.5))),
    "streets, zeros": ("depth", (80 * PIXELS**2).where(PIXELS > 0.2, 0.0)),
    "large regions": ("segmentation", (PIXELS < 0.4).long()),
    "small regions": ("segmentation", (PIXELS < 0.02).long() + 2 * (PIXELS > 0.7)),
    "small regions, gaps": ("segmentation", with_gaps((PIXELS < 0.02).long())),
    "large masks": ("segmentation", (PIXELS < 0.4)[:, None].float()),
    "small masks": ("segmentation", torch.stack([PIXELS < 0.02, PIXELS > 0.6], dim=1).float()),
    "boolean masks": ("segmentation", torch.stack([PIXELS < 0.02, PIXELS > 0.6], dim=1)),
    "small masks, gaps": ("segmentation", with_gaps((PIXELS < 0.02)[:, None].float())),
    "empty masks": ("segmentation", torch.zeros(2, 1, 4, 4)),
    "tokens": ("sequence", torch.arange(200).reshape(10, 20) % 7),
    "tokens, gaps": ("sequence", with_gaps(torch.arange(200).reshape(10, 20) % 7)),
}
planted = pytest.mark.parametrize("name", TARGETS)


def suggestions(name):
    task, targets = TARGETS[name]
    return suggest(task=task, targets=targets)


def first(name):
    return suggestions(name)[0]


def names(name):
    return [suggestion.name for suggestion in suggestions(name)]


def output_for(suggestion, targets):
    """Random outputs of the shape that the suggestion says."""
    shape = suggestion.output.split("[")[1].split("]")[0].split(", ")
    sizes = [len(targets) if size in "NB" else targets.shape[1] if size == "T" else int(size) for size in shape]
    output = torch.randn(sizes, generator=draw(5))
    return (output.exp() if suggestion.output.startswith("positive") else output).requires_grad_()


def as_told(suggestion, targets):
    """Targets after what the reasons ask for."""
    told = "\n".join(reason for reason in suggestion.reasons)
    if suggestion.name == "Masked" and targets.dtype in (torch.int64, torch.bool):
        targets = targets.float().masked_fill(targets == -100, torch.nan)
    if "targets.log()" in told:
        targets = targets.log()
    if "targets.where(targets > 0, torch.nan)" in told:
        targets = targets.where(targets > 0, torch.nan)
    binary = {"BCEWithLogitsLoss", "BinaryFocalLoss", "AsymmetricLoss", "SoftF1Loss", "BinaryFocalTverskyLoss"}
    numbers = {"MSELoss", "L1Loss", "HuberLoss", "PoissonNLLLoss"}
    if suggestion.name in binary | numbers or "BinaryDiceLoss" in suggestion.code:
        targets = targets.float()
    return targets


@planted
def test_what_is_suggested_trains_and_is_its_code(name):
    """Forward and backward on the shape that is said, as the pasted expression does."""
    _, targets = TARGETS[name]
    for suggestion in suggestions(name):
        output, told = output_for(suggestion, targets), as_told(suggestion, targets)
        loss = suggestion.loss(output, told)
        loss.backward()
        assert loss.isfinite()
        assert output.grad.isfinite().all()
        pasted = eval(suggestion.code, {"eq": eq, "nn": nn, "torch": torch})
        assert type(pasted) is type(suggestion.loss)
        assert torch.equal(pasted(output, told), loss)
        assert suggestion.reasons


@planted
def test_no_target_is_changed(name):
    task, targets = TARGETS[name]
    before = targets.clone()
    suggest(task=task, targets=targets)
    assert_close(targets, before, equal_nan=True, rtol=0, atol=0)


# -- labels


def test_rare_positives_weigh_negatives_over_positives():
    # 5 of 200 are positive
    suggestion = first("rare binary")
    assert suggestion.code == "nn.BCEWithLogitsLoss(pos_weight=torch.tensor(39.0))"
    assert "2.5% of 200 labels are positive" in suggestion.reasons
    assert names("rare binary") == ["BCEWithLogitsLoss", "BinaryFocalLoss", "BCEWithLogitsLoss"]
    assert suggestions("rare binary")[-1].code == "nn.BCEWithLogitsLoss()"


@pytest.mark.parametrize(
    ("positives", "weighted"), [(110, False), (100, True), (1000, True), (1100, True), (990, False)]
)
def test_imbalance_begins_at_ten_to_one_either_way(positives, weighted):
    targets = (torch.arange(1100) < positives).float()
    assert ("pos_weight" in suggest(task="binary", targets=targets)[0].code) == (weighted and positives < 1100)


def test_few_negatives_weigh_too():
    targets = (torch.arange(420) < 400).float()
    assert suggest(task="binary", targets=targets)[0].code == "nn.BCEWithLogitsLoss(pos_weight=torch.tensor(0.05))"


def test_one_sided_labels_have_nothing_to_teach():
    assert names("one-sided binary") == ["BCEWithLogitsLoss"]
    assert any("never occurs" in reason for reason in first("one-sided binary").reasons)


def test_rare_labels_weigh_by_their_own_odds():
    # 300, 50 and 25 of 1000 are positive: 700 / 300, 950 / 50, 975 / 25
    suggestion = first("rare labels")
    assert suggestion.code == "nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.33, 19.0, 39.0]))"
    assert suggestion.reasons[0] == "0.38 of 3 labels are positive in a sample; label 2 in 25 of 1000"


def test_odds_are_those_of_the_labels_that_are_there():
    targets = labels(1000, 300, 20)
    targets[500:] = torch.nan  # no positive among them
    odds = [200 / 300, 480 / 20]
    suggestion = suggest(task="multilabel", targets=targets)[0]
    assert isinstance(suggestion.loss, losses.Masked)
    assert_close(suggestion.loss.loss.pos_weight, torch.tensor(odds), rtol=5e-3, atol=0)
    assert any("50.0% of the labels are missing" in reason for reason in suggestion.reasons)


def test_a_weight_has_an_end():
    suggestion = suggest(task="multilabel", targets=labels(1000, 400, 2))[0]
    assert_close(suggestion.loss.pos_weight, torch.tensor([1.5, 100.0]))
    assert any("cut at 100" in reason for reason in suggestion.reasons)
    assert any("fewer than 20 samples of label 1" in reason for reason in suggestion.reasons)


def test_a_label_without_positives_weighs_one():
    targets = labels(1000, 30, 0, 700)
    suggestion = suggest(task="multilabel", targets=targets)[0]
    assert_close(suggestion.loss.pos_weight, torch.tensor([32.3, 1.0, 0.429]))
    assert any("no sample of label 1" in reason for reason in suggestion.reasons)


def test_many_negatives_take_the_asymmetric_loss_first():
    # 125 of 4000
    assert names("many negatives") == ["AsymmetricLoss", "BCEWithLogitsLoss", "BCEWithLogitsLoss", "SoftF1Loss"]
    assert "96.9% of all labels are negative" in first("many negatives").reasons[-1]
    assert "pos_weight" in suggestions("many negatives")[1].code


def test_balanced_labels_take_the_plain_loss():
    assert names("balanced labels") == ["BCEWithLogitsLoss", "SoftF1Loss"]
    assert first("balanced labels").code == "nn.BCEWithLogitsLoss()"


def test_labels_that_exclude_each_other_are_noticed():
    targets = nn.functional.one_hot(classes(50, 50, 50)).float()
    reasons = suggest(task="multilabel", targets=targets)[0].reasons
    assert any("task='multiclass'" in reason for reason in reasons)
    assert not any("task='multiclass'" in reason for reason in first("rare labels").reasons)


# -- classes


def test_equal_classes_take_the_plain_loss():
    assert first("balanced classes").code == "nn.CrossEntropyLoss()"
    assert "not imbalanced: no weights needed" in first("balanced classes").reasons


def test_unequal_classes_take_adjusted_logits_or_weights():
    assert names("unequal classes") == ["LogitAdjustedLoss", "CrossEntropyLoss", "FocalLoss", "CrossEntropyLoss"]
    adjusted, weighted, _, plain = suggestions("unequal classes")
    assert adjusted.code == "eq.losses.LogitAdjustedLoss(class_counts=torch.tensor([900, 300, 30]))"
    # 1230 samples / (3 classes · count)
    assert weighted.code == "nn.CrossEntropyLoss(weight=torch.tensor([0.456, 1.37, 13.7]))"
    assert plain.code == "nn.CrossEntropyLoss()"


def test_a_long_tail_takes_effective_numbers():
    counts = torch.tensor([5000, 300, 20])
    effective = (1 - 0.999 ** counts.double()) / (1 - 0.999)  # Cui et al., eq. (2)
    expected = 1 / effective / (counts / effective).sum() * counts.sum()
    weights = suggestions("long tail")[1].loss.weight
    assert_close(weights, expected.float(), rtol=5e-3, atol=0)
    assert weights[2] / weights[0] < 250  # what inverse frequency would be


@pytest.mark.parametrize("counts", [(900, 300, 30), (5000, 300, 20), (900, 0, 30)])
def test_weights_are_one_on_average_over_the_samples(counts):
    counts = torch.tensor(counts)
    weights = class_weights(counts)
    assert_close((weights * counts).sum() / counts.sum(), torch.tensor(1.0), rtol=1e-2, atol=0)
    assert (weights[counts == 0] == 1).all()


def test_missing_classes_are_not_counted():
    targets = TARGETS["classes, gaps"][1]
    counts = [(targets == place).sum().item() for place in range(3)]
    adjusted, *_ = suggest(task="multiclass", targets=targets)
    assert adjusted.loss.class_counts.tolist() == counts
    assert any("-100, missing" in reason for reason in adjusted.reasons)


def test_another_ignored_class_is_passed_on():
    for suggestion in suggest(task="multiclass", targets=classes(900, 300, 30) - 1, ignore_index=-1):
        assert "ignore_index=-1" in suggestion.code
        assert suggestion.loss.ignore_index == -1


def test_classes_that_are_not_there_are_named():
    suggestion = suggest(task="multiclass", targets=classes(30, 30, 0, 20), num_classes=6)[0]
    assert suggestion.output == "logits [N, 6]"
    assert any("no sample of class 2, 4, 5" in reason for reason in suggestion.reasons)


def test_few_samples_are_named():
    assert any(
        "fewer than 20 samples of class 2" in r
        for r in suggest(task="multiclass", targets=classes(99, 99, 19))[0].reasons
    )
    assert not any("fewer" in r for r in suggest(task="multiclass", targets=classes(99, 99, 20))[0].reasons)


def test_one_class_has_nothing_to_teach():
    assert any("nothing to learn" in reason for reason in first("one class").reasons)
    assert not any("nothing to learn" in reason for reason in first("absent class").reasons)


def test_one_hot_rows_are_noticed():
    assert any("targets.argmax(dim=1)" in reason for reason in first("one-hot").reasons)
    assert first("one-hot").code == suggestions("unequal classes")[1].code
    assert not any("argmax" in reason for reason in first("shares").reasons)


def test_levels_take_losses_of_levels():
    assert names("levels") == ["CoralLoss", "CornLoss", "CrossEntropyLoss"]
    assert first("levels").output.startswith("logits [N, 3]")
    assert suggestions("levels")[-1].output == "logits [N, 4]"


def test_missing_levels_take_the_loss_that_ignores_them():
    assert names("levels, gaps") == ["CrossEntropyLoss"]
    assert any("leave those samples out" in reason for reason in first("levels, gaps").reasons)


def test_tokens_take_the_loss_of_sequences():
    assert first("tokens").code == "eq.losses.SequenceCrossEntropyLoss()"
    assert first("tokens").output == "logits [B, T, 7]"
    vocabulary = suggest(task="sequence", targets=TARGETS["tokens"][1], num_classes=50)[0]
    assert vocabulary.output == "logits [B, T, 50]"
    assert len(vocabulary.reasons) == 1
    assert any("missing" in reason for reason in first("tokens, gaps").reasons)


# -- numbers


def test_normal_numbers_take_squares():
    assert names("normal") == ["MSELoss", "L1Loss"]
    assert first("normal, gaps").code == 'eq.losses.Masked(nn.MSELoss(reduction="none"))'


def test_heavy_tails_take_huber_then_the_adaptive_one():
    assert names("heavy") == ["HuberLoss", "AdaptiveRobustLoss", "L1Loss", "MSELoss"]
    # the median absolute deviation of 300 Cauchy's is 300; robust deviation 300 / .6745 = 445, times 1.345
    assert first("heavy").loss.delta == pytest.approx(1.345 * 300 / 0.6745, rel=0.01)
    assert suggestions("heavy")[1].loss.scale == pytest.approx(300 / 0.6745, rel=0.01)
    # |Cauchy| > 5 / .6745 = 7.41: 2 atan(1 / 7.41) / pi = 8.54 %, less the cut .2 %, of .998
    assert first("heavy").reasons[-1].startswith("8.4")


def test_a_few_wild_values_are_enough_and_one_in_ten_thousand_is_not():
    targets = torch.cat([NORMAL, torch.tensor([60.0, -80.0, 90.0])])
    assert suggest(task="regression", targets=targets)[0].name == "HuberLoss"
    many = torch.cat([torch.randn(20_000, generator=draw(2)), torch.tensor([60.0, -80.0])])
    assert suggest(task="regression", targets=many)[0].name == "MSELoss"


def test_spread_is_column_by_column():
    columns = torch.stack([NORMAL, 1000 * NORMAL], dim=1)
    from equipoise.losses.suggest.kinds import look

    spread = Spread.of(look(columns, None, -100))
    assert spread.outliers == 0
    assert_close(spread.deviation, columns.double().std(dim=0, unbiased=False))
    assert_close(spread.robust, spread.deviation, rtol=0.05, atol=0)


def test_orders_of_magnitude_take_logarithms():
    assert names("ratios") == ["MSELoss", "PoissonNLLLoss", "L1Loss"]
    assert any("targets.log()" in reason for reason in first("ratios").reasons)
    assert "logarithm" in first("ratios").output
    assert names("heavy ratios")[0] == "HuberLoss"
    shifted = suggest(task="regression", targets=(2 * NORMAL).exp() - 1e-2)  # one is below 0 now
    assert not any("log()" in reason for suggestion in shifted for reason in suggestion.reasons)


def test_counts_take_poissons_likelihood():
    for name in ("counts", "integer counts"):
        assert first(name).code == "nn.PoissonNLLLoss()"
    assert names("amounts") == ["MSELoss", "PoissonNLLLoss", "L1Loss"]


def test_a_few_whole_numbers_may_be_levels():
    assert names("stars")[0] == "MSELoss"
    assert any("5 whole numbers in a row" in reason for reason in first("stars").reasons)


def test_shares_may_take_logits():
    assert names("shares of one") == ["MSELoss", "L1Loss", "BCEWithLogitsLoss"]


def test_units_are_noticed():
    assert any("standard deviation" in reason for reason in first("heavy").reasons)
    assert any("columns' deviations differ 5" in reason for reason in first("normal columns").reasons)
    assert not any("deviation" in reason for reason in first("normal").reasons)


def test_half_zeros_are_noticed():
    assert any("half of the values are 0" in reason for reason in first("half zeros").reasons)


def test_a_column_is_told_from_a_vector():
    assert any("the output must be [N, 1] too" in reason for reason in first("normal column").reasons)
    assert not any("broadcast" in reason for reason in first("normal").reasons)


def test_constant_targets_have_nothing_to_teach():
    assert first("constant").reasons == ("all targets are 3: there is nothing to learn",)


def test_a_constant_column_is_noticed():
    assert any("a column never changes" in reason for reason in first("constant columns").reasons)


def test_integers_are_asked_for_as_floats():
    for name in ("integer counts", "integer ratios", "integer labels"):
        assert "the loss takes floats: give targets.float()" in first(name).reasons
    gaps = "give targets.float().masked_fill(targets == -100, torch.nan)"
    assert any(gaps in reason for reason in first("integer labels, gaps").reasons)


def test_minus_one_hundred_is_a_number_among_numbers():
    targets = torch.arange(-150, 50)
    for given in (targets, targets.float()):
        assert any("200 numbers" in reason for reason in suggest(task="regression", targets=given)[0].reasons)


def test_depths_indoors_take_errors_outdoors_ratios():
    assert names("rooms") == ["L1Loss", "BerHuLoss", "SILogLoss"]
    assert names("streets") == ["SILogLoss", "L1Loss", "BerHuLoss"]
    for name in ("streets, gaps", "streets, zeros"):
        assert names(name) == ["SILogLoss", "Masked", "Masked"]
        assert any("have no reading" in reason for reason in first(name).reasons)


# -- images


def test_small_regions_take_dice_beside_cross_entropy():
    suggestion = first("small regions")
    assert suggestion.code == (
        'eq.losses.Mixed({"ce": (1.0, nn.CrossEntropyLoss()), "dice": (1.0, eq.losses.DiceLoss())})'
    )
    share = (PIXELS < 0.02).float().mean().item()
    assert f"class 1, the smallest, fills {share:.2%} of the pixels" in suggestion.reasons[0]
    assert names("large regions") == ["CrossEntropyLoss", "Mixed"]


def test_small_masks_take_dice_beside_binary_cross_entropy():
    suggestion = first("small masks")
    assert suggestion.code == (
        'eq.losses.Mixed({"bce": (1.0, nn.BCEWithLogitsLoss()), "dice": (1.0, eq.losses.BinaryDiceLoss())})'
    )
    assert names("large masks") == ["BCEWithLogitsLoss", "Mixed"]
    share = [(PIXELS < 0.02).double().mean().item(), (PIXELS > 0.6).double().mean().item()]
    weight = suggestions("small masks")[2].loss.pos_weight
    assert weight.shape == (2, 1, 1)
    assert_close(weight.flatten().double(), torch.tensor([(1 - p) / p for p in share]).double(), rtol=5e-3, atol=0)


def test_the_number_of_images_with_a_class_is_said():
    targets = torch.zeros(5, 8, 8, dtype=torch.long)
    targets[1, 0, 0] = targets[4, 0, :2] = 2
    reasons = suggest(task="segmentation", targets=targets)[0].reasons
    assert any("class 2, the smallest" in reason and "in 2 of 5 images" in reason for reason in reasons)
    assert any("no pixel of class 1" in reason for reason in reasons)
    masks = torch.stack([targets == 1, targets == 2], dim=1).float()
    reasons = suggest(task="segmentation", targets=masks)[0].reasons
    assert any("label 1, the smallest" in reason and "in 2 of 5 images" in reason for reason in reasons)
    assert any("no pixel of label 0" in reason for reason in reasons)


# -- the kind


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("rare binary", "binary"),
        ("rare binary column", "binary"),
        ("integer binary, gaps", "binary"),
        ("boolean binary", "binary"),
        ("unequal classes", "multiclass"),
        ("classes, gaps", "multiclass"),
        ("one-hot", "multiclass"),
        ("shares", "multiclass"),
        ("rare labels", "multilabel"),
        ("labels, gaps", "multilabel"),
        ("integer labels, gaps", "multilabel"),
        ("normal", "regression"),
        ("heavy, gaps", "regression"),
        ("normal column", "regression"),
        ("stars", "regression"),
        ("amounts", "regression"),
        ("rooms", "depth"),
        ("small regions", "segmentation"),
        ("small masks", "segmentation"),
        ("boolean masks", "segmentation"),
        ("tokens", "sequence"),
        ("tokens, gaps", "sequence"),
    ],
)
def test_the_kind_is_guessed_and_said(name, task):
    _, targets = TARGETS[name]
    guessed, given = suggest(targets=targets), suggest(task=task, targets=targets)
    assert guessed[0].reasons[0].startswith(f"no task given: {task}, for ")
    assert guessed[0].reasons[1:] == given[0].reasons
    assert [suggestion.code for suggestion in guessed] == [suggestion.code for suggestion in given]


MANY = labels(100, 10, 20, 30, 10)
MISFITS = [
    (
        {"task": "multiclass", "targets": MANY},
        r"in \[0, 1\] with 4 columns: task='multilabel' fits, 'multiclass' does",
    ),
    ({"task": "binary", "targets": MANY}, r"task='multilabel' fits, 'binary' does not"),
    ({"task": "multilabel", "targets": NORMAL.reshape(-1, 2)}, r"floats in .* with 2 columns: task='regression' fits"),
    ({"task": "multilabel", "targets": classes(5, 5, 5)}, r"integers in \[0, 2\] .*task='multiclass' fits"),
    ({"task": "segmentation", "targets": classes(5, 5, 5)}, r"task='multiclass' fits, 'segmentation' does not"),
    ({"task": "sequence", "targets": classes(5, 5, 5)}, r"task='multiclass' fits, 'sequence' does not"),
    ({"task": "regression", "targets": torch.ones(3).bool()}, r"booleans .*task='binary' fits"),
    ({"task": "multiclass", "targets": classes(5, 5, 5).float()}, r"classes are integers: give targets\.long\(\)"),
    ({"task": "multiclass", "targets": classes(5, 5, 5)[:, None]}, r"classes are \[N\]: squeeze\(1\) them"),
    (
        {"task": "multiclass", "targets": classes(5, 5, 5) - 1},
        r"stands for a missing label: pass ignore_index=-1",
    ),
    (
        {"task": "multiclass", "targets": classes(5, 5, 5), "num_classes": 2},
        r"num_classes=2 leaves room for classes 0 to 1",
    ),
    ({"task": "multiclass", "targets": classes(5, 5, 5), "num_classes": 0}, r"num_classes must be at least 1, got 0"),
    ({"task": "multiclass", "targets": 10**9 * classes(5, 5)}, r"without gaps: number them, as torch\.unique"),
    ({"task": "ordinal", "targets": classes(5, 5, 5) + 1}, r"levels count from 0: give targets - 1$"),
    ({"task": "ordinal", "targets": classes(5, 5, 5) + 1.0}, r"give \(targets - 1\)\.long\(\)"),
    (
        {"task": "ordinal", "targets": with_gaps(classes(9, 9, 9) + 1.0)},
        r"give \(targets - 1\)\.nan_to_num\(-100\)\.long\(\)",
    ),
    ({"task": "depth", "targets": NORMAL}, r"depth is floats in images"),
    ({"task": "depth", "targets": NORMAL.reshape(20, 10, 10)}, r"depth is positive; task='regression'"),
    ({"task": "depth", "targets": torch.zeros(2, 4, 4)}, r"all are 0"),
    ({"task": "segmentation", "targets": torch.ones(2, 1, 4, 4).long()}, r"squeeze\(1\)"),
    ({"task": "segmentation", "targets": torch.ones(2, 4, 4)}, r"unsqueeze\(1\)"),
    ({"task": "gan", "targets": NORMAL}, r"do not decide on a loss for task='gan': see equipoise losses --task gan"),
    ({"task": "multilabl", "targets": MANY}, r"no kind of task 'multilabl'; did you mean 'multilabel'\?"),
    ({"targets": [0, 1]}, r"targets must be a tensor, got list: torch.as_tensor"),
    ({"targets": torch.zeros(0)}, r"targets are empty: give those of the training set"),
    ({"targets": torch.tensor(1.0)}, r"targets must be real, batch first"),
    ({"targets": torch.full((3,), torch.nan)}, r"all missing"),
    ({"targets": torch.tensor([1.0, torch.inf])}, r"targets must be finite, got inf: set them to NaN"),
]


@pytest.mark.parametrize(("arguments", "message"), MISFITS)
def test_targets_that_do_not_fit_are_told_what_does(arguments, message):
    with pytest.raises(ValueError, match=message):
        suggest(**arguments)


# -- in print


def test_a_suggestion_reads_well():
    suggestion = first("rare binary")
    assert str(suggestion).splitlines() == [
        "loss = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(39.0))",
        "    takes logits of the targets' shape, [N]",
        *(f"    - {reason}" for reason in suggestion.reasons),
    ]
    assert repr(suggestion) == "Suggestion(nn.BCEWithLogitsLoss(pos_weight=torch.tensor(39.0)))"


def test_long_weights_are_cut_in_print_only():
    targets = torch.cat([torch.arange(40).repeat(10), torch.zeros(500, dtype=torch.long)])
    weighted = suggest(task="multiclass", targets=targets)[1]
    assert "40 numbers in .code" in str(weighted)
    assert len(str(weighted).splitlines()[0]) < 200
    assert len(eval(weighted.code, {"nn": nn, "torch": torch}).weight) == 40


def test_code_is_written_as_it_was_called():
    inner = Call(nn.L1Loss, reduction="none")
    suggestion = Suggestion.of(Call(losses.Masked, inner, fill=1.0), "anything", "why")
    assert suggestion.code == 'eq.losses.Masked(nn.L1Loss(reduction="none"), fill=1.0)'
    assert suggestion.name == "Masked"
    assert suggestion.loss.fill == 1.0


def test_it_is_reached_from_the_front_door():
    assert eq.losses.suggest is suggest


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        (torch.tensor([0, 1, 2, -1] * 9), "targets hold -1.*ignore_index=-1"),
        (torch.tensor([[0.0, 1.0], [-1.0, 1.0]] * 9), "targets hold -1.*masked_fill"),
        (torch.tensor([0, 1, 2, 255] * 9).view(1, 6, 6), "targets hold 255.*ignore_index=255"),
        (torch.tensor([-1.0, 1.0] * 9), r"targets are -1 and 1: pass \(targets > 0\)"),
        (torch.zeros(4, dtype=torch.uint8), r"targets are torch.uint8.*targets\.long\(\)"),
    ],
)
def test_numbers_that_stand_for_something_else_are_asked_about(targets, message):
    with pytest.raises(ValueError, match=message):
        eq.losses.suggest(targets=targets)


def test_shares_and_years_are_numbers():
    draw = torch.Generator().manual_seed(0)
    for targets in (torch.rand(100, 4, generator=draw), torch.randint(1990, 2020, (500,), generator=draw)):
        assert "regression" in eq.losses.suggest(targets=targets)[0].reasons[0]
