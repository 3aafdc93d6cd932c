"""Where symbolic links of a tree lead, worked out from their texts alone; the disk is not asked."""

from __future__ import annotations

from collections.abc import Mapping

_FOLLOWED_AT_MOST = 40
"""As many as the kernel follows in one path."""
_STEPS_AT_MOST = 4096


def leads_out(path: str, links: Mapping[str, str]) -> bool:
    """Whether the link at `path` leads out of the tree's root on its way, even if it comes back, or in circles.

    `links` holds the text of every link of the tree by its path, relative to the root, without `.` and `..`. What is
    not in it counts as a directory, there or not: a name that is missing today must not become a way out tomorrow.
    """
    here = path.split("/")[:-1]
    left = links[path].split("/")[::-1]
    if links[path].startswith("/"):
        return True
    followed = steps = 0
    while left:
        part = left.pop()
        steps += 1
        if steps > _STEPS_AT_MOST or (part == ".." and not here):
            return True
        if part == "..":
            here.pop()
        elif part not in {"", "."}:
            here.append(part)
            text = links.get("/".join(here))
            if text is not None:
                followed += 1
                if followed > _FOLLOWED_AT_MOST or text.startswith("/"):
                    return True
                here.pop()
                left.extend(text.split("/")[::-1])
    return False


def first_way_out(links: Mapping[str, str]) -> str | None:
    """The first link, in path order, that leads out of the tree or in circles."""
    return next((path for path in sorted(links) if leads_out(path, links)), None)
