import pytest

from equipoise.lab.data.folder import VARIABLE, data_folder, data_hash


def test_the_argument_goes_before_the_variable(tmp_path, monkeypatch):
    (tmp_path / "tox21").mkdir()
    (tmp_path / "mine").mkdir()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert data_folder("tox21", "from there") == tmp_path / "tox21"
    assert data_folder("tox21", "from there", tmp_path / "mine") == tmp_path / "mine"


def test_a_missing_folder_says_where_the_data_comes_from(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(ValueError, match=r"set EQUIPOISE_DATA to the folder that holds tox21/; from there"):
        data_folder("tox21", "from there")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(ValueError, match=r"tox21 is not a folder; from there"):
        data_folder("tox21", "from there")
    with pytest.raises(ValueError, match=r"nowhere is not a folder; from there"):
        data_folder("tox21", "from there", tmp_path / "nowhere")


def test_the_hash_is_of_the_contents(tmp_path):
    a, b, c = tmp_path / "a", tmp_path / "b", tmp_path / "c"
    a.write_bytes(b"1")
    b.write_bytes(b"2")
    c.write_bytes(b"1")
    assert data_hash([a, b]) == data_hash([b, c]) != data_hash([a, c])
    assert data_hash([a]) != data_hash([b])
    with pytest.raises(ValueError, match="gone is missing"):
        data_hash([tmp_path / "gone"])
