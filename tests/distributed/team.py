"""Processes that wait for work, each a rank of a gloo group; what they return, or raise, comes back."""

import os
import tempfile
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
import torch.multiprocessing as mp


class Team:
    """``team(work, *arguments)`` is what ``work(rank, size, *arguments)`` returns on every rank, or its error."""

    def __init__(self, size: int) -> None:
        context = mp.get_context("spawn")
        self._folder = tempfile.TemporaryDirectory()
        self._tasks = [context.SimpleQueue() for _ in range(size)]
        self._answers = [context.SimpleQueue() for _ in range(size)]
        store = os.path.join(self._folder.name, "store")
        self._processes = [
            context.Process(target=_serve, args=(rank, size, store, self._tasks[rank], self._answers[rank]))
            for rank in range(size)
        ]
        for process in self._processes:
            process.start()

    def __call__(self, work: Callable[..., Any], *arguments: Any) -> list[Any]:
        for queue in self._tasks:
            queue.put((work, arguments))
        answers = [queue.get() for queue in self._answers]
        errors = [f"rank {rank}: {answer}" for rank, (good, answer) in enumerate(answers) if not good]
        if errors:
            raise RuntimeError("; ".join(errors))
        return [answer for _, answer in answers]

    def dismiss(self) -> None:
        for queue in self._tasks:
            queue.put(None)
        for process in self._processes:
            process.join()
        self._folder.cleanup()


def _serve(rank: int, size: int, store: str, tasks: Any, answers: Any) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{store}", rank=rank, world_size=size, timeout=timedelta(seconds=60)
    )
    while (task := tasks.get()) is not None:
        work, arguments = task
        try:
            answers.put((True, work(rank, size, *arguments)))
        except Exception as error:
            answers.put((False, f"{type(error).__name__}: {error}"))
    dist.destroy_process_group()
