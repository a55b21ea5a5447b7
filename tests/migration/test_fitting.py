"""Pages that fit into memory, however large versions are."""

from __future__ import annotations

from kfp_k8s_manifest.migration.sources.fitting import PageFit


def test_the_first_page_is_small_until_it_is_known_how_large_versions_are() -> None:
    fit = PageFit()
    assert fit.size(200) == 25
    assert fit.size(3) == 3
    for _ in range(10):
        fit.note(20, 20 * 15_000)
    assert fit.size(200) == 200


def test_large_versions_make_small_pages_at_once() -> None:
    fit = PageFit()
    fit.note(25, 25 * 1_500_000)
    assert fit.size(200) == 2
    fit.note(1, 32 * 1024 * 1024)
    assert fit.size(200) == 1


def test_an_empty_page_tells_nothing() -> None:
    fit = PageFit()
    fit.note(0, 2)
    assert fit.size(200) == 25
