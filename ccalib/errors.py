"""The one exception that ccalib raises for bad input."""


class CcaError(Exception):
    """Something outside the program is wrong: a file, an option, a missing weight.

    The message names the file and the field, and says what to do. Programming errors stay ordinary exceptions.
    """
