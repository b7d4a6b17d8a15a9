"""Parallel text as it comes: rows, pairs of files, translation memories, catalogues, Bibles, dictionaries, hubs."""

from kivuko.data.readers.read import EMPTY_SIDE, BitextFile, BitextReader, reader_of
from kivuko.data.readers.records import BitextFormat, ReaderOptions, Record

__all__ = ["EMPTY_SIDE", "BitextFile", "BitextFormat", "BitextReader", "ReaderOptions", "Record", "reader_of"]
