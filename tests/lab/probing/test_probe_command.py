"""``equipoise probe`` on a table and on wrong use."""

import pytest

from equipoise.cli import main

WORDS = ("--target", "price:regression", "--target", "sold:binary", "--number", "size,age")


@pytest.fixture
def table(tmp_path):
    lines = ["size,age,price,sold"]
    lines += [f"{i % 7},{i % 5},{3 * (i % 7) - i % 5 + i % 3},{int(i % 7 > 3)}" for i in range(200)]
    path = tmp_path / "flats.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_is_probed_in_80_columns_and_as_a_page(table, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    page = tmp_path / "probe.html"
    assert main(["probe", str(table), *WORDS, "--batches=3", "--steps=5", f"--html={page}"]) == 0
    out = capsys.readouterr().out
    tables = out.partition("After 5 steps")[0]
    assert max(map(len, tables.splitlines())) <= 80
    for words in ("price | sold", "layer by layer, after 5 steps", "at the representation", "balancer = eq.Balancer("):
        assert words in out
    assert "After 5 steps of the plain sum" in page.read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["reviws"], "unknown case 'reviws'; did you mean 'reviews'?"),
        (["reviews", "--steps", "-1"], "a whole number of at least 0, got '-1'"),
        (["reviews", "--batches", "0"], "a whole number of at least 1, got '0'"),
        (["reviews", "--html", "nowhere/p.html"], "there is no folder nowhere"),
        (["reviews", "--batchs", "3"], "unknown option '--batchs'; did you mean '--batches'"),
    ],
)
def test_wrong_use_is_one_line(words, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        main(["probe", *words])
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
