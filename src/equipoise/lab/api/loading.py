"""Results from a folder."""

from pathlib import Path

from equipoise.lab.api.results import Results
from equipoise.lab.evaluation import StudyResults, Summary


def load(folder: str | Path) -> Results:
    """The results in the folder of a study or of a loop's runs, as ``compare`` and the command line leave it.

    That its verdicts are shown is noted in study.json as a look, as ``equipoise report`` does: looking, adding seeds
    and looking again changes what verdicts mean.

    Raises:
        ValueError: The folder holds no study, no finished run of it, a damaged file or a link that leads out.
        OSError: study.json cannot be written.

    >>> load("no-such-folder")
    Traceback (most recent call last):
    ...
    ValueError: no-such-folder is not the folder of a study: it has no study.json
    """
    folder = Path(folder)
    from equipoise.lab.studies import record_look

    study = StudyResults.from_folder(folder).looked_at()
    results = Results(Summary.of_study(study), study.settings.get("failed", {}), study)
    record_look(study)
    return results
