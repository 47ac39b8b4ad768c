"""Settings: one file. SYNTHLAB_ENV=production refuses what would be unsafe there."""

from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from synthlab.environment import (
    database,
    env_bool,
    env_folder,
    env_int,
    env_list,
    env_str,
    kept_secret,
)

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = Path(env_str("SYNTHLAB_DATA_DIR") or BASE_DIR / "data").resolve()
PRODUCTION = env_str("SYNTHLAB_ENV", "local") == "production"
DEBUG = env_bool("SYNTHLAB_DEBUG")
LOCAL_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env_list("SYNTHLAB_HOSTS") or ([] if PRODUCTION else LOCAL_HOSTS)
SECRET_KEY = env_str("SYNTHLAB_SECRET_KEY") or kept_secret(DATA_DIR / "keys" / "secret_key")
# Newest first; each encrypts connection keys at rest. Kept beside, never inside, the database.
ENCRYPTION_KEYS = env_list("SYNTHLAB_ENCRYPTION_KEYS") or [
    kept_secret(DATA_DIR / "keys" / "encryption_key")
]

if PRODUCTION:
    if DEBUG:
        raise ImproperlyConfigured("SYNTHLAB_DEBUG must be off in production.")
    if len(SECRET_KEY) < 50 or len(set(SECRET_KEY)) < 5 or "insecure" in SECRET_KEY:
        raise ImproperlyConfigured("SYNTHLAB_SECRET_KEY is weak: use 50 random characters or more.")
    if any(len(key) < 32 or len(set(key)) < 5 for key in ENCRYPTION_KEYS):
        raise ImproperlyConfigured(
            "SYNTHLAB_ENCRYPTION_KEYS holds a weak key: use 32 random characters or more for each."
        )
    if not ALLOWED_HOSTS:
        raise ImproperlyConfigured("Set SYNTHLAB_HOSTS to the names this site answers to.")
if any("*" in host for host in ALLOWED_HOSTS):
    raise ImproperlyConfigured("SYNTHLAB_HOSTS must name hosts; * would accept any.")

INSTALLED_APPS = [
    "annotation",
    "generation",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
]
MIDDLEWARE = [
    "synthlab.middleware.security_headers",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "synthlab.urls"
WSGI_APPLICATION = "synthlab.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "generation.context.worker",
            ],
            "loaders": [
                (
                    "django.template.loaders.cached.Loader",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
        },
    }
]

# SQLite is durable by FULL and never deadlocks by IMMEDIATE; `snapshot` reads one moment in time
# without taking the write lock.
DATABASE_DIR = DATA_DIR / "database"
if url := env_str("SYNTHLAB_DATABASE_URL"):
    DATABASES = {"default": database(url), "snapshot": database(url)}
    DATABASES["snapshot"]["OPTIONS"] = {
        **DATABASES["snapshot"]["OPTIONS"],
        "options": "-c default_transaction_isolation=repeatable\\ read"
        " -c default_transaction_read_only=on",
    }
else:
    DATABASE_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
    SQLITE = {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": DATABASE_DIR / "synthlab.sqlite3",
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
            "PRAGMA journal_size_limit=67108864; PRAGMA cache_size=-20000;",
        },
    }
    DATABASES = {
        "default": SQLITE,
        "snapshot": {
            **SQLITE,
            "OPTIONS": {
                "timeout": 20,
                "transaction_mode": "DEFERRED",
                "init_command": "PRAGMA query_only=ON; PRAGMA cache_size=-20000;",
            },
        },
    }
DATABASES["snapshot"]["TEST"] = {"MIRROR": "default"}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_USER_MODEL = "annotation.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "annotation:home"
LOGOUT_REDIRECT_URL = "login"

SESSION_COOKIE_AGE = 14 * 24 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
if PRODUCTION:
    SESSION_COOKIE_NAME = "__Host-sessionid"
    CSRF_COOKIE_NAME = "__Host-csrftoken"
    SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = True
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = env_int("SYNTHLAB_HSTS_SECONDS", 31536000)
    SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = True
    CSRF_TRUSTED_ORIGINS = [f"https://{host}" for host in ALLOWED_HOSTS]
    if env_bool("SYNTHLAB_BEHIND_TLS_PROXY"):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# How many proxies in front may be believed about the client's address; 0 believes none.
TRUSTED_PROXIES = env_int("SYNTHLAB_TRUSTED_PROXIES", 0)

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
LOCALE_PATHS = [BASE_DIR / "synthlab" / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static", DATA_DIR / "built"]
(DATA_DIR / "built").mkdir(mode=0o700, parents=True, exist_ok=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_HANDLERS = [
    "synthlab.uploads.LimitedUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
DATA_UPLOAD_MAX_NUMBER_FIELDS = 12_000  # 150 labels with twenty examples each are one form
UPLOAD_DIR = DATA_DIR / "uploads"
UPLOAD_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)
FILE_UPLOAD_TEMP_DIR = UPLOAD_DIR  # beside where they stay, and not in a small /tmp
RELEASE_DIR = DATA_DIR / "releases"
# A sentence-transformers model on this machine, where texts' vectors should come from one.
SENTENCE_MODEL = env_folder("SYNTHLAB_SENTENCE_MODEL", "sentence_transformers")
FEATURE_DIR = DATA_DIR / "features"  # vectors of samples; they can be computed again
JOURNAL_DIR = DATA_DIR / "journal"  # replies that the database could not take at once

CELERY_BROKER_URL = env_str("SYNTHLAB_BROKER_URL", "memory://localhost")
CELERY_TASK_IGNORE_RESULT = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 3600, "polling_interval": 0.1}

LEASE_SECONDS = env_int("SYNTHLAB_LEASE_SECONDS", 900)
# A worker's hold on what it asks of a model, renewed while it lives; then another may take over.
WORK_LEASE_SECONDS = env_int("SYNTHLAB_WORK_LEASE_SECONDS", 30)
# A project's runs that may be open at once; each of them can spend up to its own cap.
MOST_OPEN_RUNS = env_int("SYNTHLAB_MOST_OPEN_RUNS", 20)
# Seats of a round; more are written by the worker while the manager sees how far it is.
DRAW_AT_ONCE = env_int("SYNTHLAB_DRAW_AT_ONCE", 2000)
# Samples of a pool; what a larger one promises is worked out by the worker.
FORECAST_AT_ONCE = env_int("SYNTHLAB_FORECAST_AT_ONCE", 2000)
UNDO_SECONDS = env_int("SYNTHLAB_UNDO_SECONDS", 3600)
IMPORT_MAX_UPLOAD_MB = env_int("SYNTHLAB_IMPORT_MAX_UPLOAD_MB", 200)
IMPORT_MAX_UNPACKED_MB = env_int("SYNTHLAB_IMPORT_MAX_UNPACKED_MB", 1024)
IMPORT_MAX_RATIO = env_int("SYNTHLAB_IMPORT_MAX_RATIO", 100)
IMPORT_MAX_ROWS = env_int("SYNTHLAB_IMPORT_MAX_ROWS", 2_000_000)
IMPORT_MAX_COLUMNS = env_int("SYNTHLAB_IMPORT_MAX_COLUMNS", 256)
IMPORT_MAX_CELL_MB = env_int("SYNTHLAB_IMPORT_MAX_CELL_MB", 1)
IMPORT_MEMORY_MB = env_int("SYNTHLAB_IMPORT_MEMORY_MB", 1024)
IMPORT_CPU_SECONDS = env_int("SYNTHLAB_IMPORT_CPU_SECONDS", 60)
IMPORT_WALL_SECONDS = env_int("SYNTHLAB_IMPORT_WALL_SECONDS", 120)
# Hosts a connection may reach besides those a superuser adds on the page: host or host:port.
MODEL_HOSTS = env_list("SYNTHLAB_MODEL_HOSTS")

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": env_str("SYNTHLAB_LOG_LEVEL", "INFO")},
    # What they say at lower levels holds headers, in which an endpoint may repeat a key.
    "loggers": {name: {"level": "WARNING"} for name in ("httpcore2", "httpx2", "openai")},
}
