"""Losses and kinds of task by the names that people know them by: one table of each, and no guess where it has one."""

import inspect

import pytest
import torch
from public import PUBLIC
from torch import nn

from equipoise.cli import main
from equipoise.lab.cases import usual_losses as usual
from equipoise.losses.catalog import LOSS_ALIASES, ROWS, TASK_KINDS, find_kind, find_losses, narrowed
from equipoise.losses.suggest import suggest
from equipoise.names import key_of

BITS = torch.tensor([[0.0, 1.0], [1.0, 0.0]])
BY_OPTION = {  # every name that --loss takes
    name
    for known in (
        usual.number_losses(),
        usual.class_losses(),
        usual.counted_class_losses(torch.tensor([0, 1]), 2),
        usual.binary_losses(BITS),
        usual.label_losses(BITS),
        usual.region_losses(),
    )
    for name in known
}
NO_LOSS = {"Suggestion", "suggest"}  # what a look at targets returns


def names_of(name):
    return [row.name for row in find_losses(name)]


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("mse", "MSELoss"),
        ("bce", "BCEWithLogitsLoss"),
        ("ce", "CrossEntropyLoss"),
        ("cross-entropy", "CrossEntropyLoss"),
        ("nll", "NLLLoss"),
        ("mae", "L1Loss"),
        ("l1", "L1Loss"),
        ("L1", "L1Loss"),
        ("l2", "MSELoss"),
        ("f1", "soft_f1"),
        ("hinge", "binary_hinge"),
        ("svm", "binary_hinge"),
        ("dice", "dice"),
        ("iou", "iou"),
        ("jaccard", "jaccard"),
        ("huber", "HuberLoss"),
        ("triplet", "triplet"),
        ("kl", "KLDivLoss"),
        ("nn.CrossEntropyLoss", "CrossEntropyLoss"),
        ("torch.nn.CrossEntropyLoss()", "CrossEntropyLoss"),
        ("F.cross_entropy", "CrossEntropyLoss"),
        ("torch.nn.functional.binary_cross_entropy_with_logits", "BCEWithLogitsLoss"),
        ("FocalLoss", "focal"),
        ("eq.losses.FocalLoss(gamma=2.0)", "focal"),
        ("focal loss", "focal"),
        ("weighted-bce", "positive_weights"),
        ("cross-entropy-dice", "Mixed"),
    ],
)
def test_a_loss_is_found_by_what_people_call_it(name, first):
    assert names_of(name)[0] == first


def test_a_word_for_several_losses_finds_each_and_where_it_is_from_decides():
    assert set(names_of("l1")) == {"L1Loss", "l1"}
    assert names_of("eq.losses.l1") == ["l1"]
    assert names_of("nn.GaussianNLLLoss") == ["GaussianNLLLoss"]
    assert names_of("eq.losses.GaussianNLLLoss") == ["gaussian_nll"]
    assert set(names_of("GaussianNLLLoss")) == {"GaussianNLLLoss", "gaussian_nll"}


def test_every_alias_finds_rows_that_are_there_and_is_written_as_a_key():
    names = {row.name for row in ROWS}
    for alias, found in LOSS_ALIASES.items():
        assert key_of(alias) == alias
        assert set(found) <= names
        assert names_of(alias) == list(found)
        assert alias not in map(key_of, TASK_KINDS)
        assert alias not in map(key_of, names) or alias in map(key_of, found)  # a row is never hidden by an alias
    words = [word for kind in TASK_KINDS.values() for word in kind.also.split(", ")]
    assert len(words) == len({*map(key_of, words), *map(key_of, TASK_KINDS)}) - len(TASK_KINDS)
    for name, kind in TASK_KINDS.items():
        assert {find_kind(word) for word in (name, *kind.also.split(", "))} == {name}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_every_row_is_found_by_its_name(row):
    assert row in find_losses(row.name)


def test_every_name_of_the_loss_option_finds_a_loss():
    assert len(BY_OPTION) > 10
    assert all(map(find_losses, BY_OPTION))


@pytest.mark.parametrize("name", sorted(PUBLIC.keys() - NO_LOSS))
def test_every_public_name_finds_a_loss_that_has_to_do_with_it(name):
    assert find_losses(name) == find_losses(f"eq.losses.{name}") or len(find_losses(name)) > 1
    public = PUBLIC[name]
    if inspect.isclass(public) and issubclass(public, nn.Module):
        pasted = [row for row in ROWS if f"eq.losses.{name}(" in row.code]
        assert set(pasted) & set(find_losses(name)) or not pasted


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("classification", "multiclass"),
        ("multi-class", "multiclass"),
        ("multilabel", "multilabel"),
        ("Multi_Label", "multilabel"),
        ("detection", "boxes"),
        ("captioning", "sequence"),
        ("regression", "regression"),
        ("ranking", "alignment"),
        ("segmentation", "segmentation"),
    ],
)
def test_a_kind_of_task_is_found_by_what_people_call_it(word, kind):
    assert find_kind(word) == kind
    assert narrowed(word) == narrowed(kind)


def test_a_suggestion_takes_the_same_words_for_kinds():
    by_alias, by_name = (suggest(task=task, targets=BITS.repeat(30, 1)) for task in ("multi-label", "multilabel"))
    assert [one.code for one in by_alias] == [one.code for one in by_name]


@pytest.mark.parametrize(
    ("find", "word", "message"),
    [
        (find_losses, "dize", "no loss 'dize'; did you mean 'dice'?"),
        (find_losses, "", "no loss ''"),
        (find_kind, "segmentatoin", "no kind of task 'segmentatoin'; did you mean 'segmentation'?"),
    ],
)
def test_an_unknown_word_names_the_nearest(find, word, message):
    with pytest.raises(ValueError, match="^" + message.replace("?", r"\?")):
        find(word)


def test_the_command_shows_each_loss_that_a_word_means(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["losses", "l1"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("2 losses match 'l1':\n\nL1Loss\n    nn.L1Loss()\n")
    assert "\n\nl1\n    eq.losses.Penalised(" in output
    assert main(["losses", "nn.L1Loss"]) == 0
    assert capsys.readouterr().out.startswith("L1Loss\n    nn.L1Loss()\n")
    assert main(["losses", "--task", "classification"]) == 0
    assert "For multiclass (one class of C: logits [N, C], classes [N])" in " ".join(capsys.readouterr().out.split())


def test_a_name_that_is_nearly_right_is_answered_by_the_likely_ones_alone():
    with pytest.raises(ValueError, match=r"^no loss 'bse'; did you mean 'mse', 'bce' or 'sce'\?$"):
        find_losses("bse")
    with pytest.raises(
        ValueError, match=r"^no loss 'zzzz'; none of the \d+ names is near; equipoise losses lists them$"
    ):
        find_losses("zzzz")


def test_a_star_import_binds_the_losses_and_no_module():
    bound: dict[str, object] = {}
    exec("from equipoise.losses import *", bound)
    assert bound.keys() - {"__builtins__"} == PUBLIC.keys()
