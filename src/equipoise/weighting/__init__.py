"""Loss weightings: losses in, objective out, one backward pass."""

from equipoise.weighting.amtl import AMTL
from equipoise.weighting.coba import CoBa
from equipoise.weighting.cov import CoV
from equipoise.weighting.cvar import CVaR
from equipoise.weighting.dtp import DTP
from equipoise.weighting.dwa import DWA
from equipoise.weighting.ema import EMA
from equipoise.weighting.famo import FAMO
from equipoise.weighting.fixed import Fixed
from equipoise.weighting.gls import GLS
from equipoise.weighting.go4align import GO4Align
from equipoise.weighting.group_dro import GroupDRO
from equipoise.weighting.igb import IGB
from equipoise.weighting.imtl_l import IMTLL
from equipoise.weighting.initial import Initial
from equipoise.weighting.lagrangian import Lagrangian
from equipoise.weighting.lbtw import LBTW
from equipoise.weighting.log_sum import LogSum
from equipoise.weighting.p_norm import PNorm
from equipoise.weighting.plateau import Plateau
from equipoise.weighting.relobralo import ReLoBRaLo
from equipoise.weighting.rlw import RLW
from equipoise.weighting.scheduled import Scheduled
from equipoise.weighting.slaw import SLAW
from equipoise.weighting.softadapt import SoftAdapt
from equipoise.weighting.stch import STCH
from equipoise.weighting.stch_mtl import STCHMTL
from equipoise.weighting.stop_and_go import StopAndGo
from equipoise.weighting.tchebycheff import Tchebycheff
from equipoise.weighting.uw import UW
from equipoise.weighting.uw_o import UWO
from equipoise.weighting.uw_plus import UWPlus
from equipoise.weighting.uw_so import UWSO

__all__ = [
    "AMTL",
    "DTP",
    "DWA",
    "EMA",
    "FAMO",
    "GLS",
    "IGB",
    "IMTLL",
    "LBTW",
    "RLW",
    "SLAW",
    "STCH",
    "STCHMTL",
    "UW",
    "UWO",
    "UWSO",
    "CVaR",
    "CoBa",
    "CoV",
    "Fixed",
    "GO4Align",
    "GroupDRO",
    "Initial",
    "Lagrangian",
    "LogSum",
    "PNorm",
    "Plateau",
    "ReLoBRaLo",
    "Scheduled",
    "SoftAdapt",
    "StopAndGo",
    "Tchebycheff",
    "UWPlus",
]
