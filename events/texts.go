package events

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"fanfare"
)

const (
	// textLifetime: texts lie in Redis for minutes after the last word only.
	textLifetime = 10 * time.Minute
	// textPace is the least time between two writes of a job's texts: a reader
	// sees no difference, and Redis gets a tenth of the messages.
	textPace  = 40 * time.Millisecond
	textLimit = 500 * time.Millisecond
	// countField holds N in the hash of a job's texts; fields of texts have a dot.
	countField = "n"
)

//go:embed append.lua
var appendScript string

//go:embed restart.lua
var restartScript string

// Texts shows the texts of jobs while they are written. Each job has a hash in
// Redis with what stands so far, and every change of it is published.
type Texts struct {
	rdb             redis.UniversalClient
	append, restart *redis.Script
	logger          *slog.Logger
}

// NewTexts returns a Texts on a Redis client, which stays the caller's to close.
func NewTexts(rdb redis.UniversalClient, logger *slog.Logger) *Texts {
	return &Texts{
		rdb: rdb, logger: logger,
		append: redis.NewScript(appendScript), restart: redis.NewScript(restartScript),
	}
}

func textKey(jobID string) string { return "fanfare:text:" + jobID }

// Partial returns a job's texts as far as they are written.
func (t *Texts) Partial(ctx context.Context, jobID string) (fanfare.PartialTexts, error) {
	ctx, cancel := context.WithTimeout(ctx, textLimit)
	defer cancel()
	partial := fanfare.PartialTexts{Fields: map[fanfare.Channel]map[string]string{}}
	fields, err := t.rdb.HGetAll(ctx, textKey(jobID)).Result()
	if err != nil {
		return partial, fmt.Errorf("reading the texts of job %s: %w", jobID, err)
	}
	partial.N, _ = strconv.ParseInt(fields[countField], 10, 64) // absent: 0
	for name, text := range fields {
		channel, field, found := strings.Cut(name, ".")
		if !found {
			continue
		}
		of := fanfare.Channel(channel)
		if partial.Fields[of] == nil {
			partial.Fields[of] = map[string]string{}
		}
		partial.Fields[of][field] = text
	}
	return partial, nil
}

// Open implements jobs.Texts.
func (t *Texts) Open(jobID string) (fanfare.TextSink, func()) {
	s := &sink{
		texts: t, jobID: jobID, channels: map[fanfare.Channel]*written{}, shown: map[fanfare.Channel]*shown{},
		changed: make(chan struct{}, 1), closing: make(chan struct{}), closed: make(chan struct{}),
	}
	go s.run()
	return s, func() {
		close(s.closing)
		<-s.closed
	}
}

// sink gathers what is written and sends it on in a goroutine of its own.
type sink struct {
	texts *Texts
	jobID string

	mu       sync.Mutex
	channels map[fanfare.Channel]*written

	shown           map[fanfare.Channel]*shown // of run alone
	changed         chan struct{}
	closing, closed chan struct{}
}

// written is what stands of one channel. Its turn counts the restarts.
type written struct {
	turn   int
	fields map[string]string
}

// shown is what Redis has of a channel, as far as is known.
type shown struct {
	turn  int
	bytes map[string]int // by field
}

// Restart implements fanfare.TextSink.
func (s *sink) Restart(channel fanfare.Channel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.written(channel)
	w.turn++
	clear(w.fields)
	s.notify()
}

// Append implements fanfare.TextSink.
func (s *sink) Append(channel fanfare.Channel, field, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.written(channel).fields[field] += text
	s.notify()
}

func (s *sink) written(channel fanfare.Channel) *written {
	if s.channels[channel] == nil {
		s.channels[channel] = &written{fields: map[string]string{}}
	}
	return s.channels[channel]
}

func (s *sink) notify() {
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

// run sends the first word at once and the rest at the pace.
func (s *sink) run() {
	defer close(s.closed)
	for {
		select {
		case <-s.changed:
			s.flush()
		case <-s.closing:
			s.flush()
			return
		}
		select {
		case <-time.After(textPace):
		case <-s.closing:
		}
	}
}

// flush shows what has come. That it fails means no more than that some words
// are shown later, with the next ones.
func (s *sink) flush() {
	ctx, cancel := context.WithTimeout(context.Background(), textLimit)
	defer cancel()
	for _, channel := range fanfare.Channels() {
		if err := s.flushChannel(ctx, channel); err != nil {
			s.texts.logger.Debug("showing texts", "jobId", s.jobID, "error", err)
			return
		}
	}
}

func (s *sink) flushChannel(ctx context.Context, channel fanfare.Channel) error {
	turn, fields := s.standing(channel)
	known := s.shown[channel]
	if known == nil {
		known = &shown{bytes: map[string]int{}}
		s.shown[channel] = known
	}
	if known.turn != turn && len(known.bytes) > 0 {
		return s.replace(ctx, channel, turn, fields)
	}
	known.turn = turn
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		from := known.bytes[field]
		if from == len(fields[field]) {
			continue
		}
		n, err := s.texts.append.Run(ctx, s.texts.rdb, []string{textKey(s.jobID)}, textChannel, s.jobID,
			string(channel), field, from, fields[field][from:], textLifetime.Milliseconds()).Int64()
		if err != nil {
			return err
		}
		if n < 0 {
			return s.replace(ctx, channel, turn, fields)
		}
		known.bytes[field] = len(fields[field])
	}
	return nil
}

func (s *sink) standing(channel fanfare.Channel) (turn int, fields map[string]string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.written(channel)
	return w.turn, maps.Clone(w.fields)
}

// replace shows a channel anew.
func (s *sink) replace(ctx context.Context, channel fanfare.Channel, turn int, fields map[string]string) error {
	args := []any{textChannel, s.jobID, string(channel), textLifetime.Milliseconds()}
	known := &shown{turn: turn, bytes: map[string]int{}}
	for field, text := range fields {
		args = append(args, field, text)
		known.bytes[field] = len(text)
	}
	if err := s.texts.restart.Run(ctx, s.texts.rdb, []string{textKey(s.jobID)}, args...).Err(); err != nil {
		return err
	}
	s.shown[channel] = known
	return nil
}
