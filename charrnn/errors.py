"""Every error that charrnn raises on purpose.

Each carries one line that says what is wrong, and where possible a hint: the next step to take.
"""


class CharRNNError(Exception):
    """Base of all errors raised by charrnn."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class ConfigError(CharRNNError):
    """A setting is out of range, or two settings contradict each other."""


class UnknownSettingError(ConfigError):
    """A stored config has a setting that this version does not know."""


class CorpusError(CharRNNError):
    """A text cannot be read, decoded or used for training."""


class VocabularyError(CharRNNError):
    """A text holds characters that the vocabulary does not."""


class CheckpointError(CharRNNError):
    """A file is not a charrnn checkpoint, is damaged, or cannot be written."""


class TrainingError(CharRNNError):
    """Training cannot go on: the loss is no longer a finite number."""
