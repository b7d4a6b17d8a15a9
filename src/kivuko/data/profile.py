"""What parallel text is like: how much, how long, in which scripts; and which limits follow from that."""

import itertools
import math
import random
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import regex
from fontTools.unicodedata import script

from kivuko.data.bitext import SentencePair
from kivuko.data.readers import Record
from kivuko.data.seen import KeyCounter, Keys, text_digests
from kivuko.data.shingles import text_key
from kivuko.errors import DataError

QUANTILES = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)
SAMPLE = 100_000
LEAST_TO_LEARN = 50
_TOGETHER_COUNTED = 65_536
_MOST_CHARACTERS = 1 << 27  # of a sample: 1,342 for each of its pairs
# Scripts that are written together count as one.
_TOGETHER = {"Hira": "Jpan", "Kana": "Jpan", "Hani": "Jpan"}
_NO_SCRIPT = frozenset({"Zyyy", "Zinh", "Zzzz"})
_WORD = regex.compile(r"[\p{L}\p{M}\p{N}]+(?:['’\u200c\u200d][\p{L}\p{M}\p{N}]+)*")
_ASCII_WORD = re.compile("[A-Za-z0-9]+(?:'[A-Za-z0-9]+)*")


class SideProfile(NamedTuple):
    """One side of parallel text.

    Attributes:
        words: Runs of letters, marks and digits.
        characters: Code points.
        lengths: Quantiles of the length in characters, at `QUANTILES`.
        script: ISO 15924 code of the script that most letters are in (`Latn`, `Deva`), `Zyyy` if there is none;
            Chinese and Japanese are `Jpan`.
        script_share: What part of the letters is in it.
        distinct: How many texts there are, up to case and white space; None if that was not asked for.
        length_limit: No text of this kind is longer; infinite if there was too little to learn from.
    """

    words: int
    characters: int
    lengths: tuple[float, ...]
    script: str
    script_share: float
    distinct: int | None
    length_limit: float


class LengthRatio(NamedTuple):
    """How long a translation is for its English, in characters.

    A translation of an English text of length e is c e long on average, with a variance of s^2 e.

    References:
        Gale and Church, "A Program for Aligning Sentences in Bilingual Corpora", Computational Linguistics 1993, eq. 1;
        here c and s are robust estimates from the data itself: the median, and 1.4826 times the median deviation.
    """

    c: float
    s: float

    def deviations(self, english: int, translation: int) -> float:
        """Return by how many standard deviations a translation is too long, or (negative) too short.

        Example:
            >>> LengthRatio(c=1.0, s=2.0).deviations(100, 120)
            1.0
        """
        return (translation - self.c * english) / (self.s * math.sqrt(english)) if self.s else 0.0


class Profile(NamedTuple):
    """Parallel text at a glance.

    Attributes:
        records: Places where a pair should be.
        left_out: Those with a flaw, by what it is, or with an empty side.
        pairs: The others.
        copies: Pairs whose sides are equal.
        distinct: Different pairs, up to case and white space; None if that was not asked for.
        english: The English side.
        translation: The other side.
        ratio: What is usual between the lengths.
    """

    records: int
    left_out: Counter[str]
    pairs: int
    copies: int
    distinct: int | None
    english: SideProfile
    translation: SideProfile
    ratio: LengthRatio


def fold(text: str) -> str:
    """Fold white space."""
    return " ".join(text.split())


def profile(
    records: Iterable[Record], *, tidy: Callable[[str], str] = fold, sample: int = SAMPLE, distinct: bool = True
) -> Profile:
    """Read parallel text once and say what it is like.

    Counts are of everything; quantiles, scripts and limits are of a sample drawn evenly, always the same one.

    Args:
        records: The text.
        tidy: Applied to each side first.
        sample: How many pairs to keep for the quantiles, fewer if they are very long. At least 1.
        distinct: Whether to count different texts, which takes most of the time.

    Raises:
        DataError: If there is no pair.
    """
    return survey(records, tidy=tidy, sample=sample, distinct=distinct)[0]


def survey(
    records: Iterable[Record], *, tidy: Callable[[str], str] = fold, sample: int = SAMPLE, distinct: bool = True
) -> tuple[Profile, list[SentencePair]]:
    """Do what `profile` does, and return the sample with it, in no order but always the same."""
    draw = random.Random(0)  # noqa: S311  # not a secret
    left_out: Counter[str] = Counter()
    drawn: list[SentencePair] = []
    records_read = pairs = copies = 0
    words, characters, different = [0, 0], [0, 0], [0, 0, 0]
    held = 0  # characters of the sample
    thin = random.Random(1)  # noqa: S311  # not a secret; what is drawn of short texts does not depend on it
    waiting: list[Keys] = []
    with KeyCounter() as seen:

        def count_different() -> None:
            """Add how many of what waits are new: English texts, translations and pairs by turns."""
            is_new = seen.add(np.concatenate([np.empty(0, np.uint64), *waiting])).reshape(-1, 3).sum(axis=0)
            different[:] = [count + int(new) for count, new in zip(different, is_new, strict=True)]
            waiting.clear()

        for record in records:
            records_read += 1
            pair = SentencePair(tidy(record.english), tidy(record.translation))
            if record.flaw or not all(pair):
                left_out[record.flaw or "empty side"] += 1
                continue
            place = pairs if pairs < sample else draw.randrange(pairs + 1)
            if place < sample:
                held += (
                    len(pair.english)
                    + len(pair.translation)
                    - sum(len(side) for old in drawn[place : place + 1] for side in old)
                )
                drawn[place : place + 1] = [pair]
            pairs += 1
            while held > _MOST_CHARACTERS and len(drawn) > 1:
                sample = len(drawn) // 2
                drawn = thin.sample(drawn, sample)
                held = sum(len(side) for each in drawn for side in each)
            keys = [text_key(side) for side in pair]
            copies += keys[0] == keys[1]
            for side, text in enumerate(pair):
                words[side] += len((_ASCII_WORD if text.isascii() else _WORD).findall(text))
                characters[side] += len(text)
            if distinct:
                # As digests: whole texts would wait otherwise, however long they are.
                waiting.append(text_digests([f"en\0{keys[0]}", f"tr\0{keys[1]}", f"pair\0{keys[0]}\0{keys[1]}"]))
                if len(waiting) >= _TOGETHER_COUNTED:
                    count_different()
        if distinct:
            count_different()
    if not pairs:
        (reason, _), *_ = *left_out.most_common(1), ("no record", 0)
        why = f"{records_read:,} records, most left out for: {reason}"
        raise DataError(f"Expected sentence pairs, found none ({why}).")
    sides = [
        _side_profile([pair[side] for pair in drawn], words[side], characters[side], different[side] or None)
        for side in (0, 1)
    ]
    found = Profile(
        records_read, left_out, pairs, copies, different[2] or None, sides[0], sides[1], _length_ratio(drawn)
    )
    return found, drawn


def count_scripts(text: str) -> Counter[str]:
    """Count the letters and marks of a text by their scripts.

    Example:
        >>> count_scripts("Go, जा!")
        Counter({'Latn': 2, 'Deva': 2})
    """
    found: Counter[str] = Counter()
    for character, count in Counter(text).items():
        if code := _script(character):
            found[code] += count
    return found


def script_runs(text: str) -> Iterator[tuple[str, str]]:
    """Yield the stretches of letters and marks of one script, with its code.

    Example:
        >>> list(script_runs("Firefoxን ዝጋ"))
        [('Latn', 'Firefox'), ('Ethi', 'ን'), ('Ethi', 'ዝጋ')]
    """
    for code, run in itertools.groupby(text, key=_script):
        if code:
            yield code, "".join(run)


@lru_cache(maxsize=1 << 16)
def _script(character: str) -> str:
    """Return the script of a letter or mark, `Zyyy` where many scripts use it, and nothing for anything else."""
    if unicodedata.category(character)[0] not in "LM":
        return ""
    code: str = script(character)
    return "Zyyy" if code in _NO_SCRIPT else _TOGETHER.get(code, code)


def _side_profile(texts: Sequence[str], words: int, characters: int, distinct: int | None) -> SideProfile:
    lengths = np.array([len(text) for text in texts])
    scripts = count_scripts("".join(texts))
    main, letters = scripts.most_common(1)[0] if scripts else ("Zyyy", 0)
    return SideProfile(
        words=words,
        characters=characters,
        lengths=tuple(float(value) for value in np.quantile(lengths, QUANTILES)),
        script=main,
        script_share=letters / max(1, scripts.total()),
        distinct=distinct,
        length_limit=_length_limit(lengths),
    )


def _length_limit(lengths: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> float:
    """Return Tukey's outer fence of the logarithms, though never less than four times the median.

    References:
        Tukey, "Exploratory Data Analysis", 1977, section 2D.
    """
    if len(lengths) < LEAST_TO_LEARN:
        return math.inf
    low, median, high = np.quantile(np.log(lengths), (0.25, 0.5, 0.75))
    return math.ceil(math.exp(max(high + 3 * (high - low), median + math.log(4))))


def _length_ratio(pairs: Sequence[SentencePair]) -> LengthRatio:
    english, translation = (np.array([len(pair[side]) for pair in pairs]) for side in (0, 1))
    c = float(np.median(translation / english))
    s = 1.4826 * float(np.median(np.abs(translation - c * english) / np.sqrt(english)))
    return LengthRatio(c, s if len(pairs) >= LEAST_TO_LEARN else 0.0)
