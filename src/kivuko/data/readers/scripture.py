"""Verses of one Bible, from USFM, USX, OSIS, Zefania, Beblia's XML or CES."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from lxml import etree

from kivuko.data.readers.markup import parse_tree, reference_text
from kivuko.data.readers.records import COMPRESSED
from kivuko.data.readers.streams import read_whole
from kivuko.errors import DataError

MAX_BIBLE_BYTES = 100_000_000
# Stands in a verse where a note has no end, and what is text cannot be told.
UNCLOSED = "\ufdd0"
SUFFIXES = (".usfm", ".sfm", ".usx", ".xml")

# Codes of USFM, each with that of OSIS and further ones in use; the first 66 in the order in which Zefania
# and Beblia number them.
_BOOKS = """
GEN=GEN EXO=EXOD LEV=LEV NUM=NUM DEU=DEUT JOS=JOSH JDG=JUDG RUT=RUTH 1SA=1SAM 2SA=2SAM 1KI=1KGS 2KI=2KGS 1CH=1CHR
2CH=2CHR EZR=EZRA NEH=NEH EST=ESTH JOB=JOB PSA=PS=PSS PRO=PROV ECC=ECCL SNG=SONG=SON ISA=ISA JER=JER LAM=LAM
EZK=EZEK=EZE DAN=DAN HOS=HOS JOL=JOEL=JOE AMO=AMOS OBA=OBAD JON=JONAH MIC=MIC
NAM=NAH HAB=HAB ZEP=ZEPH HAG=HAG ZEC=ZECH MAL=MAL
MAT=MATT MRK=MARK=MAR LUK=LUKE JHN=JOHN=JOH ACT=ACTS ROM=ROM 1CO=1COR 2CO=2COR GAL=GAL EPH=EPH PHP=PHIL=PHI COL=COL
1TH=1THESS 2TH=2THESS 1TI=1TIM 2TI=2TIM TIT=TITUS PHM=PHLM HEB=HEB JAS=JAM 1PE=1PET 2PE=2PET 1JN=1JOHN=1JO 2JN=2JOHN=2JO
3JN=3JOHN=3JO JUD=JUDE REV=REV TOB=TOB JDT=JDT ESG=ESTHGR WIS=WIS SIR=SIR BAR=BAR LJE=EPJER S3Y=PRAZAR SUS=SUS BEL=BEL
1MA=1MACC 2MA=2MACC 3MA=3MACC 4MA=4MACC 1ES=1ESD 2ES=2ESD MAN=PRMAN PS2=ADDPS
"""
_CODES = {name: codes[0] for codes in (entry.split("=") for entry in _BOOKS.split()) for name in codes}
_NUMBERED = [entry.split("=")[0] for entry in _BOOKS.split()][:66]

_NUMBER = re.compile(r"\d{1,3}")
_VERSES = re.compile(
    r"\s*(\d{1,3})([a-z]?)(?:\s*[-\u2013\u2014,]\s*(\d{1,3})[a-z]?)?(?!\w|:\d|\s*[-\u2013\u2014,]\s*\d)"
)
_MARKER = re.compile(r"\\\+?([a-z]+)\d*(?:-[se])?(\*)?")
# One that is not closed ends where the next verse begins.
_NOTE = re.compile(r"\\(f|fe|ef|x|ex|fig|va|vp|ca|rq|pro)(?= )(.*?)(\\\1\*|(?=\\(?:v|c|id)\s)|\Z)", re.DOTALL)
# Milestones of USFM 3, which mark a place: `\qt-s |who="Pilate"\*`, `\ts\*`.
_MILESTONE = re.compile(r"\\[a-z]+\d*(?:-[se])?\s*(?:\|[^\\]*)?\\\*")
_ATTRIBUTES = re.compile(r"\|[^\\|\n]*(?=\\\+?[a-z]+\*)")
# Paragraphs that are no text of a verse: titles, headings, references, notes on the text.
_HEADINGS = frozenset(
    {
        *("h", "toc", "toca", "mt", "mte", "ms", "mr", "s", "sr", "r", "d", "sp", "sd", "rem", "ide", "sts", "usfm"),
        *("cl", "cp", "cd", "qa", "restore", "lit", "imt", "is", "ip", "ipi", "im", "io", "iot", "iex"),
    }
)
_PARAGRAPHS = frozenset(
    {
        *("p", "m", "po", "pr", "cls", "pmo", "pm", "pmc", "pmr", "pi", "mi", "nb", "pc", "ph", "q", "qr", "qc", "qm"),
        *("qd", "b", "li", "lh", "lf", "lim", "tr"),
    }
)
_SKIPPED = frozenset(
    {"note", "title", "remark", "xref", "caption", "prolog", "figure", "head", "header", "information"}
)


class Verses(NamedTuple):
    """A verse, or a few that are translated as one.

    Attributes:
        book: Its code in USFM (`GEN`).
        chapter: From 1; 0 in a book without.
        first: The number of the first verse; -1 of one whose number cannot be read.
        last: That of the last one.
        text: What they say, white space as it stands.
        part: The letter of a part of a verse (`a` of 1a), empty for a whole one.
    """

    book: str
    chapter: int
    first: int
    last: int
    text: str
    part: str = ""


def read_bible(path: Path) -> Iterator[Verses]:
    """Read the verses of a file, or of the files of a folder in the order of their names, one book in each.

    Notes, headings and titles are left out. What is not UTF-8 is replaced by U+FFFD in USFM, which `read_bibles`
    counts.

    Raises:
        DataError: If a file is damaged, too long, declares entities or is in another format, or there is no verse.
    """
    found = False
    for file in _files(path):
        for verses in _read_usfm(file) if _suffix(file) in (".usfm", ".sfm") else _read_xml(file):
            found = True
            yield verses
    if not found:
        raise DataError(f"{path} holds no verse.")


def book_code(name: str) -> str:
    """Return the code of a book in USFM; one that is not known stays as it is, in capitals.

    Example:
        >>> book_code("1Kgs"), book_code("JOH"), book_code("Enoch")
        ('1KI', 'JHN', 'ENOCH')
    """
    return _CODES.get(name.upper(), name.upper())


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(each for each in path.iterdir() if _suffix(each) in SUFFIXES)
    if not files:
        raise DataError(f"{path} holds no file that ends in {', '.join(SUFFIXES)}.")
    return files


def _suffix(path: Path) -> str:
    return (Path(path.stem) if path.suffix.lower() in COMPRESSED else path).suffix.lower()


class _Reading:
    """Where a reader is: in which book and chapter, and what it has read of which verses."""

    def __init__(self) -> None:
        self.book, self.chapter = "", 0
        self._numbers: tuple[int, int] | None = None
        self._part = ""
        self._texts: list[str] = []
        self.done: list[Verses] = []

    def begin(self, numbers: str) -> str:
        """Begin the verse or the verses with these numbers, and return what stands behind them."""
        self.end()
        found = _VERSES.match(numbers)
        if found is None or int(found[3] or found[1]) < int(found[1]):
            self._numbers = (-1, -1)
            return numbers
        self._numbers, self._part = (int(found[1]), int(found[3] or found[1])), found[2]
        return numbers[found.end() :]

    def take(self, text: str | None) -> None:
        """Take text that belongs to the verse that was begun, if there is one."""
        if text and self._numbers:
            self._texts.append(text)

    def end(self) -> None:
        """End the verse."""
        if self._numbers:
            self.done.append(Verses(self.book, self.chapter, *self._numbers, "".join(self._texts), self._part))
        self._numbers, self._part, self._texts = None, "", []


def _read_usfm(path: Path) -> list[Verses]:
    raw = read_whole(path, limit=MAX_BIBLE_BYTES)
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{path} is UTF-16. Convert it to UTF-8.")
    text = _MILESTONE.sub("", raw.decode("utf-8-sig", errors="replace").replace("\r\n", "\n"))
    text = _NOTE.sub(lambda note: "" if note[3] else UNCLOSED, text)
    text = _ATTRIBUTES.sub("", text)
    reading, in_heading = _Reading(), False
    markers = [*_MARKER.finditer(text)]
    ends = [*(marker.start() for marker in markers[1:]), len(text)]
    for marker, end in zip(markers, ends if markers else (), strict=True):
        content = text[marker.end() : end]
        match marker[1]:
            case "id":
                reading.end()
                reading.book = book_code((content.split() or [""])[0])
                reading.chapter = 0
                continue
            case "c":
                reading.end()
                reading.chapter = _chapter((content.split() or [""])[0])
                continue
            case "v":
                in_heading = False
                content = reading.begin(content)
            case name if name in _HEADINGS:
                in_heading = True
            case name if name in _PARAGRAPHS:
                in_heading = False
                content = f" {content}"
        if not in_heading:
            # One space parts a marker from the text; what follows a closed one stands as it is.
            reading.take(content if marker[2] else content.removeprefix(" "))
    reading.end()
    return reading.done


def _read_xml(path: Path) -> list[Verses]:
    root = parse_tree(path, limit=MAX_BIBLE_BYTES)
    kind = etree.QName(root).localname.lower()
    if kind not in ("usx", "osis", "xmlbible", "bible", "cesdoc"):
        raise DataError(f"{path}: expected USX, OSIS, Zefania, Beblia's XML or CES, found XML with the root <{kind}>.")
    reading = _Reading()
    _walk(root, reading)
    reading.end()
    return reading.done


def _walk(element: etree._Element, reading: _Reading) -> None:
    if not isinstance(element.tag, str):
        reading.take(reference_text(element))
        return
    name = etree.QName(element).localname.lower()
    if name in _SKIPPED or (name == "para" and element.get("style", "").rstrip("0123456789") in _HEADINGS):
        return
    closes = _open(name, element, reading)
    if name in ("para", "p", "l", "lg"):
        reading.take(" ")
    reading.take(element.text)
    for child in element:
        _walk(child, reading)
        reading.take(child.tail)
    if closes:
        reading.end()


def _open(name: str, element: etree._Element, reading: _Reading) -> bool:
    """Go where an element says, and say whether its end is that of a verse."""
    attribute = {key.lower(): value for key, value in element.attrib.items()}
    if name == "book" and "code" in attribute:
        reading.end()
        reading.book, reading.chapter = book_code(str(attribute["code"])), 0
    elif name in ("book", "biblebook"):
        reading.end()
        reading.book, reading.chapter = (
            _numbered_book(name, str(attribute.get("bnumber") or attribute.get("number"))),
            0,
        )
    elif name == "chapter" and "eid" not in attribute:
        reading.end()
        reading.chapter = _chapter(str(attribute.get("number") or attribute.get("cnumber")))
    elif name in ("verse", "vers"):
        if "eid" in attribute:
            reading.end()
        elif told := attribute.get("osisid") or attribute.get("sid"):
            places = str(told).split() if "osisid" in attribute else []
            if not places:  # USX 3: sid="GEN 1:1" beside the number
                reading.begin(str(attribute.get("number", "")))
                return False
            _place(places, reading)
            return "sid" not in attribute and (len(element) > 0 or bool(element.text))
        else:
            reading.begin(str(attribute.get("number") or attribute.get("vnumber") or ""))
            # In USX a verse is an empty element, which the text follows.
            return name == "vers" or len(element) > 0 or bool(element.text)
    elif name == "seg" and str(attribute.get("id", "")).count(".") == 3:
        _place([str(attribute["id"]).removeprefix("b.")], reading)
        return True
    return False


def _chapter(number: str) -> int:
    return int(number) if _NUMBER.fullmatch(number) else 0


def _numbered_book(kind: str, number: str) -> str:
    """Return the code of a book that has a number; beyond 66 every format counts in its own way."""
    if _NUMBER.fullmatch(number) and 1 <= int(number) <= len(_NUMBERED):
        return _NUMBERED[int(number) - 1]
    return f"{kind} {number}"


def _place(places: list[str], reading: _Reading) -> None:
    """Begin what `Gen.1.1`, or several of its kind in a row, is the place of."""
    parts = [place.rpartition(":")[2].split(".") for place in (places[0], places[-1])]
    reading.end()
    if any(len(part) != 3 for part in parts) or parts[0][:2] != parts[1][:2]:
        reading.begin("")
        return
    (book, chapter, first), (_, _, last) = parts
    reading.book, reading.chapter = book_code(book), _chapter(chapter)
    first, last = first.replace("!", ""), last.replace("!", "")
    reading.begin(f"{first}-{last}" if first != last else first)
