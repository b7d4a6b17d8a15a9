"""Catalogues of gettext, one by one; those of folders and packages are in `test_packages.py`."""

import struct
from pathlib import Path

import polib
import pytest

from kivuko.data.bitext import SentencePair
from kivuko.data.readers import BitextFile, ReaderOptions, Record
from kivuko.errors import DataError

PO = r"""
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\n"

msgid "Yes."
msgstr "Ndi"
"yo."

#, fuzzy
msgid "No."
msgstr "Hapana."

msgid "one file"
msgid_plural "%d files"
msgstr[0] "faili %d"
msgstr[1] "mafaili %d"

msgid "Help"
msgstr ""

#~ msgid "Old"
#~ msgstr "Zee"
"""


def records(path: Path, content: str | bytes) -> list[Record]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(BitextFile(path, ReaderOptions(language="sw")))


def test_po_keeps_what_is_translated_and_names_what_is_not(tmp_path: Path) -> None:
    assert [record[1:4] for record in records(tmp_path / "sw.po", PO)] == [
        ("Yes.", "Ndiyo.", ""),
        ("No.", "Hapana.", "fuzzy"),
        ("%d files", "mafaili %d", ""),
        ("Help", "", "not translated"),
        ("Old", "Zee", "obsolete"),
    ]


@pytest.mark.parametrize("is_compiled", [False, True])
@pytest.mark.parametrize(
    ("told", "asked", "is_read"),
    [
        ("de", "sw", False),
        ("zh_CN", "zh_TW", False),
        ("sr@latin", "sw", False),
        ("sw_KE", "sw", True),
        ("swh", "sw", True),
        ("sw_KE.UTF-8", "sw", True),
        ("zh", "zh_TW", True),
        ("sr@latin", "sr", True),
        ("", "sw", True),
        ("LANGUAGE", "sw", True),
        ("de", None, True),
    ],
)
def test_catalogue_of_another_language_is_refused(
    tmp_path: Path, told: str, asked: str | None, is_read: bool, is_compiled: bool
) -> None:
    header = f'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\nLanguage: {told}\\n"\n\n'
    content = f'{header}msgid "Yes."\nmsgstr "Ndiyo."\n'
    file = tmp_path / ("a.mo" if is_compiled else "a.po")
    file.write_bytes(polib.pofile(content).to_binary() if is_compiled else content.encode())
    options = ReaderOptions(language=asked)
    if is_read:
        assert list(BitextFile(file, options)) == [Record(1, "Yes.", "Ndiyo.")]
    else:
        with pytest.raises(DataError, match=f"Language: {told}`, expected '{asked}'"):
            list(BitextFile(file, options))


def test_compiled_catalogue_holds_the_same_pairs(tmp_path: Path) -> None:
    polib.pofile(PO).save_as_mofile(str(tmp_path / "sw.mo"))
    pairs = set(BitextFile(tmp_path / "sw.mo").pairs())
    assert pairs == {SentencePair("Yes.", "Ndiyo."), SentencePair("%d files", "mafaili %d")}


@pytest.mark.parametrize("name", ["a.po", "a.mo"])
def test_damaged_catalogue_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=r"no readable gettext catalogue"):
        records(tmp_path / name, b"\xde\x12\x04\x95\x00\x00\x00\x00\xff\xff\x00\x00")


@pytest.mark.parametrize("order", ["<", ">"])
def test_compiled_catalogue_that_is_cut_is_refused(tmp_path: Path, order: str) -> None:
    strings = [b"", b"", b"Yes.", b"Ndiyo. " * 40]
    tables, at = [b"", b""], 28 + 32
    for number, each in enumerate(strings):
        tables[number % 2] += struct.pack(f"{order}2I", len(each), at)
        at += len(each) + 1
    header = struct.pack(f"{order}7I", 0x950412DE, 0, 2, 28, 44, 0, 0)
    whole = header + b"".join(tables) + b"\0".join(strings) + b"\0"
    assert len(records(tmp_path / "a.mo", whole)) == 1
    with pytest.raises(DataError, match="cut short"):
        records(tmp_path / "a.mo", whole[:-20])


def test_compiled_catalogue_of_the_same_bytes_many_times_is_refused(tmp_path: Path) -> None:
    count, length = 100, 1_000_000
    table = struct.pack("<2I", length, 28) * count
    content = struct.pack("<7I", 0x950412DE, 0, count, 28, 28, 0, 0) + table + b"a" * length
    with pytest.raises(DataError, match="longer than 50,000,000"):
        records(tmp_path / "a.mo", content)


@pytest.mark.parametrize("end", ['msgstr "sik', 'msgstr "sik\\"', 'msgstr "', "msgstr", 'msgstr "sik\n# a comment'])
def test_catalogue_that_is_cut_is_refused(tmp_path: Path, end: str) -> None:
    with pytest.raises(DataError, match="no readable gettext catalogue"):
        records(tmp_path / "a.po", f'msgid "Yes."\nmsgstr "Ndiyo."\n\nmsgid "day"\n{end}')


def test_catalogue_may_end_without_a_line_break_or_with_a_comment(tmp_path: Path) -> None:
    for end in ("", "\r\n", "\n\n# the end", '\n#~ msgid "a"\n#~ msgstr "b'):
        assert records(tmp_path / "a.po", f'msgid "Yes."\nmsgstr "Ndi\\"yo\\\\"{end}')[0].flaw == ""
