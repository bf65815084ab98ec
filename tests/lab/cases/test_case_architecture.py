import pytest
import torch
from real_data import needs

from equipoise.lab.cases import coffee_leaf, reviews, with_architecture
from equipoise.lab.cases.recipe import CaseWithModel, find_recipe
from equipoise.lab.files import differences
from equipoise.lab.models.architectures import ARCHITECTURES
from equipoise.lab.studies import make_plan


@pytest.fixture(scope="module")
def case():
    return reviews()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_a_case_takes_an_architecture_and_keeps_its_single_tasks(name, case):
    other = with_architecture(case, name)
    assert other.name == f"reviews-{name}"
    inputs, targets = case.collate([case.data["train"][place] for place in range(8)])
    losses = case.tasks.losses(other.model(case.tasks.names).eval()(inputs), targets)
    assert set(losses) == set(case.tasks.names)
    states = []
    for one in (case, other):
        torch.manual_seed(3)
        states.append(one.model(["rating"]).state_dict())
    assert states[0].keys() == states[1].keys()
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])


def test_an_unknown_architecture_is_named_with_the_nearest(case):
    with pytest.raises(ValueError, match="no model 'mmo'; did you mean 'mmoe'"):
        with_architecture(case, "mmo")


@needs("coffee-leaf")
def test_an_encoder_of_several_scales_is_refused():
    with pytest.raises(ValueError, match="case coffee-leaf: ConvEncoder gives list, where one vector per sample"):
        with_architecture(coffee_leaf(), "cgc")


def test_a_study_of_another_architecture_is_another_experiment(case, monkeypatch):
    monkeypatch.setattr("equipoise.lab.cases.recipe.CASES", {"reviews": lambda: case})
    plain = make_plan("reviews", ["sum"], [0])
    other = make_plan(CaseWithModel(find_recipe("reviews"), "mmoe"), ["sum"], [0])
    assert other.identity["options"] == {"model": "mmoe", "network": case.network}
    assert differences(plain.identity, other.identity) == [
        "case is reviews, now reviews-mmoe",
        "options.model is None, now mmoe",
    ]
