"""Makes the rights of the database's roles what `infra.postgres.rights` says, or says what differs.

Only the roles of processes and PUBLIC are looked at; the owner and other roles are left alone. What
the table names and this database does not have yet is passed over, so that newer code can prepare
an older schema.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from infra.postgres.pool import Connection
from infra.postgres.privileges import EVERY_ROW, ROLES, Right, Rights
from infra.postgres.rights import LEAVING, RIGHTS

Table = Mapping[str, Mapping[str, Rights]]

PUBLIC = "PUBLIC"


@dataclass(frozen=True, order=True)
class Grant:
    """One privilege as the database keeps it: on an object, or on one of its columns."""

    role: str
    verb: str
    object: str
    column: str = ""

    def __str__(self) -> str:
        column = f" ({self.column})" if self.column else ""
        return f"{self.role}: {self.verb}{column} on {self.object}"


@dataclass(frozen=True, order=True)
class Policy:
    """The rows that one verb of one role reaches. The comment on it in the database is its text."""

    table: str
    role: str
    verb: str
    rows: str
    written: str

    @property
    def name(self) -> str:
        """The name of the policy in the database."""
        return f"{self.role}_{self.verb.lower()}"

    @property
    def conditions(self) -> str:
        """As the statement that makes the policy has them, and as its comment repeats them."""
        using = f"USING ({self.rows}) " if self.verb != "INSERT" else ""
        check = f"WITH CHECK ({self.written})" if self.verb in ("INSERT", "UPDATE") else ""
        return (using + check).strip()


@dataclass(frozen=True)
class Objects:
    """What there is in the schema: kinds of objects by name, and columns of tables and views."""

    kinds: Mapping[str, str]
    """TABLE (also a view), SEQUENCE, or ROUTINE with the types of its arguments."""
    tables: frozenset[str]
    columns: Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Differences:
    """What `ensure_rights` changes."""

    missing: tuple[Grant, ...]
    surplus: tuple[Grant, ...]
    missing_policies: tuple[Policy, ...]
    surplus_policies: tuple[tuple[str, str], ...]
    """Table and name."""
    guarded: Mapping[str, bool]
    """Tables whose row level security has to be on, or off."""

    def __bool__(self) -> bool:
        return any(vars(self).values())

    def lines(self) -> list[str]:
        """Return the differences as lines of text."""
        return [
            *(f"right missing: {grant}" for grant in self.missing),
            *(f"right too much: {grant}" for grant in self.surplus),
            *(f"rows differ: {each.name} on {each.table}" for each in self.missing_policies),
            *(f"rows too much: {name} on {table}" for table, name in self.surplus_policies),
            *(
                f"row security of {t} must be {'on' if on else 'off'}"
                for t, on in self.guarded.items()
            ),
        ]


def wanted_grants(table: Table) -> set[Grant]:
    """Return every privilege that a table of rights gives."""
    return {
        Grant(role, right.verb, name, column)
        for name, roles in table.items()
        for role, rights in roles.items()
        for right in rights
        for column in right.columns or ("",)
    }


def wanted_policies(table: Table) -> set[Policy]:
    """Return a policy for every right on a table in which some right is about some rows only."""
    return {
        Policy(name, role, right.verb, right.rows, right.written)
        for name, roles in table.items()
        if guarded(roles.values())
        for role, rights in roles.items()
        for right in rights
    }


def guarded(rights: Iterable[Rights]) -> bool:
    """Return whether one of these rights does not reach every row."""
    return any(
        right.rows != EVERY_ROW or right.written != EVERY_ROW for each in rights for right in each
    )


async def compare_rights(conn: Connection, table: Table = RIGHTS) -> Differences:
    """Return what would have to change."""
    objects = await read_objects(conn)
    table = _existing(table, objects)
    grants, present = wanted_grants(table), await read_grants(conn)
    leaving = wanted_grants(_existing(LEAVING, objects))
    policies, found = wanted_policies(table), await _read_policies(conn)
    kept = wanted_policies(_existing(LEAVING, objects))
    names = {(each.table, each.name) for each in policies | kept}
    on = {name for name in objects.tables if name in table and guarded(table[name].values())}
    is_on = await _read_guarded(conn)
    return Differences(
        missing=tuple(sorted(grants - present)),
        surplus=tuple(sorted(present - grants - leaving)),
        missing_policies=tuple(
            sorted(p for p in policies if found.get((p.table, p.name)) != p.conditions)
        ),
        surplus_policies=tuple(sorted(found.keys() - names)),
        guarded={
            name: name in on for name in sorted(objects.tables) if (name in on) != (name in is_on)
        },
    )


async def ensure_rights(conn: Connection, table: Table = RIGHTS) -> Differences:
    """Take what is too much and give what is missing, in one transaction; as the owner.

    What is missing is looked up after something was taken: a privilege on a whole table takes those
    on its columns along.
    """
    async with conn.transaction():
        differences = await compare_rights(conn, table)
        kinds = (await read_objects(conn)).kinds
        for statement in _taking(differences, kinds):
            await conn.execute(statement)
        left = await compare_rights(conn, table)
        for grant in left.missing:
            await conn.execute(
                f"GRANT {_privilege(grant)} ON {kinds[grant.object]} TO {_role(grant.role)}"
            )
    return differences


def _taking(differences: Differences, kinds: Mapping[str, str]) -> Iterable[str]:
    # Functions that are made from now on are nobody's but the owner's.
    yield "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC"
    for table, name in differences.surplus_policies:
        yield f"DROP POLICY {name} ON {table}"
    for policy in differences.missing_policies:
        yield f"DROP POLICY IF EXISTS {policy.name} ON {policy.table}"
        yield (
            f"CREATE POLICY {policy.name} ON {policy.table} FOR {policy.verb}"
            f" TO {_role(policy.role)} {policy.conditions}"
        )
        text = policy.conditions.replace("'", "''")
        yield f"COMMENT ON POLICY {policy.name} ON {policy.table} IS '{text}'"
    for table, on in differences.guarded.items():
        yield f"ALTER TABLE {table} {'ENABLE' if on else 'DISABLE'} ROW LEVEL SECURITY"
    for grant in differences.surplus:
        yield f"REVOKE {_privilege(grant)} ON {kinds[grant.object]} FROM {_role(grant.role)}"


def _privilege(grant: Grant) -> str:
    return f'{grant.verb} ("{grant.column}")' if grant.column else grant.verb


def _role(role: str) -> str:
    return role if role == PUBLIC else f"qnt9_{role}"


def _existing(table: Table, objects: Objects) -> dict[str, dict[str, Rights]]:
    """The part of a table of rights that is about what there is."""

    def there(name: str, right: Right) -> bool:
        return objects.columns.get(name, frozenset()).issuperset(right.columns)

    return {
        name: {
            role: tuple(right for right in rights if there(name, right))
            for role, rights in roles.items()
        }
        for name, roles in table.items()
        if name in objects.kinds
    }


async def read_objects(conn: Connection) -> Objects:
    """Return tables, views, sequences and functions, without partitions that time makes."""
    relations = await conn.fetch(
        r"""
        SELECT relname AS name, relkind::text AS kind,
               ARRAY(SELECT attname::text FROM pg_attribute
                      WHERE attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped) AS columns
          FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
           AND NOT (relispartition AND relname ~ '_\d{8}$')
        """
    )
    routines = await conn.fetch(
        """
        SELECT proname AS name, pg_get_function_identity_arguments(oid) AS arguments
          FROM pg_proc
         WHERE pronamespace = 'public'::regnamespace
        """
    )
    kinds = {
        row["name"]: f"{'SEQUENCE' if row['kind'] == 'S' else 'TABLE'} {row['name']}"
        for row in relations
    } | {row["name"]: f"ROUTINE {row['name']} ({row['arguments']})" for row in routines}
    return Objects(
        kinds=kinds,
        tables=frozenset(row["name"] for row in relations if row["kind"] in ("r", "p")),
        columns={row["name"]: frozenset(row["columns"]) for row in relations},
    )


async def read_grants(conn: Connection) -> set[Grant]:
    """Return every privilege of PUBLIC and of the processes' roles in the schema."""
    rows = await conn.fetch(
        """
        WITH granted AS (
            SELECT relname AS object, '' AS column, (aclexplode(relacl)).*
              FROM pg_class WHERE relnamespace = 'public'::regnamespace
             UNION ALL
            SELECT relname, attname, (aclexplode(attacl)).*
              FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
             WHERE relnamespace = 'public'::regnamespace AND NOT attisdropped
             UNION ALL
            SELECT proname, '', (aclexplode(coalesce(proacl, acldefault('f', proowner)))).*
              FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        )
        SELECT CASE WHEN grantee = 0 THEN $2 ELSE substr(rolname, 6) END AS role,
               privilege_type AS verb, object, "column"
          FROM granted LEFT JOIN pg_roles ON pg_roles.oid = grantee
         WHERE grantee = 0 OR rolname = ANY($1)
        """,
        [_role(role) for role in ROLES],
        PUBLIC,
    )
    return {Grant(**row) for row in rows}


async def _read_policies(conn: Connection) -> dict[tuple[str, str], str]:
    rows = await conn.fetch(
        """
        SELECT relname, polname, coalesce(obj_description(pg_policy.oid, 'pg_policy'), '') AS text
          FROM pg_policy JOIN pg_class ON pg_class.oid = polrelid
         WHERE relnamespace = 'public'::regnamespace
        """
    )
    return {(row["relname"], row["polname"]): row["text"] for row in rows}


async def _read_guarded(conn: Connection) -> set[str]:
    rows = await conn.fetch(
        """
        SELECT relname FROM pg_class
         WHERE relnamespace = 'public'::regnamespace AND relrowsecurity
        """
    )
    return {row["relname"] for row in rows}
