"""The paper's ViTs are timm's: counts, dropout where it is meant, initial weights from the seed alone."""

import pytest
import torch
from torch import nn

from ademamix import models
from ademamix.models.vit import ViTConfig
from ademamix.paper.vision import vision

SMALL = ViTConfig(width=8, mlp=16, layers=2, heads=2, patch=4, image=8, classes=3, dropout=0.1)


@pytest.mark.parametrize("size", ["24M", "86M"])
@pytest.mark.parametrize("classes", [0, 1_000])
def test_the_count_is_that_of_the_real_model(size: str, classes: int) -> None:
    config = vision().sizes[size].model_copy(update={"classes": classes})
    with torch.device("meta"):
        assert sum(p.numel() for p in config.network().parameters()) == config.parameters()


def test_dropout_is_after_the_positions_and_every_projection() -> None:
    """timm's own `drop_rate` would be the head's alone."""
    rates = {
        name: module.p for name, module in SMALL.network().named_modules() if isinstance(module, nn.Dropout)
    }
    assert {name for name, rate in rates.items() if rate == 0.1} == {
        "pos_drop",
        *(f"blocks.{i}.{part}" for i in range(2) for part in ("attn.proj_drop", "mlp.drop1", "mlp.drop2")),
    }
    assert {name for name, rate in rates.items() if rate == 0.0} <= {
        "head_drop", "patch_drop", *(f"blocks.{i}.attn.attn_drop" for i in range(2))
    }  # fmt: skip


def test_initial_weights_are_a_function_of_the_seed() -> None:
    one, same, other = (models.build(SMALL, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["blocks.0.mlp.fc1.weight"], other["blocks.0.mlp.fc1.weight"])


def test_the_spread_of_initial_weights_is_what_the_configuration_says() -> None:
    wide = ViTConfig(width=96, mlp=384, layers=1, heads=2, patch=4, image=16, classes=10)
    one = models.build(wide, 1).state_dict()
    other = models.build(wide.model_copy(update={"init_std": 0.05}), 1).state_dict()
    scaled = {name for name in one if not torch.equal(one[name], other[name])}
    assert scaled == {"pos_embed", "head.weight"} | {
        f"blocks.0.{part}.weight" for part in ("attn.qkv", "attn.proj", "mlp.fc1", "mlp.fc2")
    }
    assert all(torch.allclose(2.5 * one[name], other[name]) for name in scaled)
    assert other["blocks.0.mlp.fc1.weight"].std().item() == pytest.approx(0.05, rel=0.02)
