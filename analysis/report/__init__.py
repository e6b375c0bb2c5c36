"""Pages that open from disk and load nothing from elsewhere.

- `write.py`    the report: what reproduces, from `facts.py`
- `compare.py`  runs beside each other, from `comparison.py` and `seen.py`; `live.py` while they go on
- `sweep.py`    a sweep: its table and drawings, and its runs
- `render.py`   templates; `words.py` numbers and verdicts as they are written
"""
