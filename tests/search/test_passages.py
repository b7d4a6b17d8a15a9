from pathlib import Path

import pytest

from kivuko.errors import DataError
from kivuko.search.passages import read_passages
from kivuko.search.store import Passage


def test_languages_and_plain_values_come_along(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(
        '{"_id": "a", "title": "T", "text": "x", "language": "sw", "year": 2024, "url": "u", "tags": [1], "n": null, '
        '"big": 1' + "0" * 400 + "}\n"
        '\n{"_id": 2, "text": "y", "language": "", "share": NaN, "metadata": {}, "flag": true}\n'
    )
    expected = [Passage("a", "T", "x", "sw", {"year": 2024, "url": "u"}), Passage("2", "", "y", None, {"flag": True})]
    assert list(read_passages(tmp_path)) == expected
    assert list(read_passages(tmp_path / "corpus.jsonl")) == expected


def test_text_files_are_passages_without_language(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    assert list(read_passages(tmp_path)) == [Passage("a.txt", "", "x")]


def test_a_language_must_be_a_string(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "a", "text": "x", "language": 3}\n')
    with pytest.raises(DataError, match="line 1: language must be a string, got int"):
        list(read_passages(tmp_path))
