"""`observatory bench NAME`: measure this installation against the limit of its own machine."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from observatory.console import bench


def benchmarks() -> dict[str, ModuleType]:
    """Return the benchmarks by name: the runnable modules of `observatory.console.bench`."""
    modules = {}
    for module in pkgutil.iter_modules(bench.__path__):
        imported = importlib.import_module(f"{bench.__name__}.{module.name}")
        if hasattr(imported, "run") and hasattr(imported, "add_arguments"):
            modules[module.name] = imported
    return modules


class Command(BaseCommand):
    help = "Measure throughput, latency, processor time and memory, beside the limit."

    def add_arguments(self, parser: CommandParser) -> None:
        names = parser.add_subparsers(dest="benchmark", required=True, metavar="NAME")
        for name, module in benchmarks().items():
            summary = (module.__doc__ or "").strip().splitlines()[0]
            module.add_arguments(names.add_parser(name, help=summary))

    def handle(self, *args: Any, **options: Any) -> None:
        benchmarks()[options["benchmark"]].run(options, self.stdout)
