"""Creates a prepared file from published archives: fetch, verify, unpack, count, decode and write.

Preparation can be killed and resumed: archives and unpacked folders are created atomically, and decoded images are
stored in chunks that the next call reuses.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
from joblib import cpu_count

from trainables.errors import DataError
from trainables.files.durable import digest_of
from trainables.interfaces.dataset import Progress
from trainables.preparation import sources
from trainables.preparation.archives import PublishedFile, exclusive
from trainables.preparation.arrow_file import (
    MARK,
    PARTS,
    Description,
    PreparedFile,
    arrow_writer,
    batch_of,
    digest_of_batch,
)
from trainables.preparation.decoding import decode
from trainables.preparation.extraction import unpack
from trainables.preparation.recipes import Listing, Recipe

CHUNK = 256
DIGEST = b"cskd.sha256"
NOTES = b"cskd.notes"


def prepare(recipe: Recipe, archives: list[Path], progress: Progress) -> None:
    """Creates the prepared file unless an intact one exists; replaces a damaged one.

    Args:
        recipe: Recipe of the data set.
        archives: Local copies of published files; others are looked up in the data set's folder, or downloaded.
        progress: Callback that receives the progress of each step.

    Raises:
        DataError: A file is missing, damaged, unsafe or not the published one, an image cannot be read, or the counts
            differ from the expected ones.
        OSError: The disk is full.
    """
    with exclusive(recipe.path.parent):
        for partial in recipe.path.parent.glob(f".{recipe.path.name}.*.tmp"):  # from a killed process
            partial.unlink()
        if good := _good(recipe.path, progress):
            shutil.rmtree(_work(recipe, good.sources), ignore_errors=True)
            return
        files = sources.located(recipe, archives)
        unproven = sources.fetch(files, progress)
        try:
            used = _make(recipe, files, progress)
        except DataError:  # downloads without a published checksum may be wrong: the next call fetches them again
            for path in unproven:
                path.unlink()
            raise
        sources.remember(recipe, used)
        shutil.rmtree(_work(recipe, used))


def _work(recipe: Recipe, used: dict[str, str]) -> Path:
    """Returns the folder of intermediate files; depends on the recipe and the digests of the source files."""
    key = digest_of([recipe.name, recipe.side, recipe.counts.model_dump(), used])
    return recipe.path.parent / f".preparing-{key}"


def _make(recipe: Recipe, files: dict[PublishedFile, Path], progress: Progress) -> dict[str, str]:
    """Creates the prepared file; returns the SHA-256 of each source file."""
    used = {file.name: sources.verified(file, path, recipe, progress) for file, path in files.items()}
    work = _work(recipe, used)
    try:
        unpacked = _unpacked(files, recipe.wanted, work, progress)
        listing = recipe.listing(unpacked)
        _check_counts(recipe, listing)
        description = Description(
            recipe.name, listing.classes, listing.groups, listing.counts, recipe.side, recipe.part, used, {}
        )
        _assemble(recipe, description, _chunks(listing, unpacked, recipe.side, work, progress), progress)
    except DataError:  # the source files are wrong; others get another folder
        shutil.rmtree(work, ignore_errors=True)
        raise
    return used


def _good(path: Path, progress: Progress) -> Description | None:
    if not path.exists():
        return None
    try:
        return verify(path, progress)
    except DataError:
        return None


def verify(path: Path, progress: Progress) -> Description:
    """Verifies every byte of a prepared file and returns its description.

    Raises:
        DataError: The file is missing or damaged.
    """
    opened = PreparedFile(path, "prepare it again")
    for number, part in enumerate(PARTS):
        progress("verify", number, len(PARTS))
        opened.read(part, memory_limit=path.stat().st_size)
    return opened.description


def _unpacked(files: dict[PublishedFile, Path], wanted: Callable[[str], bool], work: Path, progress: Progress) -> Path:
    """Unpacks the source files into a folder, which is created atomically; returns the folder."""
    folder = work / "unpacked"
    if folder.exists():
        return folder
    partial = work / "unpacking"
    shutil.rmtree(partial, ignore_errors=True)
    for number, (file, path) in enumerate(files.items()):
        progress(f"unpack {file.name}", number, len(files))
        target = partial / file.into
        if file.packed:
            unpack(path, target, wanted)
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target / file.name)
    partial.rename(folder)
    return folder


def _check_counts(recipe: Recipe, listing: Listing) -> None:
    if listing.counts == recipe.counts:
        return
    cure = (
        "correct --expect" if recipe.part else "fetch the published files, or give the counts of a part with --expect"
    )
    raise DataError(f"{recipe.name}: the files contain {listing.counts}, not {recipe.counts}; {cure}")


def _chunks(
    listing: Listing, unpacked: Path, side: int | None, work: Path, progress: Progress
) -> dict[str, list[Path]]:
    """Decodes the images into chunk files and returns these by part; uses threads, as Pillow releases the GIL."""
    folder = work / "chunks"
    folder.mkdir(exist_ok=True)
    wanted: list[tuple[Path, list[tuple[str, int]]]] = []
    chunks: dict[str, list[Path]] = {}
    for part in PARTS:
        rows: list[tuple[str, int]] = getattr(listing, part)
        cuts = [rows[start : start + CHUNK] for start in range(0, len(rows), CHUNK)]
        chunks[part] = [folder / f"{part}-{number:05}.arrow" for number in range(len(cuts))]
        wanted += zip(chunks[part], cuts, strict=True)
    total, done = len(listing.train) + len(listing.test), 0
    with ThreadPoolExecutor(cpu_count()) as pool:
        for count in pool.map(lambda each: _decode_chunk(unpacked, side, *each), wanted):
            done += count
            progress("decode", done, total)
    return chunks


def _decode_chunk(unpacked: Path, side: int | None, path: Path, rows: list[tuple[str, int]]) -> int:
    """Decodes images into the chunk at ``path`` unless an intact one exists; returns the number of images."""
    with suppress(DataError):
        _read_chunk(path)
        return len(rows)
    decoded = [decode(unpacked / name, side) for name, _ in rows]
    notes = Counter(note for each in decoded for note in each.notes)
    batch = batch_of([name for name, _ in rows], [label for _, label in rows], [each.pixels for each in decoded])
    with arrow_writer(path, {DIGEST: digest_of_batch(batch), NOTES: json.dumps(notes)}) as writer:
        writer.write(batch)
    return len(rows)


def _read_chunk(path: Path) -> pa.RecordBatch:
    """Reads the batch of a chunk.

    Raises:
        DataError: The chunk is missing or damaged.
    """
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(path)))
        batch, marks = reader.get_batch(0), reader.schema.metadata
        batch.validate(full=True)
        if digest_of_batch(batch) == marks[DIGEST].decode():
            return batch
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is missing or damaged ({error})") from error
    raise DataError(f"{path} is damaged; prepare the data again")


def _assemble(recipe: Recipe, description: Description, chunks: dict[str, list[Path]], progress: Progress) -> None:
    notes: Counter[str] = Counter()
    digests: dict[str, tuple[str, ...]] = {}
    for part, paths in chunks.items():
        marks = [pa.ipc.open_file(pa.memory_map(str(path))).schema.metadata for path in paths]
        digests[part] = tuple(each[DIGEST].decode() for each in marks)
        for each in marks:
            notes.update(json.loads(each[NOTES]))
    whole = replace(description, notes=dict(notes), train=digests["train"], test=digests["test"])
    ordered = [path for part in PARTS for path in chunks[part]]
    with arrow_writer(recipe.path, {MARK: whole.to_json()}) as writer:
        for number, path in enumerate(ordered):
            writer.write(_read_chunk(path))
            progress("write", number + 1, len(ordered))
