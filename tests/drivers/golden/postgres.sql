-- PostgreSQL

-- order ---------------------------------------------------------------------------------------

-- create
CREATE TABLE "order" (
    "id" text COLLATE "C" NOT NULL,
    "text" text,
    "integer" bigint,
    "number" double precision,
    "decimal" numeric,
    "boolean" boolean,
    "timestamp" timestamp(6) with time zone,
    "datetime" timestamp(6) without time zone,
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
    r."id", r."text", r."integer", r."number", r."decimal", r."boolean", (CASE WHEN
    (r."timestamp" COLLATE "C" < ':' AND r."timestamp" LIKE '____-__-__%%') THEN r."timestamp"
    ELSE 'no date: ' || r."timestamp" END)::timestamp(6) with time zone, ((CASE WHEN
    (r."datetime" COLLATE "C" < ':' AND r."datetime" LIKE '____-__-__%%') THEN r."datetime" ELSE
    'no date: ' || r."datetime" END)::timestamptz AT TIME ZONE 'UTC')::timestamp(6) without time
    zone, r."json", decode(r."bytes", 'base64'), r."default", r."end", r."primary", r."select",
    r."_eds_version" FROM ROWS FROM (json_to_recordset(%s::json) AS ("id" text, "text" text,
    "integer" bigint, "number" double precision, "decimal" numeric, "boolean" boolean,
    "timestamp" text, "datetime" text, "json" jsonb, "bytes" text, "default" text, "end" text,
    "primary" text, "select" text), unnest(%s::numeric[]), json_array_elements_text(%s::json))
    AS r("id", "text", "integer", "number", "decimal", "boolean", "timestamp", "datetime",
    "json", "bytes", "default", "end", "primary", "select", "_eds_version", "_eds_key") WHERE
    NOT EXISTS (SELECT FROM "_eds_tombstone" AS d WHERE d.table_name = %s AND d.key =
    r."_eds_key" AND d.version > r."_eds_version" OFFSET 0) ON CONFLICT ("id") DO UPDATE SET
    "text" = excluded."text", "integer" = excluded."integer", "number" = excluded."number",
    "decimal" = excluded."decimal", "boolean" = excluded."boolean", "timestamp" =
    excluded."timestamp", "datetime" = excluded."datetime", "json" = excluded."json", "bytes" =
    excluded."bytes", "default" = excluded."default", "end" = excluded."end", "primary" =
    excluded."primary", "select" = excluded."select", "_eds_version" = excluded."_eds_version"
    WHERE t."_eds_version" IS NULL OR t."_eds_version" <= excluded."_eds_version";

-- delete
WITH dead AS (INSERT INTO "_eds_tombstone" AS t (table_name, key, version) SELECT %s, d.key,
    d.version FROM ROWS FROM (json_array_elements_text(%s::json), unnest(%s::numeric[])) AS
    d(key, version) ON CONFLICT (table_name, key) DO UPDATE SET version = excluded.version WHERE
    t.version < excluded.version) DELETE FROM "order" AS t USING ROWS FROM
    (unnest(%s::numeric[]), json_array_elements_text(%s::json)) AS d("_eds_version", "id") WHERE
    t."id" = d."id"::text AND (t."_eds_version" IS NULL OR t."_eds_version" <= d."_eds_version");

-- vehicle_owner -------------------------------------------------------------------------------

-- create
CREATE TABLE "vehicle_owner" (
    "vehicleId" text COLLATE "C" NOT NULL,
    "customerId" text COLLATE "C" NOT NULL,
    "since" timestamp(6) with time zone,
    "_eds_version" numeric(30,10),
    PRIMARY KEY ("vehicleId", "customerId")
);

-- add
ALTER TABLE "vehicle_owner" ADD "since" timestamp(6) with time zone;

-- upsert
INSERT INTO "vehicle_owner" AS t ("vehicleId", "customerId", "since", "_eds_version") SELECT
    r."vehicleId", r."customerId", (CASE WHEN (r."since" COLLATE "C" < ':' AND r."since" LIKE
    '____-__-__%%') THEN r."since" ELSE 'no date: ' || r."since" END)::timestamp(6) with time
    zone, r."_eds_version" FROM ROWS FROM (json_to_recordset(%s::json) AS ("vehicleId" text,
    "customerId" text, "since" text), unnest(%s::numeric[]), json_array_elements_text(%s::json))
    AS r("vehicleId", "customerId", "since", "_eds_version", "_eds_key") WHERE NOT EXISTS
    (SELECT FROM "_eds_tombstone" AS d WHERE d.table_name = %s AND d.key = r."_eds_key" AND
    d.version > r."_eds_version" OFFSET 0) ON CONFLICT ("vehicleId", "customerId") DO UPDATE SET
    "since" = excluded."since", "_eds_version" = excluded."_eds_version" WHERE t."_eds_version"
    IS NULL OR t."_eds_version" <= excluded."_eds_version";

-- delete
WITH dead AS (INSERT INTO "_eds_tombstone" AS t (table_name, key, version) SELECT %s, d.key,
    d.version FROM ROWS FROM (json_array_elements_text(%s::json), unnest(%s::numeric[])) AS
    d(key, version) ON CONFLICT (table_name, key) DO UPDATE SET version = excluded.version WHERE
    t.version < excluded.version) DELETE FROM "vehicle_owner" AS t USING ROWS FROM
    (unnest(%s::numeric[]), json_array_elements_text(%s::json),
    json_array_elements_text(%s::json)) AS d("_eds_version", "vehicleId", "customerId") WHERE
    t."vehicleId" = d."vehicleId"::text AND t."customerId" = d."customerId"::text AND
    (t."_eds_version" IS NULL OR t."_eds_version" <= d."_eds_version");

-- label_link ----------------------------------------------------------------------------------

-- create
CREATE TABLE "label_link" (
    "labelId" text COLLATE "C" NOT NULL,
    "orderId" text COLLATE "C" NOT NULL,
    "_eds_version" numeric(30,10),
    PRIMARY KEY ("labelId", "orderId")
);

-- upsert
INSERT INTO "label_link" AS t ("labelId", "orderId", "_eds_version") SELECT r."labelId",
    r."orderId", r."_eds_version" FROM ROWS FROM (json_to_recordset(%s::json) AS ("labelId"
    text, "orderId" text), unnest(%s::numeric[]), json_array_elements_text(%s::json)) AS
    r("labelId", "orderId", "_eds_version", "_eds_key") WHERE NOT EXISTS (SELECT FROM
    "_eds_tombstone" AS d WHERE d.table_name = %s AND d.key = r."_eds_key" AND d.version >
    r."_eds_version" OFFSET 0) ON CONFLICT ("labelId", "orderId") DO UPDATE SET "_eds_version" =
    excluded."_eds_version" WHERE t."_eds_version" IS NULL OR t."_eds_version" <=
    excluded."_eds_version";

-- delete
WITH dead AS (INSERT INTO "_eds_tombstone" AS t (table_name, key, version) SELECT %s, d.key,
    d.version FROM ROWS FROM (json_array_elements_text(%s::json), unnest(%s::numeric[])) AS
    d(key, version) ON CONFLICT (table_name, key) DO UPDATE SET version = excluded.version WHERE
    t.version < excluded.version) DELETE FROM "label_link" AS t USING ROWS FROM
    (unnest(%s::numeric[]), json_array_elements_text(%s::json),
    json_array_elements_text(%s::json)) AS d("_eds_version", "labelId", "orderId") WHERE
    t."labelId" = d."labelId"::text AND t."orderId" = d."orderId"::text AND (t."_eds_version" IS
    NULL OR t."_eds_version" <= d."_eds_version");

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
ALTER TABLE "thing" ALTER COLUMN "a" TYPE text USING (CASE WHEN isfinite("a") THEN to_char("a"
    AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') ELSE "a"::text END)::text;

-- datetime to text
ALTER TABLE "thing" ALTER COLUMN "a" TYPE text USING (CASE WHEN isfinite("a") THEN to_char("a",
    'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') ELSE "a"::text END)::text;

-- bytes to text
ALTER TABLE "thing" ALTER COLUMN "a" TYPE text USING (replace(encode("a", 'base64'), chr(10),
    ''))::text;

-- EDS's own tables ----------------------------------------------------------------------------

-- _eds_schema_history
CREATE TABLE _eds_schema_history (
    id TEXT COLLATE "C" NOT NULL,
    table_name TEXT COLLATE "C",
    at TEXT COLLATE "C",
    ended TEXT COLLATE "C",
    outcome TEXT COLLATE "C",
    statement TEXT,
    actor TEXT,
    version TEXT,
    error TEXT,
    model TEXT,
    PRIMARY KEY (id)
);

-- _eds_checkpoint
CREATE TABLE _eds_checkpoint (
    company TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    time TEXT COLLATE "C",
    account TEXT,
    stream TEXT,
    prefix TEXT,
    epoch BIGINT NOT NULL,
    owner TEXT,
    role TEXT,
    updated TEXT COLLATE "C",
    PRIMARY KEY (company)
);

-- _eds_tombstone
CREATE TABLE _eds_tombstone (
    table_name TEXT COLLATE "C" NOT NULL,
    key TEXT COLLATE "C" NOT NULL,
    version NUMERIC(30, 10) NOT NULL,
    PRIMARY KEY (table_name, key)
);

-- _eds_quarantine
CREATE TABLE _eds_quarantine (
    id TEXT COLLATE "C" NOT NULL,
    company TEXT,
    table_name TEXT,
    event_id TEXT,
    state TEXT,
    reason TEXT,
    advice TEXT,
    at TEXT,
    subject TEXT,
    seq BIGINT NOT NULL,
    time TEXT COLLATE "C",
    headers TEXT,
    payload BYTEA,
    PRIMARY KEY (id)
);

-- _eds_parked
CREATE TABLE _eds_parked (
    table_name TEXT COLLATE "C" NOT NULL,
    company TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    reason TEXT,
    advice TEXT,
    resume SMALLINT NOT NULL,
    PRIMARY KEY (table_name, company)
);

-- _eds_status
CREATE TABLE _eds_status (
    table_name TEXT COLLATE "C" NOT NULL,
    company TEXT COLLATE "C" NOT NULL,
    state TEXT,
    reason TEXT,
    last_event TEXT COLLATE "C",
    lag FLOAT(53),
    rows_written BIGINT NOT NULL,
    updated TEXT COLLATE "C",
    PRIMARY KEY (table_name, company)
);

-- _eds_heartbeat
CREATE TABLE _eds_heartbeat (
    company TEXT COLLATE "C" NOT NULL,
    epoch BIGINT NOT NULL,
    owner TEXT,
    at TEXT,
    PRIMARY KEY (company)
);

-- _eds_import
CREATE TABLE _eds_import (
    id TEXT COLLATE "C" NOT NULL,
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
