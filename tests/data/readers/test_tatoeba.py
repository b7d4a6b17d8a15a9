import bz2
from pathlib import Path

import pytest

from kivuko.data.readers import BitextFile, BitextFormat, ReaderOptions, Record
from kivuko.errors import ConfigError, DataError

ENGLISH = "1\teng\tYes.\n2\teng\tNo.\n"
SWAHILI = "11\tswh\tNdiyo.\n12\tswh\tSiyo.\n13\tswh\tHapana.\n"


def export(folder: Path, links: str, *sentences: str, language: str | None = "sw") -> list[Record]:
    names = ["links.csv"]
    (folder / names[0]).write_text(links, encoding="utf-8")
    for number, content in enumerate(sentences):
        names.append(f"{number}_sentences.tsv.bz2")
        (folder / names[-1]).write_bytes(bz2.compress(content.encode()))
    path = Path(",".join(str(folder / name) for name in names))
    return list(BitextFile(path, ReaderOptions(BitextFormat.TATOEBA, language)))


def test_links_join_the_sentences_of_two_files(tmp_path: Path) -> None:
    assert export(tmp_path, "1\t11\n2\t12\n2\t13\n", ENGLISH, SWAHILI) == [
        Record(1, "Yes.", "Ndiyo."),
        Record(2, "No.", "Siyo."),
        Record(3, "No.", "Hapana."),
    ]


def test_link_that_stands_both_ways_is_one_pair_whichever_comes_first(tmp_path: Path) -> None:
    assert export(tmp_path, "11\t1\n1\t11\n", ENGLISH, SWAHILI) == [Record(1, "Yes.", "Ndiyo.")]


def test_links_to_other_languages_are_passed_over_in_the_export_of_all(tmp_path: Path) -> None:
    everything = ENGLISH + SWAHILI + "21\tfra\tOui.\n"
    assert export(tmp_path, "1\t21\n21\t11\n1\t11\n", everything) == [Record(3, "Yes.", "Ndiyo.")]


def test_lost_sentence_and_broken_link_are_counted(tmp_path: Path) -> None:
    found = export(tmp_path, "1\t99\nx\ty\n2\t12\n", ENGLISH, SWAHILI)
    assert [record.flaw for record in found] == ["link to no sentence", "no two numbers", ""]


def test_language_is_needed_and_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--language"):
        export(tmp_path, "1\t11\n", ENGLISH, SWAHILI, language=None)
    with pytest.raises(DataError, match="no sentence in 'so'"):
        export(tmp_path, "1\t11\n", ENGLISH, SWAHILI, language="so")
