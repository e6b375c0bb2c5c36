"""Parameters and arithmetic of a model, counted from its configuration without torch."""

from ademamix.spec import Transformer


def parameters(model: Transformer) -> int:
    """Number of parameters: tied embeddings and positions counted, biases in the norms only."""
    block = 12 * model.width**2 + 4 * model.width
    embeddings = (model.vocabulary + model.positions) * model.width
    return embeddings + model.layers * block + 2 * model.width


def training_flops_per_token(model: Transformer, sequence: int) -> float:
    """Floating-point operations of one token's forward and backward pass.

    Six per weight that enters a matrix product (the tied head counts, the positions do not), and
    the attention scores and their use, of which the causal half is computed.
    """
    products = model.vocabulary * model.width + model.layers * 12 * model.width**2
    attention = model.layers * 2 * sequence * model.width / 2
    return 6.0 * (products + attention)
