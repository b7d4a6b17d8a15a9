import gzip
from pathlib import Path

import pytest

from kivuko.data.readers import BitextFile, ReaderOptions, Record
from kivuko.data.readers.definitions import translations_in
from kivuko.errors import ConfigError, DataError

SWAPPED = ReaderOptions(english="2", translation="1")
ENTRIES = {"dog": "dog /dɒg/\n1. mbwa, jibwa", "house": "house\n nyumba"}
TEI = """<TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body>
<entry><form><orth>dog</orth><pron>dɒg</pron></form><sense><cit type="trans"><quote>mbwa</quote></cit>
<cit type="example"><quote>a dog barks</quote><cit type="trans"><quote>mbwa anabweka</quote></cit></cit></sense>
<sense><cit type="trans"><quote>jibwa</quote></cit></sense></entry>
<entry><form><orth>lone</orth></form></entry></body></text></TEI>"""
BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def stardict(folder: Path, entries: dict[str, str], types: str = "m", name: str = "eng-swh") -> Path:
    index, content = b"", b""
    for word, text in entries.items():
        data = text.encode() if types else b"m" + text.encode() + b"\0"
        index += word.encode() + b"\0" + len(content).to_bytes(4, "big") + len(data).to_bytes(4, "big")
        content += data
    (folder / f"{name}.idx.gz").write_bytes(gzip.compress(index))
    (folder / f"{name}.dict.dz").write_bytes(gzip.compress(content))
    told = f"StarDict's dict ifo file\nversion=2.4.2\nidxfilesize={len(index)}\nwordcount={len(entries)}\n"
    path = folder / f"{name}.ifo"
    path.write_text(told + (f"sametypesequence={types}\n" if types else ""), encoding="utf-8")
    return path


def base64(number: int) -> str:
    return (base64(number // 64) if number >= 64 else "") + BASE64[number % 64]


def dictd(folder: Path, entries: dict[str, str], name: str = "eng-swh") -> Path:
    lines, content = ["00databaseshort\tA\tA"], b""
    for word, text in entries.items():
        lines.append(f"{word}\t{base64(len(content))}\t{base64(len(text.encode()))}")
        content += text.encode()
    (folder / f"{name}.dict").write_bytes(content)
    path = folder / f"{name}.index"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


EXPECTED = [
    Record(1, "dog", "mbwa", weight=0.5),
    Record(1, "dog", "jibwa", weight=0.5),
    Record(2, "house", "nyumba", weight=1),
]


@pytest.mark.parametrize("types", ["m", ""])
def test_translations_of_a_word_share_its_weight(tmp_path: Path, types: str) -> None:
    assert list(BitextFile(stardict(tmp_path, ENTRIES, types))) == EXPECTED


def test_dictd_gives_the_same_and_leaves_its_own_entries_out(tmp_path: Path) -> None:
    padded = {word: text + "\n" * 80 for word, text in ENTRIES.items()}  # two digits of an offset
    records = list(BitextFile(dictd(tmp_path, padded)))
    assert [record[1:] for record in records if record.place > 1] == [record[1:] for record in EXPECTED[2:]]
    assert [record[1:] for record in records if record.place == 1] == [record[1:] for record in EXPECTED[:2]]


def test_html_of_stardict_is_read_as_text(tmp_path: Path) -> None:
    path = stardict(tmp_path, {"dog": "<b>dog</b><br>mbwa &amp; mwana, <i>jibwa</i>"}, "h")
    assert [record.translation for record in BitextFile(path)] == ["mbwa & mwana", "jibwa"]


def test_entry_without_a_headword_is_one_record(tmp_path: Path) -> None:
    (tmp_path / "eng-swh.tei").write_text(TEI.replace("<orth>dog</orth>", ""), encoding="utf-8")
    assert [record.flaw for record in BitextFile(tmp_path / "eng-swh.tei")] == ["no headword", "no translation"]


def test_entry_that_is_too_long_is_not_looked_at(tmp_path: Path) -> None:
    for path in (
        stardict(tmp_path, {"dog": "x" * 400_001, "house": "nyumba"}),
        dictd(tmp_path, {"dog": "x" * 400_001}),
    ):
        assert next(iter(BitextFile(path))).flaw == "entry longer than 400000 bytes"


def test_tags_without_an_end_are_read_in_linear_time(tmp_path: Path) -> None:
    path = stardict(tmp_path, {"dog": "<k>" * 100_000 + "mbwa"}, "x")
    assert [record.translation for record in BitextFile(path)] == ["mbwa"]


def test_number_of_dictd_that_is_none_is_a_flaw(tmp_path: Path) -> None:
    path = dictd(tmp_path, ENTRIES)
    path.write_text(path.read_text() + f"cat\t{'A' * 300_000}\tB\ncat\t\tB\n", encoding="utf-8")
    assert [record.flaw for record in BitextFile(path)][-2:] == ["no index entry", "no index entry"]


def test_tei_has_translations_without_those_of_examples(tmp_path: Path) -> None:
    (tmp_path / "eng-swh.tei").write_text(TEI, encoding="utf-8")
    assert list(BitextFile(tmp_path / "eng-swh.tei")) == [
        *EXPECTED[:2],
        Record(2, "lone", "", "no translation"),
    ]


def test_name_says_that_the_translations_are_the_english(tmp_path: Path) -> None:
    (record,) = BitextFile(stardict(tmp_path, {"nyumba": "house"}, name="swh-eng"))
    assert record[1:3] == ("house", "nyumba")


@pytest.mark.parametrize("name", ["Swahili_English", "quick_swahili-english", "SwahiliToEnglish", "my-new-sw_en"])
def test_names_of_languages_say_so_too(tmp_path: Path, name: str) -> None:
    (record,) = BitextFile(stardict(tmp_path, {"mbwa": "dog"}, name=name))
    assert record[1:3] == ("dog", "mbwa")


def test_dictionary_says_itself_which_side_is_english(tmp_path: Path) -> None:
    star = stardict(tmp_path, {"mbwa": "dog"}, name="kamusi")
    star.write_text(star.read_text() + "bookname=Swahili - English\n", encoding="utf-8")
    short = dictd(tmp_path, {"00databaseshort": "Swahili-English FreeDict", "mbwa": "dog"}, name="short")
    title = "<teiHeader><fileDesc><titleStmt><title>Swahili-English</title></titleStmt></fileDesc></teiHeader>"
    swahili = TEI.replace("dog", "mbwa", 1).replace("mbwa</quote>", "dog</quote>", 1)
    (tmp_path / "title.tei").write_text(swahili.replace("<text>", f"{title}<text>"), encoding="utf-8")
    coded = swahili.replace("<body>", '<body xml:lang="sw">').replace('"trans"', '"trans" xml:lang="en"')
    (tmp_path / "coded.tei").write_text(coded, encoding="utf-8")
    for path in (star, short, tmp_path / "title.tei", tmp_path / "coded.tei"):
        assert next(iter(BitextFile(path)))[1:3] == ("dog", "mbwa")


@pytest.mark.parametrize("name", ["kamusi", "Oxford_English", "de-fr", "English-Swahili-English"])
def test_dictionary_of_which_nothing_says_it_warns(tmp_path: Path, name: str) -> None:
    path = stardict(tmp_path, ENTRIES, name=name)
    with pytest.warns(UserWarning, match="give --english 2 --translation 1"):
        assert list(BitextFile(path)) == EXPECTED
    assert list(BitextFile(path, ReaderOptions(english="1", translation="2"))) == EXPECTED


def test_columns_say_so_where_the_name_does_not(tmp_path: Path) -> None:
    path = stardict(tmp_path, {"nyumba": "house"}, name="kamusi")
    (record,) = BitextFile(path, SWAPPED)
    assert record[1:3] == ("house", "nyumba")
    with pytest.raises(ConfigError, match="column 1 is the headwords"):
        list(BitextFile(path, ReaderOptions(english="en", translation="sw")))


def test_words_that_are_tied_together_are_two() -> None:
    assert translations_in("crown /k/ <VT>\n1. राज्याभिषेक~करना\n2. ~ ab", "crown") == ("राज्याभिषेक करना", "~ ab")


def test_explanation_is_no_translation(tmp_path: Path) -> None:
    (record,) = BitextFile(stardict(tmp_path, {"matatu": "a small bus that follows a fixed route"}))
    assert record.flaw == "explanation, no word"


def test_truncated_files_are_refused_or_counted(tmp_path: Path) -> None:
    path = stardict(tmp_path, ENTRIES)
    content = gzip.decompress((tmp_path / "eng-swh.dict.dz").read_bytes())
    (tmp_path / "eng-swh.dict.dz").write_bytes(gzip.compress(content[:-3]))
    assert [record.flaw for record in BitextFile(path)] == ["", "", "entry outside the dictionary"]
    index = gzip.decompress((tmp_path / "eng-swh.idx.gz").read_bytes())
    (tmp_path / "eng-swh.idx.gz").write_bytes(gzip.compress(index[:-3]))
    with pytest.raises(DataError, match=r"\.idx is .* bytes long, but it has"):
        list(BitextFile(path))


def test_missing_file_is_named(tmp_path: Path) -> None:
    path = dictd(tmp_path, ENTRIES)
    (tmp_path / "eng-swh.dict").unlink()
    with pytest.raises(DataError, match=r"eng-swh\.dict: expected this beside"):
        list(BitextFile(path))


def test_broken_line_of_an_index_is_counted(tmp_path: Path) -> None:
    path = dictd(tmp_path, ENTRIES)
    path.write_bytes(path.read_bytes() + b"no columns\ndog\t!\t?\n")
    assert [record.flaw for record in BitextFile(path)][-2:] == ["no index entry", "no index entry"]


def test_tei_that_declares_entities_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.tei").write_text(f'<!DOCTYPE TEI [<!ENTITY a "b">]>{TEI}', encoding="utf-8")
    with pytest.raises(DataError, match="entities"):
        list(BitextFile(tmp_path / "a.tei"))
