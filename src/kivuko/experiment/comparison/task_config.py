"""What a language is tested on, as a comparison is told it."""

from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from kivuko.config import Frozen
from kivuko.errors import ConfigError
from kivuko.evaluation.measures import parse_measures, required_depth
from kivuko.evaluation.tasks import outline

# A name is a folder and a column of tables.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,40}$")]


class TaskConfig(Frozen):
    """A collection, or a task by name, that a language is tested on.

    Attributes:
        name: The same for all languages that are to be compared on it, for example `afriqa`.
        collection: BEIR folder: queries in the language, documents in English.
        task: In its place, what `kivuko evaluate --task` knows: `tatoeba:sw`, `lareqa`, `ciral:sw`.
        data: The data directory of a named task; `$KIVUKO_DATA` by default.
        split: Which judgments; of a named task by default its customary ones.
        translations: BEIR folder with queries of the same ids in English, by hand: for `translated`, the ceiling. Of a
            named task they are read where it has questions in the language and English documents.
        measures: What is measured, as ir_measures writes it; the first is tested for significance. Of a named task by
            default its customary ones.
        same_queries: Whether a query id is the same question in every language, as in a translated test set.
        allow_incomplete: Test on a named task whose sizes differ from the published ones.
    """

    name: Name
    collection: Path | None = None
    task: str | None = None
    data: Path | None = None
    split: str = "test"
    translations: Path | None = None
    measures: str = "RR@10 nDCG@10 R@100"
    same_queries: bool = False
    allow_incomplete: bool = False

    @property
    def place(self) -> str:
        """Where its documents and queries come from."""
        return self.task or str(self.collection)

    @property
    def depth(self) -> int:
        """How many documents a run keeps: a hundred at least, so that runs can be fused and looked at."""
        return max(100, required_depth(parse_measures(self.measures)))

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages of a named task; none where nothing says."""
        return outline(self.task).languages if self.task else ()

    @model_validator(mode="before")
    @classmethod
    def _customary(cls, values: Any) -> Any:
        """Fill in what is customary for a named task."""
        if not isinstance(values, dict) or not isinstance(values.get("task"), str):
            return values
        try:
            told = outline(values["task"])
        except ConfigError as error:
            raise ValueError(str(error)) from error
        return {"split": told.split, "measures": told.measures} | values

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        parse_measures(self.measures)
        if (self.collection is None) == (self.task is None):
            raise ValueError(
                f"task {self.name} needs a `collection` (BEIR folder) or a `task` (what `kivuko evaluate --task` "
                "knows), and not both"
            )
        if self.task is None and (self.data or self.allow_incomplete):
            raise ValueError(f"task {self.name} has data or allow_incomplete, which only a named `task` reads")
        return self
