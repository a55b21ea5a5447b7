"""A small pipeline that a process compiles before it forks for the pipelines of users.

What kfp and the libraries below it prepare at the first use, such as patterns, descriptors and late
imports, is a third of what a small pipeline costs. kfp reads the types below as values, so they
stand unquoted, and this module does without postponed annotations.
"""

from kfp import dsl

from kfp_k8s_manifest.compiler.calls import pipeline_ir

__all__ = ["warm_up"]


def warm_up() -> None:
    """Compile a pipeline of two steps."""

    @dsl.component(base_image="python")  # type: ignore[untyped-decorator]
    def step(text: str) -> str:
        """Return a text.

        Args:
            text: The text.

        Returns:
            The same.
        """
        return text

    @dsl.pipeline(name="warm-up")  # type: ignore[untyped-decorator]
    def pipeline(text: str = "") -> None:
        """Take two steps."""
        step(text=step(text=text).output)

    pipeline_ir(pipeline)
