"""The URLs of this wing; see observatory/api/urls.py."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

from observatory.api.kit.paths import at
from observatory.api.prompts import commits, likes, repos

REPO = "(?P<owner>[^/]+)/(?P<repo_handle>[^/]+)"

v1: list[URLPattern | URLResolver] = [
    at("settings", repos.Settings, "settings"),
    at("repos", repos.Repos, "repos"),
    at(f"repos/{REPO}", repos.RepoDetail, "repo"),
    at(f"repos/{REPO}/tags", repos.RepoTags, "repo-tags"),
    at(f"commits/{REPO}", commits.Commits, "commits"),
    at(f"commits/{REPO}/(?P<commit>[^/]+)", commits.CommitDetail, "commit"),
    at(f"likes/{REPO}", likes.Likes, "likes"),
]
