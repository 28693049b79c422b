(SELECT 1 FROM annotations_review v WHERE v.item_id = s.id
 AND v.reviewer_id = p_reviewer AND v.retracted_at IS NULL LIMIT 1) IS NULL
AND (SELECT 1 FROM annotations_deferral d WHERE d.item_id = s.id
     AND d.reviewer_id = p_reviewer AND d.kind = 'skip' LIMIT 1) IS NULL
