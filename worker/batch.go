package worker

import (
	"context"
	"sync"

	"fanfare"
)

// batchMax bounds one statement.
const batchMax = 100

// batch writes what came in during one write with the next: the write under
// way is the clock, so an idle worker writes at once and a busy one in large
// batches. One item's write takes a round trip and a commit; fifty together
// take hardly more (a fifth each, measured).
type batch[I, O any] struct {
	name string // in traces
	// write writes items, and returns what became of those that had an effect.
	write func(ctx context.Context, items []I) ([]O, error)
	// in and out name an item and what became of it.
	in  func(I) string
	out func(O) string

	mu      sync.Mutex
	writing bool
	waiting []*entry[I, O]
}

type entry[I, O any] struct {
	ctx    context.Context // whose values the write is done with, where it is the first
	item   I
	result *O // nil if the item had no effect
	err    error
	done   chan struct{}
}

// do writes one item and returns what became of it, nil if it had no effect.
// It does not end before the write has: what ctx is for is its values.
func (b *batch[I, O]) do(ctx context.Context, item I) (*O, error) {
	ctx, end := fanfare.Trace(context.WithoutCancel(ctx), fanfare.OpWrite, b.name)
	e := &entry[I, O]{ctx: ctx, item: item, done: make(chan struct{})}
	if b.join(e) {
		b.run()
	}
	<-e.done
	end(e.err)
	return e.result, e.err
}

// join reports whether the caller is the one to write.
func (b *batch[I, O]) join(e *entry[I, O]) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.waiting = append(b.waiting, e)
	mine := !b.writing
	b.writing = true
	return mine
}

// run writes until nothing waits. Whoever began goes on for the others in a
// goroutine of its own, so that its own item's answer is not held up.
func (b *batch[I, O]) run() {
	entries := b.take()
	if len(entries) == 0 {
		return
	}
	b.flush(entries)
	go b.run()
}

func (b *batch[I, O]) take() []*entry[I, O] {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.apart()
	entries := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	b.writing = n > 0
	return entries
}

// apart returns how many of those waiting have names of their own: what came
// back for two of one name, say of a stale attempt and of the next one of the
// same job, could not be told apart.
func (b *batch[I, O]) apart() int {
	names := make(map[string]bool, len(b.waiting))
	for i, e := range b.waiting {
		name := b.in(e.item)
		if names[name] || i == batchMax {
			return i
		}
		names[name] = true
	}
	return len(b.waiting)
}

// flush writes entries together. If that fails for a reason that lies in one
// of them, each is written alone, so that the others do not fail with it.
func (b *batch[I, O]) flush(entries []*entry[I, O]) {
	err := b.writeAll(entries)
	if err != nil && len(entries) > 1 && fanfare.ErrorCode(err) != fanfare.CodeUnavailable {
		for _, e := range entries {
			e.err = b.writeAll([]*entry[I, O]{e})
		}
	} else if err != nil {
		for _, e := range entries {
			e.err = err
		}
	}
	for _, e := range entries {
		close(e.done)
	}
}

// writeAll writes in the name of the first: a statement has one trace.
func (b *batch[I, O]) writeAll(entries []*entry[I, O]) error {
	items := make([]I, len(entries))
	byName := make(map[string]*entry[I, O], len(entries))
	for i, e := range entries {
		items[i] = e.item
		byName[b.in(e.item)] = e
	}
	results, err := b.write(entries[0].ctx, items)
	for i := range results {
		if e := byName[b.out(results[i])]; e != nil {
			e.result = &results[i]
		}
	}
	return err
}
