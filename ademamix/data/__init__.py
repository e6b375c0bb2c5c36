"""Text as token folders, and the stateless sampler over them.

- `tokens.py`    a folder of memory-mapped token shards with a manifest: writing and reading
- `sources.py`, `pysource.py`  where text comes from, listed; `documents.py` reads it, `splits.py` divides it
- `tokenizer.py`, `tokenizer_training.py`  text → tokens; new tokenizers
- `prepare.py`, `shards.py`, `workers.py`  a source → a token folder, stopped and gone on with at any time
- `token_files.py`  other projects' token files → a token folder
- `trust.py`, `catalogue.py`  whether a folder holds what it says; what folders there are
- `sampler.py`   the windows of update t as a pure function of (seed, t)
- `locate.py`    the folder that a spec's data lives in, made at first use where it can be
"""
