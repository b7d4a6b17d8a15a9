import csv
from pathlib import Path

import pytest
from sentence_transformers import MultiVectorEncoder

from kivuko.curation import Filter, QualityScorer, pairs_of, rejected_path, write_scored
from kivuko.curation.filtering import BATCH
from kivuko.data.readers import BitextFile
from kivuko.errors import ConfigError, DataError

FALSE = 8


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory, sentences: list[str]) -> BitextFile:
    """Forty pairs of a sentence and itself, the first ones with another's, and two lines that are no pair."""
    words = [word for sentence in sentences for word in sentence.split()]
    english = [" ".join(words[3 * n : 3 * n + 6]) for n in range(38)]
    other = english[1:FALSE] + english[:1] + english[FALSE:]
    lines = [f"{one}\t{two.upper()}" for one, two in zip(english, other, strict=True)]
    lines[10:10] = ["no tab", "empty side\t"]
    path = tmp_path_factory.mktemp("text") / "en-sw.tsv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return BitextFile(path)


@pytest.fixture(scope="module")
def scorer(text: BitextFile, tiny_encoder: MultiVectorEncoder) -> QualityScorer:
    return QualityScorer(pairs_of([text]), tiny_encoder, tiny_encoder)


def rows(path: Path) -> list[list[str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_every_pair_is_written_with_its_scores(text: BitextFile, scorer: QualityScorer, tmp_path: Path) -> None:
    done = write_scored([text], scorer, tmp_path / "scored.tsv")
    names, *scored = rows(tmp_path / "scored.tsv")
    assert names == ["english", "translation", "cost", "margin", "coverage", "score"]
    assert [row[:2] for row in scored] == [list(pair) for pair in pairs_of([text])]
    assert (done.pairs, done.kept, done.threshold, done.left_out.total()) == (38, 38, None, 2)


def test_kept_and_rejected_are_the_text(text: BitextFile, scorer: QualityScorer, tmp_path: Path) -> None:
    done = write_scored([text], scorer, tmp_path / "kept.tsv", chosen=Filter(keep=30 / 38))
    kept, (names, *rejected) = rows(tmp_path / "kept.tsv"), rows(rejected_path(tmp_path / "kept.tsv"))
    assert names == ["file", "place", "reason", "score", "english", "translation"]
    assert kept == [list(pair) for pair in pairs_of([text])][FALSE:]
    assert {int(row[1]) for row in rejected} == {*range(1, FALSE + 1), 11, 12}
    assert [row[2] for row in rejected if row[2] == "low score"] == ["low score"] * FALSE
    assert (done.pairs, done.kept) == (38, 30)


def test_threshold_keeps_what_reaches_it(text: BitextFile, scorer: QualityScorer, tmp_path: Path) -> None:
    shared = write_scored([text], scorer, tmp_path / "a.tsv", chosen=Filter(keep=0.5))
    again = write_scored([text], scorer, tmp_path / "b.tsv", chosen=Filter(threshold=shared.threshold))
    assert again == shared
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()


def test_progress_counts_all_pairs(text: BitextFile, scorer: QualityScorer, tmp_path: Path) -> None:
    told: list[int] = []
    write_scored([text] * 8, scorer, tmp_path / "out.tsv", progress=told.append)
    assert told == [BATCH, 8 * 38 - BATCH]


def test_nothing_is_left_where_no_pair_is_good_enough(text: BitextFile, scorer: QualityScorer, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No pair has a score of 1e\\+06 or more; the best has"):
        write_scored([text], scorer, tmp_path / "out.tsv", chosen=Filter(threshold=1e6))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("chosen", [Filter(keep=0.0), Filter(keep=1.5), Filter(keep=0.5, threshold=1.0)])
def test_filter_that_makes_no_sense_is_refused(scorer: QualityScorer, chosen: Filter, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keep"):
        write_scored([], scorer, tmp_path / "out.tsv", chosen=chosen)
