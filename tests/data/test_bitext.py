import hashlib
from pathlib import Path

import pytest

from kivuko.config import BitextSource
from kivuko.data.bitext import Bitext, SentencePair, pair_weights, parse_source, read_bitext, split_held_out
from kivuko.errors import ConfigError, DataError


@pytest.fixture
def write(tmp_path: Path):
    def write_file(content: bytes | str, name: str = "en-sw.tsv") -> BitextSource:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return BitextSource(path=path, language="sw")

    return write_file


def test_pairs_come_in_order_with_white_space_folded(write) -> None:
    source = write("Good  morning.\tHabari za asubuhi.\r\n\nThank you.\tAsante .\n")
    assert read_bitext(source).pairs == [
        SentencePair("Good morning.", "Habari za asubuhi."),
        SentencePair("Thank you.", "Asante ."),
    ]


def test_line_of_white_space_is_counted_as_an_empty_side(write) -> None:
    assert read_bitext(write("Yes.\tNdiyo.\n\n\t\n  \n")).empty_sides == 2


def test_byte_order_mark_is_not_text(write) -> None:
    assert read_bitext(write("\ufeffYes.\tNdiyo.\n")).pairs == [SentencePair("Yes.", "Ndiyo.")]


def test_empty_sides_are_left_out_and_counted(write) -> None:
    bitext = read_bitext(write("Yes.\tNdiyo.\nNo.\t\n\tSiyo.\n"))
    assert (len(bitext.pairs), bitext.empty_sides) == (1, 2)


def test_pairs_of_a_dictionary_keep_their_weights(write) -> None:
    senses = (("dog", ("mbwa",)), ("dog", ("mbwa", "jibwa")), ("house", ("nyumba",)))
    entries = "".join(
        f"<entry><form><orth>{word}</orth></form>"
        + "".join(f'<cit type="trans"><quote>{each}</quote></cit>' for each in found)
        + "</entry>"
        for word, found in senses
    )
    dictionary = read_bitext(write(f"<TEI>{entries}</TEI>", "eng-swh.tei"))
    plain = read_bitext(write("dog\tmbwa\n"))
    assert dict(dictionary.weights) == {("dog", "mbwa"): 0.75, ("dog", "jibwa"): 0.5, ("house", "nyumba"): 1}
    assert pair_weights([dictionary, plain]) == [0.75, 0.75, 0.5, 1, 1]
    assert plain.weights == {}
    assert pair_weights([plain]) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("Yes.\tNdiyo.\nNo.\n", r"line 2: expected two columns.*got 1"),
        ("Yes.\tNdiyo.\textra\n", r"line 1: expected two columns.*got 3"),
        (b"Yes.\tNdiyo.\nNo.\tSi\xffyo.\n", r"line 2: not valid UTF-8"),
        ("Yes.\tNdiyo.\n".encode("utf-16-be"), r"line 1: holds NUL bytes"),
        ("", r"expected sentence pairs.*found none"),
        ("\n \n", r"expected sentence pairs.*found none"),
        ("Yes.\t" + "a" * 500_000, r"line 1: longer than"),
    ],
    ids=["one column", "three columns", "invalid UTF-8", "UTF-16 without a mark", "empty", "blank", "endless line"],
)
def test_bad_file_is_named_with_its_line(write, content: bytes | str, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_bitext(write(content))
    assert "en-sw.tsv" in str(caught.value)


def test_missing_file_and_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        read_bitext(BitextSource(path=tmp_path / "none.tsv", language="sw"))
    with pytest.raises(DataError, match="a folder"):
        read_bitext(BitextSource(path=tmp_path, language="sw"))


def test_weight_is_read_from_the_argument_and_paths_may_hold_colons(tmp_path: Path) -> None:
    assert parse_source("a/en-sw.tsv:0.5", targets=["sw"])["weight"] == 0.5
    odd = tmp_path / "en-sw:2"
    odd.touch()
    assert parse_source(str(odd), targets=["sw"])["path"] == str(odd)


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "1000"])
def test_senseless_weight_is_refused(weight: str) -> None:
    with pytest.raises(ConfigError, match="weight"):
        parse_source(f"en-sw.tsv:{weight}", targets=["sw"])


def test_with_several_targets_the_file_must_say_which(tmp_path: Path) -> None:
    assert parse_source("en-so.tsv", targets=["sw", "so"])["language"] == "so"
    with pytest.raises(ConfigError, match="must end in one of them"):
        parse_source("pairs.tsv", targets=["sw", "so"])


def bitext(name: str, pairs: list[tuple[str, str]]) -> Bitext:
    source = BitextSource(path=Path(name), language="sw")
    return Bitext(source, [SentencePair(*pair) for pair in pairs], 0, "")


def test_held_out_pairs_leave_training_by_either_side() -> None:
    pairs = [(f"sentence {number}", f"sentensi {number}") for number in range(50)]
    again = [("Sentence 3", "kitu kingine"), ("something else", "SENTENSI 4")]
    kept, held_out = split_held_out([bitext("a.tsv", pairs), bitext("b.tsv", again)], count=10, seed=1)
    english = {pair.english.casefold() for pair in held_out}
    translations = {pair.translation.casefold() for pair in held_out}
    left = [pair for each in kept for pair in each.pairs]
    assert len(held_out) == 10
    assert all(p.english.casefold() not in english and p.translation.casefold() not in translations for p in left)
    assert len(left) >= 40


def test_held_out_pairs_do_not_depend_on_the_order_of_sources() -> None:
    one = bitext("a.tsv", [(f"a {number}", f"b {number}") for number in range(30)])
    other = bitext("b.tsv", [(f"c {number}", f"d {number}") for number in range(30)])
    assert split_held_out([one, other], count=8, seed=3)[1] == split_held_out([other, one], count=8, seed=3)[1]
    assert split_held_out([one, other], count=8, seed=3)[1] != split_held_out([one, other], count=8, seed=4)[1]


def test_holding_out_most_of_the_bitext_is_refused() -> None:
    with pytest.raises(DataError, match="at most 2"):
        split_held_out([bitext("a.tsv", [(f"a {n}", f"b {n}") for n in range(10)])], count=5, seed=0)


def test_other_formats_are_read_with_what_they_leave_out_counted(tmp_path: Path) -> None:
    path = tmp_path / "memory.jsonl"
    good, bad = '{"english": "Yes.", "translation": " Ndiyo. "}', '{"english": "No."}'
    empty = '{"english": "No.", "translation": ""}'
    path.write_text(f"{good}\n{bad}\n{empty}\n", encoding="utf-8")
    bitext = read_bitext(BitextSource(path=path, language="sw"))
    assert bitext.pairs == [SentencePair("Yes.", "Ndiyo.")]
    assert (bitext.empty_sides, sum(bitext.left_out.values())) == (1, 1)
    assert bitext.sha256 == hashlib.sha256(b"Yes.\tNdiyo.\n").hexdigest()


def test_format_before_the_path_is_no_weight_and_the_weight_stays(tmp_path: Path) -> None:
    told = parse_source("hub:opus100/en-sw:2", targets=["sw", "so"])
    assert told == {"path": "hub:opus100/en-sw", "language": "sw", "weight": 2.0}
    (tmp_path / "pairs").write_text("Yes.\tNdiyo.\nbroken\n", encoding="utf-8")
    bitext = read_bitext(BitextSource(path=Path(f"tsv:{tmp_path}/pairs"), language="sw"))
    assert (len(bitext.pairs), bitext.left_out) == (1, {"1 columns, expected 2": 1})
