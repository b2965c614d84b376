"""The registry as documentation: one table of rules for each subject."""

from __future__ import annotations

from itertools import groupby

from tomotheca.doctor.registry import RULES

HEAD = """\
# The doctor

Written by `make docs` from the registry of rules (`src/tomotheca/doctor/registry.py`).

    tomotheca doctor                              # the whole archive
    tomotheca doctor DS-10001 --rule 'mrc.*'      # one dataset, some rules
    tomotheca doctor --profile cz --json          # the stricter forms of the public CryoET Data Portal too, as data
    tomotheca doctor --hash                       # read every file, compare its SHA-256, note it where there is none
    tomotheca doctor --ignore dataset.title 10001/ --reason "the title of the paper"
    tomotheca doctor --history                    # what was found, when first, when last, since when no more

It works on a folder and on a bucket, reads headers, documents and manifests (and with `--hash` all bytes), and changes nothing else. Its
findings are kept at the desk. It ends with 1 when there is an error, with `--strict` when there is a warning. `tomotheca check CONFIG
--source DIR` applies the rules marked *source* to a lab's files before anything is taken in.

The rules say what this program's writer promises. Those whose names begin with `cz.` are stricter and apply with `--profile cz` only;
those marked *written* are left out for files that stay in their place.
"""


def page() -> str:
    """Give the page."""
    parts = [HEAD]
    for group, rules in groupby(RULES, key=lambda rule: rule.id.removeprefix("cz.").partition(".")[0]):
        parts.append(f"\n## {group}\n\n| rule | severity | must be so | to mend |\n|---|---|---|---|")
        for rule in rules:
            marks = [word for word, is_so in (("source", rule.source), ("written", rule.written)) if is_so]
            marked = f" *{', '.join(marks)}*" if marks else ""
            cells = (f"`{rule.id}`{marked}", rule.severity, rule.description, rule.mend)
            parts.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |")
    return "\n".join(parts) + "\n"
