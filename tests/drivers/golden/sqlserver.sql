-- SQL Server

-- order ---------------------------------------------------------------------------------------

-- create
CREATE TABLE [order] (
    [id] nvarchar(450) COLLATE Latin1_General_100_BIN2 NOT NULL,
    [text] nvarchar(max) COLLATE Latin1_General_100_BIN2,
    [integer] bigint,
    [number] float,
    [decimal] decimal(38,19),
    [boolean] bit,
    [timestamp] datetimeoffset(7),
    [datetime] datetime2(7),
    [json] nvarchar(max) COLLATE Latin1_General_BIN2,
    [bytes] varbinary(max),
    [default] nvarchar(max) COLLATE Latin1_General_100_BIN2,
    [end] nvarchar(max) COLLATE Latin1_General_100_BIN2,
    [primary] nvarchar(max) COLLATE Latin1_General_100_BIN2,
    [select] nvarchar(max) COLLATE Latin1_General_100_BIN2,
    [_eds_version] decimal(30,10),
    PRIMARY KEY ([id])
);

-- add
ALTER TABLE [order] ADD [select] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;

-- upsert
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @inserted bigint = 0,
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1), CONVERT(bigint, -1);
    RETURN;
END;
UPDATE t SET [text] = s.[text], [integer] = s.[integer], [number] = s.[number], [decimal] =
    s.[decimal], [boolean] = s.[boolean], [timestamp] = s.[timestamp], [datetime] =
    s.[datetime], [json] = s.[json], [bytes] = CONVERT(varbinary(max), s.[bytes], 2), [default]
    = s.[default], [end] = s.[end], [primary] = s.[primary], [select] = s.[select],
    [_eds_version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(450) '$[2]',
    [text] nvarchar(max) '$[3]',
    [integer] bigint '$[4]',
    [number] float '$[5]',
    [decimal] decimal(38,19) '$[6]',
    [boolean] bit '$[7]',
    [timestamp] datetimeoffset(7) '$[8]',
    [datetime] datetime2(7) '$[9]',
    [json] nvarchar(max) '$[10]',
    [bytes] nvarchar(max) '$[11]',
    [default] nvarchar(max) '$[12]',
    [end] nvarchar(max) '$[13]',
    [primary] nvarchar(max) '$[14]',
    [select] nvarchar(max) '$[15]'
) AS s
INNER JOIN [order] AS t ON t.[id] = CONVERT(nvarchar(450), s.[id]) COLLATE
    Latin1_General_100_BIN2
WHERE (t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version])
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] >
    s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @@ROWCOUNT;
INSERT INTO [order] ([id], [text], [integer], [number], [decimal], [boolean], [timestamp],
    [datetime], [json], [bytes], [default], [end], [primary], [select], [_eds_version])
SELECT CONVERT(nvarchar(450), s.[id]), s.[text], s.[integer], s.[number], s.[decimal],
    s.[boolean], s.[timestamp], s.[datetime], s.[json], CONVERT(varbinary(max), s.[bytes], 2),
    s.[default], s.[end], s.[primary], s.[select], s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(450) '$[2]',
    [text] nvarchar(max) '$[3]',
    [integer] bigint '$[4]',
    [number] float '$[5]',
    [decimal] decimal(38,19) '$[6]',
    [boolean] bit '$[7]',
    [timestamp] datetimeoffset(7) '$[8]',
    [datetime] datetime2(7) '$[9]',
    [json] nvarchar(max) '$[10]',
    [bytes] nvarchar(max) '$[11]',
    [default] nvarchar(max) '$[12]',
    [end] nvarchar(max) '$[13]',
    [primary] nvarchar(max) '$[14]',
    [select] nvarchar(max) '$[15]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [order] AS t WITH (UPDLOCK, HOLDLOCK)
    WHERE t.[id] = CONVERT(nvarchar(450), s.[id]) COLLATE Latin1_General_100_BIN2)
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] >
    s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @inserted = @@ROWCOUNT;
SELECT @inserted, @changed;

-- delete
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @inserted bigint = 0,
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1), CONVERT(bigint, -1);
    RETURN;
END;
UPDATE d SET [version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(450) '$[2]'
) AS s
INNER JOIN [_eds_tombstone] AS d ON d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE
    Latin1_General_100_BIN2
WHERE d.[version] < s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
INSERT INTO [_eds_tombstone] ([table_name], [key], [version])
SELECT @table, s.[_eds_key], s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(450) '$[2]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WITH (UPDLOCK, HOLDLOCK)
    WHERE d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2)
OPTION (FORCE ORDER, LOOP JOIN);
DELETE t
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(450) '$[2]'
) AS s
INNER JOIN [order] AS t ON t.[id] = CONVERT(nvarchar(450), s.[id]) COLLATE
    Latin1_General_100_BIN2
WHERE t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @@ROWCOUNT;
SELECT @inserted, @changed;

-- vehicle_owner -------------------------------------------------------------------------------

-- create
CREATE TABLE [vehicle_owner] (
    [vehicleId] nvarchar(225) COLLATE Latin1_General_100_BIN2 NOT NULL,
    [customerId] nvarchar(225) COLLATE Latin1_General_100_BIN2 NOT NULL,
    [since] datetimeoffset(7),
    [_eds_version] decimal(30,10),
    PRIMARY KEY ([vehicleId], [customerId])
);

-- add
ALTER TABLE [vehicle_owner] ADD [since] datetimeoffset(7) NULL;

-- upsert
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @inserted bigint = 0,
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1), CONVERT(bigint, -1);
    RETURN;
END;
UPDATE t SET [since] = s.[since], [_eds_version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [vehicleId] nvarchar(225) '$[2]',
    [customerId] nvarchar(225) '$[3]',
    [since] datetimeoffset(7) '$[4]'
) AS s
INNER JOIN [vehicle_owner] AS t ON t.[vehicleId] = CONVERT(nvarchar(225), s.[vehicleId]) COLLATE
    Latin1_General_100_BIN2 AND t.[customerId] = CONVERT(nvarchar(225), s.[customerId]) COLLATE
    Latin1_General_100_BIN2
WHERE (t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version])
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] >
    s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @@ROWCOUNT;
INSERT INTO [vehicle_owner] ([vehicleId], [customerId], [since], [_eds_version])
SELECT CONVERT(nvarchar(225), s.[vehicleId]), CONVERT(nvarchar(225), s.[customerId]), s.[since],
    s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [vehicleId] nvarchar(225) '$[2]',
    [customerId] nvarchar(225) '$[3]',
    [since] datetimeoffset(7) '$[4]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [vehicle_owner] AS t WITH (UPDLOCK, HOLDLOCK)
    WHERE t.[vehicleId] = CONVERT(nvarchar(225), s.[vehicleId]) COLLATE Latin1_General_100_BIN2
    AND t.[customerId] = CONVERT(nvarchar(225), s.[customerId]) COLLATE Latin1_General_100_BIN2)
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] >
    s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @inserted = @@ROWCOUNT;
SELECT @inserted, @changed;

-- delete
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @inserted bigint = 0,
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1), CONVERT(bigint, -1);
    RETURN;
END;
UPDATE d SET [version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [vehicleId] nvarchar(225) '$[2]',
    [customerId] nvarchar(225) '$[3]'
) AS s
INNER JOIN [_eds_tombstone] AS d ON d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE
    Latin1_General_100_BIN2
WHERE d.[version] < s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
INSERT INTO [_eds_tombstone] ([table_name], [key], [version])
SELECT @table, s.[_eds_key], s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [vehicleId] nvarchar(225) '$[2]',
    [customerId] nvarchar(225) '$[3]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WITH (UPDLOCK, HOLDLOCK)
    WHERE d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2)
OPTION (FORCE ORDER, LOOP JOIN);
DELETE t
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [vehicleId] nvarchar(225) '$[2]',
    [customerId] nvarchar(225) '$[3]'
) AS s
INNER JOIN [vehicle_owner] AS t ON t.[vehicleId] = CONVERT(nvarchar(225), s.[vehicleId]) COLLATE
    Latin1_General_100_BIN2 AND t.[customerId] = CONVERT(nvarchar(225), s.[customerId]) COLLATE
    Latin1_General_100_BIN2
WHERE t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @@ROWCOUNT;
SELECT @inserted, @changed;

-- label_link ----------------------------------------------------------------------------------

-- create
CREATE TABLE [label_link] (
    [labelId] nvarchar(225) COLLATE Latin1_General_100_BIN2 NOT NULL,
    [orderId] nvarchar(225) COLLATE Latin1_General_100_BIN2 NOT NULL,
    [_eds_version] decimal(30,10),
    PRIMARY KEY ([labelId], [orderId])
);

-- upsert
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @inserted bigint = 0,
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1), CONVERT(bigint, -1);
    RETURN;
END;
UPDATE t SET [_eds_version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [labelId] nvarchar(225) '$[2]',
    [orderId] nvarchar(225) '$[3]'
) AS s
INNER JOIN [label_link] AS t ON t.[labelId] = CONVERT(nvarchar(225), s.[labelId]) COLLATE
    Latin1_General_100_BIN2 AND t.[orderId] = CONVERT(nvarchar(225), s.[orderId]) COLLATE
    Latin1_General_100_BIN2
WHERE (t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version])
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] >
    s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @@ROWCOUNT;
INSERT INTO [label_link] ([labelId], [orderId], [_eds_version])
SELECT CONVERT(nvarchar(225), s.[labelId]), CONVERT(nvarchar(225), s.[orderId]),
    s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [labelId] nvarchar(225) '$[2]',
    [orderId] nvarchar(225) '$[3]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [label_link] AS t WITH (UPDLOCK, HOLDLOCK)
    WHERE t.[labelId] = CONVERT(nvarchar(225), s.[labelId]) COLLATE Latin1_General_100_BIN2 AND
    t.[orderId] = CONVERT(nvarchar(225), s.[orderId]) COLLATE Latin1_General_100_BIN2)
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] >
    s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @inserted = @@ROWCOUNT;
SELECT @inserted, @changed;

-- delete
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @inserted bigint = 0,
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1), CONVERT(bigint, -1);
    RETURN;
END;
UPDATE d SET [version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [labelId] nvarchar(225) '$[2]',
    [orderId] nvarchar(225) '$[3]'
) AS s
INNER JOIN [_eds_tombstone] AS d ON d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE
    Latin1_General_100_BIN2
WHERE d.[version] < s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
INSERT INTO [_eds_tombstone] ([table_name], [key], [version])
SELECT @table, s.[_eds_key], s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [labelId] nvarchar(225) '$[2]',
    [orderId] nvarchar(225) '$[3]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WITH (UPDLOCK, HOLDLOCK)
    WHERE d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2)
OPTION (FORCE ORDER, LOOP JOIN);
DELETE t
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [labelId] nvarchar(225) '$[2]',
    [orderId] nvarchar(225) '$[3]'
) AS s
INNER JOIN [label_link] AS t ON t.[labelId] = CONVERT(nvarchar(225), s.[labelId]) COLLATE
    Latin1_General_100_BIN2 AND t.[orderId] = CONVERT(nvarchar(225), s.[orderId]) COLLATE
    Latin1_General_100_BIN2
WHERE t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @@ROWCOUNT;
SELECT @inserted, @changed;

-- widening ------------------------------------------------------------------------------------

-- integer to text
ALTER TABLE [thing] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [thing] SET [_eds_copy] = CONVERT(nvarchar(30), [a]);
ALTER TABLE [thing] DROP COLUMN [a];
EXEC sp_rename N'[thing].[_eds_copy]', N'a', N'COLUMN';

-- integer to decimal
ALTER TABLE [thing] ALTER COLUMN [a] decimal(38,19);

-- number to text
ALTER TABLE [thing] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [thing] SET [_eds_copy] = CONVERT(nvarchar(60), [a], 3);
ALTER TABLE [thing] DROP COLUMN [a];
EXEC sp_rename N'[thing].[_eds_copy]', N'a', N'COLUMN';

-- number to decimal
ALTER TABLE [thing] ADD [_eds_copy] decimal(38,19) NULL;
UPDATE [thing] SET [_eds_copy] = TRY_CONVERT(decimal(38,19), [a]);
IF EXISTS (SELECT 1 FROM [thing] WHERE [a] IS NOT NULL AND ([_eds_copy] IS NULL OR
    CONVERT(float, [_eds_copy]) <> [a])) RAISERROR (N'a number in the column does not fit into
    decimal(38,19)', 16, 1);
ALTER TABLE [thing] DROP COLUMN [a];
EXEC sp_rename N'[thing].[_eds_copy]', N'a', N'COLUMN';

-- decimal to text
ALTER TABLE [thing] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [thing] SET [_eds_copy] =
    REPLACE(RTRIM(REPLACE(REPLACE(RTRIM(REPLACE(CONVERT(nvarchar(60), [a]), N'0', N' ')), N' ',
    N'0'), N'.', N' ')), N' ', N'.');
ALTER TABLE [thing] DROP COLUMN [a];
EXEC sp_rename N'[thing].[_eds_copy]', N'a', N'COLUMN';

-- boolean to text
ALTER TABLE [thing] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [thing] SET [_eds_copy] = CASE [a] WHEN 1 THEN N'true' WHEN 0 THEN N'false' END;
ALTER TABLE [thing] DROP COLUMN [a];
EXEC sp_rename N'[thing].[_eds_copy]', N'a', N'COLUMN';

-- timestamp to text
ALTER TABLE [thing] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [thing] SET [_eds_copy] = CONVERT(nvarchar(40), CONVERT(datetime2(7), SWITCHOFFSET([a],
    N'+00:00')), 126) + N'Z';
ALTER TABLE [thing] DROP COLUMN [a];
EXEC sp_rename N'[thing].[_eds_copy]', N'a', N'COLUMN';

-- datetime to text
ALTER TABLE [thing] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [thing] SET [_eds_copy] = CONVERT(nvarchar(40), [a], 126) + N'Z';
ALTER TABLE [thing] DROP COLUMN [a];
EXEC sp_rename N'[thing].[_eds_copy]', N'a', N'COLUMN';

-- bytes to text
ALTER TABLE [thing] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [thing] SET [_eds_copy] = CAST(N'' AS xml).value('xs:base64Binary(sql:column("a"))',
    'nvarchar(max)');
ALTER TABLE [thing] DROP COLUMN [a];
EXEC sp_rename N'[thing].[_eds_copy]', N'a', N'COLUMN';

-- EDS's own tables ----------------------------------------------------------------------------

-- _eds_schema_history
CREATE TABLE _eds_schema_history (
    id NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    table_name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
    at NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
    ended NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
    outcome NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
    statement NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    actor NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    version NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    error NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    model NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    PRIMARY KEY (id)
);

-- _eds_checkpoint
CREATE TABLE _eds_checkpoint (
    company NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    seq BIGINT NOT NULL,
    time NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
    account NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    stream NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    prefix NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    epoch BIGINT NOT NULL,
    owner NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    role NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    updated NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
    PRIMARY KEY (company)
);

-- _eds_tombstone
CREATE TABLE _eds_tombstone (
    table_name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    [key] NVARCHAR(640) COLLATE Latin1_General_100_BIN2 NOT NULL,
    version NUMERIC(30, 10) NOT NULL,
    PRIMARY KEY NONCLUSTERED (table_name, [key])
);

-- _eds_quarantine
CREATE TABLE _eds_quarantine (
    id NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    company NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    table_name NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    event_id NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    state NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    reason NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    advice NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    at NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    subject NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    seq BIGINT NOT NULL,
    time NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
    headers NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    payload VARBINARY(max) NULL,
    PRIMARY KEY (id)
);

-- _eds_parked
CREATE TABLE _eds_parked (
    table_name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    company NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    seq BIGINT NOT NULL,
    reason NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    advice NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    resume SMALLINT NOT NULL,
    PRIMARY KEY (table_name, company)
);

-- _eds_status
CREATE TABLE _eds_status (
    table_name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    company NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    state NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    reason NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    last_event NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
    lag FLOAT(53) NULL,
    rows_written BIGINT NOT NULL,
    updated NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NULL,
    PRIMARY KEY (table_name, company)
);

-- _eds_heartbeat
CREATE TABLE _eds_heartbeat (
    company NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    epoch BIGINT NOT NULL,
    owner NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    at NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    PRIMARY KEY (company)
);

-- _eds_import
CREATE TABLE _eds_import (
    id NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL,
    table_name NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    [file] NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
    updated NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL,
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
