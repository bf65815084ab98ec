"""Rows of the schedules, for a proportion in ``Mixed`` or a strength in ``Penalised``."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="LinearSchedule",
        code="eq.losses.LinearSchedule(0.0, 1.0, steps=1000)",
        kinds=("any",),
        formula="start (1 − t) + end t, t = step / steps ≤ 1",
        use="a term that is phased in, or out",
        pitfalls="counts training forwards of the loss that holds it: every micro-batch is one",
        paper="",
        checked="its formula",
    ),
    Row(
        name="CosineSchedule",
        code="eq.losses.CosineSchedule(1.0, 0.0, steps=1000)",
        kinds=("any",),
        formula="end + (start − end) (1 + cos π t) / 2, t = step / steps ≤ 1",
        use="phased in or out without a corner at either end",
        pitfalls="counts training forwards of the loss that holds it: every micro-batch is one",
        paper="Loshchilov & Hutter, ICLR 2017",
        checked="its formula; torch's CosineAnnealingLR",
    ),
    Row(
        name="StepSchedule",
        code="eq.losses.StepSchedule([0.0, 0.5, 1.0], milestones=[500, 1000])",
        kinds=("any",),
        formula="values[k] from step milestones[k − 1] on",
        use="a term that is switched on after a warm-up",
        pitfalls="a jump of the loss is a jump of the gradient: lower the learning rate there, or ramp",
        paper="",
        checked="its definition; torch's MultiStepLR",
    ),
    Row(
        name="SigmoidRamp",
        code="eq.losses.SigmoidRamp(1.0, steps=1000)",
        kinds=("any",),
        formula="end · exp(−5 (1 − t)²), t = step / steps ≤ 1",
        use="consistency terms, of little use before the network knows something",
        pitfalls="does not start at 0 but at end / 148",
        paper="Laine & Aila, ICLR 2017",
        checked="its formula",
    ),
    Row(
        name="EpochSchedule",
        code="eq.losses.EpochSchedule([0.0, 0.1, 1.0])",
        kinds=("any",),
        formula="values[epoch], the last from then on",
        use="a value for each epoch",
        pitfalls="stays at the first value unless end_epoch() is called",
        paper="",
        checked="its definition",
    ),
)
