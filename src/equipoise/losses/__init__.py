"""Task losses that torch lacks, one file per family: a function and a module each, with logits and masks as torch's.

focal   focal loss, binary and over classes
"""

from equipoise.losses.focal import BinaryFocalLoss, FocalLoss, binary_focal, focal

__all__ = ["BinaryFocalLoss", "FocalLoss", "binary_focal", "focal"]
