"""Tatoeba as LASER and XTREME publish it: two files of lines, of which equal numbers are translations."""

from pathlib import Path

from ir_measures import Qrel

from kivuko.data.collections import Collection, Document, Query
from kivuko.data.formats.files import find
from kivuko.data.lines import numbered_lines
from kivuko.errors import DataError

# The files are named by ISO 639-3, some of them by an individual language where ISO 639-1 knows a macrolanguage.
_CODES = (
    "af:afr am:amh ar:ara az:aze be:bel bg:bul bn:ben br:bre bs:bos ca:cat ch:cha cs:ces cy:cym da:dan de:deu "
    "el:ell eo:epo es:spa et:est eu:eus fa:pes fi:fin fo:fao fr:fra fy:fry ga:gle gd:gla gl:glg he:heb hi:hin "
    "hr:hrv hu:hun hy:hye ia:ina id:ind ie:ile io:ido is:isl it:ita ja:jpn jv:jav ka:kat kk:kaz km:khm ko:kor "
    "ku:kur kw:cor la:lat lt:lit lv:lvs mk:mkd ml:mal mn:mon mr:mar ms:zsm nb:nob nl:nld nn:nno oc:oci pl:pol "
    "pt:por ro:ron ru:rus sk:slk sl:slv sq:sqi sr:srp sv:swe sw:swh ta:tam te:tel th:tha tk:tuk tl:tgl tr:tur "
    "tt:tat ug:uig uk:ukr ur:urd uz:uzb vi:vie xh:xho yi:yid zh:cmn"
)
ISO_639_3 = dict(pair.split(":") for pair in _CODES.split())
ISO_639_1 = {three: two for two, three in ISO_639_3.items()}


def read_tatoeba(home: Path, language: str) -> Collection:
    """Read `tatoeba.swh-eng.swh` and `tatoeba.swh-eng.eng` (also with hyphens, and with ISO 639-1 codes).

    The sentences of the language are the queries, the English ones the documents; line n of one is judged relevant
    to line n of the other and nothing else is, not even an equal sentence elsewhere.

    Raises:
        DataError: If a file is missing, or the two do not have the same lines.
    """
    codes = dict.fromkeys((ISO_639_3.get(language, language), language))
    foreign = find(home, *(f"tatoeba[.-]{code}-en*[.-]{code}" for code in codes))
    english = find(foreign.parent, f"{foreign.name.rpartition('-en')[0]}-en*[.-]en*")
    queries, documents = dict(numbered_lines(foreign)), dict(numbered_lines(english))
    if queries.keys() != documents.keys():
        number = min(queries.keys() ^ documents.keys())
        raise DataError(f"{foreign} and {english} must have the same lines: only one of them has line {number}.")
    return Collection(
        [Document(f"en:{number}", "", text.strip()) for number, text in documents.items()],
        [Query(f"{language}:{number}", text.strip()) for number, text in queries.items()],
        [Qrel(f"{language}:{number}", f"en:{number}", 1) for number in queries],
    )
