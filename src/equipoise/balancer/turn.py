"""One backward of a balancer at a time: it has room for one step's gradients, and its method for one step's state."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Turn:
    """Whose turn it is; a second one is refused and does not wait, as autograd's threads must not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["Turn"], tuple[()]]:
        return Turn, ()  # a copy of a balancer has turns of its own

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Have the turn.

        Raises:
            RuntimeError: If another backward has it.
        """
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "two backwards of one balancer at a time, from two threads? Give each thread a balancer and "
                "a method of its own; the balancers may share parameters"
            )
        try:
            yield
        finally:
            self._lock.release()
