"""A folder in which a file was damaged: the command heals it, or names the file and what to delete, and then does.

pytest -m exhaustive tests/lab/studies/test_damaged_folder.py -s    # 200 damages
"""

import contextlib
import io
import json
import random
import re
import shutil
import traceback
from collections import Counter
from pathlib import Path

import pytest

from equipoise.cli import main
from equipoise.lab.studies import Event

HERE = Path(__file__).parent
CASE = f"{HERE / 'fuzz_case.py'}:make_case"
COMPARE = ("compare", CASE, "--methods=sum,uw,frozen-uw", "--seeds=2", "--epochs=2", "--tuned-trials=2", "--jobs=1")
TUNE = ("tune", CASE, "--search=weights,lr", "--sampler=halving", "--trials=4", "--epochs=4", "--jobs=1")
SAME = {  # what has no clock in it
    COMPARE: ("runs.csv", "history.csv", "exhibits.csv", "tuned.json", "tuned/trials.csv"),
    TUNE: ("trials.csv",),
}
OUTPUTS = {"figures", "tables", "drivers", ".lock", "report.html"}  # read by nobody but people


@pytest.fixture(scope="module", autouse=True)
def quick():
    """Workers in this process, and no pictures of charts."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HERE))
        patch.setattr("equipoise.lab.training.workers.Workers.run", lambda self, *asked: in_this_process(*asked))
        patch.setattr("equipoise.lab.search.search.run_jobs", in_this_process)
        patch.setattr("equipoise.lab.reports.report.save", lambda *_: ())
        patch.setattr("equipoise.lab.search.results.SearchResults.save_report", lambda self: None)
        yield


def in_this_process(work, items, jobs):
    for item in filter(None, items):
        yield Event("started", item)
        try:
            event = Event("finished", item, (work(item, lambda *details: None),))
        except Exception as error:
            line = " ".join(f"{type(error).__name__}: {error}".split())
            event = Event("failed", item, (line, traceback.format_exc()))
        yield event


def command(words, folder):
    """Exit status and all that was printed; nothing may be raised."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = main([*words, f"--out={folder}"] if words[0] != "report" else [*words, str(folder)])
        except SystemExit as left:
            status = left.code
    return status, said.getvalue()


@pytest.fixture(scope="module")
def whole(quick, tmp_path_factory):
    """Finished folders, and a study that was stopped within a run."""
    place = tmp_path_factory.mktemp("whole")
    for name, words in (("study", COMPARE), ("search", TUNE)):
        status, said = command(words, place / name)
        assert status == 0, said
    shutil.copytree(place / "study", place / "stopped")
    for path in (place / "stopped" / "runs" / "uw-all-seed1" / "result.json", place / "stopped" / "tuned.json"):
        path.unlink()
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("equipoise.lab.studies.worker.train", stopped_train)
        from equipoise.lab.studies import Study, make_plan

        plan = make_plan(CASE, ["sum", "uw", "frozen-uw"], [0, 1], epochs=2, tuned_trials=2)
        list(Study(plan, place / "stopped").run(1, execute=in_this_process))
    assert (place / "stopped" / "runs" / "uw-all-seed1" / "checkpoint.pt").is_file()
    return place


def stopped_train(case, names, method, seed, settings, folder, report, track, name):
    """Until its first epoch."""
    from equipoise.lab.training import train

    def stop(*_):
        raise KeyboardInterrupt

    return train(case, names, method, seed, settings, folder, stop, track, name)


def other_type(value, draw):
    """The same JSON with a value of another type somewhere."""
    if isinstance(value, dict) and value:
        key = draw.choice(list(value))
        return {**value, key: other_type(value[key], draw)}
    if isinstance(value, list) and value:
        place = draw.randrange(len(value))
        return [*value[:place], other_type(value[place], draw), *value[place + 1 :]]
    return draw.choice([other for other in (None, 3, "x", [], {}, True, -1.5) if type(other) is not type(value)])


def retyped(content, path, draw):
    """Another type in JSON, in one of its lines, or a word in a cell."""
    if path.suffix == ".json":
        return json.dumps(other_type(json.loads(content), draw)).encode()
    lines = content.split(b"\n")
    place = draw.randrange(1, max(2, len(lines) - 1))
    mark = b":" if path.suffix == ".journal" else b","
    head, found, _ = lines[place].rpartition(mark) if place < len(lines) else (b"", b"", b"")
    return b"\n".join([*lines[:place], head + found + b"wrong", *lines[place + 1 :]])


def another(content, path, draw):
    """What another file of that name holds, such as another seed's."""
    others = [p for p in path.parents[2].rglob(path.name) if p.is_file() and p.read_bytes() != content]
    return draw.choice(sorted(others)).read_bytes() if others else b"{}"


def flipped(content, path, draw):
    place = draw.randrange(len(content))
    return content[:place] + bytes([content[place] ^ (1 << draw.randrange(8))]) + content[place + 1 :]


def less_a_line(content, path, draw):
    lines = content.splitlines(keepends=True)
    place = draw.randrange(len(lines))
    return b"".join([*lines[:place], *lines[place + 1 :]])


DAMAGES = {
    "cut": lambda content, path, draw: content[: draw.randrange(len(content))],
    "cut by little": lambda content, path, draw: content[: -draw.randrange(1, min(20, len(content)))],
    "empty": lambda content, path, draw: b"",
    "{}": lambda content, path, draw: b"{}",
    "null": lambda content, path, draw: b"null\n",
    "another type": retyped,
    "another file's": another,
    "garbage": lambda content, path, draw: draw.randbytes(len(content) // 2 + 1),
    "garbage inside": lambda content, path, draw: content[:40] + draw.randbytes(9) + content[40:],
    "a bit": flipped,
    "a line less": less_a_line,
    "deleted": None,
}


def named(path):
    """What a message names: of a picture the diagnostics that it belongs to."""
    return "exhibits.json" if path.suffix == ".png" else path.name


def check(whole, folder, name, draw):
    """One damage; what it was and how it ended."""
    words = TUNE if name == "search" else COMPARE
    shutil.copytree(whole / name, folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and not OUTPUTS & set(p.relative_to(folder).parts))
    kind = draw.choice(sorted({path.name for path in files}))
    path = draw.choice([path for path in files if path.name == kind])
    damage = draw.choice(list(DAMAGES))
    content = path.read_bytes()
    if DAMAGES[damage] is None or not content:
        path.unlink()
    else:
        path.write_bytes(DAMAGES[damage](content, path, draw))
    about = f"{name}/{path.relative_to(folder)}: {damage}"
    if name == "study":
        status, said = command(("report",), folder)
        if status == 0:
            expected = command(("report",), whole / name)[1]
            assert said.replace(str(folder), "") == expected.replace(str(whole / name), ""), about
        else:
            assert said.splitlines()[-1].startswith("equipoise: "), f"{about}\n{said}"
            assert named(path) in said.splitlines()[-1], f"{about}\n{said}"
    steps = 0
    while (ended := command(words, folder))[0] != 0:
        status, said = ended
        found = re.search(
            rf"({re.escape(str(folder))}\S*) (?:(?!: delete ).)*: delete ((?:it|/\S+)(?: and /\S+)*); the command that",
            said,
        )
        assert found is not None, f"{about}\n{said}"
        steps += 1
        assert steps <= 3, f"{about}\n{said}"
        assert named(path) in said or steps > 1, f"{about}\n{said}"
        for place in found[2].split(" and "):
            target = Path(found[1] if place == "it" else place)
            assert target.is_relative_to(folder), about
            shutil.rmtree(target) if target.is_dir() else target.unlink()
    for file in SAME[words]:
        assert (folder / file).read_bytes() == (whole / ("search" if words is TUNE else "study") / file).read_bytes(), (
            about
        )
    return about, steps


def run_damages(whole, tmp_path, count, seed):
    ends = Counter()
    for number in range(count):
        draw = random.Random(f"{seed} {number}")
        name = ("study", "search", "study", "stopped")[number % 4]
        _, steps = check(whole, tmp_path / str(number), name, draw)
        ends[name, "healed by itself" if steps == 0 else f"by {steps} ways out"] += 1
        shutil.rmtree(tmp_path / str(number))
    return ends


@pytest.mark.slow
def test_a_damaged_folder_is_healed_or_says_what_to_delete(whole, tmp_path):
    run_damages(whole, tmp_path, 20, "few")


@pytest.mark.exhaustive
def test_two_hundred_damages(whole, tmp_path):
    for (name, end), count in sorted(run_damages(whole, tmp_path, 200, "many").items()):
        print(f"{name}: {count} {end}")
