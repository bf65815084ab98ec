"""Gradient diagnostics before training, as a value."""

from equipoise.lab.api.given import GivenCase, case_of, rejects_unknown_options
from equipoise.lab.probing import GradientDiagnostics as GradientDiagnostics
from equipoise.lab.probing import probe as measure
from equipoise.lab.training.checkpoint import generators_kept


@rejects_unknown_options
def probe(case: GivenCase, *, batches: int = 8, steps: int = 100, seed: int = 0) -> GradientDiagnostics:
    """Measure the tasks' gradients on a case at initialisation, and again after some steps of the plain sum.

    Args:
        case: A case by name, as ``path/to/file.py:make_case``, a ``Case``, or a recipe such as a ``TableCase``.
            Validation and test are not read.
        batches: Of the training split.
        steps: Of training before the second measurement; 0: none.
        seed: Of initialisation and batches.

    Raises:
        ValueError: The case cannot be made, has one task or shares nothing, or an argument is out of its range.
    """
    with generators_kept():
        return GradientDiagnostics(measure(case_of(case), batches=batches, steps=steps, seed=seed))
