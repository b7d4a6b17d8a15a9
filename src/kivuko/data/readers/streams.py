"""Bytes and lines of files that may be compressed, damaged or hostile, in bounded memory."""

import bz2
import io
import lzma
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol, cast

import zstandard

from kivuko.data.lines import kind_of
from kivuko.data.pairs import MAX_LINE_CHARACTERS
from kivuko.data.readers.records import COMPRESSED, TARS
from kivuko.errors import DataError

MAX_LINE_BYTES = 4 * MAX_LINE_CHARACTERS
MAX_RATIO = 100
FREE_BYTES = 100_000_000
_MAX_WINDOW_BYTES = 1 << 27
_GZIP = 16 + zlib.MAX_WBITS
# What an xz file may ask for; `xz -9` asks for 65 megabytes.
_MAX_DICTIONARY_BYTES = 1 << 28
# A kilobyte of a hostile zstandard file can become 32 megabytes, one of bzip2 20.
_CHUNK_BYTES = 1024


class Line(NamedTuple):
    """A line of a file.

    Attributes:
        number: From 1.
        text: Without its end; what is not UTF-8 is replaced.
        flaw: What is wrong with it, empty if nothing is.
        is_cut: Whether its end is left out, because it is too long.
    """

    number: int
    text: str
    flaw: str
    is_cut: bool = False


class _Decompressor(Protocol):
    """Decompresses one frame."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


@contextmanager
def open_stream(path: Path) -> Iterator[BinaryIO]:
    """Open a file for reading bytes, decompressed if its name ends in `.gz`, `.dz`, `.bz2`, `.xz` or `.zst`.

    Of a tar archive (`.tar`, `.tar.bz2`, `.tgz`), the one file in it.

    Raises:
        DataError: If there is no such file; while reading, if it is truncated, damaged, a tar archive of another number
            of files than one, or an archive bomb: more than `MAX_RATIO` times its size and more than `FREE_BYTES`.
    """
    if not path.is_file():
        raise DataError(f"Bitext {path}: expected a file, found {kind_of(path)}.")
    suffix = TARS.get(path.suffix.lower(), path.suffix)
    is_tar = path.suffix.lower() in TARS or path.name.lower().endswith(tuple(f".tar{each}" for each in COMPRESSED))
    with reporting_damage(path), path.open("rb") as file, decompressed(file, suffix, path) as stream:
        if is_tar:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                yield from _only_file(archive, path)
        else:
            yield stream


def _only_file(archive: tarfile.TarFile, path: Path) -> Iterator[BinaryIO]:
    """Yield the one file of a tar archive once, and see afterwards that there is no other."""
    is_read = False
    for member in archive:
        if not member.isfile():
            continue
        content = archive.extractfile(member)
        if is_read or content is None:
            raise DataError(
                f"{path} holds more files than one. Unpack it (`tar xf {path.name}`) and name the one to read."
            )
        is_read = True
        yield cast("BinaryIO", content)
    if not is_read:
        raise DataError(f"{path} is a tar archive without a file in it.")


@contextmanager
def decompressed(file: BinaryIO, suffix: str, path: Path) -> Iterator[BinaryIO]:
    """Read what is compressed as `suffix` says, if it says so, and stop an archive bomb.

    Args:
        file: The bytes.
        suffix: `.gz`, `.dz`, `.bz2`, `.xz` or `.zst`; any other leaves them as they are.
        path: The file that they are of, whose size is the measure.
    """
    new: Callable[[], _Decompressor]
    match suffix.lower():
        case ".gz" | ".dz":
            new = partial(zlib.decompressobj, wbits=_GZIP)
        case ".bz2":
            new = bz2.BZ2Decompressor
        case ".xz":
            new = partial(lzma.LZMADecompressor, memlimit=_MAX_DICTIONARY_BYTES)
        case ".zst":
            new = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_BYTES).decompressobj
        case _:
            yield file
            return
    with io.BufferedReader(_Bounded(io.BufferedReader(_Frames(file, new)), path)) as bounded:
        yield cast("BinaryIO", bounded)


@contextmanager
def reporting_damage(path: Path) -> Iterator[None]:
    """Turn what reading and decompressing raise into one clear error.

    Raises:
        DataError: If the file cannot be read, or is not whole.
    """
    try:
        yield
    except (OSError, EOFError, zlib.error, lzma.LZMAError, zstandard.ZstdError, tarfile.TarError) as error:
        raise DataError(f"{path} cannot be read: {error}. Is it whole?") from error


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a UTF-8 file, blank ones too. No more than `MAX_LINE_BYTES` of a line are kept.

    Raises:
        DataError: As `open_stream` does, and if the file begins as UTF-16 does.
    """
    with open_stream(path) as stream:
        number = 0
        while raw := stream.readline(MAX_LINE_BYTES):
            number += 1
            is_long = False
            rest = raw
            while len(rest) == MAX_LINE_BYTES and not rest.endswith(b"\n"):
                rest = stream.readline(MAX_LINE_BYTES)
                is_long = is_long or bool(rest.strip(b"\r\n"))
            if number == 1:
                if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise DataError(f"{path} is UTF-16. Convert it to UTF-8.")
                raw = raw.removeprefix(b"\xef\xbb\xbf")
            flaw = f"line longer than {MAX_LINE_BYTES} bytes" if is_long else ""
            if b"\0" in raw:  # text of any single-byte encoding and UTF-8 has none
                flaw = flaw or "holds NUL bytes, as UTF-16 does"
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                text, flaw = raw.decode(errors="replace"), flaw or "not valid UTF-8"
            yield Line(number, text.rstrip("\r\n"), flaw, is_long)


def read_whole(path: Path, *, limit: int) -> bytes:
    """Return the bytes of a file, decompressed.

    Raises:
        DataError: As `open_stream` does, and if there are more than `limit`.
    """
    with open_stream(path) as stream:
        return read_bounded(stream, path, limit=limit)


def read_bounded(stream: BinaryIO, path: Path, *, limit: int) -> bytes:
    """Return the bytes of a stream.

    Raises:
        DataError: If there are more than `limit`.
    """
    content = stream.read(limit + 1)
    if len(content) > limit:
        raise DataError(f"{path} is longer than {limit:,} bytes, which this format has to be read at once. Split it.")
    return content


class _Bounded(io.RawIOBase):
    """Counts what comes out of a decompressor and stops an archive bomb."""

    def __init__(self, stream: io.BufferedIOBase, path: Path) -> None:
        self._stream, self._path = stream, path
        self._left = max(FREE_BYTES, MAX_RATIO * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        chunk = self._stream.read1(len(buffer))
        self._left -= len(chunk)
        if self._left < 0:
            raise DataError(
                f"{self._path} becomes more than {MAX_RATIO} times as long when it is decompressed, as an archive bomb "
                "does. If you trust it, decompress it yourself."
            )
        buffer[: len(chunk)] = chunk
        return len(chunk)


class _Frames(io.RawIOBase):
    """Decompresses frames one after the other.

    What the libraries have for it takes for a whole file: of zstandard a truncated one; of xz and bzip2 one with a
    damaged frame behind a whole one; of gzip one of no bytes.
    """

    def __init__(self, file: BinaryIO, new: Callable[[], _Decompressor]) -> None:
        self._file, self._new = file, new
        self._frame = new()
        self._is_inside = True  # no bytes are no frame
        self._raw = b""
        self._plain = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        while not self._plain:
            self._raw = self._raw or self._file.read(_CHUNK_BYTES)
            if not self._raw:
                if self._is_inside:
                    raise EOFError("compressed file ended before the end of its last frame")
                return 0
            if not self._is_inside:
                self._raw = self._raw.lstrip(b"\0")  # which may pad xz
                if not self._raw:
                    continue
            self._is_inside = True
            self._plain = memoryview(self._frame.decompress(self._raw))
            self._raw = b""
            if self._frame.eof:
                self._raw = self._frame.unused_data
                self._frame, self._is_inside = self._new(), False
        count = min(len(buffer), len(self._plain))
        buffer[:count] = self._plain[:count]
        self._plain = self._plain[count:]
        return count
