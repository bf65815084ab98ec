"""Sequence cross-entropy is torch's over the tokens that count, and z-loss its own normaliser squared."""

import pytest
import torch
from laws import Case, laws_for
from torch.nn import functional as F  # noqa: N812
from torch.testing import assert_close

from equipoise.losses.sequences import SequenceCrossEntropyLoss, sequence_cross_entropy


def sequences(n, generator):
    logits = 3 * torch.randn(n, 4, 5, generator=generator, dtype=torch.float64)
    return logits, torch.randint(5, (n, 4), generator=generator)


def padded(n, generator):
    logits, targets = sequences(n, generator)
    return logits, targets.masked_fill(torch.arange(4) >= (torch.arange(n) % 5)[:, None], -100)


FULL = {"label_smoothing": 0.1, "z_loss": 0.01}
CASES = [
    Case("sequence cross-entropy", sequence_cross_entropy, sequences),
    Case("smoothed, with z-loss", sequence_cross_entropy, sequences, keywords=FULL),
    Case("padded, with z-loss", sequence_cross_entropy, padded, keywords=FULL, elementwise=False),
    Case("per sequence", sequence_cross_entropy, sequences, keywords={"per": "sequence", "z_loss": 0.01}),
    Case("padded, per sequence", sequence_cross_entropy, padded, keywords={"per": "sequence"}, elementwise=False),
]
test_laws, test_compiles = laws_for(CASES)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_without_options_it_is_torch_s_on_flattened_logits(label_smoothing):
    logits, targets = padded(9, torch.Generator().manual_seed(1))
    for reduction in ("mean", "sum"):
        expected = F.cross_entropy(
            logits.flatten(0, 1), targets.flatten(), label_smoothing=label_smoothing, reduction=reduction
        )
        actual = sequence_cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction=reduction)
        assert_close(actual, expected)
    expected = F.cross_entropy(logits.mT, targets, label_smoothing=label_smoothing, reduction="none")
    assert_close(sequence_cross_entropy(logits, targets, label_smoothing=label_smoothing, reduction="none"), expected)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_z_loss_adds_the_squared_normaliser_of_tokens_that_count(label_smoothing):
    logits, targets = padded(9, torch.Generator().manual_seed(2))
    logits.requires_grad_()
    counts = targets != -100
    squares = (logits.exp().sum(dim=2).log() ** 2)[counts]
    expected = sequence_cross_entropy(logits, targets, label_smoothing=label_smoothing) + 0.3 * squares.mean()
    actual = sequence_cross_entropy(logits, targets, label_smoothing=label_smoothing, z_loss=0.3)
    assert_close(actual, expected)
    assert_close(torch.autograd.grad(actual, logits), torch.autograd.grad(expected, logits))


def test_z_loss_of_a_far_off_normaliser_keeps_its_digits():
    """At logits of 1000 + log 4, cross-entropy is log 4 and logsumexp 1000 + 2 log 2."""
    loss = sequence_cross_entropy(torch.full((1, 1, 4), 1000.0), torch.zeros(1, 1).long(), z_loss=1.0)
    assert_close(loss.item(), 1.3862944 + 1001.3862944**2, rtol=1e-6, atol=0)


def test_lengths_are_as_if_removed():
    logits, targets = sequences(4, torch.Generator().manual_seed(3))
    lengths = torch.tensor([4, 0, 1, 3])
    kept = [sequence_cross_entropy(logits[i, None, :t], targets[i, None, :t], **FULL) for i, t in enumerate(lengths)]
    tokens = sum(value * length for value, length in zip(kept, lengths, strict=True)) / 8
    assert_close(sequence_cross_entropy(logits, targets, lengths=lengths, **FULL), tokens)
    # the sequence without tokens does not count
    per_sequence = (kept[0] + kept[2] + kept[3]) / 3
    actual = sequence_cross_entropy(logits, targets, lengths=lengths, per="sequence", **FULL)
    assert_close(actual, per_sequence)
    each = sequence_cross_entropy(logits, targets, lengths=lengths, per="sequence", reduction="none", **FULL)
    assert_close(each, torch.stack(kept))
    assert each[1] == 0


def test_per_sequence_and_per_token_differ_by_length():
    """Losses log 2 (1 token) and 0 (3 tokens): per token their mean is log 2 / 4, per sequence log 2 / 2."""
    logits = torch.tensor([[[0.0, 0.0], [9.0, 9.0], [9.0, 9.0]], [[500.0, 0.0]] * 3], dtype=torch.float64)
    targets = torch.zeros(2, 3).long()
    lengths = torch.tensor([1, 3])
    log_2 = torch.tensor(2.0, dtype=torch.float64).log()
    assert_close(sequence_cross_entropy(logits, targets, lengths=lengths), log_2 / 4)
    assert_close(sequence_cross_entropy(logits, targets, lengths=lengths, per="sequence"), log_2 / 2)


@pytest.mark.parametrize("per", ["token", "sequence"])
@pytest.mark.parametrize("z_loss", [0.0, 0.1])
def test_all_ignored_is_0_with_a_graph(per, z_loss):
    logits = torch.randn(2, 3, 4, requires_grad=True)
    loss = sequence_cross_entropy(logits, torch.full((2, 3), -100), per=per, z_loss=z_loss)
    assert loss == 0
    (gradient,) = torch.autograd.grad(loss, logits)
    assert torch.equal(gradient, torch.zeros(2, 3, 4))


def test_another_ignored_class():
    logits, targets = sequences(5, torch.Generator().manual_seed(4))
    expected = sequence_cross_entropy(logits, targets.masked_fill(targets == 0, -100), **FULL)
    assert_close(sequence_cross_entropy(logits, targets, ignore_index=0, **FULL), expected)
    beyond = targets.masked_fill(targets == 0, 255)
    assert_close(sequence_cross_entropy(logits, beyond, ignore_index=255, **FULL), expected)


def test_certainty_is_finite():
    for hit, expected in ((300.0, 0.0), (-300.0, 300.0)):
        logits = torch.tensor([[[hit, 0.0]]], requires_grad=True)
        loss = sequence_cross_entropy(logits, torch.tensor([[0]]))
        assert_close(loss.item(), expected)
        assert torch.autograd.grad(loss, logits)[0].isfinite().all()


def test_module_is_its_function():
    logits, targets = sequences(5, torch.Generator().manual_seed(5))
    lengths = torch.tensor([1, 2, 3, 4, 0])
    options = {"ignore_index": 2, "label_smoothing": 0.1, "z_loss": 0.01, "per": "sequence", "reduction": "sum"}
    module = SequenceCrossEntropyLoss(**options)
    assert_close(module(logits, targets), sequence_cross_entropy(logits, targets, **options))
    assert_close(module(logits, targets, lengths), sequence_cross_entropy(logits, targets, lengths=lengths, **options))
    assert repr(SequenceCrossEntropyLoss()) == (
        "SequenceCrossEntropyLoss(ignore_index=-100, label_smoothing=0.0, z_loss=0.0, per='token', reduction='mean')"
    )


LOGITS, TARGETS = torch.randn(2, 3, 5), torch.tensor([[0, 1, 2], [3, 4, 0]])
MISUSES = [
    (
        lambda: sequence_cross_entropy(LOGITS.flatten(0, 1), TARGETS),
        r"logits must have shape \[B, T, V\], got \(6, 5\)",
    ),
    (lambda: sequence_cross_entropy(LOGITS.mT, TARGETS), r"targets must have shape.*\(2, 5\).*transpose\(1, 2\)"),
    (lambda: sequence_cross_entropy(LOGITS, TARGETS[..., None]), r"targets must have shape \[B, T\] = \(2, 3\)"),
    (lambda: sequence_cross_entropy(LOGITS, TARGETS + 1), r"targets must be classes 0 to 4, got 5"),
    (lambda: sequence_cross_entropy(LOGITS, TARGETS.float()), r"targets must be class indices.*\.long"),
    (lambda: sequence_cross_entropy(LOGITS.softmax(dim=2), TARGETS), r"logits are probabilities"),
    (
        lambda: sequence_cross_entropy(LOGITS, TARGETS, lengths=torch.tensor([3, 4])),
        r"lengths must lie in \[0, 3\], got 4",
    ),
    (
        lambda: sequence_cross_entropy(LOGITS, TARGETS, lengths=TARGETS),
        r"lengths must be \[B\] = \(2,\).*\.sum\(dim=1\)",
    ),
    (lambda: sequence_cross_entropy(LOGITS, TARGETS, lengths=torch.tensor([True, True])), r"lengths must be.*integer"),
    (lambda: sequence_cross_entropy(LOGITS, TARGETS, lengths=[1, 2]), r"lengths must be a tensor, got list"),
    (lambda: sequence_cross_entropy(LOGITS, TARGETS, per="batch"), r"per must be 'token' or 'sequence', got 'batch'"),
    (lambda: sequence_cross_entropy(LOGITS, TARGETS, z_loss=-1.0), r"z_loss must lie in \[0, inf\), got -1.0"),
    (lambda: sequence_cross_entropy(LOGITS, TARGETS, reduction="avg"), r"reduction must be .*got 'avg'"),
    (lambda: SequenceCrossEntropyLoss(label_smoothing=2.0), r"label_smoothing must lie in \[0, 1\], got 2.0"),
    (lambda: SequenceCrossEntropyLoss(per="word"), r"per must be 'token' or 'sequence', got 'word'"),
]


@pytest.mark.parametrize(("call", "message"), MISUSES)
def test_misuse_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
