package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"fanfare"
	"fanfare/events"
	"fanfare/jobs"
	"fanfare/queue"
	"fanfare/store"
	"fanfare/telemetry"
	"fanfare/worker"
)

const (
	concurrency = 128
	submitters  = 32
	queueName   = "bench"
)

type bench struct {
	redis       *redis.Options
	databaseURL string
	logger      *slog.Logger
}

// round measures one contender once: throughput, pickups one at a time, and
// what it costs to wait.
func (b *bench) round(ctx context.Context, bare bool, into *results, n, pickups int, idle time.Duration) error {
	started := make(chan int, n)
	begin := b.durable
	if bare {
		begin = b.bare
	}
	c, err := begin(ctx, func(n int) { started <- n })
	if err != nil {
		return err
	}
	defer c.stop()
	rate, err := throughput(ctx, c, n, started)
	if err != nil {
		return err
	}
	into.rates = append(into.rates, rate)
	for i := range pickups {
		time.Sleep(10 * time.Millisecond) // back to idle
		submitted := time.Now()
		if err := c.submit(ctx, n+i); err != nil {
			return err
		}
		<-started
		into.pickups = append(into.pickups, time.Since(submitted))
	}
	before := cpu()
	time.Sleep(idle)
	into.idle = max(into.idle, float64(cpu()-before)/float64(idle))
	return nil
}

func throughput(ctx context.Context, c contender, n int, started <-chan int) (float64, error) {
	begun := time.Now()
	numbers := make(chan int)
	errs := make(chan error, submitters)
	var wg sync.WaitGroup
	for range submitters {
		wg.Go(func() {
			for i := range numbers {
				if err := c.submit(ctx, i); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	for i := range n {
		select {
		case numbers <- i:
		case err := <-errs:
			return 0, err
		}
	}
	close(numbers)
	wg.Wait()
	for range n {
		<-started
	}
	return float64(n) / time.Since(begun).Seconds(), nil
}

type bareAsynq struct {
	client *asynq.Client
	server *asynq.Server
}

func (b *bench) bare(_ context.Context, started func(int)) (contender, error) {
	options := asynq.RedisClientOpt{Addr: b.redis.Addr, Password: b.redis.Password, DB: b.redis.DB}
	c := &bareAsynq{
		client: asynq.NewClient(options),
		server: asynq.NewServer(options, asynq.Config{
			Concurrency: concurrency, Queues: map[string]int{queueName: 1},
			TaskCheckInterval: 5 * time.Millisecond, LogLevel: asynq.ErrorLevel,
		}),
	}
	return c, c.server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		n, err := strconv.Atoi(string(task.Payload()))
		started(n)
		return err
	}))
}

func (c *bareAsynq) submit(ctx context.Context, n int) error {
	_, err := c.client.EnqueueContext(ctx, asynq.NewTask("noop", []byte(strconv.Itoa(n))), asynq.Queue(queueName))
	return err
}

func (c *bareAsynq) stop() {
	c.server.Shutdown()
	_ = c.client.Close()
}

type durable struct {
	store  *store.Store
	rdb    *redis.Client
	queue  *queue.Queue
	server *queue.Server
	worker *worker.Worker
	user   string
	cancel context.CancelFunc
}

func (b *bench) durable(ctx context.Context, started func(int)) (contender, error) {
	db, err := store.Open(ctx, b.databaseURL, 40)
	if err != nil {
		return nil, err
	}
	user, err := db.CreateUser(ctx, fanfare.User{
		Name: "Bench", Email: strconv.FormatInt(time.Now().UnixNano(), 36) + "@fanfare.example", Role: fanfare.RoleUser,
	})
	if err != nil {
		return nil, err
	}
	reporter, err := telemetry.NewReporter("", "test", "bench")
	if err != nil {
		return nil, err
	}
	rdb := redis.NewClient(b.redis)
	c := &durable{store: db, rdb: rdb, queue: queue.New(rdb), user: user.ID}
	c.worker = worker.New(worker.Config{
		ID: "bench", Lease: worker.DefaultLease, Heartbeat: worker.DefaultHeartbeat, Lookup: noop(started),
	}, db, c.queue, events.NewHub(rdb, b.logger), jobs.Deps{}, b.logger, reporter)
	c.server = queue.NewServer(b.redis, queueName, concurrency, c.worker.Handle, b.logger)
	ctx, c.cancel = context.WithCancel(ctx)
	go c.worker.Run(ctx)
	return c, c.server.Start()
}

// noop is a kind whose work only says that it has begun.
func noop(started func(int)) func(string) (jobs.Definition, bool) {
	definition := jobs.Definition{
		Name: "noop", Queue: queueName,
		Work: func(_ context.Context, run *jobs.Run) (jobs.Finished, error) {
			var n int
			err := json.Unmarshal(run.Job.Payload, &n)
			started(n)
			return jobs.Finished{Result: json.RawMessage(`{}`)}, err
		},
	}
	return func(string) (jobs.Definition, bool) { return definition, true }
}

func (c *durable) submit(ctx context.Context, n int) error {
	job, err := c.store.Submit(ctx, fanfare.NewJob{
		UserID: c.user, Kind: "noop", Queue: queueName, MaxAttempts: 1, Expiry: time.Hour,
		Payload: json.RawMessage(strconv.Itoa(n)),
	})
	if err != nil {
		return err
	}
	if _, err = c.queue.Enqueue(ctx, job); err != nil {
		return fmt.Errorf("carrying a job: %w", err)
	}
	return nil
}

func (c *durable) stop() {
	c.server.Stop()
	c.worker.Drain(context.Background())
	_ = c.server.Shutdown()
	c.cancel()
	_ = c.rdb.Close()
	_ = c.store.Close()
}
