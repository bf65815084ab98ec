"""One backward of a balancer at a time: it has room for one step's gradients, and its method for one step's state."""

import threading


class ReentrancyGuard:
    """``with guard:`` lets one in; a second is refused and does not wait, as autograd's threads must not.

    Raises:
        RuntimeError: On entry, if another backward is inside.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type["ReentrancyGuard"], tuple[()]]:
        return ReentrancyGuard, ()  # a copy of a balancer has one of its own

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise RuntimeError(
                "two backwards of one balancer at a time, from two threads? Give each thread a balancer and "
                "a method of its own; the balancers may share parameters"
            )

    def __exit__(self, *_: object) -> None:
        self._lock.release()
