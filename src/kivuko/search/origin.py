"""What every index and every store says of itself, and of the encoder that its passages went through."""

from importlib.metadata import version

from pydantic import BaseModel, ConfigDict, Field

from kivuko.errors import ModelError


class Origin(BaseModel):
    """Where the embeddings of an index or a store come from: the beginning of every manifest.

    Attributes:
        format: What kind of index or store it is. It stands first, so that a torn manifest still says it.
        format_version: The version of the format; a higher one than this kivuko knows is not read.
        kivuko_version: The version of kivuko that made it.
        model_name: The encoder of the passages, as it was named.
        model_digest: What tells it from every other encoder (`kivuko.models.encoder.model_identity`), if it was given.
        teacher_digests: For a student, the same of the teachers whose space it was carried into.
        language: The passages' language, if it was given; where each states its own, that of those that do not.
        dim: Length of a token embedding.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    format: str
    format_version: int
    kivuko_version: str = Field(default_factory=lambda: version("kivuko"))
    model_name: str
    model_digest: str | None = None
    teacher_digests: tuple[str, ...] = ()
    language: str | None = None
    dim: int = Field(ge=1)

    def refuse_other_model(self, location: str, model_name: str, model_digest: str | None, dim: int) -> None:
        """Refuse to add embeddings that are not, or cannot be known to be, by the same encoder.

        Raises:
            ModelError: If they are not.
        """
        if model_digest is None or self.model_digest != model_digest or self.dim != dim:
            raise ModelError(
                f"The store {location} holds embeddings by {self.model_name}, and {model_name} is not known to "
                "be the same model: use that one, or choose another directory."
            )
