from pathlib import Path

import pytest
from ir_measures import Qrel

from kivuko.data.catalog import Counts, Pair, catalog, find_entry
from kivuko.data.collections import Collection, Document, Query
from kivuko.data.published import check_counts, check_languages, data_directory, read_published
from kivuko.errors import ConfigError, DataError
from kivuko.evaluation.measures import parse_measures

ONE = Collection([Document("d1", "", "x")], [Query("q1", "x")], [Qrel("q1", "d1", 1)])


@pytest.mark.parametrize("entry", catalog().values(), ids=catalog())
def test_every_entry_says_what_a_user_needs_and_has_measures_that_exist(entry: object) -> None:
    assert parse_measures(entry.measures)
    assert all((entry.title, entry.languages, entry.splits, entry.licence, entry.citation, entry.layout, entry.folders))
    assert entry.folders[0] in entry.where
    for key in entry.counts:
        pair, _, split = key.rpartition("/")
        assert not pair or split in entry.splits


def test_the_documentation_names_every_task() -> None:
    page = (Path(__file__).parents[2] / "docs" / "tasks.md").read_text(encoding="utf-8")
    for name in catalog():
        assert f"| `{name}" in page


def test_a_single_language_stands_for_the_side_that_is_not_english() -> None:
    assert find_entry("tatoeba").pair("sw") == Pair("sw", "en")
    assert find_entry("wikiclir").pair("simple") == Pair("en", "simple")
    assert find_entry("belebele").pair("so-sw") == Pair("so", "sw")
    for wrong in ("", "a-b-c", "-sw"):
        with pytest.raises(ConfigError, match="Expected belebele:sw"):
            find_entry("belebele").pair(wrong)
    with pytest.raises(ConfigError, match="no task 'ciraal'"):
        find_entry("ciraal")


def test_published_sizes_are_found_by_pair_and_split_then_by_split() -> None:
    assert find_entry("ciral").wanted(Pair("en", "sw"), "test-a") == Counts(85, 949_013, 1_656)
    assert find_entry("ciral").wanted(Pair("en", "fr"), "test-a") == Counts()
    assert find_entry("mewsli-x").wanted(None, "dev") == Counts(2_991, 1_003_893, None)
    assert find_entry("belebele").wanted(Pair("so", "sw"), "test").queries == 900
    assert find_entry("afriqa").wanted(Pair("sw", "en"), "test") == Counts(295, None, 295)
    assert find_entry("tatoeba").wanted(Pair("be", "en"), "test").queries == 1_000
    assert find_entry("tatoeba").wanted(Pair("cy", "en"), "test").queries == 575
    assert find_entry("hc4").wanted(Pair("en", "zh"), "train") == Counts(23, 646_305, 341)
    assert find_entry("wikiclir").wanted(Pair("en", "simple"), "all").queries == 114_572


def test_every_language_of_wikiclir_has_its_sizes() -> None:
    entry = find_entry("wikiclir")
    assert all(None not in entry.wanted(entry.pair(language), "all") for language in entry.languages.split())


def test_sizes_other_than_the_published_ones_are_refused() -> None:
    check_counts(ONE, Counts(1, 1, 1), "x")
    check_counts(ONE, Counts(), "x")
    with pytest.raises(
        DataError, match=r"documents 1 instead of 949,013, judgments 1 instead of 2\. .*--allow-incomplete"
    ):
        check_counts(ONE, Counts(1, 949_013, 2), "ciral:sw")


def test_languages_of_a_pool_are_compared_one_by_one() -> None:
    lareqa = find_entry("lareqa")
    with pytest.raises(DataError, match="lareqa, de: 1 queries and 1 documents, but 1,190 and 1,276"):
        check_languages(Collection([Document("de-p1-s0", "", "x")], [Query("de:a", "x")], []), lareqa, ["de"])
    english = Collection(
        [Document(f"en-p{number}-s0", "", "x") for number in range(1180)],
        [Query(f"en:{number}", "x") for number in range(1190)],
        [],
    )
    check_languages(english, lareqa, ["en"])
    with pytest.raises(DataError, match="lareqa, ar: 0 queries"):
        check_languages(english, lareqa, [])


def test_a_missing_download_says_where_to_get_what_and_where_to_put_it(tmp_path: Path) -> None:
    entry = find_entry("ciral")
    with pytest.raises(ConfigError, match=r"--data DIR, or set KIVUKO_DATA"):
        read_published(entry, Pair("en", "sw"), "dev", None)
    with pytest.raises(DataError, match=r"CIRAL/ciral(.|\n)*DIR/ciral/ holds(.|\n)*topics\.ciral"):
        read_published(entry, Pair("en", "sw"), "dev", tmp_path)
    with pytest.raises(DataError, match="does not exist"):
        read_published(entry, Pair("en", "sw"), "dev", tmp_path / "none")
    with pytest.raises(ConfigError, match="no split 'test'; it has test-a"):
        read_published(entry, Pair("en", "sw"), "test", tmp_path)


def test_the_data_directory_may_be_the_folder_itself_and_may_be_of_beir(tmp_path: Path) -> None:
    folder = tmp_path / "tatoeba-xtreme" / "sw-en"
    (folder / "qrels").mkdir(parents=True)
    (folder / "queries.jsonl").write_text('{"_id": "t0", "text": "Habari?"}\n', encoding="utf-8")
    (folder / "corpus.jsonl").write_text('{"_id": "t0", "text": "Hello?"}\n', encoding="utf-8")
    (folder / "qrels" / "test.tsv").write_text("t0\tt0\t1\n", encoding="utf-8")
    for data in (tmp_path, tmp_path / "tatoeba-xtreme", folder):
        collection = read_published(find_entry("tatoeba"), Pair("sw", "en"), "test", data)
        assert collection.queries == [Query("t0", "Habari?")]


def test_the_variable_is_asked_where_no_directory_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIVUKO_DATA", "/downloads")
    assert data_directory(None) == Path("/downloads")
    assert data_directory(Path("here")) == Path("here")
    monkeypatch.delenv("KIVUKO_DATA")
    assert data_directory(None) is None
