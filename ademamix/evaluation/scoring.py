"""The log-likelihoods of continuations under a language model."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

LOGITS = 1 << 24  # at most, in one pass


class Likelihood(NamedTuple):
    """Of a continuation: its logarithm, and whether each of its tokens is the likeliest there."""

    log: float
    greedy: bool


@torch.inference_mode()
def log_likelihoods(
    model: nn.Module,
    pairs: Sequence[tuple[Sequence[int], Sequence[int]]],
    longest: int,
    device: torch.device,
    size: int = 128,
) -> list[Likelihood]:
    """The likelihood of each continuation after its context, as tokens; a context has one at least.

    What does not fit into `longest` inputs loses its beginning. Passes are of at most `size` sequences of
    about one length, the longest first; what differs in its last token alone shares one pass.
    """
    asked: dict[tuple[int, ...], list[int]] = {}
    for place, (context, continuation) in enumerate(pairs):
        whole = [*context, *continuation]
        asked.setdefault(tuple(whole[-(longest + 1) : -1]), []).append(place)
    inputs = sorted(asked, key=len, reverse=True)
    found: dict[int, Likelihood] = {}
    while inputs:
        count = max(1, min(size, LOGITS // (len(inputs[0]) * 256)))
        batch, inputs = inputs[:count], inputs[count:]
        log_probabilities = _log_probabilities(model, batch, device)
        for row, tokens in enumerate(batch):
            for place in asked[tokens]:
                context, continuation = pairs[place]
                found[place] = _read(log_probabilities[row, : len(tokens)], continuation)
    return [found[place] for place in range(len(pairs))]


def _log_probabilities(model: nn.Module, batch: Sequence[Sequence[int]], device: torch.device) -> Tensor:
    """Of every next token. Padding goes to the end, where no earlier token sees it."""
    padded = torch.zeros(len(batch), len(batch[0]), dtype=torch.long)
    for row, tokens in enumerate(batch):
        padded[row, : len(tokens)] = torch.tensor(tokens)
    return model(padded.to(device)).float().log_softmax(-1).cpu()


def _read(log_probabilities: Tensor, continuation: Sequence[int]) -> Likelihood:
    """The likelihood of a continuation, which the last positions predict."""
    there = torch.tensor(list(continuation))[-len(log_probabilities) :]
    rows = log_probabilities[-len(there) :]
    each = rows.gather(1, there[:, None])
    return Likelihood(float(each.double().sum()), bool((rows.argmax(-1) == there).all()))
