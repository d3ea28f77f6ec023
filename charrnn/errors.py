"""Every error that charrnn raises on purpose.

Each carries one line that says what is wrong, and where possible a hint: the next step to take.
"""


class CharRNNError(Exception):
    """Base class of all errors raised by charrnn.

    message   one line that says what is wrong
    hint      the next step to take, or None; also the attribute ``hint`` and the last line of a
              traceback
    """

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        if hint:
            self.add_note(hint)


class ConfigError(CharRNNError):
    """A setting is out of range, or two settings contradict each other."""


class CorpusError(CharRNNError):
    """A text cannot be read, decoded or used for training."""


class VocabularyError(CharRNNError):
    """A text has unknown characters, or an id is out of range of the vocabulary."""


class CheckpointError(CharRNNError):
    """A file is not a charrnn checkpoint, is damaged, or cannot be written."""


class TrainingError(CharRNNError):
    """Training or sampling cannot go on.

    The loss, a gradient, a weight or the logits are not finite, a worker process died, or the model
    does not fit in memory.
    """
