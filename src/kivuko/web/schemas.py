"""What goes in and comes out, as the OpenAPI schema describes it."""

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    StrictStr,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)
from pydantic_core import PydanticCustomError

from kivuko.search.filters import FieldKind
from kivuko.search.hybrid import RankerName

MAX_QUERY = 1_000  # characters
MAX_SENTENCE = 1_000  # characters
MAX_SENTENCE_WORDS = 128
MAX_TOP_K = 100
MAX_BATCH = 32
MAX_FILTERS = 16
MAX_BODY = 512 * 1_024  # bytes: a full batch, every character escaped
MAX_ANSWER = 8_000_000  # bytes of the texts of an answer, unless the service is told otherwise

_SOME_TEXT = r"\S"

QueryText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_QUERY,
        pattern=_SOME_TEXT,
        description="The question, in the language of `language`.",
    ),
]
LanguageCode = Annotated[
    str, Field(min_length=1, max_length=16, description="ISO 639 code of the query's language.", examples=["sw"])
]
CollectionName = Annotated[
    str, Field(min_length=1, max_length=64, description="Name of a collection.", examples=["news"])
]
DocumentId = Annotated[str, Field(min_length=1, max_length=512, description="Id of a document.")]
Ranker = Annotated[
    RankerName,
    Field(
        description="What documents are ranked by: `maxsim`, the meaning of the words; `bm25`, the words themselves; "
        "`psq`, the words through translations; `rrf` and `weighted`, fusions of `maxsim` with `psq`, or with `bm25` "
        "where there are no translations."
    ),
]
TopK = Annotated[int, Field(ge=1, le=MAX_TOP_K, strict=True, description="How many documents to return, at most.")]


def _one_of_these(value: Any, validate: ValidatorFunctionWrapHandler) -> Any:
    """Say in one sentence what a value should have been, not in one for each kind of value."""
    try:
        return validate(value)
    except ValidationError:
        raise PydanticCustomError(
            "value", "Expected a string of at most 1,000 characters, a finite number or a boolean"
        ) from None


FieldName = Annotated[str, Field(min_length=1, max_length=200)]
FiniteNumber = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Value = Annotated[
    Annotated[StrictStr, Field(max_length=1_000)] | StrictBool | StrictInt | FiniteNumber, WrapValidator(_one_of_these)
]
Where = Annotated[
    dict[FieldName, Value],
    Field(
        max_length=MAX_FILTERS,
        description="Values that documents must have, all of them, by field: `title`, `text`, `language` or a field of "
        "the collection's own. `/api/collections` lists what each collection can be filtered by.",
        examples=[{"language": "en", "year": 2024}],
    ),
]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SearchRequest(_Request):
    """A question to a collection."""

    query: QueryText = Field(examples=["Mto mrefu zaidi Afrika ni upi?"])
    language: LanguageCode
    collection: CollectionName
    top_k: TopK = 10
    ranker: Ranker = RankerName.MAXSIM
    where: Where = {}


class BatchRequest(_Request):
    """Several questions of one language to a collection; they are encoded together."""

    queries: Annotated[
        list[QueryText], Field(min_length=1, max_length=MAX_BATCH, description="The questions, all of one language.")
    ]
    language: LanguageCode
    collection: CollectionName
    top_k: TopK = 10
    ranker: Ranker = RankerName.MAXSIM
    where: Where = {}


class ExplainRequest(_Request):
    """A question and a document that was found for it."""

    query: QueryText = Field(examples=["Mto mrefu zaidi Afrika ni upi?"])
    language: LanguageCode
    collection: CollectionName
    doc_id: DocumentId


SentenceText = Annotated[str, Field(min_length=1, max_length=MAX_SENTENCE, pattern=_SOME_TEXT)]


class AlignRequest(_Request):
    """An English sentence and its translation."""

    english: SentenceText = Field(
        description=f"An English sentence of at most {MAX_SENTENCE_WORDS} words.",
        examples=["The doctor sold us medicine."],
    )
    translation: SentenceText = Field(
        description="The same in the language of `language`.", examples=["Daktari alituuzia dawa."]
    )
    language: LanguageCode


class CollectionInfo(BaseModel):
    """A collection that can be searched."""

    name: str = Field(description="What requests call it.")
    documents: int = Field(description="How many documents it holds.")
    language: str | None = Field(description="ISO 639 code of its documents' language, if it is known.")
    model: str = Field(description="Name of the encoder of its documents.")
    rankers: dict[str, list[RankerName]] = Field(
        description="What its documents can be ranked by, for questions in each language."
    )
    fields: dict[str, list[FieldKind]] | None = Field(
        description="What its documents can be filtered by, and of which kinds the values are. Nothing for an index, "
        "which keeps no fields; null for a store that is too large to be looked through, where any field may be named."
    )


class LanguageInfo(BaseModel):
    """A language that queries can be asked in."""

    code: str = Field(description="ISO 639 code.")
    name: str = Field(description="What its speakers call it; the code where that is not known here.")
    direction: Literal["ltr", "rtl"] = Field(description="Which way it is written.")


class CollectionsAnswer(BaseModel):
    """What can be asked, and in which languages."""

    collections: list[CollectionInfo] = Field(description="What can be searched.")
    languages: list[LanguageInfo] = Field(description="What can be asked in.")


class FoundDocument(BaseModel):
    """A document that was found."""

    doc_id: str = Field(description="Its name in the collection, which never changes.")
    score: float = Field(
        description="The larger, the better; to be compared only within one answer. By `maxsim` the sum over the "
        "query's tokens of the largest similarity."
    )
    title: str = Field(description="Its title; empty where it has none.")
    text: str = Field(description="Its whole text.")
    language: str | None = Field(default=None, description="ISO 639 code of its language, if it is known.")
    fields: dict[str, str | bool | int | float] = Field(
        default={}, description="What else the collection keeps of it, to filter by."
    )


class SearchAnswer(BaseModel):
    """The documents with the largest scores, best first."""

    results: list[FoundDocument] = Field(description="The documents, best first.")
    milliseconds: float = Field(description="How long the service worked on it, without the time in the queue.")


class BatchAnswer(BaseModel):
    """The answer to each question, in their order."""

    results: list[list[FoundDocument]] = Field(description="The documents of each question, best first.")
    milliseconds: float = Field(description="How long the service worked on it, without the time in the queue.")


class Word(BaseModel):
    """A word and where it stands: from character `start` up to `end`, in Unicode code points from 0."""

    text: str = Field(description="The word as it is written.")
    start: int = Field(description="Its first character.")
    end: int = Field(description="One past its last character.")


class DocumentWord(Word):
    """A word of a document; it stands in its title or in its text."""

    field: Literal["title", "text"] = Field(description="Which of them it stands in.")


class Match(BaseModel):
    """A query word and a document word that it matched, as places in the lists of words."""

    query_word: int = Field(description="Place in `query_words`, from 0.")
    document_word: int = Field(description="Place in `document_words`, from 0.")
    score: float = Field(
        description="Mean over the pieces of the query word of the largest similarity with a piece of the document "
        "word."
    )


class Carried(BaseModel):
    """A query word and a document word that the transport plan joins, as places in the lists of words."""

    query_word: int = Field(description="Place in `query_words`, from 0.")
    document_word: int = Field(description="Place in `document_words`, from 0.")
    mass: float = Field(description="Mass that goes from one to the other, as a part of the query word's own.")


class ExplainAnswer(BaseModel):
    """Which words of a query matched which words of a document. Punctuation is no word here."""

    query_words: list[Word] = Field(description="The words of the query, in their order.")
    document_words: list[DocumentWord] = Field(description="The words of the document, those of the title first.")
    maxsim: list[Match] = Field(description="For every query word its best document words, best first.")
    plan: list[Carried] = Field(description="The larger entries of the transport plan between the words.")


class AlignAnswer(BaseModel):
    """Which words translate each other."""

    english_words: list[str] = Field(description="The words of the English sentence.")
    translation_words: list[str] = Field(description="The words of its translation.")
    plan: list[list[float]] = Field(
        description="Mass between words: a row for each word of the translation, a column for each English one. Each "
        "side starts with a mass of one, shared equally by its pieces; what finds no partner stays behind, so that the "
        "plan adds up to about one or less."
    )
    links: list[tuple[int, int]] = Field(description="Pairs (English word, word of the translation), from 0.")


class HealthAnswer(BaseModel):
    """What the service is."""

    ready: bool = Field(description="Whether it answers questions now.")
    version: str = Field(description="Version of kivuko.")
    models: dict[str, str] = Field(description="Encoder of the queries, by language.")
    collections: list[str] = Field(description="Names of what can be searched.")


class FieldProblem(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Its name, with dots within objects.")
    expected: str = Field(description="What it should have been.")


class ProblemReport(BaseModel):
    """Why a request was refused."""

    code: str = Field(description="One word for programs.", examples=["invalid"])
    message: str = Field(description="For people: what was expected and what came.")
    fields: list[FieldProblem] = Field(description="Which fields are at fault, where that can be said.")


class ErrorAnswer(BaseModel):
    """The shape of every error."""

    error: ProblemReport = Field(description="What went wrong.")
