// Package teststore gives tests a store on a fresh database, with a user, and
// one-line ways to bring jobs into the state that a test is about.
//
//	func TestSomething(t *testing.T) {
//		db := teststore.New(t)
//		job, lease := db.Running()
//
// At the end of the test it looks at all that was written and fails it where
// the history of a job does not hold together: see history.go.
package teststore

import (
	"context"
	"database/sql"
	"encoding/json"
	"testing"
	"time"

	"fanfare"
	"fanfare/internal/testdb"
	"fanfare/store"
)

// Lease is how long the leases last that DB takes.
const Lease = time.Minute

// DB is a store and what a test needs around it.
type DB struct {
	*store.Store
	SQL  *sql.DB      // for what a store does not show, or would not do
	User fanfare.User // who owns what DB makes

	t testing.TB
}

// New returns a store on a database of the test's own.
func New(t testing.TB) *DB {
	t.Helper()
	db := Open(t, testdb.New(t))
	t.Cleanup(db.checkHistory)
	return db
}

// Open returns a store on the database with that URL.
func Open(t testing.TB, url string) *DB {
	t.Helper()
	s, err := store.Open(t.Context(), url, 30)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := sql.Open("postgres", url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = pool.Close(); _ = s.Close() })
	db := &DB{Store: s, SQL: pool, t: t}
	db.User = db.NewUser()
	return db
}

// NewUser stores another user.
func (db *DB) NewUser() fanfare.User {
	db.t.Helper()
	user, err := db.CreateUser(db.ctx(), fanfare.User{
		Name: "Ada", Email: store.NewID() + "@example.org", PasswordHash: "hash", Role: fanfare.RoleUser,
	})
	db.must(err)
	return user
}

// NewCampaign stores a campaign of DB's user that is being generated.
func (db *DB) NewCampaign() fanfare.Campaign {
	db.t.Helper()
	campaign, err := db.CreateCampaign(db.ctx(), fanfare.Campaign{
		UserID: db.User.ID, Goal: "sell tea", Status: fanfare.CampaignGenerating,
	})
	db.must(err)
	return campaign
}

// NewJob is a job of DB's user, ready to be submitted.
func (db *DB) NewJob(changes ...func(*fanfare.NewJob)) fanfare.NewJob {
	job := fanfare.NewJob{
		UserID: db.User.ID, Kind: "campaign.generate", Queue: "ai", Payload: json.RawMessage(`{"a": 1}`),
		MaxAttempts: 5, Expiry: time.Hour,
	}
	for _, change := range changes {
		change(&job)
	}
	return job
}

// Queued submits a job.
func (db *DB) Queued(changes ...func(*fanfare.NewJob)) fanfare.Job {
	db.t.Helper()
	job, err := db.Submit(db.ctx(), db.NewJob(changes...))
	db.must(err)
	return job
}

// Running submits a job and claims it.
func (db *DB) Running(changes ...func(*fanfare.NewJob)) (fanfare.Job, fanfare.Lease) {
	db.t.Helper()
	claimed := db.Claimed(db.Queued(changes...))
	return claimed.Job, claimed.Lease
}

// Claimed claims a job that waits and is due.
func (db *DB) Claimed(job fanfare.Job) fanfare.Claimed {
	db.t.Helper()
	claimed, err := db.Claim(db.ctx(), "w1", []fanfare.Lease{NewLease(job)}, Lease)
	db.must(err)
	if len(claimed) != 1 {
		db.t.Fatalf("a job that is %s could not be claimed", db.Now(job).Status)
	}
	return claimed[0]
}

// Finished ends an attempt.
func (db *DB) Finished(outcome fanfare.Outcome) fanfare.Job {
	db.t.Helper()
	done, err := db.Finish(db.ctx(), []fanfare.Outcome{Complete(outcome)})
	db.must(err)
	if len(done) != 1 {
		db.t.Fatal("an attempt could not be finished: its lease is lost")
	}
	return done[0]
}

// Lost lets a job's lease expire.
func (db *DB) Lost(job fanfare.Job) {
	db.t.Helper()
	db.Exec(`UPDATE jobs SET lease_expires_at = now() - interval '1 second' WHERE id = $1 AND lease_token IS NOT NULL`, job.ID)
}

// Now returns a job as it stands.
func (db *DB) Now(job fanfare.Job) fanfare.Job {
	db.t.Helper()
	now, err := db.Job(db.ctx(), job.UserID, job.ID)
	db.must(err)
	return now
}

// Exec runs a statement.
func (db *DB) Exec(query string, args ...any) {
	db.t.Helper()
	_, err := db.SQL.ExecContext(db.ctx(), query, args...)
	db.must(err)
}

// Query returns the first column of a query's rows as text, NULL as "".
func (db *DB) Query(query string, args ...any) []string {
	db.t.Helper()
	rows, err := db.SQL.QueryContext(db.ctx(), query, args...)
	db.must(err)
	defer rows.Close()
	var found []string
	for rows.Next() {
		var value sql.NullString
		db.must(rows.Scan(&value))
		found = append(found, value.String)
	}
	db.must(rows.Err())
	return found
}

func (db *DB) must(err error) {
	db.t.Helper()
	if err != nil {
		db.t.Fatal(err)
	}
}

// ctx is good for the end of a test too.
func (db *DB) ctx() context.Context { return context.WithoutCancel(db.t.Context()) }

// NewLease is what a claim of a job would ask for.
func NewLease(job fanfare.Job) fanfare.Lease {
	return fanfare.Lease{JobID: job.ID, Token: store.NewID()}
}

// Complete gives an outcome the result or the error that its status asks for.
func Complete(outcome fanfare.Outcome) fanfare.Outcome {
	switch outcome.Status {
	case fanfare.JobSucceeded:
		if outcome.Result == nil {
			outcome.Result = json.RawMessage(`{"ok": true}`)
		}
	case fanfare.JobFailed, fanfare.JobExpired:
		if outcome.Error == nil {
			outcome.Error = &fanfare.JobError{Code: fanfare.CodeInternal, Message: "It broke."}
		}
	}
	return outcome
}
