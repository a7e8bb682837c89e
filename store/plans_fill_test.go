package store_test

import (
	"testing"

	"fanfare/internal/teststore"
)

// fill fills a database, and seals a third of its audit records.
func fill(t *testing.T, db *teststore.DB) {
	t.Helper()
	db.Exec(fillSQL)
	for range 2 {
		if _, _, err := db.SealAudit(t.Context(), 5000); err != nil {
			t.Fatal(err)
		}
	}
	db.Exec(`ANALYZE audit_chain`)
}

// fillSQL makes a few months of a service's life: 20,000 users, of whom the
// first is by far the busiest; 50,000 jobs, of which the last 2,000 are not
// over, and the oldest of those due; and what belongs to them. uid(n) is the
// n-th id; every hundredth thing is the busy user's, and a running job's token
// is its id.
const fillSQL = `
SET session_replication_role = replica; -- no look-ups of foreign keys: a third of the time
CREATE FUNCTION uid(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
	$$ SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid $$;
CREATE FUNCTION dice(n bigint, sides int, salt int) RETURNS int LANGUAGE sql IMMUTABLE AS
	$$ SELECT ((hashint8extended(n, salt) & 2147483647) % sides)::int $$;
CREATE FUNCTION owner_of(n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS
	$$ SELECT uid(CASE WHEN n % 100 = 0 OR dice(n, 5, 1) < 2 THEN 1 ELSE 2 + dice(n, 199, 2) END) $$;

INSERT INTO users (id, name, email, password_hash) SELECT uid(n), 'Ada', n || '@example.org', 'hash' FROM generate_series(1, 20000) n;
INSERT INTO sessions (id, user_id, digest, expires_at)
	SELECT uid(n), uid(1 + n % 20000), int8send(n), now() + make_interval(mins => n - 100) FROM generate_series(1, 9000) n;
INSERT INTO api_keys (id, user_id, name, digest, created_at)
	SELECT uid(n), owner_of(n), 'k', int8send(n), now() - make_interval(mins => 6000 - n) FROM generate_series(1, 6000) n;
INSERT INTO idempotency_keys (user_id, method, path, key, body_digest, status, location, response, created_at)
	SELECT owner_of(n), 'POST', '/api/campaign', n::text, 'x', 202, '', '{}', now() - make_interval(secs => (20200 - n) * 4.3)
	FROM generate_series(1, 20000) n;
INSERT INTO campaigns (id, user_id, goal, content, status, created_at, launched_at, recipient_list)
	SELECT uid(n), owner_of(n), 'sell tea', jsonb_build_object('note', repeat(md5(n::text), 40)), CASE WHEN dice(n, 1000, 3) = 0 THEN 'failed' WHEN dice(n, 10, 4) = 0 THEN 'draft' ELSE 'ready' END,
		now() - make_interval(mins => 20000 - n), CASE WHEN dice(n, 10, 5) = 0 THEN now() END,
		CASE WHEN n % 50 = 0 THEN uid(n / 50) END
	FROM generate_series(1, 20000) n;
INSERT INTO schedules (id, campaign_id, user_id, cron, timezone, channels, misfire, enabled, next_at, next_local, reason)
	SELECT uid(n), uid(n), owner_of(n), '0 9 * * *', 'UTC', '{email}', 'skip', live,
		CASE WHEN live THEN now() + make_interval(mins => n - 20) END, CASE WHEN live THEN 'x' END, CASE WHEN NOT live THEN 'Over.' END
	FROM generate_series(5, 20000, 5) n, LATERAL (SELECT dice(n, 2, 8) = 0 AS live) l
	WHERE owner_of(n) <> uid(1) OR n % 100 = 0;
INSERT INTO schedule_occurrences (schedule_id, local_time, at, outcome, created_at)
	SELECT uid(5 * (n % 4000)), n::text, now(), 'missed', now() - make_interval(mins => 43300 - n) FROM generate_series(1, 20000) n;
INSERT INTO conversations (id, user_id, created_at, updated_at)
	SELECT uid(n), owner_of(n), now() - make_interval(mins => 20000 - n), now() - make_interval(mins => 20000 - n)
	FROM generate_series(1, 20000) n;
INSERT INTO conversation_messages (conversation_id, role, content)
	SELECT uid(n), 'user', 'tea' FROM generate_series(1, 20000) n UNION ALL SELECT uid(100), 'user', 'more' FROM generate_series(1, 5000);
INSERT INTO brand_kits (id, user_id, name, primary_color, secondary_color, font_family, tone, "values", is_active, created_at)
	SELECT uid(n), uid(2 + n % 19999), 'k', '#000000', '#ffffff', 'Inter', 'dry', 'care', false, now() - make_interval(mins => 9000 - n)
	FROM generate_series(3001, 8999) n
	UNION ALL SELECT uid(n), uid(1), 'k', '#000000', '#ffffff', 'Inter', 'dry', 'care', n = 13000, now() - make_interval(mins => 15000 - n)
	FROM generate_series(10001, 13000) n;

INSERT INTO jobs (id, user_id, campaign_id, kind, queue, status, payload, attempt, max_attempts, lease_token, lease_expires_at,
		result, error, relay_at, run_at, created_at, updated_at, started_at, finished_at, deadline, sequence)
	SELECT uid(n), owner_of(n), uid(1 + dice(n, 20000, 6)),
		CASE WHEN dice(n, 1000, 7) = 0 THEN 'analytics.optimize' WHEN dice(n, 10, 8) = 0 THEN 'analytics.analyze' ELSE 'campaign.generate' END,
		'ai', status, '{"brief": "tea"}', 1, 5,
		CASE WHEN status = 'running' THEN uid(n) END, CASE WHEN status = 'running' THEN made + make_interval(hours => CASE WHEN n < 48200 THEN -1 ELSE 1 END) END,
		CASE WHEN status = 'succeeded' THEN '{}'::jsonb END, CASE WHEN status IN ('failed', 'canceled', 'expired') THEN '{}'::jsonb END,
		made + make_interval(hours => CASE WHEN n < 48100 THEN -1 ELSE 1 END), NULL, made, made, made,
		CASE WHEN n <= 48000 THEN made + interval '20 seconds' END, made + make_interval(hours => CASE WHEN n < 48100 THEN -1 ELSE 1 END), 3
	FROM (SELECT n, now() - make_interval(secs => (50000 - n) * CASE WHEN n > 48000 THEN 0.46 ELSE 60 END) AS made, CASE
		WHEN n = 49990 THEN 'running' WHEN n > 48000 THEN (ARRAY['queued', 'running', 'retrying', 'scheduled'])[1 + dice(n, 4, 10)]
		WHEN n = 47900 THEN 'failed' WHEN dice(n, 1000, 11) = 0 THEN 'expired' WHEN dice(n, 100, 12) < 3 THEN 'canceled' WHEN dice(n, 20, 13) = 0 THEN 'failed'
		ELSE 'succeeded' END AS status FROM generate_series(1, 50000) n) j;
INSERT INTO job_steps (job_id, name, output) SELECT id, 'intent', '{}' FROM jobs;
INSERT INTO job_events (job_id, sequence, type, data, user_id, position)
	SELECT uid(n / 3), 1 + n % 3, 'job.progress', '{}', owner_of(n / 3), (n / 300)::text::xid8 FROM generate_series(60000, 150002) n;
INSERT INTO workers (id, seen_at) SELECT 'w' || n, now() - make_interval(mins => n) FROM generate_series(0, 20) n;
INSERT INTO schedulers (id, seen_at) SELECT 's' || n, now() - make_interval(mins => n) FROM generate_series(0, 20) n;

DO $$
DECLARE month date;
BEGIN
	FOR i IN 1..3 LOOP
		month := date_trunc('month', now() AT TIME ZONE 'UTC') - make_interval(months => i);
		EXECUTE format('CREATE TABLE %I PARTITION OF audit_logs FOR VALUES FROM (%L) TO (%L)', 'audit_logs_' || to_char(month, 'YYYY_MM'),
			month || ' 00:00:00+00', (month + interval '1 month')::date || ' 00:00:00+00');
	END LOOP;
END $$;
INSERT INTO audit_logs (id, user_id, action, resource, status, position, created_at)
	SELECT uid(n), owner_of(n), CASE WHEN dice(n, 100, 14) = 0 THEN 'user.login' ELSE 'job.attempt.end' END, n::text,
		CASE WHEN dice(n, 100, 15) = 0 THEN 'failure' ELSE 'success' END, (n / 300)::text::xid8,
		now() - CASE WHEN n > 1500 THEN interval '0' ELSE interval '40 days' END - make_interval(secs => (30000 - n) * 96) FROM generate_series(1, 30000) n;
` + launchesSQL + `
ANALYZE;
RESET session_replication_role;`

// launchesSQL makes 400 lists of recipients that campaigns have and 40 that
// none has; 300 launches, of which the first hundred are of one campaign of the
// busy user's and the first three have had their time; and their deliveries: a
// third of them of the launch 50, while the launch 100 is under way.
const launchesSQL = `
INSERT INTO integrations (id, user_id, name, type, credential_fields, key_id, credentials, created_at)
	SELECT uid(n), uid(1 + n % 2000), 'p' || n / 2000, (ARRAY['email', 'sms', 'social', 'ppc'])[1 + n / 2000], '{}',
		CASE WHEN n % 50 = 1 THEN 'k1' ELSE 'k2' END, 'box', now() - make_interval(mins => 6000 - n) FROM generate_series(1, 6000) n;
INSERT INTO recipient_lists (id, campaign_id, created_at)
	SELECT uid(n), uid(n * 50), now() - make_interval(mins => 600 - n) FROM generate_series(1, 440) n;
INSERT INTO recipients (list_id, channel, address)
	SELECT uid(CASE WHEN n % 20 = 0 THEN 2 ELSE 1 + n % 440 END), c, CASE c WHEN 'sms' THEN '+' || 10000000 + n ELSE n || '@example.org' END
	FROM generate_series(1, 30000) n, LATERAL (SELECT CASE WHEN dice(n, 4, 16) = 0 THEN 'sms' ELSE 'email' END AS c) channel;
INSERT INTO suppressions (user_id, channel, address, reason)
	SELECT owner_of(n), 'email', n || '@example.org', 'unsubscribed' FROM generate_series(1, 10000) n;
INSERT INTO launches (id, user_id, campaign_id, channels, created_at)
	SELECT uid(n), owner_of(c), uid(c), '{email,sms}', now() - make_interval(mins => (301 - n) * CASE WHEN n <= 3 THEN 200 ELSE 150 END)
	FROM generate_series(1, 300) n, LATERAL (SELECT CASE WHEN n <= 100 THEN 100 ELSE n * 10 END AS c) campaign;
INSERT INTO launch_channels (launch_id, channel, integration_id, planned)
	SELECT uid(n), c, uid(2000), n <> 100 FROM generate_series(1, 300) n, unnest('{email,sms}'::text[]) c;
INSERT INTO deliveries (id, launch_id, campaign_id, user_id, channel, recipient, status, lease, provider_id, error, created_at)
	SELECT uid(l * 100000 + n), uid(l), a.campaign_id, a.user_id, CASE WHEN n <= 0.75 * size THEN 'email' ELSE 'sms' END, n || '@example.org', d.status,
		CASE d.status WHEN 'pending' THEN NULL WHEN 'sending' THEN uid(49990 - n % 2) ELSE uid(l) END,
		CASE d.status WHEN 'sent' THEN 'p' || n END, CASE d.status WHEN 'failed' THEN 'Refused.' END, a.created_at + make_interval(secs => n * 0.001)
	FROM generate_series(1, 300) l JOIN launches a ON a.id = uid(l), LATERAL (SELECT CASE l WHEN 50 THEN 10000 WHEN 100 THEN 1500 ELSE 65 END AS size) s,
		LATERAL generate_series(1, size) n, LATERAL (SELECT CASE
			WHEN l = 100 AND n > 40 THEN 'pending' WHEN l = 100 AND n > 20 THEN 'sending'
			WHEN dice(l * n, 200, 17) = 0 THEN 'unknown' WHEN dice(l * n, 60, 18) = 0 THEN 'failed' WHEN dice(l * n, 100, 19) = 0 THEN 'skipped'
			ELSE 'sent' END AS status) d;`
