import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import zstandard

from kivuko.config import BitextSource
from kivuko.data.bitext import read_bitext
from kivuko.data.readers import BitextFile, BitextFormat, ReaderOptions
from kivuko.data.readers.streams import FREE_BYTES, MAX_LINE_BYTES, read_lines, read_whole
from kivuko.errors import DataError

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstandard.ZstdCompressor().compress,
}
TEXT = "".join(f"Line {number}.\tMstari wa {number}.\n" for number in range(20_000)).encode()


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_file_reads_as_the_plain_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(COMPRESS[suffix](TEXT))
    assert read_whole(path, limit=len(TEXT)) == TEXT


@pytest.mark.parametrize("suffix", COMPRESS)
def test_parts_compressed_one_by_one_are_all_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(COMPRESS[suffix](TEXT) + COMPRESS[suffix](TEXT))
    assert read_whole(path, limit=2 * len(TEXT)) == 2 * TEXT


@pytest.mark.parametrize("suffix", COMPRESS)
def test_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(COMPRESS[suffix](TEXT)[:-20])
    with pytest.raises(DataError, match=r"cannot be read.*whole"):
        list(read_lines(path))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_file_that_is_not_compressed_as_its_name_says_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(TEXT)
    with pytest.raises(DataError, match="cannot be read"):
        list(read_lines(path))


@pytest.mark.parametrize("suffix", COMPRESS)
@pytest.mark.parametrize("behind", [b"garbage", COMPRESS[".gz"](TEXT)[10:]])
def test_damage_behind_a_whole_part_is_refused(tmp_path: Path, suffix: str, behind: bytes) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(COMPRESS[suffix](TEXT) + behind)
    with pytest.raises(DataError, match="cannot be read"):
        list(read_lines(path))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_compressed_file_of_no_bytes_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"file{suffix}").touch()
    with pytest.raises(DataError, match="whole"):
        list(read_lines(tmp_path / f"file{suffix}"))


def test_padding_of_xz_is_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "file.xz"
    path.write_bytes(lzma.compress(b"a\n") + bytes(2048) + lzma.compress(b"b\n") + bytes(4))
    assert [line.text for line in read_lines(path)] == ["a", "b"]


def test_archive_bomb_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.xz"
    with lzma.open(path, "wb", preset=0) as file:
        for _ in range(FREE_BYTES // 2**20 + 2):
            file.write((b"a" * (2**16 - 1) + b"\n") * 16)
    with pytest.raises(DataError, match="archive bomb"):
        list(read_lines(path))


def test_long_line_is_cut_and_the_next_one_keeps_its_number(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(b"a" * (3 * MAX_LINE_BYTES) + b"\nnext\n")
    long, following = read_lines(path)
    assert (len(long.text), "longer than" in long.flaw) == (MAX_LINE_BYTES, True)
    assert following == (2, "next", "", False)


def test_line_of_just_the_greatest_length_has_no_flaw(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(b"a" * MAX_LINE_BYTES + b"\r\nnext")
    assert [(line.number, len(line.text), line.flaw) for line in read_lines(path)] == [
        (1, MAX_LINE_BYTES, ""),
        (2, 4, ""),
    ]


def test_mixed_encodings_are_a_flaw_of_their_line(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes("\ufeffé\n".encode() + "é\r\n".encode("latin-1") + "é".encode())
    assert [(line.text, line.flaw) for line in read_lines(path)] == [
        ("é", ""),
        ("\ufffd", "not valid UTF-8"),
        ("é", ""),
    ]


def test_utf_16_is_named(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes("text".encode("utf-16"))
    with pytest.raises(DataError, match="UTF-16"):
        list(read_lines(path))


def test_utf_16_without_a_mark_is_a_flaw_of_each_line(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes("one\ttwo\nthree\tfour\n".encode("utf-16-be"))
    assert {line.flaw for line in read_lines(path)} == {"holds NUL bytes, as UTF-16 does"}


def test_missing_file_and_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        list(read_lines(tmp_path / "none"))
    with pytest.raises(DataError, match="a folder"):
        list(read_lines(tmp_path))


def test_file_that_must_be_read_at_once_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_bytes(b"12345")
    assert read_whole(path, limit=5) == b"12345"
    with pytest.raises(DataError, match="longer than 4 bytes"):
        read_whole(path, limit=4)


@pytest.mark.parametrize("ending", ["tsv.tar", "tsv.tar.gz", "tsv.tgz", "TSV.TXZ"])
def test_name_of_an_archive_says_the_format_of_the_file_in_it(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"en-sw.{ending}"
    mode: Any = {"r": "w", "z": "w:gz", "Z": "w:xz"}[ending[-1]]
    with tarfile.open(path, mode) as archive:
        content = b"Yes.\tNdiyo.\n"
        member = tarfile.TarInfo("en-sw.tsv")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    file = BitextFile(path)
    assert not file.is_plain_tsv
    assert list(file.pairs()) == [("Yes.", "Ndiyo.")]
    assert list(read_bitext(BitextSource(path=path, language="sw")).pairs) == [("Yes.", "Ndiyo.")]


def test_pipe_is_refused_as_one(tmp_path: Path) -> None:
    path = tmp_path / "pipe.tsv"
    os.mkfifo(path)
    for options in (ReaderOptions(), ReaderOptions(format=BitextFormat.CSV)):
        with pytest.raises(DataError, match="found a pipe or device, which cannot be read twice"):
            next(iter(BitextFile(path, options)))
    with pytest.raises(DataError, match="found a pipe or device"):
        read_bitext(BitextSource(path=path, language="sw"))
