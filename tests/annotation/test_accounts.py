"""Signing in, single-use invitations, and who takes part in a project."""

from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils.timezone import now

from annotation.actions.accounts import (
    InvitationUsed,
    accept_invitation,
    first_manager_token,
    invite,
    network_of,
    sign_in_wait,
)
from annotation.models import Invitation, Membership, SignInAttempt, User
from tests.factories import (
    PASSWORD,
    make_annotation,
    make_annotator,
    make_manager,
    make_member,
    make_project,
    make_round,
    make_superuser,
    make_user,
)

pytestmark = pytest.mark.django_db

NEW = {"username": "newcomer", "password1": PASSWORD, "password2": PASSWORD}


def sign_in(client, user, password=PASSWORD, **more):
    return client.post("/sign-in/", {"username": str(user), "password": password, **more})


def roles(project):
    return dict(project.memberships.values_list("user__username", "role"))


# The first manager


def test_the_first_link_makes_a_superuser_who_is_signed_in(client):
    token = first_manager_token()
    assert client.get(f"/invitations/{token}/").status_code == 200
    assert client.post(f"/invitations/{token}/", NEW).url == "/"
    user = User.objects.get()
    assert (user.username, user.is_superuser) == ("newcomer", True)
    assert client.get("/").context["user"] == user


def test_only_the_hash_of_a_link_is_stored():
    token = first_manager_token()
    assert token not in Invitation.objects.get().token_hash
    assert len(token) >= 40


def test_the_first_link_works_once_and_is_not_printed_again(client):
    token = first_manager_token()
    client.post(f"/invitations/{token}/", NEW)
    again = Client().post(f"/invitations/{token}/", {**NEW, "username": "second"})
    assert again.status_code == 410
    assert User.objects.count() == 1
    assert first_manager_token() is None


def test_a_later_start_makes_the_earlier_first_link_useless(client):
    earlier, later = first_manager_token(), first_manager_token()
    assert client.get(f"/invitations/{earlier}/").status_code == 410
    assert client.get(f"/invitations/{later}/").status_code == 200


def test_the_first_link_makes_no_second_superuser_beside_one_made_by_command(client):
    token = first_manager_token()
    make_superuser()
    assert client.post(f"/invitations/{token}/", NEW).status_code == 410
    assert User.objects.count() == 1


def test_the_first_manager_takes_the_projects_that_have_none(client):
    orphan, managed = make_project(), make_project()
    token = first_manager_token()
    client.post(f"/invitations/{token}/", NEW)
    assert roles(orphan) == {"newcomer": "manager"}
    assert roles(managed) == {"newcomer": "manager"}


# Invitations


@pytest.mark.parametrize("role", Membership.Role.values)
def test_an_invitation_makes_an_account_with_its_role_and_nothing_more(client, role):
    project = make_project()
    token = invite(project, role, make_manager(project))
    page = client.get(f"/invitations/{token}/").content.decode()
    assert project.name in page
    assert client.post(f"/invitations/{token}/", NEW).url == f"/projects/{project.pk}/"
    assert roles(project)["newcomer"] == role
    assert not User.objects.get(username="newcomer").is_superuser


def test_an_invitation_works_once(client):
    project = make_project()
    token = invite(project, "annotator", make_manager(project))
    client.post(f"/invitations/{token}/", NEW)
    other = Client()
    assert other.get(f"/invitations/{token}/").status_code == 410
    assert other.post(f"/invitations/{token}/", {**NEW, "username": "b"}).status_code == 410
    assert not User.objects.filter(username="b").exists()


def test_two_who_read_the_same_link_at_once_make_one_member():
    project = make_project()
    token = invite(project, "annotator", make_manager(project))
    accept_invitation(token, User(username="first"))
    with pytest.raises(InvitationUsed):
        accept_invitation(token, User(username="second"))


def test_an_invitation_that_ran_out_or_was_made_up_opens_nothing(client):
    project = make_project()
    token = invite(project, "annotator", make_manager(project))
    Invitation.objects.update(expires_at=now() - timedelta(seconds=1))
    assert client.get(f"/invitations/{token}/").status_code == 410
    assert client.get("/invitations/made-up/").status_code == 410


def test_whoever_is_signed_in_joins_under_their_name(client):
    project, user = make_project(), make_user()
    token = invite(project, "adjudicator", make_manager(project))
    client.force_login(user)
    assert user.username in client.get(f"/invitations/{token}/").content.decode()
    assert client.post(f"/invitations/{token}/").url == f"/projects/{project.pk}/"
    assert roles(project)[user.username] == "adjudicator"


def test_a_link_can_raise_a_role_and_never_lowers_one(client):
    project = make_project()
    manager, annotator = make_manager(project), make_annotator(project)
    for user, role in ((manager, "annotator"), (annotator, "adjudicator")):
        accept_invitation(invite(project, role, manager), user)
    assert roles(project)[manager.username] == "manager"
    assert roles(project)[annotator.username] == "adjudicator"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"password2": "different horse"}, "password"),
        ({"password1": "12345678", "password2": "12345678"}, "password"),
        ({"password1": "newcomer1", "password2": "newcomer1"}, "similar"),
        ({"username": "TAKEN"}, "already exists"),
        ({"username": ""}, "required"),
    ],
)
def test_a_weak_password_or_a_taken_name_leaves_the_link_unused(client, changes, says):
    User.objects.create_user("taken")
    project = make_project()
    token = invite(project, "annotator", make_manager(project))
    answer = client.post(f"/invitations/{token}/", {**NEW, **changes})
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert Invitation.objects.usable().exists()


def test_there_is_no_registration_without_a_link(client):
    for address in ("/sign-up/", "/register/", "/accounts/signup/", "/admin/"):
        assert client.get(address).status_code == 404


def test_no_account_exists_before_the_first_link_was_used(client):
    assert not User.objects.exists()
    for name in ("admin", "manager", "synthlab", "root"):
        assert sign_in(client, name, name).status_code == 422


# Members


def test_a_manager_makes_a_link_that_is_shown_once(client):
    project = make_project()
    client.force_login(make_manager(project))
    url = f"/projects/{project.pk}/members/"
    page = client.post(url, {"role": "annotator", "note": "for Ada"}).content.decode()
    token = page.split("testserver/invitations/")[1].split("/")[0]
    assert Client().get(f"/invitations/{token}/").status_code == 200
    later = client.get(url).content.decode()
    assert "for Ada" in later
    assert token not in later


def test_a_link_with_a_role_that_does_not_exist_is_refused(client):
    project = make_project()
    client.force_login(make_manager(project))
    answer = client.post(f"/projects/{project.pk}/members/", {"role": "superuser"})
    assert answer.status_code == 422
    assert not Invitation.objects.exists()


def test_a_withdrawn_link_opens_nothing(client):
    project = make_project()
    manager = make_manager(project)
    token = invite(project, "annotator", manager)
    client.force_login(manager)
    url = f"/projects/{project.pk}/invitations/{Invitation.objects.get().pk}/withdraw/"
    assert client.post(url).status_code == 302
    assert client.post(url).status_code == 404
    assert client.get(f"/invitations/{token}/").status_code == 410


def test_only_managers_of_the_project_see_and_change_its_members(client):
    project = make_project()
    manager, annotator = make_manager(project), make_annotator(project)
    invite(project, "annotator", manager)
    base = f"/projects/{project.pk}"
    withdraw = f"{base}/invitations/{Invitation.objects.get().pk}/withdraw/"
    remove = f"{base}/members/{project.memberships.get(user=annotator).pk}/remove/"
    for user in (annotator, make_member(project, "adjudicator"), make_manager(make_project())):
        client.force_login(user)
        assert client.get(f"{base}/members/").status_code == 404
        assert client.post(f"{base}/members/", {"role": "manager"}).status_code == 404
        assert client.post(withdraw).status_code == 404
        assert client.post(remove).status_code == 404
    assert annotator.username in roles(project)
    assert Invitation.objects.usable().count() == 1


def test_whoever_is_removed_sees_nothing_more_and_their_answers_stay(client):
    project = make_project()
    manager, annotator = make_manager(project), make_annotator(project)
    round_ = make_round(project, annotators=[annotator])
    make_annotation(round_.items.first(), annotator, "yes")
    client.force_login(manager)
    membership = project.memberships.get(user=annotator)
    url = f"/projects/{project.pk}/members/{membership.pk}/remove/"
    assert client.post(url).url == f"/projects/{project.pk}/members/"
    assert client.post(url).status_code == 404
    assert project.annotations.count() == 1
    client.force_login(annotator)
    assert client.get(f"/projects/{project.pk}/").status_code == 404


def test_a_project_keeps_its_last_manager(client):
    project = make_project()
    manager = make_manager(project)
    client.force_login(manager)
    url = f"/projects/{project.pk}/members/{project.memberships.get().pk}/remove/"
    answer = client.post(url, follow=True)
    assert "keeps at least one manager" in answer.content.decode()
    other = make_manager(project)
    assert client.post(url).url == "/"
    assert roles(project) == {other.username: "manager"}


def test_a_member_of_another_project_cannot_be_removed_through_mine(client):
    mine, other = make_project(), make_project()
    client.force_login(make_manager(mine))
    make_annotator(other)
    membership = other.memberships.get()
    assert client.post(f"/projects/{mine.pk}/members/{membership.pk}/remove/").status_code == 404
    assert other.memberships.exists()


def test_the_members_page_asks_the_database_a_fixed_number_of_times(
    client, django_assert_max_num_queries
):
    project = make_project()
    manager = make_manager(project)
    for _ in range(15):
        make_annotator(project)
        invite(project, "annotator", manager)
    client.force_login(manager)
    with django_assert_max_num_queries(7):
        assert client.get(f"/projects/{project.pk}/members/").status_code == 200


# Signing in


def test_signing_in_gives_a_new_session_and_signing_out_ends_it(client):
    user = make_user()
    client.get("/sign-in/")
    session = client.session
    session["planted"] = "by an attacker"
    session.save()
    before = session.session_key
    client.cookies["sessionid"] = before
    assert sign_in(client, user).url == "/"
    after = client.cookies["sessionid"].value
    assert after != before
    stranger = Client()
    stranger.cookies["sessionid"] = before
    assert stranger.get("/").status_code == 302
    client.post("/sign-out/")
    stranger.cookies["sessionid"] = after
    assert stranger.get("/").status_code == 302


def test_a_deactivated_account_is_out_at_once(client):
    user = make_user()
    sign_in(client, user)
    User.objects.update(is_active=False)
    assert client.get("/").status_code == 302
    assert sign_in(client, user).status_code == 422


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "\t//evil.example",
    ],
)
def test_signing_in_never_leads_to_another_site(client, target):
    assert sign_in(client, make_user(), next=target).url == "/"
    assert target not in Client().get("/sign-in/", {"next": target}).content.decode()


def test_signing_in_leads_back_to_the_page_that_was_asked_for(client):
    asked = client.get("/projects/3/codebook/?x=1")
    assert asked.url == "/sign-in/?next=/projects/3/codebook/%3Fx%3D1"
    page = client.get(asked.url).content.decode()
    assert 'value="/projects/3/codebook/?x=1"' in page
    target = "/projects/3/codebook/?x=1"
    assert sign_in(client, make_user(), next=target).url == target


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(client):
    user = make_user()
    known = sign_in(client, user, "wrong").context["form"].errors
    unknown = sign_in(client, "nobody", "wrong").context["form"].errors
    assert known == unknown


def test_after_five_wrong_passwords_even_the_right_one_must_wait(client):
    user = make_user()
    for _ in range(5):
        assert sign_in(client, user, "wrong").status_code == 422
    answer = sign_in(client, user)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 30
    assert "Too many tries" in answer.content.decode()
    assert sign_in(client, str(user).upper()).status_code == 429
    assert SignInAttempt.objects.count() == 5
    SignInAttempt.objects.update(at=F("at") - timedelta(seconds=31))
    assert sign_in(client, user).status_code == 302
    assert not SignInAttempt.objects.exists()


def test_a_colleague_of_the_same_network_can_still_sign_in(client):
    guessed, colleague = make_user(), make_user()
    for _ in range(6):
        sign_in(client, guessed, "wrong")
    assert sign_in(client, colleague).status_code == 302


def test_a_network_that_guesses_at_many_accounts_must_wait(client):
    user = make_user()
    for number in range(30):
        sign_in(client, f"guess{number}", "wrong")
    assert sign_in(client, user).status_code == 429
    elsewhere = Client(REMOTE_ADDR="192.0.2.7")
    assert sign_in(elsewhere, user).status_code == 302


def test_an_account_is_guessed_at_no_more_than_ten_times_in_ten_minutes(client):
    tries, clock = [], 0.0
    while clock < 3600:
        if wait := sign_in_wait("victim", "192.0.2.1"):
            clock += wait
            SignInAttempt.objects.update(at=F("at") - timedelta(seconds=wait))
        else:
            sign_in(client, "victim", "wrong")
            tries.append(clock)
    assert len(tries) > 10
    assert max(sum(start <= t < start + 600 for t in tries) for start in tries) <= 10


def test_a_mistyped_password_in_the_name_field_is_not_stored(client):
    sign_in(client, "my secret password", "")
    assert "secret" not in SignInAttempt.objects.get().account_hash


@pytest.mark.parametrize(
    ("proxies", "forwarded", "network"),
    [
        (0, "203.0.113.9", "192.0.2.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "6.6.6.6, 203.0.113.9", "203.0.113.9"),
        (2, "6.6.6.6, 203.0.113.9, 198.51.100.2", "203.0.113.9"),
        (1, "", "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        (1, "::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_a_forwarder_is_believed_only_if_it_is_one_of_ours(settings, proxies, forwarded, network):
    settings.TRUSTED_PROXIES = proxies
    meta = {"REMOTE_ADDR": "192.0.2.1", "HTTP_X_FORWARDED_FOR": forwarded}
    assert network_of(meta) == network


def test_pages_of_people_are_not_kept_by_caches(client):
    client.force_login(make_user())
    assert "no-store" in client.get("/").headers["Cache-Control"]


def test_a_post_without_the_csrf_token_is_refused():
    guarded = Client(enforce_csrf_checks=True)
    assert sign_in(guarded, make_user()).status_code == 403
