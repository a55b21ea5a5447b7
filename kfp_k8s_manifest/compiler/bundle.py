"""A Bundle: the two objects of one compiled pipeline, as text and with their verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from kfp_k8s_manifest import releases
from kfp_k8s_manifest.errors import KfpK8sError
from kfp_k8s_manifest.findings import Finding, Severity
from kfp_k8s_manifest.manifests import to_json, to_yaml
from kfp_k8s_manifest.model.ir import JsonValue
from kfp_k8s_manifest.model.kinds import Kind
from kfp_k8s_manifest.model.resources import Pipeline, PipelineVersion, Resource

__all__ = ["Bundle", "RejectedError", "target_remedy"]


class RejectedError(KfpK8sError):
    """The target would reject what was to be written; nothing was written.

    Attributes:
        findings: Why, errors and warnings alike.

    Args:
        target: The target.
        findings: What it says.
        accepting: The releases that would take it, oldest first.
    """

    def __init__(
        self, target: str, findings: Sequence[Finding], *, accepting: Sequence[str] = ()
    ) -> None:
        self.findings = tuple(findings)
        errors = [finding for finding in findings if finding.severity is Severity.ERROR]
        lines = [f"the target {target!r} would reject this; nothing was written"]
        for finding in errors:
            # The message begins with the field; two objects may have the same to say.
            whose = " ".join(filter(None, (finding.kind, finding.name)))
            lines.append(f"  {whose}{': ' if whose else ''}{finding.message} [{finding.rule}]")
            if finding.hint:
                lines.append(f"    {finding.hint}")
        if accepting:
            *others, newest = accepting
            known = f"{', '.join(others)} and {newest}" if others else newest
            lines.append(f"  KFP {known} would take it. {target_remedy(newest)}")
        super().__init__("\n".join(lines))


def target_remedy(release: str) -> str:
    """Say how to name a release as the target, on the command line, in Python and for a repository.

    Args:
        release: Such as `2.17`.
    """
    return (
        f"If your cluster runs KFP {release}, pass --target {release} or set KFP_K8S_TARGET={release}"
        f' (in Python: ManifestOptions(target="{release}")); `kfp-k8s build` takes the line'
        f' target = "{release}" in kfp-k8s.toml, or in [tool.kfp-k8s] of pyproject.toml'
    )


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Bundle:
    """The Pipeline and the PipelineVersion of one compiled pipeline.

    In a notebook a bundle shows its names, the graph of the pipeline and the YAML.

    Attributes:
        pipeline: The Pipeline object.
        version: The PipelineVersion object.
        target: What the bundle was built for.
        only: The one kind that is written, or None for both.
        written_to: The file that it was written to, or None.
    """

    pipeline: Pipeline
    version: PipelineVersion
    target: str
    only: Kind | None = None
    written_to: str | None = field(default=None, compare=False)

    def __repr__(self) -> str:
        written = f" written to {self.written_to!r}" if self.written_to else ""
        return f"<Bundle {self.pipeline.name!r}, {self.version.name!r}{written}>"

    def objects(self) -> list[dict[str, JsonValue]]:
        """Return the objects that are written, in the order in which they have to be applied."""
        return [item.to_dict() for item in (self.pipeline, self.version) if self._writes(item)]

    def _writes(self, item: Resource) -> bool:
        return self.only in (None, item.kind)

    def to_yaml(self) -> str:
        """Return the manifests as a YAML stream that every reader reads alike."""
        return to_yaml(self.objects())

    def to_json(self) -> str:
        """Return the manifests as JSON: one object, or a `v1` List of both."""
        return to_json(self.objects())

    def check(self, target: str | None = None) -> list[Finding]:
        """Return what a target says of what is written: errors it rejects, warnings, notes.

        Args:
            target: A KFP release, `"kep"` or `"portable"`; by default the bundle's own.

        Raises:
            UsageError: There is no such target.
        """
        from kfp_k8s_manifest.checks.order import check_objects

        # A version is judged together with its Pipeline, which the cluster asks for.
        objects = [self.pipeline.to_dict()]
        if self._writes(self.version):
            objects.append(self.version.to_dict())
        return check_objects(objects, target=releases.target(target or self.target))

    def require_valid(self) -> list[Finding]:
        """Return the warnings and notes of the bundle's target, or refuse the bundle.

        Raises:
            RejectedError: The bundle's target would reject one of its objects.
        """
        findings = self.check()
        if any(finding.severity is Severity.ERROR for finding in findings):
            raise RejectedError(self.target, findings, accepting=self._accepting())
        return findings

    def _accepting(self) -> list[str]:
        """Return the releases that would take what the bundle's own target rejects."""
        names = [name for name in releases.TARGET_NAMES if name[0].isdecimal()]
        return [
            name
            for name in names
            if name != self.target
            and not any(each.severity is Severity.ERROR for each in self.check(name))
        ]

    def _repr_html_(self) -> str:
        from kfp_k8s_manifest.compiler.display import bundle_html

        return bundle_html(
            (self.pipeline, self.version),
            written={
                each.kind: self.written_to or ""
                for each in (self.pipeline, self.version)
                if self._writes(each)
            },
            target=self.target,
            text=self.to_yaml(),
        )
