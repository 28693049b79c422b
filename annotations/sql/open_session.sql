-- Lock the bookmark of `p_reviewer` in `p_queue` until the transaction ends, and return it with
-- the fields of the queue that decide about reviewing.
--
-- Each statement of a volatile function has a snapshot of its own, so what follows the lock of
-- the bookmark sees what was committed before the lock was granted.
CREATE OR REPLACE FUNCTION annotations_open_session(p_queue bigint, p_reviewer bigint)
RETURNS TABLE (bookmark_id bigint, places jsonb, searched_at timestamptz,
    archived_at timestamptz, is_paused boolean, is_reserving boolean, reservation_minutes integer,
    reviewers_per_item smallint, rubric_version integer, is_blind boolean,
    is_invited boolean, role varchar)
LANGUAGE plpgsql VOLATILE ROWS 1
AS $$
BEGIN
    -- Changes of what a queue asks take this lock exclusively (`locks.lock_queue`). It is not a
    -- lock on the queue's row: reviewers always share one there, so a writer would starve.
    PERFORM pg_advisory_xact_lock_shared(1, (p_queue % 2147483647)::integer);
    -- The verbs of one reviewer in one queue run one by one.
    FOR attempt IN 1..2 LOOP
        RETURN QUERY
        SELECT b.id, b.places, b.searched_at,
               q.archived_at, q.is_paused, q.is_reserving, q.reservation_minutes::integer,
               q.reviewers_per_item, q.rubric_version, q.is_blind,
               {is_invited},
               (SELECT m.role FROM workspaces_membership m
                WHERE m.workspace_id = q.workspace_id AND m.user_id = p_reviewer)
        FROM annotations_bookmark b JOIN annotations_annotationqueue q ON q.id = b.queue_id
        WHERE b.queue_id = p_queue AND b.reviewer_id = p_reviewer
        FOR NO KEY UPDATE OF b;
        EXIT WHEN FOUND;
        INSERT INTO annotations_bookmark (queue_id, reviewer_id, places)
        VALUES (p_queue, p_reviewer, '{}') ON CONFLICT DO NOTHING;
    END LOOP;
END
$$
