"""Text as token folders, and the stateless sampler over them.

- `tokens.py`    a folder of memory-mapped token shards with a manifest: writing and reading
- `pysource.py`  makes such a folder from the installed packages' Python sources
- `sampler.py`   the windows of update t as a pure function of (seed, t)
- `locate.py`    the folder that a spec's data lives in, made at first use where it can be
"""
