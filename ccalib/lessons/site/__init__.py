"""The lessons as static HTML that works from file://, without network or kernel: `python -m ccalib.lessons.site`."""
