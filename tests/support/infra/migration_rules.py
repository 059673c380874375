"""What a migration may do while processes of the version before it still run.

A statement that would break them is refused, unless a comment before it says `contract:` and why
no running code depends on what it takes away. What a migration itself makes is its own.
"""

import re
from collections.abc import Iterator

_ANY_CASE = re.IGNORECASE | re.DOTALL
_PIECES = re.compile(r"(\$\w*\$).*?\1|'(?:[^']|'')*'|--[^\n]*|;|[^;'$-]+|.", re.DOTALL)
_MAKES = re.compile(
    r"^CREATE (?:OR REPLACE )?(?:TABLE|VIEW|FUNCTION|SEQUENCE|TYPE)(?: IF NOT EXISTS)? (\w+)",
    _ANY_CASE,
)
_TOUCHES = re.compile(
    r"^(?:ALTER|DROP) \w+ (?:IF EXISTS )?(?:ONLY )?(\w+)"
    r"|^(?:CREATE (?:UNIQUE )?INDEX|CREATE \w*TRIGGER|REVOKE)\b.*? ON"
    r" (?:FUNCTION |TABLE |SEQUENCE )?(?:ONLY )?(\w+)",
    _ANY_CASE,
)
_GRANTS = re.compile(r"^GRANT\b.*? ON (?:FUNCTION |TABLE |SEQUENCE )?(.+?) TO ", _ANY_CASE)
_ALLOWED = re.compile(r"\bcontract: *\S")

RULES = {
    r"\bDROP (?!NOT NULL)": "drops what the version before may still use",
    r"\bRENAME\b": "renames what the version before knows by its old name",
    r"\bSET NOT NULL\b": "refuses the nulls that the version before may write",
    r"\bALTER (COLUMN )?\w+ (SET DATA )?TYPE\b": "changes a type under the version before",
    r"\bADD (?!CONSTRAINT\b)(?!.*\b(DEFAULT|GENERATED)\b).*\bNOT NULL\b": (
        "adds a column that the version before does not fill"
    ),
    r"\bADD (CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b": (
        "refuses rows that the version before may write"
    ),
    r"\bCREATE UNIQUE INDEX\b": "refuses rows that the version before may write",
    r"^REVOKE\b": "takes a right that the version before uses",
    r"^TRUNCATE\b": "empties what the version before reads",
}


def breaks(sql: str) -> list[str]:
    """Each statement that would break running code, and how."""
    made: set[str] = set()
    faults = []
    for statement, comments in _statements(sql):
        if match := _MAKES.match(statement):
            made.add(match[1].lower())
        touched = _TOUCHES.match(statement)
        own = touched and (touched[1] or touched[2]).lower() in made
        if own or _ALLOWED.search(comments):
            continue
        faults += [
            f"{statement[:60]!r} {why}"
            for rule, why in RULES.items()
            if any(re.search(rule, action, _ANY_CASE) for action in _actions(statement))
        ]
    return faults


def touched(sql: str) -> set[str]:
    """The tables, views and functions that are made, changed or opened to somebody."""
    names: set[str] = set()
    for statement, _ in _statements(sql):
        if made := _MAKES.match(statement):
            names.add(made[1])
        if changed := _TOUCHES.match(statement):
            names.add(changed[1] or changed[2])
        if granted := _GRANTS.match(statement):
            names.update(re.findall(r"\w+", granted[1]))
    return names


def _statements(sql: str) -> Iterator[tuple[str, str]]:
    """Each statement on one line, without bodies of functions, and the comments in it."""
    words, comments = "", ""
    for piece in _PIECES.finditer(f"{sql};"):
        text = piece[0]
        if text.startswith("--"):
            comments += text
        elif text == ";":
            if words.strip():
                yield " ".join(words.split()), comments
                comments = ""
            words = ""
        else:
            words += "''" if text[0] in "'$" else text


def _actions(statement: str) -> list[str]:
    """The parts of an ALTER TABLE, which are judged each by itself."""
    if not statement.upper().startswith("ALTER TABLE"):
        return [statement]
    parts, depth = [""], 0
    for character in statement:
        depth += (character == "(") - (character == ")")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts
