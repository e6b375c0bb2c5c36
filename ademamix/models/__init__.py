"""The networks that are trained: `transformer.py`; `sizes.py` counts them without torch."""
