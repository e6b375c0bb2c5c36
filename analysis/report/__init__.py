"""The report: what reproduces, on pages that open from disk and load nothing from elsewhere."""
