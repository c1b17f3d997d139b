"""Several files of one format as one source."""

from __future__ import annotations

import importlib
import re
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from leafshap.batch.sources.chunk import Chunk, FileReader, Position, Reject
from leafshap.batch.sources.listing import InputFile
from leafshap.batch.sources.schemas import common_schema, goes_with
from leafshap.errors import InvalidInputError
from leafshap.integers import at_least

if TYPE_CHECKING:
    import pyarrow as pa

# (file, its name, types of the columns that earlier files told) -> reader
Opener = Callable[[InputFile, dict[str, Any]], FileReader]


class FileSource:
    """A `Source` of files; see there.

    Parameters
    ----------
    format : str
    files : list of InputFile
    """

    def __init__(self, format: str, files: list[InputFile]) -> None:
        open_file = _opener(format)
        self._inputs = files
        self._readers: list[FileReader | InvalidInputError] = []
        known: dict[str, Any] = {}
        for file in files:
            try:
                self._readers.append(_reading(file.name, partial(open_file, file, known)))
            except InvalidInputError as error:
                self._readers.append(error)
        readers = [reader for reader in self._readers if not isinstance(reader, InvalidInputError)]
        if not readers:
            assert isinstance(self._readers[0], InvalidInputError)
            raise self._readers[0]
        self.files = [file.name for file in files]
        in_files = {name for reader in readers for name in reader.schema.names}
        self._partitions = {
            name: kind for name, kind in _partition_types(files).items() if name not in in_files
        }
        self.schema = self._whole_schema()
        counts = [reader.n_rows for reader in readers]
        self.n_rows = None if None in counts else sum(count or 0 for count in counts)

    def fingerprint(self) -> list[list[str | int]]:
        """Tell path, size and time of change of every file."""
        paths = [file.path.resolve() for file in self._inputs]
        states = [(str(path), path.stat()) for path in paths]
        return [[name, state.st_size, state.st_mtime_ns] for name, state in states]

    def expect(
        self,
        *,
        numbers: Collection[str],
        text: Collection[str] = (),
        keys: Collection[str] = (),
    ) -> None:
        """See `leafshap.batch.sources.chunk.Source`."""
        from leafshap.batch.sources.csv import CsvFile

        readers = [reader for reader in self._readers if isinstance(reader, CsvFile)]
        if not readers:
            return
        text = set(text).difference(numbers)
        keys = set(keys).difference(numbers, text)
        known: dict[str, Any] = {}
        for reader in readers:
            reader.expect(frozenset(numbers), text, keys, known)
        self.schema = self._whole_schema()

    def chunks(
        self,
        columns: list[str],
        batch_rows: int,
        start: Position | None = None,
        *,
        rejects: bool = False,
        exact: Collection[str] = (),
    ) -> Iterator[Chunk]:
        """See `leafshap.batch.sources.chunk.Source`."""
        import pyarrow as pa

        at_least(1, batch_rows, "batch_rows")
        present = set(self.schema.names)
        for name in columns:
            if name not in present:
                raise InvalidInputError(f"{self.files[0]}: there is no column {name!r}")
        wanted = pa.schema([self.schema.field(name) for name in columns])
        start = dict(start or {})
        first = start.pop("file", 0)
        faults = [self._fault(index, wanted) for index in range(first, len(self.files))]
        if not rejects:
            found = next((fault for fault in faults if fault is not None), None)
            if found is not None:  # before hours of work, not after
                raise InvalidInputError(str(found))
        for index, fault in enumerate(faults, first):
            if fault is not None:
                yield _nothing(wanted, self.files[index], fault, index + 1)
                continue
            yield from self._file_chunks(index, wanted, batch_rows, start, rejects, exact)
            start = {}

    def _whole_schema(self) -> pa.Schema:
        """All columns, those that folders tell last."""
        import pyarrow as pa

        readers = [reader for reader in self._readers if not isinstance(reader, InvalidInputError)]
        schema = common_schema([reader.schema for reader in readers])
        of_folders = [pa.field(*item) for item in self._partitions.items()]
        return pa.schema([*schema, *of_folders], metadata=schema.metadata)

    def _file_chunks(
        self,
        index: int,
        wanted: pa.Schema,
        batch_rows: int,
        start: Position,
        rejects: bool,
        exact: Collection[str],
    ) -> Iterator[Chunk]:
        import pyarrow as pa

        reader = self._readers[index]
        assert not isinstance(reader, InvalidInputError)
        own = [field for field in wanted if field.name not in self._partitions]
        if not own:  # only the number of rows is of interest
            own = [self.schema.field(reader.schema.names[0])]
        as_read, name = own == list(wanted), self.files[index]
        chunks = reader.chunks(
            pa.schema(own), batch_rows, start, rejects=rejects, exact=frozenset(exact)
        )
        while True:
            try:
                chunk = _reading(name, lambda: next(chunks, None))
            except InvalidInputError as error:
                if not rejects:
                    raise
                reason = str(error).removeprefix(f"{name}: ").removeprefix(f"{name}, ")
                yield _nothing(wanted, name, Reject(name, None, None, reason), index + 1)
                return
            if chunk is None:
                return
            batch = chunk.batch
            if not as_read:
                batch = self._with_partitions(batch, wanted, self._inputs[index].partitions)
            yield replace(chunk, batch=batch, next={"file": index, **chunk.next})

    def _fault(self, index: int, wanted: pa.Schema) -> Reject | None:
        """Tell why a file cannot give the wanted columns."""
        reader, name = self._readers[index], self.files[index]
        if isinstance(reader, InvalidInputError):
            return Reject(name, None, None, str(reader).removeprefix(f"{name}: "))
        counts = Counter(reader.schema.names)
        for field in wanted:
            if field.name in self._partitions:
                if field.name not in self._inputs[index].partitions:
                    return Reject(name, None, field.name, "its folders do not tell this column")
                continue
            count = counts[field.name]
            if count != 1:
                what = "there is no such column" if count == 0 else f"there are {count} of it"
                return Reject(name, None, field.name, f"{what} in this file")
            kind = reader.schema.field(field.name).type
            if not goes_with(kind, field.type):
                return Reject(
                    name, None, field.name, f"it is {kind} here, but {field.type} in other files"
                )
        return None

    def _with_partitions(
        self, batch: pa.RecordBatch, wanted: pa.Schema, values: dict[str, str | None]
    ) -> pa.RecordBatch:
        """Put the columns that folders tell among those of the file."""
        import pyarrow as pa

        arrays, fields = [], []
        for field in wanted:
            if field.name in self._partitions:
                arrays.append(_repeated(values[field.name], field.type, batch.num_rows))
                fields.append(field)
            else:
                index = batch.schema.get_field_index(field.name)
                arrays.append(batch.column(index))
                fields.append(batch.schema.field(index))
        return pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _opener(format: str) -> Opener:
    """Give the function that opens a file of a format."""
    modules = {"parquet": "parquet", "csv": "csv", "tsv": "csv", "arrow": "arrow", "npy": "npy"}
    module = importlib.import_module(f"leafshap.batch.sources.{modules[format]}")
    if format == "tsv":
        return partial(module.open_file, delimiter="\t")
    return module.open_file  # type: ignore[no-any-return]


def _reading(name: str, read: Callable[[], Any]) -> Any:
    """Call, and name the file in whatever goes wrong with it."""
    import pyarrow as pa

    try:
        return read()
    except InvalidInputError:
        raise
    except (pa.ArrowException, OSError, EOFError, ValueError, zlib.error) as error:
        said = str(error).partition("\n")[0] or type(error).__name__
        raise InvalidInputError(f"{name}: cannot be read ({said})") from error


def _nothing(wanted: pa.Schema, name: str, reject: Reject, next_file: int) -> Chunk:
    """Make a chunk of no rows that tells of a file's end."""
    import pyarrow as pa

    batch = pa.RecordBatch.from_pylist([], schema=wanted)
    return Chunk(batch, name, np.empty(0, np.int64), (reject,), {"file": next_file})


def _partition_types(files: list[InputFile]) -> dict[str, Any]:
    """Types of the columns that folders tell: integers where all values are, else text."""
    import pyarrow as pa

    values: dict[str, set[str]] = {}
    for file in files:
        for name, value in file.partitions.items():
            values.setdefault(name, set()).update(() if value is None else (value,))
    text = pa.dictionary(pa.int32(), pa.string())
    return {
        name: pa.int64() if all(re.fullmatch(r"[+-]?\d{1,18}", v) for v in found) else text
        for name, found in values.items()
    }


def _repeated(value: str | None, kind: pa.DataType, n: int) -> pa.Array:
    import pyarrow as pa

    if value is None:
        return pa.nulls(n, kind)
    if pa.types.is_integer(kind):
        return pa.array(np.full(n, int(value), dtype=np.int64))
    indices = pa.array(np.zeros(n, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(indices, pa.array([value], pa.string()))
