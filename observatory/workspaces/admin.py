"""Admin of workspaces, users and keys, and the base classes of every other admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import BaseUserCreationForm
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from observatory.workspaces import keys
from observatory.workspaces.admin_site import roles_with
from observatory.workspaces.models import ApiKey, Membership, Role, User, Workspace
from observatory.workspaces.roles import Permission

if TYPE_CHECKING:  # these classes cannot be subscripted at run time
    ModelAdmin = admin.ModelAdmin[Any]
    TabularInline = admin.TabularInline[Any, Any]
    KeyForm = forms.ModelForm[ApiKey]
    UserForm = BaseUserCreationForm[User]
    PersonAdmin = UserAdmin[User]
else:
    ModelAdmin, TabularInline = admin.ModelAdmin, admin.TabularInline
    KeyForm, UserForm, PersonAdmin = forms.ModelForm, BaseUserCreationForm, UserAdmin


def workspace_ids(request: HttpRequest, permission: Permission) -> set[int] | None:
    """Return the workspaces in which the visitor has `permission`; None: all (a superuser).

    Read once per request, so a lowered role counts from the next request on.
    """
    if request.user.is_superuser:
        return None
    cached: dict[Permission, set[int]] = request.__dict__.setdefault("_workspace_ids", {})
    if permission not in cached:
        cached[permission] = set(
            Membership.objects.filter(
                user_id=request.user.pk or 0, role__in=roles_with(permission)
            ).values_list("workspace_id", flat=True)
        )
    return cached[permission]


def is_allowed(request: HttpRequest, permission: Permission, workspace_id: int | None) -> bool:
    """Return whether the visitor has `permission` there; without a workspace: anywhere."""
    ids = workspace_ids(request, permission)
    if ids is None:
        return True
    return bool(ids) if workspace_id is None else workspace_id in ids


class ScopedFilter(admin.RelatedFieldListFilter):
    """A filter by a relation that only offers what the visitor may see."""

    def field_choices(
        self, field: Any, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, Any]]:
        related = model_admin.admin_site._registry[field.remote_field.model]
        rows = related.get_queryset(request).order_by(*(related.ordering or ["pk"]))[:200]
        return [(row.pk, str(row)) for row in rows]


class Scoped:
    """Common base of admins and inlines: rows and choices of the visitor's workspaces only.

    `workspace_path` is the lookup from the model to its workspace. Permissions come from the role
    in that workspace, never from rows of Django's permission table; a permission that is None is
    denied to all, even superusers.
    """

    model: Any
    admin_site: admin.AdminSite
    workspace_path = "workspace"
    may_view: Permission = Permission.MANAGE_QUEUES
    may_add: Permission | None = None
    may_change: Permission | None = None
    may_delete: Permission | None = None

    def workspace_id_of(self, obj: Any) -> int | None:
        """Return the workspace of `obj` by following `workspace_path`."""
        for name in self.workspace_path.split("__"):
            obj = getattr(obj, name)
        return int(obj.pk) if isinstance(obj, models.Model) else int(obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        ids = workspace_ids(request, self.may_view)
        return rows if ids is None else rows.filter(**{f"{self.workspace_path}__in": ids})

    def _has(self, request: HttpRequest, permission: Permission | None, obj: Any) -> bool:
        if permission is None:
            return False
        workspace_id = None
        if obj is not None and isinstance(obj, self.model):
            workspace_id = self.workspace_id_of(obj)
        return is_allowed(request, permission, workspace_id)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return is_allowed(request, self.may_view, None)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, self.may_view, obj)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, self.may_add, None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, self.may_change, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._has(request, self.may_delete, obj)

    def _choices(self, db_field: Any, request: HttpRequest) -> QuerySet[Any] | None:
        related = self.admin_site._registry.get(db_field.remote_field.model)
        return related.get_queryset(request) if related is not None else None

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", self._choices(db_field, request))
        return super().formfield_for_foreignkey(  # type: ignore[misc]
            db_field, request, **kwargs
        )

    def formfield_for_manytomany(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("queryset", self._choices(db_field, request))
        return super().formfield_for_manytomany(  # type: ignore[misc]
            db_field, request, **kwargs
        )


class WorkspaceAdmin(Scoped, ModelAdmin):
    """Base of every admin. Read-only unless a subclass names the permission to change rows."""

    show_full_result_count = False
    list_per_page = 50


class WorkspaceInline(Scoped, TabularInline):
    """Rows under their parent, which decides the workspace."""

    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return Scoped.get_queryset(self, request)


class MembershipInline(WorkspaceInline):
    """Roles in the workspaces whose members the visitor manages, and in no other."""

    model = Membership
    may_view = may_add = may_change = may_delete = Permission.MANAGE_MEMBERS
    fields = ("workspace", "user", "role")

    def formfield_for_foreignkey(self, db_field: Any, request: Any, **kwargs: Any) -> Any:
        if db_field.name == "workspace":
            allowed = workspace_ids(request, Permission.MANAGE_MEMBERS)
            rows = Workspace.objects.order_by("name")
            kwargs["queryset"] = rows if allowed is None else rows.filter(pk__in=allowed)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)


@admin.register(Workspace)
class WorkspacesAdmin(WorkspaceAdmin):
    """Edit names and members. `observatory workspace create` creates workspaces."""

    workspace_path = "pk"
    may_change = Permission.MANAGE_MEMBERS
    list_display = ("name", "slug", "n_members", "n_keys", "created_at")
    search_fields = ("name", "slug")
    ordering = ("name",)
    fields = ("name", "slug", "uuid", "created_at")
    readonly_fields = ("slug", "uuid", "created_at")
    inlines = (MembershipInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        counted: QuerySet[Any] = rows.annotate(
            members_count=Count("memberships", distinct=True),
            keys_count=Count("api_keys", filter=Q(api_keys__revoked_at=None), distinct=True),
        )
        return counted

    @admin.display(description="members", ordering="members_count")
    def n_members(self, workspace: Any) -> int:
        return int(workspace.members_count)

    @admin.display(description="live keys", ordering="keys_count")
    def n_keys(self, workspace: Any) -> int:
        return int(workspace.keys_count)


class NewUserForm(UserForm):
    """A new user and their first role."""

    workspace = forms.ModelChoiceField(Workspace.objects.none())
    role = forms.ChoiceField(choices=Role.choices, initial=Role.REVIEWER)

    class Meta:
        model = User
        fields = ("username", "email")

    def save(self, commit: bool = True) -> User:
        user = super().save(commit=False)
        user.is_staff = self.cleaned_data["role"] in roles_with(Permission.MANAGE_QUEUES)
        if commit:
            user.save()
        return user


@admin.register(User)
class PeopleAdmin(Scoped, PersonAdmin):
    """Users. An owner adds users and assigns roles; only an operator changes an account.

    An account may belong to several workspaces, so the owner of one must not be able to take it
    over: only the user and operators change passwords and names.
    """

    workspace_path = "memberships__workspace"
    may_view = Permission.MANAGE_QUEUES
    may_add = may_change = Permission.MANAGE_MEMBERS
    add_form = NewUserForm
    add_fieldsets = (
        (
            None,
            {"fields": ("username", "email", "password1", "password2", "workspace", "role")},
        ),
    )
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Access", {"fields": ("is_active", "is_superuser", "last_login", "date_joined")}),
    )
    list_display = ("username", "email", "first_name", "last_name", "is_active", "last_login")
    list_filter = ("is_active",)
    filter_horizontal = ()
    search_fields = ("username", "email", "first_name", "last_name")
    ordering = ("username",)
    show_full_result_count = False
    inlines = (MembershipInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).distinct()

    def _has(self, request: HttpRequest, permission: Permission | None, obj: Any) -> bool:
        if permission is None:
            return False
        ids = workspace_ids(request, permission)
        if ids is None or not isinstance(obj, User):
            return ids is None or bool(ids)
        return Membership.objects.filter(user=obj, workspace__in=ids).exists()

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ()
        if request.user.is_superuser:
            return ("last_login", "date_joined")
        return (
            "username",
            "first_name",
            "last_name",
            "email",
            "is_active",
            "last_login",
            "date_joined",
        )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None or request.user.is_superuser:
            return super().get_fieldsets(request, obj)
        return (
            (None, {"fields": ("username", "first_name", "last_name", "email")}),
            ("Access", {"fields": ("is_active", "last_login", "date_joined")}),
        )

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return () if obj is None else self.inlines  # the first role is part of the form

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        """Set a password: operators only, see above."""
        if not request.user.is_superuser:
            raise PermissionDenied
        return super().user_change_password(request, id, form_url)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form = super().get_form(request, obj, change=change, **kwargs)
        if obj is None and "workspace" in form.base_fields:
            allowed = workspace_ids(request, Permission.MANAGE_MEMBERS)
            rows = Workspace.objects.order_by("name")
            field: Any = form.base_fields["workspace"]
            field.queryset = rows if allowed is None else rows.filter(pk__in=allowed)
        return form

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if not change:
            Membership.objects.create(
                user=obj,
                workspace=form.cleaned_data["workspace"],
                role=form.cleaned_data["role"],
            )


class NewKeyForm(KeyForm):
    class Meta:
        model = ApiKey
        fields = ("workspace", "name", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(WorkspaceAdmin):
    """Create, show once and revoke keys; the digest is never shown."""

    may_view = may_add = Permission.MANAGE_KEYS
    form = NewKeyForm
    list_display = (
        "name",
        "start",
        "workspace",
        "created_by",
        "created_at",
        "last_used_at",
        "expires_at",
        "revoked_at",
    )
    list_filter = (("workspace", ScopedFilter),)
    list_select_related = ("workspace", "created_by")
    search_fields = ("name", "prefix")
    ordering = ("-created_at",)
    actions = ("revoke",)

    @admin.display(description="key", ordering="prefix")
    def start(self, key: ApiKey) -> str:
        return f"{key.prefix}..."

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is None:
            return ("workspace", "name", "expires_at")
        return (
            "workspace",
            "name",
            "start",
            "created_by",
            "created_at",
            "last_used_at",
            "expires_at",
            "revoked_at",
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        assert isinstance(request.user, User)
        made, token = keys.mint(
            obj.workspace, obj.name, created_by=request.user, expires_at=obj.expires_at
        )
        obj.pk = made.pk
        request.__dict__["_minted_token"] = token

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        """Show the secret, in this response only."""
        context = {
            **self.admin_site.each_context(request),
            "title": "API key created",
            "key": obj,
            "token": request.__dict__["_minted_token"],
            "opts": self.opts,
        }
        answer = TemplateResponse(request, "admin/workspaces/apikey/minted.html", context)
        answer["Cache-Control"] = "no-store"
        return answer

    @admin.action(description="Revoke the selected keys", permissions=["add"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        live = list(queryset.filter(revoked_at=None))
        for key in live:
            keys.revoke(key, timezone.now())
        self.message_user(request, f"{len(live)} keys revoked", messages.SUCCESS)


admin.site.unregister(Group)
