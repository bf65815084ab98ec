"""The doctor: a look at one step of a user's own loop, which leaves no trace.

reach       which tasks reach which parameters
decide      what the method would answer
cost        what each route costs: passes, operations, memory, milliseconds
findings    what is wrong or worth knowing, with the next action
examined    the numbers
rendering   the numbers as text
report      both: what the doctor answers
"""

from equipoise.doctor.examine import doctor, examine
from equipoise.doctor.examined import ParameterReach, RouteCost
from equipoise.doctor.report import Report

__all__ = ["ParameterReach", "Report", "RouteCost", "doctor", "examine"]
