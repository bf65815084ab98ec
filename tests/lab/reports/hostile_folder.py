"""A study folder from somebody else: every string in every file is a payload."""

import base64
import json

from made_diagnostics import write_index
from made_study import make_study

PAYLOADS = (
    '<img src=x onerror="window.hacked=1">',
    '"><script>window.hacked=1</script>',
    "</script><script>window.hacked=1</script><!--",
    "' onmouseover='window.hacked=1' x='",
    "--></style></title></textarea><svg onload=window.hacked=1>",
    "&lt;script&gt;window.hacked=1&lt;/script&gt;",
    "[x](javascript:window.hacked=1)",
    "a\n\\input{/etc/passwd}\x1b]0;hacked\x07",
    "`|<a href='javascript:window.hacked=1'>%{x}</a>",
)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def named(what):
    """Each payload with a name of its own."""
    return tuple(f"{payload}{what}" for payload in PAYLOADS)


def plain(what):
    return tuple(f"{what}{place}" for place in range(len(PAYLOADS)))


def hostile_study(path, names=named):
    """A folder whose every string is hostile; with ``names=plain`` one of the same shape that means no harm."""
    methods, tasks = ("sum", *names("method")), {f"{n}task": (f"{n}metric", True) for n in names("")[:3]}
    study = make_study(path, methods=methods, tasks=tasks, epochs=2)
    settings = json.loads((path / "study.json").read_text())
    poison = iter(names("setting") * 20)
    for key in ("equipoise", "case", "title", "data_hash"):
        settings[key] = next(poison)
    settings["settings"] |= {next(poison): next(poison), "patience": next(poison)}
    settings["versions"] = {next(poison): next(poison) for _ in range(3)}
    settings["split_sizes"] = {next(poison): next(poison) for _ in range(3)}
    settings["losses"] = {methods[1]: {next(iter(tasks)): next(poison)}}
    settings["failed"] = {next(poison): next(poison)}
    settings["options"] = {"model": next(poison)}
    settings["test_reads"] = next(poison)
    settings["tasks"] = {task: {"loss": next(poison), "weight": next(poison)} for task in tasks}
    settings["tuned"] = {"reason": next(poison)}
    settings["left_out"] = {"methods": [next(poison), methods[1]], "seeds": [next(poison), 0]}
    settings["looks"] = [{"seeds": [0], "methods": [next(poison)], "runs": n} for n in range(2)]
    settings["methods"].append("tuned")
    (path / "study.json").write_text(json.dumps(settings))
    rows = []
    for place, method in enumerate(methods):
        folder = path / "runs" / str(place)
        (folder / "exhibits").mkdir(parents=True)
        (folder / "exhibits" / "0.png").write_bytes(PNG)
        (folder / "exhibits.json").write_text(json.dumps(entries(names)))
        rows.append((method, 0, "all", f"runs/{place}"))
    write_index(study, rows)
    return study


def entries(names):
    """Diagnostics of each kind; then the same with a text where a number belongs."""
    a, b, c = names("shown")[:3]
    head = {"name": a, "title": b, "tasks": [c], "note": a}
    matrix = {
        **head,
        "kind": "matrix",
        "rows": [a, b],
        "columns": [b, c],
        "row_title": a,
        "column_title": b,
        "shares": [[0.5, 0.5], [None, 1.0]],
        "counts": [[1, 1], [0, 2]],
    }
    table = {**head, "name": b, "kind": "table", "columns": [a, b, c], "rows": [[a, b, c], [b, 0.5, None]]}
    picture = {"file": "0.png", "caption": b}
    gallery = {**head, "name": c, "kind": "gallery", "cards": [{"lines": [a, b], "pictures": [picture]}]}
    failed = {"name": f"{a}failed", "title": a, "tasks": [c], "kind": "failed", "reason": b}
    return [matrix, table, gallery, failed]
