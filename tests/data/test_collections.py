import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from ir_measures import Qrel

from kivuko.data import collections, lines
from kivuko.data.collections import (
    Document,
    Query,
    read_collection,
    read_corpus,
    read_qrels,
    read_queries,
)
from kivuko.errors import DataError

NILE = {"_id": "d1", "title": "Nile", "text": "The Nile flows north."}
RUAHA = {"_id": "d2", "title": "", "text": "Mto Ruaha una viboko."}


def write_lines(path: Path, *records: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"{r if isinstance(r, str) else json.dumps(r, ensure_ascii=False)}\n" for r in records)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def beir(tmp_path: Path) -> Path:
    folder = tmp_path / "beir"
    write_lines(folder / "corpus.jsonl", NILE, RUAHA)
    write_lines(folder / "queries.jsonl", {"_id": "sw-1", "text": "Nili?"}, {"_id": "en-1", "text": "Nile?"})
    write_lines(folder / "qrels/test.tsv", "query-id\tcorpus-id\tscore", "sw-1\td1\t1", "en-1\td1\t2")
    write_lines(folder / "qrels/dev.tsv", "query-id\tcorpus-id\tscore", "en-1\td2\t1")
    return folder


def test_content_joins_title_and_text_and_is_stripped() -> None:
    assert Document("d", "Nile", "flows").content == "Nile flows"
    assert Document("d", "", "flows").content == "flows"
    assert Document("d", "", " ").content == ""


def test_a_beir_folder_gives_documents_queries_and_judgments(beir: Path) -> None:
    collection = read_collection(beir)
    assert list(collection.corpus) == [
        Document("d1", "Nile", "The Nile flows north."),
        Document("d2", "", "Mto Ruaha una viboko."),
    ]
    assert collection.queries == [Query("sw-1", "Nili?"), Query("en-1", "Nile?")]
    assert collection.qrels == [Qrel("sw-1", "d1", 1), Qrel("en-1", "d1", 2)]
    assert read_collection(beir, split="dev").qrels == [Qrel("en-1", "d2", 1)]


def test_the_corpus_of_a_collection_can_be_read_twice(beir: Path) -> None:
    corpus = read_collection(beir).corpus
    assert list(corpus) == list(corpus)


def test_gzipped_files_read_as_plain_ones(beir: Path) -> None:
    plain = read_collection(beir)
    documents = list(plain.corpus)
    for name in ("corpus.jsonl", "queries.jsonl"):
        content = (beir / name).read_bytes()
        (beir / name).unlink()
        (beir / f"{name}.gz").write_bytes(gzip.compress(content))
    gzipped = read_collection(beir)
    assert (list(gzipped.corpus), gzipped.queries) == (documents, plain.queries)
    assert list(read_corpus(beir)) == documents


def test_only_queries_keeps_the_queries_of_a_prefix_and_their_judgments(beir: Path) -> None:
    swahili = read_collection(beir).only_queries("sw-")
    assert swahili.queries == [Query("sw-1", "Nili?")]
    assert swahili.qrels == [Qrel("sw-1", "d1", 1)]
    with pytest.raises(DataError, match=r"'yo-'.*sw-1, en-1"):
        read_collection(beir).only_queries("yo-")


def test_a_folder_of_text_files_is_a_corpus_with_relative_paths_as_ids(tmp_path: Path) -> None:
    write_lines(tmp_path / "b.md", "Mahindi", "", "na maharage")
    write_lines(tmp_path / "sub/a.TXT", "\ufeffRains")
    write_lines(tmp_path / "sub/notes.rst", "not text")
    write_lines(tmp_path / ".git/HEAD.txt", "hidden")
    assert list(read_corpus(tmp_path)) == [
        Document("b.md", "", "Mahindi\n\nna maharage"),
        Document("sub/a.TXT", "", "Rains"),
    ]


def test_a_line_that_stands_for_a_symbolic_link_is_followed_once(tmp_path: Path) -> None:
    write_lines(tmp_path / "corpus.jsonl", NILE)
    for name in ("sw-en", "twice"):
        (tmp_path / name).mkdir()
    (tmp_path / "sw-en/corpus.jsonl").write_text("../corpus.jsonl")
    (tmp_path / "twice/corpus.jsonl").write_text("../sw-en/corpus.jsonl")
    assert [document.doc_id for document in read_corpus(tmp_path / "sw-en/corpus.jsonl")] == ["d1"]
    with pytest.raises(DataError, match="invalid JSON"):
        list(read_corpus(tmp_path / "twice/corpus.jsonl"))


@pytest.mark.parametrize("target", ["../gone.jsonl", "../secret.txt", "..", "a\nb.jsonl"])
def test_a_line_that_names_no_existing_jsonl_file_is_not_followed(tmp_path: Path, target: str) -> None:
    (tmp_path / "secret.txt").write_text(json.dumps(NILE))
    (tmp_path / "c").mkdir()
    (tmp_path / "c/corpus.jsonl").write_text(target)
    with pytest.raises(DataError, match="line 1: invalid JSON"):
        list(read_corpus(tmp_path / "c/corpus.jsonl"))


def test_whole_numbers_are_read_as_ids_and_null_titles_as_empty(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "c.jsonl", {"_id": 7, "title": None, "text": "x"}, "", {"_id": "8", "text": "y"})
    assert list(read_corpus(path)) == [Document("7", "", "x"), Document("8", "", "y")]


def test_documents_are_read_one_at_a_time(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "c.jsonl", NILE, "not JSON")
    assert next(read_corpus(path)).doc_id == "d1"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((NILE, "{"), "line 2: invalid JSON"),
        ((NILE, "[" * 100_000), "line 2: invalid JSON"),
        ((NILE, "[1]"), r"line 2: expected a JSON object, got '\[1\]'"),
        ((NILE, {"_id": "d2", "contents": "x"}), "line 2: text missing; the keys are _id, contents"),
        ((NILE, RUAHA, NILE), "line 3: 'd1' was already given in line 1"),
        (({"_id": "d1", "text": None},), "line 1: text must be a string, got NoneType"),
        (({"_id": True, "text": ""},), "line 1: _id must be a string, got bool"),
        (({"_id": " ", "text": ""},), "line 1: the _id is empty"),
        (('{"_id": "d1", "text": "\\ud800"}',), "line 1: text holds half a surrogate pair"),
        (("", " "), "holds no document"),
    ],
)
def test_a_malformed_corpus_is_refused_by_file_and_line(
    tmp_path: Path, lines: tuple[object, ...], message: str
) -> None:
    path = write_lines(tmp_path / "c.jsonl", *lines)
    with pytest.raises(DataError, match=message) as error:
        list(read_corpus(path))
    assert str(path) in str(error.value)


def test_invalid_utf8_is_refused_by_file_and_line(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "c.jsonl", NILE)
    path.write_bytes(path.read_bytes() + b'{"_id": "d2", "text": "caf\xe9"}\n')
    with pytest.raises(DataError, match=r"c\.jsonl, line 2: not valid UTF-8"):
        list(read_corpus(path))
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.txt").write_bytes(b"one\ntwo\nthr\xe9e")
    with pytest.raises(DataError, match=r"a\.txt, line 3: not valid UTF-8"):
        list(read_corpus(folder))


def test_a_line_without_end_is_refused_before_it_is_read_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "MAX_LINE_BYTES", 1_000)
    monkeypatch.setattr(collections, "MAX_FILE_BYTES", 1_000)
    path = write_lines(tmp_path / "c.jsonl", NILE, "x" * 2_000)
    with pytest.raises(DataError, match="line 2: longer than 1,000 bytes"):
        list(read_corpus(path))
    write_lines(tmp_path / "folder/a.txt", "x" * 2_000)
    with pytest.raises(DataError, match=r"a\.txt is longer than 1,000 bytes"):
        list(read_corpus(tmp_path / "folder"))


def test_a_damaged_gzip_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "c.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(NILE).encode())[:-9])
    with pytest.raises(DataError, match="cannot be read"):
        list(read_corpus(path))
    path.write_text("not gzip")
    with pytest.raises(DataError, match="cannot be read"):
        list(read_corpus(path))


@pytest.mark.parametrize("read", [read_corpus, read_queries, read_qrels, read_collection])
def test_a_missing_path_is_refused_at_once(tmp_path: Path, read: Callable[[Path], object]) -> None:
    with pytest.raises(DataError, match="gone does not exist"):
        read(tmp_path / "gone")


@pytest.mark.parametrize("read", [read_queries, read_qrels])
@pytest.mark.parametrize("name", ["folder", "folder.jsonl"])
def test_a_folder_in_place_of_a_file_is_refused(tmp_path: Path, name: str, read: Callable[[Path], object]) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(DataError, match=f"{name} cannot be read: .*Is a directory"):
        read(tmp_path / name)


def test_a_folder_without_documents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"holds no \.txt or \.md file and no corpus\.jsonl"):
        list(read_corpus(tmp_path))


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("queries.jsonl", ('{"_id": "1", "text": "Nili ni nini?"}', '{"_id": "2", "text": "Mvua?"}')),
        ("queries.tsv", ("1\tNili ni nini?", "2\tMvua?")),
        ("topics.txt", ("1\tNili ni nini?", "2\tMvua?")),
        ("topics.txt", ("Nili ni nini?", "", "Mvua?")),
    ],
)
def test_queries_are_read_from_json_tab_separated_and_plain_lines(
    tmp_path: Path, name: str, lines: tuple[str, ...]
) -> None:
    assert read_queries(write_lines(tmp_path / name, *lines)) == [Query("1", "Nili ni nini?"), Query("2", "Mvua?")]


@pytest.mark.parametrize(
    ("name", "lines", "message"),
    [
        ("q.jsonl", ('{"_id": "1", "text": " "}',), "line 1: query '1' is empty"),
        ("q.jsonl", ('{"_id": "1", "text": "a"}', '{"_id": 1, "text": "b"}'), "line 2: '1' was already given"),
        ("q.jsonl", ('{"text": "a"}',), "line 1: _id missing"),
        ("q.tsv", ("1\ta", "2 b"), "line 2: expected `query_id<TAB>text`, got '2 b'"),
        ("q.tsv", ("1\ta", "2\t"), "line 2: query '2' is empty"),
        ("q.txt", (" ", ""), "holds no query"),
    ],
)
def test_malformed_queries_are_refused(tmp_path: Path, name: str, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_queries(write_lines(tmp_path / name, *lines))


@pytest.mark.parametrize(
    "lines",
    [
        ("query-id\tcorpus-id\tscore", "q1\td 1\t2", "q1\td2\t0"),
        ("q1\td 1\t2", "q1\td2\t0"),
        ("q1\t0\td 1\t2", "q1 0 d2 0"),
    ],
)
def test_judgments_are_read_from_three_and_four_columns(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert read_qrels(write_lines(tmp_path / "q", *lines)) == [Qrel("q1", "d 1", 2), Qrel("q1", "d2", 0)]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("q1 d1 yes",), "line 1: the relevance must be a whole number, got 'yes'"),
        (("q1 d1 1", "q1 1"), "line 2: expected .* got 2 columns"),
        (("q1 d1 1", "q1 d1 0"), "line 2: 'q1 d1' was already given in line 1"),
        (("query-id\tcorpus-id\tscore",), "holds no judgment"),
    ],
)
def test_malformed_judgments_are_refused(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_qrels(write_lines(tmp_path / "qrels", *lines))


def test_an_unknown_split_is_refused_with_those_that_are_there(beir: Path) -> None:
    with pytest.raises(DataError, match=r"no split 'train'.*Splits there: dev, test"):
        read_collection(beir, split="train")
    with pytest.raises(DataError, match="no split"):
        read_collection(beir, split="../qrels/test")


def test_judgments_of_other_queries_are_refused(beir: Path) -> None:
    write_lines(beir / "qrels/other.tsv", "q9 d1 1")
    with pytest.raises(DataError, match=r"judges no query of .*it says 'q9'"):
        read_collection(beir, split="other")
