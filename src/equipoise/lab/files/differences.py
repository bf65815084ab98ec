"""Where two descriptions differ."""

from collections.abc import Mapping
from typing import Any


def differences(earlier: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Where two nested mappings differ, as ``settings.epochs is 8, now 3``.

    >>> differences({"a": 1, "b": {"c": 2}}, {"a": 1, "b": {"c": 3}})
    ['b.c is 2, now 3']
    """
    found = []
    for key in dict.fromkeys((*earlier, *now)):
        old, new = earlier.get(key), now.get(key)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found += [f"{key}.{line}" for line in differences(old, new)]
        elif old != new:
            found.append(f"{key} is {old}, now {new}")
    return found
