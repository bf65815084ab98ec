"""Several workers on one list: each trial is done once, and none is forgotten."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from planted import OBJECTIVES, SPACE, direct

from equipoise.lab.files import DamagedError
from equipoise.lab.search import TPE, Halving, Random, Search, trial_store
from equipoise.lab.search.trial_store import TrialStore, alive

STRATEGY = Random(SPACE, 6)
VALUES = (1.0, 2.0, 3.0)


def make(folder, strategy=STRATEGY, **options):
    return TrialStore(options.pop("storage", None), "search", strategy, OBJECTIVES, folder, **options)


def rows(book):
    return [(row.user_attrs["slot"], row.state.name) for row in book._rows()]


def test_two_drivers_share_the_slots(tmp_path):
    a, b = make(tmp_path), make(tmp_path)
    with alive(tmp_path) as one, alive(tmp_path) as two:
        jobs = [a.claim(one), b.claim(two), b.claim(two), a.claim(one), a.claim(one), b.claim(two)]
        assert [job.number for job in jobs] == [0, 1, 2, 3, 4, 5]
        assert [job.point for job in jobs] == [STRATEGY.job(number, {}).point for number in range(6)]
        assert a.claim(one) is None
        for job, book, worker in zip(jobs, (a, b, b, a, a, b), (one, two, two, one, one, two), strict=True):
            assert book.finish(job, worker, VALUES)
    assert {number: trial.values for number, trial in make(tmp_path).trials().items()} == dict.fromkeys(
        range(6), VALUES
    )


def test_a_journal_is_written_where_nobody_may_make_symbolic_links(tmp_path, monkeypatch):
    """As on Windows; half a last line is cut off there, too."""

    def refused(*_, **__):
        raise OSError("A required privilege is not held by the client")

    monkeypatch.setattr(os, "symlink", refused)
    with alive(tmp_path) as one:
        assert make(tmp_path).claim(one).number == 0
        with (tmp_path / "trials.journal").open("ab") as journal:
            journal.write(b'{"half')
        assert make(tmp_path).claim(one).number == 1


class Interrupted:
    """A strategy during whose answer another worker claims."""

    def __init__(self, during):
        self.during = [during]
        self.space, self.num_trials = STRATEGY.space, STRATEGY.num_trials

    def job(self, number, trials):
        if self.during:
            self.during.pop()()
        return STRATEGY.job(number, trials)

    def __repr__(self):
        return repr(STRATEGY)


def test_a_race_for_a_slot_has_one_winner_and_is_seen(tmp_path):
    a = make(tmp_path)
    with alive(tmp_path) as one, alive(tmp_path) as two:
        won = []
        b = make(tmp_path, Interrupted(lambda: won.append(a.claim(one))))
        lost = b.claim(two)
        assert won[0].number == 0
        assert lost.number == 1
        assert rows(a) == [(0, "RUNNING"), (0, "FAIL"), (1, "RUNNING")]
        assert "duplicate" in a._rows()[1].user_attrs["reason"]


def test_what_a_driver_leaves_running_is_open_when_it_ends(tmp_path):
    a, b = make(tmp_path), make(tmp_path)
    with alive(tmp_path) as two:
        with alive(tmp_path) as one:
            job = a.claim(one)
            assert b.claim(two).number == 1
        again = b.claim(two)
        assert again == job
        assert not a.finish(job, one, VALUES)  # too late, and told so
        assert 0 not in b.trials()
        assert b.finish(again, two, (4.0, 5.0, 6.0))
        assert b.trials()[0].values == (4.0, 5.0, 6.0)


def test_ends_of_drivers_are_no_fault_of_the_trial(tmp_path):
    book = make(tmp_path)
    for _ in range(5):
        with alive(tmp_path) as worker:
            assert book.claim(worker).number == 0


def test_a_trial_that_kills_its_process_is_given_up(tmp_path):
    book = make(tmp_path)
    with alive(tmp_path) as worker:
        for _ in range(3):
            job = book.claim(worker)
            assert job.number == 0
            book.lose(job, worker, "signal 9")
        assert book.claim(worker).number == 1
        assert book.unfinished() == {0: "signal 9"}
    with alive(tmp_path) as another:  # the same command once more
        assert book.claim(another).number == 0


def test_what_wanted_disk_or_memory_is_left_to_the_next_driver(tmp_path):
    book = make(tmp_path)
    with alive(tmp_path) as worker:
        job = book.claim(worker)
        book.lose(job, worker, "OSError: no space", most=1)
        assert [book.claim(worker).number for _ in range(5)] == [1, 2, 3, 4, 5]
        assert book.claim(worker) is None
        assert book.trials() == {}
    with alive(tmp_path) as another:
        assert book.claim(another) == job
        assert book.finish(job, another, VALUES)
    assert book.unfinished() == {}


def test_another_identity_is_refused(tmp_path):
    make(tmp_path, identity="8 epochs")
    with pytest.raises(ValueError, match=r"another search(.|\n)*8 epochs(.|\n)*9 epochs"):
        make(tmp_path, identity="9 epochs")


def spoilt(content, place):
    lines = content.splitlines(keepends=True)
    return {
        "cut in the middle": content[:700] + content[760:],
        "garbage": content[:place] + b"\x00\xff\xfe" + content[place:],
        "null": b"".join([*lines[:3], b"null\n", *lines[3:]]),
        "a number": content.replace(b"[1.0,2.0,3.0]", b"[1.5,2.0,3.0]", 1),
    }


@pytest.mark.parametrize("damage", ["cut in the middle", "garbage", "null", "a number"])
def test_a_damaged_journal_is_named_and_made_anew_without_it(tmp_path, damage):
    book = make(tmp_path)
    with alive(tmp_path) as worker:
        for _ in range(2):
            assert book.finish(book.claim(worker), worker, VALUES)
    journal = tmp_path / "trials.journal"
    journal.write_bytes(spoilt(journal.read_bytes(), 700)[damage])
    with pytest.raises(DamagedError, match=r"trials\.journal is damaged .*: delete it; "):
        make(tmp_path)
    journal.unlink()
    assert make(tmp_path).trials() == {}


def test_what_a_full_disk_left_of_the_last_line_is_forgotten(tmp_path):
    book = make(tmp_path)
    with alive(tmp_path) as worker:
        assert book.finish(book.claim(worker), worker, VALUES)
        lost = book.claim(worker)
    journal = tmp_path / "trials.journal"
    journal.write_bytes(journal.read_bytes() + b'{"op_code": 5, "wor')
    book = make(tmp_path)
    assert list(book.trials()) == [0]
    with alive(tmp_path) as worker:
        assert book.claim(worker) == lost


class Fails:
    """An evaluation of which one trial fails."""

    def __init__(self, error, number=3):
        self.error, self.number = error, number

    def __call__(self, job, report):
        if job.number == self.number and self.error is not None:
            raise self.error
        return VALUES


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), MemoryError("too much"), DamagedError(Path("a"), "is")]
)
def test_a_trial_without_fault_is_tried_again_by_the_same_search(tmp_path, error):
    search = Search(STRATEGY, OBJECTIVES, tmp_path)
    events = list(search.run(Fails(error), execute=direct))
    assert [event.item.number for event in events if event.kind == "failed"] == [3]  # once, and it ends
    assert len(search.trials) == 5
    assert not search.complete
    assert list(search.unfinished) == [3]
    again = Search(STRATEGY, OBJECTIVES, tmp_path)
    list(again.run(Fails(None), execute=direct))
    assert again.complete
    assert again.trials[3].values == VALUES


def test_a_trial_that_fails_by_its_settings_is_final(tmp_path):
    search = Search(STRATEGY, OBJECTIVES, tmp_path)
    list(search.run(Fails(ValueError("alpha must be positive")), execute=direct))
    assert search.complete
    assert search.trials[3].values is None
    assert search.unfinished == {}


def test_a_search_that_waits_for_an_open_trial_ends(tmp_path):
    """Halving cannot begin its second stage; without a disk this would wait for ever."""
    search = Search(Halving(SPACE, OBJECTIVES, 4), OBJECTIVES, tmp_path)
    list(search.run(Fails(OSError(28, "No space left on device"), 2), execute=waiting))
    assert sorted(search.trials) == [0, 1, 3]


def waiting(work, items, jobs):
    """``direct`` where an item may have to wait."""
    return direct(work, filter(None, items), jobs)


def test_a_trial_of_an_unknown_host_is_lost_after_its_time(tmp_path, monkeypatch):
    journal = JournalStorage(JournalFileBackend(str(tmp_path / "journal")))
    here, there = tmp_path / "here", tmp_path / "there"
    a, b = make(there, storage=journal), make(here, storage=journal, stale_after=10)
    c = make(here, storage=journal)
    with alive(here) as two:
        with alive(there) as one:
            job = a.claim(one)
        assert b.claim(two).number == 1
        later = trial_store.datetime.now() + timedelta(minutes=11)
        monkeypatch.setattr(trial_store, "datetime", type("Clock", (), {"now": staticmethod(lambda: later)}))
        assert c.claim(two).number == 2  # never, unless asked for
        assert b.claim(two) == job
        assert b.claim(two).number == 3  # trials 1 and 2 are as old, but their worker is known to be at work


def test_points_wait_for_the_trials_they_depend_on(tmp_path):
    strategy = TPE(SPACE, OBJECTIVES, 8, start=1, lag=3)
    book = make(tmp_path, strategy)
    with alive(tmp_path) as worker:
        jobs = {job.number: job for job in iter(lambda: book.claim(worker), None)}
        assert sorted(jobs) == [0, 1]
        assert book.finish(jobs[1], worker, VALUES)
        assert book.claim(worker) is None
        assert book.finish(jobs[0], worker, VALUES)
        assert [book.claim(worker).number for _ in range(3)] == [2, 3, 4]
        assert book.claim(worker) is None


def test_another_search_is_refused(tmp_path):
    make(tmp_path)
    with pytest.raises(ValueError, match=r"another search(.|\n)*seed=0(.|\n)*seed=1"):
        make(tmp_path, Random(SPACE, 6, seed=1))


def test_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="cannot be made"):
        Search(STRATEGY, OBJECTIVES, tmp_path / "file" / "x")
