"""The only road from an id in a request to a row. What you may not see does not exist.

Every view declares whom it admits with `@admits(...)`. The functions below read that
declaration, so that what is declared is what is enforced.
"""

from functools import wraps

from django.contrib.auth.decorators import login_not_required
from django.http import Http404

from annotation.models import (
    Annotation,
    Assignment,
    Codebook,
    CodebookNote,
    Estimate,
    MachineAnnotator,
    Membership,
    Project,
    Release,
    Round,
    RoundAnnotator,
    Sample,
    SampleImport,
)

ANYONE = "anyone"  # also without signing in
SIGNED_IN = "signed_in"
SUPERUSER = "superuser"  # runs the instance
MANAGING = "managing"  # manages some project, or runs the instance
MANAGER, ADJUDICATOR, ANNOTATOR = Membership.Role.values
MEMBER = (MANAGER, ADJUDICATOR, ANNOTATOR)


def admits(*roles):
    """Declare who may call a view. A view without it fails the build."""

    def declare(view):
        @wraps(view)
        def admitted(request, *args, **kwargs):
            user = request.user
            if SUPERUSER in roles and not user.is_superuser:
                raise Http404
            if MANAGING in roles and not user.may_manage_something():
                raise Http404
            request.admits = roles
            return view(request, *args, **kwargs)

        admitted.roles = roles
        return login_not_required(admitted) if ANYONE in roles else admitted

    return declare


def id_in(text):
    """The id that a parameter names, or None; a number that no column holds names none."""
    return int(text) if text.isdecimal() and len(text) < 19 else None


def projects_for(user):
    """The projects in which the user has any role, newest first."""
    return Project.objects.filter(memberships__user=user, archived_at=None).order_by("-pk")


def project_for(request, project_id):
    """The project, if the user has one of the roles that the view admits."""
    project = _one(
        Project.objects.filter(
            memberships__user=request.user, memberships__role__in=request.admits
        ),
        project_id,
    )
    request.role = role_in(request.user, project)
    return project


def role_in(user, project):
    """The user's role in the project, or None."""
    return project.memberships.filter(user=user).values_list("role", flat=True).first()


def of_project(request, queryset, pk):
    """A row with a `project`, if the user has one of the admitted roles in it."""
    row = _one(
        queryset.select_related("project").filter(
            project__memberships__user=request.user,
            project__memberships__role__in=request.admits,
        ),
        pk,
    )
    request.role = role_in(request.user, row.project)
    return row


def codebook_for(request, codebook_id):
    """An edition; drafts exist only for managers."""
    codebook = of_project(request, Codebook.objects.all(), codebook_id)
    if not codebook.is_published and request.role != MANAGER:
        raise Http404
    return codebook


def codebook_note_for(request, note_id):
    return of_project(request, CodebookNote.objects.all(), note_id)


def sample_for(request, sample_id):
    return of_project(request, Sample.objects.visible(), sample_id)


def import_for(request, import_id):
    return of_project(request, SampleImport.objects.all(), import_id)


def machine_for(request, machine_id):
    return of_project(request, MachineAnnotator.objects.all(), machine_id)


def estimate_for(request, estimate_id):
    """One kept figure, which stands for its batch."""
    kept = Estimate.objects.select_related("codebook", "machine")
    return of_project(request, kept, estimate_id)


def release_for(request, release_id):
    return of_project(request, Release.objects.all(), release_id)


def round_for(request, round_id):
    """A round that is no longer being drawn; before it is opened, for managers only. Annotators
    see those that they were asked into."""
    round_ = of_project(request, Round.objects.written(), round_id)
    if request.role != MANAGER and round_.state == Round.State.DRAWN:
        raise Http404
    if request.role == ANNOTATOR and not round_.seats.filter(user=request.user).exists():
        raise Http404
    return round_


def seat_for(request, assignment_id):
    """Any seat of the projects in which the user has one of the admitted roles."""
    seats = Assignment.objects.select_related("round__project", "round_item")
    return _one(_admitted(request, seats, "round__"), assignment_id)


def own_seat(request, round_id):
    """The user's place in a round that they were asked into; its `round` comes with it."""
    places = RoundAnnotator.objects.select_related("round__project", "round__codebook")
    begun = places.filter(user=request.user, round__state__in=Round.BEGUN)
    return _one(_admitted(request, begun, "round__"), round_id, "round__pk")


def own_assignment(request, assignment_id):
    """A seat in a round that the user was asked into. Whether they hold it, or held it until
    its lease ran out, is for the action to say."""
    seats = Assignment.objects.filter(round__seats__user=request.user).select_related(
        "round__project", "round__codebook", "round_item__sample"
    )
    return _one(_admitted(request, seats.with_suggestion(), "round__"), assignment_id)


def own_annotation(request, annotation_id):
    """An answer that the user gave in a round that they are still asked into."""
    answers = Annotation.objects.filter(
        annotator=request.user, round_item__round__seats__user=request.user
    ).select_related(
        "assignment",
        "round_item__round__project",
        "round_item__round__codebook",
        "round_item__sample",
        "sample",
    )
    return _one(_admitted(request, answers, "round_item__round__"), annotation_id)


def _admitted(request, rows, to_round):
    """Those rows in whose project the user has one of the roles that the view admits."""
    return rows.filter(
        **{
            f"{to_round}project__memberships__user": request.user,
            f"{to_round}project__memberships__role__in": request.admits,
        }
    )


def _one(queryset, pk, by="pk"):
    try:
        return queryset.get(**{by: pk})
    except queryset.model.DoesNotExist:
        raise Http404 from None
