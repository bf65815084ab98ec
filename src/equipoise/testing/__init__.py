"""The laws that every method must keep, for those of this package and for your own.

>>> from equipoise import MGDA
>>> from equipoise.testing import check_method
>>> check_method(MGDA)

One test per law, with pytest::

    @pytest.mark.parametrize("law", laws_of(MyMethod), ids=lambda law: law.__name__)
    def test_my_method(law):
        law(MyMethod)

``invariances`` tells what a method's answer depends on: the scale of a loss, copies of a task, coordinates.
"""

from equipoise.testing.check import EXCEPTIONS, check_method, exceptions_of, laws_of
from equipoise.testing.invariances import Invariances, invariances
from equipoise.testing.laws import LAWS, Law, Make
from equipoise.testing.run import NUM_TASKS

__all__ = [
    "EXCEPTIONS",
    "LAWS",
    "NUM_TASKS",
    "Invariances",
    "Law",
    "Make",
    "check_method",
    "exceptions_of",
    "invariances",
    "laws_of",
]
