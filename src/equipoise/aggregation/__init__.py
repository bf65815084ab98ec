"""Methods that see the gradients of the tasks: the gramian in, weights out; a few need the rows."""

from equipoise.aggregation.ada_task import AdaTask
from equipoise.aggregation.aligned_mtl import AlignedMTL
from equipoise.aggregation.cagrad import CAGrad
from equipoise.aggregation.capped_mgda import CappedMGDA
from equipoise.aggregation.clip import Clip
from equipoise.aggregation.config import ConFIG
from equipoise.aggregation.conicgrad import ConicGrad
from equipoise.aggregation.db_mtl import DBMTL
from equipoise.aggregation.dcgd import DCGD
from equipoise.aggregation.dualproj import DualProj
from equipoise.aggregation.encodec import EnCodec
from equipoise.aggregation.excess_mtl import ExcessMTL
from equipoise.aggregation.fairgrad import FairGrad
from equipoise.aggregation.grad_cosine import GradCosine
from equipoise.aggregation.graddrop import GradDrop
from equipoise.aggregation.gradnorm import GradNorm
from equipoise.aggregation.gradvac import GradVac
from equipoise.aggregation.hard_priority import HardPriority
from equipoise.aggregation.imgrad import IMGrad
from equipoise.aggregation.imtl_g import IMTLG
from equipoise.aggregation.in_turn import InTurn
from equipoise.aggregation.krum import Krum
from equipoise.aggregation.loss_norm import LossNorm
from equipoise.aggregation.loss_scale import LossScale
from equipoise.aggregation.lr_annealing import LRAnnealing
from equipoise.aggregation.max_norm import MaxNorm
from equipoise.aggregation.mean_norm import MeanNorm
from equipoise.aggregation.median import Median
from equipoise.aggregation.meta_balance import MetaBalance
from equipoise.aggregation.mgda import MGDA
from equipoise.aggregation.moco import MoCo
from equipoise.aggregation.nash_mtl import NashMTL
from equipoise.aggregation.ntk_mtl import NTKMTL
from equipoise.aggregation.pcd import PCD
from equipoise.aggregation.pcgrad import PCGrad
from equipoise.aggregation.pivrg import PIVRG
from equipoise.aggregation.preconditioned import Preconditioned
from equipoise.aggregation.running_norm import RunningNorm
from equipoise.aggregation.trimmed_mean import TrimmedMean
from equipoise.aggregation.unit_norm import UnitNorm
from equipoise.aggregation.upgrad import UPGrad
from equipoise.aggregation.vqgan import VQGAN

__all__ = [
    "DBMTL",
    "DCGD",
    "IMTLG",
    "MGDA",
    "NTKMTL",
    "PCD",
    "PIVRG",
    "VQGAN",
    "AdaTask",
    "AlignedMTL",
    "CAGrad",
    "CappedMGDA",
    "Clip",
    "ConFIG",
    "ConicGrad",
    "DualProj",
    "EnCodec",
    "ExcessMTL",
    "FairGrad",
    "GradCosine",
    "GradDrop",
    "GradNorm",
    "GradVac",
    "HardPriority",
    "IMGrad",
    "InTurn",
    "Krum",
    "LRAnnealing",
    "LossNorm",
    "LossScale",
    "MaxNorm",
    "MeanNorm",
    "Median",
    "MetaBalance",
    "MoCo",
    "NashMTL",
    "PCGrad",
    "Preconditioned",
    "RunningNorm",
    "TrimmedMean",
    "UPGrad",
    "UnitNorm",
]
