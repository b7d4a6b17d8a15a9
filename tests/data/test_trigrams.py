import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from kivuko.data.shingles import shingles, text_key
from kivuko.data.trigrams import trigrams

TEXTS = st.lists(st.text(alphabet=st.sampled_from("ab ,.1é\u0301अ\u093eमб字\U0001f600\u200d"), max_size=30), max_size=6)


@settings(deadline=None)  # the first call may compile
@given(TEXTS)
def test_each_text_has_the_shingles_that_it_has_alone(texts: list[str]) -> None:
    keys = [text_key(text) for text in texts]
    found = trigrams(keys)
    for place, key in enumerate(keys):
        np.testing.assert_array_equal(found.take(place), shingles(key))
    assert len(found.starts) == len(keys) + 1
    assert found.starts[-1] == len(found.members)


def test_sums_are_of_each_text_alone() -> None:
    found = trigrams(["abc", "", "de", "!"])
    assert found.sums(np.ones(len(found.members))).tolist() == [3, 0, 2, 0]
