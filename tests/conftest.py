"""Fixtures: small data made in the test, a tiny run over it, scratch stores."""

import os
from pathlib import Path

# Before anything imports Triton: its kernels run in its interpreter, on CPU tensors. tests/optim/test_gpu.py
# runs them on the device, in a process of its own; tests of the loop on a GPU need TRITON_INTERPRET=0.
os.environ.setdefault("TRITON_INTERPRET", "1")

# What torch compiles is plain C++ here, in two thirds of the time: what it computes is tested, not how fast.
os.environ.setdefault("TORCHINDUCTOR_VEC_ISA_OK", "0")

# What most tests draw, one format shows; tests of formats ask for them.
os.environ.setdefault("ADEMAMIX_FORMATS", "png")

import numpy as np
import pytest
import torch
from hypothesis import settings

from ademamix.data import tokens
from ademamix.data.sets import TokenFolder
from ademamix.models import TransformerConfig
from ademamix.optimizers import AdamWConfig, AdEMAMixConfig
from ademamix.schedules import Cosine
from ademamix.tasks import LanguageRun

settings.register_profile("suite", deadline=None, max_examples=50)
settings.load_profile("suite")
torch.set_num_threads(1)

VOCABULARY = 32


def text(length: int, seed: int) -> np.ndarray:
    """Tokens with structure to learn: each is, mostly, a fixed function of the one before."""
    draw = np.random.default_rng(seed)
    found = np.zeros(length, dtype=np.uint8)
    noise = draw.random(length) < 0.1
    random = draw.integers(0, VOCABULARY, length)
    for i in range(1, length):
        found[i] = random[i] if noise[i] else (5 * int(found[i - 1]) + 1) % VOCABULARY
    return found


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with one token folder, `made-small`, in two shards."""
    root = tmp_path_factory.mktemp("data")
    splits = {
        "train": [text(9_000, 1), text(4_001, 2)],
        "validation": [text(900, 3)],
        "reserve": [text(900, 4)],
    }
    tokens.write(root / "made-small", splits, VOCABULARY, {"kind": "test"})
    return root


@pytest.fixture
def ademamix_spec() -> LanguageRun:
    """A run of milliseconds a step on the data of `data_root`."""
    return LanguageRun(
        task="language",
        model=TransformerConfig(
            kind="transformer", width=16, layers=1, heads=2, positions=16, vocabulary=VOCABULARY
        ),
        data=TokenFolder(kind="tokens", set="made", tokenizer="small"),
        optimizer=AdEMAMixConfig(
            kind="ademamix",
            lr=1e-2,
            weight_decay=0.1,
            beta3=0.99,
            alpha=4.0,
            alpha_warmup=60,
            beta3_warmup=60,
        ),
        schedule=Cosine(kind="cosine", warmup=5, horizon=60),
        batch=4,
        sequence=16,
        seed=0,
        clipping=0.5,
    )


@pytest.fixture
def adamw_spec(ademamix_spec: LanguageRun) -> LanguageRun:
    return ademamix_spec.changed(optimizer=AdamWConfig(kind="adamw", lr=1e-2, weight_decay=0.1))
