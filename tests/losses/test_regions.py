"""Overlap losses equal their definitions by one-hot targets, and 1 - their metrics in the hard limit."""

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses import (
    BinaryDiceLoss,
    BinaryFocalTverskyLoss,
    BinaryJaccardLoss,
    BinaryTverskyLoss,
    DiceLoss,
    FocalTverskyLoss,
    GeneralisedDiceLoss,
    JaccardLoss,
    TverskyLoss,
    binary_dice,
    binary_focal_tversky,
    binary_jaccard,
    binary_tversky,
    dice,
    focal_tversky,
    generalised_dice,
    jaccard,
    lovasz_hinge,
    tversky,
)


def classes(n, generator):
    logits = 2 * torch.randn(n, 4, 5, generator=generator, dtype=torch.float64)
    return logits, torch.randint(4, (n, 5), generator=generator)


def images(n, generator, num_classes=4):
    """With a class that is absent, and pixels that are ignored."""
    logits = 2 * torch.randn(n, num_classes, 2, 4, generator=generator, dtype=torch.float64)
    targets = torch.randint(num_classes - 1, (n, 2, 4), generator=generator)
    return logits, targets.masked_fill(torch.rand(n, 2, 4, generator=generator) < 0.2, -100)


def vectors(n, generator):
    logits, targets = classes(n, generator)
    return logits[..., 0], targets[:, 0]


def labels(n, generator):
    logits = 2 * torch.randn(n, 3, 2, 5, generator=generator, dtype=torch.float64)
    return logits, torch.randint(2, (n, 3, 2, 5), generator=generator).double()


CASES = [
    Case("dice", dice, classes, elementwise=False),
    Case("dice, per sample", dice, images, keywords={"per_sample": True}, elementwise=False),
    Case("dice of vectors", dice, vectors, elementwise=False),
    Case("generalised dice", generalised_dice, images, elementwise=False),
    Case("jaccard, smooth", jaccard, images, keywords={"smooth": 0.5}, elementwise=False),
    Case("tversky", tversky, images, elementwise=False),
    Case("focal tversky", focal_tversky, classes, elementwise=False),
    Case("binary dice", binary_dice, labels, elementwise=False),
    Case("binary jaccard, per sample", binary_jaccard, labels, keywords={"per_sample": True}, elementwise=False),
    Case("binary tversky, smooth", binary_tversky, labels, keywords={"smooth": 1.0}, elementwise=False),
    Case("binary focal tversky", binary_focal_tversky, labels, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)


def one_hot_counts(logits, targets, ignore_index=-100):
    """TP, Σ p, Σ t of a list of pixels [S, C], [S]."""
    pixels = [(z, t) for z, t in zip(logits, targets, strict=True) if t != ignore_index]
    hits, predicted, actual = torch.zeros(3, logits.shape[1], dtype=torch.float64)
    for z, t in pixels:
        p, one_hot = z.exp() / z.exp().sum(), F.one_hot(t, len(z))
        hits, predicted, actual = hits + p * one_hot, predicted + p, actual + one_hot
    return hits, predicted, actual


def by_definition(index, logits, targets, per_sample):
    """1 - the mean index over the classes present; of each sample, and their mean, or of the batch."""
    pixels = logits.movedim(1, -1).flatten(1, -2), targets.flatten(1)
    rows = list(zip(*pixels, strict=True)) if per_sample else [tuple(part.flatten(0, 1) for part in pixels)]
    values = []
    for z, t in rows:
        hits, predicted, actual = one_hot_counts(z, t)
        if actual.any():
            values.append(index(hits, predicted, actual))
    return torch.stack(values).mean()


def mean_loss(score, power=1.0):
    def index(hits, predicted, actual):
        return ((1 - score(hits, predicted, actual)) ** power)[actual > 0].mean()

    return index


def tversky_index(alpha, beta, smooth=0.0):
    return lambda hits, predicted, actual: (
        (hits + smooth) / (hits + alpha * (predicted - hits) + beta * (actual - hits) + smooth)
    )


def generalised(hits, predicted, actual):
    weights = torch.where(actual > 0, 1 / actual**2, 0)
    return 1 - 2 * (weights * hits).sum() / (weights * (predicted + actual)).sum()


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize(
    ("loss", "index"),
    [
        (dice, mean_loss(lambda hits, predicted, actual: 2 * hits / (predicted + actual))),
        (jaccard, mean_loss(lambda hits, predicted, actual: hits / (predicted + actual - hits))),
        (tversky, mean_loss(tversky_index(0.3, 0.7))),
        (focal_tversky, mean_loss(tversky_index(0.3, 0.7), power=3 / 4)),
        (generalised_dice, generalised),
    ],
)
def test_they_are_their_definitions(loss, index, per_sample):
    logits, targets = images(4, torch.Generator().manual_seed(1))
    targets[1] = -100  # a sample of which nothing counts
    assert_close(loss(logits, targets, per_sample=per_sample), by_definition(index, logits, targets, per_sample))


def test_arguments_enter_where_the_formula_has_them():
    logits, targets = images(4, torch.Generator().manual_seed(2))
    expected = by_definition(mean_loss(tversky_index(0.9, 0.2, smooth=3.0), power=1 / 2.5), logits, targets, False)
    assert_close(focal_tversky(logits, targets, alpha=0.9, beta=0.2, gamma=2.5, smooth=3.0), expected)
    expected = by_definition(mean_loss(tversky_index(0.9, 0.2, smooth=3.0)), logits, targets, False)
    assert_close(tversky(logits, targets, alpha=0.9, beta=0.2, smooth=3.0), expected)
    expected = by_definition(mean_loss(tversky_index(0.5, 0.5, smooth=3.0)), logits, targets, False)
    assert_close(dice(logits, targets, smooth=3.0), expected)
    expected = by_definition(mean_loss(tversky_index(1.0, 1.0, smooth=3.0)), logits, targets, False)
    assert_close(jaccard(logits, targets, smooth=3.0), expected)


PAIRS = [
    (dice, binary_dice, {}),
    (jaccard, binary_jaccard, {"smooth": 0.3}),
    (tversky, binary_tversky, {"alpha": 0.2, "beta": 0.9}),
    (focal_tversky, binary_focal_tversky, {"alpha": 0.2, "beta": 0.9, "gamma": 2.0, "smooth": 0.1}),
]


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize(("loss", "binary", "keywords"), PAIRS)
def test_two_classes_are_two_labels_that_exclude_each_other(loss, binary, keywords, per_sample):
    """p_1 = sigmoid(z_1 - z_0), p_0 = sigmoid(z_0 - z_1)."""
    generator = torch.Generator().manual_seed(12)
    logits = torch.randn(3, 2, 4, 5, generator=generator, dtype=torch.float64)
    targets = torch.randint(2, (3, 4, 5), generator=generator)
    differences = logits - logits.flip(1)
    expected = binary(differences, F.one_hot(targets, 2).movedim(-1, 1).double(), per_sample=per_sample, **keywords)
    assert_close(loss(logits, targets, per_sample=per_sample, **keywords), expected)


MULTI_CLASS = [dice, generalised_dice, jaccard, tversky, focal_tversky]
BINARY = [binary_dice, binary_jaccard, binary_tversky, binary_focal_tversky]


@pytest.mark.parametrize("loss", MULTI_CLASS)
def test_what_is_ignored_is_as_if_removed(loss):
    logits, targets = classes(6, torch.Generator().manual_seed(3))
    ignored = targets.clone()
    ignored[:, :2], ignored[4] = 9, 9
    rest = [0, 1, 2, 3, 5]
    for per_sample in (False, True):
        expected = loss(logits[rest, :, 2:], targets[rest, 2:], per_sample=per_sample)
        assert_close(loss(logits, ignored, ignore_index=9, per_sample=per_sample), expected)


@pytest.mark.parametrize("loss", MULTI_CLASS)
def test_a_class_may_be_ignored(loss):
    logits, targets = classes(6, torch.Generator().manual_seed(11))
    for per_sample in (False, True):
        expected = loss(logits, targets.where(targets != 1, -100), per_sample=per_sample)
        assert_close(loss(logits, targets, ignore_index=1, per_sample=per_sample), expected)


@pytest.mark.parametrize("loss", BINARY)
def test_what_is_masked_is_as_if_removed(loss):
    logits, targets = labels(6, torch.Generator().manual_seed(4))
    mask = torch.ones_like(targets, dtype=torch.bool)
    mask[..., :2], mask[4] = False, False
    rest = [0, 1, 2, 3, 5]
    for per_sample in (False, True):
        expected = loss(logits[rest][..., 2:], targets[rest][..., 2:], per_sample=per_sample)
        assert_close(loss(logits, targets, mask=mask, per_sample=per_sample), expected)


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("loss", MULTI_CLASS)
def test_nothing_that_counts_is_0_with_a_gradient_of_0(loss, per_sample):
    logits, targets = classes(3, torch.Generator().manual_seed(5))
    logits.requires_grad_()
    value = loss(logits, torch.full_like(targets, -100), per_sample=per_sample)
    (gradient,) = torch.autograd.grad(value, logits)
    assert value == 0
    assert (gradient == 0).all()


@pytest.mark.parametrize("per_sample", [False, True])
@pytest.mark.parametrize("loss", BINARY)
def test_absent_labels_cost_nothing(loss, per_sample):
    logits, targets = labels(3, torch.Generator().manual_seed(6))
    logits.requires_grad_()
    targets[:, 1] = 0
    value = loss(logits, targets, per_sample=per_sample)
    (gradient,) = torch.autograd.grad(value, logits)
    assert_close(value, loss(logits[:, [0, 2]], targets[:, [0, 2]], per_sample=per_sample))
    assert (gradient[:, 1] == 0).all()
    assert (gradient[:, 0] != 0).all()
    for nothing in (loss(logits, 0 * targets), loss(logits, targets, mask=targets > 1)):
        (gradient,) = torch.autograd.grad(nothing, logits)
        assert nothing == 0
        assert (gradient == 0).all()


@pytest.mark.parametrize("loss", MULTI_CLASS)
def test_absent_classes_cost_through_the_others(loss):
    """Mass moved to a class without target pixels is missing where it belongs."""
    logits, targets = torch.zeros(2, 3, 8, dtype=torch.float64), torch.arange(16).view(2, 8) % 2
    towards_absent = logits.clone()
    towards_absent[:, 2] += 2
    assert loss(towards_absent, targets) > loss(logits, targets)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
@pytest.mark.parametrize("loss", [*MULTI_CLASS, *BINARY])
def test_limits_and_their_gradients(loss, dtype):
    """All right is 0, all wrong is 1, certain or not to the last bit; the gradient is finite."""
    for certainty in (20.0, 1e3, 3e4):
        targets = torch.tensor([[0, 1, 0, 1, 1]])
        right = F.one_hot(targets, 2).movedim(-1, 1)
        logits = (certainty * (2 * right - 1)).to(dtype)
        chosen = right.to(dtype) if loss in BINARY else targets
        for sign, expected in ((1, 0.0), (-1, 1.0)):
            given = (sign * logits).requires_grad_()
            value = loss(given, chosen)
            (gradient,) = torch.autograd.grad(value, given)
            assert_close(value.item(), expected, atol=1e-5, rtol=0)
            assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("loss", "metric"),
    [
        (dice, lambda tp, fp, fn: 2 * tp / (2 * tp + fp + fn)),
        (jaccard, lambda tp, fp, fn: tp / (tp + fp + fn)),
        (tversky, lambda tp, fp, fn: tp / (tp + 0.3 * fp + 0.7 * fn)),
    ],
)
def test_the_hard_limit_is_1_minus_the_metric(loss, metric):
    decisions, targets = torch.randint(5, (2, 3, 40), generator=torch.Generator().manual_seed(7))
    scores = []
    for c in range(5):
        told, true = decisions == c, targets == c
        scores.append(metric((told & true).sum(), (told & ~true).sum(), (~told & true).sum()))
    logits = 1e3 * F.one_hot(decisions, 5).movedim(-1, 1).double()
    assert_close(loss(logits, targets), 1 - torch.stack(scores).mean(dtype=torch.float64))


def test_the_batch_is_one_region_and_a_sample_another():
    """The same half of the class's pixels hit, but in one image all and in the other none."""
    logits = torch.tensor([[[1e3]], [[-1e3]]]).expand(2, 1, 4)
    targets = torch.tensor([[[1.0]], [[1.0]]]).expand(2, 1, 4)
    assert_close(binary_dice(logits, targets).item(), 1 - 2 * 4 / (4 + 8))
    assert_close(binary_dice(logits, targets, per_sample=True).item(), (0.0 + 1.0) / 2)
    assert_close(binary_dice(logits, targets.clone().index_fill_(0, torch.tensor(1), 0), per_sample=True).item(), 0.0)


def test_large_images_are_summed_to_the_last_digits():
    """A running sum of 300 000 probabilities in float32 is off in the third digit."""
    logits = torch.tensor([7.0, 0.0]).view(1, 2, 1).expand(1, 2, 300_000)
    for ones in (0, 1000):
        targets = (torch.arange(300_000) < ones).long().unsqueeze(0)
        assert_close(dice(logits, targets), dice(logits.double(), targets).float(), rtol=0, atol=2e-6)


def test_all_routes_to_the_sums_agree(monkeypatch):
    logits, targets = images(3, torch.Generator().manual_seed(8))
    logits.requires_grad_()
    for chosen in (targets, targets.clamp(min=0)):
        value = dice(logits, chosen)
        gradient = torch.autograd.grad(value, logits)
        with monkeypatch.context() as patch:
            patch.setattr("equipoise.losses.regions.sees_values", lambda tensor: False)
            blind = dice(logits, chosen)
            assert_close(blind, value)
            assert_close(torch.autograd.grad(blind, logits), gradient)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            assert_close(dice(logits.float(), chosen), value.float())


@pytest.mark.parametrize(
    ("module", "loss", "keywords"),
    [
        (DiceLoss, dice, {"per_sample": True, "smooth": 0.5, "ignore_index": 1}),
        (GeneralisedDiceLoss, generalised_dice, {"per_sample": True, "ignore_index": 1}),
        (JaccardLoss, jaccard, {"per_sample": True, "smooth": 0.5, "ignore_index": 1}),
        (TverskyLoss, tversky, {"alpha": 0.2, "beta": 0.9, "per_sample": True, "smooth": 0.5, "ignore_index": 1}),
        (
            FocalTverskyLoss,
            focal_tversky,
            {"gamma": 2.0, "alpha": 0.2, "beta": 0.9, "per_sample": True, "smooth": 0.5, "ignore_index": 1},
        ),
        (BinaryDiceLoss, binary_dice, {"per_sample": True, "smooth": 0.5}),
        (BinaryJaccardLoss, binary_jaccard, {"per_sample": True, "smooth": 0.5}),
        (BinaryTverskyLoss, binary_tversky, {"alpha": 0.2, "beta": 0.9, "per_sample": True, "smooth": 0.5}),
        (
            BinaryFocalTverskyLoss,
            binary_focal_tversky,
            {"gamma": 2.0, "alpha": 0.2, "beta": 0.9, "per_sample": True, "smooth": 0.5},
        ),
    ],
)
def test_modules_are_their_functions(module, loss, keywords):
    shown = ", ".join(f"{name}={value!r}" for name, value in keywords.items())
    assert repr(module(**keywords)) == f"{module.__name__}({shown})"
    if loss in BINARY:
        logits, targets = labels(4, torch.Generator().manual_seed(10))
        mask = torch.rand_like(targets) < 0.7
        assert_close(module(**keywords)(logits, targets, mask), loss(logits, targets, mask=mask, **keywords))
        assert_close(module()(logits, targets), loss(logits, targets))
    else:
        arguments = classes(4, torch.Generator().manual_seed(10))
        assert_close(module(**keywords)(*arguments), loss(*arguments, **keywords))
        assert_close(module()(*arguments), loss(*arguments))


@pytest.mark.parametrize("loss", [binary_dice, binary_focal_tversky, lovasz_hinge])
def test_what_a_mask_hides_may_be_anything(loss):
    logits, targets = labels(3, torch.Generator().manual_seed(11))
    mask = torch.rand(targets.shape, generator=torch.Generator().manual_seed(12)) < 0.7
    hidden = targets.masked_fill(~mask, torch.nan)
    assert_close(loss(logits, hidden, mask=mask), loss(logits, targets, mask=mask))


LOGITS, TARGETS = torch.randn(4, 3, 5), torch.arange(20).view(4, 5) % 3
MASKS = torch.ones(4, 3, 5)
MISUSES = [
    (lambda: dice(LOGITS, MASKS), r"targets must be class indices in int64.*argmax"),
    (lambda: dice(LOGITS, TARGETS[:, None]), r"targets must have shape \[N, ...\] = \(4, 5\)"),
    (lambda: jaccard(LOGITS, TARGETS + 1), r"targets must be classes 0 to 2, got 3"),
    (lambda: generalised_dice(LOGITS.softmax(1), TARGETS), r"logits are probabilities.*before softmax"),
    (lambda: tversky(LOGITS, TARGETS, alpha=-0.1), r"alpha must lie in \[0, inf\), got -0.1"),
    (lambda: tversky(LOGITS, TARGETS, beta=-0.1), r"beta must lie in \[0, inf\), got -0.1"),
    (lambda: focal_tversky(LOGITS, TARGETS, gamma=0.0), r"gamma must lie in \(0, inf\), got 0.0"),
    (lambda: dice(LOGITS, TARGETS, smooth=-1.0), r"smooth must lie in \[0, inf\), got -1.0"),
    (lambda: binary_dice(LOGITS, TARGETS.float()), r"logits and targets must have the same shape"),
    (lambda: binary_dice(LOGITS, MASKS.long()), r"targets must be floating point.*\.float"),
    (lambda: binary_jaccard(LOGITS, 255 * MASKS), r"targets must lie in \[0, 1\], got 255: give labels 0 or 1"),
    (lambda: binary_dice(LOGITS[0, 0], MASKS[0, 0]), r"logits must have shape \[N, L, ...\] \(one label: unsqueeze"),
    (lambda: binary_tversky(LOGITS, MASKS, mask=MASKS), r"mask must be bool.*\.bool"),
    (lambda: binary_tversky(LOGITS, MASKS, mask=MASKS[:, :1] > 0), r"mask and logits must have the same shape"),
    (lambda: binary_tversky(LOGITS, MASKS, mask=[True]), r"mask must be a tensor, got list"),
    (lambda: DiceLoss(smooth=-1.0), r"smooth must lie in \[0, inf\), got -1.0"),
    (lambda: TverskyLoss(beta=-1.0), r"beta must lie in \[0, inf\), got -1.0"),
    (lambda: FocalTverskyLoss(gamma=0.0), r"gamma must lie in \(0, inf\), got 0.0"),
    (lambda: BinaryFocalTverskyLoss(alpha=-1.0), r"alpha must lie in \[0, inf\), got -1.0"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
