-- Sessions close in a transaction behind the one that writes panes and windows: how far they have. Until then one that has ended
-- stays in open_sessions.
alter table @schema@.closed_through add column sessions_through timestamptz;
update @schema@.closed_through set sessions_through = written_through;
