"""What a comparison is told: languages, systems, the trials that each system gets, seeds, measures."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from kivuko.config import (
    BitextSource,
    Frozen,
    Language,
    ObjectiveConfig,
    ObjectiveName,
    TrainingConfig,
    TransplantConfig,
)
from kivuko.experiment.comparison.task_config import Name, TaskConfig
from kivuko.experiment.comparison.trials import Trial, with_trial
from kivuko.search.fusion import Normalization


class Baseline(StrEnum):
    """Systems that are not trained here."""

    ZERO_SHOT = "zero-shot"
    UNTRAINED = "untrained"
    BM25 = "bm25"
    PSQ = "psq"
    TRANSLATED = "translated"
    TRANSLATED_BM25 = "translated-bm25"
    MT = "mt"
    MT_BM25 = "mt-bm25"


class ValidationTask(Frozen):
    """A collection on which trials are chosen; never one of those that are tested on.

    Attributes:
        collection: BEIR folder.
        split: Which judgments.
        measure: What is maximized.
    """

    collection: Path
    split: str = "dev"
    measure: str = "RR@10"

    @property
    def place(self) -> str:
        """Where its documents and queries come from."""
        return str(self.collection)


class TriplesConfig(Frozen):
    """Training queries that were translated into a language, with English passages: mMARCO's files, or some like them.

    Attributes:
        triples: Lines of query id, id of a relevant passage, id of one that is not.
        queries: Lines of id and query in the language.
        passages: Lines of id and English passage.
    """

    triples: Path
    queries: Path
    passages: Path


class LanguageConfig(Frozen):
    """A language, what is known of it, and what it is tested on.

    Attributes:
        code: ISO 639 code.
        bitext: Its sentence pairs.
        tasks: What it is tested on.
        validation: Where trials are chosen; by default on held-out sentence pairs.
        translated: Training queries that were translated into it, for systems with `translate_train`.
        mt_model: Directory or hub id of its translation model; the comparison's own by default.
        high_resource: Whether it counts as such in the language gap.
    """

    code: Language
    bitext: tuple[BitextSource, ...] = Field(min_length=1)
    tasks: tuple[TaskConfig, ...] = Field(min_length=1)
    validation: ValidationTask | None = None
    translated: TriplesConfig | None = None
    mt_model: str | None = None
    high_resource: bool = False

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        foreign = sorted({source.language for source in self.bitext} - {self.code})
        if foreign:
            raise ValueError(f"language {self.code} was given bitext in {', '.join(foreign)}")
        _unique("task", [task.name for task in self.tasks])
        return self

    @model_validator(mode="after")
    def _is_in_its_tasks(self) -> Self:
        for task in self.tasks:
            languages = task.languages
            if languages and self.code not in languages:
                raise ValueError(f"language {self.code} is tested on {task.task}, which is of {', '.join(languages)}")
        return self


class SystemConfig(Frozen):
    """A student with an objective.

    Attributes:
        name: How it is called in tables.
        objectives: The terms of its loss.
        student: Hub id or directory of a multilingual encoder that it starts from; the comparison's own by default.
        shuffled: Control: every English sentence gets the translation of another one.
        translate_train: Baseline: it learns not from sentence pairs but from as many translated training queries with
            English passages (`translated` of each language); its objective is `contrastive`.
        trials: What to try; the comparison's own by default.
    """

    name: Name
    objectives: tuple[ObjectiveConfig, ...] = Field(min_length=1)
    student: str | None = Field(default=None, min_length=1)
    shuffled: bool = False
    translate_train: bool = False
    trials: tuple[Trial, ...] | None = None

    @property
    def is_control(self) -> bool:
        """Whether it is there to show what an objective without sense does."""
        return self.shuffled or all(objective.name is ObjectiveName.DIAGONAL for objective in self.objectives)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        _unique(f"objective of {self.name}", [objective.name for objective in self.objectives])
        if self.translate_train and (
            self.shuffled or [objective.name for objective in self.objectives] != [ObjectiveName.CONTRASTIVE]
        ):
            raise ValueError(
                f"{self.name} has translate_train: its one objective is contrastive and its data are not shuffled, "
                "since a query and a passage are not translations of each other"
            )
        read = {option for objective in self.objectives for option in objective.options}
        for trial in self.trials or ():
            unread = trial.model_dump(exclude_none=True).keys() - {"learning_rate", "embedding_learning_rate"} - read
            if unread:
                raise ValueError(f"a trial of {self.name} sets {', '.join(sorted(unread))}, which it does not read")
        return self


class FusionConfig(Frozen):
    """Two or more systems whose rankings are fused: by reciprocal rank, or with weights by their scores.

    Attributes:
        name: How it is called.
        systems: Names of systems or baselines.
        weights: One for each: the sum of scores, normalized query by query; None fuses by reciprocal rank. Choose them
            on other questions than those that are tested on.
        normalization: How scores are made comparable, with weights: `min-max` or `z`.
    """

    name: Name
    systems: tuple[str, ...] = Field(min_length=2)
    weights: tuple[Annotated[float, Field(gt=0, le=1000)], ...] | None = None
    normalization: Normalization = Normalization.MIN_MAX

    @model_validator(mode="after")
    def _has_a_weight_for_each(self) -> Self:
        if self.weights is not None and len(self.weights) != len(self.systems):
            raise ValueError(f"fusion {self.name} has {len(self.systems)} systems and {len(self.weights)} weights")
        if self.weights is None and self.normalization is not Normalization.MIN_MAX:
            raise ValueError(f"fusion {self.name} has a normalization, which fusion by rank (no weights) does not read")
        return self


class TuningConfig(Frozen):
    """The same small budget of trials for every system.

    Attributes:
        trials: What every system tries that has no trials of its own.
        languages: Languages on which trials are chosen, by their mean; all of them by default. What is chosen there is
            used for every language.
        pairs: Sentence pairs seen in a trial; as many as in the comparison by default.
        seed: Seed of the trials.
    """

    trials: tuple[Trial, ...] = Field(default=(Trial(),), min_length=1)
    languages: tuple[Language, ...] = ()
    pairs: int | None = Field(default=None, ge=1)
    seed: int = Field(default=0, ge=0, lt=2**31)


class CompareConfig(Frozen):
    """Everything that a comparison is told.

    Attributes:
        teacher: Hub id or directory of the English teacher; it indexes all documents.
        student: Hub id or directory of a multilingual encoder that students start from, unless their system names
            another; None grows one for each language on the teacher.
        dimensions: Largest size of the token embeddings.
        languages: What to compare in.
        systems: What to compare.
        reference: The system or baseline that all others are tested against; the first system by default.
        also_test: Pairs of systems, the first tested against the second as well; p values are adjusted among them.
        baselines: What else stands in the table.
        fusions: Rankings fused from others.
        mt_model: Directory or hub id of the translation model of `mt` and `mt-bm25`, for languages without their own.
        seeds: One run of each system for each.
        pairs: Sentence pairs that a student sees; several make a learning curve, the largest is the comparison.
        curve_seeds: Seeds of the smaller ones; the first by default.
        held_out: Sentence pairs of each language kept for validation.
        equivalence_margin: In units of the measure: differences that small do not matter.
        confidence: Of intervals.
        allow_other_sizes: Compare students of different parameter counts.
        allow_leaks: Train on sentence pairs that have a test query or relevant document on a side.
        transplant: How students are grown.
        training: How they are trained; epochs follow from `pairs`.
        tuning: The trials.
    """

    teacher: str = Field(min_length=1)
    student: str | None = Field(default=None, min_length=1)
    dimensions: int | None = Field(default=128, ge=2, le=65_536)
    languages: tuple[LanguageConfig, ...] = Field(min_length=1)
    systems: tuple[SystemConfig, ...] = Field(min_length=1)
    reference: str | None = None
    also_test: tuple[tuple[str, str], ...] = ()
    baselines: tuple[Baseline, ...] = (Baseline.ZERO_SHOT, Baseline.UNTRAINED)
    fusions: tuple[FusionConfig, ...] = ()
    mt_model: str | None = None
    seeds: tuple[int, ...] = Field(default=(0, 1, 2), min_length=1)
    pairs: tuple[int, ...] = Field(min_length=1)
    curve_seeds: tuple[int, ...] | None = None
    held_out: int = Field(default=500, ge=0, le=100_000)
    equivalence_margin: float = Field(default=0.02, gt=0, lt=1)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    allow_other_sizes: bool = False
    allow_leaks: bool = False
    transplant: TransplantConfig = TransplantConfig()
    training: TrainingConfig = TrainingConfig()
    tuning: TuningConfig = TuningConfig()

    @property
    def most_pairs(self) -> int:
        """Sentence pairs of the comparison proper."""
        return max(self.pairs)

    @property
    def reference_name(self) -> str:
        """What all others are tested against."""
        return self.reference or self.systems[0].name

    def language(self, code: str) -> LanguageConfig:
        """Return the language of that code."""
        return next(language for language in self.languages if language.code == code)

    def system(self, name: str) -> SystemConfig:
        """Return the system of that name."""
        return next(system for system in self.systems if system.name == name)

    @property
    def starts(self) -> tuple[str | None, ...]:
        """The checkpoints that systems start from, each once; None is the comparison's own student."""
        untrained = (None,) if Baseline.UNTRAINED in self.baselines else ()
        return tuple(dict.fromkeys((*untrained, *(system.student for system in self.systems))))

    @property
    def grows(self) -> bool:
        """Whether a student is grown on the teacher for each language."""
        return self.student is None and None in self.starts

    def translation_model(self, code: str) -> str | None:
        """Return the translation model of a language."""
        return self.language(code).mt_model or self.mt_model

    def trials_of(self, system: SystemConfig) -> tuple[Trial, ...]:
        """Return what a system tries, leaving out what its objectives would not read."""
        if system.trials is not None:
            return system.trials
        read = {"learning_rate", "embedding_learning_rate"} | {o for term in system.objectives for o in term.options}
        return tuple(Trial(**trial.model_dump(include=read)) for trial in self.tuning.trials)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [system.name for system in self.systems] + [str(baseline) for baseline in self.baselines]
        names += [fusion.name for fusion in self.fusions]
        _unique("system", names)
        _unique("language", [language.code for language in self.languages])
        _unique("seed", self.seeds)
        if self.reference_name not in names:
            raise ValueError(f"reference {self.reference!r} is none of {', '.join(names)}")
        for fusion in self.fusions:
            unknown = sorted(set(fusion.systems) - set(names) | {fusion.name} & set(fusion.systems))
            if unknown:
                raise ValueError(f"fusion {fusion.name} names {', '.join(unknown)}; known are {', '.join(names)}")
        _unique("pair of also_test", [" and ".join(sorted(pair)) for pair in self.also_test])
        for pair in self.also_test:
            if unknown := sorted(set(pair) - set(names)):
                raise ValueError(f"also_test names {', '.join(unknown)}; known are {', '.join(names)}")
            if pair[0] == pair[1] or self.reference_name in pair:
                raise ValueError(
                    f"also_test has {pair[0]} against {pair[1]}; it takes two systems, neither of them the reference "
                    f"{self.reference_name}, against which all others are tested anyway"
                )
        untranslated = [language.code for language in self.languages if language.translated is None]
        for system in self.systems:
            if system.translate_train and untranslated:
                raise ValueError(
                    f"{system.name} has translate_train, which needs `translated` (triples, queries, passages) "
                    f"in every language; it is missing in {', '.join(untranslated)}"
                )
        without = [each.code for each in self.languages if self.translation_model(each.code) is None]
        if without and {Baseline.MT, Baseline.MT_BM25} & set(self.baselines):
            raise ValueError(f"the baselines mt and mt-bm25 need mt_model; {', '.join(without)} has none")
        if min(self.pairs) < self.training.batch_size:
            raise ValueError(f"pairs must be at least one batch of {self.training.batch_size}, got {min(self.pairs)}")
        return self

    @model_validator(mode="after")
    def _trials_fit_together(self) -> Self:
        for system in self.systems:
            trials = self.trials_of(system)
            if len({with_trial(self.training, system.objectives, trial) for trial in trials}) < len(trials):
                labels = "; ".join(trial.label() for trial in trials)
                raise ValueError(
                    f"trials of {system.name} come to the same: {labels}. A trial is one that changes what the system "
                    "reads; give it `trials` of its own, as many as the others have"
                )
        counts = {system.name: len(self.trials_of(system)) for system in self.systems}
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ValueError(f"every system needs the same number of trials, or the comparison is not fair; got {told}")
        foreign = sorted(set(self.tuning.languages) - {language.code for language in self.languages})
        if foreign:
            raise ValueError(f"trials are to be chosen on {', '.join(foreign)}, which is not among the languages")
        return self

    @model_validator(mode="after")
    def _tasks_fit_together(self) -> Self:
        tested: dict[tuple[Path, str], str] = {}
        measured: dict[str, tuple[str, str]] = {}
        for language in self.languages:
            for task in language.tasks:
                if task.collection:
                    tested[task.collection.resolve(), task.split] = language.code
                code, measures = measured.setdefault(task.name, (language.code, task.measures))
                if measures.split() != task.measures.split():
                    raise ValueError(
                        f"task {task.name} has the measures {measures} in {code} and {task.measures} in "
                        f"{language.code}; a task of one name is measured in one way, so give one of them another name"
                    )
        for language in self.languages:
            told = language.validation
            if told and (by := tested.get((told.collection.resolve(), told.split))):
                raise ValueError(
                    f"language {language.code} would choose its trials on a collection that {by} is tested on"
                )
        return self


def _unique(what: str, names: Any) -> None:
    twice = sorted({str(name) for name in names if list(names).count(name) > 1})
    if twice:
        raise ValueError(f"each {what} can be given once, got {', '.join(twice)} again")
