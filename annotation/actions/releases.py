"""Asking for a release, and where its file lies; `release_writing` is what workers do."""

from pathlib import Path

from django.conf import settings

from annotation.exports.wanted import Wanted, check_limits
from annotation.models import Project, Release, User


def request_release(project: Project, wanted: Wanted, created_by: User) -> Release:
    """Put it in line. Raises ExportRefused at once where the format cannot hold the project."""
    check_limits(project, wanted)
    return Release.objects.create(
        project=project,
        codebook=project.edition(),
        format=wanted.format,
        options=wanted.options(),
        created_by=created_by,
    )


def file_of(release: Release) -> Path:
    """Where the finished file lies; the name was made here and never comes from a request."""
    return settings.RELEASE_DIR / release.path


def download_name(release: Release) -> str:
    """What the browser saves it as: no word of the project in it, so no trick either."""
    suffix = "".join(Path(release.path).suffixes)
    return f"synthlab-project-{release.project_id}-release-{release.pk}{suffix}"
