package fanfare

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate allows Count things in each Window. As text it is "100/15m".
type Rate struct {
	Count  int
	Window time.Duration
}

// UnmarshalText reads "count/window", as in "5/15m".
func (r *Rate) UnmarshalText(text []byte) error {
	count, window, found := strings.Cut(string(text), "/")
	n, err := strconv.Atoi(strings.TrimSpace(count))
	if !found || err != nil || n < 1 {
		return fmt.Errorf("must be count/window such as 100/15m")
	}
	d, err := time.ParseDuration(strings.TrimSpace(window))
	if err != nil || d < time.Second {
		return fmt.Errorf("must have a window of at least 1s, such as 15m or 1h")
	}
	*r = Rate{Count: n, Window: d}
	return nil
}

func (r Rate) String() string { return fmt.Sprintf("%d/%s", r.Count, r.Window) }

// RatePolicy is one limit. Keys of different names are counted apart.
type RatePolicy struct {
	Name string
	Rate Rate
	// FailClosedInMemory keeps the limit up, in this process's memory, while
	// Redis is down. Other policies then let everything through.
	FailClosedInMemory bool
}

// RateDecision says whether a request may go on.
type RateDecision struct {
	Allowed    bool
	Limit      int
	Remaining  int
	Reset      time.Time     // when all of Limit is there again
	Next       time.Duration // until there is one more than Remaining
	RetryAfter time.Duration // how long to wait before trying again; 0 if allowed
	// Unlimited means that nothing was counted, since Redis is down; of the
	// other fields only Allowed and Outage mean something then.
	Unlimited bool
	// Outage is why Redis did not decide, for the log; nil if it did.
	Outage error
}
