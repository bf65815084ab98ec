"""The diagnostics of a study: those of one seed of each method."""

from dataclasses import dataclass
from pathlib import Path

from equipoise.lab.data.within import file_within
from equipoise.lab.diagnostics import DiagnosticResult, diagnostics_hash, read_diagnostics
from equipoise.lab.evaluation import StudyResults
from equipoise.lab.evaluation.study import RunDiagnostics
from equipoise.lab.files import DamagedError


@dataclass(frozen=True)
class StudyDiagnostics:
    """What the runs of a study show.

    Args:
        of_method: By method, in the order of the study; single-task networks together.
        common: What is the same whatever the method, such as which true labels come together.
        seed: Whose runs these are.
    """

    of_method: dict[str, tuple[DiagnosticResult, ...]]
    common: tuple[DiagnosticResult, ...]
    seed: int

    @classmethod
    def of_study(cls, study: StudyResults) -> "StudyDiagnostics | None":
        """Those of the seed that most methods share, the smallest among equals; None where no run shows anything.

        Raises:
            ValueError: A run's folder lies outside the study's, or a file is damaged.
        """
        rows = [row for row in study.diagnostics if row.method in study.methods]
        if not rows:
            return None
        seeds = {row.seed for row in rows}
        seed = min(seeds, key=lambda s: (-len({row.method for row in rows if row.seed == s}), s))
        found: dict[str, tuple[DiagnosticResult, ...]] = {}
        for method in study.methods:
            of_method = [row for row in rows if (row.method, row.seed) == (method, seed)]
            if shown := tuple(shown for row in of_method for shown in _of_run(study.folder, row)):
                found[method] = shown
        common = _common(found)
        names = {shown.name for shown in common}
        kept = {method: tuple(one for one in shown if one.name not in names) for method, shown in found.items()}
        return cls(kept, common, seed)


def _of_run(study: Path, row: RunDiagnostics) -> tuple[DiagnosticResult, ...]:
    try:
        folder = file_within(study, row.folder)
    except ValueError as error:
        raise ValueError(f"{study / 'exhibits.csv'}: {error}") from None
    if row.sha256 and diagnostics_hash(folder) != row.sha256:
        raise DamagedError(folder / "exhibits.json", "or a picture of it is not as it was written", folder)
    return read_diagnostics(folder)


def _common(found: dict[str, tuple[DiagnosticResult, ...]]) -> tuple[DiagnosticResult, ...]:
    by_name: dict[str, list[DiagnosticResult]] = {}
    for shown in found.values():
        for one in shown:
            by_name.setdefault(one.name, []).append(one)
    return tuple(ones[0] for ones in by_name.values() if len(ones) > 1 and all(one == ones[0] for one in ones))
