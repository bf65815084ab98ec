"""The only package that knows methods and gradients: many losses in, one scalar out, balanced when it goes backward.

balancer      the class that users meet
config        what it was built with; the method is given its size and device
state         what it keeps from step to step, and the record of the last one
weights       the users' weights in use, and those that come with the next step
feedback      what a training loop tells a balancer beside losses

balanced      the scalar of a step, and what its backward pass does, from top to bottom
reach         who reaches what, and where gradients are measured
decide        what the method decides

frozen        the objective at frozen weights, for a line search
accumulating  one step of several micro-batches
joint         one step of several ranks
"""

from equipoise.balancer.balancer import Balancer

__all__ = ["Balancer"]
