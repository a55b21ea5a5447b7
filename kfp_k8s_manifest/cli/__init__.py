"""The command line `kfp-k8s`. Commands are imported when they are called, not before.

Importing this module loads click and nothing else of weight, so that `--help`, `--version` and
shell completion answer at once.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from kfp_k8s_manifest._version import __version__
from kfp_k8s_manifest.cli._groups import SuggestingGroup
from kfp_k8s_manifest.errors import KfpK8sError

__all__ = ["INTERRUPTED", "LazyGroup", "cli"]

INTERRUPTED = 130
"""The exit code after Ctrl-C: what shells say of a process that SIGINT has ended."""

# Name: module, attribute, and what `--help` says, so that listing them imports none.
_COMMANDS: dict[str, tuple[str, str, str]] = {
    "apiserver": ("apiserver", "apiserver", "Serve KFP's REST API of pipelines."),
    "build": ("build", "build", "Compile a repository of pipelines into its folders."),
    "catalog": ("catalog", "catalog", "Write a web page of a repository of pipelines."),
    "check": ("check", "check", "Check that a repository has what its sources give."),
    "compile": ("compile", "compile_", "Compile pipelines into Kubernetes manifests."),
    "completion": ("completion", "completion", "Print a shell's completion script."),
    "crds": ("crds", "crds_", "Write the CustomResourceDefinitions of a release."),
    "diff": ("diff", "diff", "Tell what two states of pipelines differ in."),
    "doctor": ("doctor", "doctor", "Look at a cluster and say what is missing."),
    "explain": ("rules", "explain", "Say what a rule asks, why, and how to pass."),
    "extract": ("extract", "extract", "Write the IR package of a PipelineVersion."),
    "fmt": ("fmt", "fmt", "Put the quotes back that strings have lost."),
    "get": ("get", "get", "List pipelines of a cluster with their versions."),
    "graph": ("graph", "graph", "Write the graph of a pipeline."),
    "krm": ("krm", "krm", "Generate or validate as a function of kustomize."),
    "init": ("init", "init", "Write a configuration to start from."),
    "migrate": ("migrate", "migrate", "Take a server's pipelines to manifests, and back."),
    "name": ("name", "name", "Check names, or make names that pass."),
    "promote": ("promote", "promote", "Carry versions from one environment to another."),
    "prune": ("prune", "prune", "Remove from a cluster what git has no more."),
    "rollback": ("rollback", "rollback", "Issue an old version's content again."),
    "rules": ("rules", "rules", "List the rules of validate."),
    "run": ("run", "run", "Run a PipelineVersion here or on a KFP server."),
    "schema": ("schema", "schema", "Write a JSON Schema for editors and other tools."),
    "validate": ("validate", "validate", "Check manifests as the cluster would, offline."),
    "webhook": ("webhook", "webhook", "Run and install the admission webhooks."),
}


class _ShownError(click.ClickException):
    """An error of ours, as click shows and exits with it."""

    def __init__(self, error: KfpK8sError) -> None:
        from kfp_k8s_manifest.findings import printable

        # The text may hold what a file, a server or somebody's code says.
        super().__init__(printable(str(error), keep="\n\t"))
        self.exit_code = error.exit_code  # type: ignore[misc]


class LazyGroup(SuggestingGroup):
    """A group whose commands are imported when they are called."""

    def __init__(self, *args: Any, lazy: dict[str, tuple[str, str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._lazy = lazy

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands, sorted."""
        return sorted({*super().list_commands(ctx), *self._lazy})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or return None where there is none of that name."""
        if cmd_name not in self._lazy:
            return super().get_command(ctx, cmd_name)
        module, attribute, _ = self._lazy[cmd_name]
        command = getattr(importlib.import_module(f"{__name__}.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        rows = [(name, self._lazy[name][2]) for name in sorted(self._lazy)]
        rows += [
            (name, command.get_short_help_str())
            for name, command in sorted(self.commands.items())
            if not command.hidden
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; show our errors as click shows its own."""
        try:
            return super().invoke(ctx)
        except KfpK8sError as error:
            raise _ShownError(error) from error
        except KeyboardInterrupt as interrupt:
            # click would exit with 1, as for a failure.
            click.echo("Interrupted.", err=True)
            raise click.exceptions.Exit(INTERRUPTED) from interrupt


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="kfp-k8s")
def cli() -> None:
    """Compile Kubeflow Pipelines into Kubernetes manifests, and check them offline.

    Exit codes: 0 fine, 1 findings or a failed operation, 2 wrong usage, 130 interrupted.
    """


@cli.group(
    cls=LazyGroup,
    lazy={"compile": ("dsl", "dsl_compile", "Compile to IR, or to manifests, as kfp does.")},
    hidden=True,
)
def dsl() -> None:
    """Kfp's spelling, `dsl compile`."""
