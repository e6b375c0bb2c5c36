"""The paper's model: its sizes, causality, initial weights, precision."""

import pytest
import torch

from ademamix.models.transformer_network import Transformer
from ademamix.paper.language import language_model, table_sizes
from ademamix.tasks import LanguageRun


@pytest.mark.parametrize(("name", "size"), [("110M", 110e6), ("330M", 330e6), ("1.3B", 1.3e9)])
def test_sizes_are_table_1(name: str, size: float) -> None:
    assert language_model(name).model.parameters() == pytest.approx(size, rel=0.02)


def test_table_1_itself() -> None:
    rows = [
        (m.name, m.model.width, m.model.heads, m.model.layers, m.batch, m.clipping)
        for m in map(language_model, table_sizes())
    ]
    assert rows == [
        ("110M", 768, 12, 12, 64, 0.5),
        ("330M", 1024, 16, 24, 96, 0.1),
        ("1.3B", 2048, 16, 24, 128, 0.1),
    ]


def _model(spec: LanguageRun) -> Transformer:
    model = Transformer(spec.model)
    model.initialise(torch.Generator().manual_seed(0))
    return model


@pytest.mark.parametrize("name", ["110M", "1.3B"])
def test_the_count_is_that_of_the_real_model(name: str, adamw_spec: LanguageRun) -> None:
    with torch.device("meta"):
        model = Transformer(language_model(name).model)
    assert sum(p.numel() for p in model.parameters()) == language_model(name).model.parameters()


def test_flops_are_six_per_weight_and_token(adamw_spec: LanguageRun) -> None:
    spec = language_model("110M").model
    no_attention = spec.training_flops(1)  # next to none
    assert no_attention == pytest.approx(6 * spec.parameters(), rel=0.01)
    assert spec.training_flops(1024) / 1024 > no_attention


def test_no_token_sees_a_later_one(adamw_spec: LanguageRun) -> None:
    model = _model(adamw_spec)
    tokens = torch.randint(32, (2, 16), generator=torch.Generator().manual_seed(1))
    changed = tokens.clone()
    changed[:, 9] = (changed[:, 9] + 1) % 32
    before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :9], after[:, :9])
    assert not torch.allclose(before[:, 9:], after[:, 9:])


def test_positions_matter_and_shorter_sequences_work(adamw_spec: LanguageRun) -> None:
    model = _model(adamw_spec)
    same = model(torch.full((1, 8), 3))
    assert same.shape == (1, 8, 32)
    assert not torch.allclose(same[0, 1], same[0, 5])


def test_initial_weights_are_a_function_of_the_seed(adamw_spec: LanguageRun) -> None:
    a, b = _model(adamw_spec), _model(adamw_spec)
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
    assert a.tokens.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_embeddings_are_tied(adamw_spec: LanguageRun) -> None:
    model = _model(adamw_spec)
    model(torch.tensor([[1, 2]])).sum().backward()
    assert model.tokens.weight.grad is not None
    assert (model.tokens.weight.grad[5] != 0).any()  # a token of the output only


def test_bf16_keeps_norms_in_fp32(adamw_spec: LanguageRun) -> None:
    model = _model(adamw_spec)
    seen: dict[str, torch.dtype] = {}
    block = model.blocks[0]
    block.attention_norm.register_forward_hook(lambda m, i, o: seen.update(norm=o.dtype))
    block.up.register_forward_hook(lambda m, i, o: seen.update(linear=o.dtype))
    with torch.autocast("cpu", torch.bfloat16):
        logits = model(torch.randint(32, (2, 16)))
    assert seen == {"norm": torch.float32, "linear": torch.bfloat16}
    assert logits.dtype == torch.bfloat16
