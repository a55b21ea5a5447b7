"""One part of a stream, read by the parser, and what is wrong with it as an error with its place."""

from __future__ import annotations

from typing import Any

import yaml

from kfp_k8s_manifest.errors import YamlError, YamlLimitError
from kfp_k8s_manifest.yaml._budget import Budget
from kfp_k8s_manifest.yaml._compose import ComposeError, LimitError, compose
from kfp_k8s_manifest.yaml._events import TOO_DEEP, new_parser
from kfp_k8s_manifest.yaml._split import Chunk
from kfp_k8s_manifest.yaml._strict import (
    first_forbidden,
    refuse_differences,
    refuse_flow_differences,
)

__all__ = ["parse", "yaml_error"]


def parse(chunk: Chunk, source: str, budget: Budget) -> Any:
    """Read one part of a stream.

    Args:
        chunk: The part.
        source: The name of the stream, for errors.
        budget: The limits; what the document uses is taken from it.

    Returns:
        The JSON tree; None if the part holds nothing.

    Raises:
        YamlError: The part is not what Kubernetes would read without loss, or beyond the limits.
    """
    text = chunk.text.removeprefix("\ufeff")
    parser = None
    try:
        refuse_differences(text, budget)
        parser = new_parser(text)
        value = compose(parser.get_event, budget)
        refuse_flow_differences(text, budget)
        return value
    except ComposeError as error:
        limit = isinstance(error, LimitError)
        raise yaml_error(error.reason, _index(error.mark), chunk, source, limit=limit) from None
    except yaml.MarkedYAMLError as error:
        if error.problem == TOO_DEEP:
            raise _too_deep(text, _index(error.problem_mark), chunk, source, budget) from None
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        mark = error.problem_mark or error.context_mark
        raise yaml_error(reason, _index(mark), chunk, source) from None
    except yaml.YAMLError as error:
        # The parser names a byte here, or a character, as it was built; the text tells.
        index = first_forbidden(text)
        reason = str(error) if index is None else f"the character {text[index]!r} is not allowed"
        raise yaml_error(reason, index or 0, chunk, source) from None
    finally:
        if parser is not None:
            parser.dispose()


def _index(mark: Any) -> int:
    return 0 if mark is None else int(mark.index)


def _too_deep(text: str, index: int, chunk: Chunk, source: str, budget: Budget) -> YamlError:
    """Find what is wrong in a text that the parser gave up at an index, before that place.

    The scanner runs ahead of the events, so its limit is met before ours, which is the lower one.
    """
    parser = new_parser(text[:index])
    try:
        compose(parser.get_event, budget)
    except ComposeError as error:
        limit = isinstance(error, LimitError)
        return yaml_error(error.reason, _index(error.mark), chunk, source, limit=limit)
    except yaml.YAMLError:
        # Cut off, the text is no document; that says nothing about the whole.
        pass
    finally:
        parser.dispose()
    return yaml_error("nested deeper than the parser reads", index, chunk, source, limit=True)


def yaml_error(
    reason: str, index: int, chunk: Chunk, source: str, *, limit: bool = False
) -> YamlError:
    from kfp_k8s_manifest.yaml._marks import Lines

    line, column = Lines(chunk).at(index)
    kind = YamlLimitError if limit else YamlError
    return kind(reason, source=source, line=line, column=column)
