"""The networks that are trained, each a configuration (no torch) beside what it builds.

- `configs.py`      what every model states: its sizes, parameters, operations, how it is built
- `transformer.py`  the paper's language model; `transformer_network.py` is the network itself
- `mamba.py`        its Mamba; `mamba_network.py` is the network, `selective_scan.py` the recurrence in it
- `vit.py`          the paper's vision transformers, timm's
"""

from typing import TYPE_CHECKING

from ademamix.models.configs import ModelConfig, TextModelConfig
from ademamix.models.mamba import MambaConfig
from ademamix.models.transformer import TransformerConfig
from ademamix.models.vit import ViTConfig

if TYPE_CHECKING:
    from torch import nn

__all__ = ["MambaConfig", "ModelConfig", "TextModelConfig", "TransformerConfig", "ViTConfig", "build"]


def build(config: ModelConfig, seed: int) -> "nn.Module":
    """The network of `config` on the CPU; its initial weights are a function of the seed alone.

    Libraries draw from torch's global generator: it is seeded for them, and left as it was.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return config.network(torch.Generator().manual_seed(seed))
