"""The same GPT-2 with random weights through lm-eval's own wrapper of transformers, and through ours."""

import json
import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from ademamix.data.tokenizer import BytePairs
from ademamix.evaluation.scoring import log_likelihoods

MISSING = "uv pip install -e '.[eval,peers]'"
transformers = pytest.importorskip("transformers", reason=MISSING)
for name in ("accelerate", "lm_eval"):
    pytest.importorskip(name, reason=MISSING)

POSITIONS = 48
CPU = torch.device("cpu")


class Logits(nn.Module):
    """A model of transformers as our models are: tokens → logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        return self.model(tokens).logits  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE like GPT-2's, with a blank before words."""
    import tokenizers

    level = tokenizers.pre_tokenizers.ByteLevel
    made = tokenizers.Tokenizer(tokenizers.models.BPE())
    made.pre_tokenizer, made.decoder = level(add_prefix_space=False), tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=level.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator([Path(__file__).read_text()], trainer)
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    made.save(str(path))
    return path


@pytest.fixture(scope="module")
def both(learnt: Path):  # type: ignore[no-untyped-def]
    """lm-eval's HFLM, and ours, around one module."""
    from lm_eval.models.huggingface import HFLM

    from ademamix.evaluation.harness import Harnessed

    logging.getLogger("lm_eval").setLevel(logging.ERROR)
    torch.manual_seed(0)
    text = BytePairs(learnt)
    config = transformers.GPT2Config(
        vocab_size=text.vocabulary, n_positions=POSITIONS, n_embd=32, n_layer=2, n_head=2,
        initializer_range=0.3, bos_token_id=text.separator, eos_token_id=text.separator,
    )  # fmt: skip
    model = transformers.GPT2LMHeadModel(config).eval()
    theirs = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(learnt),
        eos_token="<|endoftext|>",
        bos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
    )
    ours = Harnessed(lambda pairs: log_likelihoods(Logits(model), pairs, POSITIONS, CPU, size=3), text)
    return HFLM(model, tokenizer=theirs, batch_size=4, device="cpu"), ours


# (context, continuation): with a blank before the answer and at the end of the context, no context, a context
# that several share, continuations that share all but their last token, too long for the model.
REQUESTS = [
    ("What follows from a model?", " An answer"),
    ("What follows from a model?", " Another"),
    ("What follows from a model? ", "An answer"),
    ("def forward(", "self, tokens: Tensor)"),
    ("def forward(", "self, tokens: Tensor,"),
    ("def forward(", "self"),
    ("", "import torch"),
    ("a", " b"),
    ("naïve café — ", "日本"),
    ("The same words again, " * 12, "and their end."),
    ("word " * 40, "one two three"),
    ("short", " " + "long " * 8),
]


def test_log_likelihoods_are_those_of_lm_evals_own_wrapper(both) -> None:  # type: ignore[no-untyped-def]
    from lm_eval.api.instance import Instance

    asked = [Instance("loglikelihood", {}, pair, number) for number, pair in enumerate(REQUESTS)]
    theirs, ours = (model.loglikelihood(asked, disable_tqdm=True) for model in both)
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in theirs]
    for (pair, (mine, _)), (other, _) in zip(zip(REQUESTS, ours, strict=True), theirs, strict=True):
        assert mine == pytest.approx(other, rel=1e-5, abs=1e-5), pair
    # The third question is the first: blanks at the end of a context belong to the answer.
    assert len({round(mine, 3) for mine, _ in ours}) == len(REQUESTS) - 1


def test_answers_to_a_task_are_the_same(both, monkeypatch, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Through the whole of lm-eval: its prompts, its metrics, each question."""
    import datasets

    from ademamix.evaluation.harness import asked_of

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    lines = [line for line in Path(__file__).read_text().splitlines() if len(line.split()) > 5]
    rows = [
        {"context": line[:-12], "choices": [lines[i - k][-12:] for k in range(4)], "answer": 0}
        for i, line in enumerate(lines)
    ]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    task = {
        "task": "lines", "dataset_path": "json", "test_split": "test", "output_type": "multiple_choice",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "rows.jsonl")}},
        "doc_to_text": "{{context}}", "doc_to_choice": "choices", "doc_to_target": "answer",
        "metric_list": [
            {"metric": m, "aggregation": "mean", "higher_is_better": True} for m in ("acc", "acc_norm")
        ],
    }  # fmt: skip
    theirs, ours = (asked_of(model, "lines", definition=task) for model in both)
    assert ours == theirs
    assert 0 < ours.acc < 1
    assert len(ours.right) > 30
