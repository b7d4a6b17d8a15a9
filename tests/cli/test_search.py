"""`kivuko search` on whatever `kivuko index` wrote."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.errors import ConfigError, DataError, ModelError


def kivuko(*arguments: object) -> tuple[str, str]:
    result = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout, result.stderr


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, tiny_encoder_dir: Path, sentences: list[str]) -> Path:
    """A flat store of English and Swahili passages."""
    folder = tmp_path_factory.mktemp("search")
    rows = [
        {
            "_id": f"d{n}",
            "title": "1984" if n == 3 else "",
            "text": text,
            "language": "sw" if n % 2 else "en",
            "year": 2000 + n,
            "code": str(10 + n),
        }
        for n, text in enumerate(sentences)
    ]
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    kivuko(
        *("index", "--model", tiny_encoder_dir, "--corpus", folder / "corpus.jsonl", "--out", folder / "store"),
        *("--store", "flat"),
    )
    return folder / "store"


def search(store: Path, model: Path, *flags: object) -> list[str]:
    stdout, _ = kivuko("search", "--index", store, "--model", model, "maize", "--json", *flags)
    return [hit["doc_id"] for hit in json.loads(stdout)["hits"]]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--where", "language=sw"], {"d1", "d3", "d5", "d7", "d9"}),
        (["--where", "language=sw", "--where", "year=2003"], {"d3"}),
        (["--where", "code=12"], {"d2"}),
        (["--where", 'code="12"'], {"d2"}),
        (["--where", "title=1984"], {"d3"}),
        (["--where", 'title="1984"'], {"d3"}),
    ],
)
def test_where_keeps_what_has_all_values(
    store: Path, tiny_encoder_dir: Path, flags: list[str], expected: set[str]
) -> None:
    assert set(search(store, tiny_encoder_dir, *flags)) == expected


def test_a_condition_must_have_a_name_and_a_value(store: Path, tiny_encoder_dir: Path) -> None:
    for wrong in ("language", "=sw"):
        with pytest.raises(ConfigError, match="--where takes name=value"):
            search(store, tiny_encoder_dir, "--where", wrong)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("yaer=2024", "Expected one of the fields code, language, text, title, year in "),
        ('year="2003"', "Expected a number in "),
        ("year=kesho", "Expected a number in "),
        ("code=", None),
        ("code=99", None),
    ],
)
def test_a_condition_that_nothing_can_meet_is_refused(
    store: Path, tiny_encoder_dir: Path, condition: str, told: str | None
) -> None:
    if told is None:  # no passage has that value, but one might
        assert search(store, tiny_encoder_dir, "--where", condition) == []
        return
    with pytest.raises(ConfigError, match=f"^--where {condition} can find nothing. {told}"):
        search(store, tiny_encoder_dir, "--where", condition)


def test_a_model_that_does_not_belong_is_refused_and_any_model_may_be_forced(
    store: Path, tiny_encoder_dir: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_encoder_dir, tmp_path / "other")
    (tmp_path / "other" / "note.txt").write_text("another model of the same dimension")
    with pytest.raises(ModelError, match=r"does not belong to .*store: .* To ask all the same, give --any-model"):
        search(store, tmp_path / "other")
    assert len(search(store, tmp_path / "other", "--any-model")) == 10


def test_damage_that_only_checksums_show_is_found_before_a_search_and_before_a_write(
    store: Path, tiny_encoder_dir: Path, tmp_path: Path
) -> None:
    damaged = shutil.copytree(store, tmp_path / "store")
    assert len(search(damaged, tiny_encoder_dir, "--verify")) == 10
    told, _ = kivuko("index", "--out", damaged, "--verify")
    assert told == f"{damaged}: every file is as it was written\n"
    codes = damaged / "00000001" / "codes.i8"
    codes.write_bytes(codes.read_bytes()[:-1] + b"\x55")
    assert len(search(damaged, tiny_encoder_dir)) == 10
    (tmp_path / "ids").write_text("d1\n")
    more = ("--model", tiny_encoder_dir, "--corpus", store.parent / "corpus.jsonl")
    for arguments in (
        ("search", "--index", damaged, "--ranker", "bm25", "--verify", "maize"),
        ("index", "--out", damaged, "--verify"),
        ("index", "--out", damaged, "--update", *more),
        ("index", "--out", damaged, *more),
        ("index", "--out", damaged, "--delete", tmp_path / "ids"),
    ):
        with pytest.raises(DataError, match=r"damaged: 00000001/codes\.i8 is not what was written"):
            kivuko(*arguments)


def test_what_has_no_checksums_is_not_verified(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is nothing to verify at "):
        kivuko("index", "--out", tmp_path / "none", "--verify")
    with pytest.raises(ConfigError, match="--verify cannot be used with the kind of store `qdrant`"):
        kivuko("index", "--out", "http://localhost:1/passages", "--verify")
    with pytest.raises(ConfigError, match="leave out --verify"):
        kivuko("search", "--index", "http://localhost:1/passages", "--ranker", "bm25", "--verify", "maize")


def test_a_store_beyond_its_size_says_so_in_one_line_to_whoever_opens_or_fills_it(
    store: Path, tiny_encoder_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = store.parent / "corpus.jsonl"
    fill = ("index", "--out", tmp_path / "new", "--store", "flat", "--model", tiny_encoder_dir, "--corpus", corpus)
    ask = ("search", "--index", store, "--model", tiny_encoder_dir, "maize")
    assert "warning" not in kivuko(*ask)[1]
    monkeypatch.setattr("kivuko.search.flat.store.ADVISED_PASSAGES", 9)
    for arguments in (ask, fill, fill):
        warned = [line for line in kivuko(*arguments)[1].splitlines() if "arning" in line]
        assert len(warned) == 1, arguments
        assert warned[0].startswith("warning: The store ")
        assert "holds 10 passages" in warned[0]
        assert "--store qdrant" in warned[0]


def test_a_query_that_is_longer_than_the_model_reads_is_named(store: Path, tiny_encoder_dir: Path) -> None:
    command = ("search", "--index", store, "--model", tiny_encoder_dir)
    _, stderr = kivuko(*command, "maize " * 70)
    assert "warning: 1 query is longer than the 64 tokens that the model reads" in stderr
    _, stderr = kivuko(*command, "maize")
    assert "warning" not in stderr
