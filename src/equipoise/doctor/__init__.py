"""The doctor: a look at one step of a user's own loop, which leaves no trace.

examine     the look
reach       which tasks reach which parameters
parts       what the parts of a loss do that is a sum
decide      what the method would answer
cost        what each route costs: passes, operations, memory, milliseconds
findings    what is wrong or worth knowing, with the next action
report      what the doctor answers: numbers, which print as a page
"""

from equipoise.doctor.examine import doctor, examine
from equipoise.doctor.parts import LossPart
from equipoise.doctor.report import ParameterReach, Report, RouteCost

__all__ = ["LossPart", "ParameterReach", "Report", "RouteCost", "doctor", "examine"]
