from django.db import migrations

# `bookmarks.sit_down` and `reservations.reserve_next` as one call each: eight statements would be eight round trips and eight
# plans, most of what a claim costs. A function's plans are kept by its session. Each statement
# of a volatile function has a snapshot of its own, so what follows the lock of the bookmark sees
# what was committed before it was granted.
#
# The scalar subqueries below are on purpose: the planner cannot turn them into a hash of all
# reviews of a reviewer, so each seat looked at costs a few index probes and the first that fits
# ends the search. The settings keep a plan made while the tables were empty from scanning them.
CLAIMABLE = """
        s.queue_id = p_queue AND NOT s.is_taken
        AND (s.expires_at IS NULL OR s.expires_at <= p_now)
        AND s.item_id <> ALL (p_exclude)
        AND (SELECT 1 FROM annotations_seat o WHERE o.item_id = s.item_id
             AND o.reviewer_id = p_reviewer AND o.id <> s.id LIMIT 1) IS NULL
        AND (SELECT 1 FROM annotations_review v WHERE v.item_id = s.item_id
             AND v.reviewer_id = p_reviewer AND v.retracted_at IS NULL LIMIT 1) IS NULL
        AND (SELECT i.state FROM annotations_queueitem i WHERE i.id = s.item_id) = 'open'
"""
UNDEFERRED = """
        AND (SELECT 1 FROM annotations_deferral d WHERE d.item_id = s.item_id
             AND d.reviewer_id = p_reviewer LIMIT 1) IS NULL
"""
SIT_DOWN = """
CREATE FUNCTION annotations_sit_down(p_queue bigint, p_reviewer bigint)
RETURNS TABLE (bookmark_id bigint, places jsonb, searched_at timestamptz,
    archived_at timestamptz, is_paused boolean, is_reserving boolean, reservation_minutes integer,
    reviewers_per_item smallint, rubric_version integer, is_blind boolean,
    is_invited boolean, role varchar)
LANGUAGE plpgsql VOLATILE ROWS 1
AS $$
BEGIN
    -- Whoever changes what a queue asks takes this lock alone. Not a lock on the queue's row:
    -- reviewers always share one there, and a writer would wait for a moment without any.
    PERFORM pg_advisory_xact_lock_shared(1, (p_queue % 2147483647)::integer);
    -- The steps of one reviewer in one queue come one by one.
    FOR attempt IN 1..2 LOOP
        RETURN QUERY
        SELECT b.id, b.places, b.searched_at,
               q.archived_at, q.is_paused, q.is_reserving, q.reservation_minutes::integer,
               q.reviewers_per_item, q.rubric_version, q.is_blind,
               q.access = 'any' OR EXISTS (
                   SELECT FROM annotations_annotationqueue_assigned_reviewers a
                   WHERE a.annotationqueue_id = q.id AND a.user_id = p_reviewer),
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
"""
RESERVE_NEXT = f"""
CREATE FUNCTION annotations_reserve_next(
    p_queue bigint, p_reviewer bigint, p_now timestamptz, p_lease uuid, p_exclude bigint[],
    p_roles text[], p_max_lengths integer, p_search_every interval)
RETURNS SETOF annotations_seat LANGUAGE plpgsql VOLATILE
SET enable_seqscan = off SET enable_bitmapscan = off
AS $$
DECLARE
    desk record;
    seat annotations_seat;
    level integer;
    length interval;
    known jsonb;
    place bigint;
    chosen bigint;
    is_wide boolean := false;
BEGIN
    SELECT * INTO desk FROM annotations_sit_down(p_queue, p_reviewer);
    length := make_interval(mins => desk.reservation_minutes);
    IF desk.is_paused OR desk.archived_at IS NOT NULL OR NOT desk.is_invited
       OR desk.role IS NULL OR desk.role <> ALL (p_roles) THEN
        RETURN;
    END IF;

    -- What I hold comes back, the oldest first, and longer.
    UPDATE annotations_seat s SET expires_at = greatest(s.expires_at,
        least(p_now + length, s.reserved_at + p_max_lengths * length))
    WHERE s.id = (
        SELECT h.id FROM annotations_seat h
        WHERE h.reviewer_id = p_reviewer AND h.queue_id = p_queue AND NOT h.is_taken
          AND h.expires_at > p_now AND h.item_id <> ALL (p_exclude)
          AND (SELECT i.state FROM annotations_queueitem i WHERE i.id = h.item_id) = 'open'
        ORDER BY h.reserved_at, h.item_id LIMIT 1)
      -- Asked again once the row's lock is had: another tab may have let go of it meanwhile.
      AND s.reviewer_id = p_reviewer AND s.lease IS NOT NULL AND NOT s.is_taken
    RETURNING s.* INTO seat;
    IF FOUND THEN
        RETURN NEXT seat;
        RETURN;
    END IF;

    known := desk.places;
    LOOP
        level := 32768;  -- above every smallint
        LOOP
            SELECT s.priority INTO level FROM annotations_seat s
            WHERE s.queue_id = p_queue AND NOT s.is_taken AND s.priority < level
            ORDER BY s.priority DESC LIMIT 1;
            EXIT WHEN level IS NULL;
            place := coalesce((known ->> level::text)::bigint, 0);
            -- SKIP LOCKED passes over what others are claiming right now. A seat claimed since
            -- the snapshot is looked at again once its lock is had, and fails `expires_at`.
            -- The lock is on the seat itself, so there is nothing to count elsewhere.
            IF place > 0 THEN  -- returned seats all come before `place`, so they are first
                SELECT s.id INTO chosen FROM annotations_seat s
                WHERE s.priority = level AND s.item_id <= place AND s.is_returned
                  AND {CLAIMABLE} {UNDEFERRED}
                ORDER BY s.item_id, s.number LIMIT 1 FOR UPDATE OF s SKIP LOCKED;
                EXIT WHEN chosen IS NOT NULL;
            END IF;
            SELECT s.id INTO chosen FROM annotations_seat s
            WHERE s.priority = level AND s.item_id > place
              AND {CLAIMABLE} {UNDEFERRED}
            ORDER BY s.item_id, s.number LIMIT 1 FOR UPDATE OF s SKIP LOCKED;
            EXIT WHEN chosen IS NOT NULL;
        END LOOP;
        IF chosen IS NULL THEN  -- last, what I put at the end
            SELECT s.id INTO chosen
            FROM annotations_deferral d JOIN annotations_seat s ON s.item_id = d.item_id
            WHERE d.reviewer_id = p_reviewer AND d.kind = 'requeue' AND {CLAIMABLE}
            ORDER BY d.created_at, s.item_id, s.number LIMIT 1 FOR UPDATE OF s SKIP LOCKED;
        END IF;
        -- A bookmark is never trusted alone: now and then search from the very beginning, and
        -- find what no rule could foresee, such as an item whose priority somebody changed.
        EXIT WHEN chosen IS NOT NULL OR is_wide OR known = '{{}}'
            OR p_now - desk.searched_at < p_search_every;
        is_wide := true;
        known := '{{}}';
    END LOOP;
    IF is_wide THEN
        UPDATE annotations_bookmark SET searched_at = p_now,
            places = CASE WHEN chosen IS NULL THEN places ELSE '{{}}' END
        WHERE id = desk.bookmark_id;
    END IF;
    IF chosen IS NULL THEN
        RETURN;
    ELSIF NOT desk.is_reserving THEN
        RETURN QUERY SELECT * FROM annotations_seat WHERE id = chosen;
    ELSE
        RETURN QUERY UPDATE annotations_seat SET reviewer_id = p_reviewer, lease = p_lease,
            reserved_at = p_now, expires_at = p_now + length
        WHERE id = chosen RETURNING *;
    END IF;
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("annotations", "0002_vacuum_seats_eagerly")]

    operations = [
        migrations.RunSQL(SIT_DOWN, "DROP FUNCTION annotations_sit_down"),
        migrations.RunSQL(RESERVE_NEXT, "DROP FUNCTION annotations_reserve_next"),
    ]
