from importlib.resources import as_file, files
from pathlib import Path

import pytest

from kivuko.config import BitextSource
from kivuko.data.alignments import WordAlignment, read_alignments
from kivuko.data.bitext import read_bitext
from kivuko.errors import DataError


@pytest.fixture(scope="module")
def gold() -> list[WordAlignment]:
    with as_file(files("kivuko.data.mini")) as folder:
        return read_alignments(folder / "alignments.tsv")


def test_line_becomes_words_and_links(tmp_path: Path) -> None:
    path = tmp_path / "gold.tsv"
    path.write_text("I read .\tNinasoma .\t0-0 1-0 2-1\t\n", encoding="utf-8")
    assert read_alignments(path) == [
        WordAlignment(("I", "read", "."), ("Ninasoma", "."), frozenset({(0, 0), (1, 0), (2, 1)}), frozenset())
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("I\tMimi\t0-0", "got 3 columns"),
        ("I\tMimi\t0-1\t", "link 0-1 points outside 1 and 1 words"),
        ("I\tMimi\t0:0\t", "got '0:0'"),
    ],
)
def test_bad_line_is_named(tmp_path: Path, line: str, message: str) -> None:
    path = tmp_path / "gold.tsv"
    path.write_text(line + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=f"line 1.*{message}"):
        read_alignments(path)


def test_gold_set_has_its_72_pairs_from_the_mini_bitext(gold: list[WordAlignment]) -> None:
    with as_file(files("kivuko.data.mini")) as folder:
        pairs = read_bitext(BitextSource(path=folder / "en-sw.tsv", language="sw")).pairs
    known = {(p.english.replace(" ", ""), p.translation.replace(" ", "")) for p in pairs}
    assert len(gold) == 72
    assert all(("".join(pair.english), "".join(pair.translation)) in known for pair in gold)


def test_gold_links_are_not_both_sure_and_possible_and_names_are_sure(gold: list[WordAlignment]) -> None:
    for pair in gold:
        assert not pair.sure & pair.possible
        same = {
            (i, j)
            for i, word in enumerate(pair.english)
            for j, other in enumerate(pair.translation)
            if word == other and word[0].isupper() and pair.english.count(word) == pair.translation.count(word) == 1
        }
        assert same <= pair.sure
