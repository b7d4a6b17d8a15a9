import gzip
from collections import Counter
from pathlib import Path

import pytest

from kivuko.data.bitext import SentencePair
from kivuko.data.readers import BitextFile, BitextFormat, ReaderOptions, Record, tabular
from kivuko.errors import ConfigError, DataError

SWAHILI = ReaderOptions(language="sw")
YES, NO = Record(1, "Yes.", "Ndiyo."), Record(2, "No.", "Siyo.")
TMX = """<?xml version="1.0"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header/><body>
<tu><tuv xml:lang="en-US"><seg>Y<bpt i="1">&lt;b&gt;</bpt>e<ept i="1">&lt;/b&gt;</ept>s.</seg></tuv>
    <tuv xml:lang="sw_KE"><seg>Ndi<hi>yo</hi>.</seg></tuv></tu>
<tu><tuv xml:lang="fr"><seg>Non.</seg></tuv><tuv xml:lang="en"><seg>No.</seg></tuv></tu>
</body></tmx>"""
XLIFF_1 = """<xliff version="1.2" xmlns="urn:oasis:names:tc:xliff:document:1.2">
<file source-language="en" target-language="sw"><body>
<trans-unit id="1"><source>Yes<x id="1"/>.</source><target>Ndi<g id="2">yo</g>.</target></trans-unit>
<trans-unit id="2"><source>No.</source></trans-unit></body></file></xliff>"""
XLIFF_2 = """<xliff version="2.0" srcLang="en" trgLang="sw" xmlns="urn:oasis:names:tc:xliff:document:2.0"><file id="f">
<unit id="1"><segment><source>Yes.</source><target>Ndiyo.</target></segment>
<segment><source>No.</source><target>Siyo.</target></segment></unit></file></xliff>"""


def records(path: Path, content: str | bytes, options: ReaderOptions = SWAHILI) -> list[Record]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(BitextFile(path, options))


def test_tsv_has_english_first(tmp_path: Path) -> None:
    assert records(tmp_path / "a.tsv", "Yes.\tNdiyo.\r\nNo.\tSiyo.\n") == [YES, NO]


def test_row_with_other_columns_is_a_flaw_and_shifts_nothing(tmp_path: Path) -> None:
    first, second, third = records(tmp_path / "a.tsv", "Yes.\nNo.\tSiyo.\na\tb\tc\n")
    assert (first.flaw, second, third.flaw) == ("1 columns, expected 2", NO, "3 columns, expected 2")


@pytest.mark.parametrize("names", [ReaderOptions(english="en", translation="sw"), ReaderOptions(None, None, "2", "3")])
def test_row_that_is_longer_than_the_first_is_a_flaw(tmp_path: Path, names: ReaderOptions) -> None:
    *_, good, shifted = records(tmp_path / "a.tsv", "id\ten\tsw\n1\tYes.\tNdiyo.\n2\tgood\tday\tsiku njema\n", names)
    assert good[1:4] == ("Yes.", "Ndiyo.", "")
    assert shifted.flaw == "4 columns, expected 3"


@pytest.mark.parametrize("name", ["a.tsv", "a.jsonl"])
def test_line_of_white_space_is_an_empty_side_and_an_empty_one_is_nothing(tmp_path: Path, name: str) -> None:
    content = "\t\n\n  \n" + ("Yes.\tNdiyo.\n" if name == "a.tsv" else '{"english": "Yes.", "translation": "Ndiyo."}')
    (tmp_path / name).write_text(content, encoding="utf-8")
    left_out: Counter[str] = Counter()
    assert list(BitextFile(tmp_path / name).pairs(left_out)) == [SentencePair("Yes.", "Ndiyo.")]
    assert left_out == {"empty side": 2}


@pytest.mark.parametrize(
    ("rows", "flaw"),
    [
        (['"No.,Siyo.', "a,b", "a,b", "a,b"], "no CSV (unexpected end of data)"),
        (['"No.,Siyo.', "a,b", 'a,"b"', "c,d"], "no CSV (',' expected after '\"')"),
        (['"No.,Siyo.', "a,b", 'a"', "c,d"], "1 columns, expected 2"),
        (['"No.,Siyo.', "a,b", 'a",b', "c,d"], "a quote joins this row and the next"),
        (['No.,"Siyo.', "a,b", "", 'a,b"', "c,d"], "a quote joins this row and the next"),
    ],
)
def test_lines_that_a_stray_quote_takes_along_are_counted(tmp_path: Path, rows: list[str], flaw: str) -> None:
    found = records(tmp_path / "a.csv", "\n".join(["Yes.,Ndiyo.", *rows, ""]))
    last = [record for record in found if record.english == "c"]
    lost = [record for record in found[1:] if record not in last]
    assert found[0] == YES
    assert [record.english for record in lost] == [row for row in rows if row and row != "c,d"]
    assert [record.flaw for record in lost] == [flaw] + ["taken along by a quote before it"] * (len(lost) - 1)
    assert [record.place for record in last] == [len(rows) + 1] * len(last)


def test_prose_of_several_lines_in_a_cell_is_no_stray_quote(tmp_path: Path) -> None:
    (record,) = records(tmp_path / "a.csv", '"Well, my\nfriend","Basi,\nrafiki"\n')
    assert record[1:4] == ("Well, my\nfriend", "Basi,\nrafiki", "")


def test_line_that_is_cut_within_a_quote_takes_none_along(tmp_path: Path) -> None:
    found = records(tmp_path / "a.csv", 'Yes.,Ndiyo.\n"' + "x" * 500_000 + '",y\nNo.,Siyo.\n')
    assert (found[0], found[2]) == (YES, NO._replace(place=3))
    assert found[1].flaw == "line longer than 400000 bytes"


def test_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'en' stands twice"):
        records(tmp_path / "a.csv", "en,en,sw\na,b,c\n", ReaderOptions(english="en", translation="sw"))


@pytest.mark.parametrize(
    ("unit", "segment", "flaw"),
    [("", "", ""), ("no", "", "not to be translated"), ("", "no", "not to be translated"), ("no", "yes", "")],
)
def test_what_is_not_to_be_translated_is_a_flaw(tmp_path: Path, unit: str, segment: str, flaw: str) -> None:
    told = [f' translate="{value}"' if value else "" for value in (unit, segment)]
    content = (
        f'<xliff version="1.2"><file><body><group{told[0]}><trans-unit{told[1]}><source>X1</source><target>X1</target>'
        "</trans-unit></group></body></file></xliff>"
    )
    assert [record.flaw for record in records(tmp_path / "a.xlf", content)] == [flaw]


@pytest.mark.parametrize("text", ["x" * 10_500_000, "<hi>" * 300], ids=["long", "deep"])
def test_text_without_bounds_in_xml_is_refused_with_its_line(tmp_path: Path, text: str) -> None:
    content = f'<tmx><body>\n<tu><tuv xml:lang="en"><seg>{text}</seg></tuv></tu></body></tmx>'
    with pytest.raises(DataError, match="line 2: a text of more than 10 MB"):
        records(tmp_path / "a.tmx", content, SWAHILI)


def test_row_that_never_ends_is_counted_and_the_rest_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tabular, "_MAX_ROW_BYTES", 100)
    found = records(tmp_path / "a.csv", 'a,"' + "0123456789\n" * 20 + "Yes.,Ndiyo.\n")
    assert len(found) == 21
    assert found[0].flaw == "no CSV (row longer than 100 bytes)"
    assert found[-1][1:3] == ("Yes.", "Ndiyo.")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.po", 'msgid "Yes."\nmsgstr "Ndiyo."\n\nmsgid "Long"\nmsgstr "%s"\n'),
        ("a.tmx", TMX.replace(">Non.<", ">%s<").replace('"fr"', '"sw"')),
    ],
)
def test_side_that_is_too_long_is_a_flaw_in_every_format(tmp_path: Path, name: str, content: str) -> None:
    assert records(tmp_path / name, content % ("é" * 200_000))[1].flaw == ""
    first, long = records(tmp_path / name, content % ("é" * 200_001))
    assert first == YES
    assert "longer than 400000 bytes" in long.flaw
    assert long.translation == ""


def test_named_columns_are_found_in_the_first_row(tmp_path: Path) -> None:
    options = ReaderOptions(english="en", translation="sw")
    found = records(tmp_path / "a.csv", 'sw,id,en\n"Ndiyo, ""bwana"".",7,Yes sir.\n', options)
    assert [record[1:4] for record in found] == [("Yes sir.", 'Ndiyo, "bwana".', "")]


def test_column_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no column 'sw'; the first row has 'en', 'so'"):
        records(tmp_path / "a.tsv", "en\tso\n", ReaderOptions(english="en", translation="sw"))


def test_numbered_columns_need_no_first_row(tmp_path: Path) -> None:
    options = ReaderOptions(english="3", translation="1")
    assert records(tmp_path / "a.tsv", "Ndiyo.\t7\tYes.\n", options) == [YES]


@pytest.mark.parametrize(("english", "translation"), [("2", "2"), ("2", "02"), ("en", "en")])
def test_one_column_for_both_sides_is_refused(english: str, translation: str) -> None:
    with pytest.raises(ConfigError, match="both be column"):
        ReaderOptions(english=english, translation=translation)


def test_one_column_without_the_other_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="both columns"):
        records(tmp_path / "a.tsv", "x\ty\n", ReaderOptions(english="1"))


def test_csv_cell_may_hold_a_line_break(tmp_path: Path) -> None:
    (record,) = records(tmp_path / "a.csv", 'Yes.,"Ndi\nyo."\n')
    assert record.translation == "Ndi\nyo."


def test_tatoeba_pairs_stand_in_the_second_and_fourth_columns(tmp_path: Path) -> None:
    options = ReaderOptions(BitextFormat.TATOEBA)
    assert records(tmp_path / "a.tsv", "12\tYes.\t99\tNdiyo.\n", options) == [YES]


def test_json_lines_without_the_keys_are_flaws(tmp_path: Path) -> None:
    content = '{"english": "Yes.", "translation": "Ndiyo."}\n{"english": 1, "translation": "x"}\n[1]\n{\n'
    found = records(tmp_path / "a.jsonl", content)
    assert found[0] == YES
    assert all("no JSON object" in record.flaw for record in found[1:])
    assert len(found) == 4


def test_json_keys_with_dots_are_of_objects_within_objects(tmp_path: Path) -> None:
    content = '{"t": {"en": "Yes.", "sw": "Ndiyo."}}\n{"t.en": "Yes.", "t": {"en": "x", "sw": "Ndiyo."}}\n{"t": "x"}\n'
    found = records(tmp_path / "a.jsonl", content, ReaderOptions(english="t.en", translation="t.sw"))
    assert [record[1:3] for record in found[:2]] == [YES[1:3]] * 2
    assert "no JSON object with strings under 't.en'" in found[2].flaw


def test_half_a_surrogate_pair_is_a_flaw(tmp_path: Path) -> None:
    (record,) = records(tmp_path / "a.jsonl", '{"english": "\\ud800", "translation": "x"}')
    assert "surrogate" in record.flaw


@pytest.mark.parametrize("name", ["corpus", "corpus.en", "corpus.en.gz"])
def test_moses_pair_is_found_by_either_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "corpus.en.gz").write_bytes(gzip.compress(b"Yes.\nNo.\n"))
    (tmp_path / "corpus.sw").write_text("Ndiyo.\nSiyo.\n", encoding="utf-8")
    assert list(BitextFile(tmp_path / name, ReaderOptions(BitextFormat.MOSES, "sw"))) == [YES, NO]


def test_moses_keeps_blank_lines_so_that_nothing_shifts(tmp_path: Path) -> None:
    (tmp_path / "c.en").write_text("Yes.\n\nNo.\n", encoding="utf-8")
    (tmp_path / "c.sw").write_text("Ndiyo.\nx\nSiyo.\n", encoding="utf-8")
    moses = BitextFile(tmp_path / "c", ReaderOptions(BitextFormat.MOSES, "sw"))
    assert list(moses.pairs()) == [SentencePair("Yes.", "Ndiyo."), SentencePair("No.", "Siyo.")]


def test_unequal_moses_files_are_refused_with_both_counts(tmp_path: Path) -> None:
    (tmp_path / "c.en").write_text("a\nb\nc\n", encoding="utf-8")
    (tmp_path / "c.sw").write_text("a\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"c\.en has 3 lines and .*c\.sw has 1: line 2 is the first"):
        list(BitextFile(tmp_path / "c", ReaderOptions(BitextFormat.MOSES, "sw")))


def test_tmx_text_has_no_codes_and_a_unit_without_the_language_is_a_flaw(tmp_path: Path) -> None:
    assert records(tmp_path / "a.tmx", TMX) == [YES, Record(2, "No.", "", "no variant in sw")]


def test_tmx_may_be_utf_16(tmp_path: Path) -> None:
    assert records(tmp_path / "a.tmx", TMX.replace('"1.0"', '"1.0" encoding="UTF-16"').encode("utf-16"))[0] == YES


def test_tmx_without_the_language_names_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing in 'so'; its languages are en, en-us, fr, sw-ke"):
        records(tmp_path / "a.tmx", TMX, ReaderOptions(language="so"))
    with pytest.raises(ConfigError, match="--language"):
        records(tmp_path / "a.tmx", TMX, ReaderOptions())


def test_tmx_variant_of_a_country_is_found_by_its_own_tag(tmp_path: Path) -> None:
    content = TMX.replace('xml:lang="fr"', 'xml:lang="sw-TZ"').replace(">Non.<", ">Siyo.<")
    assert records(tmp_path / "a.tmx", content) == [YES, NO]
    assert records(tmp_path / "a.tmx", content, ReaderOptions(language="sw_TZ"))[1] == NO
    assert records(tmp_path / "a.tmx", content, ReaderOptions(language="sw_TZ"))[0].flaw == "no variant in sw_TZ"


def test_place_between_letters_leaves_a_space(tmp_path: Path) -> None:
    content = TMX.replace("Ndi<hi>yo</hi>.", 'Bonyeza<ph x="1"/>sasa<ph/>, <ph/>n<it pos="begin"/>dani<ph/>.')
    assert records(tmp_path / "a.tmx", content)[0].translation == "Bonyeza sasa, ndani."
    content = XLIFF_1.replace("Ndi", 'Ndi<x id="3"/>')
    assert records(tmp_path / "a.xlf", content)[0] == Record(1, "Yes.", "Ndi yo.")


def test_xliff_language_may_be_written_with_its_country_or_in_three_letters(tmp_path: Path) -> None:
    for told, asked in (("sw-KE", "sw"), ("sw", "sw_KE"), ("swh", "sw"), ("zh-Hant", "zh_Hant")):
        content = XLIFF_1.replace('target-language="sw"', f'target-language="{told}"')
        assert records(tmp_path / "a.xlf", content, ReaderOptions(language=asked))[0] == YES
    content = XLIFF_1.replace('target-language="sw"', 'target-language="zh-Hans"')
    with pytest.raises(DataError, match="target-language is 'zh-Hans'"):
        records(tmp_path / "a.xlf", content, ReaderOptions(language="zh-Hant"))


def test_xliff_1_and_2_are_read(tmp_path: Path) -> None:
    assert records(tmp_path / "a.xlf", XLIFF_1) == [YES, Record(2, "No.", "", "no target")]
    assert records(tmp_path / "b.xliff", XLIFF_2) == [YES, NO]


def test_xliff_header_of_a_catalogue_and_untranslated_targets_are_flaws(tmp_path: Path) -> None:
    header = XLIFF_1.replace('<trans-unit id="1">', '<trans-unit id="1" restype="x-gettext-domain-header">')
    assert records(tmp_path / "a.xlf", header)[0].flaw == "header of a catalogue"
    new = XLIFF_1.replace("<target>", '<target state="needs-translation">')
    assert records(tmp_path / "a.xlf", new)[0].flaw == "not translated"
    initial = XLIFF_2.replace("<segment>", '<segment state="initial">', 1)
    assert [record.flaw for record in records(tmp_path / "a.xlf", initial)] == ["not translated", ""]


def test_xliff_of_another_language_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="target-language is 'sw', expected 'so'"):
        records(tmp_path / "a.xlf", XLIFF_1, ReaderOptions(language="so"))


@pytest.mark.parametrize(
    "declaration",
    [
        '<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">',
        '<!ENTITY b SYSTEM "file:///etc/passwd">',
        '<!ENTITY % b SYSTEM "http://localhost/x.dtd">',
    ],
    ids=["expansion", "external file", "parameter"],
)
def test_entity_attacks_are_refused(tmp_path: Path, declaration: str) -> None:
    hostile = TMX.replace('<!DOCTYPE tmx SYSTEM "tmx14.dtd">', f"<!DOCTYPE tmx [{declaration}]>")
    with pytest.raises(DataError, match="entities"):
        records(tmp_path / "a.tmx", hostile)


def test_broken_xml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="well-formed"):
        records(tmp_path / "a.tmx", TMX[:-20])


def test_damaged_archive_of_xml_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="whole"):
        records(tmp_path / "a.tmx.gz", gzip.compress(TMX.encode())[:-20])


def test_name_without_a_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--format"):
        records(tmp_path / "a.doc", "x")


def test_file_without_a_pair_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("a\tb\tc\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"1 records are left out.*3 columns, expected 2 \(at 1\)"):
        list(BitextFile(path).pairs())
