-- MySQL

-- order ---------------------------------------------------------------------------------------

-- create
CREATE TABLE `order` (
    `id` VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */ COMMENT 'key' NOT NULL,
    `text` LONGTEXT CHARACTER SET utf8mb4,
    `integer` BIGINT,
    `number` DOUBLE,
    `decimal` DECIMAL(65,25),
    `boolean` TINYINT(1),
    `timestamp` DATETIME(6) COMMENT 'point in time, UTC',
    `datetime` DATETIME(6) COMMENT 'date and time, UTC',
    `json` LONGTEXT CHARACTER SET utf8mb4 COMMENT 'JSON',
    `bytes` LONGBLOB,
    `default` LONGTEXT CHARACTER SET utf8mb4,
    `end` LONGTEXT CHARACTER SET utf8mb4,
    `primary` LONGTEXT CHARACTER SET utf8mb4,
    `select` LONGTEXT CHARACTER SET utf8mb4,
    `_eds_version` DECIMAL(30,10),
    PRIMARY KEY (`id`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4;

-- add
ALTER TABLE `order` ADD `select` LONGTEXT CHARACTER SET utf8mb4;

-- upsert
INSERT INTO `order` (`id`, `text`, `integer`, `number`, `decimal`, `boolean`, `timestamp`,
    `datetime`, `json`, `bytes`, `default`, `end`, `primary`, `select`, `_eds_version`) VALUES
    %b ON DUPLICATE KEY UPDATE `id` = IF(`order`.`id` = VALUES(`id`), `order`.`id`, NULL),
    `text` = IF(`order`.`_eds_version` IS NULL OR `order`.`_eds_version` <=
    VALUES(`_eds_version`), VALUES(`text`), `order`.`text`), `integer` =
    IF(`order`.`_eds_version` IS NULL OR `order`.`_eds_version` <= VALUES(`_eds_version`),
    VALUES(`integer`), `order`.`integer`), `number` = IF(`order`.`_eds_version` IS NULL OR
    `order`.`_eds_version` <= VALUES(`_eds_version`), VALUES(`number`), `order`.`number`),
    `decimal` = IF(`order`.`_eds_version` IS NULL OR `order`.`_eds_version` <=
    VALUES(`_eds_version`), VALUES(`decimal`), `order`.`decimal`), `boolean` =
    IF(`order`.`_eds_version` IS NULL OR `order`.`_eds_version` <= VALUES(`_eds_version`),
    VALUES(`boolean`), `order`.`boolean`), `timestamp` = IF(`order`.`_eds_version` IS NULL OR
    `order`.`_eds_version` <= VALUES(`_eds_version`), VALUES(`timestamp`), `order`.`timestamp`),
    `datetime` = IF(`order`.`_eds_version` IS NULL OR `order`.`_eds_version` <=
    VALUES(`_eds_version`), VALUES(`datetime`), `order`.`datetime`), `json` =
    IF(`order`.`_eds_version` IS NULL OR `order`.`_eds_version` <= VALUES(`_eds_version`),
    VALUES(`json`), `order`.`json`), `bytes` = IF(`order`.`_eds_version` IS NULL OR
    `order`.`_eds_version` <= VALUES(`_eds_version`), VALUES(`bytes`), `order`.`bytes`),
    `default` = IF(`order`.`_eds_version` IS NULL OR `order`.`_eds_version` <=
    VALUES(`_eds_version`), VALUES(`default`), `order`.`default`), `end` =
    IF(`order`.`_eds_version` IS NULL OR `order`.`_eds_version` <= VALUES(`_eds_version`),
    VALUES(`end`), `order`.`end`), `primary` = IF(`order`.`_eds_version` IS NULL OR
    `order`.`_eds_version` <= VALUES(`_eds_version`), VALUES(`primary`), `order`.`primary`),
    `select` = IF(`order`.`_eds_version` IS NULL OR `order`.`_eds_version` <=
    VALUES(`_eds_version`), VALUES(`select`), `order`.`select`), `_eds_version` =
    IF(`order`.`_eds_version` IS NULL OR `order`.`_eds_version` <= VALUES(`_eds_version`),
    VALUES(`_eds_version`), `order`.`_eds_version`);

-- stage
CREATE TEMPORARY TABLE `_eds_stage` (PRIMARY KEY (`id`)) ENGINE=InnoDB SELECT `id`, `text`,
    `integer`, `number`, `decimal`, `boolean`, `timestamp`, `datetime`, `json`, `bytes`,
    `default`, `end`, `primary`, `select`, `_eds_version` FROM `order` LIMIT 0;

-- fill
INSERT INTO `_eds_stage` (`id`, `text`, `integer`, `number`, `decimal`, `boolean`, `timestamp`,
    `datetime`, `json`, `bytes`, `default`, `end`, `primary`, `select`, `_eds_version`) VALUES
    %b;

-- update
UPDATE `_eds_stage` STRAIGHT_JOIN `order` ON `order`.`id` = `_eds_stage`.`id` SET `order`.`text`
    = `_eds_stage`.`text`, `order`.`integer` = `_eds_stage`.`integer`, `order`.`number` =
    `_eds_stage`.`number`, `order`.`decimal` = `_eds_stage`.`decimal`, `order`.`boolean` =
    `_eds_stage`.`boolean`, `order`.`timestamp` = `_eds_stage`.`timestamp`, `order`.`datetime` =
    `_eds_stage`.`datetime`, `order`.`json` = `_eds_stage`.`json`, `order`.`bytes` =
    `_eds_stage`.`bytes`, `order`.`default` = `_eds_stage`.`default`, `order`.`end` =
    `_eds_stage`.`end`, `order`.`primary` = `_eds_stage`.`primary`, `order`.`select` =
    `_eds_stage`.`select`, `order`.`_eds_version` = `_eds_stage`.`_eds_version` WHERE
    `order`.`_eds_version` IS NULL OR `order`.`_eds_version` <= `_eds_stage`.`_eds_version`;

-- insert
INSERT INTO `order` (`id`, `text`, `integer`, `number`, `decimal`, `boolean`, `timestamp`,
    `datetime`, `json`, `bytes`, `default`, `end`, `primary`, `select`, `_eds_version`) SELECT
    `id`, `text`, `integer`, `number`, `decimal`, `boolean`, `timestamp`, `datetime`, `json`,
    `bytes`, `default`, `end`, `primary`, `select`, `_eds_version` FROM `_eds_stage` WHERE NOT
    EXISTS (SELECT 1 FROM `order` WHERE `order`.`id` = `_eds_stage`.`id`);

-- written
SELECT COUNT(*) FROM `order` WHERE %b;

-- delete
DELETE `order` FROM `order` FORCE INDEX (PRIMARY) WHERE %b;

-- dead
SELECT `key`, `version` FROM `_eds_tombstone` FORCE INDEX (PRIMARY) WHERE `table_name` = %b AND
    `key` IN (%b);

-- tombstones
INSERT INTO `_eds_tombstone` (`table_name`, `key`, `version`) VALUES %b ON DUPLICATE KEY UPDATE
    `version` = GREATEST(`version`, VALUES(`version`));

-- vehicle_owner -------------------------------------------------------------------------------

-- create
CREATE TABLE `vehicle_owner` (
    `vehicleId` VARCHAR(240) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!
    COLLATE utf8mb4_nopad_bin */ COMMENT 'key' NOT NULL,
    `customerId` VARCHAR(240) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!
    COLLATE utf8mb4_nopad_bin */ COMMENT 'key' NOT NULL,
    `since` DATETIME(6) COMMENT 'point in time, UTC',
    `_eds_version` DECIMAL(30,10),
    PRIMARY KEY (`vehicleId`, `customerId`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4;

-- add
ALTER TABLE `vehicle_owner` ADD `since` DATETIME(6) COMMENT 'point in time, UTC';

-- upsert
INSERT INTO `vehicle_owner` (`vehicleId`, `customerId`, `since`, `_eds_version`) VALUES %b ON
    DUPLICATE KEY UPDATE `vehicleId` = IF(`vehicle_owner`.`vehicleId` = VALUES(`vehicleId`) AND
    `vehicle_owner`.`customerId` = VALUES(`customerId`), `vehicle_owner`.`vehicleId`, NULL),
    `since` = IF(`vehicle_owner`.`_eds_version` IS NULL OR `vehicle_owner`.`_eds_version` <=
    VALUES(`_eds_version`), VALUES(`since`), `vehicle_owner`.`since`), `_eds_version` =
    IF(`vehicle_owner`.`_eds_version` IS NULL OR `vehicle_owner`.`_eds_version` <=
    VALUES(`_eds_version`), VALUES(`_eds_version`), `vehicle_owner`.`_eds_version`);

-- stage
CREATE TEMPORARY TABLE `_eds_stage` (PRIMARY KEY (`vehicleId`, `customerId`)) ENGINE=InnoDB
    SELECT `vehicleId`, `customerId`, `since`, `_eds_version` FROM `vehicle_owner` LIMIT 0;

-- fill
INSERT INTO `_eds_stage` (`vehicleId`, `customerId`, `since`, `_eds_version`) VALUES %b;

-- update
UPDATE `_eds_stage` STRAIGHT_JOIN `vehicle_owner` ON `vehicle_owner`.`vehicleId` =
    `_eds_stage`.`vehicleId` AND `vehicle_owner`.`customerId` = `_eds_stage`.`customerId` SET
    `vehicle_owner`.`since` = `_eds_stage`.`since`, `vehicle_owner`.`_eds_version` =
    `_eds_stage`.`_eds_version` WHERE `vehicle_owner`.`_eds_version` IS NULL OR
    `vehicle_owner`.`_eds_version` <= `_eds_stage`.`_eds_version`;

-- insert
INSERT INTO `vehicle_owner` (`vehicleId`, `customerId`, `since`, `_eds_version`) SELECT
    `vehicleId`, `customerId`, `since`, `_eds_version` FROM `_eds_stage` WHERE NOT EXISTS
    (SELECT 1 FROM `vehicle_owner` WHERE `vehicle_owner`.`vehicleId` = `_eds_stage`.`vehicleId`
    AND `vehicle_owner`.`customerId` = `_eds_stage`.`customerId`);

-- written
SELECT COUNT(*) FROM `vehicle_owner` WHERE %b;

-- delete
DELETE `vehicle_owner` FROM `vehicle_owner` FORCE INDEX (PRIMARY) WHERE %b;

-- dead
SELECT `key`, `version` FROM `_eds_tombstone` FORCE INDEX (PRIMARY) WHERE `table_name` = %b AND
    `key` IN (%b);

-- tombstones
INSERT INTO `_eds_tombstone` (`table_name`, `key`, `version`) VALUES %b ON DUPLICATE KEY UPDATE
    `version` = GREATEST(`version`, VALUES(`version`));

-- label_link ----------------------------------------------------------------------------------

-- create
CREATE TABLE `label_link` (
    `labelId` VARCHAR(240) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!
    COLLATE utf8mb4_nopad_bin */ COMMENT 'key' NOT NULL,
    `orderId` VARCHAR(240) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!
    COLLATE utf8mb4_nopad_bin */ COMMENT 'key' NOT NULL,
    `_eds_version` DECIMAL(30,10),
    PRIMARY KEY (`labelId`, `orderId`)
) ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4;

-- upsert
INSERT INTO `label_link` (`labelId`, `orderId`, `_eds_version`) VALUES %b ON DUPLICATE KEY
    UPDATE `labelId` = IF(`label_link`.`labelId` = VALUES(`labelId`) AND `label_link`.`orderId`
    = VALUES(`orderId`), `label_link`.`labelId`, NULL), `_eds_version` =
    IF(`label_link`.`_eds_version` IS NULL OR `label_link`.`_eds_version` <=
    VALUES(`_eds_version`), VALUES(`_eds_version`), `label_link`.`_eds_version`);

-- stage
CREATE TEMPORARY TABLE `_eds_stage` (PRIMARY KEY (`labelId`, `orderId`)) ENGINE=InnoDB SELECT
    `labelId`, `orderId`, `_eds_version` FROM `label_link` LIMIT 0;

-- fill
INSERT INTO `_eds_stage` (`labelId`, `orderId`, `_eds_version`) VALUES %b;

-- update
UPDATE `_eds_stage` STRAIGHT_JOIN `label_link` ON `label_link`.`labelId` =
    `_eds_stage`.`labelId` AND `label_link`.`orderId` = `_eds_stage`.`orderId` SET
    `label_link`.`_eds_version` = `_eds_stage`.`_eds_version` WHERE `label_link`.`_eds_version`
    IS NULL OR `label_link`.`_eds_version` <= `_eds_stage`.`_eds_version`;

-- insert
INSERT INTO `label_link` (`labelId`, `orderId`, `_eds_version`) SELECT `labelId`, `orderId`,
    `_eds_version` FROM `_eds_stage` WHERE NOT EXISTS (SELECT 1 FROM `label_link` WHERE
    `label_link`.`labelId` = `_eds_stage`.`labelId` AND `label_link`.`orderId` =
    `_eds_stage`.`orderId`);

-- written
SELECT COUNT(*) FROM `label_link` WHERE %b;

-- delete
DELETE `label_link` FROM `label_link` FORCE INDEX (PRIMARY) WHERE %b;

-- dead
SELECT `key`, `version` FROM `_eds_tombstone` FORCE INDEX (PRIMARY) WHERE `table_name` = %b AND
    `key` IN (%b);

-- tombstones
INSERT INTO `_eds_tombstone` (`table_name`, `key`, `version`) VALUES %b ON DUPLICATE KEY UPDATE
    `version` = GREATEST(`version`, VALUES(`version`));

-- widening ------------------------------------------------------------------------------------

-- integer to text
ALTER TABLE `thing` MODIFY `a` LONGTEXT CHARACTER SET utf8mb4;

-- integer to decimal
ALTER TABLE `thing` MODIFY `a` DECIMAL(65,25);

-- number to text
ALTER TABLE `thing` MODIFY `a` LONGTEXT CHARACTER SET utf8mb4;

-- number to decimal
ALTER TABLE `thing` MODIFY `a` DECIMAL(65,25);

-- decimal to text
ALTER TABLE `thing` ADD `_eds_a` LONGTEXT CHARACTER SET utf8mb4 GENERATED ALWAYS AS
    (TRIM(TRAILING '.' FROM TRIM(TRAILING '0' FROM CAST(`a` AS CHAR CHARACTER SET utf8mb4))))
    STORED;
ALTER TABLE `thing` DROP `a`, CHANGE `_eds_a` `a` LONGTEXT CHARACTER SET utf8mb4;

-- boolean to text
ALTER TABLE `thing` ADD `_eds_a` LONGTEXT CHARACTER SET utf8mb4 GENERATED ALWAYS AS (CASE `a`
    WHEN 1 THEN 'true' WHEN 0 THEN 'false' END) STORED;
ALTER TABLE `thing` DROP `a`, CHANGE `_eds_a` `a` LONGTEXT CHARACTER SET utf8mb4;

-- timestamp to text
ALTER TABLE `thing` ADD `_eds_a` LONGTEXT CHARACTER SET utf8mb4 GENERATED ALWAYS AS
    (CONCAT(REPLACE(CAST(`a` AS CHAR CHARACTER SET utf8mb4), ' ', 'T'), 'Z')) STORED;
ALTER TABLE `thing` DROP `a`, CHANGE `_eds_a` `a` LONGTEXT CHARACTER SET utf8mb4;

-- datetime to text
ALTER TABLE `thing` ADD `_eds_a` LONGTEXT CHARACTER SET utf8mb4 GENERATED ALWAYS AS
    (CONCAT(REPLACE(CAST(`a` AS CHAR CHARACTER SET utf8mb4), ' ', 'T'), 'Z')) STORED;
ALTER TABLE `thing` DROP `a`, CHANGE `_eds_a` `a` LONGTEXT CHARACTER SET utf8mb4;

-- bytes to text
ALTER TABLE `thing` ADD `_eds_a` LONGTEXT CHARACTER SET utf8mb4 GENERATED ALWAYS AS
    (REPLACE(TO_BASE64(`a`), '\n', '')) STORED;
ALTER TABLE `thing` DROP `a`, CHANGE `_eds_a` `a` LONGTEXT CHARACTER SET utf8mb4;

-- EDS's own tables ----------------------------------------------------------------------------

-- _eds_schema_history
CREATE TABLE _eds_schema_history (
    id VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */ NOT NULL,
    table_name VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!
    COLLATE utf8mb4_nopad_bin */,
    at VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */,
    ended VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */,
    outcome VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */,
    statement LONGTEXT CHARACTER SET utf8mb4,
    actor LONGTEXT CHARACTER SET utf8mb4,
    version LONGTEXT CHARACTER SET utf8mb4,
    error LONGTEXT CHARACTER SET utf8mb4,
    model LONGTEXT CHARACTER SET utf8mb4,
    PRIMARY KEY (id)
);

-- _eds_checkpoint
CREATE TABLE _eds_checkpoint (
    company VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */ NOT NULL,
    seq BIGINT NOT NULL,
    time VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */,
    account LONGTEXT CHARACTER SET utf8mb4,
    stream LONGTEXT CHARACTER SET utf8mb4,
    prefix LONGTEXT CHARACTER SET utf8mb4,
    epoch BIGINT NOT NULL,
    owner LONGTEXT CHARACTER SET utf8mb4,
    `role` LONGTEXT CHARACTER SET utf8mb4,
    updated VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */,
    PRIMARY KEY (company)
);

-- _eds_tombstone
CREATE TABLE _eds_tombstone (
    table_name VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!
    COLLATE utf8mb4_nopad_bin */ NOT NULL,
    `key` VARCHAR(512) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */ NOT NULL,
    version NUMERIC(30, 10) NOT NULL,
    PRIMARY KEY (table_name, `key`)
);

-- _eds_quarantine
CREATE TABLE _eds_quarantine (
    id VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */ NOT NULL,
    company LONGTEXT CHARACTER SET utf8mb4,
    table_name LONGTEXT CHARACTER SET utf8mb4,
    event_id LONGTEXT CHARACTER SET utf8mb4,
    state LONGTEXT CHARACTER SET utf8mb4,
    reason LONGTEXT CHARACTER SET utf8mb4,
    advice LONGTEXT CHARACTER SET utf8mb4,
    at LONGTEXT CHARACTER SET utf8mb4,
    subject LONGTEXT CHARACTER SET utf8mb4,
    seq BIGINT NOT NULL,
    time VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */,
    headers LONGTEXT CHARACTER SET utf8mb4,
    payload LONGBLOB,
    PRIMARY KEY (id)
);

-- _eds_parked
CREATE TABLE _eds_parked (
    table_name VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!
    COLLATE utf8mb4_nopad_bin */ NOT NULL,
    company VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */ NOT NULL,
    seq BIGINT NOT NULL,
    reason LONGTEXT CHARACTER SET utf8mb4,
    advice LONGTEXT CHARACTER SET utf8mb4,
    resume SMALLINT NOT NULL,
    PRIMARY KEY (table_name, company)
);

-- _eds_status
CREATE TABLE _eds_status (
    table_name VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!
    COLLATE utf8mb4_nopad_bin */ NOT NULL,
    company VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */ NOT NULL,
    state LONGTEXT CHARACTER SET utf8mb4,
    reason LONGTEXT CHARACTER SET utf8mb4,
    last_event VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M!
    COLLATE utf8mb4_nopad_bin */,
    `lag` FLOAT(53),
    rows_written BIGINT NOT NULL,
    updated VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */,
    PRIMARY KEY (table_name, company)
);

-- _eds_heartbeat
CREATE TABLE _eds_heartbeat (
    company VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */ NOT NULL,
    epoch BIGINT NOT NULL,
    owner LONGTEXT CHARACTER SET utf8mb4,
    at LONGTEXT CHARACTER SET utf8mb4,
    PRIMARY KEY (company)
);

-- _eds_import
CREATE TABLE _eds_import (
    id VARCHAR(255) CHARACTER SET utf8mb4 /*!80017 COLLATE utf8mb4_0900_bin */ /*M! COLLATE
    utf8mb4_nopad_bin */ NOT NULL,
    table_name LONGTEXT CHARACTER SET utf8mb4,
    file LONGTEXT CHARACTER SET utf8mb4,
    updated LONGTEXT CHARACTER SET utf8mb4,
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
