package teststore

// checkHistory holds everything that the test wrote to what is promised of
// every job, whatever happened to it. Each query returns what breaks a promise.
func (db *DB) checkHistory() {
	db.t.Helper()
	for promise, query := range map[string]string{
		"event sequences start at 1 and have no gap": `
			SELECT job_id FROM job_events GROUP BY job_id HAVING min(sequence) <> 1 OR max(sequence) <> count(*)`,
		"a job's latest event is the one that its row names": `
			SELECT id FROM jobs j WHERE sequence IS DISTINCT FROM (SELECT max(sequence) FROM job_events WHERE job_id = j.id)`,
		"a job that is over has one final event, its last; others have none": `
			SELECT id FROM jobs j
			WHERE (finished_at IS NULL AND EXISTS (SELECT 1 FROM job_events WHERE job_id = j.id AND type IN ` + finalEvents + `))
				OR (finished_at IS NOT NULL AND ARRAY['job.' || status || ':' || sequence] <> ARRAY(
					SELECT type || ':' || sequence FROM job_events WHERE job_id = j.id AND type IN ` + finalEvents + `))`,
		"an event shows the job as it stood then": `
			SELECT job_id || ' ' || type FROM job_events WHERE (data->>'sequence')::bigint <> sequence
				OR type <> 'job.' || CASE data->>'status' WHEN 'running' THEN CASE WHEN type = 'job.progress' THEN 'progress' ELSE 'started' END
					ELSE data->>'status' END`,
		"positions never fall": `
			SELECT job_id FROM (SELECT job_id, position, lag(position) OVER (PARTITION BY job_id ORDER BY sequence) AS before
				FROM job_events) e WHERE position < before`,
		"each attempt has one start and, once it is over, one end": `
			SELECT coalesce(s.lease, e.lease) FROM (` + leases + ` WHERE action = 'job.attempt.start') s
			FULL JOIN (` + leases + ` WHERE action = 'job.attempt.end') e USING (lease)
			LEFT JOIN jobs j ON j.lease_token::text = s.lease
			GROUP BY 1 HAVING count(s.lease) <> 1 OR count(e.lease) <> CASE WHEN count(j.id) > 0 THEN 0 ELSE 1 END`,
	} {
		if broken := db.Query(query); len(broken) > 0 {
			db.t.Errorf("%s, but not for %v", promise, broken)
		}
	}
}

const (
	finalEvents = `('job.succeeded', 'job.failed', 'job.canceled', 'job.expired')`
	leases      = `SELECT metadata->>'lease' AS lease FROM audit_logs`
)
