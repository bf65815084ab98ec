"""Parameters that are crossed in the slow tests and paired in the default suite."""

from collections import defaultdict


def pair(items):
    """Of the cross of a ``paired`` test's parameters, leave one combination for each value of the longest.

    The others become slow. The combinations take turns, so that each is met if the longest has enough values.
    """
    grids = defaultdict(list)
    for item in items:
        if item.get_closest_marker("paired"):
            grids[item.nodeid.partition("[")[0]].append(item)
    for grid in grids.values():
        axes = _axes(grid)
        longest = max(axes, key=axes.__getitem__)
        for number, item in enumerate(grid):
            turn = longest[number]
            for places, size in axes.items():
                if places is not longest:
                    if places[number] != turn % size:
                        item.add_marker("slow")
                        break
                    turn //= size


def _axes(grid):
    """For each parameter, the place of every item's value among its values, and their number.

    Parameters that move together are one.
    """
    axes = {}
    for name in grid[0].callspec.params:
        met = {}
        places = tuple(met.setdefault(id(item.callspec.params[name]), len(met)) for item in grid)
        axes[places] = len(met)
    return axes
