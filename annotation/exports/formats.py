"""The formats of an export. One writer per file, all of them listed here."""

from annotation.exports.csv_table import Csv
from annotation.exports.dataset import Dataset
from annotation.exports.jsonl import JsonLines
from annotation.exports.parquet import Parquet
from annotation.exports.xlsx import Xlsx
from annotation.models import Release

WRITERS = {
    Release.Format.JSONL: JsonLines,
    Release.Format.CSV: Csv,
    Release.Format.PARQUET: Parquet,
    Release.Format.XLSX: Xlsx,
    Release.Format.DATASET: Dataset,
}
