"""What a run leaves behind."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from equipoise.lab.files import DamagedError, read_json, write_json

Score = tuple[str, str, str, float]  # split, task, metric, value
Moment = tuple[int, str, str, str, float]  # epoch, split, task, quantity, value


@dataclass(frozen=True)
class RunResult:
    """The outcome of one network's training.

    Args:
        scores: On "validation" and "test" with the weights of the best epoch: every metric, and the loss.
        history: Per epoch, counted from 1. On "train" by task: loss (a mean over the epoch, the network
            still moving), weight, gradient_norm, and "part NAME" of a loss that is a mixture; cosine and
            magnitude_similarity with task "a|b", and once at the end of the epoch "cosine in PART" of the
            network; with task "all" log10_condition_number of the jacobian of up to 20 tasks, steps where it is
            infinite left out. On "validation" by task: loss and metrics; with task "all" skill, and selection where
            another criterion selects (larger is better).
        best_epoch: The epoch whose weights were kept.
        epochs: Epochs trained.
        steps: Batches with a label seen, skipped ones included.
        seconds: Time spent, interruptions left out.
        seconds_per_step: Median time from a batch in memory to the optimiser's step done.
        backwards_per_step: What the method asks for: 1, or one per task, as with micro-batches, for each of them;
            measurements for the record left out.
        peak_memory_mb: Largest memory while training in 10^6 bytes: on a GPU what torch held, else the resident
            memory of the process, data and libraries included; NaN where the system does not tell.
        stopped_early: Whether patience ran out before the epochs did.
        skipped_steps: Steps not taken because the gradient was not finite.
        unsolved_steps: Steps in which the method's equations had no solution.
        run: What this is the result of, in one line: what its caller calls it, and all that makes it.
        stopped_tasks: The tasks that patience of their own ended -> the last epoch in which they contributed.
        best_epochs: By each criterion whose weights were kept -> its best epoch.
        exhibits: SHA-256 of the diagnostics beside it; empty where the case shows nothing.
    """

    scores: list[Score]
    history: list[Moment]
    best_epoch: int
    epochs: int
    steps: int
    seconds: float
    seconds_per_step: float
    backwards_per_step: float
    peak_memory_mb: float
    stopped_early: bool
    skipped_steps: int
    unsolved_steps: int
    run: str = ""
    stopped_tasks: dict[str, int] = field(default_factory=dict)
    best_epochs: dict[str, int] = field(default_factory=dict)
    exhibits: str = ""

    def write(self, path: Path) -> None:
        """Write the result as JSON with its checksum, whole or not at all."""
        write_json(path, asdict(self))

    @classmethod
    def read(cls, path: Path, name: str = "") -> "RunResult":
        """The result that ``write`` wrote.

        Args:
            path: Of the file.
            name: What the run is called that it must be of; empty: any.

        Raises:
            DamagedError: It is not as it was written, or of another run.
        """
        content = read_json(path)
        try:
            for rows in ("scores", "history"):
                content[rows] = [tuple(row) for row in content[rows]]
            result = cls(**content)
        except (KeyError, TypeError) as error:
            raise DamagedError(path, f"is of another version of the package ({error})") from None
        if name and not result.run.startswith(f"{name}: "):
            found = result.run.partition(": ")[0]
            raise DamagedError(path, f"is the result of another run ({found[:100]!r}, not {name!r})")
        return result
