"""Runs in a few words: by what differs between them."""

from ademamix.describe import describe_all
from ademamix.spec import RunSpec, override


def test_what_differs_is_said_and_the_rest_once(ademamix_spec: RunSpec) -> None:
    runs = [override(ademamix_spec, [f"optimizer.weight_decay={decay}"]) for decay in (0, 0.1, 1)]
    common, each = describe_all(runs, ["110M"] * 3)
    assert [words.split(", ")[1] for words in each] == ["λ 0", "λ 0.1", "λ 1"]
    assert "width 16 (110M)" in common
    assert "seed 0" in common
    assert all("seed" not in words for words in each)


def test_a_branch_says_where_it_starts(adamw_spec: RunSpec) -> None:
    branch = adamw_spec.branch(20, inject=1)
    _, each = describe_all([adamw_spec, branch])
    assert each[0] == "AdamW"
    assert "from 20 with batch 1" in each[1]
