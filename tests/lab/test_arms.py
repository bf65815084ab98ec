"""What is compared: text in, text out, and what each arm says of itself."""

import pytest

import equipoise as eq
from equipoise.lab.arms import SINGLE_TASK, SUM, TUNED, FrozenArm, LossArm, MethodArm, make_arm, parse_arm
from equipoise.lab.studies import Run

OWN = "runs/lr=1/own.py:Method"


@pytest.mark.parametrize(
    ("text", "arm"),
    [
        ("sum", SUM),
        ("single-task", SINGLE_TASK),
        ("tuned", TUNED),
        ("frozen-uw", FrozenArm(MethodArm("uw"))),
        (f"frozen-{OWN}", FrozenArm(MethodArm(OWN))),
        (OWN, MethodArm(OWN)),
        ("mask=focal:gamma=1.5", LossArm((("mask", "focal:gamma=1.5"),))),
        ("a=own.py:Loss:gamma=2+b=l1", LossArm((("a", "own.py:Loss:gamma=2"), ("b", "l1")))),
        ("mask=dice+mask=l1", LossArm((("mask", "dice"), ("mask", "l1")))),
        ("DWA(temperature=1.0)", MethodArm("DWA(temperature=1.0)")),
        ("someone else's method, v2", MethodArm("someone else's method, v2")),
        ("", MethodArm("")),
    ],
)
def test_text_and_arm_are_the_same_there_and_back(text, arm):
    assert parse_arm(text) == arm
    assert str(arm) == text
    assert parse_arm(str(arm)) == arm


def test_an_arm_names_its_files():
    assert parse_arm(OWN).files == ("runs/lr=1/own.py",)
    assert parse_arm("a=own.py:Loss:gamma=2+b=l1+c=other.py:Loss").files == ("own.py", "other.py")
    assert parse_arm(f"frozen-{OWN}").files == ()  # those of its source


def test_a_method_object_has_its_name_where_its_arguments_are_the_defaults():
    given = (eq.Sum(), eq.NashMTL(), "UW", eq.UW(), SUM, "frozen-UW")
    assert [str(make_arm(one)) for one in given] == ["sum", "nash-mtl", "uw", "uw", "sum", "frozen-uw"]


def test_a_method_object_with_arguments_is_made_anew_for_each_run():
    for method in (eq.DWA(temperature=1.0), eq.Chain(eq.UW(), eq.MGDA())):
        arm = make_arm(method)
        assert arm == parse_arm(repr(method))
        assert Run(arm, ("a",), 0).folder_name == Run(parse_arm(repr(method)), ("a",), 0).folder_name
        first, second = arm.make(), arm.make()
        assert repr(first) == repr(second) == repr(method)
        assert first is not second
        assert first is not method


class Mine(eq.Weighting):
    """The plain sum."""

    def forward(self, losses, tasks):
        return losses.sum()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Mine(), "has a class of your own, whose file is part of what is compared: give 'path/to/file.py:Name'"),
        (eq.Chain(eq.UW(), Mine()), "has a class of your own"),
        ("nashh", "no method 'nashh'"),
        (eq.UW, "a method is a name or an object such as eq.UW"),
    ],
)
def test_what_is_no_arm_is_told_so(given, message):
    with pytest.raises(ValueError, match=message):
        make_arm(given)
