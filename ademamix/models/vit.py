"""The paper's vision transformers (appendix B.3), built by timm: their sizes and what they cost."""

from typing import TYPE_CHECKING, Literal

from ademamix.models.configs import ModelConfig
from ademamix.values import Number, Positive, Share, Steps

if TYPE_CHECKING:
    import torch
    from torch import nn

TIMM_STD = 0.02


class ViTConfig(ModelConfig):
    """Sizes in the paper's terms (Table 5); `mlp`: the width of the hidden layers.

    `classes`: of the head; with 0, the network gives features. `dropout`: after the positions and after every
    projection, as in the ViT paper's code; timm's own `drop_rate` would be the head's alone.
    `init_std`: of the initial weights of linear layers and positions; timm's 0.02 is made for the paper's
    widths, and goes with their inverse root. (That of the patches scales with its inputs by itself.)
    """

    kind: Literal["vit"] = "vit"
    width: Steps
    mlp: Steps
    layers: Steps
    heads: Steps
    patch: Steps
    image: Steps
    classes: Number = 0
    dropout: Share = 0.0
    init_std: Positive = TIMM_STD

    def network(self, generator: "torch.Generator | None" = None) -> "nn.Module":
        """Images (batch, 3, image, image) to logits (batch, classes).

        timm draws its initial weights from torch's global generator, which `models.build` has seeded.
        """
        from timm.models import VisionTransformer

        model = VisionTransformer(
            img_size=self.image,
            patch_size=self.patch,
            embed_dim=self.width,
            depth=self.layers,
            num_heads=self.heads,
            mlp_ratio=self.mlp / self.width,
            num_classes=self.classes,
            pos_drop_rate=self.dropout,
            proj_drop_rate=self.dropout,
        )
        if self.init_std != TIMM_STD:
            _scale_initial_weights(model, self.init_std / TIMM_STD)
        return model

    @property
    def tokens(self) -> int:
        """Patches of an image, and the class token."""
        return (self.image // self.patch) ** 2 + 1

    def parameters(self) -> int:
        """With biases everywhere, learnt positions and a class token, as timm's."""
        block = 4 * self.width**2 + 2 * self.width * self.mlp + 9 * self.width + self.mlp
        embedding = 3 * self.patch**2 * self.width + self.width + (self.tokens + 1) * self.width
        head = (self.width + 1) * self.classes
        return embedding + self.layers * block + 2 * self.width + head

    def training_flops(self, sample: int) -> float:
        """Of `sample` images: six per token and weight of a matrix product, and the attention, all of it."""
        products = self.layers * (4 * self.width**2 + 2 * self.width * self.mlp)
        products += 3 * self.patch**2 * self.width
        attention = self.layers * 2 * self.tokens * self.width
        return 6.0 * ((products + attention) * self.tokens + self.width * self.classes) * sample

    @property
    def brief(self) -> str:
        return f"width {self.width}"


def _scale_initial_weights(model: "nn.Module", factor: float) -> None:
    """Multiply what timm draws with a standard deviation of its own."""
    import torch
    from torch import nn

    with torch.no_grad():
        model.get_parameter("pos_embed").mul_(factor)
        for module in model.modules():
            if isinstance(module, nn.Linear):
                module.weight.mul_(factor)
