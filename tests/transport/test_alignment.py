import torch

from kivuko.transport import hard_alignment, sinkhorn, word_plan

from .conftest import Problem


def test_argmax_links_each_source_with_mass_once(problem: Problem) -> None:
    links = hard_alignment(sinkhorn(*problem, epsilon=0.02).plan, method="argmax")
    has_partner = (problem.a > 0) & (problem.b > 0).any(1, keepdim=True)
    assert (links.sum(2) == has_partner).all()


def test_mutual_links_are_one_to_one_and_best_for_both(problem: Problem) -> None:
    plan = sinkhorn(*problem, epsilon=0.02).plan
    links = hard_alignment(plan, method="mutual")
    assert (links.sum(2) <= 1).all()
    assert (links.sum(1) <= 1).all()
    forth, back = hard_alignment(plan, method="argmax"), hard_alignment(plan.mT, method="argmax").mT
    assert (links == (forth & back)).all()


def test_threshold_may_leave_a_token_out_and_link_another_twice() -> None:
    plan = torch.tensor([[[0.2, 0.2, 0.0], [0.0, 0.01, 0.3], [0.02, 0.02, 0.02]]])
    links = hard_alignment(plan, method="threshold", threshold=0.5)
    assert links[0].tolist() == [[True, True, False], [False, False, True], [False, False, False]]


def test_a_raised_threshold_keeps_fewer_links(problem: Problem) -> None:
    plan = sinkhorn(*problem, epsilon=0.05).plan
    loose, strict = (hard_alignment(plan, method="threshold", threshold=t) for t in (0.2, 0.8))
    assert (strict <= loose).all()
    assert strict.sum() < loose.sum()


def test_nothing_is_linked_where_nothing_is_carried() -> None:
    for method in ("argmax", "mutual", "threshold"):
        assert not hard_alignment(torch.zeros(1, 2, 3), method=method).any()  # type: ignore[arg-type]
        assert hard_alignment(torch.zeros(1, 2, 0), method=method).shape == (1, 2, 0)  # type: ignore[arg-type]


def test_words_add_up_their_pieces(generator: torch.Generator) -> None:
    plan = torch.rand(2, 4, 3, generator=generator)
    source, target = torch.tensor([[-1, 0, 0, 1], [0, 1, 2, -1]]), torch.tensor([[0, 0, 1], [0, -1, -1]])
    words = word_plan(plan, source, target)
    expected = torch.zeros(2, 3, 2)
    for item in range(2):
        for i in range(4):
            for j in range(3):
                if source[item, i] >= 0 and target[item, j] >= 0:
                    expected[item, source[item, i], target[item, j]] += plan[item, i, j]
    torch.testing.assert_close(words, expected)


def test_words_of_an_all_masked_batch_are_none() -> None:
    nobody = torch.full((2, 3), -1)
    assert word_plan(torch.rand(2, 3, 3), nobody, nobody).shape == (2, 0, 0)
