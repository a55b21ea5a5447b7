"""Writes the reference page of the configuration from the table of settings, when mkdocs builds.

A hook of mkdocs.
"""

from __future__ import annotations

from typing import Any

from kfp_k8s_manifest.gitops.settings import FIELDS, Settings

_INTRO = """# Configuration

`kfp-k8s.toml`, or the table `[tool.kfp-k8s]` of `pyproject.toml`, never both. `kfp-k8s init` writes one to start from,
and `kfp-k8s schema config` a JSON Schema for editors. A setting may stand at the top, in an environment
(`[environments.NAME]`) and in the overrides of a pipeline (`[pipelines.NAME]`), as its row says; what stands nearer to the
pipeline wins, tables are merged key by key, and lists are put together. A key that is not known is an error.

| setting | where | meaning | example |
|---|---|---|---|
"""


def page() -> str:
    """Return the page's Markdown."""
    defaults = Settings()
    rows = []
    for each in FIELDS:
        where = ", ".join(each.where)
        about = each.about.replace("|", "\\|")
        if each.choices:
            about += f" One of {', '.join(f'`{choice}`' for choice in each.choices)}."
        default = getattr(defaults, each.name.replace("-", "_"), None)
        if isinstance(default, str):
            about += f" Default: `{default}`."
        rows.append(f"| `{each.name}` | {where} | {about} | `{each.name} = {each.example}` |")
    return _INTRO + "\n".join(rows) + "\n"


def on_files(files: Any, config: Any) -> Any:
    """Add the page to the site; mkdocs calls this."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, "reference/configuration.md", content=page()))
    return files
