import json
from pathlib import Path
from typing import Any

import datasets
import pytest

from kivuko.data.readers import BitextFile, ReaderOptions, Record
from kivuko.errors import ConfigError, DataError

SWAHILI = ReaderOptions(language="sw")
YES, NO = Record(1, "Yes.", "Ndiyo."), Record(2, "No.", "Siyo.")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


def folder(path: Path, rows: list[dict[str, Any]], name: str = "train.jsonl") -> Path:
    path.mkdir(parents=True, exist_ok=True)
    (path / name).write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def read(spelled: str, options: ReaderOptions = SWAHILI) -> list[Record]:
    return list(BitextFile.spelled(Path(spelled), options))


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    "row",
    [
        lambda english, swahili: {"translation": {"en": english, "sw": swahili}},
        lambda english, swahili: {"id": "1", "en": english, "swh": swahili},
        lambda english, swahili: {"english": english, "translation": swahili},
    ],
    ids=["a table of translations", "columns of languages", "our own names"],
)
def test_folder_of_the_hubs_kind_is_read_by_its_columns(tmp_path: Path, row: Any) -> None:
    path = folder(tmp_path / "opus", [row("Yes.", "Ndiyo."), row("No.", "Siyo.")])
    assert read(f"hub:{path}") == [YES, NO]


@pytest.mark.usefixtures("cache")
def test_parquet_and_another_split_are_read(tmp_path: Path) -> None:
    path = folder(tmp_path / "opus", [{"en": "a", "sw": "b"}])
    rows = {"translation": [{"en": "Yes.", "sw": "Ndiyo."}]}
    datasets.Dataset.from_dict(rows).to_parquet(str(tmp_path / "parquet" / "test.parquet"))
    assert read(f"hub:{tmp_path}/parquet#test") == [YES]
    with pytest.raises(DataError, match="cannot be read"):
        read(f"hub:{path}#validation")


@pytest.mark.usefixtures("cache")
def test_named_columns_take_precedence_and_must_be_there(tmp_path: Path) -> None:
    path = folder(tmp_path / "opus", [{"source": "Yes.", "pair": {"so": "Ndiyo."}}])
    assert read(f"hub:{path}", ReaderOptions(english="source", translation="pair.so")) == [YES]
    dotted = folder(tmp_path / "dotted", [{"t.en": "Yes.", "t.so": "Ndiyo."}])
    assert read(f"hub:{dotted}", ReaderOptions(english="t.en", translation="t.so")) == [YES]
    with pytest.raises(DataError, match="no column source or x; it has source, pair"):
        read(f"hub:{path}", ReaderOptions(english="source", translation="x"))
    with pytest.raises(ConfigError, match="--english and --translation"):
        read(f"hub:{path}")


@pytest.mark.usefixtures("cache")
def test_row_without_text_is_a_flaw(tmp_path: Path) -> None:
    path = folder(tmp_path / "opus", [{"en": "Yes.", "sw": "Ndiyo."}, {"en": "No.", "sw": None}])
    assert read(f"hub:{path}") == [YES, Record(2, "", "", "no text under 'sw'")]


@pytest.mark.usefixtures("cache")
def test_code_that_lies_with_the_data_is_not_run(tmp_path: Path) -> None:
    path = folder(tmp_path / "opus", [{"en": "Yes.", "sw": "Ndiyo."}])
    (path / "opus.py").write_text(f"open({str(tmp_path / 'run')!r}, 'w').close()\n", encoding="utf-8")
    with pytest.raises(DataError):
        read(f"hub:{path}")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("cache")
def test_data_set_that_is_not_there_is_named() -> None:
    with pytest.raises(DataError, match="no-such/data-set/en-sw cannot be read"):
        read("hub:no-such/data-set/en-sw")
