"""The words of an index, kept beside its embeddings: counted for BM25, and translated for structured queries."""

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from kivuko.data.bitext import SentencePair
from kivuko.data.collections import Document
from kivuko.errors import ConfigError, DataError
from kivuko.models.word_lexicon import WordLexicon, learn_word_lexicon, read_word_lexicon, write_word_lexicon
from kivuko.models.words import Analyzer
from kivuko.search.index import Index
from kivuko.search.lexical import LexicalIndex, build_lexical_index, load_lexical_index, save_lexical_index
from kivuko.search.psq import PSQSearcher
from kivuko.search.qdrant import is_address
from kivuko.search.staging import place_of
from kivuko.search.store import OpenStore

WORDS = "words"
ENGLISH = "en"

_TRANSLATIONS = re.compile(r"translations-([a-z]{2,3})-([a-z]{2,3})\.tsv")
_SNOWBALL = """
ar:arabic ca:catalan cs:czech da:danish de:german el:greek en:english eo:esperanto es:spanish et:estonian eu:basque
fa:persian fi:finnish fr:french ga:irish hi:hindi hu:hungarian hy:armenian id:indonesian it:italian lt:lithuanian
ne:nepali nl:dutch no:norwegian pl:polish pt:portuguese ro:romanian ru:russian sr:serbian st:sesotho sv:swedish
ta:tamil tr:turkish yi:yiddish
"""
_STEMMERS = dict(pair.split(":") for pair in _SNOWBALL.split())


def analyzer_for(language: str | None) -> Analyzer:
    """Return how texts of a language are cut into words: with its Snowball stemmer, where there is one.

    Example:
        >>> analyzer_for("en").stemmer, analyzer_for("sw").stemmer, analyzer_for(None).stemmer
        ('english', None, None)
    """
    return Analyzer(stemmer=_STEMMERS.get(language or ""))


def words_folder(location: str | Path, given: str | Path | None = None) -> Path:
    """Return where the words of an index are kept: in its directory, or where it was said.

    Raises:
        ConfigError: If the index is at an address, and nothing was said.
    """
    if given is not None:
        return Path(given)
    if is_address(location):
        raise ConfigError(
            f"{location} is a server, and the words of its passages are kept in a directory: name it by "
            "--lexical-index DIRECTORY."
        )
    return Path(location)


@dataclass(frozen=True, eq=False)
class Words:
    """Counted words of the passages of an index, and where their translations are.

    Attributes:
        folder: Where both are kept.
        lexical: The counted words.
    """

    folder: Path
    lexical: LexicalIndex

    @cached_property
    def directions(self) -> dict[str, str]:
        """The languages of queries for which there are translations, and the documents' language of each."""
        return _directions(self.folder)

    def psq(self, language: str | None, documents_in: str | None = None) -> PSQSearcher:
        """Return what ranks by structured queries in a language.

        Args:
            language: The queries' language; without one, that of the only translations.
            documents_in: The documents' language, if it is known.

        Raises:
            ConfigError: If there are no translations from that language into the documents', or it is not said which
                of several.
            DataError: If the translations are damaged.
        """
        known = self.directions
        fix = "make them with --lexical psq --bitext FILE --target LANGUAGE of `kivuko index`"
        if language is None:
            if len(known) != 1:
                there = f"there are those from {' and '.join(sorted(known))}: say which by --language" if known else fix
                raise ConfigError(
                    f"Structured queries in which language? Of the translations in {self.folder}, {there}."
                )
            [language] = known
        if language not in known:
            there = ", ".join(f"{query} to {document}" for query, document in sorted(known.items())) or "none"
            raise ConfigError(
                f"Structured queries need translations of words of {language}, and {self.folder} has {there}: {fix}."
            )
        if documents_in is not None and known[language] != documents_in:
            raise ConfigError(
                f"The translations in {self.folder} lead from {language} to {known[language]}, and the documents are "
                f"in {documents_in}: {fix}."
            )
        return PSQSearcher(self.lexical, read_word_lexicon(_path(self.folder, language, known[language])))


def build_words(index: Index | OpenStore, folder: Path, *, analyzer: Analyzer | None = None) -> Words:
    """Count the words of all passages of an index as it is now, and keep them; what was there is replaced.

    Args:
        index: An open index or store.
        folder: Where they are kept.
        analyzer: How texts are cut into words; by default as the language of the index demands.

    Raises:
        ConfigError: If another process is writing them.
        DataError: If there is no word, or nothing can be written.
    """
    contents = index.contents  # before the passages: what changes meanwhile is noticed
    built = build_lexical_index(_documents(index), analyzer=analyzer or analyzer_for(index.manifest.language))
    lexical = replace(built, manifest=built.manifest.model_copy(update={"contents": contents}))
    save_lexical_index(lexical, folder / WORDS)
    return Words(folder, lexical)


def renew_words(index: Index | OpenStore, folder: Path, *, changed: bool = True) -> Words | None:
    """Count the words anew, in the way they were, if there are any and the passages have changed since.

    Args:
        index: An open index or store.
        folder: Where they are kept.
        changed: Whether passages are known to have changed; a store need not notice it itself.

    Returns:
        The words; nothing if there were none, or nothing is left to count.
    """
    if not place_of(folder / WORDS).is_dir():
        return None
    former = load_lexical_index(folder / WORDS)
    if not changed and former.manifest.contents == index.contents:
        return Words(folder, former)
    if not len(index):
        shutil.rmtree(place_of(folder / WORDS))
        return None
    return build_words(index, folder, analyzer=former.manifest.analyzer)


def open_words(index: Index | OpenStore, folder: Path) -> Words:
    """Open the words of an index.

    Raises:
        DataError: If there are none, they are damaged, or of other passages than are there now.
    """
    again = f"`kivuko index --out {index.location} --lexical bm25` counts them"
    if not place_of(folder / WORDS).is_dir():
        raise DataError(f"The words of {index.location} are not counted, by which BM25 and fusions rank: {again}.")
    lexical = load_lexical_index(folder / WORDS)
    if lexical.manifest.contents != index.contents:
        raise DataError(
            f"The words in {folder / WORDS} are not those of the passages that {index.location} holds now, which has "
            f"changed since they were counted or is another one: {again} anew."
        )
    return Words(folder, lexical)


def learn_translations(
    pairs: Iterable[SentencePair], folder: Path, *, target: str, language: str | None, analyzer: Analyzer
) -> tuple[str, str]:
    """Learn from bitext how query words translate into words of the documents, and keep that beside the index.

    Where the documents are in the bitext's other language, the queries are English; otherwise the other way round.

    Args:
        pairs: Bitext.
        folder: Where the words of the index are kept.
        target: ISO 639 code of the bitext's language that is not English.
        language: The documents' language, if it is known; otherwise it is taken for English.
        analyzer: How the documents were cut into words.

    Returns:
        The languages of the queries and of the documents.

    Raises:
        ConfigError: If the documents are in a third language.
        DataError: If there is nothing to learn from, or the file cannot be written.
    """
    if language not in (None, ENGLISH, target):
        raise ConfigError(
            f"The documents are in {language}, and the bitext is of English and {target}: it knows none of their words."
        )
    english_documents = language != target
    query, document = (target, ENGLISH) if english_documents else (ENGLISH, target)
    sides = [
        (pair.translation, pair.english) if english_documents else (pair.english, pair.translation) for pair in pairs
    ]
    lexicon: WordLexicon = learn_word_lexicon(
        [side[0] for side in sides],
        [side[1] for side in sides],
        query_analyzer=analyzer_for(query),
        document_analyzer=analyzer,
    )
    write_word_lexicon(lexicon, _path(folder, query, document))
    return query, document


def _path(folder: Path, query: str, document: str) -> Path:
    return folder / f"translations-{query}-{document}.tsv"


def _directions(folder: Path) -> dict[str, str]:
    found = (_TRANSLATIONS.fullmatch(path.name) for path in sorted(folder.iterdir()))
    return dict(match.groups() for match in found if match)  # type: ignore[misc]


def _documents(index: Index | OpenStore) -> Iterator[Document]:
    if isinstance(index, Index):
        return (index.document(position) for position in range(len(index)))
    return (Document(*passage[:3]) for passage in index.passages())
