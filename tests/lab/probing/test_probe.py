from dataclasses import replace
from math import nan
from types import SimpleNamespace

import pytest
import torch
from torch import nn

import equipoise as eq
from equipoise.lab.probing import GradientDiagnostics, probe
from equipoise.lab.probing import kinds as kinds_of
from equipoise.lab.probing.kinds import measure_kinds
from equipoise.lab.probing.look import GradientSummary, Pair, judged
from equipoise.lab.probing.probe import suggest
from equipoise.lab.probing.results import give_conflict, give_cost, give_headline, to_paste


def of_norms(**norms):
    return GradientSummary(steps=0, batches=2, losses=norms, norms=norms, own_norms=norms, pairs=(), layers=())


def test_opposite_tasks_are_seen_to_conflict_and_the_other_splits_are_not_read(toy):
    seen = probe(toy, batches=4, steps=3)
    assert [look.steps for look in seen.looks] == [0, 3]
    words = give_conflict(seen)
    assert seen.looks[-1].opposed[0].tasks == ("a", "b")
    assert "a and b (-" in words
    assert "encoder.0" in words
    assert words.endswith("not a sign that it will help: only a comparison tells.")  # no command: a case may have none


@pytest.mark.parametrize(
    ("cosine", "spread", "batches", "words"),
    [
        (
            -0.9,
            nan,
            1,
            "not tested with 1 batch. The lowest mean cosine is that of a and b, -0.90. A test takes",
        ),
        (nan, nan, 0, "not tested with 8 batches. A test takes at least 2"),
        (-0.4, 0.28, 8, "no conflict is significant over 8 batches, but one may be there. The lowest"),
        (-0.02, 0.28, 8, "none of the 66 pairs of tasks conflicts significantly over 8 batches. The lowest"),
    ],
)
def test_that_nothing_was_found_is_sold_as_no_conflict_only_where_there_is_none(toy, cosine, spread, batches, words):
    others = [Pair(("a", f"c{k}"), cosine if batches < 2 else 0.1, spread, batches, 0) for k in range(65)]
    pairs = judged([Pair(("a", "b"), cosine, spread, batches, batches), *others])
    seen = probe(toy, batches=1, steps=0)
    empty = replace(seen.looks[0], pairs=pairs, layers=(), batches=batches or 8)
    seen = replace(seen, looks=(empty,))
    assert words in f"{give_headline(seen)} {give_conflict(seen)}"
    assert len(give_headline(seen).split()) <= 25


@pytest.mark.parametrize(
    ("cosine", "last"),
    [
        (-0.11, "More batches would tell it from chance."),
        (-0.1, "Removing conflict between gradients has little to work on here."),
    ],
)
def test_more_batches_are_advised_where_a_conflict_may_be_there_and_only_there(cosine, last):
    pairs = judged([Pair(("a", "b"), cosine, 0.28, 8, 0)])
    seen = SimpleNamespace(looks=(replace(of_norms(a=1.0, b=1.0), pairs=pairs, batches=8),))
    assert give_conflict(seen).endswith(last)
    assert ("may be there" in give_headline(seen)) == last.startswith("More batches")


def test_the_same_seed_sees_the_same_and_another_seed_does_not(toy):
    looks = [probe(toy, batches=2, steps=2, seed=seed).looks for seed in (0, 0, 1)]
    assert looks[0] == looks[1] != looks[2]


def test_batches_are_no_more_than_an_epoch_and_steps_may_be_none(toy):
    (look,) = probe(toy, batches=99, steps=0).looks
    assert look.batches == 4


def test_the_case_is_not_changed(toy):
    losses = [task.loss for task in toy.tasks]
    probe(toy, batches=1, steps=2)
    assert [task.loss for task in toy.tasks] == losses
    assert all(parameter.grad is None for parameter in toy.tasks.parameters())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batches": 0}, "batches must be at least 1, got 0"),
        ({"steps": -1}, "steps must be at least 0, got -1"),
        ({"seed": -2}, "seed must be at least 0, got -2"),
    ],
)
def test_wrong_arguments(toy, arguments, message):
    with pytest.raises(ValueError, match=message):
        probe(toy, **arguments)


def test_one_task_is_nothing_to_balance(toy):
    with pytest.raises(ValueError, match="toy has one task"):
        probe(replace(toy, tasks=eq.Tasks([toy.tasks["a"]])))


def test_suggested_weights_make_all_gradients_equally_long_with_mean_1():
    weights = suggest(of_norms(a=0.1, b=2.0, c=30.0), dict.fromkeys("abc", 1.0)).weights
    assert sum(weights.values()) == pytest.approx(3.0)
    moved = [weights[name] * norm for name, norm in (("a", 0.1), ("b", 2.0), ("c", 30.0))]
    assert moved == pytest.approx([moved[0]] * 3)


def test_a_users_weight_is_taken_out_of_the_norm_first():
    plain = suggest(of_norms(a=0.1, b=2.0), {"a": 1.0, "b": 1.0}).weights
    weighted = suggest(of_norms(a=0.5, b=2.0), {"a": 5.0, "b": 1.0}).weights
    assert weighted == pytest.approx(plain)


@pytest.mark.parametrize(
    ("norms", "words"),
    [
        ({"a": 0.0, "b": 1.0}, "No weights are suggested: the gradient of a is zero or not finite"),
        ({"a": 1.0}, "No weights are suggested: only one task has a weight"),
        ({"a": 1.0, "b": 1.5}, "equal weights are as good a start"),
        ({"a": 1.0, "b": 5.0}, "b moves it 5 times as far as a"),
    ],
)
def test_the_reason_says_what_it_goes_by(norms, words):
    found = suggest(of_norms(**norms), dict.fromkeys(norms, 1.0))
    assert words in found.reason
    assert bool(found.weights) == ("No weights" not in found.reason)


def test_kinds_are_timed_against_the_plain_sum_and_a_network_without_one_tensor_is_not_cut(toy):
    batch = toy.collate([toy.data["train"][i] for i in range(10)])
    model = toy.model(toy.tasks.names)
    before = [parameter.clone() for parameter in model.parameters()]
    kinds = measure_kinds(model, toy.tasks, batch)
    assert [kind.name for kind in kinds] == [
        "plain sum",
        "loss weighting",
        "gradient method",
        "at the representation",
    ]
    assert all(kind.milliseconds > 0 for kind in kinds)
    assert kinds[0].ratio == 1
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))

    class Uncut(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = toy.model(toy.tasks.names)

        def forward(self, x):
            return self.inner(x)

    assert [kind.name for kind in measure_kinds(Uncut(), toy.tasks, batch)][-1] == "gradient method"


def test_times_are_medians_and_ratios_those_of_one_turn(toy, monkeypatch):
    model, batch = toy.model(toy.tasks.names), toy.collate([toy.data["train"][i] for i in range(10)])
    # the clock of four kinds in nine turns after one that does not count, the machine four times as slow in five
    laps = [slow * lap for slow in (1, 1, 1, 1, 4, 4, 4, 4, 4) for lap in (2.0, 3.0, 5.0, 1.0)]
    moments = iter([*(4 * [0.0]), *(moment for lap in laps for moment in (0.0, lap))])
    monkeypatch.setattr(kinds_of, "time", SimpleNamespace(perf_counter=lambda: next(moments)))
    found = measure_kinds(model, toy.tasks, batch)
    assert [kind.ratio for kind in found] == [1.0, 1.5, 2.5, 0.5]
    assert [kind.milliseconds for kind in found] == [8000.0, 12000.0, 20000.0, 4000.0]
    assert [kind.is_doubtful for kind in found] == [False, False, False, True]


def test_a_kind_that_seems_cheaper_than_the_plain_sum_is_doubted(toy):
    seen = probe(toy, batches=2, steps=0)
    plain, *_, last = seen.kinds
    assert "the machine was busy" in give_cost(replace(seen, kinds=(plain, replace(last, ratio=0.9))))
    assert "busy" not in give_cost(replace(seen, kinds=(plain, replace(last, ratio=1.1))))


def test_the_page_holds_the_words_and_the_exact_numbers(toy, tmp_path):
    seen = probe(replace(toy, title="Toy <b>"), batches=3, steps=2)
    GradientDiagnostics(seen).save_report(tmp_path / "probe.html")
    page = (tmp_path / "probe.html").read_text()
    assert "Toy &lt;b&gt;" in page
    assert "Toy <b>" not in page
    for look in seen.looks:
        assert f'value="{look.norms["c"]!r}"' in page
        assert f'value="{look.pairs[0].mean!r}"' in page
        assert f'value="{look.layers[0].share!r}"' in page
    assert give_cost(seen) in page
    assert "http://" not in page
    assert "https://" not in page


def test_what_is_pasted_runs(toy):
    seen = probe(toy, batches=2, steps=0)
    names = {"eq": eq, "model": toy.model(toy.tasks.names)}
    exec(to_paste(seen), names)
    assert names["balancer"].user_weights == pytest.approx(dict(seen.suggestion.weights), rel=0.05)
