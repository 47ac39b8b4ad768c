"""Settings of the tests: the product's own, with a fast hasher and a data folder of their own."""

import os
import tempfile

os.environ.setdefault("SYNTHLAB_DATA_DIR", tempfile.mkdtemp(prefix="synthlab-tests-"))

from synthlab.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_AUTOREFRESH = True
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
# Tests that run beside each other must not take each other's workers for dead.
JOURNAL_DIR = DATA_DIR / f"journal-{os.getpid()}"  # noqa: F405
