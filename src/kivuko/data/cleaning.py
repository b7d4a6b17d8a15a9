"""Which sentence pairs are worth training on, and why the others are not."""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

import regex

from kivuko.data.bitext import SentencePair
from kivuko.data.identification import LEAST_TO_LEARN, SideModels
from kivuko.data.leakage import JudgedTexts
from kivuko.data.profile import Profile, SideProfile, count_scripts, script_runs, survey
from kivuko.data.readers import Record
from kivuko.data.runs import place
from kivuko.data.seen import NearSeen, Seen
from kivuko.data.shingles import text_key
from kivuko.data.tidying import placeholders, tidy, without_placeholders

_LETTER = regex.compile(r"\p{L}")
_DIGITS = regex.compile(r"\p{Nd}+")
# A text that is a thousand times as likely on the other side.
_OTHER_SIDE = -math.log(1000)
_MOST_TO_TRAIN_ON = 20_000


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


class Learned(NamedTuple):
    """What is usual in the text.

    Attributes:
        profile: Its lengths and scripts.
        sides: Models of the languages of its sides; None if there was too little to learn from.
    """

    profile: Profile
    sides: SideModels | None


class Verdict(NamedTuple):
    """What becomes of a record.

    Attributes:
        record: What was read.
        pair: Its sides, tidied.
        reason: Why it is rejected; None if it is kept.
        detail: What precisely was found.
    """

    record: Record
    pair: SentencePair
    reason: Reason | None
    detail: str = ""


class CleaningReport(NamedTuple):
    """What cleaning did.

    Attributes:
        profile: What the text was like, from which the limits were learned.
        kept: How many pairs were kept.
        tidied: How many of them had anything to tidy beyond white space.
        steps: How many sides each step of tidying changed, of all that was read.
        rejected: How many were rejected, by reason.
        examples: The first rejected pair of each reason.
    """

    profile: Profile
    kept: int
    tidied: int
    steps: Counter[str]
    rejected: Counter[Reason]
    examples: dict[Reason, Verdict]


def learn(records: Iterable[Record]) -> Learned:
    """Read the text once and learn what is usual in it, when it is tidied.

    Raises:
        DataError: If there is no pair.
    """
    learned, sample = survey(records, tidy=tidy, distinct=False)
    sample = sample[:_MOST_TO_TRAIN_ON]
    has_enough = len(sample) >= LEAST_TO_LEARN
    return Learned(learned, SideModels(sample, is_all=learned.pairs == len(sample)) if has_enough else None)


def judge(
    records: Iterable[Record],
    learned: Learned,
    *,
    options: CleaningOptions = CleaningOptions(),  # noqa: B008  # frozen
    judged: Sequence[JudgedTexts] = (),
    steps: Counter[str] | None = None,
) -> Iterator[Verdict]:
    """Decide on each record, in order; the first of several equal pairs is kept.

    Args:
        records: The text.
        learned: What is usual in it, from `learn`.
        options: What to be strict about.
        judged: Collections whose test items are to be rejected, by either side.
        steps: Where to count the steps of tidying.
    """
    tidied = ((each, SentencePair(tidy(each.english, steps), tidy(each.translation, steps))) for each in records)
    with Seen() as seen:
        near = NearSeen(seen, threshold=options.near) if options.near is not None else None
        for record, pair, offset in place(tidied, learned.profile.ratio):
            found = _flaw(record, pair, learned, options)
            if not found and offset:
                found = (Reason.MISALIGNED, f"the translation is that of record {offset:+d}")
            if not found and any(collection.match(side).found for collection in judged for side in pair):
                found = (Reason.TEST_ITEM, "")
            if not found and not seen.add(b"pair", *(text_key(side).encode() for side in pair)):
                found = (Reason.DUPLICATE, "")
            if not found and near is not None and not near.add(pair):
                found = (Reason.NEAR_DUPLICATE, "")
            if not found and options.repeats is not None:
                found = _boilerplate(pair, seen, options.repeats)
            yield Verdict(record, pair, *(found or (None, "")))


def clean(
    records: Iterable[Record],
    directory: Path,
    *,
    options: CleaningOptions = CleaningOptions(),  # noqa: B008  # frozen
    judged: Sequence[JudgedTexts] = (),
) -> CleaningReport:
    """Write `kept.tsv` (English, translation) and `rejected.tsv` (place, reason, detail, English, translation).

    Args:
        records: The text; read twice, so it must be possible to iterate over it again.
        directory: An empty folder.
        options: What to be strict about.
        judged: Collections whose test items are to be rejected.

    Raises:
        DataError: If there is no pair.
    """
    learned = learn(records)
    rejected: Counter[Reason] = Counter()
    steps: Counter[str] = Counter()
    examples: dict[Reason, Verdict] = {}
    kept = tidied = 0
    with (
        (directory / "kept.tsv").open("w", encoding="utf-8", newline="") as kept_file,
        (directory / "rejected.tsv").open("w", encoding="utf-8", newline="") as rejected_file,
    ):
        keep, reject = (
            csv.writer(file, delimiter="\t", lineterminator="\n", quoting=csv.QUOTE_NONE, quotechar=None)
            for file in (kept_file, rejected_file)
        )
        for verdict in judge(records, learned, options=options, judged=judged, steps=steps):
            record, pair, reason, detail = verdict
            if reason is None:
                keep.writerow(pair)
                kept += 1
                tidied += pair != (" ".join(record.english.split()), " ".join(record.translation.split()))
                continue
            rejected[reason] += 1
            examples.setdefault(reason, verdict)
            texts = (" ".join(text.split()) for text in (record.english, record.translation))
            reject.writerow([record.place, reason, detail, *texts])
    return CleaningReport(learned.profile, kept, tidied, steps, rejected, examples)


def _flaw(  # noqa: PLR0911  # one for each reason
    record: Record, pair: SentencePair, learned: Learned, options: CleaningOptions
) -> tuple[Reason, str] | None:
    usual_sides = learned.profile.english, learned.profile.translation
    if record.flaw:
        return Reason.UNREADABLE, record.flaw
    if not all(pair):
        return Reason.EMPTY_SIDE, ""
    if not all(_LETTER.search(without_placeholders(side)) for side in pair):
        return Reason.NO_LETTERS, ""
    if text_key(pair.english) == text_key(pair.translation):
        return Reason.COPY, ""
    filled = [placeholders(side) for side in pair]
    if filled[0] != filled[1]:
        return Reason.PLACEHOLDERS, f"{' '.join(filled[0])} / {' '.join(filled[1])}"
    if wrong := _wrong_script(pair, usual_sides) or _wrong_language(pair, learned.sides, options.deviations):
        return wrong
    for text, usual in zip(pair, usual_sides, strict=True):
        if len(text) > usual.length_limit:
            return Reason.TOO_LONG, f"{len(text)} characters, expected at most {usual.length_limit:.0f}"
    deviations = learned.profile.ratio.deviations(len(pair.english), len(pair.translation))
    if abs(deviations) > options.deviations:
        return Reason.LENGTH_RATIO, f"{deviations:+.1f} deviations"
    return None


def _wrong_script(pair: SentencePair, usual_sides: Sequence[SideProfile]) -> tuple[Reason, str] | None:
    for text, usual, other in zip(pair, usual_sides, reversed(pair), strict=True):
        scripts = count_scripts(text)
        if 2 * scripts[usual.script] >= scripts.total():
            continue
        # Names that stand in the other side too are excused, up to three quarters of the letters.
        named = sum(
            len(run) for code, run in script_runs(text) if code != usual.script and run.casefold() in other.casefold()
        )
        if 4 * scripts[usual.script] < scripts.total() or 2 * scripts[usual.script] < scripts.total() - named:
            return Reason.WRONG_SCRIPT, f"{scripts.most_common(1)[0][0]}, expected {usual.script}"
    return None


def _wrong_language(pair: SentencePair, models: SideModels | None, limit: float) -> tuple[Reason, str] | None:
    if models is None:
        return None
    for side, (name, text) in enumerate(zip(("English", "translation"), pair, strict=True)):
        scores = models.score(text, side)
        if scores.odds < _OTHER_SIDE:
            return Reason.WRONG_LANGUAGE, f"the {name} is as the other side"
        if scores.deviations < -limit:
            return Reason.WRONG_LANGUAGE, f"the {name} is {scores.deviations:+.1f} deviations from its side"
    return None


def _boilerplate(pair: SentencePair, seen: Seen, repeats: int) -> tuple[Reason, str] | None:
    templates = (_DIGITS.sub("0", text_key(side)).encode() for side in pair)
    counts = [seen.count(name, template) for name, template in zip((b"en", b"tr"), templates, strict=True)]
    if max(counts) <= repeats:
        return None
    return Reason.BOILERPLATE, f"the {'English' if counts[0] > repeats else 'translation'} came {repeats} times"
