(q.access = 'any' OR EXISTS (
    SELECT FROM annotations_annotationqueue_assigned_reviewers a
    WHERE a.annotationqueue_id = q.id AND a.user_id = p_reviewer))
