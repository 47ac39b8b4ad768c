"""What someone asks to have exported. Light: web processes load this, and not the writers."""

from dataclasses import asdict, dataclass
from typing import Any

from django.db.models.functions import Length
from django.utils.translation import gettext as _

from annotation.models import Project, Release, Sample

XLSX_ROWS = 1_048_575  # below the head, by Microsoft's specification of Excel
XLSX_CHARACTERS = 32_767  # a cell
XLSX_COLUMNS = 16_384


class ExportRefused(ValueError):
    """The export cannot be made as asked; the message names the limit and another way."""


@dataclass(frozen=True)
class Wanted:
    """The options of an export; what is left out does not matter."""

    format: str
    only_final: bool = False  # only samples that have a final label
    split: str = ""
    origin: str = ""
    machine: int | None = None  # whose suggestions; the newest that has any
    raw: bool = False  # cells as they are, without a guard against formulas
    names: bool = False  # user names in place of pseudonyms
    corrected: bool = True  # a student's labels in place of those of the machine it learned from

    @classmethod
    def of(cls, release: Release) -> "Wanted":
        return cls(release.format, **release.options)

    def options(self) -> dict[str, Any]:
        """Everything but the format, as a release stores it."""
        stated = asdict(self)
        del stated["format"]
        return stated

    def samples(self, project: Project, using: str = "default"):
        samples = Sample.objects.using(using).filter(project=project)
        if self.split:
            samples = samples.filter(split=self.split)
        if self.origin:
            samples = samples.filter(origin=self.origin)
        return samples


def check_limits(project: Project, wanted: Wanted, using: str = "default") -> None:
    """Refuse before anything is written what a workbook cannot hold."""
    if wanted.format != Release.Format.XLSX:
        return
    samples = wanted.samples(project, using).visible()
    rows = samples.count()
    if rows > XLSX_ROWS:
        raise ExportRefused(
            _(
                "An Excel workbook holds %(limit)s rows and this export has %(rows)s. Choose CSV "
                "or Parquet, or one split."
            )
            % {"limit": f"{XLSX_ROWS:,}", "rows": f"{rows:,}"}
        )
    # `text` holds every field, so that most samples need no second look.
    long = samples.annotate(size=Length("text")).filter(size__gt=XLSX_CHARACTERS)
    for pk, fields in long.order_by("pk").values_list("pk", "fields").iterator(chunk_size=100):
        for name, text in fields.items():
            if len(text) > XLSX_CHARACTERS:
                raise too_long(pk, name, len(text))


def too_long(sample_id: int, column: str, length: int) -> ExportRefused:
    return ExportRefused(
        _(
            "A cell of an Excel workbook holds %(limit)s characters and “%(column)s” of sample "
            "%(sample)s has %(length)s. Choose CSV, Parquet or JSON Lines."
        )
        % {
            "limit": f"{XLSX_CHARACTERS:,}",
            "column": column,
            "sample": sample_id,
            "length": f"{length:,}",
        }
    )
