-- Reserve the next item of `p_queue` for `p_reviewer`: see `reservations.reserve_next`.
--
-- One call instead of eight statements: a session keeps a function's plans, and round trips and
-- planning were most of what a claim cost. The settings keep a plan that was made while the
-- tables were empty from scanning them.
--
-- The conditions use scalar subqueries: the planner cannot turn these into a hash of all reviews
-- of a reviewer, so each seat costs a few index probes and the first that fits ends the search.
CREATE OR REPLACE FUNCTION annotations_reserve_next(
    p_queue bigint, p_reviewer bigint, p_now timestamptz, p_lease uuid, p_exclude bigint[],
    p_roles text[], p_max_lengths integer, p_search_every interval)
RETURNS SETOF annotations_seat LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    reviewer_session record;
    seat annotations_seat;
    level integer;
    length interval;
    known jsonb;
    place bigint;
    chosen bigint;
    is_wide boolean := false;
    gold_rate double precision;
    gold bigint;
BEGIN
    SELECT * INTO reviewer_session FROM annotations_open_session(p_queue, p_reviewer);
    length := make_interval(mins => reviewer_session.reservation_minutes);
    IF reviewer_session.is_paused OR reviewer_session.archived_at IS NOT NULL
       OR NOT reviewer_session.is_invited
       OR reviewer_session.role IS NULL OR reviewer_session.role <> ALL (p_roles) THEN
        RETURN;
    END IF;

    -- A reservation the reviewer still holds comes first: the oldest, prolonged.
    UPDATE annotations_seat s SET expires_at = greatest(s.expires_at,
        least(p_now + length, s.reserved_at + p_max_lengths * length))
    WHERE s.id = (
        SELECT h.id FROM annotations_seat h
        WHERE h.reviewer_id = p_reviewer AND h.queue_id = p_queue AND NOT h.is_taken
          AND h.expires_at > p_now AND h.item_id <> ALL (p_exclude)
          AND (SELECT i.state FROM annotations_queueitem i WHERE i.id = h.item_id)
              IN ('open', 'gold')
        ORDER BY h.reserved_at, h.item_id LIMIT 1)
      -- Checked again under the row's lock: another tab may have released it meanwhile.
      AND s.reviewer_id = p_reviewer AND s.lease IS NOT NULL AND NOT s.is_taken
    RETURNING s.* INTO seat;
    IF FOUND THEN
        RETURN NEXT seat;
        RETURN;
    END IF;

    SELECT q.gold_rate INTO gold_rate FROM annotations_annotationqueue q WHERE q.id = p_queue;
    IF NOT reviewer_session.is_reserving THEN
        -- Nothing is held, but a gold item stays until it is reviewed, as others do on a reload.
        RETURN QUERY SELECT s.* FROM annotations_seat s
        WHERE s.reviewer_id = p_reviewer AND s.queue_id = p_queue AND NOT s.is_taken
          AND s.item_id <> ALL (p_exclude)
          AND (SELECT i.state FROM annotations_queueitem i WHERE i.id = s.item_id) = 'gold'
          AND {is_undeferred}
        ORDER BY s.item_id LIMIT 1;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;

    known := reviewer_session.places;
    LOOP
        level := 32768;  -- above every smallint
        LOOP
            SELECT s.priority INTO level FROM annotations_seat s
            WHERE s.queue_id = p_queue AND NOT s.is_taken AND s.priority < level
            ORDER BY s.priority DESC LIMIT 1;
            EXIT WHEN level IS NULL;
            place := coalesce((known ->> level::text)::bigint, 0);
            -- SKIP LOCKED passes over seats that others are claiming right now. A seat claimed
            -- since the snapshot is checked again under its lock, and fails `expires_at`.
            -- The lock is on the seat itself, so there is nothing to count elsewhere.
            IF place > 0 THEN  -- returned seats all come before `place`, so they are first
                SELECT s.id INTO chosen FROM annotations_seat s
                WHERE s.priority = level AND s.item_id <= place AND s.is_returned
                  AND {is_claimable} AND {is_undeferred}
                ORDER BY s.item_id, s.number LIMIT 1 FOR UPDATE OF s SKIP LOCKED;
                EXIT WHEN chosen IS NOT NULL;
            END IF;
            SELECT s.id INTO chosen FROM annotations_seat s
            WHERE s.priority = level AND s.item_id > place
              AND {is_claimable} AND {is_undeferred}
            ORDER BY s.item_id, s.number LIMIT 1 FOR UPDATE OF s SKIP LOCKED;
            EXIT WHEN chosen IS NOT NULL;
        END LOOP;
        IF chosen IS NULL THEN  -- last, the items the reviewer requeued
            SELECT s.id INTO chosen
            FROM annotations_deferral d JOIN annotations_seat s ON s.item_id = d.item_id
            WHERE d.reviewer_id = p_reviewer AND d.kind = 'requeue' AND {is_claimable}
            ORDER BY d.created_at, s.item_id, s.number LIMIT 1 FOR UPDATE OF s SKIP LOCKED;
        END IF;
        -- A bookmark is never trusted alone: at intervals search from the very beginning, and
        -- find what no rule could foresee, such as an item whose priority was changed.
        EXIT WHEN chosen IS NOT NULL OR is_wide OR known = '{}'
            OR p_now - reviewer_session.searched_at < p_search_every;
        is_wide := true;
        known := '{}';
    END LOOP;
    IF is_wide THEN
        UPDATE annotations_bookmark SET searched_at = p_now,
            places = CASE WHEN chosen IS NULL THEN places ELSE '{}' END
        WHERE id = reviewer_session.bookmark_id;
    END IF;
    IF chosen IS NULL THEN
        RETURN;
    END IF;

    -- Instead of it a gold item, at the queue's rate, for reviewers who may not see which are gold.
    -- Only instead of another, so that nobody is given an item while none is said to be left.
    IF random() < gold_rate AND reviewer_session.is_blind AND {is_given_gold} THEN
        SELECT s.id INTO gold FROM annotations_queueitem s
        WHERE s.queue_id = p_queue AND s.state = 'gold' AND s.id <> ALL (p_exclude)
          AND {is_unanswered_gold}
        ORDER BY md5(s.uuid::text || p_reviewer::text) LIMIT 1 FOR NO KEY UPDATE OF s;
        IF FOUND THEN  -- the seat is this reviewer's alone: see `reservations.hold`
            DELETE FROM annotations_seat WHERE item_id = gold AND reviewer_id IS NULL;
            RETURN QUERY INSERT INTO annotations_seat AS s
                (queue_id, item_id, number, priority, reviewer_id, lease, reserved_at, expires_at,
                 is_taken, is_returned)
            SELECT p_queue, gold,
                coalesce((SELECT max(o.number) FROM annotations_seat o WHERE o.item_id = gold), 0)
                    + 1,
                i.priority, p_reviewer,
                CASE WHEN reviewer_session.is_reserving THEN p_lease END,
                CASE WHEN reviewer_session.is_reserving THEN p_now END,
                CASE WHEN reviewer_session.is_reserving THEN p_now + length END, false, false
            FROM annotations_queueitem i WHERE i.id = gold
            ON CONFLICT (item_id, reviewer_id) WHERE reviewer_id IS NOT NULL DO UPDATE SET
                lease = excluded.lease, reserved_at = excluded.reserved_at,
                expires_at = excluded.expires_at
            RETURNING s.*;
            RETURN;
        END IF;
    END IF;
    IF NOT reviewer_session.is_reserving THEN
        RETURN QUERY SELECT * FROM annotations_seat WHERE id = chosen;
    ELSE
        RETURN QUERY UPDATE annotations_seat SET reviewer_id = p_reviewer, lease = p_lease,
            reserved_at = p_now, expires_at = p_now + length
        WHERE id = chosen RETURNING *;
    END IF;
END
$$
