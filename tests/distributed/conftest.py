from collections.abc import Iterator

import pytest
from team import Team


def _team(size: int) -> Iterator[Team]:
    team = Team(size)
    yield team
    team.dismiss()


@pytest.fixture(scope="session")
def two() -> Iterator[Team]:
    yield from _team(2)


@pytest.fixture(scope="session")
def four() -> Iterator[Team]:
    yield from _team(4)
