"""Write the digests that the README and the documentation print anew, as the installed kfp gives them.

Never in CI: a change has to be read by eye. What else a page prints has to be right already.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.docs.pages import DIGEST, Runner, shell_environment  # noqa: E402 (needs the path above)
from tests.docs.test_pages import ABSENT, PAGES  # noqa: E402
from tools.regenerate_golden import require_pinned_kfp  # noqa: E402


def main() -> None:
    """Run the examples of all pages, and write what they print."""
    if os.environ.get("CI"):
        sys.exit("pages are not regenerated in CI")
    require_pinned_kfp()
    everywhere: dict[str, str] = {}
    texts: dict[Path, str] = {}
    for page in PAGES:
        with tempfile.TemporaryDirectory() as folder:
            work = Path(folder, "work")
            shutil.copytree(ROOT / "examples", work / "examples")
            os.chdir(work)
            environment = shell_environment(Path(folder, "home"), ROOT)
            runner = Runner(page, work, absent=ABSENT, environment=environment, exact=False)
            runner.run()
            os.chdir(ROOT)
        done, rest = "", page.read_text(encoding="utf-8")
        for old, new in filter(all, runner.updates):
            before, found, rest = rest.partition(old)
            done += before + (new if found else "")
            everywhere |= dict(zip(DIGEST.findall(old), DIGEST.findall(new), strict=True))
        texts[page] = done + rest
    for page, text in texts.items():
        # What a page tells of a cluster is not run here; it speaks of the same versions.
        for old, new in everywhere.items():
            text = text.replace(old, new)
        if text != page.read_text(encoding="utf-8"):
            page.write_text(text, encoding="utf-8")
            print(page.relative_to(ROOT))


if __name__ == "__main__":
    main()
