"""One folder per figure or family of figures; `lines.py` is what figures of loss curves share."""
