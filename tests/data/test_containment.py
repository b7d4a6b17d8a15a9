from hypothesis import given
from hypothesis import strategies as st

from kivuko.data.containment import ContainmentIndex
from kivuko.data.shingles import text_key, words_key

PASSAGE = "the long rains begin in march and end in may and then the farmers plant maize and beans"
WORDS = st.lists(st.sampled_from(["kwaheri", "asubuhi", "mwalimu"]), min_size=1, max_size=14).map(" ".join)


def related(one: str, other: str) -> bool:
    found = [ContainmentIndex([text]).related(words) for text, words in ((one, other), (other, one))]
    assert found[0] == found[1]
    return bool(found[0])


def test_a_piece_of_a_text_is_found_from_either_side() -> None:
    assert related(PASSAGE, "end in may and then the farmers")
    assert related(PASSAGE, PASSAGE)


def test_words_in_another_order_are_no_piece() -> None:
    assert not related(PASSAGE, "then the farmers end in may and")


def test_parts_of_words_are_no_piece() -> None:
    assert not related(PASSAGE, "ong rains begin in march and end in ma")


def test_few_words_or_few_letters_are_no_piece() -> None:
    assert not related(PASSAGE, "rains begin in march and")
    assert not related("a b c d e f g h i j", "b c d e f g h")


def test_scripts_without_spaces_are_looked_up_by_letters() -> None:
    thai = "ครูขอให้นักเรียนอ่านนิทานเรื่องกระต่ายกับสิงโตที่โรงเรียน"
    assert related(thai, thai[8:40])
    assert not related(thai, thai[8:30] + thai[50:])


def test_all_texts_that_hold_a_piece_are_found() -> None:
    index = ContainmentIndex(["something else altogether", f"one {PASSAGE}", "too short", f"{PASSAGE} two"])
    assert index.related(PASSAGE) == {1, 3}
    assert index.related(f"so {PASSAGE} two it is") == {3}


def test_index_without_texts_finds_nothing() -> None:
    assert not ContainmentIndex([]).related(PASSAGE)


@given(st.lists(WORDS, max_size=5), WORDS)
def test_index_finds_what_comparing_all_texts_finds(texts: list[str], asked: str) -> None:
    def stands_in(one: str, other: str) -> bool:
        return len(one.split()) >= 6 and f" {one} " in f" {other} "

    expected = {number for number, text in enumerate(texts) if stands_in(text, asked) or stands_in(asked, text)}
    assert ContainmentIndex(texts).related(asked) == expected


def test_marks_and_punctuation_hide_no_piece() -> None:
    one, other = (
        words_key(text_key(text))
        for text in ("Ẹ káàárọ̀ o, ṣé dáadáa ni ẹ jí?", "“E kaaaro o! Se daadaa ni e ji?” o beere.")
    )
    assert related(one, other)
