"""Databases that fault tests run on: SQLite files and a PostgreSQL of their own."""

import shutil
import uuid

import psycopg
import pytest

from tests.faults import stack


@pytest.fixture(scope="session")
def postgres_server():
    with stack.postgres() as url:
        yield url


@pytest.fixture
def postgres_url(postgres_server):
    """The address of an empty PostgreSQL database of this test's own."""
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return postgres_server.rsplit("/", 1)[0] + f"/{name}"


@pytest.fixture(scope="session")
def redis_url():
    with stack.redis() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_folder(tmp_path_factory):
    """A data folder with a migrated SQLite database, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    stack.manage("migrate", "-v0", env=stack.environment(folder))
    return folder


@pytest.fixture(scope="session")
def migrated_template(postgres_server, tmp_path_factory):
    """The name of a migrated PostgreSQL database, to be copied."""
    with psycopg.connect(postgres_server, autocommit=True) as connection:
        connection.execute("CREATE DATABASE migrated")
    url = postgres_server.rsplit("/", 1)[0] + "/migrated"
    folder = tmp_path_factory.mktemp("migrated")
    stack.manage("migrate", "-v0", env=stack.environment(folder, url))
    return "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def install(request, tmp_path):
    """The environment of a migrated install, on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        folder = request.getfixturevalue("migrated_folder")
        shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
        return stack.environment(tmp_path)
    server = request.getfixturevalue("postgres_server")
    template = request.getfixturevalue("migrated_template")
    name = f"t{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    return stack.environment(tmp_path, server.rsplit("/", 1)[0] + f"/{name}")
