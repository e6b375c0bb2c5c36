"""The paper as it states itself: its set-ups, what it tried, what was best. Nothing here is scaled.

- `setups.py`    what a set-up is
- `language.py`  the language models (appendix B.1), from configs/models/language
- `vision.py`    the vision transformers (appendix B.3), from configs/models/vision.yaml
- `runs.py`      a run as an experiment states it: `run("110M", ADEMAMIX, 256_000, alpha=10)`
"""
