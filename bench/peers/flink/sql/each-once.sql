-- De-duplication as Flink's documents have it: the first row of each key by processing time; state is kept for an hour.
CREATE TEMPORARY VIEW event AS
  SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY event_id ORDER BY processed_at ASC) AS nth FROM messages) WHERE nth = 1;
