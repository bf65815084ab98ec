from itertools import product
from types import SimpleNamespace

from pairing import pair


class Item:
    def __init__(self, marker="paired", **params):
        self.nodeid, self.callspec = f"test_file.py::test[{params}]", SimpleNamespace(params=params)
        self.markers = {marker}

    def get_closest_marker(self, name):
        return name in self.markers

    def add_marker(self, name):
        self.markers.add(name)


def left(items):
    pair(items)
    return [tuple(item.callspec.params.values()) for item in items if "slow" not in item.markers]


def test_every_value_of_the_longest_parameter_is_left_once_and_combinations_take_turns():
    items = [Item(a=a, b=b, c=c) for a, b, c in product("ABCDEFG", "xyz", (True, False))]
    found = left(items)
    assert [a for a, _, _ in found] == list("ABCDEFG")
    assert {(b, c) for _, b, c in found} == set(product("xyz", (True, False)))


def test_parameters_that_move_together_are_one():
    items = [Item(a=a, b=b, c=b * 2) for a, b in product(range(6), range(3))]
    assert left(items) == [(a, a % 3, a % 3 * 2) for a in range(6)]


def test_other_tests_stay_as_they_are():
    items = [Item("parametrize", a=a, b=b) for a, b in product("AB", "xy")]
    assert len(left(items)) == 4
