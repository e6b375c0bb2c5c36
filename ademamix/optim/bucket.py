"""The tensors of parameters that share every scalar: what an implementation updates in one call."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ademamix.optim import rounding


@dataclass
class Bucket:
    """Parallel lists, one entry for each parameter; all entries of a list share dtype and device.

    Attributes:
        p: parameters, fp64, fp32, bf16 or fp16.
        g: their gradients.
        m1: fast EMAs, or None when β1 = 0.
        m2: slow EMAs.
        nu: EMAs of the squared gradient.
        master: fp32 copies of low-precision parameters, which are then the ones updated; or None.
        places: each parameter's place among all of the optimizer.
        starts: in its parameter, where each entry begins: 0 unless it is a piece (`pieces`).
        seed: of the stochastic rounding.
        step: t, of this update.
    """

    p: list[Tensor]
    g: list[Tensor]
    m1: list[Tensor] | None
    m2: list[Tensor]
    nu: list[Tensor]
    master: list[Tensor] | None
    places: list[int]
    seed: int
    step: int
    starts: list[int] | None = None

    @property
    def rounds_randomly(self) -> bool:
        """Whether anything is stored in bf16 that is not rounded to nearest."""
        low = torch.bfloat16
        return self.m2[0].dtype == low or (self.p[0].dtype == low and self.master is None)

    def random_keys(self) -> Sequence[int | None]:
        """Of each parameter's random bits at this step; None where none are needed."""
        if not self.rounds_randomly:
            return [None] * len(self.places)
        return [rounding.key(self.seed, self.step, place) for place in self.places]

    def opened(self, maximize: bool) -> "Bucket":
        """The same values in the dtype of the arithmetic: fp64 for fp64 parameters, fp32 otherwise.

        Tensors that have it already are not copied. The gradient is that of what is minimized.
        """
        work = working_dtype(self.p[0].dtype)
        g = [x.to(work) for x in self.g]
        return replace(
            self,
            p=self.master or [x.to(work) for x in self.p],
            g=list(torch._foreach_neg(g)) if maximize else g,
            m1=None if self.m1 is None else [x.to(work) for x in self.m1],
            m2=[x.to(work) for x in self.m2],
            nu=[x.to(work) for x in self.nu],
            master=None,
        )

    def pieces(self, size: int) -> Iterator["Bucket"]:
        """The same tensors as buckets of at most `size` elements each, views; those with holes stay whole."""
        spans: list[tuple[int, int, int]] = []  # number of a tensor, and where in it a piece begins and ends
        room = size
        for i, p in enumerate(self.p):
            n = p.numel()
            length = size if n > size and dense(self._entry(i)) else max(n, 1)
            for start in range(0, max(n, 1), length):
                end = min(n, start + length)
                if spans and end - start > room:
                    yield self._piece(spans)
                    spans, room = [], size
                spans.append((i, start, end))
                room -= end - start
        if spans:
            yield self._piece(spans)

    def _lists(self) -> dict[str, list[Tensor]]:
        """Those there are."""
        names = ("p", "g", "m1", "m2", "nu", "master")
        return {name: tensors for name in names if (tensors := getattr(self, name)) is not None}

    def _entry(self, i: int) -> list[Tensor]:
        return [tensors[i] for tensors in self._lists().values()]

    def _piece(self, spans: Sequence[tuple[int, int, int]]) -> "Bucket":
        def cut(tensors: list[Tensor]) -> list[Tensor]:
            return [
                tensors[i] if end - start == tensors[i].numel() else in_memory(tensors[i])[start:end]
                for i, start, end in spans
            ]

        return replace(
            self,
            **{name: cut(tensors) for name, tensors in self._lists().items()},  # type: ignore[arg-type]
            places=[self.places[i] for i, _, _ in spans],
            starts=[start for _, start, _ in spans],
        )

    def close(self, opened: "Bucket") -> None:
        """Store what was updated, where storage is narrower than the arithmetic.

        m1 is rounded to nearest, m2 and ν stochastically, and so are parameters that have no master.
        """
        for i, key in enumerate(self.random_keys()):
            start = 0 if self.starts is None else self.starts[i]
            bits = None if key is None else rounding.random_bits(self.p[i], key, start)
            if self.m1 is not None and opened.m1 is not None:
                _store(self.m1[i], opened.m1[i], None)
            _store(self.m2[i], opened.m2[i], None if bits is None else bits & 0xFFFF)
            _store(self.nu[i], opened.nu[i], None if bits is None else bits >> 16)
            more = None if bits is None or self.master is not None else rounding.more_bits(bits) & 0xFFFF
            _store(self.p[i], opened.p[i], more)


def _store(stored: Tensor, value: Tensor, random: Tensor | None) -> None:
    """`value` in the dtype of `stored`; to bf16 with 16 `random` bits for each element, where given."""
    if value is stored:
        return
    if random is not None and stored.dtype == torch.bfloat16:
        value = rounding.to_bf16_randomly(value.float(), random)
    stored.copy_(value)


def working_dtype(dtype: torch.dtype) -> torch.dtype:
    """The dtype of the arithmetic for parameters of `dtype`."""
    return torch.float64 if dtype == torch.float64 else torch.float32


def in_memory(t: Tensor) -> Tensor:
    """The elements of a tensor without holes, in the order in which they lie in memory: a view."""
    return t.as_strided((t.numel(),), (1,))


def dense(tensors: Sequence[Tensor]) -> bool:
    """Whether the tensors have one layout, without holes or overlaps: elements pair up in memory."""
    first = tensors[0]
    if all(t.is_contiguous() for t in tensors):
        return True
    if any(t.stride() != first.stride() for t in tensors):
        return False
    expected = 1
    for stride, size in sorted(zip(first.stride(), first.shape, strict=True)):
        if size != 1 and stride != expected:
            return False
        expected *= size
    return True
