"""A kept checkpoint as a model: for looking at it, measuring it, sampling from it."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from ademamix import models
from ademamix.errors import UserError
from ademamix.store import Run
from ademamix.training import checkpoint

if TYPE_CHECKING:
    from ademamix.spec import RunSpec


def load_model(run: Run, step: int | None = None, device: str | torch.device = "cpu") -> nn.Module:
    """The network of a run with the weights it had after `step` updates, in evaluation mode.

    Args:
        run: of a store, such as `Store(Path("runs")).find("3f9a")`.
        step: of a checkpoint that was kept. Default: the last one.
        device: where it goes.

    Raises:
        UserError: there is no such checkpoint, or it is damaged.
    """
    spec, kept = run.spec(), sorted(run.checkpoint_steps())
    if not kept or step not in (None, *kept):
        which = "" if step is None else f" of step {step}"
        there = f"there are: {', '.join(map(str, kept))}" if kept else "none were kept"
        raise UserError(
            f"run {run.id} has no checkpoint{which} ({there}); 'ademamix train' keeps the last one of a run"
        )
    state = checkpoint.load(run, kept[-1] if step is None else step, torch.device(device))
    if state is None:
        raise UserError(f"the checkpoint of run {run.id} is damaged; train it again with 'ademamix train'")
    return with_weights(spec, state["model"]).to(device).eval()


def with_weights(spec: "RunSpec", weights: dict[str, torch.Tensor]) -> nn.Module:
    """The network of a spec with given weights."""
    model = models.build(spec.model, spec.seed)
    model.load_state_dict(weights)
    return model


@torch.inference_mode()
def generate(
    model: nn.Module, prompt: list[int], length: int, context: int, temperature: float = 1.0, seed: int = 0
) -> list[int]:
    """`length` tokens that a language model goes on with after `prompt` (at least one token).

    Args:
        model: tokens (1, n) to logits (1, n, vocabulary).
        prompt: tokens to begin with.
        length: how many tokens to draw.
        context: how many of the last tokens the model sees at most.
        temperature: of the softmax that tokens are drawn from; 0: the likeliest one each time.
        seed: of the draws.
    """
    device = next(model.parameters()).device
    draw = torch.Generator(device).manual_seed(seed)
    tokens = list(prompt)
    for _ in range(length):
        logits = model(torch.tensor([tokens[-context:]], device=device))[0, -1].float()
        if temperature == 0:
            tokens.append(int(logits.argmax()))
        else:
            shares = torch.softmax(logits / temperature, dim=-1)
            tokens.append(int(torch.multinomial(shares, 1, generator=draw)))
    return tokens[len(prompt) :]
