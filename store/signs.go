package store

import (
	"context"
	"fmt"
	"time"
)

// Pulse says that a scheduler lives.
func (s *Store) Pulse(ctx context.Context, scheduler string) error {
	_, err := s.q(ctx).ExecContext(ctx, `INSERT INTO schedulers (id) VALUES ($1)
		ON CONFLICT (id) DO UPDATE SET seen_at = now()`, scheduler)
	return wrap(err, "saying that a scheduler lives")
}

// signLimit is for a look from outside, which has a few seconds.
const signLimit = 3 * time.Second

// Heard reports whether a worker or a scheduler on a host has given a sign of
// life within the given time. It opens a connection for that: a process that is
// asked about can't be asked itself.
func Heard(ctx context.Context, databaseURL, kind, host string, within time.Duration) (heard bool, err error) {
	table, known := map[string]string{"worker": "workers", "scheduler": "schedulers"}[kind]
	if !known {
		return false, fmt.Errorf("a %s gives no sign of life in the database", kind)
	}
	db, err := connect(databaseURL, 1, signLimit, signLimit)
	if err != nil {
		return false, err
	}
	defer func() { _ = db.Close() }()
	err = db.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM `+table+`
		WHERE starts_with(id, $1) AND seen_at > now() - make_interval(secs => $2))`, host+":", seconds(within)).Scan(&heard)
	return heard, wrap(err, "looking for a "+kind+"'s sign of life")
}
