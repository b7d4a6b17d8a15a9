"""Which sentence pairs are worth training on, and why the others are not."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kivuko.data.flaws import CleaningOptions, Flaw, Reason, flaw_of, template, wrong_language, wrong_length
from kivuko.data.identification import LEAST_TO_LEARN, SideModels
from kivuko.data.leakage import JudgedTexts
from kivuko.data.near import Bands
from kivuko.data.pairs import SentencePair
from kivuko.data.profile import Profile, survey
from kivuko.data.readers import Record
from kivuko.data.runs import Placed, place
from kivuko.data.samples import PairSample, key_digests
from kivuko.data.seen import KeyCounter, text_digests
from kivuko.data.shingles import text_key
from kivuko.data.tidying import tidy
from kivuko.data.trigrams import trigrams

_MOST_TO_TRAIN_ON = 20_000
_BATCH = 32_768  # records that are judged together
_TOGETHER = 4_096  # of which the trigrams are in memory together


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

    The models of the languages do not depend on the order of the text.

    Raises:
        DataError: If there is no pair.
    """
    chosen = PairSample(_MOST_TO_TRAIN_ON)
    learned, drawn = survey(_tidied(records, chosen), distinct=False)
    sample = drawn if learned.pairs <= _MOST_TO_TRAIN_ON else chosen.pairs()
    return Learned(learned, SideModels(sample) if len(sample) >= LEAST_TO_LEARN else None)


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

    Raises:
        DataError: If there is no space for what was seen before.
    """
    tidied = ((each, SentencePair(tidy(each.english, steps), tidy(each.translation, steps))) for each in records)
    placed = place(tidied, learned.profile.ratio)
    with KeyCounter() as pairs, KeyCounter() as bands, KeyCounter() as templates:
        near = Bands(threshold=options.near) if options.near is not None else None
        while batch := list(islice(placed, _BATCH)):
            flaws = _Flaws(batch, learned.profile)
            signatures = _look_at_trigrams(flaws, learned.sides, near, options)
            flaws.look(lambda each: wrong_length(each.pair, learned.profile, options.deviations) or _elsewhere(each))
            if judged:
                flaws.look(lambda each: _test_item(each.pair, judged))
            left = flaws.left()
            digests = key_digests([flaws.keys[i] for i in left])
            flaws.reject(left, pairs.add(digests), Flaw(Reason.DUPLICATE))
            if signatures is not None:
                left = flaws.left()
                # Every band is counted, also that of a pair of which another one is known.
                is_new = bands.add(signatures[left].ravel()).reshape(len(left), signatures.shape[1])
                flaws.reject(left, np.logical_and.reduce(is_new, axis=1), Flaw(Reason.NEAR_DUPLICATE))
            if options.repeats is not None:
                _look_for_boilerplate(flaws, templates, options.repeats)
            for each, flaw in zip(batch, flaws.found, strict=True):
                yield Verdict(each.record, each.pair, *(flaw or (None, "")))


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


def _tidied(records: Iterable[Record], chosen: PairSample) -> Iterator[Record]:
    """Yield the records tidied, and show the pairs among them to a sample."""
    for record in records:
        pair = SentencePair(tidy(record.english), tidy(record.translation))
        if not record.flaw and all(pair):
            chosen.add(pair)
        yield record._replace(english=pair.english, translation=pair.translation)


class _Flaws:
    """What was found so far to be wrong with the records of a batch.

    Attributes:
        keys: What `text_key` makes of the sides of each record.
        found: The first flaw of each record, None while there is none.
    """

    def __init__(self, batch: Sequence[Placed], usual: Profile) -> None:
        self._batch = batch
        self.keys = [(text_key(each.pair.english), text_key(each.pair.translation)) for each in batch]
        self.found = [flaw_of(each.record, each.pair, keys, usual) for each, keys in zip(batch, self.keys, strict=True)]

    def left(self) -> list[int]:
        """Return the places of the records without a flaw."""
        return [i for i, flaw in enumerate(self.found) if flaw is None]

    def look(self, at: Callable[[Placed], Flaw | None]) -> None:
        """Look at each record that is left."""
        for i in self.left():
            self.found[i] = at(self._batch[i])

    def reject(self, places: Sequence[int], is_good: NDArray[np.bool_], flaw: Flaw) -> None:
        """Note a flaw of each of some records that is not good."""
        for i, good in zip(places, is_good.tolist(), strict=True):
            if not good:
                self.found[i] = flaw


def _look_at_trigrams(
    flaws: _Flaws, sides: SideModels | None, near: Bands | None, options: CleaningOptions
) -> NDArray[np.uint64] | None:
    """Look for wrong languages, and return the keys of the bands of all records, for near duplicates."""
    signatures = None if near is None else np.zeros((len(flaws.found), near.count), np.uint64)
    left = flaws.left()
    for start in range(0, len(left), _TOGETHER):
        places = left[start : start + _TOGETHER]
        both = [trigrams([flaws.keys[i][side] for i in places]) for side in (0, 1)]
        if sides is not None:
            scores = sides.score(*both, digests=key_digests([flaws.keys[i] for i in places]))
            for i, each in zip(places, scores, strict=True):
                flaws.found[i] = wrong_language(each, options.deviations)
        if near is not None and signatures is not None:
            signatures[places] = near.keys(*both)
    return signatures


def _elsewhere(placed: Placed) -> Flaw | None:
    if not placed.offset:
        return None
    return Flaw(Reason.MISALIGNED, f"the translation is that of record {placed.offset:+d}")


def _test_item(pair: SentencePair, judged: Sequence[JudgedTexts]) -> Flaw | None:
    is_known = any(collection.match(side).found for collection in judged for side in pair)
    return Flaw(Reason.TEST_ITEM) if is_known else None


def _look_for_boilerplate(flaws: _Flaws, templates: KeyCounter, repeats: int) -> None:
    left = flaws.left()
    names = [f"{side}\0{template(flaws.keys[i][place])}" for i in left for place, side in enumerate(("en", "tr"))]
    counts = templates.count(text_digests(names)).reshape(-1, 2)
    for i, (english, translation) in zip(left, counts.tolist(), strict=True):
        if max(english, translation) > repeats:
            side = "English" if english > repeats else "translation"
            flaws.found[i] = Flaw(Reason.BOILERPLATE, f"the {side} came {repeats} times")
