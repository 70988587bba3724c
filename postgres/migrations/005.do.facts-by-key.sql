-- Late events are added to the facts and rows of their user and session, which are looked up by minute and id: without these
-- indexes every late event reads all facts of its minutes.
create index pane_facts_user on @schema@.pane_facts (pane, user_id);
create index pane_facts_session on @schema@.pane_facts (pane, session_id);
drop index @schema@.pane_facts_pane_idx;
