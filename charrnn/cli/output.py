"""What can happen to standard output, as exceptions that ``main`` turns into exit codes."""


class OutputClosedError(Exception):
    """The reader of a pipe has seen enough: not an error, ``charrnn sample | head`` ends so."""


class OutputFailedError(Exception):
    """Standard output cannot take what is written: a full disk, a closed descriptor."""
