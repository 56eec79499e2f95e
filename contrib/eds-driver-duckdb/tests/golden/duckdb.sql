-- DuckDB

-- order ---------------------------------------------------------------------------------------

-- create
CREATE TABLE "order" (
    "id" VARCHAR NOT NULL,
    "text" VARCHAR,
    "integer" BIGINT,
    "number" DOUBLE,
    "decimal" DECIMAL(38,9),
    "boolean" BOOLEAN,
    "timestamp" TIMESTAMP WITH TIME ZONE,
    "datetime" TIMESTAMP,
    "json" JSON,
    "bytes" BLOB,
    "default" VARCHAR,
    "end" VARCHAR,
    "primary" VARCHAR,
    "select" VARCHAR,
    "_eds_version" VARCHAR,
    PRIMARY KEY ("id")
);

-- add
ALTER TABLE "order" ADD "select" VARCHAR;

-- upsert
INSERT INTO "order" AS t ("id", "text", "integer", "number", "decimal", "boolean", "timestamp",
    "datetime", "json", "bytes", "default", "end", "primary", "select", "_eds_version") SELECT
    s."id", s."text", s."integer", s."number", s."decimal", s."boolean", s."timestamp",
    s."datetime", s."json", s."bytes", s."default", s."end", s."primary", s."select",
    s."_eds_version" FROM (SELECT CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR) "id",
    CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR) "text", CAST(unnest(CAST(? AS BIGINT[])) AS
    BIGINT) "integer", CAST(unnest(CAST(? AS DOUBLE[])) AS DOUBLE) "number", CAST(unnest(CAST(?
    AS VARCHAR[])) AS DECIMAL(38,9)) "decimal", CAST(unnest(CAST(? AS BOOLEAN[])) AS BOOLEAN)
    "boolean", CAST(unnest(CAST(? AS VARCHAR[])) AS TIMESTAMP WITH TIME ZONE) "timestamp",
    CAST(unnest(CAST(? AS VARCHAR[])) AS TIMESTAMP) "datetime", CAST(unnest(CAST(? AS
    VARCHAR[])) AS JSON) "json", CAST(unnest(CAST(? AS BLOB[])) AS BLOB) "bytes",
    CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR) "default", CAST(unnest(CAST(? AS VARCHAR[]))
    AS VARCHAR) "end", CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR) "primary",
    CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR) "select", unnest(CAST(? AS VARCHAR[]))
    "_eds_version", unnest(CAST(? AS VARCHAR[])) _eds_key) s WHERE NOT EXISTS (SELECT 1 FROM
    "_eds_tombstone" d WHERE d.table_name = ? AND d.key = s._eds_key AND d.version >
    s."_eds_version") ON CONFLICT ("id") DO UPDATE SET "text" = excluded."text", "integer" =
    excluded."integer", "number" = excluded."number", "decimal" = excluded."decimal", "boolean"
    = excluded."boolean", "timestamp" = excluded."timestamp", "datetime" = excluded."datetime",
    "json" = excluded."json", "bytes" = excluded."bytes", "default" = excluded."default", "end"
    = excluded."end", "primary" = excluded."primary", "select" = excluded."select",
    "_eds_version" = excluded."_eds_version" WHERE (t."_eds_version" IS NULL OR t."_eds_version"
    <= excluded."_eds_version");

-- tombstone
INSERT INTO "_eds_tombstone" AS t (table_name, key, version) SELECT ?, unnest(CAST(? AS
    VARCHAR[])), unnest(CAST(? AS VARCHAR[])) ON CONFLICT (table_name, key) DO UPDATE SET
    version = greatest(t.version, excluded.version);

-- delete
DELETE FROM "order" AS t USING (SELECT CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR) "id",
    unnest(CAST(? AS VARCHAR[])) "_eds_version") s WHERE t."id" = s."id" AND (t."_eds_version"
    IS NULL OR t."_eds_version" <= s."_eds_version");

-- vehicle_owner -------------------------------------------------------------------------------

-- create
CREATE TABLE "vehicle_owner" (
    "vehicleId" VARCHAR NOT NULL,
    "customerId" VARCHAR NOT NULL,
    "since" TIMESTAMP WITH TIME ZONE,
    "_eds_version" VARCHAR,
    PRIMARY KEY ("vehicleId", "customerId")
);

-- add
ALTER TABLE "vehicle_owner" ADD "since" TIMESTAMP WITH TIME ZONE;

-- upsert
INSERT INTO "vehicle_owner" AS t ("vehicleId", "customerId", "since", "_eds_version") SELECT
    s."vehicleId", s."customerId", s."since", s."_eds_version" FROM (SELECT CAST(unnest(CAST(?
    AS VARCHAR[])) AS VARCHAR) "vehicleId", CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR)
    "customerId", CAST(unnest(CAST(? AS VARCHAR[])) AS TIMESTAMP WITH TIME ZONE) "since",
    unnest(CAST(? AS VARCHAR[])) "_eds_version", unnest(CAST(? AS VARCHAR[])) _eds_key) s WHERE
    NOT EXISTS (SELECT 1 FROM "_eds_tombstone" d WHERE d.table_name = ? AND d.key = s._eds_key
    AND d.version > s."_eds_version") ON CONFLICT ("vehicleId", "customerId") DO UPDATE SET
    "since" = excluded."since", "_eds_version" = excluded."_eds_version" WHERE (t."_eds_version"
    IS NULL OR t."_eds_version" <= excluded."_eds_version");

-- tombstone
INSERT INTO "_eds_tombstone" AS t (table_name, key, version) SELECT ?, unnest(CAST(? AS
    VARCHAR[])), unnest(CAST(? AS VARCHAR[])) ON CONFLICT (table_name, key) DO UPDATE SET
    version = greatest(t.version, excluded.version);

-- delete
DELETE FROM "vehicle_owner" AS t USING (SELECT CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR)
    "vehicleId", CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR) "customerId", unnest(CAST(? AS
    VARCHAR[])) "_eds_version") s WHERE t."vehicleId" = s."vehicleId" AND t."customerId" =
    s."customerId" AND (t."_eds_version" IS NULL OR t."_eds_version" <= s."_eds_version");

-- label_link ----------------------------------------------------------------------------------

-- create
CREATE TABLE "label_link" (
    "labelId" VARCHAR NOT NULL,
    "orderId" VARCHAR NOT NULL,
    "_eds_version" VARCHAR,
    PRIMARY KEY ("labelId", "orderId")
);

-- upsert
INSERT INTO "label_link" AS t ("labelId", "orderId", "_eds_version") SELECT s."labelId",
    s."orderId", s."_eds_version" FROM (SELECT CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR)
    "labelId", CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR) "orderId", unnest(CAST(? AS
    VARCHAR[])) "_eds_version", unnest(CAST(? AS VARCHAR[])) _eds_key) s WHERE NOT EXISTS
    (SELECT 1 FROM "_eds_tombstone" d WHERE d.table_name = ? AND d.key = s._eds_key AND
    d.version > s."_eds_version") ON CONFLICT ("labelId", "orderId") DO UPDATE SET
    "_eds_version" = excluded."_eds_version" WHERE (t."_eds_version" IS NULL OR t."_eds_version"
    <= excluded."_eds_version");

-- tombstone
INSERT INTO "_eds_tombstone" AS t (table_name, key, version) SELECT ?, unnest(CAST(? AS
    VARCHAR[])), unnest(CAST(? AS VARCHAR[])) ON CONFLICT (table_name, key) DO UPDATE SET
    version = greatest(t.version, excluded.version);

-- delete
DELETE FROM "label_link" AS t USING (SELECT CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR)
    "labelId", CAST(unnest(CAST(? AS VARCHAR[])) AS VARCHAR) "orderId", unnest(CAST(? AS
    VARCHAR[])) "_eds_version") s WHERE t."labelId" = s."labelId" AND t."orderId" = s."orderId"
    AND (t."_eds_version" IS NULL OR t."_eds_version" <= s."_eds_version");

-- widening ------------------------------------------------------------------------------------

-- integer to text
ALTER TABLE "thing" ALTER "a" TYPE VARCHAR USING "a"::VARCHAR;

-- integer to decimal
ALTER TABLE "thing" ALTER "a" TYPE DECIMAL(38,9) USING "a"::DECIMAL(38,9);

-- number to text
ALTER TABLE "thing" ALTER "a" TYPE VARCHAR USING "a"::VARCHAR;

-- number to decimal
-- refused: thing.a has to become decimal, which EDS cannot do on this database;

-- decimal to text
ALTER TABLE "thing" ALTER "a" TYPE VARCHAR USING rtrim(rtrim("a"::VARCHAR, '0'), '.')::VARCHAR;

-- boolean to text
ALTER TABLE "thing" ALTER "a" TYPE VARCHAR USING "a"::VARCHAR;

-- timestamp to text
ALTER TABLE "thing" ALTER "a" TYPE VARCHAR USING strftime("a" AT TIME ZONE 'UTC',
    '%Y-%m-%dT%H:%M:%S.%fZ')::VARCHAR;

-- datetime to text
ALTER TABLE "thing" ALTER "a" TYPE VARCHAR USING strftime("a", '%Y-%m-%dT%H:%M:%S.%fZ')::VARCHAR;

-- bytes to text
ALTER TABLE "thing" ALTER "a" TYPE VARCHAR USING base64("a")::VARCHAR;

-- EDS's own tables ----------------------------------------------------------------------------

-- _eds_schema_history
CREATE TABLE _eds_schema_history (
    id VARCHAR(255) NOT NULL,
    table_name VARCHAR(255),
    "at" VARCHAR(255),
    ended VARCHAR(255),
    outcome VARCHAR(255),
    statement TEXT,
    actor TEXT,
    version TEXT,
    error TEXT,
    model TEXT,
    PRIMARY KEY (id)
);

-- _eds_checkpoint
CREATE TABLE _eds_checkpoint (
    company VARCHAR(255) NOT NULL,
    seq BIGINT NOT NULL,
    time VARCHAR(255),
    account TEXT,
    stream TEXT,
    prefix TEXT,
    epoch BIGINT NOT NULL,
    owner TEXT,
    role TEXT,
    updated VARCHAR(255),
    PRIMARY KEY (company)
);

-- _eds_tombstone
CREATE TABLE _eds_tombstone (
    table_name VARCHAR(255) NOT NULL,
    key VARCHAR(400) NOT NULL,
    version VARCHAR(40) NOT NULL,
    PRIMARY KEY (table_name, key)
);

-- _eds_quarantine
CREATE TABLE _eds_quarantine (
    id VARCHAR(255) NOT NULL,
    company TEXT,
    table_name TEXT,
    event_id TEXT,
    state TEXT,
    reason TEXT,
    advice TEXT,
    "at" TEXT,
    subject TEXT,
    seq BIGINT NOT NULL,
    time VARCHAR(255),
    headers TEXT,
    payload BYTEA,
    PRIMARY KEY (id)
);

-- _eds_parked
CREATE TABLE _eds_parked (
    table_name VARCHAR(255) NOT NULL,
    company VARCHAR(255) NOT NULL,
    seq BIGINT NOT NULL,
    reason TEXT,
    advice TEXT,
    resume SMALLINT NOT NULL,
    PRIMARY KEY (table_name, company)
);

-- _eds_status
CREATE TABLE _eds_status (
    table_name VARCHAR(255) NOT NULL,
    company VARCHAR(255) NOT NULL,
    state TEXT,
    reason TEXT,
    last_event VARCHAR(255),
    lag FLOAT(53),
    rows_written BIGINT NOT NULL,
    updated VARCHAR(255),
    PRIMARY KEY (table_name, company)
);

-- _eds_heartbeat
CREATE TABLE _eds_heartbeat (
    company VARCHAR(255) NOT NULL,
    epoch BIGINT NOT NULL,
    owner TEXT,
    "at" TEXT,
    PRIMARY KEY (company)
);

-- _eds_import
CREATE TABLE _eds_import (
    id VARCHAR(255) NOT NULL,
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
