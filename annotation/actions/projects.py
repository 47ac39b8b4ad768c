"""Making projects."""

from django.db import transaction

from annotation.actions.codebooks import publish, replace_draft
from annotation.models import Codebook, Membership, Project


@transaction.atomic
def create_project(*, name, task_type, created_by, language="en", description=""):
    """A project with its manager and an empty first draft of a codebook."""
    project = Project.objects.create(
        name=name,
        task_type=task_type,
        language=language,
        description=description,
        created_by=created_by,
    )
    Membership.objects.create(project=project, user=created_by, role=Membership.Role.MANAGER)
    Codebook.objects.create(project=project, number=1, created_by=created_by)
    return project


@transaction.atomic
def create_project_with_codebook(rules, *, created_by, **fields):
    """A project whose first edition is published at once; raises CannotPublish."""
    project = create_project(created_by=created_by, **fields)
    draft = replace_draft(project, rules, created_by)
    draft.refresh_from_db()
    return project, publish(draft, version=draft.version, published_by=created_by)
