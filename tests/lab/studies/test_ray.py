"""A study on a Ray cluster of two nodes, of which a worker and a node are killed, has the bytes of a local one.

The nodes are processes of this machine: what a network and a shared disk do between hosts is not tested.
"""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from equipoise.cli import main
from equipoise.lab.studies import Study, make_plan
from equipoise.lab.training.executors import executing

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")]
CASE = f"{Path(__file__).parent / 'deadly_case.py'}:make_case"
OPTIONS = ["--methods=pcgrad,frozen-pcgrad", "--tuned-trials=2", "--seeds=1", "--epochs=8", "--jobs=2"]
PLAN = make_plan(CASE, ["pcgrad", "frozen-pcgrad"], [0], epochs=8, tuned_trials=2)
WRITTEN = ("runs.csv", "history.csv", "tuned.json", "tuned/trials.csv")
SYSTEM = {  # a node that is gone is missed sooner, and a worker may take longer to begin on a busy machine
    "health_check_initial_delay_ms": 0,
    "health_check_period_ms": 1000,
    "worker_register_timeout_seconds": 300,
}


@pytest.fixture(scope="module")
def ray():
    return pytest.importorskip("ray", reason='needs pip install "equipoise[ray]"')


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The bytes of a study in worker processes."""
    study = Study(PLAN, tmp_path_factory.mktemp("local"))
    study.threads = 1
    list(study.run(jobs=2))
    return {name: (study.folder / name).read_bytes() for name in WRITTEN}


def test_a_study_that_is_stopped_and_loses_a_worker_and_a_node_ends_in_the_same_bytes(
    ray, local, tmp_path, monkeypatch
):
    from ray.cluster_utils import Cluster

    monkeypatch.chdir(tmp_path)  # where the workers look, too
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "_system_config": SYSTEM})
    try:
        node = cluster.add_node(num_cpus=1)
        stop_after_a_run(f"--executor=ray={cluster.address}")
        Path("kill-worker").touch()
        Path("kill-node").write_text(node.node_id)
        os.mkfifo("doomed")
        killer = threading.Thread(target=kill_when_asked, args=(cluster, node), daemon=True)
        killer.start()
        study = Study(PLAN, Path("study"))
        assert len(study.missing) < len(PLAN.runs)
        with executing(f"ray={cluster.address}", study.folder) as execute:
            events = list(study.run(jobs=2, execute=execute))
        killer.join()
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert study.failures == {}
    assert not Path("kill-worker").exists()
    assert not Path("kill-node").exists()
    assert {event.kind for event in events} == {"started", "progress", "finished"}
    assert {name: (study.folder / name).read_bytes() for name in WRITTEN} == local


def stop_after_a_run(*options):
    words = [sys.executable, "-m", "equipoise", "compare", CASE, *OPTIONS, "--out=study", *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(words, env=environment, **pipes) as process:
        assert process.stdout.readline().startswith("Starting: 5 runs")
        assert any(line.startswith("[1/5] ") for line in process.stdout)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    assert errors.splitlines()[-1].startswith("Stopped: ")
    assert errors.splitlines()[-1].endswith("the same command resumes it.")


def kill_when_asked(cluster, node):
    """As ``kill -9`` of its raylet, which is waited for: Ray's workers take a raylet that is a zombie for alive."""
    Path("doomed").read_text()
    cluster.remove_node(node, allow_graceful=False)


def test_a_cluster_that_is_not_there_is_one_line(ray, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["compare", CASE, *OPTIONS, "--executor=ray=127.0.0.1:1"])
    (line,) = capsys.readouterr().err.splitlines()
    assert "no Ray cluster at 127.0.0.1:1" in line
