"""What a strategy is: which point to try next, given what is finished."""

from typing import Protocol

from equipoise.lab.search.space import Space
from equipoise.lab.search.trial import Job, Trials


class Strategy(Protocol):
    """A search in so many slots.

    The job of a slot depends on the strategy's arguments and on finished trials of stated slots, nothing else: so a
    search that is interrupted, or runs in many processes, tries the same points as one that is left alone.
    """

    @property
    def space(self) -> Space:
        """What is searched."""

    @property
    def slots(self) -> int:
        """How many jobs there are."""

    def job(self, slot: int, trials: Trials) -> Job | None:
        """The job of a slot; None while it waits for trials that are not finished."""
