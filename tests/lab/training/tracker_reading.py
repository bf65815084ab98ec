"""Reads a run's curves back from where a tracker keeps them, by the tracker's own reader: {curve: {epoch: value}}."""

import json
import struct
from collections import defaultdict


def of_tensorboard(folder, project, run):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard" / run), size_guidance={"scalars": 0}).Reload()
    return {tag: {event.step: event.value for event in events.Scalars(tag)} for tag in events.Tags()["scalars"]}


def of_wandb(folder, project, run):
    from wandb.proto.wandb_internal_pb2 import Record

    (path,) = (folder / "wandb" / run).rglob("*.wandb")
    curves = defaultdict(dict)
    for data in _records(path.read_bytes()):
        record = Record()
        record.ParseFromString(data)
        items = {"/".join(i.nested_key) or i.key: json.loads(i.value_json) for i in record.history.item}
        for name, value in items.items():
            if not name.startswith("_"):
                curves[name][items["_step"]] = value
    return dict(curves)


def _records(data):
    """Of LevelDB's log format: blocks of 32 KiB, in them parts of records with crc, length and type; 7 bytes lead."""
    place, record = 7, b""
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:  # the rest of a block is padding
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        record += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield record
            record = b""


def of_mlflow(folder, project, run):
    from mlflow.tracking import MlflowClient

    client = MlflowClient(f"sqlite:///{folder / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name(project)
    (found,) = client.search_runs([experiment.experiment_id], f"attributes.run_name = '{run}'")
    assert found.info.status == "FINISHED"
    return {
        name: {m.step: m.value for m in client.get_metric_history(found.info.run_id, name)}
        for name in found.data.metrics
    }


READERS = {"tensorboard": of_tensorboard, "wandb": of_wandb, "mlflow": of_mlflow}
