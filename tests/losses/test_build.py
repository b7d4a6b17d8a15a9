"""From a config to a loss that a real student can be trained by."""

import copy

import pytest
import torch
from sentence_transformers import MultiVectorEncoder

from kivuko.config import ObjectiveConfig, ObjectiveName
from kivuko.errors import ConfigError
from kivuko.losses import MixtureLoss, TransportLoss, build_loss

OPTIONS = [{"name": name} for name in ObjectiveName] + [
    {"name": "transport", "marginals": "word", "problem": "unbalanced", "rho": 0.3},
    {"name": "transport", "marginals": "norm", "problem": "partial", "mass": 0.6},
    {"name": "transport", "marginals": "rarity", "value": "divergence", "tokens": "scored"},
    {"name": "transport", "problem": "exact"},
    {"name": "transport", "problem": "proximal", "epsilon": 0.2, "steps": 50},
    {"name": "greedy", "tokens": "scored"},
]


@pytest.fixture
def student(tiny_encoder: MultiVectorEncoder) -> MultiVectorEncoder:
    return copy.deepcopy(tiny_encoder).requires_grad_(True).eval()


@pytest.fixture
def columns(tiny_encoder: MultiVectorEncoder, sentences: list[str]) -> list[dict[str, torch.Tensor]]:
    return [
        dict(tiny_encoder.preprocess(side, task="query")) | {"task": "query"}
        for side in (sentences[1::2], sentences[::2])
    ]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: " ".join(map(str, options.values())))
def test_every_objective_gives_a_finite_gradient_under_its_name(
    options: dict[str, object],
    student: MultiVectorEncoder,
    tiny_encoder: MultiVectorEncoder,
    columns: list[dict[str, torch.Tensor]],
) -> None:
    config = ObjectiveConfig.model_validate(options)
    loss = build_loss(student, tiny_encoder, [config])
    terms = loss(columns)
    assert list(terms) == [config.name]
    terms[config.name].backward()
    gradients = [parameter.grad for parameter in student.parameters() if parameter.grad is not None]
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert sum(float(gradient.abs().sum()) for gradient in gradients) > 0


def test_weights_and_options_arrive(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder, columns: list[dict[str, torch.Tensor]]
) -> None:
    def value(*configs: ObjectiveConfig) -> dict[str, torch.Tensor]:
        return build_loss(student, tiny_encoder, configs)(columns)

    for name, option, one, other in [
        ("transport", "epsilon", 0.02, 0.5),
        ("transport", "tokens", "content", "scored"),
        ("transport", "value", "plan_cost", "divergence"),
        ("transport", "problem", "balanced", "partial"),
        ("transport", "problem", "balanced", "exact"),
        ("transport", "problem", "balanced", "proximal"),
        ("transport", "marginals", "uniform", "word"),
        ("diagonal", "tokens", "content", "scored"),
        ("nearest", "tokens", "content", "scored"),
        ("scores", "temperature", 0.02, 0.5),
        ("contrastive", "temperature", 0.02, 0.5),
        ("triplet", "margin", 0.1, 0.7),
    ]:
        first, second = (
            value(ObjectiveConfig.model_validate({"name": name, option: setting}))[name] for setting in (one, other)
        )
        assert (first - second).detach().abs() > 1e-4, (name, option)
    terms = value(ObjectiveConfig(name=ObjectiveName.NEAREST), ObjectiveConfig(name=ObjectiveName.GREEDY, weight=0.2))
    alone = value(ObjectiveConfig(name=ObjectiveName.GREEDY))["greedy"]
    torch.testing.assert_close(terms["greedy"], 0.2 * alone)


def test_an_objective_given_again_is_refused(student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder) -> None:
    twice = [ObjectiveConfig(name=ObjectiveName.TRANSPORT, epsilon=epsilon) for epsilon in (0.01, 0.1)]
    with pytest.raises(ValueError, match="once, got transport, transport"):
        build_loss(student, tiny_encoder, twice)


def test_epsilon_shrinks_geometrically_and_a_resumed_run_goes_on(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder, columns: list[dict[str, torch.Tensor]]
) -> None:
    def fresh() -> TransportLoss:
        return TransportLoss(
            student, tiny_encoder, epsilon=0.02, epsilon_start=0.5, epsilon_batches=2, marginals="rarity"
        )

    loss, resumed = fresh(), fresh()
    seen = [loss.epsilon]
    loss(columns)
    seen.append(loss.epsilon)
    mixture, other = (MixtureLoss(student, tiny_encoder, {"transport": (each, 1.0)}) for each in (loss, resumed))
    other.restore(mixture.state())
    assert resumed.epsilon == loss.epsilon
    torch.testing.assert_close(resumed(columns), loss(columns))
    loss(columns)
    seen.append(loss.epsilon)
    assert seen == pytest.approx([0.5, 0.1, 0.02])


def test_what_does_not_change_is_not_kept(student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder) -> None:
    assert TransportLoss(student, tiny_encoder).state() == {}


@pytest.mark.parametrize("option", ["epsilon", "epsilon_start", "rho", "mass", "steps"])
def test_transport_needs_positive_numbers(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder, option: str
) -> None:
    with pytest.raises(ValueError, match=f"{option} must be positive, got -1"):
        TransportLoss(student, tiny_encoder, **{option: -1 if option == "steps" else -1.0})


@pytest.mark.parametrize(
    ("problem", "option", "setting"),
    [
        ("exact", "epsilon", 0.1),
        ("exact", "epsilon_start", 0.2),
        ("exact", "max_iterations", 5),
        ("proximal", "max_iterations", 5),
        ("balanced", "steps", 5),
        ("exact", "steps", 5),
        ("exact", "value", "divergence"),
    ],
)
def test_what_a_problem_does_not_read_is_refused(problem: str, option: str, setting: object) -> None:
    with pytest.raises(ValueError, match=option):
        ObjectiveConfig.model_validate({"name": "transport", "problem": problem, option: setting})


def test_exact_without_pot_is_refused_before_training(
    student: MultiVectorEncoder, tiny_encoder: MultiVectorEncoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kivuko.losses.transport.find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="needs POT"):
        TransportLoss(student, tiny_encoder, problem="exact")
