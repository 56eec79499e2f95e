-- CockroachDB

-- order ---------------------------------------------------------------------------------------

-- create
CREATE TABLE "order" (
    "id" text NOT NULL,
    "text" text,
    "integer" bigint,
    "number" double precision,
    "decimal" numeric,
    "boolean" boolean,
    "timestamp" timestamp with time zone,
    "datetime" timestamp without time zone,
    "json" jsonb,
    "bytes" bytea,
    "default" text,
    "end" text,
    "primary" text,
    "select" text,
    "_eds_version" numeric(30,10),
    PRIMARY KEY ("id")
);

-- add
ALTER TABLE "order" ADD "select" text;

-- upsert
INSERT INTO "order" AS t ("id", "text", "integer", "number", "decimal", "boolean", "timestamp",
    "datetime", "json", "bytes", "default", "end", "primary", "select", "_eds_version") SELECT
    (r.e -> 2 ->> 'id'), (r.e -> 2 ->> 'text'), (r.e -> 2 ->> 'integer')::bigint, (r.e -> 2 ->>
    'number')::double precision, (r.e -> 2 ->> 'decimal')::numeric, (r.e -> 2 ->>
    'boolean')::boolean, (CASE WHEN (r.e -> 2 ->> 'timestamp') ~
    '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.]+ ?([Zz]|[+-][0-9:]+)?)?$' THEN (r.e -> 2 ->>
    'timestamp') WHEN (r.e -> 2 ->> 'timestamp') IS NULL THEN NULL ELSE 'no date'
    END)::timestamp with time zone, ((CASE WHEN (r.e -> 2 ->> 'datetime') ~
    '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.]+ ?([Zz]|[+-][0-9:]+)?)?$' THEN (r.e -> 2 ->>
    'datetime') WHEN (r.e -> 2 ->> 'datetime') IS NULL THEN NULL ELSE 'no date'
    END)::timestamptz AT TIME ZONE 'UTC'), NULLIF(r.e -> 2 -> 'json', 'null'::jsonb),
    decode((r.e -> 2 ->> 'bytes'), 'base64'), (r.e -> 2 ->> 'default'), (r.e -> 2 ->> 'end'),
    (r.e -> 2 ->> 'primary'), (r.e -> 2 ->> 'select'), (r.e ->> 1)::numeric FROM
    jsonb_array_elements(%s::jsonb) AS r(e) WHERE NOT EXISTS (SELECT 1 FROM "_eds_tombstone" AS
    d WHERE d.table_name = %s AND d.key = (r.e ->> 0) AND d.version > (r.e ->> 1)::numeric) ON
    CONFLICT ("id") DO UPDATE SET "text" = excluded."text", "integer" = excluded."integer",
    "number" = excluded."number", "decimal" = excluded."decimal", "boolean" =
    excluded."boolean", "timestamp" = excluded."timestamp", "datetime" = excluded."datetime",
    "json" = excluded."json", "bytes" = excluded."bytes", "default" = excluded."default", "end"
    = excluded."end", "primary" = excluded."primary", "select" = excluded."select",
    "_eds_version" = excluded."_eds_version" WHERE t."_eds_version" IS NULL OR t."_eds_version"
    <= excluded."_eds_version";

-- bury
INSERT INTO "_eds_tombstone" AS t (table_name, key, version) SELECT %s::text, (r.e ->> 0), (r.e
    ->> 1)::numeric FROM jsonb_array_elements(%s::jsonb) AS r(e) ON CONFLICT (table_name, key)
    DO UPDATE SET version = excluded.version WHERE t.version < excluded.version;

-- delete
DELETE FROM "order" AS t WHERE EXISTS (SELECT 1 FROM jsonb_array_elements(%s::jsonb) AS r(e)
    WHERE t."id" = (r.e ->> 2) AND (t."_eds_version" IS NULL OR t."_eds_version" <= (r.e ->>
    1)::numeric));

-- vehicle_owner -------------------------------------------------------------------------------

-- create
CREATE TABLE "vehicle_owner" (
    "vehicleId" text NOT NULL,
    "customerId" text NOT NULL,
    "since" timestamp with time zone,
    "_eds_version" numeric(30,10),
    PRIMARY KEY ("vehicleId", "customerId")
);

-- add
ALTER TABLE "vehicle_owner" ADD "since" timestamp with time zone;

-- upsert
INSERT INTO "vehicle_owner" AS t ("vehicleId", "customerId", "since", "_eds_version") SELECT
    (r.e -> 2 ->> 'vehicleId'), (r.e -> 2 ->> 'customerId'), (CASE WHEN (r.e -> 2 ->> 'since') ~
    '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9:.]+ ?([Zz]|[+-][0-9:]+)?)?$' THEN (r.e -> 2 ->>
    'since') WHEN (r.e -> 2 ->> 'since') IS NULL THEN NULL ELSE 'no date' END)::timestamp with
    time zone, (r.e ->> 1)::numeric FROM jsonb_array_elements(%s::jsonb) AS r(e) WHERE NOT
    EXISTS (SELECT 1 FROM "_eds_tombstone" AS d WHERE d.table_name = %s AND d.key = (r.e ->> 0)
    AND d.version > (r.e ->> 1)::numeric) ON CONFLICT ("vehicleId", "customerId") DO UPDATE SET
    "since" = excluded."since", "_eds_version" = excluded."_eds_version" WHERE t."_eds_version"
    IS NULL OR t."_eds_version" <= excluded."_eds_version";

-- bury
INSERT INTO "_eds_tombstone" AS t (table_name, key, version) SELECT %s::text, (r.e ->> 0), (r.e
    ->> 1)::numeric FROM jsonb_array_elements(%s::jsonb) AS r(e) ON CONFLICT (table_name, key)
    DO UPDATE SET version = excluded.version WHERE t.version < excluded.version;

-- delete
DELETE FROM "vehicle_owner" AS t WHERE EXISTS (SELECT 1 FROM jsonb_array_elements(%s::jsonb) AS
    r(e) WHERE t."vehicleId" = (r.e ->> 2) AND t."customerId" = (r.e ->> 3) AND
    (t."_eds_version" IS NULL OR t."_eds_version" <= (r.e ->> 1)::numeric));

-- label_link ----------------------------------------------------------------------------------

-- create
CREATE TABLE "label_link" (
    "labelId" text NOT NULL,
    "orderId" text NOT NULL,
    "_eds_version" numeric(30,10),
    PRIMARY KEY ("labelId", "orderId")
);

-- upsert
INSERT INTO "label_link" AS t ("labelId", "orderId", "_eds_version") SELECT (r.e -> 2 ->>
    'labelId'), (r.e -> 2 ->> 'orderId'), (r.e ->> 1)::numeric FROM
    jsonb_array_elements(%s::jsonb) AS r(e) WHERE NOT EXISTS (SELECT 1 FROM "_eds_tombstone" AS
    d WHERE d.table_name = %s AND d.key = (r.e ->> 0) AND d.version > (r.e ->> 1)::numeric) ON
    CONFLICT ("labelId", "orderId") DO UPDATE SET "_eds_version" = excluded."_eds_version" WHERE
    t."_eds_version" IS NULL OR t."_eds_version" <= excluded."_eds_version";

-- bury
INSERT INTO "_eds_tombstone" AS t (table_name, key, version) SELECT %s::text, (r.e ->> 0), (r.e
    ->> 1)::numeric FROM jsonb_array_elements(%s::jsonb) AS r(e) ON CONFLICT (table_name, key)
    DO UPDATE SET version = excluded.version WHERE t.version < excluded.version;

-- delete
DELETE FROM "label_link" AS t WHERE EXISTS (SELECT 1 FROM jsonb_array_elements(%s::jsonb) AS
    r(e) WHERE t."labelId" = (r.e ->> 2) AND t."orderId" = (r.e ->> 3) AND (t."_eds_version" IS
    NULL OR t."_eds_version" <= (r.e ->> 1)::numeric));

-- widening ------------------------------------------------------------------------------------

-- integer to text
ALTER TABLE "thing" ALTER COLUMN "a" TYPE text USING ("a"::text)::text;

-- integer to decimal
ALTER TABLE "thing" ALTER COLUMN "a" TYPE numeric USING ("a"::text)::numeric;

-- number to text
ALTER TABLE "thing" ALTER COLUMN "a" TYPE text USING ("a"::text)::text;

-- number to decimal
ALTER TABLE "thing" ALTER COLUMN "a" TYPE numeric USING ("a"::text)::numeric;

-- decimal to text
ALTER TABLE "thing" ALTER COLUMN "a" TYPE text USING ("a"::text)::text;

-- boolean to text
ALTER TABLE "thing" ALTER COLUMN "a" TYPE text USING ("a"::text)::text;

-- timestamp to text
ALTER TABLE "thing" ALTER COLUMN "a" TYPE text USING replace(("a" AT TIME ZONE 'UTC')::text, '
    ', 'T') || 'Z';

-- datetime to text
ALTER TABLE "thing" ALTER COLUMN "a" TYPE text USING replace("a"::text, ' ', 'T') || 'Z';

-- bytes to text
ALTER TABLE "thing" ALTER COLUMN "a" TYPE text USING replace(encode("a", 'base64'), chr(10), '');

-- EDS's own tables ----------------------------------------------------------------------------

-- _eds_schema_history
CREATE TABLE _eds_schema_history (
    id TEXT NOT NULL,
    table_name TEXT,
    at TEXT,
    ended TEXT,
    outcome TEXT,
    statement TEXT,
    actor TEXT,
    version TEXT,
    error TEXT,
    model TEXT,
    PRIMARY KEY (id)
);

-- _eds_checkpoint
CREATE TABLE _eds_checkpoint (
    company TEXT NOT NULL,
    seq BIGINT NOT NULL,
    time TEXT,
    account TEXT,
    stream TEXT,
    prefix TEXT,
    epoch BIGINT NOT NULL,
    owner TEXT,
    role TEXT,
    updated TEXT,
    PRIMARY KEY (company)
);

-- _eds_tombstone
CREATE TABLE _eds_tombstone (
    table_name TEXT NOT NULL,
    key TEXT NOT NULL,
    version NUMERIC(30, 10) NOT NULL,
    PRIMARY KEY (table_name, key)
);

-- _eds_quarantine
CREATE TABLE _eds_quarantine (
    id TEXT NOT NULL,
    company TEXT,
    table_name TEXT,
    event_id TEXT,
    state TEXT,
    reason TEXT,
    advice TEXT,
    at TEXT,
    subject TEXT,
    seq BIGINT NOT NULL,
    time TEXT,
    headers TEXT,
    payload BYTEA,
    PRIMARY KEY (id)
);

-- _eds_parked
CREATE TABLE _eds_parked (
    table_name TEXT NOT NULL,
    company TEXT NOT NULL,
    seq BIGINT NOT NULL,
    reason TEXT,
    advice TEXT,
    resume SMALLINT NOT NULL,
    PRIMARY KEY (table_name, company)
);

-- _eds_status
CREATE TABLE _eds_status (
    table_name TEXT NOT NULL,
    company TEXT NOT NULL,
    state TEXT,
    reason TEXT,
    last_event TEXT,
    lag FLOAT(53),
    rows_written BIGINT NOT NULL,
    updated TEXT,
    PRIMARY KEY (table_name, company)
);

-- _eds_heartbeat
CREATE TABLE _eds_heartbeat (
    company TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    owner TEXT,
    at TEXT,
    PRIMARY KEY (company)
);

-- _eds_import
CREATE TABLE _eds_import (
    id TEXT NOT NULL,
    table_name TEXT,
    file TEXT,
    updated TEXT,
    bytes_read BIGINT NOT NULL,
    lines_read BIGINT NOT NULL,
    is_done BIGINT NOT NULL,
    rows_read BIGINT NOT NULL,
    rows_inserted BIGINT NOT NULL,
    rows_updated BIGINT NOT NULL,
    rows_quarantined BIGINT NOT NULL,
    rows_deleted BIGINT NOT NULL,
    PRIMARY KEY (id)
);
