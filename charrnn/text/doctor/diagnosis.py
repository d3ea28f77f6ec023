"""The doctor's two services: what is wrong with a text, and the text without it."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from charrnn.errors import CorpusError
from charrnn.text.doctor.checks import findings
from charrnn.text.doctor.examined import BOMS, Examined, examine, readable
from charrnn.text.doctor.finding import Finding
from charrnn.text.doctor.guess import damage, encoding_finding, guesses, wide_encoding
from charrnn.text.doctor.repairs import SAFE, Mender
from charrnn.text.reading import Reader, opened

BEGINNING = 4096


@dataclass(frozen=True)
class Diagnosis:
    """What is wrong with a text.

    text       the text as it was read; None if it cannot be decoded
    findings   faults first
    """

    text: Examined | None
    findings: tuple[Finding, ...]


@dataclass(frozen=True)
class _Undecodable:
    """A file that cannot be decoded, as what to say of it; and encodings to try."""

    finding: Finding
    encodings: tuple[str, ...]


def diagnose(sources: Sequence[str], encoding: str = "utf-8") -> Diagnosis:
    """Say what is wrong with a text.

    sources    paths, read one after the other; "-" is standard input
    encoding   of the files. If it does not fit, the text is read in the one that fits best, and a
               finding says so

    Raises CorpusError for a file that cannot be read, ConfigError for an unknown encoding.
    """
    with readable(sources) as paths:
        wrong = _undecodable(paths, sources, encoding)
        if wrong is None:
            text = examine(paths, sources, encoding=encoding)
            return Diagnosis(text, tuple(findings(text)))
        for fitting in wrong.encodings:
            if _undecodable(paths, sources, fitting) is None:
                text = examine(paths, sources, encoding=fitting)
                return Diagnosis(text, (wrong.finding, *findings(text)))
        return Diagnosis(None, (wrong.finding,))


@contextmanager
def mending(
    sources: Sequence[str], encoding: str = "utf-8", names: Collection[str] = tuple(SAFE)
) -> Iterator[tuple[Iterator[str], Mender]]:
    """Give the pieces of a text without its faults, and the mender, which counts them.

    names   of the repairs

    Raises CorpusError for a file that cannot be read or decoded, before the first piece;
    ConfigError for an unknown encoding.
    """
    mender = Mender(names)
    with readable(sources) as paths:
        wrong = _undecodable(paths, sources, encoding)
        if wrong is not None:
            place = wrong.finding.place
            name = f"{place.source}: " if place else ""
            raise CorpusError(f"{name}{wrong.finding.message}", hint=wrong.finding.next)
        yield mender.mended(_pieces(paths, encoding, mender)), mender


def _pieces(paths: Sequence[str], encoding: str, mender: Mender) -> Iterator[str]:
    reader = Reader(encoding)
    for path in paths:
        if encoding.startswith("utf-8") and _beginning(path).startswith(BOMS):
            if "bom" in mender.names:
                mender.count("bom", 1)
            else:
                yield "\ufeff"  # the reader takes it off
        yield from reader.pieces(path)


def _undecodable(paths: Sequence[str], names: Sequence[str], encoding: str) -> _Undecodable | None:
    """Return what is wrong with the first file that is not in this encoding, or None."""
    for path, name in zip(paths, names, strict=True):
        wide = wide_encoding(_beginning(path)) if encoding == "utf-8" else None
        if wide is None:
            try:
                for _ in Reader(encoding).pieces(path):
                    pass
                continue
            except CorpusError as error:
                if not isinstance(error.__cause__, UnicodeError):
                    raise
        if encoding == "utf-8" and (found := damage(path, name)) is not None:
            return _Undecodable(found, ())
        fitting = guesses(path)
        finding = encoding_finding(path, name, fitting, encoding, alone=len(paths) == 1)
        return _Undecodable(finding, tuple(guess.encoding for guess in fitting))
    return None


def _beginning(path: str) -> bytes:
    with opened(path) as stream:
        return stream.read(BEGINNING)
