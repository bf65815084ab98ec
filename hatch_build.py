"""The long description and the URLs of the distribution, as an index shows them: links of the README lead there."""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]]*)\]\((?P<target>(?!https?:|#)[^)]+)\)")


class Links(MetadataHookInterface):
    """Links of the README to files become links to the repository at this version; without one they are their text.

    The repository's address is in one place: ``[tool.hatch.metadata.hooks.custom]`` of pyproject.toml.
    """

    def update(self, metadata: dict[str, Any]) -> None:
        """Set ``readme`` and ``urls``."""
        repository, tag = self.config["repository"].rstrip("/"), f"v{metadata['version']}"

        def absolute(link: re.Match[str]) -> str:
            if not repository:
                return "" if link["image"] else link["text"]
            kind = "raw" if link["image"] else "blob"
            return f"{link['image']}[{link['text']}]({repository}/{kind}/{tag}/{link['target']})"

        text = LINK.sub(absolute, Path(self.root, "README.md").read_text(encoding="utf-8"))
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        pages = {
            "Repository": "",
            "Documentation": f"/tree/{tag}/docs",
            "Changelog": f"/blob/{tag}/CHANGELOG.md",
            "Issues": "/issues",
        }
        metadata["urls"] = {name: repository + page for name, page in pages.items()} if repository else {}
