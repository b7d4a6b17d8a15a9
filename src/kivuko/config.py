"""What a run is told: frozen, validated values, read from TOML and written beside every result."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

Language = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class Frozen(BaseModel):
    """A value that does not change and knows all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ObjectiveName(StrEnum):
    """What student and teacher are compared by."""

    TRANSPORT = "transport"
    GREEDY = "greedy"
    NEAREST = "nearest"
    SENTENCE = "sentence"
    SCORES = "scores"
    TRIPLET = "triplet"
    CONTRASTIVE = "contrastive"
    DIAGONAL = "diagonal"


Marginals = Literal["uniform", "word", "norm", "rarity"]
Problem = Literal["balanced", "unbalanced", "partial", "proximal", "exact"]
Value = Literal["plan_cost", "divergence"]
Tokens = Literal["content", "scored"]

_TRANSPORT_OPTIONS = ("epsilon", "epsilon_start", "marginals", "problem", "value", "max_iterations", "tokens")
_OPTIONS: dict[ObjectiveName, tuple[str, ...]] = {
    ObjectiveName.TRANSPORT: _TRANSPORT_OPTIONS,
    ObjectiveName.GREEDY: ("tokens",),
    ObjectiveName.NEAREST: ("tokens",),
    ObjectiveName.SENTENCE: (),
    ObjectiveName.SCORES: ("temperature", "queue_batches"),
    ObjectiveName.TRIPLET: ("margin",),
    ObjectiveName.CONTRASTIVE: ("temperature",),
    ObjectiveName.DIAGONAL: ("tokens",),
}


class BitextSource(Frozen):
    """One file of bitext, and how it is to be used.

    Attributes:
        path: A UTF-8 file with `English<TAB>translation` on each line; or in another format that `kivuko bitext` reads,
            which its name says, or a word before it (`hub:opus100/en-sw`).
        language: ISO 639 code of the translations, for example `sw`.
        weight: How often each pair is seen in an epoch; 0.5 means every second pair, drawn anew each epoch.
        license: What the model card says of it.
    """

    path: Path
    language: Language
    weight: float = Field(default=1.0, gt=0, le=100)
    license: str | None = None

    @property
    def name(self) -> str:
        """A short name for reports: the folder and the stem (`lafand/en-sw`)."""
        return f"{self.path.parent.name}/{self.path.stem}" if self.path.parent.name else self.path.stem


class ObjectiveConfig(Frozen):
    """One term of the training loss. An option that the objective would not read is refused, not ignored.

    Attributes:
        name: Which objective.
        weight: Its factor in the sum.
        tokens: Which tokens are matched: those with content, or all that MaxSim scores (`transport`, `greedy`,
            `nearest`, `diagonal`).
        epsilon: Regularization of the transport plan, in the unit of the cosine cost (`transport`).
        epsilon_start: Where epsilon begins, to shrink or grow geometrically to `epsilon`; None keeps it (`transport`).
        epsilon_batches: In how many batches it gets there (with `epsilon_start`).
        marginals: What a token's mass goes by: equal shares of tokens or of words, the length of its embedding before
            normalization, or how rare its piece is (`transport`).
        problem: Whether all mass is carried (`balanced`), at a price less (`unbalanced`), or a given part (`partial`);
            or all of it by a plan that is nearly (`proximal`) or wholly (`exact`) unregularized.
        rho: Price of mass that stays unmatched, in the unit of the cost (with `unbalanced`).
        mass: The part that is carried (with `partial`).
        steps: How many proximal steps are taken (with `proximal`).
        value: What is descended: the cost of the plan, as OPTICAL, or the debiased Sinkhorn divergence (`balanced`).
        max_iterations: Bound on the solver's iterations (`transport`).
        temperature: Divides the scores before the softmax (`scores`, `contrastive`).
        queue_batches: How many earlier batches are ranked beside the present one (`scores`).
        margin: By how much mean MaxSim has to prefer the right translation (`triplet`).
    """

    name: ObjectiveName
    weight: float = Field(default=1.0, gt=0)
    tokens: Tokens = "content"
    epsilon: float = Field(default=0.05, gt=0, le=10)
    epsilon_start: float | None = Field(default=None, gt=0, le=10)
    epsilon_batches: int = Field(default=1000, ge=1)
    marginals: Marginals = "uniform"
    problem: Problem = "balanced"
    rho: float = Field(default=0.5, gt=0, le=100)
    mass: float = Field(default=0.8, gt=0, le=1)
    steps: int = Field(default=200, ge=1)
    value: Value = "plan_cost"
    max_iterations: int = Field(default=1000, ge=1)
    temperature: float = Field(default=0.05, gt=0, le=10)
    queue_batches: int = Field(default=15, ge=0, le=10_000)
    margin: float = Field(default=0.2, gt=0, le=2)

    @property
    def options(self) -> tuple[str, ...]:
        """The options that decide something here."""
        if self.name is not ObjectiveName.TRANSPORT:
            return _OPTIONS[self.name]
        held = {
            "epsilon": self.problem != "exact",
            "epsilon_start": self.problem != "exact",
            "epsilon_batches": self.problem != "exact" and self.epsilon_start is not None,
            "max_iterations": self.problem not in ("exact", "proximal"),
            "rho": self.problem == "unbalanced",
            "mass": self.problem == "partial",
            "steps": self.problem == "proximal",
        }
        always = [name for name in _OPTIONS[self.name] if name not in held]
        return (*always, *(name for name, is_read in held.items() if is_read))

    @model_validator(mode="after")
    def _only_what_is_read(self) -> Self:
        needs = {
            "epsilon_batches": "transport with epsilon_start",
            "rho": "transport with problem = 'unbalanced'",
            "mass": "transport with problem = 'partial'",
            "steps": "transport with problem = 'proximal'",
            "max_iterations": "transport with problem = 'balanced', 'unbalanced' or 'partial'",
        }
        if self.problem == "exact":
            needs |= dict.fromkeys(("epsilon", "epsilon_start"), "transport with any problem but 'exact'")
        for option in sorted(self.model_fields_set - {"name", "weight", *self.options}):
            owners = needs.get(option) or " and ".join(name for name, options in _OPTIONS.items() if option in options)
            here = ", ".join(self.options) or "no options"
            raise ValueError(
                f"{option} is an option of {owners}; {self.name} as given here would not read it, "
                f"but reads {here}. Remove it"
            )
        if self.value == "divergence" and self.problem != "balanced":
            raise ValueError(f"value = 'divergence' needs problem = 'balanced', got {self.problem!r}")
        return self

    @model_serializer(mode="wrap")
    def _without_what_is_not_read(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written = {"name", "weight", *self.options}
        return {key: value for key, value in handler(self).items() if key in written}


class TransplantConfig(Frozen):
    """How a student is grown on the teacher.

    Attributes:
        vocabulary_size: Size of the vocabulary trained on the translations, before the union with the teacher's.
        iterations: Passes of lexical alignment.
        tension: How much the alignment expects both sides in the same order; 0 is IBM Model 1, which expects none; None
            learns it from the bitext.
        keep_share: Share of links to itself from which a teacher piece keeps its embedding.
        copied_share: Share of occurrences on both sides of a pair from which a word counts as a name, which stays cut
            as the teacher cuts it; 2 leaves names to the new vocabulary.
    """

    vocabulary_size: int = Field(default=16_000, ge=100, le=500_000)
    iterations: int = Field(default=5, ge=1, le=100)
    tension: float | None = Field(default=None, ge=0, le=100)
    keep_share: float = Field(default=0.5, ge=0, le=1)
    copied_share: float = Field(default=0.5, gt=0, le=2)


class TrainingConfig(Frozen):
    """How the student is trained.

    Attributes:
        epochs: Passes over the bitext; may be a fraction. 0 leaves the student as it was grown.
        batch_size: Sentence pairs in a step.
        learning_rate: Peak rate of the transformer's body.
        embedding_learning_rate: Peak rate of the word embeddings.
        warmup: Share of the steps in which the rate rises; it falls linearly to zero after that.
        dropout: Dropout of the student while it learns; the teacher has none.
        max_tokens: Longer sentences are cut, on both sides.
        save_every: Steps between checkpoints.
        keep_checkpoints: How many of the last checkpoints are kept.
        seed: Seed of the order of the pairs, of what is held out, and of all else that is drawn.
        threads: Threads of the mathematics; None leaves them to torch.
        device: Where it is trained; None takes an accelerator when there is one.
        precision: Of the encoders' forward and backward pass; weights, optimizer and losses stay in float32. bfloat16
            is faster on accelerators and on processors with matrix units (AMX), and slower on others.
    """

    epochs: float = Field(default=1.0, ge=0, le=1000)
    batch_size: int = Field(default=32, ge=2, le=4096)
    learning_rate: float = Field(default=1e-4, ge=0, le=1)
    embedding_learning_rate: float = Field(default=5e-4, ge=0, le=1)
    warmup: float = Field(default=0.1, ge=0, lt=1)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    max_tokens: int = Field(default=64, ge=4, le=8192)
    save_every: int = Field(default=200, ge=1)
    keep_checkpoints: int = Field(default=2, ge=2)
    seed: int = Field(default=0, ge=0, lt=2**31)
    threads: int | None = Field(default=None, ge=1, le=1024)
    device: str | None = None
    precision: Literal["float32", "bfloat16"] = "float32"


class ValidationConfig(Frozen):
    """What the student is measured by while it learns.

    Attributes:
        held_out: Sentence pairs kept from training, by either side; None takes 500, or a fiftieth of a small bitext.
        collection: A BEIR folder with queries in the target language over English documents.
        split: Its split.
        every: Steps between measurements; None measures four times in the run.
    """

    held_out: int | None = Field(default=None, ge=0, le=100_000)
    collection: Path | None = None
    split: str = "dev"
    every: int | None = Field(default=None, ge=1)


class DistillConfig(Frozen):
    """Everything that a distillation is told.

    Attributes:
        teacher: Hub id or directory of the English teacher.
        student: Hub id or directory of a multilingual encoder; None grows one on the teacher.
        target: ISO 639 codes of the languages that the student is to read.
        bitext: Where the sentence pairs come from.
        objectives: The terms of the loss; by default transport and scores, equally weighted.
        out: The model directory that is written.
        dimensions: Largest size of the token embeddings; a teacher with more is projected, None leaves it alone.
        transplant: How a student is grown, where none is given.
        training: How it is trained.
        validation: What it is measured by.
        against: BEIR folders of what the student will be tested on; bitext that holds their test items is refused, as
            it is for the validation collection.
        against_split: Their split.
        leaks: Whether such bitext is refused, or its leaking pairs are dropped, or it is trained on all the same.
    """

    teacher: str = Field(min_length=1)
    student: str | None = None
    target: tuple[Language, ...] = Field(min_length=1)
    bitext: tuple[BitextSource, ...] = Field(min_length=1)
    objectives: tuple[ObjectiveConfig, ...] = Field(
        default=(ObjectiveConfig(name=ObjectiveName.TRANSPORT), ObjectiveConfig(name=ObjectiveName.SCORES)),
        min_length=1,
    )
    out: Path
    dimensions: int | None = Field(default=128, ge=2, le=65_536)
    transplant: TransplantConfig = TransplantConfig()
    training: TrainingConfig = TrainingConfig()
    validation: ValidationConfig = ValidationConfig()
    against: tuple[Path, ...] = ()
    against_split: str = "test"
    leaks: Literal["refuse", "drop", "allow"] = "refuse"

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        names = [objective.name for objective in self.objectives]
        if len(set(names)) < len(names):
            raise ValueError(f"each objective can be given once, got {', '.join(names)}")
        foreign = sorted({source.language for source in self.bitext} - set(self.target))
        if foreign:
            raise ValueError(f"bitext in {', '.join(foreign)} was given, but the target is {', '.join(self.target)}")
        return self

    @model_serializer(mode="wrap")
    def _without_what_was_not_told(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Runs that were begun before these keys were there can still be resumed.
        fields, new = type(self).model_fields, ("against", "against_split", "leaks")
        unset = {key for key in new if getattr(self, key) == fields[key].default}
        return {key: value for key, value in handler(self).items() if key not in unset}
