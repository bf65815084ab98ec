"""The names of all methods as a type; written by ``python docs/write.py``."""

from typing import Literal

# fmt: off
MethodName = Literal[
    "sum", "fixed", "uw", "dwa", "rlw", "scheduled", "uw-plus", "uw-o", "uw-so", "log-sum", "gls", "imtl-l", "cov",
    "softadapt", "relobralo", "lbtw", "ema", "initial", "slaw", "igb", "go4align", "group-dro", "cvar", "tchebycheff",
    "stch", "stch-mtl", "p-norm", "famo", "lagrangian", "dtp", "amtl", "coba", "plateau", "stop-and-go", "mgda",
    "pcgrad", "nash-mtl", "clip", "unit-norm", "running-norm", "cagrad", "imgrad", "conicgrad", "upgrad", "dualproj",
    "fairgrad", "pcd", "capped-mgda", "hard-priority", "krum", "gradvac", "imtl-g", "aligned-mtl", "config", "dcgd",
    "grad-cosine", "gradnorm", "encodec", "vqgan", "pivrg", "max-norm", "mean-norm", "loss-scale", "loss-norm",
    "ntkmtl", "metabalance", "graddrop", "trimmed-mean", "median", "moco", "excess-mtl", "db-mtl", "lr-annealing",
    "adatask",
]
