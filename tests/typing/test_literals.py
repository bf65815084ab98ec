"""The types that editors complete from hold what there is."""

from inspect import Parameter, signature
from typing import get_args, get_type_hints

import equipoise as eq
from equipoise.lab.api.loops import BalancerOptions
from equipoise.lab.search.choice import RULES, RuleName


def test_rules_are_those_of_the_table():
    assert get_args(RuleName) == tuple(RULES)


def test_the_options_of_an_arms_balancer_are_a_balancers():
    listed = signature(eq.Balancer).parameters.values()
    own = {one.name for one in listed if one.kind is Parameter.KEYWORD_ONLY} - {"tasks"}
    hints = get_type_hints(eq.Balancer.__init__)
    assert get_type_hints(BalancerOptions) == {name: hints[name] for name in own}
