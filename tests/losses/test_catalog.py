import inspect
import itertools
import re
from functools import partial

import pytest
import torch
from public import PUBLIC
from torch import nn
from torch.nn.modules import loss as torch_losses

import equipoise as eq
from equipoise import losses
from equipoise.losses.catalog import CONDITIONS, ROWS, TASK_KINDS, LossRow, narrowed
from equipoise.losses.catalog.losses_page import markdown

LOGITS, IMAGES, STEPS = torch.randn(4, requires_grad=True), torch.randn(4, 1, 2, 2), torch.rand(5, 4)
SCOPE = {  # what a line to paste may name
    "eq": eq,
    "nn": nn,
    "torch": torch,
    "partial": partial,
    "model": nn.Linear(2, 3),
    "loss": nn.MSELoss(),
    "class_counts": torch.tensor([90, 9, 1]),
    "n": 100,
    "label_counts": torch.tensor([90, 9, 1]),
    "critic": nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.Flatten(0)),
    "discriminator": nn.Sequential(nn.Flatten(), nn.Linear(4, 1), nn.Flatten(0)),
    **dict.fromkeys(("real_logits", "fake_logits", "log_probs", "advantages"), LOGITS),
    **dict.fromkeys(("real", "fake", "real_features", "fake_features"), IMAGES),
    **{"first_images": IMAGES, "second_images": IMAGES + 1, "first_codes": IMAGES[:, 0, 0]},
    "second_codes": IMAGES[:, 0, 0] + 1,
    **dict.fromkeys(("old_values", "returns", "values", "rewards"), STEPS),
    **{"next_value": STEPS[0], "terminated": torch.zeros(5, 4, dtype=torch.bool)},
}
TRANSITIONS = {
    **dict.fromkeys(("q_values", "next_q_values", "next_target_q_values"), torch.rand(4, 3)),
    **{"actions": torch.tensor([0, 1, 2, 0]), "rewards": torch.rand(4), "terminated": torch.zeros(4).bool()},
}
by_name = pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)

NOT_LOSSES = {  # public functions that are none
    "coral_levels",
    "corn_levels",
    "gather_with_gradient",
    "signed_distance",
    "suggest",
    "weights_only",
}
PARTS = {"LearnedProportion", "Schedule"}  # modules that are of use in another one only
OF_TORCH = {*torch_losses.__all__, "AdaptiveLogSoftmaxWithLoss"} - {"NLLLoss2d"}  # a deprecated name of NLLLoss


@by_name
def test_the_line_to_paste_runs(row):
    """To a loss that can be called, or to the value of one that takes more than output and target."""
    made = eval(row.code, SCOPE | (TRANSITIONS if "q_values" in row.code else {}))
    assert callable(made) or isinstance(made, torch.Tensor | tuple)


@by_name
def test_a_row_is_complete_in_words(row):
    assert row.kinds
    assert row.name in (PUBLIC if "eq.losses" in row.code else OF_TORCH)
    for words in (row.formula, row.use, row.pitfalls, row.checked):
        assert words
        assert not words.endswith((".", " "))
    assert "\n" not in "".join((row.code, row.formula, row.use, row.pitfalls, row.paper, row.checked))


def test_names_are_unique():
    names = [row.name for row in ROWS]
    assert sorted(names) == sorted(set(names))


def test_what_a_family_lists_is_public():
    for name, public in PUBLIC.items():
        assert getattr(losses, name) is public


def test_every_public_loss_has_a_row():
    names = {row.name for row in ROWS}
    functions = {name for name in PUBLIC if name == name.lower()} - NOT_LOSSES
    assert functions - names == set()
    assert names & NOT_LOSSES == set()


def test_every_public_module_is_in_a_line_to_paste():
    pasted = {word for row in ROWS for word in re.findall(r"eq\.losses\.(\w+)", row.code)}
    modules = {name for name, public in PUBLIC.items() if isinstance(public, type) and issubclass(public, nn.Module)}
    assert modules - pasted == PARTS
    assert pasted <= PUBLIC.keys()


def test_all_of_torchs_own_losses_are_there():
    assert {row.name for row in ROWS if "eq.losses" not in row.code} == OF_TORCH


def test_every_kind_and_condition_is_served():
    assert {kind for row in ROWS for kind in row.kinds} == set(TASK_KINDS)
    assert {condition for row in ROWS for condition in row.suits} == set(CONDITIONS)


@pytest.mark.parametrize("kind", [name for name, kind in TASK_KINDS.items() if kind.plain])
def test_a_plain_loss_is_of_its_kind_and_offered_first(kind):
    (plain,) = (row for row in ROWS if row.name == TASK_KINDS[kind].plain)
    assert kind in plain.kinds
    first, *others = narrowed(kind)
    assert first.row is plain
    assert first.reasons[-1] == "the plain loss, which every other has to beat"
    assert {match.row for match in others} == {row for row in ROWS if kind in row.kinds} - {plain}


def test_rows_that_are_wrong_are_refused():
    row = {"code": "nn.MSELoss()", "kinds": ("regression",), "use": "", "pitfalls": ""}
    assert LossRow(**row).name == "MSELoss"
    for wrong in ({"kinds": ("labels",)}, {"suits": ("imbalance",)}, {"code": "eq.losses.RMSELoss()"}):
        with pytest.raises(AssertionError):
            LossRow(**row | wrong)


OWN = [row for row in ROWS if not row.code.startswith("nn.")]


@pytest.mark.parametrize("row", OWN, ids=lambda row: row.name)
def test_a_formula_stands_once_in_the_documentation_of_the_loss(row):
    assert " ".join(inspect.getdoc(getattr(eq.losses, row.name)).replace("``", "").split()).startswith(row.formula)


@pytest.mark.parametrize("row", [row for row in OWN if row.paper], ids=lambda row: row.name)
def test_a_paper_stands_in_the_documentation_of_its_module_too(row):
    loss = getattr(eq.losses, row.name)
    home = inspect.getmodule(loss)
    documented = home.__doc__ + loss.__doc__ + (eq.losses.regions.__doc__ if home is eq.losses.binary_regions else "")
    for paper in row.paper.split("; "):
        surname, year = re.search(r"(?:van den |van )?[A-Z]\w+", paper)[0], re.search(r"(?:19|20)\d\d", paper)
        assert surname in documented
        assert year is None or year[0] in documented or "arXiv" in documented


@pytest.mark.parametrize("kind", [None, *TASK_KINDS])
@pytest.mark.parametrize("number", [1, 2])
def test_narrowed_by_its_definition(kind, number):
    """All that answer one condition and are of the kind or of any, and the plain loss; by how many they answer."""
    for conditions in itertools.combinations(CONDITIONS, number):
        matches = narrowed(kind, conditions)
        met = [len(set(conditions) & set(match.row.suits)) for match in matches]
        assert met == sorted(met, reverse=True)
        expected = {
            row.name
            for row in ROWS
            if (set(conditions) & set(row.suits) and (kind is None or {kind, "any"} & set(row.kinds)))
            or (kind is not None and row.name == TASK_KINDS[kind].plain)
        }
        assert {match.row.name for match in matches} == expected
        for match in matches:
            answered = [condition for condition in conditions if condition in match.row.suits]
            assert [f"it helps when {CONDITIONS[c]}" for c in answered] == list(match.reasons[: len(answered)])
            assert match.reasons or kind is None


def test_among_equals_those_made_for_the_kind_are_first_and_the_plain_loss_last():
    rows = [match.row for match in narrowed("multilabel", ["imbalanced"])]
    *others, last = [row for row in rows if "imbalanced" in row.suits]
    assert last.name == "BCEWithLogitsLoss"
    places = [row.kinds.index("multilabel") for row in others]
    assert places == sorted(places)
    assert len(set(places)) > 1
    assert narrowed("regression", ["missing labels"])[-2].row.name == "Masked"  # of any kind, and then the plain one


def test_an_order_of_conditions_does_not_matter():
    assert narrowed("regression", ["outliers", "missing labels"]) == narrowed(
        "regression", ("missing labels", "outliers")
    )


def test_wrong_words_name_the_nearest():
    with pytest.raises(ValueError, match=r"no kind of task 'multilabl'; did you mean 'multilabel'\?"):
        narrowed("multilabl")
    with pytest.raises(ValueError, match=r"no condition 'imbalance'; did you mean 'imbalanced'\?"):
        narrowed("binary", ["imbalance"])


def test_the_pages_tables_hold_every_loss_once():
    lines = markdown().splitlines()
    cells = [re.split(r"(?<!\\)\|", line)[1:-1] for line in lines if line.startswith("| `")]
    assert [len(row) for row in cells] == [6] * len(ROWS)
    assert {re.findall(r"`([^`]+)`", row[0])[-1] for row in cells} == {row.code for row in ROWS}
    headings = {line.removeprefix("## ") for line in lines if line.startswith("## ")}
    assert set(re.findall(r"\(#([\w-]+)\)", markdown())) <= headings == set(TASK_KINDS)
    for row in ROWS:
        assert markdown().count(f"[`{row.name}`]") == len(row.kinds) - 1
