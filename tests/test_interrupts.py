"""Ctrl-C at any moment, from the first import on: one line, status 130, and whether the command resumes."""

import os
import signal
import subprocess
import sys

import pytest

from equipoise.cli import main

STOP = """
import os, sys
class Stop:
    def find_spec(self, name, path=None, target=None):
        if name == os.environ["STOP_AT"]:
            raise KeyboardInterrupt
sys.meta_path.insert(0, Stop())
"""
SCRIPT = "import sys\nfrom equipoise.cli import main\nsys.exit(main())\n"  # as an installer writes it


@pytest.mark.paired
@pytest.mark.parametrize("how", ["module", "script"])
@pytest.mark.parametrize("stop_at", ["torch", "equipoise.cli.demo"])
def test_while_modules_are_imported(tmp_path, how, stop_at):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(STOP)
    (tmp_path / "equipoise").write_text(SCRIPT)
    paths = [str(tmp_path / "site"), *filter(None, sys.path)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "STOP_AT": stop_at}
    words = [sys.executable, *(["-m", "equipoise"] if how == "module" else [str(tmp_path / "equipoise")]), "demo"]
    ended = subprocess.run(words, capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == (RESUMES if stop_at == "torch" else "Stopped.\n")


def test_importing_the_library_leaves_the_hook_alone():
    code = "import sys; before = sys.excepthook; import equipoise; assert sys.excepthook is before"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


RESUMES = "Stopped. The same command resumes what it began.\n"


@pytest.mark.parametrize(
    ("words", "where", "line"),
    [
        (["methods"], "equipoise.listings.methods", "Stopped.\n"),
        (["losses", "f1"], "equipoise.loss_listings.loss", "Stopped.\n"),
        (["init", "data.csv"], "equipoise.lab.data.table.read_table", "Stopped.\n"),
        (["report", "there"], "equipoise.cli.parser.Parser.parse", "Stopped.\n"),
        (["probe", "reviews"], "equipoise.lab.api.probing.measure", "Stopped.\n"),
        (["demo"], "equipoise.cli.parser.Parser.parse", RESUMES),
        (["demo"], "equipoise.lab.api.comparing.compare", RESUMES),
        (["demo"], "equipoise.lab.studies.make_plan", RESUMES),
        (["compare", "reviews"], "equipoise.lab.cases.CASES", RESUMES),
        (["demo"], "equipoise.lab.studies.Study.__init__", RESUMES),
        (["tune", "reviews"], "equipoise.lab.api.tuning.make_tuning", RESUMES),
    ],
)
def test_before_there_is_anything_to_keep(words, where, line, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    if where.endswith("CASES"):
        from equipoise.lab.cases import CASES

        monkeypatch.setitem(CASES, "reviews", interrupt)
    else:
        monkeypatch.setattr(where, interrupt)
    assert main(words) == 130
    output = capsys.readouterr()
    assert (output.out, output.err) == ("", line)


@pytest.mark.parametrize(
    "where",
    [
        "equipoise.lab.training.workers._start",  # of a worker
        "equipoise.lab.search.watch.Watch.__enter__",
        "equipoise.lab.studies.Study.run",
        "equipoise.lab.search.search.Search.run",
    ],
)
def test_while_runs_are_trained(where, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(where, interrupt)
    tuned = "2" if "search" in where else "0"
    assert main(["demo", "--methods", "sum", "--seeds", "1", "--tuned-trials", tuned, "--jobs", "1"]) == 130
    last = capsys.readouterr().err.splitlines()[-1]
    kept = "0 of 4 runs" if tuned == "0" else "0 of 5 runs"
    assert last.startswith(f"Stopped: {kept} are finished and kept in equipoise-runs")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_real_signal_to_the_process(tmp_path):
    words = [sys.executable, "-m", "equipoise", "demo", "--methods", "sum", "--seeds", "1", "--jobs", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("Starting: 4 runs")
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "Traceback" not in output + errors
    assert "Stopped: " in errors.splitlines()[-1]
