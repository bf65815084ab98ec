"""What a browser may do with a page of ours: run our own scripts, load nothing."""

import base64
import hashlib


def policy(*scripts: str) -> str:
    """A Content-Security-Policy that allows these inline scripts, by their hashes, and no other.

    Args:
        scripts: The text of each, as it stands in its element.
    """
    hashes = [base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") for text in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes) or "'none'"
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data: blob:; "
        "base-uri 'none'; form-action 'none'"
    )
