"""Django settings. Every setting is an environment variable, read once, typed and checked here.

Without DATABASE_URL, Observatory runs its embedded PostgreSQL in OBSERVATORY_DATA: same code, same
migrations. docs/reference/settings.md lists the variables.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

from csp.constants import NONE, SELF
from django.http.request import validate_host

from observatory.config import (
    LOCAL_HOSTS,
    PRIVATE_NETWORKS,
    Environment,
    default_data_directory,
)
from observatory.embedded import postgres

env = Environment(os.environ)

# Where things are ---------------------------------------------------------------------------

PACKAGE_DIR = Path(__file__).resolve().parent
_checkout_templates = PACKAGE_DIR.parent / "templates"
TEMPLATES_DIR = _checkout_templates if _checkout_templates.is_dir() else PACKAGE_DIR / "templates"
DATA_DIR = Path(env.text("OBSERVATORY_DATA", str(default_data_directory()))).expanduser().resolve()

# Database, broker, secrets ------------------------------------------------------------------

_external = env.database("DATABASE_URL")
IS_EMBEDDED = _external is None
DATABASES = {"default": _external or postgres.connection_settings(DATA_DIR)}
DATABASES["default"] |= {
    "CONN_MAX_AGE": env.integer("OBSERVATORY_CONN_MAX_AGE_S", 600, 0, 86_400),
    "CONN_HEALTH_CHECKS": True,
    "DISABLE_SERVER_SIDE_CURSORS": env.flag("OBSERVATORY_PGBOUNCER", False),
}
STATEMENT_TIMEOUT_S = env.integer("OBSERVATORY_STATEMENT_TIMEOUT_S", 10, 1, 3_600)
PAGE_TIMEOUT_S = min(5, STATEMENT_TIMEOUT_S)  # of a search on a page, whose user waits
# A database that is down, or behind a cut network, is noticed within 2-3 s: then the API answers
# 503 with Retry-After and the SDKs keep their batches.
_options: dict[str, object] = {"connect_timeout": 2, "tcp_user_timeout": 3_000}
if not env.flag("OBSERVATORY_PGBOUNCER", False):
    # PgBouncer refuses start-up options, and its servers do not share prepared statements.
    _options["options"] = f"-c statement_timeout={STATEMENT_TIMEOUT_S}s"
    _options["prepare_threshold"] = 0  # of observatory/db/prepared.py alone
DATABASES["default"]["OPTIONS"] = _options | cast(
    "dict[str, object]", DATABASES["default"]["OPTIONS"]
)

DEBUG = env.flag("DEBUG", False)
SECRET_KEY = env.secret("SECRET_KEY", postgres.secret_key(DATA_DIR) if IS_EMBEDDED else "")
if not SECRET_KEY:
    env.mistakes.append("SECRET_KEY: needed with DATABASE_URL, a random text of 50 characters")
SECRET_KEY_FALLBACKS = env.secrets("SECRET_KEY_FALLBACKS")
PUBLIC_URL = env.url("OBSERVATORY_PUBLIC_URL")
_public_host = urlsplit(PUBLIC_URL).hostname
ALLOWED_HOSTS = env.hosts(
    "ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]", *([_public_host] if _public_host else [])]
)
if _public_host and not validate_host(_public_host, ALLOWED_HOSTS):
    env.mistakes.append(f"ALLOWED_HOSTS: must include {_public_host}, of OBSERVATORY_PUBLIC_URL")
if DEBUG and not LOCAL_HOSTS.issuperset(ALLOWED_HOSTS):
    env.mistakes.append("DEBUG: shows secrets, so only with ALLOWED_HOSTS of this machine")
CSRF_TRUSTED_ORIGINS = env.origins("CSRF_TRUSTED_ORIGINS", [PUBLIC_URL] if PUBLIC_URL else [])
IS_HTTPS = PUBLIC_URL.startswith("https://")

CELERY_BROKER_URL = env.broker("CELERY_BROKER_URL", "filesystem://localhost" if IS_EMBEDDED else "")
if not CELERY_BROKER_URL:
    env.mistakes.append("CELERY_BROKER_URL: needed with DATABASE_URL (redis://... or amqp://...)")
_broker_kind = CELERY_BROKER_URL.split(":")[0]

CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {}
if _broker_kind == "filesystem":
    _folder = DATA_DIR / "broker"
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_folder / "messages"),
        "data_folder_out": str(_folder / "messages"),
        "control_folder": str(_folder / "control"),
        "polling_interval": 0.05,
    }
elif _broker_kind in {"redis", "rediss"}:
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 300,
        "unacked_restore_interval": 5,
        "unacked_restore_throttle": 1,
        "socket_connect_timeout": 2,
        "socket_timeout": 5,
    }
elif _broker_kind in {"amqp", "amqps"}:
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
    # A delayed task waits in RabbitMQ instead of in the worker; that needs a topic exchange.
    CELERY_TASK_DEFAULT_EXCHANGE_TYPE = "topic"
    CELERY_WORKER_DETECT_QUORUM_QUEUES = True
CELERY_TASK_DEFAULT_QUEUE = "observatory"
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_PUBLISH_RETRY = False  # the sweeper replaces a nudge that cannot be sent at once
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 8
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BEAT_SCHEDULE = {
    # `expires`: without a worker, equal messages must not pile up.
    "sweep-changes": {
        "task": "annotations.tasks.sweep_changes",
        "schedule": 5.0,
        "options": {"expires": 5.0},
    },
    "continue-rule-work": {
        "task": "annotations.tasks.continue_rule_work",
        "schedule": 10.0,
        "options": {"expires": 10.0},
    },
    "watch-drift": {
        "task": "annotations.tasks.watch_drift",
        "schedule": 3_600.0,
        "options": {"expires": 3_600.0},
    },
    "sweep-quarantine": {
        "task": "observatory.runs.tasks.sweep_quarantine",
        "schedule": 3_600.0,
        "options": {"expires": 3_600.0},
    },
    "clear-sessions": {
        "task": "observatory.workspaces.tasks.clear_sessions",
        "schedule": 3_600.0,
        "options": {"expires": 3_600.0},
    },
    "sweep-completed-items": {
        "task": "datasets_app.tasks.sweep_completed_items",
        "schedule": 10.0,
        "options": {"expires": 10.0},
    },
}

# Web server (observatory/gunicorn.py) ---------------------------------------------------------

BIND = env.items("OBSERVATORY_BIND", ["127.0.0.1:8000"])
WEB_WORKERS = env.integer("OBSERVATORY_WEB_WORKERS", 2, 1, 64)
WEB_THREADS = env.integer("OBSERVATORY_WEB_THREADS", 4, 1, 64)
GRACEFUL_TIMEOUT_S = env.integer("OBSERVATORY_GRACEFUL_TIMEOUT_S", 25, 1, 300)
HAS_ACCESS_LOG = env.flag("OBSERVATORY_ACCESS_LOG", False)
# Deadlines and limits of connections (observatory/server): waiting for a client takes no thread.
HEADER_TIMEOUT_S = env.integer("OBSERVATORY_HEADER_TIMEOUT_S", 10, 1, 300)
STALL_TIMEOUT_S = env.integer("OBSERVATORY_STALL_TIMEOUT_S", 30, 1, 3_600)
CONNECTIONS_PER_ADDRESS = env.integer("OBSERVATORY_CONNECTIONS_PER_ADDRESS", 128, 1, 100_000)
SPOOL_MAX_BYTES = env.integer("OBSERVATORY_SPOOL_MAX_BYTES", 1 << 30, 1 << 20, 1 << 40)

# Limits (docs/reference/limits.md) -------------------------------------------------------------

INGEST_MAX_RUNS = env.integer("OBSERVATORY_INGEST_MAX_RUNS", 100, 1, 10_000)
INGEST_MAX_BODY_BYTES = env.integer("OBSERVATORY_INGEST_MAX_BODY_BYTES", 20_971_520, 1024, 1 << 30)
INGEST_MAX_DECODED_BYTES = env.integer(
    "OBSERVATORY_INGEST_MAX_DECODED_BYTES", 104_857_600, 1024, 1 << 32
)
INGEST_MAX_PARTS = env.integer("OBSERVATORY_INGEST_MAX_PARTS", 5_000, 10, 1_000_000)
INGEST_MAX_PART_BYTES = env.integer("OBSERVATORY_INGEST_MAX_PART_BYTES", 26_214_400, 1024, 1 << 30)
DATA_UPLOAD_MAX_MEMORY_SIZE = 26_214_400

# Django ---------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "observatory.workspaces",
    "observatory.runs",
    "observatory.prompts",
    "observatory.feedback",
    "annotations",
    "datasets_app",
    "observatory.api",
    "observatory.web",
    "observatory.console",
    "observatory.workspaces.admin_config.ConsoleConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "csp",
]
MIDDLEWARE = [
    "observatory.web.proxies.ProxyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "observatory.web.compression.PageCompression",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "observatory.web.activity.ActivityMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "observatory.web.outage.OutageMiddleware",
]
ROOT_URLCONF = "observatory.urls"
WSGI_APPLICATION = "observatory.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [TEMPLATES_DIR],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
AUTH_USER_MODEL = "workspaces.User"
AUTHENTICATION_BACKENDS = ["observatory.workspaces.people.Backend"]
SESSION_ENGINE = "observatory.workspaces.sessions"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

STATIC_URL = "/static/"
STATIC_ROOT = env.text("OBSERVATORY_STATIC_ROOT", str(DATA_DIR / "static"))
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "attachments": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {
            "location": env.text("OBSERVATORY_ATTACHMENTS_DIR", str(DATA_DIR / "attachments")),
            "file_permissions_mode": 0o600,
            "directory_permissions_mode": 0o700,
        },
    },
    "staticfiles": {
        "BACKEND": "observatory.web.storage.QuickStaticFilesStorage"
        if IS_EMBEDDED
        else "observatory.web.storage.StaticFilesStorage"
    },
}

SESSION_COOKIE_AGE = 7 * 86_400
SESSION_IDLE_MINUTES = env.integer("OBSERVATORY_SESSION_IDLE_MINUTES", 720, 5, 10_080)
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# The pages' scripts read the token's cookie: signing in in another tab changes it.
CSRF_COOKIE_HTTPONLY = False
CSRF_FAILURE_VIEW = "observatory.web.account.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS
# TLS ends at a proxy, which sets X-Forwarded-Proto and must not pass on a client's.
SECURE_SSL_REDIRECT = env.flag("OBSERVATORY_SSL_REDIRECT", IS_HTTPS)
SECURE_REDIRECT_EXEMPT = [r"^(livez|readyz)$"]  # requested from inside, without TLS
SECURE_HSTS_SECONDS = 31_536_000 if IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = IS_HTTPS
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
IS_BEHIND_PROXY = env.flag("OBSERVATORY_BEHIND_PROXY", IS_HTTPS)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_BEHIND_PROXY else None
# Whose X-Forwarded-For and X-Forwarded-Proto are believed. By default, behind a proxy, those of
# addresses that cannot be reached from the internet.
TRUSTED_PROXIES = env.networks(
    "OBSERVATORY_TRUSTED_PROXIES", PRIVATE_NETWORKS if IS_BEHIND_PROXY else []
)
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "worker-src": [SELF],
        "manifest-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
        "frame-ancestors": [NONE],
    }
}

REST_FRAMEWORK = {
    "URL_FORMAT_OVERRIDE": None,  # views read ?format=csv themselves
    "DEFAULT_AUTHENTICATION_CLASSES": ["observatory.api.kit.auth.ApiKeyAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["observatory.api.kit.rendering.OrjsonRenderer"],
    "DEFAULT_PARSER_CLASSES": ["observatory.api.kit.rendering.AnyJSONParser"],
    "EXCEPTION_HANDLER": "observatory.api.kit.exception_handler.handle",
    "UNAUTHENTICATED_USER": None,
    "COERCE_DECIMAL_TO_STRING": False,
}

SPECTACULAR_SETTINGS: dict[str, object] = {
    "TITLE": "Observatory",
    "DESCRIPTION": (
        "LangSmith's wire. Every path is served with and without a trailing slash, and each under"
        " `/`, `/api` and `/api/v1` as well: the SDKs derive them from one endpoint."
    ),
    "VERSION": None,  # the generator's
    "OAS_VERSION": "3.1.1",
    "LICENSE": {"name": "Apache-2.0"},
    "DEFAULT_GENERATOR_CLASS": "observatory.api.kit.openapi.Generator",
    "SERVE_AUTHENTICATION": [],
    "POSTPROCESSING_HOOKS": [],
    "APPEND_COMPONENTS": {
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
    },
}

LOG_LEVEL = env.choice("OBSERVATORY_LOG_LEVEL", "INFO", {"DEBUG", "INFO", "WARNING", "ERROR"})
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
}

env.check()
