(SELECT 1 FROM annotations_review v WHERE v.item_id = s.item_id
 AND v.reviewer_id = p_reviewer AND v.retracted_at IS NULL LIMIT 1) IS NULL
