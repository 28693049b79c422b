reviewer_session.role NOT IN ('manager', 'owner')
