import numpy as np
import pytest
import torch

from equipoise.lab.metrics import metric, metric_names, takes_size

DRAW = torch.Generator().manual_seed(0)
LOGITS, CLASSES = torch.randn(200, 4, generator=DRAW), torch.randint(4, (200,), generator=DRAW)
SCORES, BITS = torch.randn(200, generator=DRAW), torch.randint(2, (200,), generator=DRAW)
MANY, MANY_BITS = torch.randn(200, 3, generator=DRAW), torch.randint(2, (200, 3), generator=DRAW)
VALUES, TARGETS = torch.randn(200, generator=DRAW), torch.randn(200, generator=DRAW)


def value(name, outputs, targets, **options):
    made = metric(name, **options)
    for part in (slice(60), slice(60, None)):
        made.update(outputs[part], targets[part])
    return made.compute().numpy()


@pytest.mark.parametrize("average", ["micro", "macro", "weighted"])
@pytest.mark.parametrize("name", ["precision", "recall", "f1"])
def test_averages_are_those_of_scikit_learn(name, average):
    theirs = getattr(pytest.importorskip("sklearn.metrics"), f"{name}_score")
    mine = value(f"{name}-{average}", LOGITS, CLASSES, num_classes=4)
    assert mine == pytest.approx(theirs(CLASSES, LOGITS.argmax(1), average=average), rel=1e-6)
    mine = value(f"{name}-{average}", MANY, MANY_BITS, num_labels=3)
    assert mine == pytest.approx(theirs(MANY_BITS, MANY > 0, average=average), rel=1e-6)
    assert value(name, SCORES, BITS) == pytest.approx(theirs(BITS, SCORES > 0), rel=1e-6)


def test_rankings_are_those_of_scikit_learn():
    theirs = pytest.importorskip("sklearn.metrics")
    assert value("auroc", SCORES, BITS) == pytest.approx(theirs.roc_auc_score(BITS, SCORES), rel=1e-6)
    assert value("average-precision", SCORES, BITS) == pytest.approx(
        theirs.average_precision_score(BITS, SCORES), rel=1e-6
    )
    assert value("average-precision", MANY, MANY_BITS, num_labels=3) == pytest.approx(
        theirs.average_precision_score(MANY_BITS, MANY), rel=1e-6
    )
    softmax = LOGITS.double().softmax(1)
    assert value("auroc", LOGITS, CLASSES, num_classes=4) == pytest.approx(
        theirs.roc_auc_score(CLASSES, softmax, multi_class="ovr"), rel=1e-6
    )


def test_counts_are_those_of_scikit_learn():
    theirs = pytest.importorskip("sklearn.metrics")
    guess = LOGITS.argmax(1)
    assert value("accuracy", LOGITS, CLASSES, num_classes=4) == pytest.approx(theirs.accuracy_score(CLASSES, guess))
    assert value("miou", LOGITS, CLASSES, num_classes=4) == pytest.approx(
        theirs.jaccard_score(CLASSES, guess, average="macro")
    )
    assert value("iou", SCORES, BITS) == pytest.approx(theirs.jaccard_score(BITS, SCORES > 0))
    np.testing.assert_array_equal(
        value("confusion-matrix", LOGITS, CLASSES, num_classes=4), theirs.confusion_matrix(CLASSES, guess)
    )
    assert value("quadratic-kappa-classes", LOGITS, CLASSES, num_classes=4) == pytest.approx(
        theirs.cohen_kappa_score(CLASSES, guess, weights="quadratic"), rel=1e-5
    )


def test_numbers_by_numpy():
    errors = (VALUES - TARGETS).double().numpy()
    assert value("mse", VALUES, TARGETS) == pytest.approx((errors**2).mean(), rel=1e-6)
    assert value("rmse", VALUES, TARGETS) == pytest.approx((errors**2).mean() ** 0.5, rel=1e-6)
    assert value("mae", VALUES, TARGETS) == pytest.approx(abs(errors).mean(), rel=1e-6)
    spread = ((TARGETS - TARGETS.mean()) ** 2).double().sum().item()
    assert value("r2", VALUES, TARGETS) == pytest.approx(1 - (errors**2).sum() / spread, rel=1e-5)


def test_levels_by_hand():
    levels, true = torch.arange(4), torch.tensor([0, 3, 1, 0])  # off by 0, 2, 1, 3
    for form, outputs in (("", levels), ("-classes", torch.eye(4)[levels])):
        for name, expected in (("level-mae", 1.5), ("within-one-level", 0.5)):
            made = metric(name + form)
            made.update(outputs[:3], true[:3])
            made.update(outputs[3:], true[3:])
            assert made.compute().item() == pytest.approx(expected), name


def test_miou_is_of_the_whole_set_not_the_mean_over_batches():
    # class 0: 1 of 2, then absent; class 1: 0 of 1, then 2 of 2: in all 1/2 and 2/3
    made = metric("miou", num_classes=2)
    made.update(torch.eye(2)[[0, 0]], torch.tensor([0, 1]))
    made.update(torch.eye(2)[[1, 1]], torch.tensor([1, 1]))
    assert made.compute().item() == pytest.approx((1 / 2 + 2 / 3) / 2)


def test_calibration_error_is_its_definition():
    # Guo et al. 2017 eq. (3), 15 bins of the largest probability
    probabilities, guess = LOGITS.double().softmax(1).numpy(), LOGITS.argmax(1).numpy()
    sure, right = probabilities.max(1), guess == CLASSES.numpy()
    bins = np.minimum((sure * 15).astype(int), 14)
    gaps = [(bins == b).mean() * abs(right[bins == b].mean() - sure[bins == b].mean()) for b in np.unique(bins)]
    assert value("calibration-error", LOGITS, CLASSES, num_classes=4) == pytest.approx(sum(gaps), rel=1e-5)


@pytest.mark.parametrize(("name", "score"), [("rouge-1", 4 / 7), ("rouge-2", 0.0), ("rouge-l", 2 / 7)])
def test_rouge_by_hand(name, score):
    # of 3 and 4 words, 2 in common, in no pair, and 1 in order: F1 = 2 · common / (3 + 4)
    made = metric(name)
    made.update(["My name is"], ["Is your name John"])
    assert made.compute().item() == pytest.approx(score)


def perfect_pair(name):
    """Outputs and targets of a faultless network."""
    if name.startswith("depth"):
        return [torch.rand(3, 1, 4, 4, generator=DRAW) + 1] * 2
    if name.startswith("normals"):
        return [torch.randn(3, 3, 4, 4, generator=DRAW)] * 2
    if name in ("bleu", "rouge-1", "rouge-2", "rouge-l"):
        return [["one two three four five"]] * 2
    if name.startswith("map@") or name == "centre-map":
        boxes = torch.tensor([[[0.0, 1, 1, 4, 5], [1, 6, 2, 9, 8]]])
        return torch.nn.functional.pad(boxes, (0, 1), value=0.9), boxes
    if name == "box-iou":
        return [1 + torch.rand(2, 4, 3, 3, generator=DRAW)] * 2
    if name.startswith("recall@"):
        return torch.eye(5), torch.arange(5)
    if name in ("mse", "rmse", "mae", "r2"):
        return VALUES, VALUES
    if name.endswith("-cumulative"):
        return torch.where(torch.arange(3) < CLASSES[:, None], 1.0, -1.0), CLASSES
    if name.endswith("-conditional"):
        return torch.where(torch.arange(3) < CLASSES[:, None], 9.0, -9.0), CLASSES
    if name in ("level-mae", "within-one-level", "quadratic-kappa"):
        return CLASSES, CLASSES
    if takes_size(name) or name.endswith("-classes"):
        return 1000 * torch.eye(4)[CLASSES], CLASSES
    raise AssertionError(name)


@pytest.mark.parametrize("name", metric_names())
def test_a_faultless_network_has_the_perfect_value(name):
    options = {"num_classes": 4} if takes_size(name) else {}
    options |= {"recall@k": {"k": 2}, "centre-map": {"distance": 1}}.get(name, {})
    outputs, targets = perfect_pair(name)
    if name in ("precision", "recall", "f1", "iou"):
        options, outputs, targets = {}, 1000.0 * (2 * BITS - 1), BITS
    made = metric(name, **options)
    made.update(outputs, targets)
    if name == "confusion-matrix":
        assert made.higher_is_better is None
        assert torch.equal(made.compute(), torch.diag(torch.bincount(CLASSES)))
        return
    assert isinstance(made.higher_is_better, bool)
    values = made.compute().flatten().tolist()  # of names with -none one for each class
    assert values == pytest.approx([made.perfect] * len(values), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("f1-makro", {"num_classes": 3}, "no metric 'f1-makro'; did you mean 'f1-macro'?"),
        ("f1-macro", {}, "'f1-macro' is for one of several classes .num_classes. or several labels at once .* 'f1'"),
        (
            "f1",
            {"num_classes": 3},
            "'f1' is for labels 0 or 1; for one of several classes .* 'f1-micro', 'f1-macro', 'f1-w",
        ),
        ("calibration-error", {"num_labels": 3}, "'calibration-error' is for labels 0 or 1 or one of several classes"),
        ("rmse", {"num_classes": 3}, "metric 'rmse': .*num_classes"),
    ],
)
def test_what_is_not_there_is_refused(name, options, message):
    with pytest.raises(ValueError, match=message):
        metric(name, **options)


def test_numbers_far_from_zero_keep_their_digits():
    theirs = pytest.importorskip("sklearn.metrics")
    targets = 1e4 + torch.randn(256, generator=DRAW)
    outputs = targets + 0.5 * torch.randn(256, generator=DRAW)
    expected = theirs.r2_score(targets.double(), outputs.double())
    made = metric("r2")
    for rows in torch.arange(256).split(64):
        made.update(outputs[rows], targets[rows])
    assert made.compute().item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("options", [{}, {"num_labels": 2}])
def test_a_sure_network_is_ranked_by_its_logits_where_probabilities_tie(options):
    """The sigmoid of 40 and of 50 is 1 in float64."""
    logits, labels = torch.tensor([50.0, 40.0, 60.0, 0.0]), torch.tensor([1.0, 0.0, 1.0, 0.0])
    if options:
        logits, labels = logits[:, None].repeat(1, 2), labels[:, None].repeat(1, 2)
    for name in ("auroc", "average-precision"):
        made = metric(name, **options)
        made.update(logits, labels)
        assert made.compute() == 1.0


def test_an_option_that_is_given_is_taken_in_place_of_the_names_own():
    exact = metric("within-one-level", distance=0)
    exact.update(torch.tensor([1.0, 2.0]), torch.tensor([1, 1]))
    assert exact.compute() == 0.5
