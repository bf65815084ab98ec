"""On an accelerator no weighting waits for the device: on the meta device to look at a value is an error."""

import pytest
import torch

from equipoise.weighting.cov import CoV
from equipoise.weighting.cvar import CVaR
from equipoise.weighting.ema import EMA
from equipoise.weighting.famo import FAMO
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
from equipoise.weighting.relobralo import ReLoBRaLo
from equipoise.weighting.rlw import RLW
from equipoise.weighting.scheduled import Scheduled
from equipoise.weighting.slaw import SLAW
from equipoise.weighting.softadapt import SoftAdapt
from equipoise.weighting.stch import STCH
from equipoise.weighting.stch_mtl import STCHMTL
from equipoise.weighting.tchebycheff import Tchebycheff
from equipoise.weighting.uw_o import UWO
from equipoise.weighting.uw_plus import UWPlus
from equipoise.weighting.uw_so import UWSO

PLACE = torch.device("meta")


def run(make):
    method = make()
    method.bind(4)
    method.to(PLACE)
    tasks = torch.zeros(3, dtype=torch.int64, device=PLACE)
    for _ in range(2):
        losses = torch.rand(3, device=PLACE, requires_grad=True)
        method(losses, tasks).backward()
        method.after_step(losses.detach(), tasks)
        method.end_epoch()
    return losses.grad


MAKERS = {
    **{one.__name__: one for one in (CoV, CVaR, EMA, FAMO, GLS, GroupDRO, IGB, IMTLL, Initial, LBTW, LogSum, PNorm)},
    **{one.__name__: one for one in (ReLoBRaLo, RLW, SLAW, STCH, STCHMTL, UWO, UWPlus, UWSO)},
    "FAMO with a minimum": lambda: FAMO(minimum=[0.0] * 4),
    "Lagrangian": lambda: Lagrangian([None, 1.0, 1.0, 1.0]),
    "ReLoBRaLo that looks back": lambda: ReLoBRaLo(beta=0.0),
    "Scheduled": lambda: Scheduled([[1.0] * 4]),
    "SoftAdapt": lambda: SoftAdapt(normalised=True, loss_weighted=True, window=3),
    "Tchebycheff": lambda: Tchebycheff([1.0] * 4, [0.0] * 4),
}


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())
def test_a_step_looks_at_no_value(make):
    assert run(make).device == PLACE


def test_go4align_does_and_says_so():
    with pytest.raises(NotImplementedError, match="Cannot copy out of meta tensor"):
        run(GO4Align)
    assert "every step waits" in GO4Align.__doc__
