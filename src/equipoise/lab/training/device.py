"""On which device the workbench trains."""

import torch
from accelerate import Accelerator


def make_accelerator() -> Accelerator:
    """Accelerate's choice of devices, but for Apple's GPU: it has no float64, in which gradients' products are summed.

    Precision is left to the settings, whatever Accelerate's configuration says.
    """
    return Accelerator(mixed_precision="no", cpu=torch.backends.mps.is_available())
