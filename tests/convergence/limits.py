"""The limit that each method's row states, as a method to run and a point to find."""

import torch

import equipoise as eq

ROWS = {row.name: row for row in eq.methods()}
LIMITS = {name: row.limit for name, row in ROWS.items()}
if lacking := [name for name, limit in LIMITS.items() if limit is None]:
    raise ValueError(f"the rows of {', '.join(lacking)} in src/equipoise/registry/ lack limit=Limit(...)")

# Their steps grow as gradients vanish, as their -1/3rd power, so that the last point hovers about the end, and how far
# from it is a matter of rounding: what comes to rest is the average point of the last half.
HOVERING = {"fairgrad", "pivrg"}


def made(name, num_tasks, other=None):
    """The method for so many tasks, with the arguments of its limit."""
    row = ROWS[name]
    given = {argument: _cut(value, num_tasks) for argument, value in (other or row.limit.arguments).items()}
    return row.cls(**row.sample(num_tasks) | given)


def _cut(value, num_tasks):
    return value[:num_tasks] if isinstance(value, list) else value


def target(name, problem, method):
    """The point of quadratic tasks where the expression of the limit is least; None where it is no point."""
    if not LIMITS[name].least:
        return None

    def scalar(losses):
        return eval(LIMITS[name].least, {"torch": torch, "losses": losses, "method": method})

    rising = torch.arange(1, len(problem.centres) + 1, dtype=torch.float64)
    slopes, others = (torch.func.grad(scalar)(losses) for losses in (rising, 9 - rising))
    return problem.point(slopes) if torch.equal(slopes, others) else problem.least(scalar)  # exactly, of a weighted sum
