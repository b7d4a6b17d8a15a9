"""`kivuko index --lexical` and `kivuko search --ranker`: words beside the vectors, and both together."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.errors import ConfigError, DataError


def kivuko(*arguments: object) -> str:
    result = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def write(path: Path, texts: list[str]) -> Path:
    rows = [{"_id": f"d{n}", "text": text, "even": n % 2 == 0} for n, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def bitext(tmp_path: Path, sentences: list[str]) -> Path:
    path = tmp_path / "en-sw.tsv"
    lines = [f"{english}\t{swahili}\n" for english, swahili in zip(sentences[::2], sentences[1::2], strict=True)]
    path.write_text("".join(lines), encoding="utf-8")
    return path


def ids(out: Path, query: str, *flags: object) -> list[str]:
    printed = kivuko("search", "--index", out, "--json", query, *flags)
    return [hit["doc_id"] for hit in json.loads(printed)["hits"]]


def test_translations_are_learned_from_any_format(tmp_path: Path, tiny_encoder_dir: Path, sentences: list[str]) -> None:
    out, corpus = tmp_path / "index", write(tmp_path / "corpus.jsonl", sentences[::2])
    (tmp_path / "c.en").write_text("\n".join(sentences[::2]) + "\n", encoding="utf-8")
    (tmp_path / "c.sw").write_text("\n".join(sentences[1::2]) + "\n", encoding="utf-8")
    command = ("index", "--model", tiny_encoder_dir, "--corpus", corpus, "--out", out, "--language", "en")
    said = kivuko(*command, "--lexical", "psq", "--bitext", f"moses:{tmp_path}/c", "--target", "sw")
    assert "translations of words from sw to en, from 5 sentence pairs" in said


@pytest.mark.parametrize("kind", ["exact", "flat", "qdrant"])
def test_words_are_counted_with_the_vectors_and_asked_without_a_model(
    kind: str, tmp_path: Path, tiny_encoder_dir: Path, sentences: list[str], bitext: Path
) -> None:
    out, corpus = tmp_path / "index", write(tmp_path / "corpus.jsonl", sentences[::2])
    command = ("index", "--model", tiny_encoder_dir, "--corpus", corpus, "--out", out, "--language", "en")
    said = kivuko(*command, "--store", kind, "--lexical", "psq", "--bitext", bitext, "--target", "sw")
    assert "words of 5 documents" in said
    assert "translations of words from sw to en, from 5 sentence pairs" in said
    assert ids(out, "planting maize", "--ranker", "bm25") == ["d0"]
    assert ids(out, "mahindi na maharage", "--ranker", "psq", "--top-k", 1) == ["d0"]
    fused = ids(out, "mahindi", "--ranker", "rrf", "--model", tiny_encoder_dir, "--fuse", "maxsim", "--fuse", "psq:2")
    assert len(fused) == 5
    assert fused[0] == "d0"
    usual = kivuko("search", "--index", out, "--model", tiny_encoder_dir, "--ranker", "weighted", "mahindi")
    assert usual.startswith("1. ")


def test_a_store_that_changes_has_its_words_counted_anew(
    tmp_path: Path, tiny_encoder_dir: Path, sentences: list[str]
) -> None:
    out, corpus = tmp_path / "store", write(tmp_path / "corpus.jsonl", sentences[:4])
    command = ("index", "--model", tiny_encoder_dir, "--corpus", corpus, "--out", out)
    assert "words" not in kivuko(*command, "--store", "qdrant")  # nobody asked for them
    assert "words of 4 documents" in kivuko("index", "--out", out, "--lexical", "bm25")
    write(corpus, [*sentences[:3], "changed", *sentences[4:]])
    assert "words of 10 documents" in kivuko(*command, "--update")
    assert ids(out, "changed", "--ranker", "bm25") == ["d3"]
    (tmp_path / "ids.txt").write_text("d3\n")
    assert "words of 9 documents" in kivuko("index", "--out", out, "--delete", tmp_path / "ids.txt")
    assert ids(out, "changed", "--ranker", "bm25") == []


def test_words_are_filtered_and_run_through_a_file_of_queries(
    tmp_path: Path, tiny_encoder_dir: Path, sentences: list[str]
) -> None:
    out, corpus = tmp_path / "store", write(tmp_path / "corpus.jsonl", sentences)
    command = ("--model", tiny_encoder_dir, "--corpus", corpus, "--out", out, "--store", "flat", "--lexical", "bm25")
    kivuko("index", *command)
    assert ids(out, "Nairobi Mombasa", "--ranker", "bm25", "--where", "even=false") == ["d5"]
    (tmp_path / "queries.tsv").write_text("q1\tsimba\nq2\tlion\n")
    run = kivuko("search", "--index", out, "--ranker", "bm25", "--queries", tmp_path / "queries.tsv").splitlines()
    assert [line.split()[:3] for line in run] == [["q1", "Q0", "d7"], ["q2", "Q0", "d6"]]


def test_mistakes_are_said_before_anything_is_encoded(
    tmp_path: Path, tiny_encoder_dir: Path, sentences: list[str], bitext: Path
) -> None:
    corpus = write(tmp_path / "corpus.jsonl", sentences)
    command = ("index", "--model", tiny_encoder_dir, "--corpus", corpus, "--out", tmp_path / "index")
    with pytest.raises(ConfigError, match="give --bitext FILE and --target LANGUAGE"):
        kivuko(*command, "--lexical", "psq", "--bitext", bitext)
    with pytest.raises(ConfigError, match="are for --lexical psq"):
        kivuko(*command, "--lexical", "bm25", "--target", "sw")
    with pytest.raises(DataError, match=r"missing\.tsv"):
        kivuko(*command, "--lexical", "psq", "--bitext", tmp_path / "missing.tsv", "--target", "sw")
    with pytest.raises(ConfigError, match="--lexical-index DIRECTORY"):
        kivuko("index", "--out", "http://127.0.0.1:9/passages", "--lexical", "bm25")
    assert not (tmp_path / "index").exists()
    kivuko(*command)
    with pytest.raises(ConfigError, match="MaxSim needs the encoder"):
        kivuko("search", "--index", tmp_path / "index", "maize")
    with pytest.raises(DataError, match="--lexical bm25` counts them"):
        kivuko("search", "--index", tmp_path / "index", "maize", "--ranker", "bm25")


def test_words_may_lie_elsewhere(tmp_path: Path, tiny_encoder_dir: Path, sentences: list[str]) -> None:
    out, corpus = tmp_path / "index", write(tmp_path / "corpus.jsonl", sentences)
    beside = tmp_path / "beside"
    command = ("index", "--model", tiny_encoder_dir, "--corpus", corpus, "--out", out)
    kivuko(*command, "--lexical", "bm25", "--lexical-index", beside)
    assert not (out / "words").exists()
    assert ids(out, "simba", "--ranker", "bm25", "--lexical-index", beside) == ["d7"]
