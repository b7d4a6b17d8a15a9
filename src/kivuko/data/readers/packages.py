"""Reader of the gettext catalogues that lie in a folder, an installed package or a Debian package."""

import importlib.metadata
import io
import os
import re
import tarfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from kivuko.data.readers.catalogs import MAX_CATALOG_BYTES, OtherLanguageError, read_catalog
from kivuko.data.readers.records import COMPRESSED, ReaderOptions, Record
from kivuko.data.readers.streams import decompressed, read_bounded, read_whole, reporting_damage
from kivuko.errors import ConfigError, DataError

DPKG = Path("/var/lib/dpkg/info")
_COMPILED = {".po": False, ".mo": True, ".gmo": True}
_AR, _AR_HEADER = b"!<arch>\n", 60
_LONG = f"catalogue longer than {MAX_CATALOG_BYTES:,} bytes"


class _Catalog(NamedTuple):
    name: Path
    read: Callable[[], bytes]
    is_long: bool


def read_gettext(path: Path, options: ReaderOptions) -> Iterator[Record]:
    """Read all catalogues of a language, PO and MO, in the order of their names; their records are numbered through.

    A catalogue is one of the language if its file or a folder above it is named by it: `po/sw.po`, `app-sw.po`,
    `sw_KE/LC_MESSAGES/app.mo`. One that cannot be read, is longer than `MAX_CATALOG_BYTES`, or says in its header that
    it is in another language, is a single record with a flaw. Where the names tell several dialects, a warning does.

    Args:
        path: A folder, a `.deb` file, or the name of an installed package, of Python's or of Debian's.
        options: Its `language` is the one of the translations.

    Raises:
        ConfigError: If no language is given.
        DataError: If there is no such folder, file or package, it is damaged, or it has nothing in the language.
    """
    if options.language is None:
        raise ConfigError(f"{path}: catalogues come in many languages: give --language.")
    if path.suffix == ".deb" and not path.is_dir():
        catalogs = _in_debian_archive(path, options.language)
    else:
        catalogs = _on_disk(_files(path), options.language)
    number = 0
    dialects: Counter[str] = Counter()
    for catalog in catalogs:
        is_compiled = _COMPILED[_plain(catalog.name).suffix.lower()]
        flaw = _LONG if catalog.is_long else ""
        try:
            if not flaw:
                content = catalog.read()
                for record in read_catalog(content, catalog.name, is_compiled=is_compiled, language=options.language):
                    number += 1
                    yield record._replace(place=number)
        except OtherLanguageError:
            flaw = "catalogue in another language"
        except DataError:
            flaw = "no readable gettext catalogue"
        if flaw:
            number += 1
            name = str(catalog.name).encode(errors="replace").decode()  # a name need not be UTF-8
            yield Record(number, name, "", flaw)
        elif dialect := _dialect(catalog.name, options.language):
            dialects[dialect] += 1
    if not number:
        raise DataError(f"{path} has no gettext catalogue in {options.language!r}.")
    if len(dialects) > 1:
        told = ", ".join(f"{dialect} ({count:,})" for dialect, count in sorted(dialects.items()))
        warnings.warn(
            f"{path}: catalogues of {told} were read together. --language may name one of them, region and all.",
            stacklevel=2,
        )


def is_catalog_of(path: PurePosixPath | Path, language: str) -> bool:
    """Say whether a path names a catalogue in a language.

    Example:
        >>> [is_catalog_of(Path(name), "sw") for name in ("po/sw.po", "sw_KE/x.mo", "app.sw.po.gz", "sw/x.txt", "so.po")]
        [True, True, True, False, False]
    """  # noqa: E501
    of_language = re.compile(rf"{re.escape(language)}(?:[_@.-].*)?", re.IGNORECASE)
    return _plain(path).suffix.lower() in _COMPILED and any(map(of_language.fullmatch, _names(path)))


def _names(path: PurePosixPath | Path) -> list[str]:
    """Return what may name the language of a catalogue: the folders above it, its name, and the end of that."""
    plain = _plain(path)
    return [*plain.parts[:-1], plain.stem, re.split(r"[.-]", plain.stem)[-1]]


def _dialect(path: PurePosixPath | Path, language: str) -> str:
    """Return the part of a language that the name of a catalogue tells, or the language, or nothing if unclear."""
    part = re.compile(
        rf"({re.escape(language)}(?:[_-](?:[a-z]{{4}}|[a-z]{{2}}|[0-9]{{3}}))*(?:@\w+)?)(?:\.utf-?8)?", re.IGNORECASE
    )
    found = [told[1].replace("-", "_") for told in map(part.fullmatch, _names(path)) if told]
    return max(found, key=len, default="")


def _plain(path: PurePosixPath | Path) -> PurePosixPath:
    return PurePosixPath(path.with_suffix("") if path.suffix.lower() in COMPRESSED else path)


def _files(path: Path) -> list[tuple[Path, Path]]:
    """Return the files of a folder or an installed package: how each is called there, and where it lies."""
    if path.is_dir():
        found = [Path(folder, name) for folder, _, names in os.walk(path) for name in names]
        return sorted((each.relative_to(path), each) for each in found)
    name = str(path)
    lists = [DPKG / f"{name}.list", *DPKG.glob(f"{name}:*.list")] if re.fullmatch(r"[\w.+-]+", name) else []
    for listed in lists:
        if listed.is_file():
            return sorted((Path(line), Path(line)) for line in listed.read_text(encoding="utf-8").splitlines())
    try:
        files = importlib.metadata.files(name)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        raise DataError(f"{path}: there is no such folder, and no package of this name is installed.") from None
    return sorted((Path(each), Path(str(each.locate()))) for each in files or ())


def _on_disk(files: list[tuple[Path, Path]], language: str) -> Iterator[_Catalog]:
    read: set[Path] = set()
    for name, file in files:
        # A package may hold one catalogue under two names, by a link.
        if is_catalog_of(name, language) and file.is_file() and file.resolve() not in read:
            read.add(file.resolve())
            is_long = file.stat().st_size > MAX_CATALOG_BYTES
            yield _Catalog(name, partial(read_whole, file, limit=MAX_CATALOG_BYTES), is_long)


def _in_debian_archive(path: Path, language: str) -> Iterator[_Catalog]:
    """Read catalogues out of a `.deb` as they come by; nothing is unpacked to disk."""
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.")
    with reporting_damage(path), path.open("rb") as file:
        member, suffix = _data_member(file, path)
        try:
            with decompressed(member, suffix, path) as plain, tarfile.open(fileobj=plain, mode="r|") as archive:
                for entry in archive:
                    if not entry.isfile() or not is_catalog_of(PurePosixPath(entry.name), language):
                        continue
                    name, is_long = Path(entry.name), entry.size > MAX_CATALOG_BYTES
                    content = None if is_long else archive.extractfile(entry)
                    yield _Catalog(name, partial(_unpacked, content.read() if content else b"", name, path), is_long)
        except tarfile.TarError as error:
            raise DataError(f"{path} is no Debian package that is whole: {error}.") from error


def _unpacked(content: bytes, name: Path, package: Path) -> bytes:
    with reporting_damage(name), decompressed(io.BytesIO(content), name.suffix, package) as plain:
        return read_bounded(plain, name, limit=MAX_CATALOG_BYTES)


def _data_member(file: BinaryIO, path: Path) -> tuple[BinaryIO, str]:
    """Find `data.tar.*` in the `ar` archive that a Debian package is (deb(5)); return it and the end of its name."""
    if file.read(len(_AR)) != _AR:
        raise DataError(f"{path} is no Debian package.")
    while len(header := file.read(_AR_HEADER)) == _AR_HEADER:
        name, size = header[:16].decode(errors="replace").strip().rstrip("/"), header[48:58].strip()
        if not size.isdigit() or header[58:] != b"`\n":
            break
        if name.startswith("data.tar"):
            if file.tell() + int(size) > path.stat().st_size:
                raise DataError(f"{path} is no Debian package that is whole: its data.tar is cut short.")
            return io.BufferedReader(_Slice(file, int(size))), PurePosixPath(name).suffix
        file.seek(int(size) + int(size) % 2, io.SEEK_CUR)
    raise DataError(f"{path} is no Debian package that is whole: it has no data.tar.")


class _Slice(io.RawIOBase):
    """The next bytes of a file, as a file."""

    def __init__(self, file: BinaryIO, size: int) -> None:
        self._file, self._left = file, size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        chunk = self._file.read(min(len(buffer), self._left))
        self._left -= len(chunk)
        buffer[: len(chunk)] = chunk
        return len(chunk)
