package main

import (
	"context"
	"fmt"
	"os"
	"sync"
	"text/tabwriter"
	"time"
)

const (
	openers      = 64
	openPatience = 2 * time.Minute
	// settling lets what the opening left behind come to rest.
	settling = 3 * time.Second
)

// crowd are open streams that last as long as the measurement.
type crowd struct {
	bench         *streamBench
	owners        []*owner
	followers     []*follower
	before, after usage
	idle          float64 // share of a core that the idle streams take
	cancel        context.CancelFunc
	wg            sync.WaitGroup
}

// follower is one open stream. It keeps the frames that it is told to keep.
type follower struct {
	path, key string
	ofUser    bool
	opened    chan struct{}

	mu     sync.Mutex
	keep   bool
	frames []frame
	err    error
}

func (b *streamBench) openCrowd(ctx context.Context, n int, quiet time.Duration) (*crowd, error) {
	owners, err := b.newOwners(ctx, max(1, n/streamsEach), 1)
	if err != nil {
		return nil, err
	}
	c := &crowd{bench: b, owners: owners}
	without, err := b.idleCPU(quiet / 3)
	if err != nil {
		return nil, err
	}
	if c.before, err = b.api.measure(memoryOrder); err != nil {
		return nil, err
	}
	ctx, c.cancel = context.WithCancel(ctx)
	if err := c.open(ctx, n); err != nil {
		c.close()
		return nil, err
	}
	time.Sleep(settling)
	if c.after, err = b.api.measure(memoryOrder); err != nil {
		return nil, err
	}
	with, err := b.idleCPU(quiet)
	c.idle = with - without
	return c, err
}

// open opens the streams, some at a time, and returns once each has had its
// first frame.
func (c *crowd) open(ctx context.Context, n int) error {
	slots := make(chan struct{}, openers)
	for i := range n {
		o := c.owners[i%len(c.owners)]
		f := &follower{path: "/api/jobs/" + o.jobs[0].id + "/events", key: o.key, opened: make(chan struct{})}
		if i < len(c.owners) {
			f.path, f.ofUser = "/api/events", true
		}
		c.followers = append(c.followers, f)
		slots <- struct{}{}
		c.wg.Go(func() { f.run(ctx, c.bench.client) })
		go func() { <-f.opened; <-slots }()
	}
	patience := time.After(openPatience)
	for _, f := range c.followers {
		select {
		case <-f.opened:
			if err := f.failure(); err != nil {
				return err
			}
		case <-patience:
			return fmt.Errorf("%s did not open within %s", f.path, openPatience)
		}
	}
	return nil
}

func (c *crowd) close() {
	c.cancel()
	c.wg.Wait()
}

// run reads until ctx is done; a stream of the crowd has no other end.
func (f *follower) run(ctx context.Context, client *client) {
	opened := sync.OnceFunc(func() { close(f.opened) })
	defer opened()
	status, err := client.follow(ctx, f.path, f.key, "", func(frame frame) bool {
		opened()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.keep {
			frame.raw = append([]byte(nil), frame.raw...)
			f.frames = append(f.frames, frame)
		}
		return true
	})
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err = err; err == nil && ctx.Err() == nil {
		f.err = fmt.Errorf("%s ended with %d", f.path, status)
	}
}

func (f *follower) failure() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// idleCPU is the share of a core that the API takes while nothing happens.
func (b *streamBench) idleCPU(quiet time.Duration) (float64, error) {
	before, err := b.api.measure(cpuOrder)
	if err != nil {
		return 0, err
	}
	begun := time.Now()
	time.Sleep(quiet)
	after, err := b.api.measure(cpuOrder)
	return float64(after.CPU-before.CPU) / float64(time.Since(begun)), err
}

func (c *crowd) report() {
	n := float64(len(c.followers))
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(table, "open streams\tof them /api/events\theap and stack of one\tresident\tidle, % of a core\tCPU of one, a second")
	_, _ = fmt.Fprintf(table, "%d\t%d\t%.1f KiB\t%.1f KiB\t%.1f\t%.1f µs\n", len(c.followers), min(len(c.owners), len(c.followers)),
		float64(c.after.HeapAndStack-c.before.HeapAndStack)/1024/n, float64(c.after.Resident-c.before.Resident)/1024/n,
		100*c.idle, 1e6*c.idle/n)
	_ = table.Flush()
}
