"""Variants that break the promises on tenancy, roles and queries (T1 to T5)."""

from tests.teeth import Variant

VARIANTS = [
    Variant(
        promise="T1",
        breaks="feedback of another workspace is read by its id",
        file="observatory/api/feedback/feedback.py",
        old='Feedback.objects.filter(workspace=workspace).select_related("project", "user")',
        new='Feedback.objects.select_related("project", "user")',
        tests=("tests/test_tenancy.py::test_id_of_another_workspace_in_url_looks_unknown",),
    ),
    Variant(
        promise="T1",
        breaks="a page of another workspace opens for anybody who is signed in",
        file="observatory/workspaces/memberships.py",
        old="return next((each for each in memberships_of(user) if each.workspace.slug == slug), None)",
        new="return Membership.objects.filter(workspace__slug=slug).first()",
        tests=("tests/test_tenancy_pages.py",),
    ),
    Variant(
        promise="T2",
        breaks="any member of a workspace may see and mint its API keys",
        file="observatory/workspaces/roles.py",
        old="_VIEWER = frozenset({Permission.VIEW})",
        new="_VIEWER = frozenset({Permission.VIEW, Permission.MANAGE_KEYS})",
        tests=("tests/test_roles.py",),
    ),
    Variant(
        promise="T3",
        breaks="a filter may search documents as often as it likes",
        file="observatory/runs/filters/grammar.py",
        old="    if len(searches) > MAX_SEARCHES:\n",
        new="    if False:\n",
        tests=("tests/runs/filters/test_grammar.py",),
    ),
    Variant(
        promise="T3",
        breaks="a filter may nest to any depth",
        file="observatory/runs/filters/grammar.py",
        old="        if depth > MAX_DEPTH:\n",
        new="        if False:\n",
        tests=("tests/runs/filters/test_grammar.py",),
    ),
    Variant(
        promise="T4",
        breaks="a header chooses the workspace that a key acts in",
        file="observatory/api/kit/auth.py",
        old="        if tenant_id and tenant_id.lower() != str(key.workspace.uuid):\n",
        new=(
            "        if tenant_id:\n"
            "            other = Workspace.objects.filter(uuid=tenant_id).first()\n"
            "            key.workspace = other or key.workspace\n"
            "        if False:\n"
        ),
        tests=("tests/test_tenancy.py::test_a_header_cannot_choose_the_workspace",),
    ),
    Variant(
        promise="T5",
        breaks="a revoked key goes on working",
        file="observatory/workspaces/keys.py",
        old="WHERE k.digest = %s AND k.revoked_at IS NULL AND",
        new="WHERE k.digest = %s AND",
        tests=("tests/workspaces/test_keys.py",),
    ),
]
