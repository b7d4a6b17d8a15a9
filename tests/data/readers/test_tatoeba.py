import bz2
import io
import tarfile
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


def packed(path: Path, *contents: str) -> Path:
    """Pack files into a tar archive, compressed as its name says."""
    with tarfile.open(path, f"w:{path.suffix.removeprefix('.').replace('tar', '').replace('tgz', 'gz')}") as archive:
        for number, content in enumerate(contents):
            member = tarfile.TarInfo(f"{number}.csv")
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return path


@pytest.mark.parametrize("name", ["links.tar.bz2", "links.tgz", "links.tar"])
def test_archive_of_one_file_is_read_as_that_file(tmp_path: Path, name: str) -> None:
    links = packed(tmp_path / name, "1\t11\n2\t12\n")
    (tmp_path / "sentences.csv").write_text(ENGLISH + SWAHILI, encoding="utf-8")
    options = ReaderOptions(BitextFormat.TATOEBA, "sw")
    path = Path(f"{links},{tmp_path / 'sentences.csv'}")
    assert list(BitextFile(path, options)) == [Record(1, "Yes.", "Ndiyo."), Record(2, "No.", "Siyo.")]
    packed(links, "1\t11\n", "2\t12\n")
    with pytest.raises(DataError, match="more files than one"):
        list(BitextFile(path, options))
    packed(links)
    with pytest.raises(DataError, match="without a file"):
        list(BitextFile(path, options))


def test_archive_that_is_cut_is_refused(tmp_path: Path) -> None:
    links = packed(tmp_path / "links.tar", "1\t11\n" * 1000)
    links.write_bytes(links.read_bytes()[:2000])
    (tmp_path / "sentences.csv").write_text(ENGLISH + SWAHILI, encoding="utf-8")
    with pytest.raises(DataError, match="Is it whole"):
        list(BitextFile(Path(f"{links},{tmp_path / 'sentences.csv'}"), ReaderOptions(BitextFormat.TATOEBA, "sw")))
    links.write_text("1\t11\n", encoding="utf-8")
    with pytest.raises(DataError, match="Is it whole"):
        list(BitextFile(Path(f"{links},{tmp_path / 'sentences.csv'}"), ReaderOptions(BitextFormat.TATOEBA, "sw")))
