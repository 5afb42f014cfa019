"""The lessons' room: widgets, plots, and the command that builds the notebooks (`python -m ccalib.lessons.build`)."""

import warnings

# compressai compiles a function on import with what newer torch calls deprecated; a reader can do nothing about it
warnings.filterwarnings("ignore", message=".*torch.jit.script.* is deprecated", category=FutureWarning)
