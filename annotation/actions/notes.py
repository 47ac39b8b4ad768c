"""Notes for the codebook, taken while reading samples."""

from annotation.models import Codebook, CodebookNote, Sample, User


def add_note(
    codebook: Codebook, author: User, text: str, label_slug: str = "", sample: Sample | None = None
) -> CodebookNote:
    """A note on an edition. Sent twice by the same person while it is open, it is one note."""
    return CodebookNote.objects.get_or_create(
        project=codebook.project,
        codebook=codebook,
        author=author,
        text=text,
        label_slug=label_slug,
        sample=sample,
        closed_at=None,
    )[0]
