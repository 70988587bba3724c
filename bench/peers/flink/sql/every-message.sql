-- An event that the topic holds twice is there twice.
CREATE TEMPORARY VIEW event AS SELECT * FROM messages;
