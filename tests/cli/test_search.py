"""`kivuko search` on whatever `kivuko index` wrote."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kivuko.cli import app
from kivuko.errors import ConfigError, ModelError


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
