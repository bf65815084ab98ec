"""What the doctor answers: one step examined, which prints as a page."""

from equipoise.doctor.examined import Examined
from equipoise.doctor.rendering import page_of


class Report(Examined):
    """One step, examined; ``print`` shows it as a page."""

    def __str__(self) -> str:
        return page_of(self)

    def __repr__(self) -> str:
        return f"<Report of {len(self.names)} tasks, {len(self.findings)} findings>"
