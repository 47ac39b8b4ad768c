"""A fresh install is closed and unlike any other (A10)."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from annotation.models import User
from tests.faults import stack

ROOT = Path(__file__).resolve().parent.parent
STRONG = "k3y-" * 5 + "abcdefghijklmnopqrstuvwxyz0123456789-ABCDEFGHIJKLM"


def start(tmp_path, **settings):
    """Load the settings in a process of their own, as production would."""
    env = stack.environment(tmp_path, SYNTHLAB_ENV="production", **settings)
    return stack.manage("check", "--deploy", "--fail-level", "WARNING", env=env, check=False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"SYNTHLAB_HOSTS": "a.example", "SYNTHLAB_DEBUG": "yes"}, "SYNTHLAB_DEBUG"),
        ({"SYNTHLAB_HOSTS": "a.example", "SYNTHLAB_SECRET_KEY": "short"}, "SYNTHLAB_SECRET_KEY"),
        ({"SYNTHLAB_HOSTS": "a.example", "SYNTHLAB_SECRET_KEY": "a" * 80}, "SYNTHLAB_SECRET_KEY"),
        (
            {"SYNTHLAB_HOSTS": "a.example", "SYNTHLAB_SECRET_KEY": f"django-insecure-{STRONG}"},
            "SYNTHLAB_SECRET_KEY",
        ),
        (
            {"SYNTHLAB_HOSTS": "a.example", "SYNTHLAB_ENCRYPTION_KEYS": f"{STRONG},short"},
            "SYNTHLAB_ENCRYPTION_KEYS",
        ),
        ({"SYNTHLAB_HOSTS": "*"}, "SYNTHLAB_HOSTS"),
        ({"SYNTHLAB_HOSTS": "a.example,*.b.example"}, "SYNTHLAB_HOSTS"),
        ({}, "SYNTHLAB_HOSTS"),
    ],
)
def test_a10_production_refuses_what_is_unsafe_and_names_the_setting(tmp_path, settings, message):
    done = start(tmp_path, **settings)
    assert done.returncode != 0
    assert message in done.stderr


def test_a10_production_starts_with_hosts_and_a_strong_key(tmp_path):
    done = start(tmp_path, SYNTHLAB_HOSTS="a.example", SYNTHLAB_SECRET_KEY=STRONG)
    assert done.returncode == 0, done.stderr


def test_a10_two_fresh_installs_have_different_keys_that_others_cannot_read(tmp_path):
    keys = []
    for name in ("one", "two"):
        stack.manage("check", env=stack.environment(tmp_path / name))
        for key in ("secret_key", "encryption_key"):
            path = tmp_path / name / "keys" / key
            keys.append(path.read_text())
            assert path.stat().st_mode & 0o077 == 0
    assert len(set(keys)) == 4


def test_a10_a_fresh_install_has_no_account_and_its_first_link_works_once(tmp_path):
    env = stack.environment(tmp_path)
    stack.manage("migrate", "-v0", env=env)
    stack.manage("collectstatic", "-v0", "--no-input", env=env)
    script = (
        "from django.test import Client; from annotation.models import User; "
        "from annotation.actions.accounts import first_manager_token as first; "
        "print(User.objects.count()); path = f'/invitations/{first()}/'; "
        "form = {'username': 'ada', 'password1': 'correct-horse-9', "
        "'password2': 'correct-horse-9'}; "
        "print(Client(SERVER_NAME='localhost').post(path, form).status_code, "
        "Client(SERVER_NAME='localhost').post(path, {**form, 'username': 'eve'}).status_code); "
        "print(User.objects.count(), User.objects.get().is_superuser, first())"
    )
    done = stack.manage("shell", "-v0", "-c", script, env=env)
    assert done.stdout.split() == ["0", "302", "410", "1", "True", "None"]


@pytest.mark.django_db
def test_a10_nobody_registers_without_an_invitation(client):
    form = {"username": "eve", "password1": "correct-horse-9", "password2": "correct-horse-9"}
    addresses = ["/sign-in/", "/invitations/x/"]
    addresses += [f"/{name}/" for name in ("sign-up", "signup", "register", "accounts/signup")]
    for address in addresses:
        assert client.post(address, form).status_code in {302, 404, 410, 422}
        assert "_auth_user_id" not in client.session
    assert not User.objects.exists()


def locked():
    found = re.findall(
        r"^([\w.-]+(?:\[\w+\])?)==(\S+)", (ROOT / "requirements.lock").read_text(), re.M
    )
    return {name.split("[")[0]: Version(version) for name, version in found}


@pytest.mark.parametrize(
    ("package", "floor"),
    [("django", "5.2.19"), ("pyarrow", "14.0.1"), ("kombu", "5.7"), ("celery", "5.7")],
)
def test_a10_the_floors_hold_in_the_lock_and_in_this_environment(package, floor):
    assert locked()[package] >= Version(floor)
    assert Version(importlib.metadata.version(package)) >= Version(floor)


def test_a10_what_the_project_asks_for_is_locked_within_its_limits():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    for requirement in map(Requirement, wanted):
        assert locked()[requirement.name] in requirement.specifier, requirement


def test_a10_every_locked_package_has_a_hash_and_no_address():
    text = (ROOT / "requirements.lock").read_text()
    entries = re.split(r"\n(?=[\w.-]+(?:\[\w+\])?==)", text)[1:]
    assert len(entries) >= len(locked()) > 50
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "://" not in text
