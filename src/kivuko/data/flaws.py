"""What can be seen to be wrong with a sentence pair by itself, and the names of all that can be wrong."""

import math
import re
from collections.abc import Sequence
from enum import StrEnum
from typing import NamedTuple

import regex

from kivuko.data.identification import SideScores
from kivuko.data.pairs import SentencePair
from kivuko.data.profile import Profile, SideProfile, count_scripts, script_runs
from kivuko.data.readers import Record
from kivuko.data.tidying import placeholders, without_placeholders

_LETTER = regex.compile(r"\p{L}")
_DIGITS = regex.compile(r"\p{Nd}+")
_ASCII_DIGITS = re.compile("[0-9]+")
# A text that is a thousand times as likely on the other side.
_OTHER_SIDE = -math.log(1000)


class Reason(StrEnum):
    """Why a pair is rejected, in the order in which it is looked at."""

    UNREADABLE = "unreadable"
    EMPTY_SIDE = "empty side"
    NO_LETTERS = "no letters"
    COPY = "copy of the English"
    PLACEHOLDERS = "placeholders differ"
    WRONG_SCRIPT = "wrong script"
    WRONG_LANGUAGE = "wrong language"
    TOO_LONG = "too long"
    LENGTH_RATIO = "length ratio"
    MISALIGNED = "misaligned run"
    TEST_ITEM = "test item"
    DUPLICATE = "duplicate"
    NEAR_DUPLICATE = "near duplicate"
    BOILERPLATE = "boilerplate"


class CleaningOptions(NamedTuple):
    """What to be strict about.

    Attributes:
        deviations: How far from the usual length a translation may be, and how unlike its side a text, in robust
            standard deviations. Positive.
        near: From which Jaccard similarity of trigrams a pair nearly repeats another, above 0 and below 1; None keeps
            near duplicates.
        repeats: How many pairs with the same side, whatever its numbers, are kept; None keeps all.
    """

    deviations: float = 6.0
    near: float | None = 0.9
    repeats: int | None = 20


class Flaw(NamedTuple):
    """Why a pair is rejected.

    Attributes:
        reason: The reason.
        detail: What precisely was found.
    """

    reason: Reason
    detail: str = ""


def flaw_of(record: Record, pair: SentencePair, keys: Sequence[str], usual: Profile) -> Flaw | None:
    """Look at what a pair is made of: its sides, their placeholders and scripts.

    Args:
        record: What was read.
        pair: Its sides, tidied.
        keys: What `text_key` makes of them.
        usual: What is usual in the text.
    """
    if record.flaw:
        return Flaw(Reason.UNREADABLE, record.flaw)
    if not all(pair):
        return Flaw(Reason.EMPTY_SIDE)
    if not all(_LETTER.search(without_placeholders(side)) for side in pair):
        return Flaw(Reason.NO_LETTERS)
    if keys[0] == keys[1]:
        return Flaw(Reason.COPY)
    filled = [placeholders(side, other) for side, other in zip(pair, reversed(pair), strict=True)]
    if filled[0] != filled[1]:
        return Flaw(Reason.PLACEHOLDERS, f"{' '.join(filled[0])} / {' '.join(filled[1])}")
    return _wrong_script(pair, (usual.english, usual.translation))


def wrong_language(scores: Sequence[SideScores], limit: float) -> Flaw | None:
    """Look at how likely both sides are to be in their languages; `limit` is in standard deviations."""
    for name, found in zip(("English", "translation"), scores, strict=True):
        if found.odds < _OTHER_SIDE:
            return Flaw(Reason.WRONG_LANGUAGE, f"the {name} is as the other side")
        if found.deviations < -limit:
            return Flaw(Reason.WRONG_LANGUAGE, f"the {name} is {found.deviations:+.1f} deviations from its side")
    return None


def wrong_length(pair: SentencePair, usual: Profile, limit: float) -> Flaw | None:
    """Look at the lengths of both sides; `limit` is in standard deviations."""
    for text, side in zip(pair, (usual.english, usual.translation), strict=True):
        if len(text) > side.length_limit:
            return Flaw(Reason.TOO_LONG, f"{len(text)} characters, expected at most {side.length_limit:.0f}")
    deviations = usual.ratio.deviations(len(pair.english), len(pair.translation))
    return Flaw(Reason.LENGTH_RATIO, f"{deviations:+.1f} deviations") if abs(deviations) > limit else None


def template(key: str) -> str:
    """Return a text without its numbers, as boilerplate is counted.

    Example:
        >>> template("page 12 of 30")
        'page 0 of 0'
    """
    return _ASCII_DIGITS.sub("0", key) if key.isascii() else str(_DIGITS.sub("0", key))


def _wrong_script(pair: SentencePair, usual_sides: Sequence[SideProfile]) -> Flaw | None:
    for text, usual, other in zip(pair, usual_sides, reversed(pair), strict=True):
        if usual.script == "Latn" and text.isascii():
            continue
        scripts = count_scripts(text)
        if 2 * scripts[usual.script] >= scripts.total():
            continue
        # Names that stand in the other side too are excused, up to three quarters of the letters.
        named = sum(
            len(run) for code, run in script_runs(text) if code != usual.script and run.casefold() in other.casefold()
        )
        if 4 * scripts[usual.script] < scripts.total() or 2 * scripts[usual.script] < scripts.total() - named:
            return Flaw(Reason.WRONG_SCRIPT, f"{scripts.most_common(1)[0][0]}, expected {usual.script}")
    return None
