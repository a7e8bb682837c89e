package events_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/events"
	"fanfare/internal/await"
	"fanfare/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

var quiet = slog.New(slog.DiscardHandler)

func client(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.ContextTimeoutEnabled = true
	options.DialerRetries = 1
	rdb := redis.NewClient(options)
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// running returns a hub that hears, as one process has it. Those of a test
// share a Redis of their own: channels reach across its databases.
func running(t *testing.T, url string) *events.Hub {
	t.Helper()
	rdb := client(t, url)
	hub := events.NewHub(rdb, quiet)
	before := rdb.PubSubNumSub(t.Context(), "fanfare:events").Val()["fanfare:events"]
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	var run sync.WaitGroup
	run.Go(func() { hub.Run(ctx) })
	t.Cleanup(func() { stop(); run.Wait() })
	await.True(t, "the hub listens", func() bool {
		return rdb.PubSubNumSub(t.Context(), "fanfare:events").Val()["fanfare:events"] > before
	})
	return hub
}

func signaled(signal <-chan struct{}) bool {
	select {
	case <-signal:
		return true
	default:
		return false
	}
}

func TestEveryProcessHearsOfAJob(t *testing.T) {
	url := testdb.OwnRedis(t).URL()
	here, there := running(t, url), running(t, url)
	job, other := fanfare.Job{ID: "j1", UserID: "u1"}, fanfare.Job{ID: "j2", UserID: "u2"}
	mine, stop := here.Listen(job.ID)
	defer stop()
	second, stop := there.Listen(job.ID)
	defer stop()
	ofUser, stop := there.ListenUser(job.UserID)
	defer stop()
	elsewhere, stop := there.Listen(other.ID)
	defer stop()
	ofOther, stop := here.ListenUser(other.UserID)
	defer stop()

	here.Publish(t.Context(), job)
	for name, signal := range map[string]<-chan struct{}{"here": mine, "there": second, "the user's": ofUser} {
		await.Value(t, name, signal)
	}
	if signaled(elsewhere) || signaled(ofOther) {
		t.Error("who listens to another job heard of this one")
	}
	there.Publish(t.Context(), other, job)
	for name, signal := range map[string]<-chan struct{}{"the job": mine, "another job": elsewhere, "another user": ofOther} {
		await.Value(t, name, signal)
	}
}

// TestSignalsFold: a listener that is busy finds one, and holds nobody up.
func TestSignalsFold(t *testing.T) {
	hub := running(t, testdb.OwnRedis(t).URL())
	busy, stop := hub.Listen("j1")
	defer stop()
	last, stop := hub.Listen("last")
	defer stop()
	for range 50 {
		hub.Publish(t.Context(), fanfare.Job{ID: "j1"})
	}
	hub.Publish(t.Context(), fanfare.Job{ID: "last"})
	await.Value(t, "the last hint", last)
	if !signaled(busy) || signaled(busy) {
		t.Error("50 hints must leave one signal")
	}
}

func TestAListenerThatStoppedHearsNothing(t *testing.T) {
	hub := running(t, testdb.OwnRedis(t).URL())
	gone, stop := hub.Listen("j1")
	stays, stopOther := hub.Listen("j1")
	defer stopOther()
	stop()
	stop() // twice does no harm
	hub.Publish(t.Context(), fanfare.Job{ID: "j1"})
	await.Value(t, "the other listener", stays)
	if signaled(gone) {
		t.Error("it was signaled after its end")
	}
}

// TestALostHintIsMadeUpFor by the poll: nobody publishes here.
func TestALostHintIsMadeUpFor(t *testing.T) {
	t.Parallel()
	hub := events.NewHub(client(t, testdb.Redis(t)), quiet)
	job, stop := hub.Listen("j1")
	defer stop()
	user, stop := hub.ListenUser("u1")
	defer stop()
	still, stop := hub.Listen("still")
	defer stop()
	versions := make(chan map[string]string)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	polls := 0
	go hub.Poll(ctx, func(ctx context.Context, jobIDs, userIDs []string) (map[string]string, error) {
		if len(jobIDs) != 2 || len(userIDs) != 1 {
			t.Errorf("the poll asks for %v and %v", jobIDs, userIDs)
		}
		if polls++; polls == 2 {
			return nil, errors.New("the database is away")
		}
		select {
		case found := <-versions:
			return found, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	versions <- map[string]string{"j1": "1", "u1": "10", "still": "1"}
	for name, signal := range map[string]<-chan struct{}{"job": job, "user": user, "other job": still} {
		await.Value(t, name+", at the first look", signal)
	}
	versions <- map[string]string{"j1": "2", "u1": "11", "still": "1"}
	await.Value(t, "the job has changed", job)
	await.Value(t, "the user's jobs have changed", user)
	if signaled(still) {
		t.Error("a job that has not changed was signaled")
	}
}

// TestAHangingRedisHoldsNothingUp: the change is committed already.
func TestAHangingRedisHoldsNothingUp(t *testing.T) {
	t.Parallel()
	server := testdb.OwnRedis(t)
	hub := running(t, server.URL())
	signal, stop := hub.Listen("j1")
	defer stop()
	hub.Publish(t.Context(), fanfare.Job{ID: "j1"})
	await.Value(t, "a hint", signal)
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	published := make(chan struct{})
	go func() { hub.Publish(t.Context(), fanfare.Job{ID: "j1"}); close(published) }()
	await.Value(t, "Publish returns", published)
	if err := server.Resume(); err != nil {
		t.Fatal(err)
	}
}

// TestHintsComeAgainAfterAnOutage, and after a message that nobody can read.
func TestHintsComeAgainAfterAnOutage(t *testing.T) {
	t.Parallel()
	server := testdb.OwnRedis(t)
	hub := running(t, server.URL())
	signal, stop := hub.Listen("j1")
	defer stop()
	client(t, server.URL()).Publish(t.Context(), "fanfare:events", "{nonsense")
	hub.Publish(t.Context(), fanfare.Job{ID: "j1"})
	await.Value(t, "a hint after nonsense", signal)
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	hub.Publish(t.Context(), fanfare.Job{ID: "j1"})
	if err := server.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	await.True(t, "a hint after the outage", func() bool {
		hub.Publish(t.Context(), fanfare.Job{ID: "j1"})
		return signaled(signal)
	})
}
