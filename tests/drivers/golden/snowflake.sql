-- Snowflake

-- order ---------------------------------------------------------------------------------------

-- create
CREATE TABLE "order" (
    "id" VARCHAR NOT NULL,
    "text" VARCHAR,
    "integer" NUMBER(38,0),
    "number" FLOAT,
    "decimal" NUMBER(38,18),
    "boolean" BOOLEAN,
    "timestamp" TIMESTAMP_TZ(9),
    "datetime" TIMESTAMP_NTZ(9),
    "json" VARIANT,
    "bytes" BINARY,
    "default" VARCHAR,
    "end" VARCHAR,
    "primary" VARCHAR,
    "select" VARCHAR,
    "_eds_version" NUMBER(38,10),
    PRIMARY KEY ("id")
);

-- add
ALTER TABLE "order" ADD "select" VARCHAR;

-- upsert
MERGE INTO "order" t USING (SELECT r."id", r."text", r."integer", r."number", r."decimal",
    r."boolean", r."timestamp", r."datetime", r."json", r."bytes", r."default", r."end",
    r."primary", r."select", r."_eds_version" FROM (SELECT ? AS "_eds_table", x."v":c0::VARCHAR
    AS "id", x."v":c1::VARCHAR AS "text", x."v":c2::VARCHAR::NUMBER(38,0) AS "integer",
    x."v":c3::VARCHAR::FLOAT AS "number", x."v":c4::VARCHAR::NUMBER(38,18) AS "decimal",
    x."v":c5::VARCHAR::BOOLEAN AS "boolean", x."v":c6::VARCHAR::TIMESTAMP_TZ AS "timestamp",
    x."v":c7::VARCHAR::TIMESTAMP_NTZ AS "datetime", PARSE_JSON(x."v":c8::VARCHAR) AS "json",
    TO_BINARY(x."v":c9::VARCHAR, 'HEX') AS "bytes", x."v":c10::VARCHAR AS "default",
    x."v":c11::VARCHAR AS "end", x."v":c12::VARCHAR AS "primary", x."v":c13::VARCHAR AS
    "select", x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version", x."v":k::VARCHAR AS "_eds_key"
    FROM (SELECT f.value AS "v" FROM (SELECT PARSE_JSON(?) AS j) p, LATERAL FLATTEN(INPUT =>
    p.j) f) x) r LEFT JOIN "_eds_tombstone" d ON d."table_name" = r."_eds_table" AND d."key" =
    r."_eds_key" AND d."version" > r."_eds_version" WHERE d."key" IS NULL) s ON t."id" = s."id"
    WHEN MATCHED AND (t."_eds_version" IS NULL OR t."_eds_version" <= s."_eds_version") THEN
    UPDATE SET "text" = s."text", "integer" = s."integer", "number" = s."number", "decimal" =
    s."decimal", "boolean" = s."boolean", "timestamp" = s."timestamp", "datetime" =
    s."datetime", "json" = s."json", "bytes" = s."bytes", "default" = s."default", "end" =
    s."end", "primary" = s."primary", "select" = s."select", "_eds_version" = s."_eds_version"
    WHEN NOT MATCHED THEN INSERT ("id", "text", "integer", "number", "decimal", "boolean",
    "timestamp", "datetime", "json", "bytes", "default", "end", "primary", "select",
    "_eds_version") VALUES (s."id", s."text", s."integer", s."number", s."decimal", s."boolean",
    s."timestamp", s."datetime", s."json", s."bytes", s."default", s."end", s."primary",
    s."select", s."_eds_version");

-- tombstone
MERGE INTO "_eds_tombstone" t USING (SELECT ? AS "table_name", x."v":k::VARCHAR AS "key",
    x."v":v::VARCHAR::NUMBER(38,10) AS "version" FROM (SELECT f.value AS "v" FROM (SELECT
    PARSE_JSON(?) AS j) p, LATERAL FLATTEN(INPUT => p.j) f) x) s ON t."table_name" =
    s."table_name" AND t."key" = s."key" WHEN MATCHED AND t."version" < s."version" THEN UPDATE
    SET "version" = s."version" WHEN NOT MATCHED THEN INSERT ("table_name", "key", "version")
    VALUES (s."table_name", s."key", s."version");

-- delete
DELETE FROM "order" t USING (SELECT x."v":c0::VARCHAR AS "id", x."v":v::VARCHAR::NUMBER(38,10)
    AS "_eds_version" FROM (SELECT f.value AS "v" FROM (SELECT PARSE_JSON(?) AS j) p, LATERAL
    FLATTEN(INPUT => p.j) f) x) s WHERE t."id" = s."id" AND (t."_eds_version" IS NULL OR
    t."_eds_version" <= s."_eds_version");

-- upsert_staged
MERGE INTO "order" t USING (SELECT r."id", r."text", r."integer", r."number", r."decimal",
    r."boolean", r."timestamp", r."datetime", r."json", r."bytes", r."default", r."end",
    r."primary", r."select", r."_eds_version" FROM (SELECT ? AS "_eds_table", x."v":c0::VARCHAR
    AS "id", x."v":c1::VARCHAR AS "text", x."v":c2::VARCHAR::NUMBER(38,0) AS "integer",
    x."v":c3::VARCHAR::FLOAT AS "number", x."v":c4::VARCHAR::NUMBER(38,18) AS "decimal",
    x."v":c5::VARCHAR::BOOLEAN AS "boolean", x."v":c6::VARCHAR::TIMESTAMP_TZ AS "timestamp",
    x."v":c7::VARCHAR::TIMESTAMP_NTZ AS "datetime", PARSE_JSON(x."v":c8::VARCHAR) AS "json",
    TO_BINARY(x."v":c9::VARCHAR, 'HEX') AS "bytes", x."v":c10::VARCHAR AS "default",
    x."v":c11::VARCHAR AS "end", x."v":c12::VARCHAR AS "primary", x."v":c13::VARCHAR AS
    "select", x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version", x."v":k::VARCHAR AS "_eds_key"
    FROM (SELECT "v" FROM "_eds_rows") x) r LEFT JOIN "_eds_tombstone" d ON d."table_name" =
    r."_eds_table" AND d."key" = r."_eds_key" AND d."version" > r."_eds_version" WHERE d."key"
    IS NULL) s ON t."id" = s."id" WHEN MATCHED AND (t."_eds_version" IS NULL OR t."_eds_version"
    <= s."_eds_version") THEN UPDATE SET "text" = s."text", "integer" = s."integer", "number" =
    s."number", "decimal" = s."decimal", "boolean" = s."boolean", "timestamp" = s."timestamp",
    "datetime" = s."datetime", "json" = s."json", "bytes" = s."bytes", "default" = s."default",
    "end" = s."end", "primary" = s."primary", "select" = s."select", "_eds_version" =
    s."_eds_version" WHEN NOT MATCHED THEN INSERT ("id", "text", "integer", "number", "decimal",
    "boolean", "timestamp", "datetime", "json", "bytes", "default", "end", "primary", "select",
    "_eds_version") VALUES (s."id", s."text", s."integer", s."number", s."decimal", s."boolean",
    s."timestamp", s."datetime", s."json", s."bytes", s."default", s."end", s."primary",
    s."select", s."_eds_version");

-- tombstone_staged
MERGE INTO "_eds_tombstone" t USING (SELECT ? AS "table_name", x."v":k::VARCHAR AS "key",
    x."v":v::VARCHAR::NUMBER(38,10) AS "version" FROM (SELECT "v" FROM "_eds_rows") x) s ON
    t."table_name" = s."table_name" AND t."key" = s."key" WHEN MATCHED AND t."version" <
    s."version" THEN UPDATE SET "version" = s."version" WHEN NOT MATCHED THEN INSERT
    ("table_name", "key", "version") VALUES (s."table_name", s."key", s."version");

-- delete_staged
DELETE FROM "order" t USING (SELECT x."v":c0::VARCHAR AS "id", x."v":v::VARCHAR::NUMBER(38,10)
    AS "_eds_version" FROM (SELECT "v" FROM "_eds_rows") x) s WHERE t."id" = s."id" AND
    (t."_eds_version" IS NULL OR t."_eds_version" <= s."_eds_version");

-- vehicle_owner -------------------------------------------------------------------------------

-- create
CREATE TABLE "vehicle_owner" (
    "vehicleId" VARCHAR NOT NULL,
    "customerId" VARCHAR NOT NULL,
    "since" TIMESTAMP_TZ(9),
    "_eds_version" NUMBER(38,10),
    PRIMARY KEY ("vehicleId", "customerId")
);

-- add
ALTER TABLE "vehicle_owner" ADD "since" TIMESTAMP_TZ(9);

-- upsert
MERGE INTO "vehicle_owner" t USING (SELECT r."vehicleId", r."customerId", r."since",
    r."_eds_version" FROM (SELECT ? AS "_eds_table", x."v":c0::VARCHAR AS "vehicleId",
    x."v":c1::VARCHAR AS "customerId", x."v":c2::VARCHAR::TIMESTAMP_TZ AS "since",
    x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version", x."v":k::VARCHAR AS "_eds_key" FROM
    (SELECT f.value AS "v" FROM (SELECT PARSE_JSON(?) AS j) p, LATERAL FLATTEN(INPUT => p.j) f)
    x) r LEFT JOIN "_eds_tombstone" d ON d."table_name" = r."_eds_table" AND d."key" =
    r."_eds_key" AND d."version" > r."_eds_version" WHERE d."key" IS NULL) s ON t."vehicleId" =
    s."vehicleId" AND t."customerId" = s."customerId" WHEN MATCHED AND (t."_eds_version" IS NULL
    OR t."_eds_version" <= s."_eds_version") THEN UPDATE SET "since" = s."since", "_eds_version"
    = s."_eds_version" WHEN NOT MATCHED THEN INSERT ("vehicleId", "customerId", "since",
    "_eds_version") VALUES (s."vehicleId", s."customerId", s."since", s."_eds_version");

-- tombstone
MERGE INTO "_eds_tombstone" t USING (SELECT ? AS "table_name", x."v":k::VARCHAR AS "key",
    x."v":v::VARCHAR::NUMBER(38,10) AS "version" FROM (SELECT f.value AS "v" FROM (SELECT
    PARSE_JSON(?) AS j) p, LATERAL FLATTEN(INPUT => p.j) f) x) s ON t."table_name" =
    s."table_name" AND t."key" = s."key" WHEN MATCHED AND t."version" < s."version" THEN UPDATE
    SET "version" = s."version" WHEN NOT MATCHED THEN INSERT ("table_name", "key", "version")
    VALUES (s."table_name", s."key", s."version");

-- delete
DELETE FROM "vehicle_owner" t USING (SELECT x."v":c0::VARCHAR AS "vehicleId", x."v":c1::VARCHAR
    AS "customerId", x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version" FROM (SELECT f.value AS
    "v" FROM (SELECT PARSE_JSON(?) AS j) p, LATERAL FLATTEN(INPUT => p.j) f) x) s WHERE
    t."vehicleId" = s."vehicleId" AND t."customerId" = s."customerId" AND (t."_eds_version" IS
    NULL OR t."_eds_version" <= s."_eds_version");

-- upsert_staged
MERGE INTO "vehicle_owner" t USING (SELECT r."vehicleId", r."customerId", r."since",
    r."_eds_version" FROM (SELECT ? AS "_eds_table", x."v":c0::VARCHAR AS "vehicleId",
    x."v":c1::VARCHAR AS "customerId", x."v":c2::VARCHAR::TIMESTAMP_TZ AS "since",
    x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version", x."v":k::VARCHAR AS "_eds_key" FROM
    (SELECT "v" FROM "_eds_rows") x) r LEFT JOIN "_eds_tombstone" d ON d."table_name" =
    r."_eds_table" AND d."key" = r."_eds_key" AND d."version" > r."_eds_version" WHERE d."key"
    IS NULL) s ON t."vehicleId" = s."vehicleId" AND t."customerId" = s."customerId" WHEN MATCHED
    AND (t."_eds_version" IS NULL OR t."_eds_version" <= s."_eds_version") THEN UPDATE SET
    "since" = s."since", "_eds_version" = s."_eds_version" WHEN NOT MATCHED THEN INSERT
    ("vehicleId", "customerId", "since", "_eds_version") VALUES (s."vehicleId", s."customerId",
    s."since", s."_eds_version");

-- tombstone_staged
MERGE INTO "_eds_tombstone" t USING (SELECT ? AS "table_name", x."v":k::VARCHAR AS "key",
    x."v":v::VARCHAR::NUMBER(38,10) AS "version" FROM (SELECT "v" FROM "_eds_rows") x) s ON
    t."table_name" = s."table_name" AND t."key" = s."key" WHEN MATCHED AND t."version" <
    s."version" THEN UPDATE SET "version" = s."version" WHEN NOT MATCHED THEN INSERT
    ("table_name", "key", "version") VALUES (s."table_name", s."key", s."version");

-- delete_staged
DELETE FROM "vehicle_owner" t USING (SELECT x."v":c0::VARCHAR AS "vehicleId", x."v":c1::VARCHAR
    AS "customerId", x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version" FROM (SELECT "v" FROM
    "_eds_rows") x) s WHERE t."vehicleId" = s."vehicleId" AND t."customerId" = s."customerId"
    AND (t."_eds_version" IS NULL OR t."_eds_version" <= s."_eds_version");

-- label_link ----------------------------------------------------------------------------------

-- create
CREATE TABLE "label_link" (
    "labelId" VARCHAR NOT NULL,
    "orderId" VARCHAR NOT NULL,
    "_eds_version" NUMBER(38,10),
    PRIMARY KEY ("labelId", "orderId")
);

-- upsert
MERGE INTO "label_link" t USING (SELECT r."labelId", r."orderId", r."_eds_version" FROM (SELECT
    ? AS "_eds_table", x."v":c0::VARCHAR AS "labelId", x."v":c1::VARCHAR AS "orderId",
    x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version", x."v":k::VARCHAR AS "_eds_key" FROM
    (SELECT f.value AS "v" FROM (SELECT PARSE_JSON(?) AS j) p, LATERAL FLATTEN(INPUT => p.j) f)
    x) r LEFT JOIN "_eds_tombstone" d ON d."table_name" = r."_eds_table" AND d."key" =
    r."_eds_key" AND d."version" > r."_eds_version" WHERE d."key" IS NULL) s ON t."labelId" =
    s."labelId" AND t."orderId" = s."orderId" WHEN MATCHED AND (t."_eds_version" IS NULL OR
    t."_eds_version" <= s."_eds_version") THEN UPDATE SET "_eds_version" = s."_eds_version" WHEN
    NOT MATCHED THEN INSERT ("labelId", "orderId", "_eds_version") VALUES (s."labelId",
    s."orderId", s."_eds_version");

-- tombstone
MERGE INTO "_eds_tombstone" t USING (SELECT ? AS "table_name", x."v":k::VARCHAR AS "key",
    x."v":v::VARCHAR::NUMBER(38,10) AS "version" FROM (SELECT f.value AS "v" FROM (SELECT
    PARSE_JSON(?) AS j) p, LATERAL FLATTEN(INPUT => p.j) f) x) s ON t."table_name" =
    s."table_name" AND t."key" = s."key" WHEN MATCHED AND t."version" < s."version" THEN UPDATE
    SET "version" = s."version" WHEN NOT MATCHED THEN INSERT ("table_name", "key", "version")
    VALUES (s."table_name", s."key", s."version");

-- delete
DELETE FROM "label_link" t USING (SELECT x."v":c0::VARCHAR AS "labelId", x."v":c1::VARCHAR AS
    "orderId", x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version" FROM (SELECT f.value AS "v"
    FROM (SELECT PARSE_JSON(?) AS j) p, LATERAL FLATTEN(INPUT => p.j) f) x) s WHERE t."labelId"
    = s."labelId" AND t."orderId" = s."orderId" AND (t."_eds_version" IS NULL OR
    t."_eds_version" <= s."_eds_version");

-- upsert_staged
MERGE INTO "label_link" t USING (SELECT r."labelId", r."orderId", r."_eds_version" FROM (SELECT
    ? AS "_eds_table", x."v":c0::VARCHAR AS "labelId", x."v":c1::VARCHAR AS "orderId",
    x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version", x."v":k::VARCHAR AS "_eds_key" FROM
    (SELECT "v" FROM "_eds_rows") x) r LEFT JOIN "_eds_tombstone" d ON d."table_name" =
    r."_eds_table" AND d."key" = r."_eds_key" AND d."version" > r."_eds_version" WHERE d."key"
    IS NULL) s ON t."labelId" = s."labelId" AND t."orderId" = s."orderId" WHEN MATCHED AND
    (t."_eds_version" IS NULL OR t."_eds_version" <= s."_eds_version") THEN UPDATE SET
    "_eds_version" = s."_eds_version" WHEN NOT MATCHED THEN INSERT ("labelId", "orderId",
    "_eds_version") VALUES (s."labelId", s."orderId", s."_eds_version");

-- tombstone_staged
MERGE INTO "_eds_tombstone" t USING (SELECT ? AS "table_name", x."v":k::VARCHAR AS "key",
    x."v":v::VARCHAR::NUMBER(38,10) AS "version" FROM (SELECT "v" FROM "_eds_rows") x) s ON
    t."table_name" = s."table_name" AND t."key" = s."key" WHEN MATCHED AND t."version" <
    s."version" THEN UPDATE SET "version" = s."version" WHEN NOT MATCHED THEN INSERT
    ("table_name", "key", "version") VALUES (s."table_name", s."key", s."version");

-- delete_staged
DELETE FROM "label_link" t USING (SELECT x."v":c0::VARCHAR AS "labelId", x."v":c1::VARCHAR AS
    "orderId", x."v":v::VARCHAR::NUMBER(38,10) AS "_eds_version" FROM (SELECT "v" FROM
    "_eds_rows") x) s WHERE t."labelId" = s."labelId" AND t."orderId" = s."orderId" AND
    (t."_eds_version" IS NULL OR t."_eds_version" <= s."_eds_version");

-- widening ------------------------------------------------------------------------------------

-- integer to text
ALTER TABLE "thing" ADD "_eds_a" VARCHAR;
UPDATE "thing" SET "_eds_a" = "a"::VARCHAR;
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- integer to decimal
ALTER TABLE "thing" ADD "_eds_a" NUMBER(38,18);
UPDATE "thing" SET "_eds_a" = "a";
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- number to text
-- refused: thing.a has to become text, which EDS cannot do on this database;

-- number to decimal
-- refused: thing.a has to become decimal, which EDS cannot do on this database;

-- decimal to text
ALTER TABLE "thing" ADD "_eds_a" VARCHAR;
UPDATE "thing" SET "_eds_a" = RTRIM(RTRIM("a"::VARCHAR, '0'), '.');
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- boolean to text
ALTER TABLE "thing" ADD "_eds_a" VARCHAR;
UPDATE "thing" SET "_eds_a" = "a"::VARCHAR;
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- timestamp to text
ALTER TABLE "thing" ADD "_eds_a" VARCHAR;
UPDATE "thing" SET "_eds_a" = RTRIM(RTRIM(TO_VARCHAR(CONVERT_TIMEZONE('UTC', "a"),
    'YYYY-MM-DD"T"HH24:MI:SS.FF9'), '0'), '.') || 'Z';
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- datetime to text
ALTER TABLE "thing" ADD "_eds_a" VARCHAR;
UPDATE "thing" SET "_eds_a" = RTRIM(RTRIM(TO_VARCHAR("a", 'YYYY-MM-DD"T"HH24:MI:SS.FF9'), '0'),
    '.') || 'Z';
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- bytes to text
ALTER TABLE "thing" ADD "_eds_a" VARCHAR;
UPDATE "thing" SET "_eds_a" = BASE64_ENCODE("a");
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- EDS's own tables ----------------------------------------------------------------------------

-- _eds_schema_history
CREATE TABLE "_eds_schema_history" (
    "id" VARCHAR NOT NULL,
    "table_name" VARCHAR,
    "at" VARCHAR,
    "ended" VARCHAR,
    "outcome" VARCHAR,
    "statement" TEXT,
    "actor" TEXT,
    "version" TEXT,
    "error" TEXT,
    "model" TEXT,
    PRIMARY KEY ("id")
);

-- _eds_checkpoint
CREATE TABLE "_eds_checkpoint" (
    "company" VARCHAR NOT NULL,
    "seq" BIGINT NOT NULL,
    "time" VARCHAR,
    "account" TEXT,
    "stream" TEXT,
    "prefix" TEXT,
    "epoch" BIGINT NOT NULL,
    "owner" TEXT,
    "role" TEXT,
    "updated" VARCHAR,
    PRIMARY KEY ("company")
);

-- _eds_tombstone
CREATE TABLE "_eds_tombstone" (
    "table_name" VARCHAR NOT NULL,
    "key" VARCHAR NOT NULL,
    "version" NUMERIC(38, 10) NOT NULL,
    PRIMARY KEY ("table_name", "key")
);

-- _eds_quarantine
CREATE TABLE "_eds_quarantine" (
    "id" VARCHAR NOT NULL,
    "company" TEXT,
    "table_name" TEXT,
    "event_id" TEXT,
    "state" TEXT,
    "reason" TEXT,
    "advice" TEXT,
    "at" TEXT,
    "subject" TEXT,
    "seq" BIGINT NOT NULL,
    "time" VARCHAR,
    "headers" TEXT,
    "payload" BINARY,
    PRIMARY KEY ("id")
);

-- _eds_parked
CREATE TABLE "_eds_parked" (
    "table_name" VARCHAR NOT NULL,
    "company" VARCHAR NOT NULL,
    "seq" BIGINT NOT NULL,
    "reason" TEXT,
    "advice" TEXT,
    "resume" SMALLINT NOT NULL,
    PRIMARY KEY ("table_name", "company")
);

-- _eds_status
CREATE TABLE "_eds_status" (
    "table_name" VARCHAR NOT NULL,
    "company" VARCHAR NOT NULL,
    "state" TEXT,
    "reason" TEXT,
    "last_event" VARCHAR,
    "lag" FLOAT,
    "rows_written" BIGINT NOT NULL,
    "updated" VARCHAR,
    PRIMARY KEY ("table_name", "company")
);

-- _eds_heartbeat
CREATE TABLE "_eds_heartbeat" (
    "company" VARCHAR NOT NULL,
    "epoch" BIGINT NOT NULL,
    "owner" TEXT,
    "at" TEXT,
    PRIMARY KEY ("company")
);

-- _eds_import
CREATE TABLE "_eds_import" (
    "id" VARCHAR NOT NULL,
    "table_name" TEXT,
    "file" TEXT,
    "updated" TEXT,
    "bytes_read" BIGINT NOT NULL,
    "lines_read" BIGINT NOT NULL,
    "is_done" BIGINT NOT NULL,
    "rows_read" BIGINT NOT NULL,
    "rows_inserted" BIGINT NOT NULL,
    "rows_updated" BIGINT NOT NULL,
    "rows_quarantined" BIGINT NOT NULL,
    "rows_deleted" BIGINT NOT NULL,
    PRIMARY KEY ("id")
);
