-- create order
CREATE TABLE [order] ([id] nvarchar(450) COLLATE Latin1_General_100_BIN2 NOT NULL, [a_text] nvarchar(max) COLLATE Latin1_General_100_BIN2, [a_integer] bigint, [a_number] float, [a_decimal] decimal(38,19), [a_boolean] bit, [a_timestamp] datetimeoffset(7), [a_datetime] datetime2(7), [a_json] nvarchar(max) COLLATE Latin1_General_BIN2, [a_bytes] varbinary(max), [_eds_version] decimal(30,10), PRIMARY KEY ([id]))

-- add order
ALTER TABLE [order] ADD [a_bytes] varbinary(max) NULL

-- upsert order
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1);
    RETURN;
END;
UPDATE t SET [a_text] = s.[a_text], [a_integer] = s.[a_integer], [a_number] = s.[a_number], [a_decimal] = s.[a_decimal], [a_boolean] = s.[a_boolean], [a_timestamp] = s.[a_timestamp], [a_datetime] = s.[a_datetime], [a_json] = s.[a_json], [a_bytes] = CONVERT(varbinary(max), s.[a_bytes], 2), [_eds_version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(450) '$[2]',
    [a_text] nvarchar(max) '$[3]',
    [a_integer] bigint '$[4]',
    [a_number] float '$[5]',
    [a_decimal] decimal(38,19) '$[6]',
    [a_boolean] bit '$[7]',
    [a_timestamp] datetimeoffset(7) '$[8]',
    [a_datetime] datetime2(7) '$[9]',
    [a_json] nvarchar(max) '$[10]',
    [a_bytes] nvarchar(max) '$[11]'
) AS s
INNER JOIN [order] AS t ON t.[id] = CONVERT(nvarchar(450), s.[id]) COLLATE Latin1_General_100_BIN2
WHERE (t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version])
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] > s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @changed + @@ROWCOUNT;
INSERT INTO [order] ([id], [a_text], [a_integer], [a_number], [a_decimal], [a_boolean], [a_timestamp], [a_datetime], [a_json], [a_bytes], [_eds_version])
SELECT CONVERT(nvarchar(450), s.[id]), s.[a_text], s.[a_integer], s.[a_number], s.[a_decimal], s.[a_boolean], s.[a_timestamp], s.[a_datetime], s.[a_json], CONVERT(varbinary(max), s.[a_bytes], 2), s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(450) '$[2]',
    [a_text] nvarchar(max) '$[3]',
    [a_integer] bigint '$[4]',
    [a_number] float '$[5]',
    [a_decimal] decimal(38,19) '$[6]',
    [a_boolean] bit '$[7]',
    [a_timestamp] datetimeoffset(7) '$[8]',
    [a_datetime] datetime2(7) '$[9]',
    [a_json] nvarchar(max) '$[10]',
    [a_bytes] nvarchar(max) '$[11]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [order] AS t WITH (UPDLOCK, HOLDLOCK)
    WHERE t.[id] = CONVERT(nvarchar(450), s.[id]) COLLATE Latin1_General_100_BIN2)
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] > s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @changed + @@ROWCOUNT;
SELECT @changed;

-- delete order
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1);
    RETURN;
END;
UPDATE d SET [version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(450) '$[2]'
) AS s
INNER JOIN [_eds_tombstone] AS d ON d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2
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
INNER JOIN [order] AS t ON t.[id] = CONVERT(nvarchar(450), s.[id]) COLLATE Latin1_General_100_BIN2
WHERE t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @@ROWCOUNT;
SELECT @changed;

-- create label_link
CREATE TABLE [label_link] ([labelId] nvarchar(225) COLLATE Latin1_General_100_BIN2 NOT NULL, [end] bigint NOT NULL, [_eds_version] decimal(30,10), PRIMARY KEY ([labelId], [end]))

-- upsert label_link
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1);
    RETURN;
END;
UPDATE t SET [_eds_version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [labelId] nvarchar(225) '$[2]',
    [end] bigint '$[3]'
) AS s
INNER JOIN [label_link] AS t ON t.[labelId] = CONVERT(nvarchar(225), s.[labelId]) COLLATE Latin1_General_100_BIN2 AND t.[end] = s.[end]
WHERE (t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version])
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] > s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @changed + @@ROWCOUNT;
INSERT INTO [label_link] ([labelId], [end], [_eds_version])
SELECT CONVERT(nvarchar(225), s.[labelId]), s.[end], s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [labelId] nvarchar(225) '$[2]',
    [end] bigint '$[3]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [label_link] AS t WITH (UPDLOCK, HOLDLOCK)
    WHERE t.[labelId] = CONVERT(nvarchar(225), s.[labelId]) COLLATE Latin1_General_100_BIN2 AND t.[end] = s.[end])
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] > s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @changed + @@ROWCOUNT;
SELECT @changed;

-- delete label_link
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1);
    RETURN;
END;
UPDATE d SET [version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [labelId] nvarchar(225) '$[2]',
    [end] bigint '$[3]'
) AS s
INNER JOIN [_eds_tombstone] AS d ON d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2
WHERE d.[version] < s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
INSERT INTO [_eds_tombstone] ([table_name], [key], [version])
SELECT @table, s.[_eds_key], s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [labelId] nvarchar(225) '$[2]',
    [end] bigint '$[3]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WITH (UPDLOCK, HOLDLOCK)
    WHERE d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2)
OPTION (FORCE ORDER, LOOP JOIN);
DELETE t
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [labelId] nvarchar(225) '$[2]',
    [end] bigint '$[3]'
) AS s
INNER JOIN [label_link] AS t ON t.[labelId] = CONVERT(nvarchar(225), s.[labelId]) COLLATE Latin1_General_100_BIN2 AND t.[end] = s.[end]
WHERE t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @@ROWCOUNT;
SELECT @changed;

-- upsert customer, adopted
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1);
    RETURN;
END;
IF EXISTS (SELECT 1 FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(100) '$[2]',
    [name] nvarchar(max) '$[3]',
    [visits] int '$[4]',
    [createdDate] datetime2(7) '$[5]'
) AS s
    WHERE (s.[createdDate] IS NOT NULL AND TRY_CONVERT(datetime, s.[createdDate]) IS NULL))
BEGIN
    RAISERROR (N'eds: a value of table %s does not fit the type of its column', 16, 1, @table);
    RETURN;
END;
UPDATE t SET [name] = s.[name], [visits] = s.[visits], [createdDate] = CONVERT(datetime, s.[createdDate]), [_eds_version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(100) '$[2]',
    [name] nvarchar(max) '$[3]',
    [visits] int '$[4]',
    [createdDate] datetime2(7) '$[5]'
) AS s
INNER JOIN [customer] AS t ON t.[id] = CONVERT(varchar(100), s.[id] COLLATE SQL_Latin1_General_CP1_CI_AS) COLLATE SQL_Latin1_General_CP1_CI_AS AND t.[id] COLLATE Latin1_General_100_BIN2 = s.[id] COLLATE Latin1_General_100_BIN2
WHERE (t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version])
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] > s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @changed + @@ROWCOUNT;
INSERT INTO [customer] ([id], [name], [visits], [createdDate], [_eds_version])
SELECT CONVERT(varchar(100), s.[id] COLLATE SQL_Latin1_General_CP1_CI_AS), s.[name], s.[visits], CONVERT(datetime, s.[createdDate]), s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(100) '$[2]',
    [name] nvarchar(max) '$[3]',
    [visits] int '$[4]',
    [createdDate] datetime2(7) '$[5]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [customer] AS t WITH (UPDLOCK, HOLDLOCK)
    WHERE t.[id] = CONVERT(varchar(100), s.[id] COLLATE SQL_Latin1_General_CP1_CI_AS) COLLATE SQL_Latin1_General_CP1_CI_AS AND t.[id] COLLATE Latin1_General_100_BIN2 = s.[id] COLLATE Latin1_General_100_BIN2)
    AND NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WHERE d.[table_name] = @table
    AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2 AND d.[version] > s.[_eds_version])
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @changed + @@ROWCOUNT;
SELECT @changed;

-- delete customer, adopted
SET NOCOUNT ON;
DECLARE @place nvarchar(300) = CONVERT(nvarchar(300), ?),
    @altered nvarchar(30) = CONVERT(nvarchar(30), ?),
    @rows nvarchar(max) = CONVERT(nvarchar(max), ?),
    @table nvarchar(128) = CONVERT(nvarchar(128), ?),
    @changed bigint = 0;
IF NOT EXISTS (SELECT 1 FROM sys.objects WHERE object_id = OBJECT_ID(@place)
    AND CONVERT(nvarchar(30), modify_date, 126) = @altered)
BEGIN
    SELECT CONVERT(bigint, -1);
    RETURN;
END;
UPDATE d SET [version] = s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(100) '$[2]'
) AS s
INNER JOIN [_eds_tombstone] AS d ON d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2
WHERE d.[version] < s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
INSERT INTO [_eds_tombstone] ([table_name], [key], [version])
SELECT @table, s.[_eds_key], s.[_eds_version]
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(100) '$[2]'
) AS s
WHERE NOT EXISTS (SELECT 1 FROM [_eds_tombstone] AS d WITH (UPDLOCK, HOLDLOCK)
    WHERE d.[table_name] = @table AND d.[key] = s.[_eds_key] COLLATE Latin1_General_100_BIN2)
OPTION (FORCE ORDER, LOOP JOIN);
DELETE t
FROM OPENJSON(@rows) WITH (
    [_eds_key] nvarchar(640) '$[0]',
    [_eds_version] decimal(30,10) '$[1]',
    [id] nvarchar(100) '$[2]'
) AS s
INNER JOIN [customer] AS t ON t.[id] = CONVERT(varchar(100), s.[id] COLLATE SQL_Latin1_General_CP1_CI_AS) COLLATE SQL_Latin1_General_CP1_CI_AS AND t.[id] COLLATE Latin1_General_100_BIN2 = s.[id] COLLATE Latin1_General_100_BIN2
WHERE t.[_eds_version] IS NULL OR t.[_eds_version] <= s.[_eds_version]
OPTION (FORCE ORDER, LOOP JOIN);
SET @changed = @@ROWCOUNT;
SELECT @changed;

-- widening 1
ALTER TABLE [order] ALTER COLUMN [a_integer] decimal(38,19)

-- widening 2
ALTER TABLE [order] ADD [_eds_copy] decimal(38,19) NULL;
UPDATE [order] SET [_eds_copy] = TRY_CONVERT(decimal(38,19), [a_number]);
IF EXISTS (SELECT 1 FROM [order] WHERE [a_number] IS NOT NULL AND ([_eds_copy] IS NULL OR CONVERT(float, [_eds_copy]) <> [a_number])) RAISERROR (N'a number in the column does not fit into decimal(38,19)', 16, 1);
ALTER TABLE [order] DROP COLUMN [a_number];
EXEC sp_rename N'[order].[_eds_copy]', N'a_number', N'COLUMN'

-- widening 3
ALTER TABLE [order] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [order] SET [_eds_copy] = CONVERT(nvarchar(30), [a_integer]);
ALTER TABLE [order] DROP COLUMN [a_integer];
EXEC sp_rename N'[order].[_eds_copy]', N'a_integer', N'COLUMN'

-- widening 4
ALTER TABLE [order] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [order] SET [_eds_copy] = CONVERT(nvarchar(60), [a_number], 3);
ALTER TABLE [order] DROP COLUMN [a_number];
EXEC sp_rename N'[order].[_eds_copy]', N'a_number', N'COLUMN'

-- widening 5
ALTER TABLE [order] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [order] SET [_eds_copy] = REPLACE(RTRIM(REPLACE(REPLACE(RTRIM(REPLACE(CONVERT(nvarchar(60), [a_decimal]), N'0', N' ')), N' ', N'0'), N'.', N' ')), N' ', N'.');
ALTER TABLE [order] DROP COLUMN [a_decimal];
EXEC sp_rename N'[order].[_eds_copy]', N'a_decimal', N'COLUMN'

-- widening 6
ALTER TABLE [order] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [order] SET [_eds_copy] = CASE [a_boolean] WHEN 1 THEN N'true' WHEN 0 THEN N'false' END;
ALTER TABLE [order] DROP COLUMN [a_boolean];
EXEC sp_rename N'[order].[_eds_copy]', N'a_boolean', N'COLUMN'

-- widening 7
ALTER TABLE [order] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [order] SET [_eds_copy] = CONVERT(nvarchar(40), CONVERT(datetime2(7), SWITCHOFFSET([a_timestamp], N'+00:00')), 126) + N'Z';
ALTER TABLE [order] DROP COLUMN [a_timestamp];
EXEC sp_rename N'[order].[_eds_copy]', N'a_timestamp', N'COLUMN'

-- widening 8
ALTER TABLE [order] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [order] SET [_eds_copy] = CONVERT(nvarchar(40), [a_datetime], 126) + N'Z';
ALTER TABLE [order] DROP COLUMN [a_datetime];
EXEC sp_rename N'[order].[_eds_copy]', N'a_datetime', N'COLUMN'

-- widening 9
ALTER TABLE [order] ADD [_eds_copy] nvarchar(max) COLLATE Latin1_General_100_BIN2 NULL;
UPDATE [order] SET [_eds_copy] = CAST(N'' AS xml).value('xs:base64Binary(sql:column("a_bytes"))', 'nvarchar(max)');
ALTER TABLE [order] DROP COLUMN [a_bytes];
EXEC sp_rename N'[order].[_eds_copy]', N'a_bytes', N'COLUMN'

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
)

-- _eds_tombstone
CREATE TABLE _eds_tombstone (
	table_name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
	[key] NVARCHAR(640) COLLATE Latin1_General_100_BIN2 NOT NULL, 
	version NUMERIC(30, 10) NOT NULL, 
	PRIMARY KEY NONCLUSTERED (table_name, [key])
)

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
)

-- _eds_parked
CREATE TABLE _eds_parked (
	table_name NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
	company NVARCHAR(200) COLLATE Latin1_General_100_BIN2 NOT NULL, 
	seq BIGINT NOT NULL, 
	reason NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL, 
	advice NVARCHAR(max) COLLATE Latin1_General_100_BIN2 NULL, 
	resume SMALLINT NOT NULL, 
	PRIMARY KEY (table_name, company)
)

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
)

