"""The only room that knows methods and gradients: many losses in, one scalar out, balanced when it goes backward.

balancer      the class that users meet
setup         what one balancer keeps from step to step
live          the users' weights in use, and those that come with the next step
turn          one backward at a time
defaults      what a method allocates, on which device and in which precision
recorder      the record of the last step, and how many there were
comparison    where and how one step's gradients are compared
decider       what the method decides in one step
held          the objective at held weights, for a line search
accumulating  one step of several micro-batches
joint         one step of several ranks
"""

from equipoise.balancer.balancer import Balancer

__all__ = ["Balancer"]
