"""The first screen: one sentence of at most 25 words for the verdict and one for the advice, whatever was found."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from equipoise.lab.evaluation import MethodCost, TaskMetric, make_table
from equipoise.lab.evaluation.advice import advise
from equipoise.lab.evaluation.headline import headline_of
from equipoise.lab.evaluation.metric import Baselines

METHODS = ("sum", "uw", "nash-mtl", "frozen-uw", "tuned", "a b=huber", "my methods/a long path.py:Mine")
NAMES = ("a", "overall rating of the stay", "c", "d", "Anteil der Dinge, die gefallen")
QUESTIONS = ("", "sharing", "tuned", "freeze", "losses")


@st.composite
def tables(draw):
    """Of few or many methods, tasks and seeds, with gaps, ties, gains and losses."""
    metrics = [
        TaskMetric(name, "m", draw(st.booleans()), 1.0, 0.0) for name in NAMES[: draw(st.integers(1, len(NAMES)))]
    ]
    seeds = draw(st.sampled_from([1, 2, 3, 5, 6]))
    methods = ["single-task", *METHODS][: draw(st.integers(2, 1 + len(METHODS)))]
    noise = draw(st.sampled_from([0.0, 1e-4, 1e-4, 1e-4, 0.05]))
    gaps = draw(st.integers(0, 3)) == 0  # which leave most methods without a verdict
    values = {
        method: {
            metric.task: {
                seed: 0.5 + effect + noise * ((7 * seed * (1 + place)) % 5)
                for seed in range(seeds)
                if not gaps or draw(st.integers(0, 9)) != 0
            }
            for metric in metrics
            for effect in (draw(st.sampled_from([-0.1, 0.0, 0.1])),)
        }
        for place, method in enumerate(methods)
    }
    costs = {method: MethodCost({0: 0.1 * (1 + k)}, 1.0, 1.0, 1.0, 1.0, 0, 0) for k, method in enumerate(methods)}
    reference = draw(st.sampled_from(["sum", "uw", "my methods/a long path.py:Mine", "nothing that is there"]))
    baselines = Baselines(reference) if reference != "sum" else Baselines()
    question = draw(st.sampled_from(QUESTIONS)) if reference == "sum" else ""
    level = draw(st.sampled_from([0.05, 0.01, 0.0]))
    return make_table(values, metrics, costs, question, seeds=seeds, level=level, baselines=baselines), metrics, seeds


@settings(max_examples=150, deadline=None)
@given(tables())
def test_verdict_and_advice_are_one_sentence_of_at_most_25_words(made):
    table, metrics, seeds = made
    advice = [advise(table, metrics, runs=runs) for runs in ("case", "loop", "given")]
    voices = [one.text(voice) for one in advice for voice in ("python", "command line", "page")]
    for sentence in (headline_of(table, metrics, seeds), *voices):
        assert len(sentence.split()) <= 25, sentence
        assert sentence.endswith(".")
        assert not re.search(r"[.!?] [A-Z]", sentence.replace("Mine", "mine")), sentence
        assert "  " not in sentence
        assert "@" not in sentence


PLAIN = [0.40, 0.42, 0.41, 0.43, 0.40]
LUCK = (0.0010, 0.0011, 0.0009, 0.0010, 0.0012)
CHANCE = (0.03, -0.02, 0.02, -0.03, 0.0)


def runs_of(gain):
    """So much better than the plain sum; 0 is a difference by chance, None none at all."""
    if gain is None:
        return PLAIN
    noise = LUCK if gain else CHANCE
    return [plain + gain + luck for plain, luck in zip(PLAIN, noise, strict=True)]


def say(**methods):
    """The headline where each method is so much better on tasks a and b."""
    metrics = [TaskMetric(task, "accuracy", True, 1.0, 0.0) for task in ("a", "b")]
    values = {
        name: {m.task: dict(enumerate(runs_of(gain))) for m, gain in zip(metrics, gains, strict=True)}
        for name, gains in methods.items()
    }
    return headline_of(make_table(values, metrics, {}), metrics, 5)


@pytest.mark.parametrize(
    ("methods", "sentence"),
    [
        ({"uw": (0, 0)}, "Over 5 seeds, uw does not differ significantly from the plain sum on any task."),
        (
            {"uw": (0, 0), "dwa": (0, 0)},
            "Over 5 seeds, none of the 2 methods differs significantly from the plain sum on any task.",
        ),
        (
            {"uw": (0.1, 0), "dwa": (0, 0)},
            "Over 5 seeds, uw is significantly better than the plain sum on a; no other difference is significant.",
        ),
        (
            {"uw": (0.1, -0.1), "dwa": (0, -0.1)},
            "Over 5 seeds, uw is significantly better than the plain sum on a and worse on b, dwa worse on b.",
        ),
        (
            {"uw": (0.1, 0.1), "dwa": (-0.1, -0.1), "mgda": (-0.1, -0.1), "pcgrad": (0.1, 0.1)},
            "Over 5 seeds, uw is significantly better than the plain sum, pcgrad better, dwa worse, mgda worse.",
        ),
        (
            {f"m{k}": (0.1, 0.1) if k < 7 else (-0.1, -0.1) for k in range(12)},
            "Over 5 seeds, 7 of 12 methods are significantly better than the plain sum on some task and 5 "
            "significantly worse.",
        ),
    ],
)
def test_the_verdict_names_methods_and_tasks_as_far_as_there_is_room(methods, sentence):
    assert say(sum=(None, None), **methods) == sentence
