from pathlib import Path

import pytest

from kivuko.data.bitext import SentencePair
from kivuko.data.readers import BitextFile, ReaderOptions, Record
from kivuko.data.readers.scripture import Verses, read_bible
from kivuko.errors import ConfigError, DataError

USFM = r"""\id GEN A test
\h Genesis
\mt1 The Book of Tests
\ip An introduction that is no verse.
\c 1
\s1 A heading
\p
\v 1 In the \nd beginning\nd* stood\f + \ft A note.\f* a \w house|lemma="house"\w*.
\v 2 It was
\q1 red,
\s2 Another heading
\q2 and wide.
\v 3-4 Two verses as one.
\c 2
\p
\v 1 The end.
"""
FIRST = "In the beginning stood a house."
EXPECTED = [
    Verses("GEN", 1, 1, 1, FIRST),
    Verses("GEN", 1, 2, 2, "It was red, and wide."),
    Verses("GEN", 1, 3, 4, "Two verses as one."),
    Verses("GEN", 2, 1, 1, "The end."),
]
USX = """<usx version="3.0"><book code="GEN" style="id">A test</book><para style="mt1">The Book</para>
<chapter number="1" style="c" sid="GEN 1"/><para style="s1">A heading</para>
<para style="p"><verse number="1" style="v" sid="GEN 1:1"/>In the <char style="nd">beginning</char> stood<note
 caller="+" style="f">A note.</note> a house.<verse eid="GEN 1:1"/><verse number="2" style="v" sid="GEN 1:2"/>It was
</para><para style="q1">red, and wide.<verse eid="GEN 1:2"/></para>
<para style="p"><verse number="3-4" style="v" sid="GEN 1:3-4"/>Two verses as one.<verse eid="GEN 1:3-4"/></para>
<chapter eid="GEN 1"/><chapter number="2" style="c" sid="GEN 2"/>
<para style="p"><verse number="1" style="v"/>The end.</para></usx>"""
OSIS = """<osis xmlns="http://www.bibletechnologies.net/2003/OSIS/namespace"><osisText><header>x</header>
<div type="book" osisID="Gen"><title>The Book</title><chapter osisID="Gen.1"><title>A heading</title>
<verse osisID="Gen.1.1">In the <hi>beginning</hi> stood<note>A note.</note> a house.</verse>
<p><verse sID="v2" osisID="Gen.1.2"/>It was red,</p><l>and wide.<verse eID="v2"/></l>
<verse osisID="Gen.1.3 Gen.1.4">Two verses as one.</verse></chapter>
<chapter osisID="Gen.2"><verse osisID="Gen.2.1">The end.</verse></chapter></div></osisText></osis>"""
ZEFANIA = """<XMLBIBLE><INFORMATION><title>x</title></INFORMATION><BIBLEBOOK bnumber="1" bname="Genesis">
<CHAPTER cnumber="1"><CAPTION>A heading</CAPTION><VERS vnumber="1">In the <STYLE>beginning</STYLE> stood<NOTE>A note.
</NOTE> a house.</VERS><VERS vnumber="2">It was red, and wide.</VERS><VERS vnumber="3-4">Two verses as one.</VERS>
</CHAPTER><CHAPTER cnumber="2"><VERS vnumber="1">The end.</VERS></CHAPTER></BIBLEBOOK></XMLBIBLE>"""
BEBLIA = """<bible translation="x" status="x"><testament name="Old"><book number="1"><chapter number="1">
<verse number="1">In the <i>beginning</i> stood<note>A note.</note> a house.</verse>
<verse number="2">It was red, and wide.</verse><verse number="3-4">Two verses as one.</verse></chapter>
<chapter number="2"><verse number="1">The end.</verse></chapter></book></testament></bible>"""
CES = """<cesDoc version="4"><cesHeader/><text><body lang="en"><div id="b.GEN" type="book">
<div id="b.GEN.1" type="chapter"><seg id="b.GEN.1.1" type="verse">
In the beginning stood a house.
</seg><seg id="b.GEN.1.2" type="verse">It was red, and wide.</seg><seg id="b.GEN.1.3-4">Two verses as one.</seg></div>
<div id="b.GEN.2" type="chapter"><seg id="b.GEN.2.1" type="verse">The end.</seg></div></div></body></text></cesDoc>"""


def usfm(path: Path, *verses: str, book: str = "MAT") -> Path:
    """Write a chapter."""
    path.write_text(f"\\id {book}\n\\c 1\n\\p\n" + "".join(f"\\v {verse}\n" for verse in verses), encoding="utf-8")
    return path


def paired(english: Path, translation: Path) -> list[Record]:
    return list(BitextFile.spelled(Path(f"bible:{english},{translation}"), ReaderOptions()))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.usfm", USFM),
        ("a.usx", USX),
        ("osis.xml", OSIS),
        ("zefania.xml", ZEFANIA),
        ("ces.xml", CES),
        ("beblia.xml", BEBLIA),
    ],
    ids=["usfm", "usx", "osis", "zefania", "ces", "beblia"],
)
def test_each_format_gives_the_same_verses_without_notes_and_headings(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    found = [verses._replace(text=" ".join(verses.text.split())) for verses in read_bible(path)]
    assert found == EXPECTED


def test_line_ends_of_windows_change_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.usfm").write_bytes(USFM.replace("\n", "\r\n").encode())
    assert " ".join(next(iter(read_bible(tmp_path / "a.usfm"))).text.split()) == FIRST


def test_verses_are_paired_by_number_across_formats(tmp_path: Path) -> None:
    (tmp_path / "en.usfm").write_text(USFM, encoding="utf-8")
    (tmp_path / "sw.xml").write_text(CES.replace("a house", "nyumba"), encoding="utf-8")
    pairs = list(BitextFile.spelled(Path(f"bible:{tmp_path}/en.usfm,{tmp_path}/sw.xml"), ReaderOptions()).pairs())
    assert pairs[0] == SentencePair(FIRST, "In the beginning stood nyumba.")
    assert len(pairs) == 4


def test_verse_that_one_side_lacks_is_counted_and_shifts_nothing(tmp_path: Path) -> None:
    english = usfm(tmp_path / "en.usfm", "1 one", "2 two", "3 three")
    translation = usfm(tmp_path / "sw.usfm", "1 moja", "3 tatu")
    assert [record[1:4] for record in paired(english, translation)] == [
        ("one", "moja", ""),
        ("two", "", "verse only in the English"),
        ("three", "tatu", ""),
    ]


def test_verses_taken_together_on_one_side_are_joined_on_the_other(tmp_path: Path) -> None:
    english = usfm(tmp_path / "en.usfm", "1 one", "2 two", "3 three")
    translation = usfm(tmp_path / "sw.usfm", "1-2 moja mbili", "3 tatu")
    assert [record[1:4] for record in paired(english, translation)] == [
        ("one two", "moja mbili", ""),
        ("three", "tatu", ""),
    ]


def test_chapter_with_another_last_verse_is_not_paired(tmp_path: Path) -> None:
    english = usfm(tmp_path / "en.usfm", "1 one", "2 two", book="PSA")
    translation = usfm(tmp_path / "sw.usfm", "1 A psalm of Asaph.", "2 moja", "3 mbili", book="PSA")
    flaws = [record.flaw for record in paired(english, translation)]
    assert flaws == ["chapter is numbered otherwise", "chapter is numbered otherwise", "verse only in the translation"]


def test_book_whose_chapters_mostly_disagree_is_not_paired_at_all(tmp_path: Path) -> None:
    for side, lasts in (("en", (2, 3, 1)), ("sw", (3, 2, 1))):
        verses = "".join(
            f"\\c {chapter}\n" + "".join(f"\\v {number} {side}\n" for number in range(1, last + 1))
            for chapter, last in enumerate(lasts, start=1)
        )
        (tmp_path / f"{side}.usfm").write_text(f"\\id PSA\n{verses}\\id RUT\n\\c 1\n\\v 1 {side}\n", encoding="utf-8")
    *_, third, ruth = paired(tmp_path / "en.usfm", tmp_path / "sw.usfm")
    assert (third.flaw, ruth.flaw) == ("book is numbered otherwise", "")


def test_milestones_are_no_text(tmp_path: Path) -> None:
    path = usfm(
        tmp_path / "a.usfm",
        '1 \\qt-s |sid="q1" who="Pilate"\\*Said he\\qt-e |eid="q1"\\*, '
        '\\zaln-s |x-strong="H1254"\\*\\w yes|x="1"\\w*\\zaln-e\\*.',
        "2 \\ts\\*No\\ts-s|id\\*.",
    )
    assert [" ".join(verses.text.split()) for verses in read_bible(path)] == ["Said he, yes.", "No."]


def test_note_without_an_end_takes_no_other_verse_along(tmp_path: Path) -> None:
    english = usfm(tmp_path / "en.usfm", "1 one", "2 two", "3 three")
    translation = usfm(tmp_path / "sw.usfm", "1 moja \\f + \\ft A note.", "2 mbili\\f + \\ft x\\f*", "3 tatu \\x - y")
    assert [record[1:4] for record in paired(english, translation)] == [
        ("one", "moja", "note without an end"),
        ("two", "mbili", ""),
        ("three", "tatu", "note without an end"),
    ]


def test_folder_of_books_is_read_whole(tmp_path: Path) -> None:
    for side, words in (("en", ("one", "two")), ("sw", ("moja", "mbili"))):
        (tmp_path / side).mkdir()
        for number, (book, word) in enumerate(zip(("MAT", "MRK"), words, strict=True)):
            usfm(tmp_path / side / f"{number}.sfm", f"1 {word}", book=book)
    assert [record[1:3] for record in paired(tmp_path / "en", tmp_path / "sw")] == [("one", "moja"), ("two", "mbili")]


def test_verse_of_another_encoding_is_a_flaw_of_its_own(tmp_path: Path) -> None:
    english = usfm(tmp_path / "en.usfm", "1 one", "2 two")
    (tmp_path / "sw.usfm").write_bytes(b"\\id MAT\n\\c 1\n\\v 1 mo\xe9\n\\v 2 mbili\n")
    flaws = [record.flaw for record in paired(english, tmp_path / "sw.usfm")]
    assert flaws == ["not valid UTF-8", ""]


def beblia(path: Path, *chapters: dict[str, str], book: str = "40") -> Path:
    """Write a book."""
    told = "".join(
        f'<chapter number="{place}">{"".join(f"""<verse number="{n}">{text}</verse>""" for n, text in verses.items())}'
        "</chapter>"
        for place, verses in enumerate(chapters, start=1)
    )
    path.write_text(f'<bible><testament><book number="{book}">{told}</book></testament></bible>', encoding="utf-8")
    return path


def test_numbered_books_are_those_with_codes(tmp_path: Path) -> None:
    english = usfm(tmp_path / "en.usfm", "1 one", "2 two", "3 three")
    translation = beblia(tmp_path / "sw.xml", {"1": "moja", "3": "tatu"})
    assert [record[1:4] for record in paired(english, translation)] == [
        ("one", "moja", ""),
        ("two", "", "verse only in the English"),
        ("three", "tatu", ""),
    ]


def test_numbered_chapters_of_another_versification_are_not_paired(tmp_path: Path) -> None:
    english = beblia(tmp_path / "en.xml", {"1": "one", "2": "two"}, {"1": "three"}, {"1": "four"})
    translation = beblia(tmp_path / "sw.xml", {"1": "Zaburi", "2": "moja", "3": "mbili"}, {"1": "tatu"}, {"1": "nne"})
    flaws = [record.flaw for record in paired(english, translation)]
    assert flaws == ["chapter is numbered otherwise"] * 2 + ["verse only in the translation", "", ""]


def test_books_beyond_the_canon_are_not_paired_across_formats(tmp_path: Path) -> None:
    english = beblia(tmp_path / "en.xml", {"1": "one"}, book="67")
    (tmp_path / "sw.xml").write_text(ZEFANIA.replace('bnumber="1"', 'bnumber="67"'), encoding="utf-8")
    assert all("only in" in record.flaw for record in paired(english, tmp_path / "sw.xml"))


@pytest.mark.parametrize("number", ["", "x", "31-2", "1-2:3", "1,2,3", "1-99999999999"])
def test_verse_whose_number_cannot_be_read_is_counted(tmp_path: Path, number: str) -> None:
    english = beblia(tmp_path / "en.xml", {"1": "one", "2": "two"})
    translation = beblia(tmp_path / "sw.xml", {"1": "moja", number: "mbili"})
    translation.write_text(translation.read_text().replace("</chapter>", '<verse number="2">tatu</verse></chapter>'))
    assert [record[1:4] for record in paired(english, translation)] == [
        ("", "mbili", "no verse number"),
        ("one", "moja", ""),
        ("two", "tatu", ""),
    ]


def test_verse_of_two_chapters_is_counted(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(OSIS.replace("Gen.1.3 Gen.1.4", "Gen.1.3 Gen.2.1"), encoding="utf-8")
    assert [verses.first for verses in read_bible(tmp_path / "a.xml")] == [1, 2, -1, 1]


def test_verse_that_stands_twice_is_a_flaw_and_its_parts_are_none(tmp_path: Path) -> None:
    english = usfm(tmp_path / "en.usfm", "1 one", "2 two", "3 three")
    translation = usfm(tmp_path / "sw.usfm", "1a mo", "1b ja", "2 mbili", "2 tatu", "3 tatu")
    assert [record[1:4] for record in paired(english, translation)] == [
        ("one", "mo ja", ""),
        ("two", "mbili tatu", "verse that one side has twice"),
        ("three", "tatu", ""),
    ]


@pytest.mark.parametrize("content", [USX, OSIS, ZEFANIA, BEBLIA, CES], ids=["usx", "osis", "zefania", "beblia", "ces"])
@pytest.mark.parametrize(
    "declared",
    [
        '<!ENTITY a "b">',
        '<!ENTITY a "b"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">',
        '<!ENTITY a SYSTEM "a.xml">',
        '<!ENTITY % a SYSTEM "a.xml">',
    ],
    ids=["inner", "nested", "file", "parameter"],
)
def test_entities_are_refused_in_every_bible(tmp_path: Path, content: str, declared: str) -> None:
    (tmp_path / "a.xml").write_text(f"<!DOCTYPE bible [{declared}]>{content}", encoding="utf-8")
    with pytest.raises(DataError, match="entities"):
        list(read_bible(tmp_path / "a.xml"))


def test_reference_to_a_dtd_elsewhere_loses_no_letter(tmp_path: Path) -> None:
    told = beblia(tmp_path / "a.xml", {"1": "caf&eacute; &c; <!-- no text -->"}).read_text()
    (tmp_path / "a.xml").write_text(f'<!DOCTYPE bible SYSTEM "a.dtd">{told}', encoding="utf-8")
    assert [verses.text for verses in read_bible(tmp_path / "a.xml")] == ["café &c; "]


@pytest.mark.parametrize(
    ("content", "said"),
    [("<osis><verse", "well-formed"), ("<html/>", "root <html>"), ("<osis/>", "no verse"),
     ('<!DOCTYPE osis [<!ENTITY a "b">]><osis/>', "entities")],
)  # fmt: skip
def test_what_is_no_bible_is_refused(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "a.xml").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=said):
        list(read_bible(tmp_path / "a.xml"))


def test_one_bible_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="two paths"):
        list(BitextFile.spelled(Path(f"bible:{tmp_path}/en.usfm"), ReaderOptions()))


def test_empty_verse_is_not_joined_and_may_stand_in_the_one_before(tmp_path: Path) -> None:
    english = usfm(
        tmp_path / "en.usfm", "1 one", "2-3 two three", "4 four", "5 five", "6 six", "7 seven", "8", "9 nine"
    )
    translation = beblia(
        tmp_path / "sw.xml",
        dict(zip("123456789", ["moja", "", "tatu", "nne", "", "", "saba", "", "tisa"], strict=True)),
    )
    behind = "the next verse is empty, and may stand in this one"
    assert [record[1:4] for record in paired(english, translation)] == [
        ("one", "moja", behind),
        ("two three", "tatu", "empty verse among verses taken together"),
        ("four", "nne", behind),
        ("five", "", ""),
        ("six", "", ""),
        ("seven", "saba", ""),
        ("", "", ""),
        ("nine", "tisa", ""),
    ]
