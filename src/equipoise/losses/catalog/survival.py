"""Rows of the losses for times until an event."""

from equipoise.losses.catalog.row import Row

ROWS = (
    Row(
        name="cox",
        code="eq.losses.CoxLoss()",
        kinds=("survival",),
        formula="mean over events of log Σ_{t_j ≥ t_i} exp(h_j) − h_i",
        use="times until an event, some of them censored; targets [N, 2] are time and event",
        pitfalls="the risk set is the batch: make it large; hazards are relative, their level means nothing",
        paper="Cox, JRSS B 1972; ties as Breslow, Biometrics 1974",
        checked="by hand; the sum over risk sets; lifelines where no times are tied",
    ),
    Row(
        name="cox_efron",
        code="eq.losses.CoxEfronLoss()",
        kinds=("survival",),
        formula="as cox; the l-th of d tied events leaves l/d of their hazards out",
        use="times in days or months, so that many events are tied",
        pitfalls="the risk set is the batch: make it large; hazards are relative, their level means nothing",
        paper="Efron, JASA 1977",
        checked="by hand; the sum over risk sets; lifelines with ties; the mean over the orders of tied events",
    ),
)
