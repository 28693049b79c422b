(SELECT 1 FROM annotations_deferral d WHERE d.item_id = s.item_id
 AND d.reviewer_id = p_reviewer LIMIT 1) IS NULL
