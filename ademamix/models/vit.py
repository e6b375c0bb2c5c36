"""The paper's vision transformers (appendix B.3), built by timm."""

from typing import TYPE_CHECKING

from ademamix.vision_settings import ViT

if TYPE_CHECKING:
    from torch import nn


def build(spec: ViT, classes: int) -> "nn.Module":
    """Images (batch, 3, image, image) to logits (batch, classes); with 0 classes, to features."""
    from timm.models import VisionTransformer

    return VisionTransformer(
        img_size=spec.image,
        patch_size=spec.patch,
        embed_dim=spec.width,
        depth=spec.layers,
        num_heads=spec.heads,
        mlp_ratio=spec.mlp / spec.width,
        num_classes=classes,
    )
