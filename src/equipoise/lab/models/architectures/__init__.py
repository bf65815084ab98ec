"""Networks for several tasks that take any encoder of one vector per sample."""

from equipoise.lab.models.architectures.build import ARCHITECTURES, build_architecture
from equipoise.lab.models.architectures.cross_stitch import CrossStitch
from equipoise.lab.models.architectures.mmoe import MMoE
from equipoise.lab.models.architectures.mtan import MTAN
from equipoise.lab.models.architectures.ple import PLE

__all__ = ["ARCHITECTURES", "MTAN", "PLE", "CrossStitch", "MMoE", "build_architecture"]
