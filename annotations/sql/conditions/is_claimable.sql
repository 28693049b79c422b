s.queue_id = p_queue AND NOT s.is_taken
AND (s.expires_at IS NULL OR s.expires_at <= p_now)
AND s.item_id <> ALL (p_exclude)
AND (SELECT 1 FROM annotations_seat o WHERE o.item_id = s.item_id
     AND o.reviewer_id = p_reviewer AND o.id <> s.id LIMIT 1) IS NULL
AND {needs_review}
