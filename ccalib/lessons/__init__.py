"""The lessons' room: widgets, plots, and the command that builds the notebooks (`python -m ccalib.lessons.build`)."""
