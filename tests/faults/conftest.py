"""Databases that fault tests run on: SQLite files and a PostgreSQL of their own."""

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


@pytest.fixture(params=["sqlite", "postgresql"])
def install(request, tmp_path):
    """The environment of a migrated install, on SQLite and on PostgreSQL."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    env = stack.environment(tmp_path, url)
    stack.manage("migrate", "-v0", env=env)
    return env
