{is_unreviewed}
AND (SELECT i.state FROM annotations_queueitem i WHERE i.id = s.item_id) = 'open'
