"""Evaluation in context: how often a language model finds the right one of several continuations likeliest.

- `choices.py`   a question with its choices, and what a model's answers come to (no torch)
- `local.py`     three tasks made from the held-out part of `pysource`; nothing is fetched (no torch)
- `scoring.py`   the log-likelihoods of continuations
- `harness.py`   tasks of lm-eval, the extra `eval`
- `hub.py`       whether the hub that their data comes from answers
- `cost.py`      what asking costs, for plans (no torch)
- `measure.py`   one task, one model: what `Accuracy` observes
"""
