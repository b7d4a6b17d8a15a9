"""Training pairs that hold what a collection tests."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from kivuko.data.bitext import Bitext, SentencePair
from kivuko.data.collections import Collection
from kivuko.data.containment import ContainmentIndex
from kivuko.data.shingles import NearIndex, shingles, text_key, words_key
from kivuko.errors import DataError

NEAR = 0.8


class Overlap(NamedTuple):
    """How many of some things were found; each counts once, as the best that was found of it.

    Attributes:
        exact: As the same text up to case, white space, invisible characters and Unicode form.
        near: Only as nearly the same.
        total: How many there are.
        same: Not exactly, but with the same letters and digits: all that differs is punctuation, spacing and
            marks that may be left out (`words_key`).
        within: None of these, but word for word within a longer text, or in a piece of at least six words.
    """

    exact: int
    near: int
    total: int
    same: int = 0
    within: int = 0

    @property
    def found(self) -> int:
        """All that were found whole: exact, same and near together."""
        return self.exact + self.same + self.near

    @property
    def certain(self) -> int:
        """Exact and same together: what a run is refused for."""
        return self.exact + self.same


class Leaks(NamedTuple):
    """What training pairs and a test collection have in common.

    A judged pair is a query and a document judged relevant to it. It leaks whole if one training pair has its query on
    one side and its document on the other; it leaks by either side if its query or its document is found at all.

    Attributes:
        queries: Of the judged queries, those that are a side of a training pair.
        documents: Of the relevant documents, likewise.
        whole: Of the judged pairs, those that are a training pair.
        either: Of the judged pairs, those whose query or document is a side of a training pair.
        training: Of the training pairs, those with a judged query or relevant document on a side.
        english: Of the training pairs, those that have it on the English side.
        translation: Of the training pairs, those that have it on the other side.
    """

    queries: Overlap
    documents: Overlap
    whole: Overlap
    either: Overlap
    training: Overlap
    english: Overlap
    translation: Overlap

    @property
    def is_clean(self) -> bool:
        """Whether no training pair has anything of the collection, not even nearly or within a longer text."""
        return self.training.found + self.training.within == 0

    def record(self) -> dict[str, dict[str, int]]:
        """Return the counts as JSON has them."""
        return {name: overlap._asdict() for name, overlap in self._asdict().items()}

    def summary(self) -> str:
        """Say in one sentence how many of what leak.

        Example:
            >>> none = Overlap(0, 0, 4)
            >>> Leaks(none, none, none, Overlap(2, 1, 4), Overlap(5, 1, 900), none, none).summary()
            '3 of 4 judged pairs leak by either side (2 exactly), 0 of 4 whole (0 exactly); 6 of 900 training pairs have a part in it'
        """  # noqa: E501
        either, whole, training = (
            f"{each.found:,} of {each.total:,}" for each in (self.either, self.whole, self.training)
        )
        within = (
            f"; {self.either.within:,} more judged pairs stand within longer texts or in pieces, "
            f"with {self.training.within:,} more training pairs"
        )
        return (
            f"{either} judged pairs leak by either side ({_how(self.either)}), {whole} whole ({_how(self.whole)}); "
            f"{training} training pairs have a part in it{within if self.training.within else ''}"
        )


class SideMatch(NamedTuple):
    """What one side of a training pair is among judged texts: numbers of texts, each in the first set it belongs to."""

    exact: frozenset[int]
    same: frozenset[int]
    near: frozenset[int]
    within: frozenset[int]

    @property
    def found(self) -> frozenset[int]:
        """All of them."""
        return self.exact.union(*self[1:])


class JudgedTexts:
    """The queries of a collection and the documents relevant to them, to be looked up by text.

    The corpus is read once; only relevant documents are kept in memory.

    Args:
        collection: The collection; only what its judgments call relevant is a test item.
        near: The Jaccard similarity of letter trigrams from which two texts are nearly the same; 1 asks for the same
            letters and digits, with punctuation aside.

    Raises:
        DataError: If no judged query has a relevant document in the corpus.
    """

    def __init__(self, collection: Collection, *, near: float = NEAR) -> None:
        queries = {query.query_id: query.text for query in collection.queries}
        relevant = [qrel for qrel in collection.qrels if qrel.relevance > 0 and qrel.query_id in queries]
        wanted = {qrel.doc_id for qrel in relevant}
        documents = {each.doc_id: {each.content, each.text} for each in collection.corpus if each.doc_id in wanted}
        self.judged = [(qrel.query_id, qrel.doc_id) for qrel in relevant if qrel.doc_id in documents]
        if not self.judged:
            raise DataError("The judgments call no document of the corpus relevant to a query of the collection.")
        numbers: dict[str, int] = {}
        self.queries: dict[str, frozenset[int]] = {}
        self.documents: dict[str, frozenset[int]] = {}
        for query_id, doc_id in self.judged:
            self.queries[query_id] = _numbered([queries[query_id]], numbers)
            self.documents[doc_id] = _numbered(documents[doc_id], numbers)
        self._numbers = numbers
        words = [words_key(key) for key in numbers]
        self._same: dict[str, set[int]] = defaultdict(set)
        for each, text in enumerate(words):
            self._same[_letters(text)].add(each)
        self._near = NearIndex([shingles(text) for text in words], threshold=near)
        self._containment = ContainmentIndex(words)
        # The numbers of the texts that a text is judged together with.
        self.partners: dict[int, set[int]] = defaultdict(set)
        for query_id, doc_id in self.judged:
            for query in self.queries[query_id]:
                for document in self.documents[doc_id]:
                    self.partners[query].add(document)
                    self.partners[document].add(query)

    def match(self, text: str) -> SideMatch:
        """Look a text up."""
        key = text_key(text)
        number = self._numbers.get(key)
        exact = frozenset(() if number is None else (number,))
        words = words_key(key)
        same = frozenset(self._same.get(_letters(words), ()) if words else ()) - exact
        near = frozenset(near.text for near in self._near.near(shingles(words))) - exact - same
        return SideMatch(exact, same, near, self._containment.related(words) - exact - same - near)


class LeakCounter:
    """Counts what the training pairs it is shown share with a collection.

    Args:
        judged: The texts of the collection.
    """

    def __init__(self, judged: JudgedTexts) -> None:
        self._judged = judged
        self._pairs = 0
        # By how well they were found, from exactly on: texts and pairs of texts, each with what was found better.
        self._texts: list[set[int]] = [set() for _ in SideMatch._fields]
        self._whole: list[set[tuple[int, int]]] = [set() for _ in SideMatch._fields]
        self._sides: dict[str, list[int]] = defaultdict(lambda: [0 for _ in SideMatch._fields])

    def add(self, pair: SentencePair) -> bool:
        """Look at a training pair, and say whether it holds a test item, exactly, nearly or otherwise."""
        self._pairs += 1
        english, translation = self._judged.match(pair.english), self._judged.match(pair.translation)
        if not (english.found or translation.found):
            return False
        sides = {"english": [english], "translation": [translation], "training": [english, translation]}
        for name, matches in sides.items():
            for grade, texts in enumerate(zip(*matches, strict=True)):
                if any(texts):
                    self._sides[name][grade] += 1
                    break
        ones: frozenset[int] = frozenset()
        others: frozenset[int] = frozenset()
        for grade, (one, other) in enumerate(zip(english, translation, strict=True)):
            ones, others = ones | one, others | other
            self._texts[grade] |= ones | others
            self._whole[grade].update((e, t) for e in ones for t in self._judged.partners[e] & others)
        return True

    def leaks(self) -> Leaks:
        """Return what was found so far."""
        judged = self._judged
        queries, documents = judged.queries, judged.documents
        items = [queries[query_id] | documents[doc_id] for query_id, doc_id in judged.judged]
        whole = [
            sum(any((q, d) in there or (d, q) in there for q in queries[query] for d in documents[document])
                for query, document in judged.judged)
            for there in self._whole
        ]  # fmt: skip
        return Leaks(
            queries=self._overlap(queries.values()),
            documents=self._overlap(documents.values()),
            whole=_each_once(whole, len(judged.judged)),
            either=self._overlap(items),
            training=self._side("training"),
            english=self._side("english"),
            translation=self._side("translation"),
        )

    def _overlap(self, things: Iterable[frozenset[int]]) -> Overlap:
        things = list(things)
        counts = [sum(not texts.isdisjoint(numbers) for numbers in things) for texts in self._texts]
        return _each_once(counts, len(things))

    def _side(self, name: str) -> Overlap:
        return _overlap(self._sides[name], self._pairs)


def count_leaks(pairs: Iterable[SentencePair], judged: Sequence[JudgedTexts]) -> list[Leaks]:
    """Compare training pairs, read once and one at a time, with collections."""
    counters = [LeakCounter(each) for each in judged]
    for pair in pairs:
        for counter in counters:
            counter.add(pair)
    return [counter.leaks() for counter in counters]


def find_leaks(bitexts: Iterable[Bitext], collection: Collection, *, near: float = NEAR) -> Leaks:
    """Compare bitext that was read whole with a collection.

    Args:
        bitexts: What is to be trained on, counted together.
        collection: What is to be tested on.
        near: The Jaccard similarity of letter trigrams from which two texts are nearly the same.

    Raises:
        DataError: If the collection judges nothing relevant.
    """
    (leaks,) = count_leaks((pair for bitext in bitexts for pair in bitext.pairs), [JudgedTexts(collection, near=near)])
    return leaks


def remove_leaks(bitexts: Iterable[Bitext], judged: JudgedTexts) -> tuple[list[Bitext], Leaks]:
    """Return bitext without the training pairs that hold a test item, however it was found, and what leaked before.

    Args:
        bitexts: What is to be trained on.
        judged: The texts of what is to be tested on.
    """
    counter = LeakCounter(judged)
    kept = [bitext._replace(pairs=[pair for pair in bitext.pairs if not counter.add(pair)]) for bitext in bitexts]
    return kept, counter.leaks()


def _numbered(texts: Iterable[str], numbers: dict[str, int]) -> frozenset[int]:
    keys = (text_key(text) for text in texts)
    return frozenset(numbers.setdefault(key, len(numbers)) for key in sorted(keys) if key)


def _letters(words: str) -> str:
    return words.replace(" ", "")


def _overlap(counts: Sequence[int], total: int) -> Overlap:
    return Overlap(total=total, **dict(zip(SideMatch._fields, counts, strict=True)))


def _each_once(counts: Sequence[int], total: int) -> Overlap:
    """Return what was found, from counts that have what was found better in them, too."""
    return _overlap([count - before for before, count in pairwise([0, *counts])], total)


def _how(overlap: Overlap) -> str:
    same = f", {overlap.same:,} with the same letters and digits" if overlap.same else ""
    return f"{overlap.exact:,} exactly{same}"
