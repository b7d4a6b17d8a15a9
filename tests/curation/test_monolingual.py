import gzip
from pathlib import Path

import numpy as np
import pytest

from kivuko.curation.mining import Mined
from kivuko.curation.monolingual import Sides, read_sides, write_mined
from kivuko.errors import DataError


def test_each_sentence_is_read_once_and_none_as_its_own_translation(tmp_path: Path) -> None:
    english, other = tmp_path / "news.en", tmp_path / "news.sw.gz"
    english.write_text("Good  morning.\ngood morning.\n\nYes.\n" + "long " * 500 + "\n", encoding="utf-8")
    other.write_bytes(gzip.compress(b"Habari.\r\nYES.\nHabari.\n"))
    assert read_sides(english, other) == Sides(["Good morning.", "Yes."], ["Habari."], 4)


def test_text_without_a_sentence_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "news.en"
    path.write_text("Yes.\n", encoding="utf-8")
    with pytest.raises(DataError, match="none of them in the English text"):
        read_sides(path, path)
    with pytest.raises(DataError, match="does not exist"):
        read_sides(path, tmp_path / "news.sw")


def test_pairs_are_written_with_and_without_scores(tmp_path: Path) -> None:
    found = Mined(np.array([[1, 0], [0, 2]]), np.array([1.5, 1.25]))
    sides = Sides(["a", "b"], ["x", "y", "z"], 0)
    write_mined(found, sides, tmp_path / "out.tsv")
    assert (tmp_path / "out.tsv").read_text(encoding="utf-8") == "b\tx\na\tz\n"
    write_mined(found, sides, tmp_path / "out.tsv", with_scores=True)
    lines = (tmp_path / "out.tsv").read_text(encoding="utf-8").splitlines()
    assert lines == ["english\ttranslation\tscore", "b\tx\t1.50000", "a\tz\t1.25000"]
