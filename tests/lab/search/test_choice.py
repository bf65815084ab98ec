import random

import pytest

from equipoise.lab.search import Job, Objective, Trial, change, choose, covered, front

TWO = (Objective("a", "error", False), Objective("b", "accuracy", True))


def trials(*values):
    return {number: Trial(Job(number, {}), value) for number, value in enumerate(values)}


def test_delta_m_is_the_mean_relative_loss():
    there = trials((1.0, 0.5), (0.8, 0.4))
    assert change(there[1], there[0], TWO) == pytest.approx(100 * ((0.8 - 1.0) / 1.0 + (0.5 - 0.4) / 0.5) / 2)
    assert change(Trial(Job(1, {}), None), there[0], TWO) == float("inf")  # worse than any that ended


def test_the_front_is_what_no_other_dominates():
    draw = random.Random(0)
    values = 2 * [(draw.randint(0, 6), draw.randint(0, 6)) for _ in range(40)]  # each comes twice
    there = trials(*[(float(a), float(b)) for a, b in values], None)
    kept = front(there, TWO)

    def beats(p, q):
        return p[0] <= q[0] and p[1] >= q[1] and p != q

    best = {p for p in values if not any(beats(q, p) for q in values)}
    assert {values[number] for number in kept} == best
    assert len(kept) == len(best)
    assert all(values.index(values[number]) == number for number in kept)  # the first of the two


def test_of_equal_trials_the_first_slot_is_chosen_however_they_are_listed():
    there = trials((2.0, 0.5), (1.0, 0.8), (1.0, 0.8))
    for rule in ("delta-m", "knee"):
        assert choose(dict(reversed(there.items())), there[0], TWO, rule) == 1


def test_rules_choose_what_they_say():
    # Scaled to the front's range, losses (a, b): 1 is (0, 1), 2 is (.2, .3), 3 is (1, 0), 4 is (.6, .05)
    there = trials((2.0, 0.5), (1.0, 0.5), (1.2, 0.85), (2.0, 1.0), (1.6, 0.975), None)
    by_hand = min(range(5), key=lambda s: (there[s].values[0] - 2.0) / 2.0 + (0.5 - there[s].values[1]) / 0.5)
    assert choose(there, there[0], TWO) == by_hand == 4
    assert choose(there, there[0], TWO, "knee") == 2
    assert choose(there, there[0], TWO, "preference", {"a": 1.0}) == 2
    assert choose(there, there[0], TWO, "preference", {"b": 10.0}) == 4
    assert choose(there, there[0], TWO, "preference", {"a": 10.0}) == 1


def test_the_knee_is_the_nearest_in_a_straight_line():
    # losses scaled to the front's range: (0, 1), (1, 0), (.5, .5) at .71 and (.05, .6) at .60
    there = trials((1.0, 0.0), (2.0, 1.0), (1.5, 0.5), (1.05, 0.4))
    assert choose(there, there[0], TWO, "knee") == 3


def test_what_is_beaten_and_what_does_not_differ_scale_nothing():
    """The range is that of the front, and a metric without any has no say."""
    values = [(1.0, 0.5), (1.2, 0.85), (2.0, 1.0), (1.6, 0.975)]
    three = (*TWO, Objective("c", "error", False))
    for rule, preference, number in (("knee", None, 1), ("preference", {"a": 1.0}, 1), ("preference", {"b": 10.0}, 3)):
        there = trials(*values, (90.0, 0.01))
        assert choose(there, there[0], TWO, rule, preference) == number
        there = trials(*[(*value, 3.0) for value in values])
        assert choose(there, there[0], three, rule, preference) == number


def test_what_is_covered_is_the_volume_better_than_equal_weights():
    there = trials((2.0, 0.5), (1.0, 0.6), (1.6, 1.0), (4.0, 0.9))
    # in units of equal weights: (.5, 1.2) and (.8, 2) against (1, 1); the last is worse on a
    assert covered(there, there[0], TWO) == pytest.approx(0.5 * 0.2 + 0.2 * 0.8)
    assert covered(trials((2.0, 0.5)), there[0], TWO) == 0.0


def test_wrong_use():
    there = trials((2.0, 0.5), (1.0, 0.6))
    failed = Trial(Job(0, {}), None, "no luck")
    for arguments, message in (
        ((trials(None), there[0], TWO), "nothing to choose from"),
        ((there, there[0], TWO, "elbow"), "rule must be one of delta-m, knee, preference, got 'elbow'"),
        ((there, there[0], TWO, "preference"), "go together"),
        ((there, there[0], TWO, "knee", {"a": 1.0}), "go together"),
        ((there, there[0], TWO, "preference", {"z": 1.0}), "names 'z'; there are 'a', 'b'"),
        ((there, there[0], TWO, "preference", {"a": 0.0}), "positive and finite"),
        ((there, failed, TWO), "no baseline: no luck"),
        ((there, Trial(Job(0, {}), (1.0, -0.25)), TWO), "accuracy of b is -0.25 with the defaults"),
    ):
        with pytest.raises(ValueError, match=message):
            choose(*arguments)
