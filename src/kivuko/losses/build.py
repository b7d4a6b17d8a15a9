"""From the objectives of a config to one loss."""

from collections.abc import Callable, Sequence

from sentence_transformers import MultiVectorEncoder

from kivuko.config import ObjectiveConfig, ObjectiveName
from kivuko.losses.bitext_loss import BitextLoss, MixtureLoss
from kivuko.losses.contrastive import ContrastiveLoss
from kivuko.losses.diagonal import DiagonalLoss
from kivuko.losses.greedy import GreedyLoss
from kivuko.losses.nearest import NearestLoss
from kivuko.losses.scores import ScoresLoss
from kivuko.losses.sentence import SentenceLoss
from kivuko.losses.transport import TransportLoss
from kivuko.losses.triplet import TripletLoss


def build_loss(
    student: MultiVectorEncoder, teacher: MultiVectorEncoder, objectives: Sequence[ObjectiveConfig]
) -> BitextLoss:
    """Build the loss that a config asks for: the weighted sum of its objectives.

    Args:
        student: The student.
        teacher: The teacher.
        objectives: One or more, each name once.

    Raises:
        ValueError: If a name is given again.
    """
    names = [str(term.name) for term in objectives]
    if len(set(names)) < len(names):
        raise ValueError(f"each objective can be given once, got {', '.join(names)}")
    terms = {str(term.name): (build_objective(student, teacher, term), term.weight) for term in objectives}
    return MixtureLoss(student, teacher, terms)


def build_objective(student: MultiVectorEncoder, teacher: MultiVectorEncoder, config: ObjectiveConfig) -> BitextLoss:
    """Build one objective, without its weight."""
    return _module(config.name)(student, teacher, **{name: getattr(config, name) for name in config.options})


def _module(name: ObjectiveName) -> Callable[..., BitextLoss]:
    module: Callable[..., BitextLoss]
    match name:
        case ObjectiveName.TRANSPORT:
            module = TransportLoss
        case ObjectiveName.GREEDY:
            module = GreedyLoss
        case ObjectiveName.NEAREST:
            module = NearestLoss
        case ObjectiveName.SENTENCE:
            module = SentenceLoss
        case ObjectiveName.SCORES:
            module = ScoresLoss
        case ObjectiveName.TRIPLET:
            module = TripletLoss
        case ObjectiveName.CONTRASTIVE:
            module = ContrastiveLoss
        case ObjectiveName.DIAGONAL:
            module = DiagonalLoss
    return module
