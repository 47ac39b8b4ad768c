"""Reading settings from the environment; every helper fails loudly and names the variable."""

import os
import secrets
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured


def env_str(name: str, default: str = "") -> str:
    return os.environ.get(name, default).strip()


def env_int(name: str, default: int) -> int:
    raw = env_str(name, str(default))
    try:
        return int(raw)
    except ValueError:
        raise ImproperlyConfigured(f"{name} must be a whole number, not {raw!r}.") from None


def env_bool(name: str, default: bool = False) -> bool:
    raw = env_str(name, "yes" if default else "no").lower()
    if raw not in {"1", "0", "yes", "no", "true", "false", "on", "off"}:
        raise ImproperlyConfigured(f"{name} must be yes or no, not {raw!r}.")
    return raw in {"1", "yes", "true", "on"}


def env_list(name: str) -> list[str]:
    return [part.strip() for part in env_str(name).split(",") if part.strip()]


def env_folder(name: str, package: str) -> Path | None:
    """The folder that a variable names, which `package` reads; None where it names none."""
    raw = env_str(name)
    if not raw:
        return None
    if not Path(raw).is_dir():
        raise ImproperlyConfigured(f"{name} must be a folder that exists, not {raw!r}.")
    if find_spec(package) is None:
        raise ImproperlyConfigured(
            f"{name} is set, but the package {package} that reads it is not installed."
        )
    return Path(raw).resolve()


def kept_secret(path: Path) -> str:
    """The secret in this file; made at the first start, readable by its owner alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(64))
            file.flush()
            os.fsync(file.fileno())
    except FileExistsError:
        pass
    if not (secret := path.read_text().strip()):
        raise ImproperlyConfigured(f"{path} is empty. Put the secret back or delete the file.")
    return secret


def database(url: str) -> dict:
    """A PostgreSQL address as Django wants it: postgres://user:password@host:port/name?option=..."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured(
            "SYNTHLAB_DATABASE_URL must be postgres://user:password@host/name"
        )
    options = dict(parse_qsl(parts.query))
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": options.pop("host", parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": options,
    }
