-- SQLite

-- order ---------------------------------------------------------------------------------------

-- create
CREATE TABLE "order" (
    "id" TEXT NOT NULL,
    "text" TEXT,
    "integer" BIGINT,
    "number" DOUBLE,
    "decimal" DECIMAL TEXT,
    "boolean" BOOLEAN,
    "timestamp" TIMESTAMP TEXT,
    "datetime" DATETIME TEXT,
    "json" JSON TEXT,
    "bytes" BLOB,
    "default" TEXT,
    "end" TEXT,
    "primary" TEXT,
    "select" TEXT,
    "_eds_version" TEXT,
    PRIMARY KEY ("id")
);

-- add
ALTER TABLE "order" ADD "select" TEXT;

-- vehicle_owner -------------------------------------------------------------------------------

-- create
CREATE TABLE "vehicle_owner" (
    "vehicleId" TEXT NOT NULL,
    "customerId" TEXT NOT NULL,
    "since" TIMESTAMP TEXT,
    "_eds_version" TEXT,
    PRIMARY KEY ("vehicleId", "customerId")
);

-- add
ALTER TABLE "vehicle_owner" ADD "since" TIMESTAMP TEXT;

-- label_link ----------------------------------------------------------------------------------

-- create
CREATE TABLE "label_link" (
    "labelId" TEXT NOT NULL,
    "orderId" TEXT NOT NULL,
    "_eds_version" TEXT,
    PRIMARY KEY ("labelId", "orderId")
);

-- widening ------------------------------------------------------------------------------------

-- integer to text
ALTER TABLE "thing" ADD "_eds_a" TEXT;
UPDATE "thing" SET "_eds_a" = CAST("a" AS TEXT);
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- integer to decimal
ALTER TABLE "thing" ADD "_eds_a" DECIMAL TEXT;
UPDATE "thing" SET "_eds_a" = CAST("a" AS TEXT);
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- number to text
ALTER TABLE "thing" ADD "_eds_a" TEXT;
UPDATE "thing" SET "_eds_a" = _eds_digits("a");
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- number to decimal
ALTER TABLE "thing" ADD "_eds_a" DECIMAL TEXT;
UPDATE "thing" SET "_eds_a" = _eds_digits("a");
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- decimal to text
ALTER TABLE "thing" ADD "_eds_a" TEXT;
UPDATE "thing" SET "_eds_a" = "a";
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- boolean to text
ALTER TABLE "thing" ADD "_eds_a" TEXT;
UPDATE "thing" SET "_eds_a" = CASE "a" WHEN 1 THEN 'true' WHEN 0 THEN 'false' END;
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- timestamp to text
ALTER TABLE "thing" ADD "_eds_a" TEXT;
UPDATE "thing" SET "_eds_a" = "a";
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- datetime to text
ALTER TABLE "thing" ADD "_eds_a" TEXT;
UPDATE "thing" SET "_eds_a" = "a";
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- bytes to text
ALTER TABLE "thing" ADD "_eds_a" TEXT;
UPDATE "thing" SET "_eds_a" = _eds_base64("a");
ALTER TABLE "thing" DROP COLUMN "a";
ALTER TABLE "thing" RENAME COLUMN "_eds_a" TO "a";

-- EDS's own tables ----------------------------------------------------------------------------

-- _eds_schema_history
CREATE TABLE _eds_schema_history (
    id VARCHAR(255) NOT NULL,
    table_name VARCHAR(255),
    at VARCHAR(255),
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
    "key" VARCHAR(400) NOT NULL,
    version VARCHAR(40) NOT NULL,
    PRIMARY KEY (table_name, "key")
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
    at TEXT,
    subject TEXT,
    seq BIGINT NOT NULL,
    time VARCHAR(255),
    headers TEXT,
    payload BLOB,
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
    lag FLOAT,
    rows_written BIGINT NOT NULL,
    updated VARCHAR(255),
    PRIMARY KEY (table_name, company)
);

-- _eds_heartbeat
CREATE TABLE _eds_heartbeat (
    company VARCHAR(255) NOT NULL,
    epoch BIGINT NOT NULL,
    owner TEXT,
    at TEXT,
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
