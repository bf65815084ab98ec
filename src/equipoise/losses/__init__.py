"""Task losses that torch lacks, one file per family: a function and a module each, with logits and masks as torch's.

regression          numbers: root mean square, log-cosh, quantiles, predicted scales
robust              numbers with outliers: the general adaptive loss
depth               depths and normals
focal               many easy samples
hinge               margins
noise               wrong labels
imbalance           rare classes: adjusted logits, margins, weights
multilabel          many labels at once: asymmetric, soft F1
ordinal             levels in an order
survival            times to an event
regions             overlap of masks: Dice, Jaccard, Tversky
binary_regions      overlap of masks by themselves
lovasz              Jaccard itself, by its Lovász extension
boundary            distance to the border of a mask
boxes               boxes
centres             objects as centres on a grid, with boxes around them
sequences           tokens
alignment           pairs from two encoders
triplet             triplets of one batch
contrastive         classes of one batch
redundancy          two views without negatives
gather              features of all processes
distillation        a teacher
adversarial         a discriminator against a generator
generator_terms     what else a generator is asked for
gradient_penalties  a smooth discriminator
variational         KL of a VAE
reinforcement       policies and values
advantages          how much better an action was
mixed               several losses of one task
masked              labels missing inside a sample
penalised           error plus complexity
per_token           tokens of sequences, for any loss of samples
regularisation      complexity of parameters and activations
schedules           weights that change
suggest             which loss for these targets
catalog             which loss for which task
"""

import types as _types
import typing as _typing

from equipoise.losses.advantages import *
from equipoise.losses.adversarial import *
from equipoise.losses.alignment import *
from equipoise.losses.binary_regions import *
from equipoise.losses.boundary import *
from equipoise.losses.boxes import *
from equipoise.losses.centres import *
from equipoise.losses.contrastive import *
from equipoise.losses.depth import *
from equipoise.losses.distillation import *
from equipoise.losses.focal import *
from equipoise.losses.gather import *
from equipoise.losses.generator_terms import *
from equipoise.losses.gradient_penalties import *
from equipoise.losses.hinge import *
from equipoise.losses.imbalance import *
from equipoise.losses.lovasz import *
from equipoise.losses.masked import *
from equipoise.losses.mixed import *
from equipoise.losses.multilabel import *
from equipoise.losses.noise import *
from equipoise.losses.ordinal import *
from equipoise.losses.penalised import *
from equipoise.losses.per_token import *
from equipoise.losses.redundancy import *
from equipoise.losses.regions import *
from equipoise.losses.regression import *
from equipoise.losses.regularisation import *
from equipoise.losses.reinforcement import *
from equipoise.losses.robust import *
from equipoise.losses.schedules import *
from equipoise.losses.sequences import *
from equipoise.losses.suggest import *
from equipoise.losses.survival import *
from equipoise.losses.triplet import *
from equipoise.losses.variational import *

if not _typing.TYPE_CHECKING:  # type checkers read the lines above
    __all__ = sorted(n for n, v in globals().items() if not (n.startswith("_") or isinstance(v, _types.ModuleType)))
