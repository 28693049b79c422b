#!/usr/bin/env bash
# What the tests need beside Python packages, on Debian 12 as root: installs what is missing and
# starts what does not run. Safe to repeat.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
exec </dev/null

say() { echo "services: $*" >&2; }
has() { command -v "$1" >/dev/null 2>&1; }
answers() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

missing=()
has chromium || missing+=(chromium fonts-liberation)
has node || missing+=(nodejs)
has npm || missing+=(npm)
has pg_ctlcluster || missing+=(postgresql)
has redis-server || missing+=(redis-server)
has rabbitmqctl || [ -x /usr/sbin/rabbitmqctl ] || missing+=(rabbitmq-server)
has nginx || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
if [ "${#missing[@]}" -gt 0 ]; then
    say "installing ${missing[*]}"
    # No server starts while it is installed: we start them below, with or without systemd.
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi

start() { # name, port, fallback command ...
    local name=$1 port=$2
    shift 2
    answers "$port" && return
    say "starting $name"
    service "$name" start >&2 || "$@" >&2
    for _ in $(seq 120); do
        answers "$port" && return
        sleep 0.5
    done
    say "$name does not answer on port $port"
    exit 1
}
start postgresql 5432 pg_ctlcluster "$(pg_lsclusters -h | awk 'NR==1 {print $1}')" main start
start redis-server 6379 redis-server --daemonize yes --bind 127.0.0.1
start rabbitmq-server 5672 rabbitmq-server -detached

# The account the tests use: it may create databases, and is reachable from this machine only.
as_postgres() { runuser -u postgres -- psql -qtAX -c "$1"; }
if [ -z "$(as_postgres "SELECT 1 FROM pg_roles WHERE rolname = 'observatory_test'")" ]; then
    as_postgres "CREATE ROLE observatory_test LOGIN CREATEDB PASSWORD 'only-for-tests-here'"
fi
