"""Cases of one's own network, each a short file; and a comparison by a training loop of one's own."""

from functools import cache, partial
from pathlib import Path

import pytest
import torch
from real_data import trained
from torch.nn.functional import one_hot, pad
from torch.testing import assert_close

import slots
from equipoise import lab, losses
from equipoise.lab.cases import check_case

CASES = Path(slots.__file__).parent


def whole(case, split):
    """All of a split as one batch."""
    data = case.data[split]
    return case.collate([data[place] for place in range(len(data))])


@cache
def made(name):
    if name != "slots":
        pytest.importorskip("sklearn", reason="scikit-learn has the digits")
    return pytest.importorskip(name).make_case()


@pytest.mark.parametrize(("name", "most"), [("slots", 60), ("two_digits", 60), ("generator", 75), ("senses", 75)])
def test_a_case_is_whole_and_short(name, most):
    assert len([line for line in (CASES / f"{name}.py").read_text("utf-8").splitlines() if line]) <= most
    check_case(made(name))


def test_padding_changes_no_output_of_the_reader():
    words, _ = whole(made("slots"), "test")
    network = slots.Reader(["intent", "slots"])
    short, long = network(words), network(pad(words, (0, 3)))
    assert torch.allclose(short["intent"], long["intent"])
    assert torch.allclose(short["slots"], long["slots"][:, :-3], atol=1e-6)


def test_tags_name_the_words_of_a_slot():
    words, targets = whole(made("slots"), "train")
    (f1, accuracy) = made("slots").made_metrics["slots"]
    perfect = one_hot(targets["slots"].clamp(min=0), len(slots.TAGS)).float()
    assert f1.compute(perfect, targets["slots"]) == accuracy.compute(perfect, targets["slots"]) == 1.0
    assert f1.compute(torch.zeros_like(perfect), targets["slots"]) == f1.trivial == 0.0
    assert torch.equal(words == 0, targets["slots"] == -100)
    assert 0.15 < targets["intent"].eq(-100).float().mean() < 0.25


def test_a_digit_is_in_one_split_alone():
    case = made("two_digits")
    halves = {}
    for split in ("train", "validation", "test"):
        pictures, targets = whole(case, split)
        halves[split] = {tuple(half.flatten().tolist()) for half in pictures.unflatten(3, (2, 8)).unbind(3)[0]}
        known = targets["left"] != -100
        assert torch.equal((targets["left"] + targets["right"])[known].float(), targets["sum"][known])
    assert not halves["train"] & halves["test"]
    assert not halves["train"] & halves["validation"]


def test_a_discriminator_learns_to_tell_and_a_generator_to_fool_it():
    case = made("generator")
    torch.manual_seed(0)
    network = case.model(["fool"]).eval()  # the noise is the same at each call, and nothing is dropped
    real, targets = whole(case, "test")
    case.tasks["fool"].loss(network(real)["fool"], targets["digit"]).backward()
    fake = network(real)["fool"][:, :64]
    told = losses.minimax_discriminator(network.discriminator(real), network.discriminator(fake.detach()))
    fooled = losses.non_saturating_generator(network.discriminator(fake))
    for part, loss in ((network.discriminator, told), (network.generator, fooled)):
        expected = torch.autograd.grad(loss, list(part.parameters()), retain_graph=True)
        assert_close([parameter.grad for parameter in part.parameters()], list(expected))


def test_energy_distance_is_its_formula_and_none_of_a_sample_to_itself():
    made("generator")
    from generator import energy_distance

    fake, real = torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0]])
    assert energy_distance(fake, real) == pytest.approx(2 * 2.0 - 1.0 - 0.0)  # means of |x - y|: 2, 1 and 0
    assert energy_distance(fake, fake) == 0.0


def test_of_a_sense_that_is_missing_nothing_is_left_and_a_mark_says_so():
    case = made("senses")
    from senses import DIGITS, TIMBRES, WORDS

    (*parts, there), targets = whole(case, "train")
    assert ((there.mean(dim=0) - 2 / 3).abs() < 0.05).all()
    for part, mark in zip(parts, there.T, strict=True):
        assert (part[mark == 0] == 0).all()
    for part, mark in zip(parts[:2], there.T, strict=False):
        assert part[mark == 1].flatten(1).any(dim=1).all()
    octaves = [WORDS.index(word) for word in ("low", "middle", "high")]
    for row, words in enumerate(parts[2].tolist()):
        named = [
            WORDS.index(DIGITS[targets["digit"][row]]),
            WORDS.index([*TIMBRES][targets["timbre"][row]]),
            octaves[int(targets["pitch"][row]) - 8],
        ]
        assert all(word in (0, name) for word, name in zip(words, named, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["generator", "senses"])
def test_the_command_compares_it(name, tmp_path, capsys):
    from equipoise.cli import main

    given = ["--methods", "sum,uw", "--seeds", "2", "--epochs", "1", "--tuned-trials", "0", "--jobs", "1"]
    folder = tmp_path / "study"
    assert main(["compare", f"{CASES / name}.py:make_case", *given, "--out", str(folder)]) == 0
    results = lab.load(folder)
    assert {*results.summary.methods} >= {"sum", "uw"}
    assert {*results.summary.tasks} == {*made(name).tasks.names}
    assert results.verdict.headline in " ".join(capsys.readouterr().out.split())
    assert (folder / "report.html").exists()


@pytest.mark.slow
def test_an_actor_critic_is_compared_by_its_own_loop():
    pytest.importorskip("gymnasium")
    from compare_cartpole import JUDGED, train

    results = lab.compare(partial(train, updates=1), ["sum", "uw"], seeds=2, tasks=JUDGED)
    assert not results.failures
    assert results.summary.methods == ("sum", "uw")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "task", "metric", "least"),
    [
        ("slots", "slots", "span-f1", 0.8),
        ("slots", "intent", "accuracy", 0.85),
        ("two_digits", "left", "accuracy", 0.8),
    ],
)
def test_a_few_epochs_learn_the_case(name, task, metric, least, tmp_path):
    assert trained(made(name), 0, tmp_path, epochs=8)[task, metric] > least
