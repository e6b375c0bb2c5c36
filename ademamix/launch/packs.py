"""Which jobs are trained together as one program (`training/pack.py`), and how many of them."""

from dataclasses import dataclass
from typing import Literal

from ademamix.training.job import Job

LARGEST = 16  # members of a pack that nobody asked for
# Floating-point operations of an update that keep a data-centre GPU busy as long as launching the update
# takes, some milliseconds at 40% of 10¹⁵ a second. An estimate: not measured yet.
FULL = 2e12
SHARE = 0.5  # of a GPU's memory that is planned with
STATE = 32  # bytes for each parameter: weights, gradients twice, three moments, a copy for the checkpoint
PER_WIDTH, PER_WORD = 36, 4  # activations kept for each token and layer, in widths; logits, in vocabularies

Pack = int | Literal["auto"]


@dataclass(frozen=True)
class Packing:
    """How runs are packed.

    Attributes:
        asked: members at most; 'auto': as many as bring something on a GPU, and none on a CPU (docs/gpu.md).
        memory: of a GPU, in bytes; None: there is none.
    """

    asked: Pack = 1
    memory: float | None = None

    def most(self, job: Job) -> int:
        """How many runs like that of `job` are trained as one program; 1: each is trained alone."""
        if job.spec.pack_key is None:
            return 1
        if self.asked != "auto":
            return self.asked
        if self.memory is None:
            return 1
        bringing = FULL / job.spec.flops_per_step
        fitting = SHARE * self.memory / member_bytes(job)
        return max(1, min(LARGEST, int(bringing), int(fitting)))


def alike(first: Job, other: Job) -> bool:
    """Whether two jobs can be members of one pack."""
    key = first.spec.pack_key
    return key is not None and key == other.spec.pack_key and first.micro_batch == other.micro_batch


def member_bytes(job: Job) -> float:
    """Memory that a member takes on the device, estimated from above: fp32 throughout."""
    model = job.spec.model
    tokens = (job.micro_batch or job.spec.batch) * job.spec.sample
    width, layers = getattr(model, "width", 0), getattr(model, "layers", 0)
    vocabulary = getattr(model, "vocabulary", 0)
    return STATE * model.parameters() + 4.0 * tokens * (PER_WIDTH * width * layers + PER_WORD * vocabulary)
